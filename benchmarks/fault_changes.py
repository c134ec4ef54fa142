"""Scenarios in which something changes by itself while workers are killed: the scorer, or the age of open tickets."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from fault_brokers import Broker, RedisBroker
from fault_crew import Crew, wait_for
from fault_feed import Feeder
from fault_scenarios import Stage, died, random_kills, settled
from fault_tickets import waiting

Row = dict[str, Any]

AGE_POINTS = ("ages_begun", "ages_written", "ages_kept")
"""The named moments of a worker whose open tickets come of age (`serving.faults.AGE_POINTS`)."""

LAST = 40
"""Tickets that are sent once nobody is killed any more."""

AGE = pd.Timedelta(24, "h")


def swaps(stage: Stage) -> Row:
    """The scorer's folder is replaced by another version, again and again, while workers are killed.

    A ticket is owed by one of the two. Where its worker died between result and acknowledgement, both may be there.
    """
    count = 40 if stage.kills is None else stage.kills
    other = stage.desk.other
    if other is None:
        raise ValueError("there is no other scorer")
    broker = RedisBroker(stage.desk.folder)
    them = stage.supply(count, broken=0)
    more = stage.desk.golden([s.value for s in them], scorer=other)
    them = [replace(s, others=(g,)) for s, g in zip(them, more, strict=True)]
    with stage.crew(broker, "--look-every", "0.3") as crew:
        crew.scorer = stage.desk.folder / f"live-{time.monotonic_ns()}"
        shutil.copytree(stage.desk.scorer, crew.scorer)
        versions = [other, stage.desk.scorer]
        feeder = Feeder(broker, them[LAST:], stage.chance, preload=300)
        last = Feeder(broker, them[:LAST], stage.chance, preload=LAST)
        with feeder:
            crew.start()
            crew.start()
            for number in range(count):
                random_kills(stage, crew, 1)
                if number % 2 == 0:
                    time.sleep(stage.chance.uniform(0, 2))  # while a worker that came back reads it, or later
                    _replace(crew.scorer, versions[number // 2 % 2])
                    stage.counts["scorers replaced"] += 1
        wait_for(lambda: broker.waiting() == 0, 300, "tickets still wait")
        before = crew.told()["reloaded"]
        _replace(crew.scorer, versions[(count + 1) // 2 % 2])
        stage.counts["scorers replaced"] += 1
        wait_for(lambda: crew.told()["reloaded"] >= before + len(crew.places), 120, "nobody took the new one")
        with last:  # they are the last one's, whoever was killed before it took over
            last.rest()
        sent = [*feeder.sent, *last.sent]
        return _with_versions(settled(stage, crew, sent, "Redis: the scorer replaced, workers killed"), crew)


def ages(stage: Stage) -> Row:
    """Open tickets come of age while workers are killed, at named and at random moments: each age is told once."""
    count = 40 if stage.kills is None else stage.kills
    them, due, base = waiting(stage.desk, 40 + 10 * count, stage.chance, AGE)
    store = stage.desk.folder / f"store-{time.monotonic_ns()}.db"
    shutil.copy(base, store)
    options = ("--history", f"sqlite:///{store}", "--ledger", f"sqlite:///{store}.ledger.db")
    broker = RedisBroker(stage.desk.folder)
    with stage.crew(broker, *options) as crew:
        young = crew.options
        crew.options = (*young, "--ages", "")  # what an age comes to must not depend on who has arrived by then
        crew.start()
        feeder = Feeder(broker, them, stage.chance, preload=len(them))
        with feeder:
            feeder.rest()
            wait_for(lambda: broker.waiting() == 0, 300, "tickets still wait")
        crew.drain(crew.places[0])
        crew.options = (*young, "--batch", "4", "--ages", f"{AGE.total_seconds() / 3600:g}h")
        for name in AGE_POINTS:
            place = crew.start(TRIAGE_KILL_AT=name)
            wait_for(lambda place=place: died(place), 120, f"nobody died at {name}")  # type: ignore[misc]
            crew.remove(place)
            stage.counts["named moments"] += 1
        crew.start()
        crew.start()
        for _ in range(count):
            _kill_while_they_age(stage, crew)
        _rest(crew, broker, len(them) + len(due))
        return settled(stage, crew, [*them, *due], "Redis: open tickets come of age, workers killed")


def _kill_while_they_age(stage: Stage, crew: Crew) -> None:
    """Kill a worker soon after something was written, or after a while."""
    until, seen = time.monotonic() + 6, crew.broker.written()
    while time.monotonic() < until and crew.broker.written() == seen:
        time.sleep(0.003)
    stage.counts["in the middle of work"] += crew.broker.written() > seen
    time.sleep(stage.chance.uniform(0, 0.4))
    until = time.monotonic() + 60
    while not crew.kill(stage.chance.choice(crew.places), stage.chance):
        if time.monotonic() > until:
            raise TimeoutError("no worker came up to be killed")
        time.sleep(0.01)


def _rest(crew: Crew, broker: Broker, owed: int) -> None:
    """Start workers anew until all is there: they look who is of age when they start, and then once a minute."""
    for _ in range(20):
        until, seen = time.monotonic() + 15, -1
        while time.monotonic() < until and broker.written() < owed:
            if broker.written() != seen:
                until, seen = time.monotonic() + 15, broker.written()
            time.sleep(0.1)
        if broker.written() >= owed:
            return
        for place in [*crew.places]:
            crew.drain(place)
        crew.start()


def _replace(folder: Path, fresh: Path) -> None:
    """As `triage run` does it: for a moment there is none."""
    copy, old = folder.with_name(f"{folder.name}.fresh"), folder.with_name(f"{folder.name}.old")
    shutil.copytree(fresh, copy)
    folder.rename(old)
    copy.rename(folder)
    shutil.rmtree(old)


def _with_versions(row: Row, crew: Crew) -> Row:
    """How many results are each scorer's; it is wrong where one has none."""
    told = Counter(json.loads(line).get("scorer_version") for line in crew.broker.found().results)
    for number, (_, count) in enumerate(sorted(told.items(), key=lambda item: -item[1]), start=1):
        row["faults"][f"results of scorer {number}"] = count
    if len(told) != 2:
        row["wrong"]["versions"] = len(told)
    row["faults"]["taken over"] = crew.told()["reloaded"]
    return row
