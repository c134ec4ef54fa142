"""Streams under fault, seen from outside: a real Redis server, a followed file, and the mock of Kafka.

They speak to a broker by its own library, as a sender and a consumer would, and know nothing of Triage but the names in
its manual.
"""

from __future__ import annotations

import base64
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

from oracle import Found, Letter

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
if str(TESTS) not in sys.path:
    sys.path.append(str(TESTS))  # its Redis server, its mock of Kafka, and its process that forks

Message = tuple[str | None, bytes]
PARTITIONS = 4


class AwayError(Exception):
    """The broker doesn't answer: what was sent may be there or not."""


class Broker(Protocol):
    """A stream, its results and its dead letters.

    Attributes
    ----------
    source, target : str
        For `triage stream --from` and `--to`.
    keyed : bool
        Whether a message names its ticket beside its value.
    """

    source: str
    target: str
    keyed: bool

    def put(self, messages: Sequence[Message]) -> None:
        """Send all or nothing; raises AwayError where that isn't known."""
        ...

    def waiting(self) -> int:
        """Messages that aren't done."""
        ...

    def begun(self) -> bool:
        """Whether some messages are begun and not done right now."""
        ...

    def written(self) -> int:
        """A number that grows with the results."""
        ...

    def found(self) -> Found:
        """All that a consumer would read."""
        ...

    def counted(self) -> dict[str, int]:
        """What the broker has counted: repeats that were dropped, messages that were claimed."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class RedisBroker:
    """A real server, with an append-only file that is safe before a write is answered."""

    keyed = True

    def __init__(self, folder: Path) -> None:
        import redis
        from made_redis import RedisServer
        from ports import free_port

        binary = shutil.which("redis-server")
        if binary is None:
            raise FileNotFoundError("no redis-server is installed")
        self._folder = Path(tempfile.mkdtemp(prefix="redis-", dir=folder))
        self.server = RedisServer(binary, self._folder, free_port())
        self.server.start()
        self._fault: tuple[type[Exception], ...] = (redis.RedisError, OSError)
        self._client = self.server.client()
        self.source = self.server.url("tickets", f"partitions={PARTITIONS}", "timeout_seconds=2")
        self.target = self.server.url("scored", "timeout_seconds=2")
        self._client.hset("tickets:meta", "partitions", PARTITIONS)
        self._before: dict[str, int] = {}

    def put(self, messages: Sequence[Message]) -> None:
        """In one transaction: all or nothing. Any hash does, as long as a ticket's messages stay together."""
        pipe = self._client.pipeline(transaction=True)
        for key, value in messages:
            stream = f"tickets:{crc32(value if key is None else key.encode()) % PARTITIONS}"
            pipe.xadd(stream, {"value": value} if key is None else {"key": key, "value": value})
        try:
            pipe.execute()
        except self._fault as error:
            raise AwayError from error

    def waiting(self) -> int:
        return sum(lag + pending for lag, pending in self._groups())

    def begun(self) -> bool:
        return any(pending for _, pending in self._groups())

    def written(self) -> int:
        try:
            return int(self._client.xlen("scored"))
        except self._fault as error:
            raise AwayError from error

    def found(self) -> Found:
        results = []
        for fields in self._entries("scored"):
            value = fields[b"value"]
            same = value.endswith(b',"key":"%s"}' % fields[b"key"])
            results.append(value if same else b"the key beside it is another")
        letters = [Letter(f[b"value"], f[b"code"].decode(), int(f[b"tries"])) for f in self._entries("tickets:dead")]
        return Found(results, letters, self.waiting(), drops=True)

    def counted(self) -> dict[str, int]:
        """By the server's own statistics: each result is one SET of its key, each claim one XCLAIM."""
        try:
            stats = self._client.info("commandstats")
        except self._fault as error:
            raise AwayError from error
        calls = {n: int(stats.get(f"cmdstat_{n}", {}).get("calls", 0)) for n in ("set", "xclaim")}
        sets = calls["set"] + self._before.get("set", 0)
        claims = calls["xclaim"] + self._before.get("xclaim", 0)
        return {"dropped": max(0, sets - self.written()), "claims": claims}

    def crash(self) -> None:
        """SIGKILL the server; what it had counted is kept as far as it is known."""
        stats = self._client.info("commandstats")
        for name in ("set", "xclaim"):
            calls = int(stats.get(f"cmdstat_{name}", {}).get("calls", 0))
            self._before[name] = self._before.get(name, 0) + calls
        self.server.crash()

    def start(self) -> None:
        """Let it run again, with what its append-only file holds."""
        self.server.start()

    def close(self) -> None:
        self._client.close()
        self.server.crash()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _entries(self, stream: str) -> list[dict[bytes, bytes]]:
        found, after = [], "-"
        while page := self._client.xrange(stream, min=after, count=5_000):
            found += [fields for _, fields in page]
            after = f"({page[-1][0].decode()}"
        return found

    def _groups(self) -> list[tuple[int, int]]:
        """Of each partition how many were never read, and how many were read and aren't done."""
        try:
            found = []
            for p in range(PARTITIONS):
                if not (count := int(self._client.xlen(f"tickets:{p}"))):
                    continue
                groups = self._client.xinfo_groups(f"tickets:{p}")
                # After a crash the server doesn't know how many are left until none is.
                found += [(1 if g["lag"] is None else int(g["lag"]), int(g["pending"])) for g in groups] or [(count, 0)]
            return found
        except self._fault as error:
            raise AwayError from error


