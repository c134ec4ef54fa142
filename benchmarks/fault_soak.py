"""The soak: minutes of work on Redis under faults of every kind, and what came of it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from fault_brokers import AwayError, RedisBroker
from fault_crew import Crew, resident, wait_for
from fault_feed import Feeder
from fault_scenarios import Stage, change, freeze, random_kills, restart, settled
from fault_tickets import poisons, tickets

Row = dict[str, Any]
RATE = 40.0
TRIES = 8
YOUNG_SECONDS = 15.0


@dataclass
class Watch:
    """Looks at results and memory while all goes on.

    Attributes
    ----------
    worst_gap : float
        Longest time in seconds without a new result while messages waited.
    memory : dict
        Process id → its age when it was seen last, its memory when it had warmed up, and the newest.
    """

    broker: RedisBroker
    crew: Crew
    worst_gap: float = 0.0
    memory: dict[int, tuple[float, float, float]] = field(default_factory=dict)
    _born: dict[int, float] = field(default_factory=dict)
    _end: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        """Until it is ended."""
        seen, since = -1, time.monotonic()
        while not self._end.wait(0.2):
            now = time.monotonic()
            try:
                written, waiting = self.broker.written(), self.broker.waiting()
            except AwayError:
                continue
            if written != seen or not waiting:
                seen, since = written, now
            self.worst_gap = max(self.worst_gap, now - since)

    def weigh(self) -> None:
        """Memory of the workers that are there (asked by the thread that starts them)."""
        for pid in [worker for place in self.crew.places if (worker := place.worker())]:
            age = time.monotonic() - self._born.setdefault(pid, time.monotonic())
            if age >= YOUNG_SECONDS and (now := resident(pid)):
                self.memory[pid] = (age, self.memory.get(pid, (0.0, now, 0.0))[1], now)

    def end(self) -> None:
        """Stop looking."""
        self._end.set()


def soak(stage: Stage) -> Row:
    """Two to four workers, tickets sent now and then twice, and a fault every few seconds until the time is over."""
    until = time.monotonic() + 60 * stage.minutes
    good = tickets(stage.desk, int(60 * stage.minutes * RATE) + 200, stage.chance, broken=0)
    until += time.monotonic() - (until - 60 * stage.minutes)  # making them isn't part of it
    bad = poisons(("raise", "memory", "hang", "kill"), max(1, int(stage.minutes / 5)), tries=TRIES)
    for s in bad:
        if "memory" in str(s.ticket_id):  # eating takes longer than the patience lasts, or not
            s.codes, s.tries = ("unscorable", "worker_died"), (1, TRIES + 1)
    order = [*good]
    for s in bad:
        order.insert(stage.chance.randrange(len(order) * 3 // 4), s)
    for s in stage.chance.sample(good, len(good) // 10):  # a tenth comes once more
        order.insert(stage.chance.randrange(len(order)), s)
    broker = RedisBroker(stage.desk.folder)
    with stage.crew(broker, "--max-memory", 2560, tries=TRIES, TRIAGE_POISON="1") as crew:
        watch = Watch(broker, crew)
        looking = threading.Thread(target=watch.look, daemon=True)
        feeder = Feeder(broker, order, stage.chance, preload=200, rate=RATE)
        with feeder:
            for _ in range(3):
                crew.start()
            wait_for(lambda: broker.written() > 0, 120, "no result")
            looking.start()
            while time.monotonic() < until:
                _harm(stage, crew, broker)
                rest = time.monotonic() + stage.chance.uniform(1, 6)
                while time.monotonic() < rest:
                    watch.weigh()
                    time.sleep(0.5)
        row = settled(stage, crew, list({id(s): s for s in order}.values()), "Redis: a soak", seconds=900)
        watch.end()
        looking.join()
    age, start, end = max(watch.memory.values(), default=(0.0, 0.0, 0.0))
    memory = {"age_seconds": age, "start_mib": start, "end_mib": end}
    return row | {"minutes": stage.minutes, "worst_gap_seconds": watch.worst_gap, "memory": memory}


def _harm(stage: Stage, crew: Crew, broker: RedisBroker) -> None:
    """One fault."""
    match stage.chance.randrange(10):
        case 0 | 1 | 2 | 3:
            random_kills(stage, crew, 1)
        case 4 | 5:
            freeze(stage, crew, broker)
        case 6 | 7:
            restart(broker, stage.chance)
            stage.counts["server killed"] += 1
        case _:
            change(stage, crew)
