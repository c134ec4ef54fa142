"""What a worker counts while it runs: for its metrics, its log, and the breaker."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline.errors import RefusedError

LOOKED_AT = 200
"""So many of the last messages the breaker looks at."""

AT_LEAST = 50
"""It says nothing before it has seen so many: a few bad ones at the start are no bad release."""


@dataclass
class Tally:
    """Numbers since the worker began.

    Attributes
    ----------
    messages : int
        That were done.
    new, repeats : int
        Results that the sink took, and those that it had already.
    aged : int
        Tickets that were scored again because they had waited.
    dead : Counter
        Dead letters by their codes.
    batches : int
    batch_seconds : float
        Spent on scoring them.
    faults : Counter
        Faults in Triage itself, by kind.
    away : int
        Times that a broker or a database could not be reached.
    lost : int
        Times that another worker had taken a partition over.
    reloads : Counter
        New scorers, by what came of them.
    lag : int or None
        Messages that aren't done.
    owned : int
        Partitions.
    ready : bool
        Whether messages are taken.
    version : str
        Of the scorer.
    """

    messages: int = 0
    new: int = 0
    repeats: int = 0
    aged: int = 0
    dead: Counter[str] = field(default_factory=Counter)
    batches: int = 0
    batch_seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    away: int = 0
    lost: int = 0
    reloads: Counter[str] = field(default_factory=Counter)
    lag: int | None = None
    owned: int = 0
    ready: bool = False
    version: str = ""

    @property
    def told(self) -> dict[str, int]:
        """For the log's last line."""
        return {"messages": self.messages, "results": self.new, "repeats": self.repeats, "dead": self.dead.total()}


@dataclass
class Breaker:
    """Stops a worker that buries nearly everything: then it is the scorer or the mapping that is bad, not the messages.

    Attributes
    ----------
    most_bad : float
        Share of the last `LOOKED_AT` messages.
    """

    most_bad: float
    last: deque[bool] = field(default_factory=lambda: deque(maxlen=LOOKED_AT))

    def saw(self, bad: Iterable[bool]) -> None:
        """Some messages are done.

        Raises
        ------
        RefusedError
            Too many of the last ones are bad. They are dead letters, and can be tried again.
        """
        self.last.extend(bad)
        share = sum(self.last) / max(len(self.last), 1)
        if len(self.last) >= AT_LEAST and share > self.most_bad:
            do = "see `triage stream dead list`; mend the scorer or the mapping, start again, then `dead retry --all`"
            got = f"{sum(self.last)} of the last {len(self.last)}, more than {self.most_bad:g}"
            raise RefusedError("too many messages can't be scored: the worker has stopped", got=got, do=do)