class FileBroker:
    """A file that is appended to, and a file of results."""

    keyed = False

    def __init__(self, folder: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="file-", dir=folder))
        self._source, self._target = self._folder / "in.jsonl", self._folder / "out.jsonl"
        self._source.touch()
        self.source, self.target = str(self._source), str(self._target)

    def put(self, messages: Sequence[Message]) -> None:
        with self._source.open("ab", buffering=0) as stream:
            stream.write(b"".join(value + b"\n" for _, value in messages))

    def waiting(self) -> int:
        with self._source.open("rb") as stream:
            stream.seek(self._state()[0])
            rest = stream.read()
        return rest.count(b"\n") + (not rest.endswith(b"\n") and bool(rest))

    def begun(self) -> bool:
        at, until = self._state()
        return until > at

    def written(self) -> int:
        return self._target.stat().st_size if self._target.exists() else 0

    def found(self) -> Found:
        data = self._target.read_bytes() if self._target.exists() else b""
        if data and not data.endswith(b"\n"):
            data += b" a line without its end\n"
        dead = self._source.with_name("in.jsonl.dead.jsonl")
        letters = []
        for line in dead.read_bytes().splitlines() if dead.exists() else ():
            said = json.loads(line)
            value = base64.b64decode(said["base64"]) if "base64" in said else said["text"].encode()
            letters.append(Letter(value, said["code"], said["tries"]))
        return Found(data.splitlines(), letters, self.waiting(), drops=True)

    def counted(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _state(self) -> tuple[int, int]:
        """Until which byte all is done, and until which it is begun."""
        state = self._source.with_name("in.jsonl.triage.state")
        if not state.exists():
            return 0, 0
        said = json.loads(state.read_bytes())
        at, until, *_ = map(int, said["begun"].split())
        return at - int(said["skipped"]), until - int(said["skipped"])


class MockKafkaBroker:
    """librdkafka's mock cluster: it keeps nothing, fences nobody, and shows readers what was aborted."""

    keyed = True

    def __init__(self, folder: Path) -> None:
        from confluent_kafka import Consumer, Producer, TopicPartition
        from made_kafka import MockKafka
        from ports import free_port

        self._mock = MockKafka(free_port())
        self._mock.start()
        self._place = TopicPartition
        common = {"bootstrap.servers": self._mock.address, "log_level": 0}
        for name, count in (("tickets", PARTITIONS), ("scored", PARTITIONS), ("tickets.dead", 1)):
            self._mock.topic(name, count)
        self._producer = Producer(common | {"linger.ms": 5})
        self._reader = Consumer(common | {"group.id": "triage", "enable.auto.commit": False})
        self._consumer = Consumer(common | {"group.id": "reader", "enable.auto.commit": False})
        self.source = self._mock.url("tickets", session__timeout__ms=1500)
        self.target = self._mock.url("scored")

    def put(self, messages: Sequence[Message]) -> None:
        for key, value in messages:
            number = crc32(value if key is None else key.encode()) % PARTITIONS
            self._producer.produce("tickets", value, key, number)
        if self._producer.flush(20):
            raise AwayError

    def waiting(self) -> int:
        return sum(high - at for at, high in self._ends())

    def begun(self) -> bool:
        return any(at < high for at, high in self._ends())

    def written(self) -> int:
        ends = [self._consumer.get_watermark_offsets(self._place("scored", p), timeout=20) for p in range(PARTITIONS)]
        return sum(high for _, high in ends)

    def found(self) -> Found:
        results = [r.value() for r in self._records("scored", PARTITIONS)]
        newest = {r.key(): r for r in self._records("tickets.dead", 1)}
        letters = []
        for record in newest.values():
            headers = dict(record.headers() or [])
            letters.append(Letter(record.value(), headers["code"].decode(), int(headers["tries"])))
        return Found(results, letters, self.waiting(), drops=False)

    def counted(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        self._reader.close()
        self._consumer.close()
        self._mock.crash()

    def _records(self, topic: str, partitions: int) -> list[Any]:
        places = [self._place(topic, p, 0) for p in range(partitions)]
        ends = {p.partition: self._consumer.get_watermark_offsets(p, timeout=20)[1] for p in places}
        self._consumer.assign(places)
        found: list[Any] = []
        until = time.monotonic() + 60
        while any(at.offset < ends[at.partition] for at in self._consumer.position(places) if ends[at.partition]):
            record = self._consumer.poll(0.2)
            if record is not None and record.error() is None:
                found.append(record)
            elif time.monotonic() > until:
                raise AwayError
        self._consumer.unassign()
        return found

    def _ends(self) -> list[tuple[int, int]]:
        """Of each partition until which offset all is done, and where it ends."""
        places = [self._place("tickets", p) for p in range(PARTITIONS)]
        done = [max(0, p.offset) for p in self._reader.committed(places, timeout=20)]
        return [(a, self._reader.get_watermark_offsets(p, timeout=20)[1]) for a, p in zip(done, places, strict=True)]
