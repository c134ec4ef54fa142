"""Workers that come, go, die, freeze and wake in any order: each message has one result, in its partition's order."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest
from unit.serving.stream.redis_stream import RedisStream

from pipeline.errors import BrokerError
from pipeline.serving.stream.transport import FencedError, Inlet, Message, Outlet, Result

PARTITIONS = 3


@dataclass
class Worker:
    """One process, as far as its broker sees it; a step of its loop at a time."""

    name: str
    inlet: Inlet
    outlet: Outlet
    hand: list[Message] = field(default_factory=list)
    written: bool = False
    tokens: dict[int, int] = field(default_factory=dict)

    def tend(self) -> None:
        try:
            self.tokens = dict(self.inlet.tend())
        except BrokerError:  # a later process has its name
            self.tokens = {}
        self.outlet.own(self.tokens)

    def take(self, most: int) -> None:
        self.hand, self.written = self.inlet.take(most, 0), False
        assert len(self.hand) <= most
        tries = [m.tries for m in self.hand]
        assert tries in ([1] * len(tries), tries[:1]), "fresh ones and begun ones in one batch"

    def owned(self, stream: RedisStream) -> bool:
        """Whether the broker says that all in hand is this worker's; the test asks it, not the worker."""
        client = stream.server.client()
        tokens = client.hgetall(f"{stream.name}:g:tokens")
        client.close()
        return all(int(tokens[b"%d" % m.partition]) == self.tokens[m.partition] for m in self.hand)

    def write(self) -> None:
        try:
            results = [Result(m.partition, m.value.decode(), None, m.value) for m in self.hand]
            self.outlet.write(results)
            self.written = True
        except FencedError:
            self.hand = []

    def done(self) -> None:
        if self.written:
            self.inlet.done(self.hand)
            self.hand, self.written = [], False

    def loop(self, most: int) -> None:
        self.done()
        self.tend()
        self.take(most)
        self.write()
        self.done()


def opened(stream: RedisStream, name: str) -> Worker:
    return Worker(name, stream.inlet(name, f"partitions={PARTITIONS}"), stream.outlet())


def drive(stream: RedisStream, random: Random, steps: int) -> None:
    client = stream.server.client()
    sent: dict[int, list[bytes]] = {p: [] for p in range(PARTITIONS)}
    workers, zombies = [opened(stream, n) for n in "abc"], []
    for step in range(steps):
        worker = random.choice(workers + zombies)
        match random.choices(
            ("put", "loop", "tend", "take", "write", "done", "die", "replace", "silent", "leave"),
            (6, 6, 3, 4, 4, 4, 1, 1, 1, 1),
        )[0]:
            case "put":
                partition = random.randrange(PARTITIONS)
                for number in range(random.randint(1, 4)):
                    value = b"%d/%d/%d" % (partition, step, number)
                    stream.put(partition, value)
                    sent[partition].append(value)
            case "loop":
                worker.loop(random.randint(1, 5))
            case "tend":
                worker.tend()
            case "take":
                worker.take(random.randint(1, 5))
                assert worker.owned(stream)
            case "write":
                worker.write()
                assert worker.owned(stream)
            case "done":
                worker.done()
            case "die" if worker in workers:  # and is started again under its name
                workers[workers.index(worker)] = opened(stream, worker.name)
            case "replace" if worker in workers:  # a namesake starts, and this one goes on
                workers[workers.index(worker)] = opened(stream, worker.name)
                zombies.append(worker)
            case "silent":  # it was frozen beyond its claim time
                client.zadd(f"{stream.name}:g:workers", {worker.name: 0})
            case "leave":
                worker.inlet.close()
            case _:
                pass
    last = opened(stream, "last")
    for worker in workers:
        client.zadd(f"{stream.name}:g:workers", {worker.name: 0})
    for _ in range(sum(map(len, sent.values())) + PARTITIONS):
        last.loop(5)
    assert last.inlet.lag() == 0
    values = [r[b"value"] for r in stream.results()]
    for partition in range(PARTITIONS):
        assert [v for v in values if v.startswith(b"%d/" % partition)] == sent[partition]
    client.close()


@pytest.mark.parametrize("seed", range(6))
def test_each_message_has_one_result_in_order_whatever_happens_to_the_workers(stream, seed):
    drive(stream, Random(seed), 200)
