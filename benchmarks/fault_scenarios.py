"""Scenarios of faults: each feeds a stream, does harm to it, waits until nothing is left to do, and asks the oracle."""

from __future__ import annotations

import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from fault_brokers import AwayError, Broker, FileBroker, MockKafkaBroker, RedisBroker
from fault_crew import Crew, Place, wait_for
from fault_feed import Feeder
from fault_tickets import Desk, poisons, stories, tickets
from oracle import Sent, judge

Row = dict[str, Any]

POINTS = ("owned", "taken", "begun", "stored", "scored", "written", "buried", "done")
"""The named moments of a stream's worker (`serving.faults.STREAM_POINTS`)."""

FILE_POINTS = ("place_written", "place_begun", "results_kept", "letters_kept", "place_passed")
"""Those that a followed file has besides."""

PATIENCE, CLAIM = 1.2, 1.8
"""Seconds that a batch may take, and after which a silent worker loses its partitions: 1.5 times as long."""

KILL_TRIES = 20
"""A message that is begun when its worker is killed has had one more try: none may be given up for that here."""


@dataclass
class Stage:
    """What a scenario needs.

    Attributes
    ----------
    desk : Desk
    chance : Random
    kills : int or None
        How many, where a scenario counts them; None: its own number.
    minutes : float
        Of the soak.
    """

    desk: Desk
    chance: Random
    kills: int | None = None
    minutes: float = 20.0
    counts: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def crew(
        self, broker: Broker, *options: object, patience: float = PATIENCE, tries: int = KILL_TRIES, **env: str
    ) -> Iterator[Crew]:
        """Workers on a stream; they and the stream end with the block."""
        words = ["--batch", 8, "--window", 0.05, "--patience", patience, "--tries", tries, *options]
        folder = self.desk.folder / f"crew-{time.monotonic_ns()}"
        folder.mkdir()
        crew = Crew(self.desk.nursery, broker, self.desk.scorer, folder, tuple(map(str, words)), env)
        try:
            yield crew
        finally:
            crew.abandon()
            broker.close()

    def supply(self, kills: int, *, each: int = 100, least: int = 400, broken: float = 0.02) -> list[Sent]:
        """More tickets than can be sent while so many workers are killed."""
        return tickets(self.desk, least + each * kills, self.chance, broken=broken)


def redis_kills(stage: Stage) -> Row:
    """Workers are killed at random and named moments; in the last fifth events come, with a history and a ledger."""
    count = 200 if stage.kills is None else stage.kills
    first, second = count - count // 5, count // 5
    broker = RedisBroker(stage.desk.folder)
    with stage.crew(broker) as crew:
        feeder = Feeder(broker, stage.supply(first + 2 * len(POINTS)), stage.chance, preload=300)
        with feeder:
            crew.start()
            named(stage, crew, POINTS)
            crew.start()
            random_kills(stage, crew, first)
        row = settled(stage, crew, feeder.sent, "Redis: workers killed")
    return _sum(row, _redis_stories(stage, second)) if second else row


def file_kills(stage: Stage, points: Sequence[str] = (*POINTS, *FILE_POINTS)) -> Row:
    """The same on a followed file."""
    return _kills(stage, FileBroker(stage.desk.folder), "a followed file: workers killed", points)


def kafka_kills(stage: Stage) -> Row:
    """The same on the mock of Kafka."""
    return _kills(stage, MockKafkaBroker(stage.desk.folder), "a mock of Kafka: workers killed", POINTS)


def redis_restarts(stage: Stage) -> Row:
    """The server is killed and started again while two workers work."""
    broker = RedisBroker(stage.desk.folder)
    count = 12 if stage.kills is None else stage.kills
    with stage.crew(broker) as crew:
        feeder = Feeder(broker, stage.supply(count, each=240, broken=0), stage.chance, preload=300)
        with feeder:
            crew.start()
            crew.start()
            wait_for(lambda: broker.written() > 0, 120, "no result")
            for _ in range(count):
                time.sleep(stage.chance.uniform(0.3, 2))
                restart(broker, stage.chance)
                stage.counts["server killed"] += 1
        return settled(stage, crew, feeder.sent, "Redis: the server killed and started again")


def frozen(stage: Stage) -> Row:
    """Of two workers one is stopped for longer than its claim lasts, and goes on later."""
    broker = RedisBroker(stage.desk.folder)
    count = 15 if stage.kills is None else stage.kills
    with stage.crew(broker) as crew:
        feeder = Feeder(broker, stage.supply(count, each=500), stage.chance, preload=300)
        with feeder:
            crew.start()
            crew.start()
            wait_for(lambda: broker.written() > 0, 120, "no result")
            for _ in range(count):
                freeze(stage, crew, broker)
        return settled(stage, crew, feeder.sent, "Redis: one of two workers frozen beyond its claim, then waking")


