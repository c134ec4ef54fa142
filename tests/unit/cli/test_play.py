"""`triage stream play`: what it prints, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.cli.app import main


def run(monkeypatch: pytest.MonkeyPatch, *args: object) -> int:
    monkeypatch.setattr("sys.argv", ["triage", "stream", "play", *map(str, args)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tickets.jsonl"
    rows = [{"ticket_id": str(n), "created_at": f"2026-01-01T00:00:{n:02}Z", "subject": "a secret"} for n in range(20)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def ids(path: Path) -> list[int]:
    return [int(json.loads(line)["ticket"]["ticket_id"]) for line in path.read_text().splitlines()]


def test_a_file_is_played_into_a_file_and_a_line_says_how_many(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.jsonl"
    assert run(monkeypatch, file, "--to", out) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"20 messages sent to {out}: 20 tickets, 0 events, read in ")
    assert printed.out.endswith("the last of 2026-01-01T00:00:19Z\n") and printed.err == ""
    assert ids(out) == [*range(20)]


def test_a_play_goes_on_from_where_it_was(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.jsonl"
    assert run(monkeypatch, file, "--to", out, "--most", 5) == 0
    assert run(monkeypatch, file, "--to", out, "--from", "2026-01-01T00:00:05Z", "--until", "2026-01-01T00:00:15Z") == 0
    assert ids(out) == [*range(15)]


def test_on_standard_output_there_is_nothing_but_messages(file: Path, root: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pipeline", "stream", "play", file, "--to", "-"],
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0 and len(ran.stdout.splitlines()) == 20
    assert "20 messages sent to -" in ran.stderr


def test_too_many_rows_that_can_not_be_read_are_said_by_code_and_the_rest_is_sent(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with file.open("a") as stream:
        stream.write('{"a secret\n')
    out = tmp_path / "out.jsonl"
    assert run(monkeypatch, file, "--to", out) == 1
    printed = capsys.readouterr()
    assert "not sent, unreadable_record: 1" in printed.out and "1 of 21 rows" in printed.err
    assert "secret" not in printed.out + printed.err and len(ids(out)) == 20
    assert run(monkeypatch, file, "--to", out, "--max-refused", "0.1") == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--pace", "0"], "not a pace"),
        (["--pace", "nan"], "not a pace"),
        (["--from", "soon"], "not a moment"),
        (["--to", "amqp://user:secret@host/x"], "not a stream"),
    ],
)
def test_what_can_not_be_is_an_error_that_shows_no_password(
    file: Path,
    more: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, file, "--to", tmp_path / "out", *more) == 2
    printed = capsys.readouterr()
    assert said in printed.err and "secret" not in printed.err


def test_ctrl_c_ends_a_play_and_says_how_to_go_on(file: Path, tmp_path: Path, root: Path) -> None:
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "pipeline", "stream", "play", file, "--to", out, "--pace", "1"]
    with subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 60
        while not (out.exists() and len(out.read_bytes().splitlines()) >= 2):
            assert time.monotonic() < until and process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    sent = len(ids(out))
    assert process.returncode == 130 and sent < 20
    assert f"stopped after {sent} of 20 messages; go on with --from 2026-01-01T00:00:{sent - 1:02}Z" in errors
    assert "Traceback" not in errors
