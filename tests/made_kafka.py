"""Kafka's protocol for tests: librdkafka's built-in MOCK cluster, in a process of its own.

It is no Kafka: it keeps the last 5 MB of a partition in memory and loses them when it ends, refuses all commits while
a group takes in a member, never fences an older transactional producer, and shows readers what was aborted. What rests
on these is not tested by it.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest

HOST = "127.0.0.1"


@dataclass
class MockKafka:
    """A running mock of one broker; its address stays the same over `crash` and `start`."""

    port: int
    process: subprocess.Popen[str] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def url(self, topic: str, **options: object) -> str:
        """Address of a topic; in the options' names `__` stands for a dot."""
        query = "&".join(f"{name.replace('__', '.')}={value}" for name, value in options.items())
        return f"kafka://{self.address}/{topic}" + (f"?{query}" if query else "")

    def start(self) -> None:
        """Let it run: empty, after `crash` too."""
        command = [sys.executable, __file__, str(self.port)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer()

    def crash(self) -> None:
        """End it at once: it loses everything."""
        assert self.process and self.process.stdin and self.process.stdout
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    def topic(self, name: str, partitions: int) -> None:
        """Create a topic."""
        self._tell("topic", name, partitions)

    def refuse(self, request: int, error: int, times: int = 1) -> None:
        """Answer the next requests of a kind (its number in Kafka's protocol) with an error (Kafka's number)."""
        self._tell("refuse", request, error, times)

    def records(self, topic: str) -> list[tuple[int, str, bytes, dict[str, bytes]]]:
        """All records of a topic (partition, key, value, headers), by a client that isn't the package's."""
        from confluent_kafka import Consumer, KafkaError, TopicPartition

        first = {"auto.offset.reset": "earliest", "enable.partition.eof": True}
        reader = Consumer({"bootstrap.servers": self.address, "group.id": "reader", **first})
        left = set(reader.list_topics(topic, timeout=30).topics[topic].partitions)
        reader.assign([TopicPartition(topic, number, 0) for number in left])
        found = []
        while left:
            record = reader.poll(60)
            assert record is not None, f"the mock of Kafka shows no end of {left}"
            if (error := record.error()) is not None:
                assert error.code() == KafkaError._PARTITION_EOF, error
                left.discard(record.partition())
                continue
            key = (record.key() or b"").decode()
            found.append((record.partition(), key, record.value(), dict(record.headers() or [])))
        reader.close()
        return found

    def _tell(self, *words: object) -> None:
        assert self.process and self.process.stdin
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        self._answer()

    def _answer(self) -> None:
        assert self.process and self.process.stdout
        answer = self.process.stdout.readline()
        assert answer == "ready\n", f"the mock of Kafka says {answer!r}"


@contextmanager
def running_kafka() -> Iterator[MockKafka]:
    """Start a mock, and stop it at the end; skip the test, with the reason, where its library isn't installed."""
    if find_spec("confluent_kafka") is None:
        pytest.skip("confluent_kafka isn't installed (the extra `stream`)")
    if _library() is None:
        pytest.skip("confluent_kafka was installed without its own librdkafka, whose mock of Kafka is used here")
    with socket.socket() as chosen:
        chosen.bind((HOST, 0))
        port: int = chosen.getsockname()[1]
    mock = MockKafka(port)
    mock.start()
    try:
        yield mock
    finally:
        mock.crash()


def _library() -> Path | None:
    found = find_spec("confluent_kafka")
    if found is None or found.origin is None:
        return None
    package = Path(found.origin).parent
    folders = (package.parent / "confluent_kafka.libs", package / ".dylibs")
    return next((file for folder in folders for file in sorted(folder.glob("librdkafka*"))), None)


class _Cluster:
    """The mock cluster inside librdkafka, by its C functions; it has no others."""

    def __init__(self, port: int) -> None:
        import confluent_kafka  # noqa: F401 - it loads the libraries that librdkafka needs

        self.c = ctypes.CDLL(str(_library()))
        for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
            getattr(self.c, name).restype = ctypes.c_void_p
        self.c.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
        why = ctypes.create_string_buffer(512)
        configured = ctypes.c_void_p(self.c.rd_kafka_conf_new())
        self.c.rd_kafka_conf_set(configured, b"log_level", b"0", why, len(why))
        client = ctypes.c_void_p(self.c.rd_kafka_new(0, configured, why, len(why)))
        self.handle = ctypes.c_void_p(self.c.rd_kafka_mock_cluster_new(client, 1))
        self.inner = int(self.c.rd_kafka_mock_cluster_bootstraps(self.handle).decode().rpartition(":")[2])
        self.c.rd_kafka_mock_broker_set_host_port(self.handle, 1, HOST.encode(), port)
        # A group's first members wait for others: 3 s by default.
        self.c.rd_kafka_mock_group_initial_rebalance_delay_ms(self.handle, 50)

    def obey(self, line: str) -> None:
        verb, *rest = line.split()
        if verb == "topic":
            error = self.c.rd_kafka_mock_topic_create(self.handle, rest[0].encode(), int(rest[1]), 1)
            assert error == 0, f"topic: {error}"
        elif verb == "refuse":
            request, error, times = map(int, rest)
            errors = (ctypes.c_int * times)(*[error] * times)
            self.c.rd_kafka_mock_push_request_errors_array(
                self.handle, ctypes.c_int16(request), ctypes.c_size_t(times), errors
            )


async def _serve(port: int) -> None:
    """Pass bytes between a fixed port and the mock's own, which is another one at each start."""
    cluster = _Cluster(port)

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(1 << 16):
                target.write(data)
                await target.drain()
        except OSError:
            pass
        finally:
            target.close()

    async def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection(HOST, cluster.inner)
        await asyncio.gather(copy(reader, outer), copy(inner, writer))

    await asyncio.start_server(joined, HOST, port)
    print("ready", flush=True)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        cluster.obey(line.decode())
        print("ready", flush=True)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
