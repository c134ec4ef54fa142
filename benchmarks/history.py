"""Ratios of the history: its store against bare SQLite, its looks against one pandas count; on a real event log.

    python benchmarks/history.py
    python benchmarks/history.py online memory

Like `speed.py` this imports the package: what is loaded already can't be seen from outside.
"""

from __future__ import annotations

import argparse
import gc
import json
import pickle
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from quality import RESULTS, common_ground
from speed import Row, alternate, line, timed
from verbs import ROOT, Workshop

from pipeline.config import History as Settings
from pipeline.history.as_of import AsOf
from pipeline.history.definitions import parse_definitions
from pipeline.history.record import History, Roles, known_tickets, record, tracked_columns
from pipeline.history.store import open_store
from pipeline.sources.raw import load_raw

UPDATES, LONGER, HOURS = 300, 10, 24
LEVELS = {"4": "low", "3": "medium", "2": "high", "1": "urgent"}
DEFINED = parse_definitions(
    {"queue": "assignment_group", "priority": {"column": "priority", "levels": LEVELS}}, "history"
)
SETTINGS = Settings()

_PUT = """
import pickle, re, sys
from dataclasses import replace
from pathlib import Path
from pipeline.config import History
from pipeline.history.store import open_store

def memory(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

with open(sys.argv[1], "rb") as file:
    history = pickle.load(file)
few = history.tickets.iloc[: int(len(history.tickets) * float(sys.argv[3]))]
events = history.events[history.events["ticket_id"].isin(few["ticket_id"])].reset_index(drop=True)
part = replace(history, tickets=few, events=events)
Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
before = memory("VmRSS")
with open_store(sys.argv[2], History()) as store:
    store.put_history(part)
print(before, memory("VmHWM"))
"""


@dataclass(frozen=True)
class Bench:
    """What the measurements share: an event log of a service desk, and how often each side is measured."""

    raw_dir: Path
    repeats: int

    @cached_property
    def facts(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Tickets, events by our names, outcomes."""
        raw = load_raw(self.raw_dir)
        return raw.tickets, Roles.of(DEFINED, raw.events).canonical(raw.events), raw.outcomes

    @cached_property
    def history(self) -> History:
        """The record of all of it."""
        return recorded(*self.facts)

    @cached_property
    def look(self) -> AsOf:
        """What a scorer looks at."""
        tracked, counted = tracked_columns(self.facts[1], [])
        return AsOf(tuple(tracked), tuple(counted), tuple(LEVELS.values()), customers=SETTINGS)


def main() -> int:
    """Measure, print, and write results/history.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(MEASURES)}; all without a name")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="the folder with data/")
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "benchmarks", help="where RAW_DIRs go")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where history.json goes")
    parser.add_argument("--repeats", type=int, default=3, help="how often each side is measured")
    args = parser.parse_args()
    if unknown := [n for n in args.names if n not in MEASURES]:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(MEASURES)}")
    work = args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    bench = Bench(Workshop(args.shared.resolve(), work, "none").imported("incidents"), args.repeats)
    path = args.results / "history.json"
    rows: dict[str, Row] = {}
    for name in args.names or MEASURES:
        measured = {"name": name} | MEASURES[name](bench)
        if path.exists() and args.names:  # now, as another run may have written since this one began
            rows = {r["name"]: r for r in json.loads(path.read_text("utf-8"))["rows"]}
        rows[name] = measured
        print(line(rows[name]), flush=True)
        gc.collect()
        result = {"kind": "history", **common_ground(), "rows": [rows[n] for n in MEASURES if n in rows]}
        path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0


