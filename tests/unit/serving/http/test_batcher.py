"""Requests that come together are one batch, within bounds; one alone waits for nobody; nobody fails for another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from served import ticket

from pipeline.scorer import Scorer
from pipeline.serving.answers import Ask, Loaded, Said, Scored
from pipeline.serving.http import batcher as bounds
from pipeline.serving.http.batcher import Batcher
from pipeline.serving.http.limits import Limits, Room
from pipeline.serving.http.problems import ProblemError
from pipeline.serving.http.service import Service
from pipeline.serving.loading import Held
from pipeline.tickets.json_records import record_of

NOW = pd.Timestamp("2026-11-23", tz="UTC")


def ask(*numbers: int, size: int = 100) -> Ask:
    return Ask(tuple(record_of(ticket(number), size) for number in numbers))


def ids(asks: Sequence[Ask]) -> list[list[str | None]]:
    return [[dict(r.values or {}).get("ticket_id") for r in one.records] for one in asks]  # type: ignore[arg-type]


class Work:
    """Takes its time, and remembers what it was given together."""

    def __init__(self, seconds: float = 0.02) -> None:
        self.seconds, self.batches = seconds, list[list[list[str | None]]]()

    def __call__(self, asks: Sequence[Ask]) -> list[Said | Exception]:
        self.batches.append(ids(asks))
        time.sleep(self.seconds)
        nothing = Scored(None, pd.DataFrame(), [{}] * len(asks))  # type: ignore[arg-type]
        return [Said(nothing, place, place + 1) for place in range(len(asks))]


def batched(work: Work, drive: Callable[[Batcher], Awaitable[Any]], keep: Any = None) -> None:
    """Let a batcher run while something asks it."""

    async def main() -> None:
        with ThreadPoolExecutor(1) as worker:
            batcher = Batcher(work, keep, worker)
            running = asyncio.create_task(batcher.run())
            await asyncio.wait_for(drive(batcher), 30)
            assert not batcher.waiting
            running.cancel()

    asyncio.run(main())


def test_what_comes_while_a_batch_is_scored_is_the_next_batch() -> None:
    async def drive(batcher: Batcher) -> None:
        first = batcher.put(ask(1))
        await asyncio.sleep(0.01)
        await asyncio.gather(first, *(batcher.put(ask(n)) for n in range(2, 9)))

    work = Work(0.05)
    batched(work, drive)
    assert [len(batch) for batch in work.batches] == [1, 7]


def test_one_alone_waits_for_nobody_and_many_wait_for_each_other() -> None:
    async def drive(batcher: Batcher) -> None:
        for n in range(3):
            await batcher.put(ask(n))
        assert [len(batch) for batch in work.batches] == [1, 1, 1]

        async def call(number: int) -> None:
            for turn in range(10):
                await batcher.put(ask(100 * number + turn))

        await asyncio.gather(*(call(number) for number in range(1, 9)))

    work = Work(0.01)
    batched(work, drive)
    assert sum(len(batch) for batch in work.batches[3:]) == 80
    assert len(work.batches[3:]) < 20  # ten rounds of eight, and a few at the edges


def test_a_batch_ends_before_its_bounds_and_a_large_request_is_one_by_itself() -> None:
    async def drive(batcher: Batcher) -> None:
        first = batcher.put(ask(1))
        await asyncio.sleep(0.01)
        large = ask(*range(1_000, 1_000 + bounds.MOST_ITEMS + 50))
        long = ask(7, size=bounds.MOST_CHARACTERS)
        rest = [ask(2), ask(3), large, ask(4), long, ask(5)]
        await asyncio.gather(first, *(batcher.put(one) for one in rest))

    work = Work(0.05)
    batched(work, drive)
    assert [[len(one) for one in batch] for batch in work.batches] == [[1], [1, 1], [306], [1], [1], [1]]


def test_a_request_that_was_given_up_is_never_scored() -> None:
    async def drive(batcher: Batcher) -> None:
        first = batcher.put(ask(1))
        await asyncio.sleep(0.01)
        given_up, other = batcher.put(ask(2)), batcher.put(ask(3))
        given_up.cancel()
        await asyncio.gather(first, other)

    work = Work(0.05)
    batched(work, drive)
    assert work.batches == [[["Z-1"]], [["Z-3"]]]


def test_the_next_batch_is_scored_while_answers_are_logged() -> None:
    async def keep(said: Sequence[Said | Exception]) -> list[bool]:
        await asyncio.sleep(0.3)
        return [True] * len(said)

    async def drive(batcher: Batcher) -> None:
        begun = time.perf_counter()
        first = batcher.put(ask(1))
        await asyncio.sleep(0.05)
        second = batcher.put(ask(2))
        assert [logged for _, logged in await asyncio.gather(first, second)] == [True, True]
        assert time.perf_counter() - begun < 0.55

    batched(Work(0.01), drive, keep)


def test_requests_that_name_the_same_ticket_are_all_answered_by_themselves(scorer: Path) -> None:
    loaded = Loaded(Scorer.load(scorer))
    asks = [ask(1, 2), ask(2), ask(2, 2), ask(3)]
    found = loaded.answer(asks, now=NOW)
    for one, said in zip(asks, found, strict=True):
        (alone,) = loaded.answer([one], now=NOW)
        assert [r["error"] for r in said.records] == [r["error"] for r in alone.records]
        assert [r["topic"] for r in said.records] == [r["topic"] for r in alone.records]
    assert [r["error"] for r in found[2].records] == [None, "duplicate_id"]


class Fails:
    """A loaded scorer that stumbles over one ticket."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded, self.version = loaded, loaded.version

    def answer(self, asks: Sequence[Ask], *, now: pd.Timestamp) -> list[Said]:
        if any("Z-13" in one for one in ids(asks)):
            raise RuntimeError("It leaks: the words of a ticket")
        return self.loaded.answer(asks, now=now)


def test_a_fault_over_one_request_is_that_request_s_alone(scorer: Path) -> None:
    told: list[dict[str, Any]] = []
    service = Service(
        Limits(), Room(Limits()), None, lambda event, **values: told.append({"event": event} | values), lambda: NOW
    )
    service.held = Held(Fails(Loaded(Scorer.load(scorer))), ExitStack())  # type: ignore[arg-type]
    good, bad, other = service._work([ask(1), ask(13), ask(2)])
    assert isinstance(good, Said) and isinstance(other, Said)
    assert isinstance(bad, ProblemError) and bad.status == 500
    assert [one["kind"] for one in told] == ["RuntimeError"]
    assert "leaks" not in str(told) + str(bad.__dict__)


@pytest.mark.parametrize("items", [0, 1])
def test_nothing_asked_is_nothing_said(scorer: Path, items: int) -> None:
    (said,) = Loaded(Scorer.load(scorer)).answer([ask(*range(items))], now=NOW)
    assert len(said.records) == items
