"""A stream of one test on a Redis server: its parts, opened as a worker opens them and closed at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from made_redis import RedisServer

from pipeline.serving.stream import transport
from pipeline.serving.stream.transport import (
    DeadLetters,
    Feed,
    Holding,
    Inlet,
    Letter,
    Message,
    Outlet,
    Result,
    parse_place,
)

_NUMBERS = count()


@dataclass
class RedisStream:
    """A stream under a name that no other test has."""

    server: RedisServer
    name: str = field(default_factory=lambda: f"t{next(_NUMBERS)}")
    opened: list[Any] = field(default_factory=list)

    def inlet(
        self, worker: str = "a", *options: str, claim_seconds: float = 60.0, group: str = "g", **place: str
    ) -> Inlet:
        holding = Holding(group, worker, claim_seconds)
        return self._keep(transport.open_inlet(self.place(*options, **place), holding))

    def outlet(self, *options: str) -> Outlet:
        return self._keep(transport.open_outlet(self.place(*options, stream=f"{self.name}.out")))

    def dead(self) -> DeadLetters:
        return self._keep(transport.open_dead(self.place()))

    def feed(self, *options: str) -> Feed:
        return self._keep(transport.open_feed(self.place(*options)))

    def place(self, *options: str, stream: str | None = None, **url: str) -> transport.Place:
        return parse_place(self.server.url(stream or self.name, *options, **url), "--from")

    def put(self, partition: int, *values: bytes) -> list[str]:
        """Entries in one partition, by any client; gives their ids."""
        client = self.server.client()
        ids = [client.xadd(f"{self.name}:{partition}", {"value": v}).decode() for v in values]
        client.close()
        return ids

    def results(self) -> list[dict[bytes, bytes]]:
        """What is in the outlet's stream."""
        client = self.server.client()
        found = [fields for _, fields in client.xrange(f"{self.name}.out")]
        client.close()
        return found

    def _keep(self, part: Any) -> Any:
        self.opened.append(part)
        return part


@contextmanager
def redis_stream(server: RedisServer) -> Iterator[RedisStream]:
    """An empty stream; its parts are closed at the end, whether the server is there or not."""
    stream = RedisStream(server)
    try:
        yield stream
    finally:
        for part in stream.opened:
            part.close()


def taken(inlet: Inlet, most: int = 100) -> list[bytes]:
    """Values of one batch."""
    return [m.value for m in inlet.take(most, 0)]


def drained(inlet: Inlet, most: int = 100) -> list[Message]:
    """All that is there, each batch done before the next."""
    found: list[Message] = []
    while batch := inlet.take(most, 0):
        found += batch
        inlet.done(batch)
    return found


def result(partition: int, key: str, value: bytes = b"{}", ticket_id: str | None = "7") -> Result:
    return Result(partition, key, ticket_id, value)


def letter(position: str, value: bytes = b"{broken", key: str | None = "7") -> Letter:
    return Letter("unreadable_record", 3, position, "2026-08-20T10:00:00+00:00", key, value)


def shares(*inlets: Inlet) -> list[int]:
    """How many partitions each has, when all have tended until nothing changes."""
    for _ in range(3):
        held = [inlet.tend() for inlet in inlets]
    counted = Counter(p for h in held for p in h)
    assert all(n == 1 for n in counted.values()), "a partition has two owners"
    return [len(h) for h in held]
