"""What an import left goes into a store once each: in any pieces, again, after a kill, and as it is known now."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_store import contents

from pipeline.config import History, Params
from pipeline.errors import InputError, OutputError, StoreError
from pipeline.history.store import open_store
from pipeline.serving.remember import Remembered, remember
from pipeline.sources.raw import Part, Raw, add, kept_still, load_raw
from pipeline.sources.sample import generate, write
from pipeline.tickets import schema

ALL = Params()
LAST = Params(outcomes={"escalated": {"column": "queue", "equals": "care", "at": "last"}})
"""An outcome that later events take back."""


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("remember") / "raw"
    write(generate(seed=5, tickets=60, days=30), folder)
    return folder


def told(raw: Path, url: str, settings: Params = ALL, **more: Any) -> Remembered:
    return remember(raw, url, settings, progress=lambda name, rows: None, **more)


def inside(url: str) -> dict[str, set[Any]]:
    with open_store(url, ALL.history) as store:
        return contents(store)


@pytest.fixture(scope="module")
def expected(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[Any]]:
    """What an undisturbed run leaves."""
    url = str(tmp_path_factory.mktemp("expected") / "h.db")
    told(raw, url)
    return inside(url)


def test_each_row_is_counted_and_put_in_once(raw: Path, url: str, expected: dict[str, set[Any]]) -> None:
    first, again = told(raw, url), told(raw, url)
    assert inside(url) == expected
    assert (first.tickets, first.tickets_new) == (60, 60) and first.escalated > 0
    assert first.events == first.events_new + first.events_known + sum(first.refused.values())
    assert first.events_new == len(expected["history_events"])
    known = replace(first, tickets_new=0, events_new=0, events_known=first.events - sum(first.refused.values()))
    assert again == known


@pytest.mark.parametrize("rows", [1, 7, 10_000])
def test_how_many_rows_are_put_in_at_once_changes_nothing(
    raw: Path, tmp_path: Path, rows: int, expected: dict[str, set[Any]]
) -> None:
    safe: list[tuple[str, int]] = []
    remember(raw, str(tmp_path / "h.db"), ALL, progress=lambda *said: safe.append(said), rows=rows)
    assert inside(str(tmp_path / "h.db")) == expected
    assert len([name for name, _ in safe if name == "tickets"]) == -(-60 // rows)
    assert [count for _, count in safe if count > 60] == sorted(count for _, count in safe if count > 60)


def grown(whole: Raw, folder: Path) -> Iterator[Path]:
    """A RAW_DIR that is imported in three parts, and then once more as tickets left a queue; after each of them."""
    when = whole.events["received_at"].astype("int64")
    parts = pd.qcut(when.rank(method="first"), 3, labels=False).to_numpy()
    of = pd.Series(parts).groupby(whole.events["ticket_id"].to_numpy()).min()[whole.tickets["ticket_id"]].to_numpy()
    about = {"kind": "made", "tracked": whole.columns}
    for number in range(3):
        tickets = whole.tickets[of == number].reset_index(drop=True)
        events = whole.events[parts == number].reset_index(drop=True)
        add(folder, Part(tickets, events, outcomes=whole.outcomes_as_written, record=about, repeats="skip"))
        yield folder
    into = whole.events[((whole.events["field"] == "queue") & (whole.events["value"] == "care")).to_numpy(bool)]
    times = {name: into[name].max() + pd.Timedelta(hours=1) for name in ("occurred_at", "received_at")}
    moved = into.tail(5).assign(value="logistics", **times).reset_index(drop=True)
    add(folder, Part(whole.tickets[:0], moved, record=about))
    yield folder


@pytest.mark.parametrize("settings", [ALL, LAST], ids=["as imported", "the last value"])
def test_a_store_that_grew_with_its_folder_is_the_one_that_was_made_at_once(
    raw: Path, tmp_path: Path, settings: Params
) -> None:
    outcomes = []
    for folder in grown(load_raw(raw), tmp_path / "grown"):
        counts = told(folder, str(tmp_path / "h.db"), settings)
        outcomes.append(inside(str(tmp_path / "h.db"))["history_outcomes"])
    told(folder, str(tmp_path / "once.db"), settings)
    assert inside(str(tmp_path / "h.db")) == inside(str(tmp_path / "once.db"))
    assert counts.events_new and counts.events_known and counts.tickets_new < counts.tickets
    if settings == LAST:
        assert outcomes[-2] - outcomes[-1], "no outcome was ever taken back: the test shows nothing"


def test_an_escalation_that_is_defined_otherwise_replaces_what_was_told(raw: Path, tmp_path: Path) -> None:
    none = Params(outcomes={"escalated": None})
    for settings in (ALL, LAST, none, LAST):
        told(raw, str(tmp_path / "h.db"), settings)
        told(raw, str(tmp_path / f"{id(settings)}.db"), settings)
        assert inside(str(tmp_path / "h.db")) == inside(str(tmp_path / f"{id(settings)}.db"))


KILLED = """
import sys
from pathlib import Path
from pipeline.config import History, Params
from pipeline.serving.remember import remember