def duplicates(stage: Stage) -> Row:
    """Everything is delivered one to three times, out of order; events in their tickets' order, again and again."""
    broker = RedisBroker(stage.desk.folder)
    count = 10 if stage.kills is None else stage.kills
    with stage.crew(broker) as crew:
        them = stage.supply(0, least=1500)
        order = [s for s in them for _ in range(stage.chance.randint(1, 3))]
        stage.chance.shuffle(order)
        feeder = Feeder(broker, order, stage.chance, preload=500, rate=120)
        with feeder:
            crew.start()
            crew.start()
            random_kills(stage, crew, count)
            feeder.rest()
        row = settled(stage, crew, them, "Redis: delivered 1–3 times, out of order")
    return _sum(row, _redis_stories(stage, 0, again=True))


def poison(stage: Stage) -> Row:
    """Tickets that raise, hang, exhaust the memory or kill, among good ones, before three workers."""
    return _poison(stage, RedisBroker(stage.desk.folder), "Redis: poison that raises, hangs, exhausts memory or kills")


def file_poison(stage: Stage) -> Row:
    """The same in a followed file."""
    return _poison(stage, FileBroker(stage.desk.folder), "a followed file: the same poison")


def kafka_poison(stage: Stage) -> Row:
    """The same on the mock of Kafka."""
    return _poison(stage, MockKafkaBroker(stage.desk.folder), "a mock of Kafka: the same poison")


def workers(stage: Stage) -> Row:
    """Workers are added, ended and killed for good."""
    broker = RedisBroker(stage.desk.folder)
    count = 30 if stage.kills is None else stage.kills
    with stage.crew(broker) as crew:
        feeder = Feeder(broker, stage.supply(count, each=200), stage.chance, preload=300)
        with feeder:
            crew.start()
            for _ in range(count):
                change(stage, crew)
                time.sleep(stage.chance.uniform(0.1, 2))
        return settled(stage, crew, feeder.sent, "Redis: workers added, ended and killed for good")


def random_kills(stage: Stage, crew: Crew, count: int) -> None:
    """Kill workers: a quarter at any moment after the last, three quarters in the middle of their work."""
    for _ in range(count):
        owners: list[Place] = []
        if stage.chance.random() < 0.25:
            time.sleep(stage.chance.uniform(0, 1.2))
        else:
            owners = _at_work(crew, 20)
            stage.counts["in the middle of work"] += bool(owners)
            time.sleep(stage.chance.uniform(0, 0.03))
        until = time.monotonic() + 60
        while not crew.kill(stage.chance.choice(owners or crew.places), stage.chance):
            owners = []
            if time.monotonic() > until:
                raise TimeoutError("no worker came up to be killed")
            time.sleep(0.01)


def _at_work(crew: Crew, seconds: float) -> list[Place]:
    """Wait until results come and messages are begun; the workers who own partitions then."""
    until, seen = time.monotonic() + seconds, crew.broker.written()
    while time.monotonic() < until:
        if crew.broker.written() > seen and crew.broker.begun() and (owners := [p for p in crew.places if p.owns()]):
            return owners
        time.sleep(0.003)
    return []


def named(stage: Stage, crew: Crew, points: Sequence[str]) -> None:
    """Let a worker die at each of some moments, beside the one that is there (of a file: in its place)."""
    for name in points:
        if isinstance(crew.broker, FileBroker):
            for place in [*crew.places]:
                crew.drain(place)
        place = crew.start(TRIAGE_KILL_AT=name)
        wait_for(lambda place=place: died(place), 120, f"nobody died at {name}")  # type: ignore[misc]
        crew.remove(place)
        stage.counts["named moments"] += 1
        if not crew.places:
            crew.start()


def restart(broker: RedisBroker, chance: Random) -> None:
    """SIGKILL the server, and start it again after a while."""
    broker.crash()
    time.sleep(chance.uniform(0.05, 2))
    broker.start()


def freeze(stage: Stage, crew: Crew, broker: Broker) -> None:
    """Stop a worker in the middle of its work for longer than its claim, and let it go on."""
    wait_for(broker.begun, 30, "nobody works")
    time.sleep(stage.chance.uniform(0, 0.05))
    worker = crew.freeze(stage.chance.choice(crew.places))
    if worker is not None:
        time.sleep(CLAIM + stage.chance.uniform(0.3, 1.5))
        crew.thaw(worker)
        stage.counts["frozen"] += 1
    time.sleep(stage.chance.uniform(0.3, 1.5))


def change(stage: Stage, crew: Crew) -> None:
    """One worker more or less."""
    kinds = ["add"] * (len(crew.places) < 4) + ["end", "kill"] * (len(crew.places) > 1)
    kind, place = stage.chance.choice(kinds), stage.chance.choice(crew.places)
    if kind == "add":
        crew.start()
    elif kind == "end":
        crew.drain(place)
    else:
        crew.remove(place)
    stage.counts[f"worker: {kind}"] += 1


