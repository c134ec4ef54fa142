"""Faults become one message and an exit code; no ticket text and no traceback ever reach the terminal."""

from __future__ import annotations

import errno

import pytest

from pipeline.cli import app as door
from pipeline.errors import GateError, InputError


def stop_with(
    fault: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    def verb() -> None:
        raise fault

    monkeypatch.setattr(door, "app", verb)
    with pytest.raises(SystemExit) as stopped:
        door.main()
    return int(stopped.value.code or 0), capsys.readouterr().err


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (
            InputError("no such column", where="map.yaml", got="sbject", do="did you mean subject?"),
            2,
            "do: did you mean",
        ),
        (GateError("nothing left to assemble"), 1, "error: nothing left to assemble"),
        (KeyboardInterrupt(), 130, "error: stopped"),
        (OSError(errno.ENOSPC, "No space left on device", "out.csv"), 2, "No space left on device\n  where: out.csv"),
    ],
    ids=["input", "gate", "interrupt", "disk"],
)
def test_a_fault_is_one_message_and_its_exit_code(
    fault: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stopped, message = stop_with(fault, monkeypatch, capsys)
    assert stopped == code
    assert said in message and message.startswith("error: ")
    assert "Traceback" not in message


def test_an_unforeseen_fault_never_shows_its_message_because_it_may_quote_a_ticket(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped, message = stop_with(ValueError("could not convert 'my card is 4111…'"), monkeypatch, capsys)
    assert stopped == door.FAULT_OF_OURS
    assert "ValueError" in message and "4111" not in message and "Traceback" not in message


def test_the_traceback_is_shown_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRIAGE_TRACEBACK", "1")
    assert "Traceback" in stop_with(InputError("x"), monkeypatch, capsys)[1]
