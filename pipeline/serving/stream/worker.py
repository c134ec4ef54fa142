"""The worker: it takes messages, scores them, writes what came of them, and only then says that they are done.

A message that fails by itself is tried alone, and after `tries` becomes a dead letter and a row for a person. One that
kills or hangs the process is known by how often it was begun: the broker counts that, or it was written down before.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pandas as pd

from pipeline.errors import BrokerError, OutputError, StoreError, TriageError, ValueRefusedError
from pipeline.serving import faults
from pipeline.serving.stream.aged import Aged
from pipeline.serving.stream.ageing import Ageing
from pipeline.serving.stream.patience import hurried
from pipeline.serving.stream.renewing import Renewing
from pipeline.serving.stream.scoring import DIED, UNSCORABLE, Outcome, Scoring
from pipeline.serving.stream.tally import Breaker, Tally
from pipeline.serving.stream.transport import (
    DeadLetters,
    FencedError,
    Inlet,
    Letter,
    Message,
    Outlet,
    TakenError,
)
from pipeline.serving.telling import Tell, place_of

BACK_OFF = (0.1, 30.0)
"""Seconds that are waited after a first fault of a broker or a database, and at most; doubled each time."""

Made = TypeVar("Made")


@dataclass(frozen=True)
class Pace:
    """How a worker goes about it.

    Attributes
    ----------
    batch : int
        Most messages that are scored together.
    window : float
        Seconds that are waited for them.
    patience : float
        Seconds that a batch may take before the process is taken to hang, and ends.
    tries : int
        How often a message is begun before it is given up.
    most_bad : float
        Share of dead letters among the last messages at which the worker stops.
    claim_seconds : float
        So long another worker waits for a sign of life.
    until_empty : bool
        End once nothing waits.
    """

    batch: int = 256
    window: float = 0.2
    patience: float = 60.0
    tries: int = 3
    most_bad: float = 0.5
    claim_seconds: float = 90.0
    until_empty: bool = False


@dataclass
class Worker:
    """One process's work on a stream; `run` returns when it is asked to stop, or when nothing will come.

    Attributes
    ----------
    open_inlet : callable
        Opens the inlet, and opens it anew after a partition was lost: what was taken and isn't done comes again then.
    outlet, dead
        Where results and dead letters go.
    scoring : Scoring
    renewing : Renewing
    ageing : Ageing or None
    pace : Pace
    tally : Tally
    tell : callable
    parent : int or None
        Process id of the one who watches: when it is gone, this one ends too. None: nobody watches.
    """

    open_inlet: Callable[[], Inlet]
    outlet: Outlet
    dead: DeadLetters
    scoring: Scoring
    renewing: Renewing
    ageing: Ageing | None
    pace: Pace
    tally: Tally
    tell: Tell
    parent: int | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    _tokens: Mapping[int, int] = field(default_factory=dict)
    _tended: float = float("-inf")
    _took: float = 0.0
    _counted: float = float("-inf")
    _wait: float = 0.0
    _shut_out: TakenError | None = None
    _breaker: Breaker = field(init=False)
    _aged: Aged | None = field(init=False)
    inlet: Inlet = field(init=False)

    def __post_init__(self) -> None:
        self._breaker, self.inlet, self._aged = Breaker(self.pace.most_bad), self.open_inlet(), None
        if self.ageing is not None:
            pace, parts = self.pace, (self.ageing, self.scoring, self.outlet, self.dead, self.tally)
            self._aged = Aged(*parts, pace.batch, pace.tries, pace.patience, self._fault)

    def run(self) -> None:
        """Work until asked to stop.

        Raises
        ------
        RefusedError
            Too many messages can't be scored.
        TriageError
            The scorer can't be used, or the place of results is no place.
        """
        try:
            if self._load():
                self.tell("ready", scorer=self.tally.version)
            while not self._ending():
                if not self._turn():
                    break
        finally:
            self.tally.ready = False
            self._close()
            self.tell("stopped", **self.tally.told)

    def _ending(self) -> bool:
        return self.stop.is_set() or self.parent not in (None, os.getppid())

    def _load(self) -> bool:
        while not self._ending():
            try:
                self.renewing.first()
                return True
            except StoreError as error:  # the history is away: it will come back
                self._back_off(error)
        return False

    def _turn(self) -> bool:
        """One batch, or a wait for one; False when there will be no other."""
        try:
            self._tend()
            messages = self._take()
            self._well()
            if messages:
                self._handle(messages)
            elif not (self._aged is not None and self._aged.waiting) and (
                self.inlet.ended or (self.pace.until_empty and self._tokens and self.inlet.lag() == 0)
            ):
                return False
            else:
                self._tended = float("-inf")  # nothing to do: look at once whether there are other partitions
            if self._aged is not None:
                owned, count = set(self._tokens), self.inlet.partitions
                self._aged.turn(self.renewing.loaded, owned=owned, partitions=count)
            self._count()
        except TakenError as error:
            self._let_go()  # to the one who can write
            self._shut_out = error
            self._back_off(error)
        except (BrokerError, StoreError) as error:
            self._back_off(error)
        except FencedError:
            self._lost()
        self.renewing.look()
        return True

    def _take(self) -> list[Message]:
        """The next batch: what has come while the last one was scored has waited already."""
        if not self._tokens:
            self.stop.wait(self.pace.window)
            return []
        left = self.pace.window - (time.monotonic() - self._took)
        messages = self.inlet.take(self.pace.batch, max(left, 0.001))
        self._took = time.monotonic()
        return messages

    def _tend(self) -> None:
        now = time.monotonic()
        if now - self._tended < self.pace.claim_seconds / 10:
            return
        tokens = dict(self.inlet.tend())
        if self._shut_out is not None and not tokens:
            raise self._shut_out  # to wait for partitions would take them from the one who can write
        if tokens != self._tokens:
            self._tokens = {}  # nothing is taken before the sink knows who may write
            self.outlet.own(tokens)
            self._shut_out = None
            faults.point("owned")
            self.tell("owns", partitions=len(tokens))
        self._tokens, self._tended, self.tally.owned = tokens, now, len(tokens)

    def _handle(self, messages: Sequence[Message]) -> None:
        faults.point("taken")
        self._until(lambda: self.inlet.begin(messages))
        faults.point("begun")
        begun = time.perf_counter()
        outcomes = self._until(lambda: self._answered(messages))
        self.tally.batches += 1
        self.tally.batch_seconds += time.perf_counter() - begun
        faults.point("scored")
        results = [one.result for one in outcomes if one.result is not None]
        written = self._until(lambda: self.outlet.write(results))
        faults.point("written")
        letters = [_letter(m, one.code, self._now()) for m, one in zip(messages, outcomes, strict=True) if one.code]
        if letters:
            self._until(lambda: self.dead.add(letters))
            faults.point("buried")
        self._until(lambda: self.inlet.done(messages))
        faults.point("done")
        self.tally.messages += len(messages)
        self.tally.new += written.new
        self.tally.repeats += written.repeats
        self.tally.dead.update(letter.code for letter in letters)
        if self._aged is not None:
            self._aged.heard_of({result.ticket_id for result in results})
        self._breaker.saw(one.code is not None for one in outcomes)

    def _until(self, step: Callable[[], Made]) -> Made:
        """Take a step, however long a broker or a database is away: to take the messages anew would count as a try.

        Raises
        ------
        FencedError
            Another worker has taken over meanwhile.
        """
        while True:
            try:
                return step()
            except (BrokerError, StoreError) as error:
                if self._ending():
                    raise
                self._back_off(error)
                with suppress(BrokerError):
                    if dict(self.inlet.tend()) != self._tokens:
                        raise FencedError from None

    def _answered(self, messages: Sequence[Message]) -> list[Outcome]:
        """Outcomes of all; what was begun too often isn't begun again.

        All are scored together; where that fails, each by itself, so that none fails for another.
        """
        if any(message.tries > self.pace.tries for message in messages):
            return self._scored(messages, code=DIED)
        for _ in range(1 if len(messages) > 1 else self.pace.tries):
            try:
                return self._scored(messages)
            except Exception as error:
                if isinstance(error, StoreError) and not isinstance(error, ValueRefusedError):
                    raise  # away for all of them
                self._fault(error)
            self._still_own(messages)
        if len(messages) > 1:
            return [outcome for message in messages for outcome in self._answered([message])]
        return self._scored(messages, code=UNSCORABLE)

    def _still_own(self, messages: Sequence[Message]) -> None:
        """Between two attempts show a sign of life: all of them together may take longer than the claim lasts.

        Raises
        ------
        FencedError
            Another worker has taken over meanwhile.
        """
        if time.monotonic() - self._tended < self.pace.claim_seconds / 10:
            return
        with suppress(BrokerError):
            found = dict(self.inlet.tend())
            self._tended = time.monotonic() if found == self._tokens else float("-inf")  # what is new is owned later
            if any(found.get(m.partition) != self._tokens.get(m.partition) for m in messages):
                raise FencedError

    def _scored(self, messages: Sequence[Message], code: str | None = None) -> list[Outcome]:
        loaded = self.renewing.loaded
        if code is not None:
            loaded = replace(loaded, past=None)  # no history changes such a row, and asking one may be what failed
        with hurried(self.pace.patience):
            return self.scoring.answer(loaded, messages, code=code)

    def _count(self) -> None:
        """For the metrics: not each time, as it asks the broker."""
        if time.monotonic() - self._counted < 1.0:
            return
        self._counted, self.tally.lag = time.monotonic(), self.inlet.lag()
        if self.scoring.journal is not None:
            with suppress(StoreError, OutputError):  # what the ledger couldn't take goes on waiting in its spool
                if self.scoring.journal.replay().new and self.ageing is not None:
                    self.ageing.ask_again()

    def _well(self) -> None:
        if not self.tally.ready:
            self.tell("taking")
        self.tally.ready, self._wait = True, 0.0

    def _back_off(self, error: TriageError) -> None:
        if not self._wait:
            self.tell("away", error=error.what, where=error.where, got=error.got)
        self.tally.ready = False
        self.tally.away += 1
        self._wait = min(2 * self._wait or BACK_OFF[0], BACK_OFF[1])
        self.stop.wait(self._wait)
        self._tended = float("-inf")

    def _lost(self) -> None:
        """Another worker owns a partition now: what was taken and isn't done comes again, to whom it belongs."""
        self.tally.lost += 1
        self.tell("lost_a_partition")
        self._let_go()

    def _let_go(self) -> None:
        with suppress(BrokerError):
            self.inlet.close()
        self.inlet, self._tokens, self._tended = self.open_inlet(), {}, float("-inf")
        self.tally.owned = 0

    def _fault(self, error: Exception) -> None:
        kind, place = type(error).__name__, place_of(error.__traceback__)
        self.tally.faults[kind] += 1
        self.tell("fault", kind=kind, place=place)
        error.__traceback__ = None
        gc.collect()  # what a message had filled the memory with

    def _now(self) -> pd.Timestamp:
        return self.scoring.clock()

    def _close(self) -> None:
        closers: list[Callable[[], None]] = [self.inlet.close, self.outlet.close, self.dead.close, self.renewing.close]
        for close in closers:
            with suppress(BrokerError, OutputError, StoreError):
                close()
        if self.scoring.journal is not None:
            with suppress(StoreError, OutputError):
                self.scoring.journal.replay(at_once=True)
            self.scoring.journal.ledger.close()


def _letter(message: Message, code: str, now: pd.Timestamp) -> Letter:
    at = now.isoformat(timespec="seconds")
    return Letter(code, message.tries, message.position, at, message.key, message.value)