told = lambda *said: print(*said, flush=True)
remember(Path(sys.argv[1]), sys.argv[2], Params(), progress=told, rows=int(sys.argv[3]))
"""


@pytest.mark.parametrize("safe", [1, 4, 9, 25])
def test_killed_at_any_moment_nothing_that_was_told_is_lost_and_again_it_ends_the_same(
    raw: Path, url: str, expected: dict[str, set[Any]], safe: int
) -> None:
    command = [sys.executable, "-c", KILLED, str(raw), url, "23"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(safe)]
    process.send_signal(signal.SIGKILL)
    lines += process.communicate()[0].splitlines(keepends=True)
    assert process.returncode == -signal.SIGKILL
    acknowledged = {name: int(count) for name, count in (line.split() for line in lines if line.endswith("\n"))}
    with open_store(url, ALL.history) as store:
        tickets, events = contents(store)["history_tickets"], contents(store)["history_events"]
    assert len(tickets) >= acknowledged["tickets"]
    kept = load_raw(raw).events.head(acknowledged.get("events", 0))
    assert {ticket for ticket, *_ in events} >= set(kept["ticket_id"])
    assert len(events) >= 0.8 * len(kept)  # some are repeats
    told(raw, url)
    assert inside(url) == expected


def test_events_that_would_be_called_otherwise_are_refused(raw: Path, url: str, expected: dict[str, set[Any]]) -> None:
    told(raw, url)
    told(raw, url, Params(outcomes={"queue": None}))  # it is still the column of the usual name
    for outcomes, got in (
        ({"queue": {"column": "topic", "at": "last"}}, "queue"),
        ({"priority": {"column": "priority", "levels": {"low": "calm", "high": "urgent"}}}, "levels"),
    ):
        with pytest.raises(StoreError, match="filled by other outcome definitions") as error:
            told(raw, url, Params(outcomes=outcomes))
        assert got in error.value.got and error.value.do
    assert inside(url) == expected


def test_a_column_that_comes_later_can_still_get_a_role(raw: Path, tmp_path: Path) -> None:
    whole, url = load_raw(raw), str(tmp_path / "h.db")
    about = {"kind": "made", "tracked": whole.columns}
    unassigned = ~(whole.events["field"] == "assignee").to_numpy(bool, na_value=False)
    add(tmp_path / "raw", Part(whole.tickets, whole.events[unassigned], record=about))
    told(tmp_path / "raw", url)
    add(tmp_path / "raw", Part(whole.tickets[:0], whole.events[~unassigned].reset_index(drop=True), record=about))
    assert told(tmp_path / "raw", url).events_new > 0
    told(tmp_path / "raw", str(tmp_path / "once.db"))
    assert inside(url) == inside(str(tmp_path / "once.db"))


def test_no_import_changes_the_folder_meanwhile(raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    shutil.copytree(raw, folder)
    part = Part(schema.empty("tickets"), schema.empty("events"))
    with kept_still(folder):
        told(folder, str(tmp_path / "h.db"))  # readers don't mind each other
        with pytest.raises(OutputError, match="`triage remember` is reading it"):
            add(folder, part)
    add(folder, part)


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_that_no_import_made_is_refused_and_makes_no_store(tmp_path: Path, there: bool) -> None:
    if there:
        (tmp_path / "raw").mkdir()
    with pytest.raises(InputError, match="no import made this folder"):
        told(tmp_path / "raw", str(tmp_path / "h.db"))
    assert not (tmp_path / "h.db").exists()


def test_no_text_and_no_address_gets_into_the_store(raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    shutil.copytree(raw, folder)
    events = pd.read_parquet(folder / "events.parquet")
    replies = events["text"].dropna()
    told(folder, str(tmp_path / "h.db"))
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("h.db*"))
    assert len(replies) > 20
    assert not [text for text in replies if text[:25].encode() in stored]


def test_a_file_of_something_else_is_refused(raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    shutil.copytree(raw, folder)
    shutil.copy(folder / "tickets.parquet", folder / "events.parquet")
    with pytest.raises(InputError, match="these aren't events"):
        told(folder, str(tmp_path / "h.db"))


def test_a_store_that_is_counted_anew_says_so(raw: Path, tmp_path: Path) -> None:
    url, shared = str(tmp_path / "h.db"), replace(Params(), history=History(shared=("info@example.org",)))
    assert not told(raw, url).made_anew
    assert remember(raw, url, shared, progress=lambda name, rows: None).made_anew
