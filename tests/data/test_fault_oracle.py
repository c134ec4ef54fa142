"""The oracle of the fault driver fails when it should, and only then."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.serving import faults
from pipeline.serving.faults import AGE_POINTS, POISONS, STREAM_POINTS

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

from fault_changes import AGE_POINTS as AGES
from fault_scenarios import FILE_POINTS, POINTS
from oracle import Found, Letter, Sent, Verdict, judge

BAD = b"not json"


def record(name: str | None, as_of: str = "2026-06-01T08:00:00Z", **more: object) -> bytes:
    return json.dumps({"ticket_id": name, "as_of": as_of, "error": None} | more, separators=(",", ":")).encode()


def keyed(golden: bytes, key: str) -> bytes:
    return golden[:-1] + b',"key":"%s"}' % key.encode()


REFUSED = record(None, error="unreadable_record")
POISONED = record("poison-kill-0", error="worker_died", queue_reason="fallback:worker_died")
SENT = [
    Sent(b"a", "a", record("a"), least=1, most=1),
    Sent(b"b", "b", record("b"), least=2, most=2),
    Sent(b"event of b", "b", record("b", "2026-06-01T09:00:00Z"), least=1, most=1),
    Sent(BAD, None, REFUSED, least=2, most=2),
    Sent(b"p", "poison-kill-0", None, ("worker_died",), (4, 4), least=1, most=1),
    Sent(b"never sent", "z", record("z")),
]
RESULTS = [
    keyed(record("a"), "1"),
    keyed(record("b"), "2"),
    keyed(record("b", "2026-06-01T09:00:00Z"), "3"),
    keyed(REFUSED, "4"),
    keyed(REFUSED, "5"),
    keyed(POISONED, "6"),
]
LETTERS = [Letter(BAD, "unreadable_record", 1), Letter(BAD, "unreadable_record", 2), Letter(b"p", "worker_died", 4)]


def told(
    results: list[bytes] = RESULTS, letters: list[Letter] = LETTERS, waiting: int = 0, *, drops: bool = True
) -> Verdict:
    return judge(SENT, Found(results, letters, waiting, drops))


def test_nothing_is_wrong_where_all_is_there_once() -> None:
    verdict = told()
    assert not verdict.wrong and not verdict.examples
    assert (verdict.messages, verdict.tickets, verdict.results, verdict.letters) == (7, 3, 6, 3)


def test_repeats_are_counted_where_the_sink_cannot_drop_them_and_blamed_where_it_can() -> None:
    again = [*RESULTS, RESULTS[0], RESULTS[2]]
    verdict = told(again, drops=False)
    assert verdict.repeats == 2 and not verdict.wrong
    assert told(again).wrong == {"doubled": 2}


def test_a_repeat_that_differs_is_wrong_everywhere() -> None:
    other = keyed(record("a", topic="another"), "1")
    assert told([*RESULTS, other], drops=False).wrong == {"altered": 1}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda r: r[1:], {"missing": 1}),
        (lambda r: r[:1] + r[2:], {"missing": 1}),
        (lambda r: r[:3] + r[4:], {"missing": 1}),
        (lambda r: r[:5], {"missing": 1}),
        (lambda r: [*r, keyed(record("a"), "7")], {"doubled": 1}),
        (lambda r: [*r, keyed(REFUSED, "7")], {"doubled": 1}),
        (lambda r: [*r, keyed(POISONED, "7")], {"doubled": 1}),
        (lambda r: [keyed(record("a", topic="wrong"), "1"), *r[1:]], {"altered": 1}),
        (lambda r: [keyed(record("a") + b" ", "1"), *r[1:]], {"unknown": 1, "missing": 1}),
        (lambda r: [*r[:5], keyed(record("poison-kill-0", error="unscorable"), "6")], {"altered": 1}),
        (lambda r: [*r, keyed(record("z"), "7")], {"unknown": 1}),
        (lambda r: [*r, keyed(record(None, error="missing_id"), "7")], {"unknown": 1}),
        (lambda r: [*r, keyed(record("a", "2026-06-02T08:00:00Z"), "7")], {"unknown": 1}),
        (lambda r: [*r, record("a")], {"unknown": 1}),
        (lambda r: [*r, r[0][:30]], {"unknown": 1}),
        (lambda r: [], {"missing": 6}),
    ],
)
def test_a_missing_a_doubled_an_altered_and_an_unknown_result_are_seen(
    change: Callable[[list[bytes]], list[bytes]], wrong: dict[str, int]
) -> None:
    assert told(change(RESULTS)).wrong == wrong


@pytest.mark.parametrize(
    "letters",
    [
        LETTERS[1:],
        LETTERS[:2],
        [*LETTERS, LETTERS[2]],
        [*LETTERS[:2], Letter(b"p", "worker_died", 3)],
        [*LETTERS[:2], Letter(b"p", "unscorable", 4)],
        [*LETTERS, Letter(b"a", "worker_died", 4)],
        [*LETTERS, Letter(b"nobody's", "worker_died", 4)],
    ],
)
def test_a_letter_too_many_too_few_or_of_another_kind_is_seen(letters: list[Letter]) -> None:
    assert set(told(letters=letters).wrong) == {"letters"}


def test_what_still_waits_is_seen() -> None:
    assert told(waiting=3).wrong == {"waiting": 3}


def test_what_a_dying_broker_may_have_taken_twice_may_be_there_twice_or_once() -> None:
    sent = [Sent(BAD, None, REFUSED, least=1, most=2)]
    for count, wrong in ((0, {"missing": 1, "letters": 1}), (1, {}), (2, {}), (3, {"doubled": 1, "letters": 1})):
        results = [keyed(REFUSED, str(n)) for n in range(count)]
        assert judge(sent, Found(results, LETTERS[:1] * count, 0)).wrong == wrong


def test_a_poison_that_nothing_but_its_bytes_names_has_a_row_that_names_no_ticket() -> None:
    row = record(None, error="worker_died", queue_reason="fallback:worker_died")
    sent = [Sent(b"%d" % n, f"poison-kill-{n}", None, ("worker_died",), (4, 4), 1, 1) for n in range(2)]
    letters = [Letter(s.value, "worker_died", 4) for s in sent]
    for count, wrong in ((0, {"missing": 2}), (1, {"missing": 1}), (2, {}), (3, {"unknown": 1})):
        results = [keyed(row, str(n)) for n in range(count)]
        assert judge(sent, Found(results, letters, 0)).wrong == wrong


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        (["old"], {}),
        (["new"], {}),
        (["old", "new"], {}),  # its worker died before it was acknowledged, and then the scorer was replaced
        ([], {"missing": 1}),
        (["third"], {"altered": 1}),
        (["old", "third"], {"unknown": 1}),
        (["old", "old"], {"doubled": 1}),
    ],
)
def test_one_of_two_scorers_is_owed_a_result_and_neither_is_too_few(names: list[str], wrong: dict[str, int]) -> None:
    by = {name: record("a", scorer_version=name) for name in ("old", "new", "third")}
    sent = [Sent(b"a", "a", by["old"], others=(by["new"],), least=1, most=1)]
    results = [keyed(by[name], str(n)) for n, name in enumerate(names)]
    assert judge(sent, Found(results, [], 0)).wrong == wrong


def test_the_driver_kills_at_every_named_moment_and_sends_every_poison() -> None:
    assert set(STREAM_POINTS) == set(POINTS) and set(AGE_POINTS) == set(AGES)
    room = Path(faults.__file__).parent / "stream"
    of_files = "".join(p.read_text("utf-8") for p in [*room.glob("*file*.py"), room / "followed_state.py"])
    assert set(re.findall(r'(?<![.])point[(]"(\w+)"', of_files)) == {*FILE_POINTS, "letter_sent"}
    assert set(POISONS) == {"poison-raise", "poison-hang", "poison-memory", "poison-kill"}
