"""How much the service takes on: bytes and tickets in flight, of everybody and of one key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pipeline.serving.http.problems import ProblemError

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What is refused rather than begun.

    Attributes
    ----------
    items : int
        Most tickets in one request.
    body_bytes : int
        Longest body of one request.
    fields : int
        Most different `fields.NAME` in one request.
    items_in_flight : int
        Most tickets that wait or are scored.
    bytes_in_flight : int
        Most bytes of bodies that are read, wait or are scored.
    key_share : float
        Share of both that one key may hold, so that no caller shuts the others out. Without keys all is shared.
    seconds : float
        A request takes at most so long, its body's arrival included.
    """

    items: int = 1_000
    body_bytes: int = 5 * MIB
    fields: int = 500
    items_in_flight: int = 4_000
    bytes_in_flight: int = 64 * MIB
    key_share: float = 0.5
    seconds: float = 30.0


@dataclass
class Place:
    """What one request holds."""

    room: Room
    key: str
    items: int = 0
    size: int = 0

    def take(self, *, items: int = 0, size: int = 0) -> None:
        """Hold more.

        Raises
        ------
        ProblemError
            503 where there is no room for anybody, 429 where this key has its share.
        """
        self.room.check(self.key, items, size)
        self.items, self.size = self.items + items, self.size + size
        self.room.move(self.key, items, size)


@dataclass
class Room:
    """What all requests hold together.

    Attributes
    ----------
    limits : Limits
    shared : bool
        Whether there are keys, of which each has its share.
    """

    limits: Limits
    shared: bool = False
    items: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    all_items: int = 0
    all_bytes: int = 0

    @contextmanager
    def place(self, key: str) -> Iterator[Place]:
        """A place that is free again at the end of the block, however that ends."""
        held = Place(self, key)
        try:
            yield held
        finally:
            self.move(key, -held.items, -held.size)

    def check(self, key: str, items: int, size: int) -> None:
        """Refuse what there is no room for."""
        most, longest, share = self.limits.items_in_flight, self.limits.bytes_in_flight, self.limits.key_share
        if self.all_items + items > most or self.all_bytes + size > longest:
            do = "send it again after the seconds of Retry-After"
            raise ProblemError(503, "the service is full", where="tickets or bytes in flight", do=do, retry_after=1)
        if self.shared and (self.items[key] + items > share * most or self.sizes[key] + size > share * longest):
            do = "wait for answers before sending more"
            raise ProblemError(429, "this key has its share in flight", where="tickets or bytes", do=do, retry_after=1)

    def move(self, key: str, items: int, size: int) -> None:
        """Add to what a key holds."""
        self.all_items, self.all_bytes = self.all_items + items, self.all_bytes + size
        for held, more in ((self.items, items), (self.sizes, size)):
            held[key] += more
            if not held[key]:
                del held[key]
