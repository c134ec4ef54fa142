"""The streaming scorer against batch scoring of the same tickets, on a real Redis server, each in one run.

    python benchmarks/stream.py
    python benchmarks/stream.py throughput delay --encoder none
    python benchmarks/stream.py throughput --scorer DIR --tickets FILE.parquet

Times are the Redis server's own: an entry's id says when it was written. Scorers and batches come from public verbs.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from service import Bench, Row, at, batch_rate, resident, run

PARTITIONS, BATCH, WINDOW = 4, 256, 0.2
LONG, EARLY = 500_000, 50_000
DELAY_SECONDS = 60.0
SENT_AT_ONCE = 500


def main() -> int:
    """Measure, print, and write results/stream.json."""
    return run({"throughput": throughput, "delay": delay, "memory": memory}, "stream", __doc__ or "")


def throughput(bench: Bench) -> Iterator[Row]:
    """Tickets a second of one worker on a stream that is full before it starts, against `triage score`."""
    with redis_server() as server:
        server.feed(bench.tickets)
        with worker(bench, server, "--until-empty") as process:
            process.wait()
        rate = server.rate()
    batch = batch_rate(bench)
    yield {
        "what": f"{len(bench.tickets):,} tickets that wait in the stream",
        "ours": f"{rate:,.0f} tickets/s",
        "baseline": f"batch {batch:,.0f} tickets/s",
        "ratio": round(rate / batch, 3),
        "asked": 0.85,
        "at_least": True,
        "beside": f"batches of {BATCH}, {PARTITIONS} partitions, one worker, append-only file synced each second",
    }


def delay(bench: Bench) -> Iterator[Row]:
    """From the message's arrival at the broker to its result's, at half of the rate that a full stream is scored at."""
    with redis_server() as server:
        server.feed(bench.tickets[:4_000] if bench.encoder == "none" else bench.tickets[:1_000])
        with worker(bench, server, "--until-empty") as process:
            process.wait()
        rate = server.rate() / 2
    with redis_server() as server:
        with worker(bench, server, "--metrics", "0") as process:
            port = process.until("metrics")["port"]
            process.until("taking")
            sent = server.trickle(bench.tickets, rate, DELAY_SECONDS)
            server.until(lambda: server.client.xlen("scored") >= sent)
            page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
        waits = server.waits()
    batch_ms = 1000 * counted(page, "batch_seconds") / counted(page, "batches")
    size = counted(page, "messages") / counted(page, "batches")
    p99, allowed = at(waits, 0.99), 1000 * WINDOW + 3 * batch_ms
    yield {
        "what": f"arrival to result, p99 of {len(waits):,} at {rate:,.0f} tickets/s, half the load",
        "ours": f"{p99:,.0f} ms",
        "baseline": f"the window's {1000 * WINDOW:.0f} ms + 3 × a batch's {batch_ms:,.0f} ms",
        "ratio": round(p99 / allowed, 3),
        "asked": 1.0,
        "beside": f"median {at(waits, 0.5):,.0f} ms; {size:,.0f} a batch",
    }


def memory(bench: Bench) -> Iterator[Row]:
    """The worker's memory after 500,000 tickets against that after 50,000."""
    with redis_server() as server, worker(bench, server, kept=False) as process:
        process.until("taking")
        sizes: dict[int, float] = {}
        sent = 0
        while sent < LONG:
            some = [t | {"ticket_id": f"{t['ticket_id']}-{sent + n}"} for n, t in enumerate(bench.tickets[:5_000])]
            server.feed(some)
            sent += len(some)
            server.until(lambda sent=sent: server.done() >= sent - 2_000)
            if sent in (EARLY, LONG):
                server.until(lambda sent=sent: server.done() >= sent)
                sizes[sent] = resident(process.child)
    yield {
        "what": f"the worker's memory after {LONG:,} tickets",
        "ours": f"{sizes[LONG]:,.0f} MiB",
        "baseline": f"{sizes[EARLY]:,.0f} MiB after {EARLY:,}",
        "ratio": round(sizes[LONG] / sizes[EARLY], 3),
        "asked": 1.05,
        "beside": "what is done is deleted from the stream",
    }


