"""A broker in memory that keeps its promises, can be away, and can give partitions to others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.errors import BrokerError
from pipeline.serving.stream.partition import partition_of
from pipeline.serving.stream.transport import FencedError, Letter, Message, Result, Written

AWAY = BrokerError("the broker can't be reached", where="memory", do="wait")


@dataclass
class Memory:
    """One stream, its results and its dead letters.

    Attributes
    ----------
    waiting : list of Message
        Not done, in order.
    begun : dict of str to int
        Position → how often.
    results : list of Result
    buried : list of Letter
    owners : dict of int to int
        Partition → token of its owner.
    away : list of str
        Names of methods that fail, each once.
    """

    partitions: int = 2
    waiting: list[Message] = field(default_factory=list)
    begun: dict[str, int] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    buried: list[Letter] = field(default_factory=list)
    owners: dict[int, int] = field(default_factory=dict)
    away: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    sent: int = 0

    def put(self, *items: Any, key: str | None = None) -> None:
        """Send objects, or bytes as they are."""
        for item in items:
            value = item if isinstance(item, bytes) else json.dumps(item).encode()
            ticket = key or (item.get("ticket_id") if isinstance(item, dict) else None) or "?"
            self.sent += 1
            self.waiting.append(Message(partition_of(str(ticket), self.partitions), str(self.sent), value, key))

    def records(self) -> list[dict[str, Any]]:
        """What was written."""
        return [json.loads(one.value) for one in self.results]

    def call(self, name: str) -> None:
        """Fail if asked to."""
        self.calls.append(name)
        if name in self.away:
            self.away.remove(name)
            raise AWAY


@dataclass
class Inlet:
    """One worker's way out of it."""

    broker: Memory
    ended: bool = False
    taken: list[Message] = field(default_factory=list)
    _first: bool = True

    @property
    def partitions(self) -> int:
        return self.broker.partitions

    def tend(self) -> Mapping[int, int]:
        self.broker.call("tend")
        if self._first:
            for partition in range(self.partitions):
                self.broker.owners[partition] = self.broker.owners.get(partition, 0) + 1
            self._first = False
        return dict(self.broker.owners)

    def take(self, most: int, seconds: float) -> list[Message]:
        self.broker.call("take")
        if not self.broker.waiting:
            self.ended = True
        for message in self.broker.waiting:
            if (tries := self.broker.begun.get(message.position, 0)) > 0:
                return [replace(message, tries=tries + 1)]
        return self.broker.waiting[:most]

    def begin(self, messages: Sequence[Message]) -> None:
        self.broker.call("begin")
        self.broker.begun.update({m.position: m.tries for m in messages})

    def done(self, messages: Sequence[Message]) -> None:
        self.broker.call("done")
        gone = {m.position for m in messages}
        self.broker.waiting = [m for m in self.broker.waiting if m.position not in gone]

    def lag(self) -> int | None:
        return len(self.broker.waiting)

    def close(self) -> None:
        self.broker.calls.append("close")


@dataclass
class Outlet:
    """One worker's way to the results."""

    broker: Memory
    tokens: Mapping[int, int] = field(default_factory=dict)

    def own(self, tokens: Mapping[int, int]) -> None:
        self.broker.call("own")
        self.tokens = dict(tokens)

    def write(self, results: Sequence[Result]) -> Written:
        self.broker.call("write")
        if any(self.tokens[one.partition] < self.broker.owners[one.partition] for one in results):
            raise FencedError
        there = {one.key for one in self.broker.results}
        fresh = {one.key: one for one in results if one.key not in there}
        self.broker.results.extend(fresh.values())
        return Written(len(fresh), len(results) - len(fresh))

    def close(self) -> None:
        self.broker.calls.append("close")


@dataclass
class Dead:
    """Its dead letters."""

    broker: Memory

    def add(self, letters: Sequence[Letter]) -> None:
        self.broker.call("add")
        there = {one.position for one in self.broker.buried}
        self.broker.buried.extend(one for one in letters if one.position not in there)

    def letters(self) -> Iterator[Letter]:
        return iter(self.broker.buried)

    def retry(self, letter: Letter) -> None:
        self.broker.buried.remove(letter)
        self.broker.put(letter.value, key=letter.key)

    def close(self) -> None:
        self.broker.calls.append("close")
