"""What of a partition was begun and isn't done: written down before it starts, so that what kills a worker is found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Begun:
    """How far a partition is done, and what was begun after that.

    Positions are whole numbers that grow along a partition: offsets of messages, or of a line's first byte. Some that
    were begun together and are found again by a new owner are suspects: one of them may have killed the old one. They
    are begun once more one by one, so that each answers only for itself.

    Attributes
    ----------
    at : int
        Everything before this position is done.
    until : int
        From `at` to just before this position everything was begun; `at` where nothing was.
    first : int
        How often the message at `at` was begun.
    rest : int
        How often each of those after it was.

    Examples
    --------
    >>> died = Begun(10).begin(10, 13)  # a batch of three, and then the worker is killed
    >>> died, [died.tries(position) for position in (10, 11, 12, 13)]
    (Begun(at=10, until=13, first=1, rest=1), [2, 2, 2, 1])
    >>> again = died.begin(10, 11)  # the next worker begins the first one alone, and is killed too
    >>> again, [again.tries(position) for position in (10, 11, 12, 13)]
    (Begun(at=10, until=13, first=2, rest=1), [3, 2, 2, 1])
    >>> again.done(11)
    Begun(at=11, until=13, first=1, rest=1)
    >>> Begun.decode(again.encode()) == again
    True
    """

    at: int = 0
    until: int = 0
    first: int = 0
    rest: int = 0

    def suspect(self, position: int) -> bool:
        """Whether what stands there was begun before."""
        return self.at <= position < self.until

    def tries(self, position: int) -> int:
        """How often it will have been begun, when it is begun now."""
        if not self.suspect(position):
            return 1
        return 1 + (self.first if position == self.at else self.rest)

    def begin(self, position: int, following: int) -> Begun:
        """Begin what stands from `position` to just before `following`: a suspect alone, or any number of others.

        Raises
        ------
        ValueError
            It is done already, or something before it was begun and isn't done.
        """
        if position < self.at:
            raise ValueError(f"{position} is done: all before {self.at} is")
        if position >= self.until:
            if self.until > self.at:
                raise ValueError(f"{position} is begun before {self.at} is done")
            return Begun(position, following, 1, 1)
        tries = self.tries(position)
        # What was removed from the stream since (a log is cut at its old end) needn't be done any more.
        return Begun(position, max(following, self.until), tries, self.rest)

    def done(self, following: int) -> Begun:
        """The same once everything before `following` is done."""
        if following <= self.at:
            return self
        if following >= self.until:
            return Begun(following, following)
        return Begun(following, self.until, self.rest, self.rest)

    def encode(self) -> str:
        """As a short line of text: four numbers."""
        return f"{self.at} {self.until} {self.first} {self.rest}"

    @classmethod
    def decode(cls, text: str) -> Begun:
        """What `encode` wrote.

        Raises
        ------
        ValueError
            It wrote something else.
        """
        at, until, first, rest = map(int, text.split(" "))
        if not 0 <= at <= until or min(first, rest) < 0:
            raise ValueError("these four numbers don't fit together")
        return cls(at, until, first, rest)