@dataclass
class Server:
    """A Redis server for one measurement."""

    port: int
    client: redis.Redis

    def place(self, stream: str, options: str = "") -> str:
        """The address of one of its streams."""
        return f"redis://127.0.0.1:{self.port}/0?stream={stream}{options}"

    def feed(self, tickets: list[dict[str, Any]]) -> None:
        """Put tickets in, spread over the partitions."""
        for begin in range(0, len(tickets), SENT_AT_ONCE):
            with self.client.pipeline(transaction=False) as pipe:
                for place, ticket in enumerate(tickets[begin : begin + SENT_AT_ONCE], begin):
                    self._add(pipe, place, ticket)
                pipe.execute()

    def trickle(self, tickets: list[dict[str, Any]], rate: float, seconds: float) -> int:
        """Put tickets in evenly, `rate` a second; how many."""
        begun, sent = time.perf_counter(), 0
        while (now := time.perf_counter() - begun) < seconds:
            while sent < now * rate:
                ticket = tickets[sent % len(tickets)]
                self._add(self.client, sent, ticket | {"ticket_id": f"{ticket['ticket_id']}-{sent}"})
                sent += 1
            time.sleep(0.002)
        return sent

    def rate(self) -> float:
        """Results a second: from the end of the first batch to the end of the last."""
        times = [at for at, _ in self._entries("scored")]
        first = times[0]
        after = [t for t in times if t > first + 5]  # the first batch is written at once
        return len(after) / (times[-1] - first) * 1000

    def waits(self) -> list[float]:
        """Milliseconds from each message to its result."""
        came = {ticket: at for n in range(PARTITIONS) for at, ticket in self._entries(f"tickets:{n}")}
        return [at - came[ticket] for at, ticket in self._entries("scored")]

    def done(self) -> int:
        """How many results were ever written."""
        return int(self.client.xinfo_stream("scored")["entries-added"]) if self.client.exists("scored") else 0

    def until(self, holds: Any) -> None:
        """Wait until something holds."""
        while not holds():
            time.sleep(0.05)

    def _add(self, client: Any, place: int, ticket: dict[str, Any]) -> None:
        # Which partition is all the same here: every ticket comes once.
        client.xadd(f"tickets:{place % PARTITIONS}", {"key": ticket["ticket_id"], "value": json.dumps(ticket)})

    def _entries(self, stream: str) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        after = "-"
        while page := self.client.xrange(stream, after, count=5_000):
            for name, values in page:
                ticket = values.get(b"ticket_id") or values[b"key"]
                found.append((int(name.partition(b"-")[0]), ticket.decode()))
            after = f"({page[-1][0].decode()}"
        return found


@contextmanager
def redis_server() -> Iterator[Server]:
    """A server with an append-only file, synced each second: Redis's own default."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        process = subprocess.Popen([*words, "--appendonly", "yes"], stdout=subprocess.DEVNULL)
        client = redis.Redis(port=port)
        try:
            while True:
                try:
                    client.ping()
                    break
                except redis.ConnectionError:
                    time.sleep(0.05)
            yield Server(port, client)
        finally:
            process.kill()
            process.wait()


@dataclass
class Process:
    """A running `triage stream`."""

    process: subprocess.Popen[bytes]
    log: Path

    def until(self, event: str) -> dict[str, Any]:
        """What it told, once it has."""
        while True:
            for text in self.log.read_text("utf-8").splitlines():
                if text.startswith("{") and (told := json.loads(text))["event"] == event:
                    return dict(told)
            if self.process.poll() is not None:
                raise SystemExit(self.log.read_text("utf-8"))
            time.sleep(0.05)

    def wait(self) -> None:
        """Wait for its end."""
        if self.process.wait():
            raise SystemExit(self.log.read_text("utf-8"))

    @property
    def child(self) -> int:
        """The worker under the watcher."""
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


@contextmanager
def worker(bench: Bench, server: Server, *options: str, kept: bool = True) -> Iterator[Process]:
    """One worker from `tickets` to `scored`; without `kept` what is done is deleted, and few results stay."""
    triage = str(Path(sys.executable).with_name("triage"))
    source = server.place("tickets", f"&partitions={PARTITIONS}{'' if kept else '&trim=done'}")
    target = server.place("scored", "" if kept else "&maxlen=10000")
    words = [triage, "stream", "--from", source, "--to", target, "--scorer", str(bench.scorer), "--log", "json"]
    log = bench.folder / "stream.log"
    with log.open("wb") as out:
        process = subprocess.Popen([*words, "--batch", str(BATCH), *options], cwd=bench.folder, stderr=out)
    try:
        yield Process(process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait()


def counted(page: str, name: str) -> float:
    """A counter of a metrics page."""
    return float(next(row for row in page.splitlines() if row.startswith(f"triage_stream_{name}_total ")).split()[1])


if __name__ == "__main__":
    if shutil.which("redis-server") is None:
        sys.exit("error: redis-server isn't installed\n  do: apt install redis-server")
    sys.exit(main())