def online(bench: Bench) -> Row:
    """One update put in and its ticket read, each committed, against a bare upsert and a customer's last 100 events."""
    tickets, events, outcomes = bench.facts
    place = known_tickets(tickets, Roles.of(DEFINED, events), Settings()).set_index("ticket_id")
    picked, kept = held_out(events)
    with TemporaryDirectory() as folder, open_store(f"{folder}/store.db", SETTINGS) as store:
        store.put_history(recorded(tickets, kept, outcomes))
        bare = Bare(f"{folder}/bare.db", tickets, kept)
        ours, puts, theirs = [], [], []
        nobody = tickets.iloc[:0]
        for ticket_id, received_at, update in picked:
            row = place.loc[[ticket_id]].reset_index().assign(as_of=received_at + pd.Timedelta("1us"))
            puts.append(timed(lambda update=update: store.put(nobody, update)))
            ours.append(puts[-1] + timed(lambda row=row: store.read(row)))
            theirs.append(timed(lambda row=row: bare.upsert_and_read(row["customer_id"].iloc[0])))
    a, b, put = (1000 * statistics.median(x) for x in (ours, theirs, puts))
    return {
        "what": f"one update and one read of a store of {len(kept):,} events, median of {len(ours)}",
        "ours": f"{a:.2f} ms",
        "baseline": f"an upsert and a customer's last 100 events in SQLite (WAL, synchronous=FULL) {b:.2f} ms",
        "ratio": round(a / b, 3),
        "asked": 5.0,
        "beside": f"the update {put:.2f} ms, the read {a - put:.2f} ms",
    }


def looks(bench: Bench) -> Row:
    """Every ticket of the log as of a day after it came, per feature, against one count of the log's events."""
    rows, look, history = asked(bench.history), bench.look, bench.history
    count = len(look.names)
    ours, theirs = alternate(
        lambda: look.look(rows, history),
        lambda: history.events.groupby("ticket_id").cumcount(),
        bench.repeats,
    )
    return {
        "what": f"{len(rows):,} tickets as of {HOURS} h, {len(history.events):,} events, per one of {count} features",
        "ours": f"{1000 * ours / count:.1f} ms",
        "baseline": f"`groupby().cumcount()` {1000 * theirs:.1f} ms",
        "ratio": round(ours / count / theirs, 3),
        "asked": 3.0,
        "beside": f"all of it {ours:.1f} s",
    }


def longer(bench: Bench) -> Row:
    """The same of a log ten times as long."""
    long, rows = stretched(bench.history), asked(bench.history)
    many = asked(long)
    ours, theirs = alternate(
        lambda: bench.look.look(many, long), lambda: bench.look.look(rows, bench.history), bench.repeats
    )
    return {
        "what": f"{len(many):,} tickets as of {HOURS} h, {len(long.events):,} events",
        "ours": f"{ours:.1f} s",
        "baseline": f"{len(rows):,} tickets, {len(bench.history.events):,} events {theirs:.1f} s",
        "ratio": round(ours / theirs, 3),
        "asked": 12.0,
        "beside": "the log ten times, one after the other, with the same customers and queues",
    }


def memory(bench: Bench) -> Row:
    """Peak memory of putting the whole log into a store, beyond the log itself, against a fifth of it."""
    grown: dict[float, float] = {}
    seconds = 0.0
    with TemporaryDirectory() as folder:
        path = Path(folder) / "history.pickle"
        path.write_bytes(pickle.dumps(bench.history))
        for share in (0.2, 1.0):
            command = [sys.executable, "-c", _PUT, str(path), f"{folder}/{share}.db", str(share)]
            begun = time.perf_counter()
            said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT).stdout.split()
            seconds = time.perf_counter() - begun
            grown[share] = (int(said[1]) - int(said[0])) / 1024
    events = len(bench.history.events)
    return {
        "what": f"memory that putting {events:,} events into a store takes beside them",
        "ours": f"{grown[1.0]:,.0f} MiB",
        "baseline": f"{grown[0.2]:,.0f} MiB for a fifth of them",
        "ratio": round(grown[1.0] / grown[0.2], 3),
        "asked": 1.5,
        "beside": f"{seconds:,.0f} s, {events / seconds:,.0f} events/s, the start of the process included",
    }


