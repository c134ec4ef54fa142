"""Callers of an HTTP service that cost as little as they can: keep-alive sockets, one process, its CPU counted."""

from __future__ import annotations

import asyncio
import http.client
import json
import multiprocessing
import resource
import socket
import statistics
import time
from dataclasses import dataclass
from typing import Any

HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answered:
    """What came of many requests.

    Attributes
    ----------
    count, bad : int
        Requests, and those of them that weren't answered with 200.
    seconds, cpu : float
        By the clock, and of the callers' processor.
    median, p99 : float
        Milliseconds.
    """

    count: int
    bad: int
    seconds: float
    cpu: float
    median: float
    p99: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.count / self.seconds


class Caller:
    """One connection that is kept."""

    def __init__(self, port: int, path: str) -> None:
        self.path, self.port = path, port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def post(self, body: bytes) -> bytes:
        """The answer to one request."""
        if self.connection.sock is None:
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.request("POST", self.path, body, HEADERS)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{self.path} answered {answer.status}")
        return text

    def wait(self, seconds: float = 60.0) -> None:
        """Until somebody listens."""
        until = time.monotonic() + seconds
        while True:
            try:
                self.connection.request("GET", self.path)
                self.connection.getresponse().read()
                return
            except (OSError, http.client.HTTPException):
                self.connection.close()
                if time.monotonic() > until:
                    raise SystemExit(f"nobody listens on {self.port}") from None
                time.sleep(0.2)


def ask_together(port: int, path: str, bodies: list[dict[str, Any]], callers: int) -> Answered:
    """Send each body once, so many callers at a time, from a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_ask, (port, path, [json.dumps(b).encode() for b in bodies], callers))


def _ask(port: int, path: str, bodies: list[bytes], callers: int) -> Answered:
    begun, before = time.perf_counter(), _cpu()
    times, bad = asyncio.run(_all(port, path, bodies, callers))
    seconds = time.perf_counter() - begun
    times.sort()
    p99 = times[min(int(0.99 * len(times)), len(times) - 1)]
    return Answered(len(bodies), bad, seconds, _cpu() - before, 1000 * statistics.median(times), 1000 * p99)


async def _all(port: int, path: str, bodies: list[bytes], callers: int) -> tuple[list[float], int]:
    times: list[float] = []
    bad = 0
    waiting = iter(bodies)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "

    async def call() -> None:
        nonlocal bad
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for body in waiting:
            begun = time.perf_counter()
            writer.write(head.encode() + str(len(body)).encode() + b"\r\n\r\n" + body)
            status = await _answer(reader)
            times.append(time.perf_counter() - begun)
            bad += status != 200
        writer.close()

    await asyncio.gather(*(call() for _ in range(callers)))
    return times, bad


async def _answer(reader: asyncio.StreamReader) -> int:
    """Status of one answer, whose body is read."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = next(row for row in head.split(b"\r\n") if row.startswith(b"content-length:"))
    await reader.readexactly(int(length.partition(b":")[2]))
    return int(head.split(b" ", 2)[1])


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
