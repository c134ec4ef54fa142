"""A real service in a process of its own: started on a free port, asked over HTTP, ended by a signal."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
from nursery import Child, nursery

from pipeline.config import Encoder, Escalation, Gates, Params, Priority, Topic
from pipeline.sources.sample import generate, write
from pipeline.training.run import run

PATIENCE_SECONDS = 120.0


def small_desk(folder: Path, *, tickets: int = 400, days: int = 160, key: bytes | None = None) -> Path:
    """A small generated helpdesk (synthetic), and in it `scorer`, trained on it in the quickest way."""
    write(generate(seed=3, tickets=tickets, days=days), folder)
    params = replace(
        Params(),
        encoder=Encoder(name="none"),
        topic=Topic(candidates=("words",)),
        priority=Priority(candidates=("words",)),
        escalation=Escalation(candidates=("words",)),
        gates=Gates(enabled=False),
    )
    run(folder, params, say=lambda line: None).scorer.save(folder / "scorer", key=key)
    return folder


@dataclass
class Served:
    """A running service.

    Attributes
    ----------
    process : Child
    log : Path
        Its standard error, JSON lines.
    url : str
    """

    process: Child
    log: Path
    url: str = ""

    def client(self, **options: Any) -> httpx2.Client:
        """A client of it."""
        return httpx2.Client(**({"base_url": self.url, "timeout": PATIENCE_SECONDS} | options))

    def events(self) -> list[dict[str, Any]]:
        """What it has told so far."""
        lines = self.log.read_text("utf-8").splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines if line.startswith("{")]

    def wait_for(self, event: str, count: int = 1) -> dict[str, Any]:
        """The `count`-th event of a name, as soon as it is told."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            found = [e for e in self.events() if e["event"] == event]
            if len(found) >= count:
                return found[count - 1]
            if self.process.poll() is not None and not found:
                break
            time.sleep(0.02)
        raise AssertionError(f"no {event}: {self.log.read_text('utf-8')}")

    def wait_until_ready(self, event: str = "ready") -> None:
        """Wait until it listens, and until the scorer is warm (`listening`: not so long)."""
        self.url = f"http://127.0.0.1:{self.wait_for('listening')['port']}"
        self.wait_for(event)

    def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < until, "it never came to hold"
            time.sleep(0.05)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def metric(self, name: str) -> float:
        """The sum of a metric's samples (a key, where one is needed, isn't sent)."""
        with self.client() as client:
            lines = client.get("/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


@contextmanager
def serving(scorer: Path | str, folder: Path, *options: object, ready: bool = True) -> Iterator[Served]:
    """Serve a scorer while the block runs; what it tells goes to a file in `folder`."""
    log = folder / f"serve-{time.monotonic_ns()}.log"
    words = ["serve", "--scorer", scorer, "--port", 0, "--log", "json", "--look-every", 0.2, *options]
    process = nursery().start([*map(str, words)], cwd=folder, log=log)
    served = Served(process, log)
    try:
        if ready:
            served.wait_until_ready()
        yield served
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE_SECONDS)


def ticket(number: int = 1, **more: Any) -> dict[str, Any]:
    """A made-up ticket as somebody would send it."""
    made = {
        "ticket_id": f"Z-{number}",
        "created_at": "2026-03-02T12:00:00Z",
        "subject": "The machine leaks",
        "body": f"There is water under it since this morning, and parcel {number} hasn't come. What shall I do?",
        "customer_id": f"C{number % 7}",
        "channel": "email",
    }
    return made | more
