"""What comes of open tickets that are of age: begun only after it is written down, and each fails alone.

No message is behind them that a broker would deliver again and count. So the ledger counts: a step that was begun is
a suspect for whoever finds it, is begun alone, and after `tries` never again. Then it is a dead letter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from pipeline.errors import StoreError, ValueRefusedError
from pipeline.ledger import Ledger, Step, Steps
from pipeline.ledger.decisions import digest
from pipeline.serving import faults
from pipeline.serving.answers import Loaded
from pipeline.serving.stream.ageing import Ageing
from pipeline.serving.stream.messages import ask_again
from pipeline.serving.stream.patience import hurried
from pipeline.serving.stream.scoring import DIED, UNSCORABLE, Due, Outcome, Scoring
from pipeline.serving.stream.tally import Tally
from pipeline.serving.stream.transport import DeadLetters, Letter, Outlet

LOOK_SECONDS = 60.0
"""How often somebody looks who has waited long enough."""


@dataclass
class Aged:
    """Scores open tickets of the owned partitions as they come of age, some at a time.

    Attributes
    ----------
    ageing : Ageing
        Who is due.
    scoring, outlet, dead, tally
        The worker's.
    most : int
        Of one turn.
    tries : int
        How often a step is begun before it is given up.
    patience : float
        Seconds that a turn may take before the process is taken to hang, and ends.
    fault : callable
        Told of what was raised.
    """

    ageing: Ageing
    scoring: Scoring
    outlet: Outlet
    dead: DeadLetters
    tally: Tally
    most: int
    tries: int
    patience: float
    fault: Callable[[Exception], None]
    _together: list[Due] = field(default_factory=list)
    _alone: list[Due] = field(default_factory=list)
    _begun: set[str] = field(default_factory=set)  # by this process: it has survived them
    _looked: float = float("-inf")

    @property
    def waiting(self) -> bool:
        """Whether some are known to be due."""
        return bool(self._together or self._alone)

    def heard_of(self, ticket_ids: Collection[str | None]) -> None:
        """Something happened to these: they were scored."""
        self.ageing.forget(ticket_ids)
        self._together = [one for one in self._together if one.ticket_id not in ticket_ids]
        self._alone = [one for one in self._alone if one.ticket_id not in ticket_ids]

    def turn(self, loaded: Loaded, *, owned: Collection[int], partitions: int) -> None:
        """Score some that are due; look who is, from time to time.

        Raises
        ------
        BrokerError, StoreError
            They come again when somebody looks again; that doesn't count as a try.
        FencedError
        """
        past, journal = loaded.past, self.scoring.journal
        if past is None or journal is None:
            return
        now = self.scoring.clock()
        if not self.waiting:
            if time.monotonic() - self._looked < LOOK_SECONDS:
                return
            self._looked = time.monotonic()
            due = self.ageing.due(past, journal.ledger, owned=owned, partitions=partitions, now=now)
            self._sort(due, journal.ledger)
        some = [one for one in self._next() if one.partition in owned]  # others may have been lost since
        if some:
            self._score(loaded, Steps(journal.ledger), some, now)

    def _sort(self, due: Sequence[Due], ledger: Ledger) -> None:
        """Whatever was begun by another process may have ended it."""
        known = Steps(ledger).known([_key(one) for one in due]) if due else {}
        for one in due:
            step = known.get(_key(one), Step())
            if step.given_up:
                self.ageing.done([one])
            elif step.tries and _key(one) not in self._begun:
                self._alone.append(replace(one, tries=step.tries + 1))
            else:
                self._together.append(one)

    def _next(self) -> list[Due]:
        if self._together:
            some, self._together = self._together[: self.most], self._together[self.most :]
        else:
            some, self._alone = self._alone[:1], self._alone[1:]
        return some

    def _score(self, loaded: Loaded, steps: Steps, some: Sequence[Due], now: pd.Timestamp) -> None:
        outcomes = self._outcomes(loaded, steps, some, now)
        if outcomes is None:
            self._alone += some
            return
        written = self.outlet.write([one.result for one in outcomes if one.result is not None])
        faults.point("ages_written")
        self.scoring.keep(outcomes)  # not before: nobody sends a message again for a result that was never written
        bad = [(due, one.code) for due, one in zip(some, outcomes, strict=True) if one.result is None and one.code]
        letters = [_letter(due, code, now) for due, code in bad]
        if letters:
            self.dead.add(letters)
        faults.point("ages_kept")
        self.ageing.done(some)
        self.tally.aged += sum(one.result is not None for one in outcomes)
        self.tally.new += written.new
        self.tally.repeats += written.repeats
        self.tally.dead.update(letter.code for letter in letters)
        given_up = {_key(due) for due, _ in bad}
        if given_up:
            steps.give_up(sorted(given_up))
        steps.done([key for one in some if (key := _key(one)) not in given_up])
        self._begun -= {_key(one) for one in some}

    def _outcomes(
        self, loaded: Loaded, steps: Steps, some: Sequence[Due], now: pd.Timestamp
    ) -> Sequence[Outcome] | None:
        """One for each; None where several together have failed."""
        if any(one.tries > self.tries for one in some):
            return [Outcome(code=DIED)] * len(some)
        keys = [_key(one) for one in some]
        steps.begin([key for key in keys if key not in self._begun], now.to_pydatetime())
        self._begun.update(keys)
        faults.point("ages_begun")
        for _ in range(1 if len(some) > 1 else self.tries):
            try:
                with hurried(self.patience):
                    return self.scoring.again(loaded, some)
            except Exception as error:
                if isinstance(error, StoreError) and not isinstance(error, ValueRefusedError):
                    raise
                self.fault(error)
        return None if len(some) > 1 else [Outcome(code=UNSCORABLE)]


def _key(due: Due) -> str:
    return digest([due.ticket_id, due.step])


def _letter(due: Due, code: str, now: pd.Timestamp) -> Letter:
    """Sent again, it asks for the same ticket as of the same moment; its words stay where they are."""
    position = f"{due.partition}/{due.ticket_id} {due.step}"
    value = ask_again(due.ticket_id, due.as_of.isoformat())
    return Letter(code, due.tries, position, now.isoformat(timespec="seconds"), due.ticket_id, value)