class Bare:
    """What one would write by hand: events in a table, found by their customer and time."""

    def __init__(self, path: str, tickets: pd.DataFrame, events: pd.DataFrame) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self.connection.execute("CREATE TABLE event (id INTEGER PRIMARY KEY, customer, at INTEGER, kind, field, value)")
        self.connection.execute("CREATE INDEX by_customer ON event (customer, at)")
        customer = events["ticket_id"].map(tickets.set_index("ticket_id")["customer_id"])
        at = events["received_at"].astype("int64")
        frame = (
            events[["kind", "field", "value"]].astype(object).where(events[["kind", "field", "value"]].notna(), None)
        )
        self.connection.execute("BEGIN")
        rows = zip(customer.tolist(), at.tolist(), *(frame[n].tolist() for n in frame), strict=True)
        self.connection.executemany("INSERT INTO event (customer, at, kind, field, value) VALUES (?, ?, ?, ?, ?)", rows)
        self.connection.execute("COMMIT")
        self.next = len(events)

    def upsert_and_read(self, customer: str) -> list[Any]:
        """One event more, and the customer's last 100."""
        self.next += 1
        row = (self.next, customer, time.time_ns() // 1000, "status", None, "open")
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.execute(
            "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET value = excluded.value", row
        )
        self.connection.execute("COMMIT")
        asked = "SELECT * FROM event WHERE customer = ? ORDER BY at DESC LIMIT 100"
        return self.connection.execute(asked, (customer,)).fetchall()


def held_out(events: pd.DataFrame) -> tuple[list[tuple[str, pd.Timestamp, pd.DataFrame]], pd.DataFrame]:
    """The next update of some tickets (all events of one moment), in order of time, and all events before them."""
    dated = events[events["received_at"].notna() & (events["kind"] != "created")]
    updates = dated[["ticket_id", "received_at"]].drop_duplicates().sample(frac=1.0, random_state=0)
    chosen = updates.drop_duplicates("ticket_id").head(UPDATES).sort_values("received_at")
    cut = events["ticket_id"].map(chosen.set_index("ticket_id")["received_at"])
    groups = events[events["received_at"] == cut].groupby("ticket_id")
    next_ = [(id_, at, groups.get_group(id_)) for id_, at in chosen.itertuples(index=False, name=None)]
    return next_, events[cut.isna() | (events["received_at"] < cut)]


def recorded(tickets: pd.DataFrame, events: pd.DataFrame, outcomes: pd.DataFrame) -> History:
    """The record of some facts."""
    return record(tickets, events, outcomes, DEFINED, SETTINGS)


def asked(history: History) -> pd.DataFrame:
    """Every ticket of a history as it is scored: without words, a day after it came."""
    return history.tickets.assign(text="", as_of=history.tickets["created_at"] + pd.Timedelta(hours=HOURS))


def stretched(history: History) -> History:
    """The history ten times, each after the one before, with tickets of its own."""
    span = history.events["received_at"].max() - history.tickets["created_at"].min()
    parts = [_moved(history, n, span * n) for n in range(LONGER)]
    frames = {name: pd.concat([p[name] for p in parts], ignore_index=True) for name in parts[0]}
    return History(**frames, links=history.links)


def _moved(history: History, number: int, by: pd.Timedelta) -> dict[str, pd.DataFrame]:
    tickets, events, amounts = (f.copy() for f in (history.tickets, history.events, history.amounts))
    for frame in (tickets, events, amounts):
        frame["ticket_id"] = f"{number}-" + frame["ticket_id"].astype("str")
    for frame, names in ((tickets, ["created_at"]), (events, ["occurred_at", "received_at"])):
        for name in names:
            frame[name] = frame[name] + by
    amounts["at"] += by // pd.Timedelta("1us")
    events["key"] ^= np.uint64(number << 56)
    return {"tickets": tickets, "events": events, "amounts": amounts}


MEASURES: dict[str, Callable[[Bench], Row]] = {"online": online, "looks": looks, "longer": longer, "memory": memory}


if __name__ == "__main__":
    sys.exit(main())
