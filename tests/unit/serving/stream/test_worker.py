"""The worker: results before acknowledgements, one bad message never fails another, and it waits for what is away."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from unit.serving.stream.bench import Bench

from pipeline.errors import InputError, RefusedError, ScorerError, StoreError
from pipeline.serving import faults
from pipeline.serving.stream import worker as rooms
from pipeline.serving.stream.transport import TakenError


def ticket(number: int, **more: Any) -> dict[str, Any]:
    return {"ticket_id": f"t{number}", "subject": "The printer is on fire", "created_at": "2026-11-20T08:00:00Z"} | more


def tickets(count: int) -> list[dict[str, Any]]:
    return [ticket(n, body=f"line {n} doesn't work") for n in range(count)]


def test_every_ticket_gets_one_result_in_its_order_and_nothing_waits(bench: Bench) -> None:
    bench.broker.put(*tickets(30))
    worker = bench.worker(batch=7)
    worker.run()
    assert [r["ticket_id"] for r in bench.broker.records()] == [f"t{n}" for n in range(30)]
    assert not bench.broker.waiting and not bench.broker.buried
    assert worker.tally.told == {"messages": 30, "results": 30, "repeats": 0, "dead": 0}
    assert bench.events()[0] == "ready" and bench.events()[-1] == "stopped"


def test_what_is_written_comes_before_what_is_acknowledged(bench: Bench) -> None:
    bench.broker.put(b"not json", *tickets(3))
    bench.worker().run()
    calls = [name for name in bench.broker.calls if name in ("begin", "write", "add", "done")]
    assert calls == ["begin", "write", "add", "done"]


def test_a_repeat_is_dropped_and_counted(bench: Bench) -> None:
    bench.broker.put(*tickets(5), *tickets(5))
    worker = bench.worker(batch=5)
    worker.run()
    assert worker.tally.told["results"] == worker.tally.told["repeats"] == 5


def test_one_that_raises_fails_alone_and_a_person_decides(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGE_POISON", "1")
    bench.broker.put(*tickets(4), ticket(0, ticket_id="poison-raise-1"), *[ticket(n) for n in range(10, 14)])
    worker = bench.worker(tries=2)
    worker.run()
    found = {r["ticket_id"]: r for r in bench.broker.records()}
    assert len(found) == 9 and sum(r["error"] is not None for r in found.values()) == 1
    (letter,) = bench.broker.buried
    assert (letter.code, json.loads(letter.value)["ticket_id"]) == ("unscorable", "poison-raise-1")
    bad = found.get("poison-raise-1") or found[None]  # type: ignore[call-overload]
    assert (bad["error"], bad["queue_reason"]) == ("unscorable", "fallback:unscorable")
    assert worker.tally.faults["RuntimeError"] == 3  # once with the others, twice alone
    told = next(values for name, values in bench.told if name == "fault")
    assert told == {"kind": "RuntimeError", "place": f"serving/faults.py:{_line()}"}


@pytest.mark.parametrize("taken_over", [False, True])
def test_between_attempts_it_shows_that_it_lives_and_sees_who_has_taken_over(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, taken_over: bool
) -> None:
    monkeypatch.setenv("TRIAGE_POISON", "1")
    bench.broker.put(ticket(0, ticket_id="poison-raise-1"))
    worker = bench.worker(tries=3, claim_seconds=0.0)
    failed = worker._fault

    def fault(error: Exception) -> None:
        failed(error)
        if taken_over and worker.tally.faults["RuntimeError"] == 2:
            bench.broker.owners = {p: token + 1 for p, token in bench.broker.owners.items()}

    monkeypatch.setattr(worker, "_fault", fault)
    worker.run()
    calls = bench.broker.calls[: bench.broker.calls.index("write")]
    assert calls.count("tend") >= 4 and len(bench.broker.results) == len(bench.broker.buried) == 1
    assert worker.tally.lost == taken_over


def _line() -> str:
    source = Path(faults.__file__).read_text("utf-8").splitlines()
    return str(next(n for n, line in enumerate(source, 1) if 'RuntimeError("poison")' in line))


def test_one_that_was_begun_too_often_is_not_begun_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGE_POISON", "1")
    bench.broker.put(ticket(0, ticket_id="poison-kill"), key="poison-kill")
    bench.broker.put(*tickets(3))
    bench.broker.begun[bench.broker.waiting[0].position] = 3
    bench.worker(tries=3).run()
    assert [(one.code, one.tries, one.key) for one in bench.broker.buried] == [("worker_died", 4, "poison-kill")]
    first = bench.broker.records()[0]
    assert (first["ticket_id"], first["error"], first["queue_reason"]) == (
        "poison-kill", "worker_died", "fallback:worker_died",
    )  # fmt: skip
    assert len(bench.broker.results) == 4


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"", "unreadable_record"),
        (b"\xff\xfe", "bad_encoding"),
        (b"{" * 100_000, "unreadable_record"),
        (b"[1]", "not_an_object"),
        (b'{"ticket": 3}', "not_an_object"),
        (b'{"ticket": {"subject": "no id"}}', "missing_id"),
        (b'{"ticket_id": "x", "subject": "s", "created_at": "2999-01-01T00:00:00Z"}', "future_time"),
    ],
)
def test_a_bad_message_is_a_row_a_letter_and_no_fault(bench: Bench, value: bytes, code: str) -> None:
    bench.broker.put(value, *tickets(2), value)
    worker = bench.worker()
    worker.run()
    records = bench.broker.records()
    assert [r["error"] for r in records if r["error"]] == [code] * (1 if code == "future_time" else 2)
    assert [one.code for one in bench.broker.buried] == [code, code]
    assert [one.value for one in bench.broker.buried] == [value, value]
    assert not worker.tally.faults


def test_the_breaker_stops_a_worker_that_buries_nearly_everything(bench: Bench) -> None:
    bench.broker.put(*[b"bad"] * 300)
    with pytest.raises(RefusedError, match="too many messages"):
        bench.worker(batch=20).run()
    assert len(bench.broker.buried) == 60  # it looks at fifty before it says anything
    assert len(bench.broker.waiting) == 240


@pytest.mark.parametrize("name", ["tend", "own", "take", "begin", "write", "add", "done"])
def test_a_broker_that_is_away_is_waited_for(bench: Bench, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "BACK_OFF", (0.001, 0.01))
    bench.broker.put(b"bad", *tickets(10))
    bench.broker.away += [name] * 3
    worker = bench.worker(batch=4)
    worker.run()
    assert not bench.broker.away and not bench.broker.waiting
    assert len(bench.broker.results) == 11 and len(bench.broker.buried) == 1
    assert worker.tally.away == 3 and max(bench.broker.begun.values()) == 1
    assert bench.events().count("away") == 1 and "taking" in bench.events()


def test_partitions_are_left_to_the_one_who_has_the_output_to_itself(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "BACK_OFF", (0.001, 0.01))
    bench.broker.put(*tickets(3))
    worker = bench.worker()
    own, tries = worker.outlet.own, iter([True, True, False])

    def taken(tokens: Any) -> None:
        if next(tries, False):
            raise TakenError("another process writes these results", where="out.jsonl", do="wait")
        own(tokens)

    worker.outlet.own = taken  # type: ignore[method-assign]
    worker.run()
    calls = bench.broker.calls
    assert calls[: calls.index("own")].count("close") == 2  # given back each time, before anything was taken
    assert "take" not in calls[: calls.index("own")] and len(bench.broker.results) == 3


def test_what_another_worker_owns_now_is_not_written_and_comes_again(bench: Bench) -> None:
    bench.broker.put(*tickets(10))
    worker = bench.worker(batch=4)
    raised = False

    def once(**values: Any) -> None:
        nonlocal raised
        if not raised:
            raised = True
            bench.broker.owners = {p: token + 1 for p, token in bench.broker.owners.items()}

    answer = worker.scoring.answer

    def late(*args: Any, **options: Any) -> Any:
        once()
        return answer(*args, **options)

    worker.scoring.answer = late  # type: ignore[method-assign]
    worker.run()
    assert worker.tally.lost == 1 and "lost_a_partition" in bench.events()
    assert len(bench.broker.results) == 10 and not bench.broker.waiting


def test_a_new_scorer_takes_over_and_a_bad_one_is_refused(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "scorer"
    shutil.copytree(bench.scorer, folder)
    worker = bench.worker(scorer=folder)
    worker.renewing.first()
    version = worker.tally.version
    manifest = folder / "manifest.json"
    whole = manifest.read_bytes()
    manifest.write_bytes(whole[:-20])
    _look_until(worker, lambda: worker.tally.reloads["refused"] == 1)
    assert worker.tally.version == version and "refused" in bench.events()
    manifest.write_bytes(whole)
    _look_until(worker, lambda: worker.tally.reloads["in_service"] == 1)
    worker.renewing.asked = True
    _look_until(worker, lambda: worker.tally.reloads["in_service"] == 2)
    worker.renewing.close()


def test_a_new_scorer_is_tried_again_where_only_its_history_was_away(bench: Bench) -> None:
    worker = bench.worker()
    worker.renewing.first()
    loader, away = worker.renewing.loader, iter([True, True])

    class Loader:
        source = loader.source

        def load(self) -> Any:
            if next(away, False):
                raise StoreError("the server can't be reached", where="history", do="wait")
            return loader.load()

    worker.renewing.loader = Loader()  # type: ignore[assignment]
    worker.renewing.known = "the one before"
    _look_until(worker, lambda: worker.tally.reloads["in_service"] == 1)
    assert worker.tally.reloads["refused"] == 2
    worker.renewing.close()


def _look_until(worker: rooms.Worker, there: Any) -> None:
    for _ in range(2_000):
        worker.renewing.look()
        if there():
            return
        worker.stop.wait(0.01)
    raise AssertionError("it never came")


def test_a_scorer_that_is_not_there_is_said_at_once(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises((ScorerError, InputError)):
        bench.worker(scorer=tmp_path / "none").run()


@pytest.mark.parametrize("harm", ["gone", "torn"])
def test_a_scorer_that_is_replaced_while_it_is_read_is_read_again(bench: Bench, tmp_path: Path, harm: str) -> None:
    folder, away = tmp_path / "scorer", tmp_path / "away"
    shutil.copytree(bench.scorer, folder)
    worker = bench.worker(scorer=folder)
    source = worker.renewing.loader.source
    opened = iter([True, True])

    class Swapped:
        def mark(self) -> str:
            return source.mark()

        def open(self) -> Any:
            if not next(opened, False):
                if away.exists():
                    away.rename(folder)
                (folder / "manifest.json").write_bytes((bench.scorer / "manifest.json").read_bytes())
                return source.open()
            if harm == "gone" and folder.exists():
                folder.rename(away)
            elif harm == "torn":  # its files are the new one's already, its manifest isn't
                manifest = folder / "manifest.json"
                manifest.write_bytes(manifest.read_bytes()[:-20])
            return source.open()

    worker.renewing.loader = replace(worker.renewing.loader, source=Swapped())
    bench.broker.put(*tickets(2))
    worker.run()
    assert len(bench.broker.results) == 2


def test_it_stops_between_two_batches_when_asked(bench: Bench) -> None:
    bench.broker.put(*tickets(20))
    worker = bench.worker(batch=5)
    answer = worker.scoring.answer

    def last(*args: Any, **options: Any) -> Any:
        worker.stop.set()
        return answer(*args, **options)

    worker.scoring.answer = last  # type: ignore[method-assign]
    worker.run()
    assert len(bench.broker.results) == 5 and len(bench.broker.waiting) == 15
    assert bench.broker.calls[-3:] == ["close"] * 3
