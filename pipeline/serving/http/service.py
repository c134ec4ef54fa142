"""The service's state: the scorer that is in service, the requests in flight, and what was said of the last reload."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pandas as pd

from pipeline.errors import StoreError, TriageError, ValueRefusedError
from pipeline.history.store import Store
from pipeline.serving.answers import Ask, Said
from pipeline.serving.happenings import Happenings, put_in
from pipeline.serving.http.batcher import Batcher
from pipeline.serving.http.keeping import Keeper
from pipeline.serving.http.limits import Limits, Room
from pipeline.serving.http.metrics import Metrics
from pipeline.serving.http.problems import ProblemError, fault
from pipeline.serving.loading import Held, settle_down
from pipeline.serving.past import StorePast
from pipeline.serving.telling import Tell, place_of
from pipeline.sources.mapping import Mapping


@dataclass
class Service:
    """What the endpoints share.

    Attributes
    ----------
    limits : Limits
    room : Room
    mapping : Mapping or None
    tell : callable
    clock : callable
        The present, as a Timestamp in UTC.
    metrics : Metrics
    keeper : Keeper or None
        None: no ledger is kept.
    held : Held or None
        The scorer in service; None until the first one is loaded and warm.
    refused : dict or None
        Why the newest scorer isn't in service.
    draining : bool
        Whether the service is about to end.
    """

    limits: Limits
    room: Room
    mapping: Mapping | None
    tell: Tell
    clock: Callable[[], pd.Timestamp]
    metrics: Metrics = field(default_factory=Metrics)
    keeper: Keeper | None = None
    held: Held | None = None
    refused: dict[str, str] | None = None
    draining: bool = False
    worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "scorer"))
    putter: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "history"))
    reader: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "reader"))
    batcher: Batcher = field(init=False)

    def __post_init__(self) -> None:
        self.batcher = Batcher(self._work, None if self.keeper is None else self._keep, self.worker)
        self.metrics.watch("triage_tickets_in_flight", "Tickets that wait or are scored.", lambda: self.room.all_items)
        if (keeper := self.keeper) is not None:
            text = "Decisions and feedback that the ledger's database refuses."
            self.metrics.watch("triage_ledger_refused", text, lambda: keeper.journal.refused)
        self.metrics.watch("triage_bytes_in_flight", "Bytes of their bodies.", lambda: self.room.all_bytes)

    @property
    def ready(self) -> bool:
        """Whether tickets are taken by whoever can choose."""
        return self.held is not None and not self.draining

    def swap(self, held: Held) -> None:
        """Put another scorer into service: the next batch is its first; the old history is closed after its last."""
        old, self.held, self.refused = self.held, held, None
        self.metrics.serving(held.loaded.version)
        self.metrics.ready.set(1)
        if old is not None:
            self.worker.submit(old.close)
        self.worker.submit(settle_down)

    def in_service(self) -> Held:
        """The scorer in service.

        Raises
        ------
        ProblemError
            503 until there is one.
        """
        if self.held is None:
            raise ProblemError(503, "the scorer is still being loaded", do="ask /health/ready", retry_after=2)
        return self.held

    def store(self) -> Store:
        """The history store.

        Raises
        ------
        ProblemError
            404 where there is none.
        """
        past = self.in_service().loaded.past
        if not isinstance(past, StorePast):
            do = "serve with --history URL of a store"
            raise ProblemError(404, "no history store is kept", where="history", do=do)
        return past.store

    async def put_in(self, happened: Happenings) -> dict[str, Any]:
        """Put what happened into the history store; what came of it.

        Raises
        ------
        ProblemError
            503 where the store can't take it: nothing was put in.
        """
        put = partial(put_in, self.store(), happened, self.mapping, now=self.clock())
        try:
            taken = await asyncio.get_running_loop().run_in_executor(self.putter, put)
        except StoreError as error:
            raise self._problem(error) from None
        numbers = {name: getattr(taken.put, name) for name in _COUNTS}
        return numbers | {"ticket_errors": taken.ticket_codes, "event_errors": taken.event_codes}

    async def answer(self, ask: Ask, receive: Any) -> tuple[Said, bool | None]:
        """Score, unless the client goes away.

        Raises
        ------
        ProblemError
        GoneError
            Its place in the queue is free again.
        """
        answer = self.batcher.put(ask)
        gone = asyncio.ensure_future(_gone(receive))
        gone.add_done_callback(lambda _: answer.cancel())
        try:
            return await answer
        except asyncio.CancelledError:
            if gone.done() and not gone.cancelled():
                raise GoneError from None
            raise  # it took too long
        finally:
            gone.cancel()

    def _work(self, asks: Sequence[Ask]) -> Sequence[Said | Exception]:
        """In the worker thread: all together; where that fails, each by itself, so that no one fails for another."""
        held = self.held
        assert held is not None  # nobody gets into the queue before
        begun = time.perf_counter()
        try:
            said: Sequence[Said | Exception] = held.loaded.answer(asks, now=self.clock())
        except Exception as error:
            away = isinstance(error, StoreError) and not isinstance(error, ValueRefusedError)
            if len(asks) > 1 and not away:  # a store that is away is away for all
                return [self._work([ask])[0] for ask in asks]
            return [self._problem(error)] * len(asks)
        self.metrics.scoring.observe(time.perf_counter() - begun)
        self.metrics.batches.observe(sum(ask.items for ask in asks))
        self.metrics.said([one for one in said if isinstance(one, Said)])
        return said

    def _problem(self, error: Exception) -> ProblemError:
        kind, place = type(error).__name__, place_of(error.__traceback__)
        self.metrics.faults.labels(kind).inc()
        self.tell("fault", kind=kind, place=place)
        if isinstance(error, ValueRefusedError):
            return ProblemError.of(error, 422)
        if isinstance(error, StoreError):
            return ProblemError.of(error)
        return ProblemError.of(error, 500) if isinstance(error, TriageError) else fault(place)

    async def _keep(self, said: Sequence[Said | Exception]) -> Sequence[bool | None]:
        good = [one for one in said if isinstance(one, Said)]
        try:
            safe = await self.keeper.keep(good) if self.keeper is not None and good else None
        except Exception as error:
            self._problem(error)
            safe = False
        return [safe] * len(said)


_COUNTS = ("tickets_new", "tickets_changed", "events_new", "events_repeated")


class GoneError(Exception):
    """Nobody waits for the answer any more."""


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
