"""Workers under fault: `triage stream` in processes that are killed, frozen, ended and started again."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from fault_brokers import Broker
from nursery import Child, Nursery

START_SECONDS = 90.0
DEATHS = 3
"""Its watcher waits twice as long after each death: after so many in a row the driver ends it and starts another."""


@dataclass
class Place:
    """Where one worker works: its watcher now, and all that came before it."""

    watcher: Child | None = None
    log: Path = Path()
    deaths: int = 0
    frozen: list[int] = field(default_factory=list)

    def worker(self) -> int | None:
        """Process id of the one that does the work."""
        if self.watcher is None or self.watcher.poll() is not None:
            return None
        try:
            text = Path(f"/proc/{self.watcher.pid}/task/{self.watcher.pid}/children").read_text("ascii")
        except OSError:
            return None
        return int(text.split()[0]) if text.split() else None

    def owns(self) -> bool:
        """Whether it has partitions, by what it told last."""
        told = [e for e in self.events() if e["event"] in ("owns", "ready", "worker_died", "lost_a_partition")]
        return bool(told and told[-1]["event"] == "owns" and told[-1]["partitions"])

    def events(self) -> list[dict[str, Any]]:
        """What it has told since it was started."""
        return _events(self.log)


@dataclass
class Crew:
    """Some workers on one stream.

    Attributes
    ----------
    nursery : Nursery
    broker : Broker
    scorer, folder : Path
    options : tuple of str
        More words for `triage stream`.
    environment : mapping
    counts : Counter
        Of faults that were made.
    """

    nursery: Nursery
    broker: Broker
    scorer: Path
    folder: Path
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    logs: list[Path] = field(default_factory=list)
    orphans: list[int] = field(default_factory=list)

    def start(self, place: Place | None = None, **variables: str) -> Place:
        """Start a worker, at a new place or anew at an old one."""
        place = place or Place()
        if place not in self.places:
            self.places.append(place)
        place.log = self.folder / f"worker-{len(self.logs)}.log"
        self.logs.append(place.log)
        words = ["stream", "--from", self.broker.source, "--to", self.broker.target, "--scorer", str(self.scorer)]
        words += ["--log", "json", "--most-bad", "1", *self.options]
        environment = {**self.environment, **variables}
        place.watcher = self.nursery.start(words, cwd=self.folder, log=place.log, environment=environment)
        place.deaths = 0
        self.counts["starts"] += 1
        return place

    def kill(self, place: Place, chance: Random) -> bool:
        """SIGKILL the worker, its watcher, or both; and see that work goes on. False where nobody is there to kill."""
        worker = place.worker()
        if worker is None or place.watcher is None:
            return False
        kind = chance.choice(("worker", "watcher", "both")) if place.deaths < DEATHS else "both"
        if kind != "watcher":
            kill(worker)
        if kind == "worker":
            place.deaths += 1
        else:
            place.watcher.kill()
            place.watcher.wait(30)
            if kind == "watcher":
                self.orphans.append(worker)
            self.start(place)
        self.counts[f"killed {kind}"] += 1
        return True

    def remove(self, place: Place) -> None:
        """SIGKILL all of it, for good."""
        worker = place.worker()
        for pid in [worker] if worker else []:
            kill(pid)
        if place.watcher is not None:
            place.watcher.kill()
            place.watcher.wait(30)
        self.places.remove(place)

    def drain(self, place: Place) -> int:
        """SIGTERM: it finishes its batch, and ends; its exit code."""
        assert place.watcher is not None
        place.watcher.send_signal(signal.SIGTERM)
        code = place.watcher.wait(120)
        self.places.remove(place)
        return code

    def freeze(self, place: Place) -> int | None:
        """SIGSTOP the worker; its process id."""
        worker = place.worker()
        if worker is not None and kill(worker, signal.SIGSTOP):
            self.orphans.append(worker)
            return worker
        return None

    def thaw(self, worker: int) -> None:
        """SIGCONT."""
        kill(worker, signal.SIGCONT)

    def end(self) -> list[int]:
        """Drain all; the exit codes. Nobody is left who could still write."""
        codes = [self.drain(place) for place in [*self.places]]
        for pid in self.orphans:
            kill(pid, signal.SIGCONT)
        until = time.monotonic() + 30
        while any(map(alive, self.orphans)):
            if time.monotonic() > until:
                for pid in filter(alive, self.orphans):
                    kill(pid)
            time.sleep(0.05)
        return codes

    def abandon(self) -> None:
        """End all at once, whatever has happened."""
        for place in [*self.places]:
            with suppress(OSError, TimeoutError):
                self.remove(place)
        for pid in filter(alive, self.orphans):
            kill(pid)

    def told(self) -> Counter[str]:
        """How often each event was told, over all workers there ever were."""
        found: Counter[str] = Counter()
        for log in self.logs:
            for event in _events(log):
                found[event["event"]] += 1
                if event["event"] == "stopped":
                    found["repeats told"] += event.get("repeats", 0)
        return found


def _events(log: Path) -> list[dict[str, Any]]:
    lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
    found = []
    for line in lines:
        with suppress(ValueError):
            if line.startswith("{"):
                found.append(json.loads(line))
    return found


def kill(pid: int, number: int = signal.SIGKILL) -> bool:
    """Send a signal to a process of ours; False where it is gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def alive(pid: int) -> bool:
    """Whether a process can still do something."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def resident(pid: int) -> float:
    """Resident memory of a process in MiB; 0 where it is gone."""
    with suppress(OSError, StopIteration):
        rows = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
        return int(next(row for row in rows if row.startswith("VmRSS")).split()[1]) / 1024
    return 0.0


def wait_for(holds: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until something holds."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError(what)
        time.sleep(0.02)