def settled(stage: Stage, crew: Crew, sent: Sequence[Sent], title: str, *, seconds: float = 300) -> Row:
    """Wait until nothing is left, end the workers, and ask the oracle."""
    begun = time.monotonic()
    if not crew.places:
        crew.start()
    with _named_timeout(crew, "the stream never came to its end"):
        wait_for(lambda: _done(crew.broker), seconds, f"{title}: messages still wait")
    codes = crew.end()
    verdict = judge(sent, crew.broker.found())
    if any(code not in (0, -signal.SIGTERM) for code in codes):  # the signal may come before anybody listens to it
        verdict.blame("exit codes", codes)
    told, counted = crew.told(), crew.broker.counted()
    row: Row = {"title": title, "messages": verdict.messages, "tickets": verdict.tickets, "results": verdict.results}
    row |= {"letters": verdict.letters, "repeats": verdict.repeats, "dropped": counted.get("dropped")}
    row |= {"claims": counted.get("claims"), "starts": told["ready"], "lost": told["lost_a_partition"]}
    row |= {"died": told["worker_died"], "faults": dict(sorted((stage.counts + crew.counts).items()))}
    row |= {"wrong": dict(verdict.wrong), "examples": verdict.examples, "last_seconds": time.monotonic() - begun}
    stage.counts.clear()
    return row


def _kills(stage: Stage, broker: Broker, title: str, points: Sequence[str]) -> Row:
    count = 50 if stage.kills is None else stage.kills
    with stage.crew(broker) as crew:
        feeder = Feeder(broker, stage.supply(count + 2 * len(points)), stage.chance, preload=300)
        with feeder:
            crew.start()
            named(stage, crew, points)
            crew.start()
            random_kills(stage, crew, count)
        return settled(stage, crew, feeder.sent, title)


def _poison(stage: Stage, broker: Broker, title: str) -> Row:
    each = 3 if stage.kills is None else stage.kills
    kafka = isinstance(broker, MockKafkaBroker)  # its library has many threads, and ends the process without memory
    limit = 5120 if kafka else 2560
    with stage.crew(broker, "--max-memory", limit, patience=3.0, tries=3, TRIAGE_POISON="1") as crew:
        bad = poisons(("raise", "memory", "hang", "kill"), each, tries=3)
        for s in bad:
            if kafka and s.codes == ("unscorable",):
                s.codes, s.tries = ("unscorable", "worker_died"), (1, 4)
        them = stage.supply(0, least=400, broken=0) + bad
        stage.chance.shuffle(them)
        feeder = Feeder(broker, them, stage.chance, preload=150)
        with feeder:
            for _ in range(3):
                crew.start()
            feeder.rest()
        stage.counts["poisons"] += len(bad)
        return settled(stage, crew, them, title)


def _redis_stories(stage: Stage, kills: int, *, again: bool = False) -> Row:
    """Tickets, then rounds of events, with a history store and a ledger, and workers that are killed meanwhile."""
    rounds, base = stories(stage.desk, 50 + 2 * kills, stage.chance)
    broker = RedisBroker(stage.desk.folder)
    store = stage.desk.folder / f"store-{time.monotonic_ns()}.db"
    shutil.copy(base, store)
    options = ("--history", f"sqlite:///{store}", "--ledger", f"sqlite:///{store}.ledger.db", "--ages", "")
    with stage.crew(broker, *options) as crew:
        crew.start()
        crew.start()
        before: list[Sent] = []
        for number, some in enumerate(rounds):
            order = [*some]
            if again:
                order = [s for s in some for _ in range(stage.chance.randint(1, 3))]
                order += stage.chance.sample(before, len(before) // 2)
                stage.chance.shuffle(order)
            with Feeder(broker, order, stage.chance, preload=40, rate=40) as feeder:
                random_kills(stage, crew, kills * (number + 1) // 3 - kills * number // 3)
                feeder.rest()
            wait_for(lambda: _done(broker), 300, "a round of events never came to its end")
            before += some
        return settled(stage, crew, before, "with events")


def _sum(row: Row, more: Row) -> Row:
    """Two parts of a scenario as one row."""
    for name, value in more.items():
        if isinstance(value, dict):
            row[name] = dict(Counter(row[name]) + Counter(value))
        elif isinstance(value, int | float | list) and value is not None:
            row[name] = (row[name] or type(value)()) + value
    return row


def _done(broker: Broker) -> bool:
    try:
        return broker.waiting() == 0
    except AwayError:
        return False


def died(place: Place) -> bool:
    """Whether its worker has died, by what its watcher told."""
    return any(event["event"] == "worker_died" for event in place.events())


@contextmanager
def _named_timeout(crew: Crew, what: str) -> Iterator[None]:
    """Say with a timeout what the workers told last."""
    try:
        yield
    except TimeoutError as error:
        last = [Path(log).read_text("utf-8", "replace")[-600:] for log in crew.logs[-3:]]
        raise TimeoutError(f"{what}: {error}\n" + "\n---\n".join(last)) from None


SCENARIOS: Mapping[str, Callable[[Stage], Row]] = {
    "redis-kills": redis_kills,
    "file-kills": file_kills,
    "kafka-kills": kafka_kills,
    "redis-restarts": redis_restarts,
    "frozen": frozen,
    "duplicates": duplicates,
    "poison": poison,
    "file-poison": file_poison,
    "kafka-poison": kafka_poison,
    "workers": workers,
}
