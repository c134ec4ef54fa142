"""Open tickets that are of age: counted before they are begun, given up after some tries, and no other's fault."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from nursery import nursery
from unit.serving.stream.bench import Bench

from pipeline.config import Params
from pipeline.errors import BrokerError
from pipeline.history.store import open_store
from pipeline.ledger import Step, Steps, open_ledger
from pipeline.ledger.decisions import digest
from pipeline.serving.faults import AGE_POINTS, VARIABLE
from pipeline.serving.stream import aged as room
from pipeline.serving.stream import worker as rooms
from pipeline.serving.stream.lines import open_dead
from pipeline.serving.stream.scoring import Due, Outcome
from pipeline.serving.stream.transport import Result, Written, parse_place

AGES = (pd.Timedelta(24, "h"),)
AGED = "2026-11-21T08:00:00Z"
KILLED = -signal.SIGKILL


def ticket(name: str) -> dict[str, Any]:
    return {"ticket_id": name, "subject": "It broke", "body": "again", "created_at": "2026-11-20T08:00:00Z"}


@pytest.fixture
def store(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/history.db"
    open_store(url, Params().history).close()
    return url


@pytest.fixture
def known(bench: Bench, store: str) -> Bench:
    """A bench whose ledger knows three tickets, none of which was scored again yet."""
    bench.broker.put(ticket("a"), ticket("b"), ticket("c"))
    bench.worker(history=store, ledger=True).run()
    return bench


def aged(bench: Bench) -> list[str]:
    return sorted(r["ticket_id"] for r in bench.broker.records() if r["as_of"] == AGED)


def ids(due: Sequence[Due]) -> list[str]:
    return [one.ticket_id for one in due]


def steps(bench: Bench, *names: str) -> list[Step | None]:
    with open_ledger(f"{bench.folder}/ledger.db") as ledger:
        keys = [digest([name, "age 86400"]) for name in names]
        there = Steps(ledger).known(keys)
    return [there.get(key) for key in keys]


def turned(bench: Bench, store: str, *, change: Callable[[Any], None] = lambda worker: None, **pace: Any) -> Any:
    """A worker that has something to take, and then looks who is of age."""
    bench.broker.put(ticket(f"new {bench.broker.sent}"))
    worker = bench.worker(history=store, ledger=True, ages=AGES, **pace)
    change(worker)
    worker.run()
    return worker


def dying(worker: Any, when: Callable[[Sequence[Due]], bool]) -> None:
    """Let it end as if killed, in the middle of scoring: nothing after it is done."""
    again = worker.scoring.again

    def die(loaded: Any, due: Sequence[Due]) -> list[Outcome]:
        if due and when(due):
            raise KeyboardInterrupt
        return list(again(loaded, due))

    worker.scoring.again = die


def test_one_that_ends_its_worker_each_time_is_given_up_and_the_others_are_scored_meanwhile(
    known: Bench, store: str
) -> None:
    deaths = 0
    for _ in range(5):
        try:
            turned(
                known,
                store,
                tries=2,
                change=lambda worker: dying(worker, lambda due: any(o.ticket_id == "b" for o in due)),
            )
        except KeyboardInterrupt:
            deaths += 1
    assert deaths == 2 and steps(known, "a", "b", "c") == [None, Step(2, given_up=True), None]
    assert {"a", "c"} <= set(aged(known)) and "b" not in aged(known)
    (letter,) = known.broker.buried
    assert (letter.code, letter.tries, letter.key) == ("worker_died", 3, "b")
    assert letter.position.endswith("/b age 86400") and b"broke" not in letter.value


def test_what_was_begun_together_is_begun_alone_after_a_death(known: Bench, store: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        turned(known, store, change=lambda worker: dying(worker, lambda due: True))
    assert steps(known, "a", "b", "c") == [Step(1)] * 3
    seen: list[list[str]] = []

    def watch(worker: Any) -> None:
        dying(worker, lambda due: seen.append(ids(due)) is not None)

    turned(known, store, change=watch)
    assert sorted(len(some) for some in seen)[:3] == [1, 1, 1] and set(aged(known)) >= {"a", "b", "c"}
    assert steps(known, "a", "b", "c") == [None] * 3


@pytest.mark.parametrize("away", ["outlet", "dead"])
def test_a_broker_that_is_away_is_no_try(known: Bench, store: str, away: str, monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr(rooms, "BACK_OFF", (0.001, 0.01))
    monkeypatch.setattr(room, "LOOK_SECONDS", 0.0)
    failures = iter([True] * 6)

    def change(worker: Any) -> None:
        write = worker.outlet.write

        def failing(results: Sequence[Result]) -> Written:
            if any(json.loads(one.value)["as_of"] == AGED for one in results) and next(failures, False):
                known.broker.put(ticket(f"more {known.broker.sent}"))  # or it would end
                raise BrokerError("the broker can't be reached", where="memory", do="wait")
            return write(results)

        worker.outlet.write = failing

    worker = turned(known, store, change=change, tries=2)
    assert worker.tally.away == 6 and not known.broker.buried
    assert set(aged(known)) >= {"a", "b", "c"} and steps(known, "a", "b", "c") == [None] * 3


class Real:
    """`triage stream` on a file, with a history and a ledger."""

    def __init__(self, scorer: Path, folder: Path, store: str) -> None:
        self.source, self.out, self.log = folder / "in.jsonl", folder / "out.jsonl", folder / "log"
        self.words = ["stream", "--from", self.source, "--to", self.out, "--scorer", scorer, "--history", store]
        self.words += ["--ledger", f"sqlite:///{folder}/ledger.db", "--ages", "24h", "--log", "json"]
        self.folder = folder

    def run(self, until: Callable[[], bool], *options: object, **environment: str) -> None:
        """Until something holds after it has begun; then SIGTERM."""
        words = [*map(str, self.words), *map(str, options)]
        self.log.write_bytes(b"")
        process = nursery().start(words, cwd=self.folder, log=self.log, environment=environment)
        try:
            end = time.monotonic() + 60
            while not ('"taking"' in self.log.read_text("utf-8") and until()):
                assert time.monotonic() < end, self.log.read_text("utf-8")
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()

    def aged(self) -> list[str]:
        records = map(json.loads, self.out.read_text("utf-8").splitlines() if self.out.exists() else ())
        return sorted(r["ticket_id"] for r in records if r["as_of"] == AGED)

    def deaths(self) -> list[str]:
        lines = self.log.read_text("utf-8").splitlines() if self.log.exists() else []
        told = [json.loads(line) for line in lines if line.startswith("{")]
        return [one["signal"] for one in told if one["event"] == "worker_died"]


@pytest.fixture
def real(scorer: Path, tmp_path: Path, store: str) -> Real:
    return Real(scorer, tmp_path, store)


@pytest.mark.parametrize(("kind", "signals"), [("kill", "SIGKILL"), ("hang", "SIGALRM")])
def test_a_ticket_that_kills_or_hangs_its_worker_as_it_ages_is_a_dead_letter_and_the_rest_goes_on(
    real: Real, kind: str, signals: str
) -> None:
    names = ["a", f"later-poison-{kind}-1", "b"]
    real.source.write_text("".join(json.dumps(ticket(name)) + "\n" for name in names), "utf-8")
    dead = open_dead(parse_place(str(real.source), "--from"))
    real.run(
        lambda: bool(list(dead.letters())) and real.aged() == ["a", "b"],
        "--tries", "2", "--patience", "2", TRIAGE_POISON="1",
    )  # fmt: skip
    (letter,) = dead.letters()
    assert (letter.code, letter.tries, letter.key) == ("worker_died", 3, names[1])
    assert letter.position == f"0/{names[1]} age 86400"
    assert real.deaths() == [signals] * 2
    records = [json.loads(line) for line in real.out.read_text("utf-8").splitlines()]
    assert len(records) == 5 and all(r["error"] is None for r in records)
    with real.source.open("a") as more:
        more.write(json.dumps(ticket("c")) + "\n")
    real.run(lambda: real.aged() == ["a", "b", "c"], "--tries", "2", TRIAGE_POISON="1")
    assert not real.deaths() and len(list(dead.letters())) == 1  # nobody begins it again


@pytest.mark.parametrize("moment", AGE_POINTS)
def test_killed_at_each_moment_of_ageing_each_age_is_told_once(real: Real, moment: str) -> None:
    real.source.write_text("".join(json.dumps(ticket(name)) + "\n" for name in "abc"), "utf-8")
    real.run(lambda: len(real.deaths()) >= 1, **{VARIABLE: moment})
    real.run(lambda: real.aged() == ["a", "b", "c"])
    lines = real.out.read_text("utf-8").splitlines()
    assert len(lines) == len({json.loads(line)["key"] for line in lines}) == 6
    assert os.path.exists(real.folder / "ledger.db")
    assert not list(open_dead(parse_place(str(real.source), "--from")).letters())
