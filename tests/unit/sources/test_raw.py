"""RAW_DIR: all or nothing."""

from __future__ import annotations

import multiprocessing
import multiprocessing.synchronize
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
from factories import tickets

from pipeline.errors import InputError, OutputError
from pipeline.sources.raw import Part, add, load_raw
from pipeline.sources.raw_files import locked
from pipeline.tickets.schema import empty


def part(*ids: str) -> Part:
    return Part(tickets=tickets(ticket_id=list(ids)), events=empty("events"), record={"kind": "test"})


def test_a_folder_that_no_import_made_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="triage import"):
        load_raw(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    add(tmp_path / "raw", part("a"))
    (tmp_path / "raw" / "events.parquet").unlink()
    with pytest.raises(InputError, match=r"events\.parquet"):
        load_raw(tmp_path / "raw")


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    add(tmp_path / "raw", part("a"))
    (tmp_path / "raw" / "import.json").write_text("{", "utf-8")
    with pytest.raises(InputError, match=r"import\.json"):
        load_raw(tmp_path / "raw")


@pytest.mark.parametrize("moved", range(6))
def test_an_import_that_was_killed_while_moving_in_is_finished_by_the_next_reader(tmp_path: Path, moved: int) -> None:
    add(tmp_path / "old", part("a"))
    shutil.copytree(tmp_path / "old", tmp_path / "whole")
    add(tmp_path / "whole", part("b"))
    ready = tmp_path / "old" / ".ready"
    shutil.copytree(tmp_path / "whole", ready)
    for name in sorted(p.name for p in ready.iterdir())[:moved]:
        os.replace(ready / name, tmp_path / "old" / name)
    assert load_raw(tmp_path / "old").tickets["ticket_id"].tolist() == ["a", "b"]
    assert sorted(p.name for p in (tmp_path / "old").iterdir()) == sorted(
        p.name for p in (tmp_path / "whole").iterdir()
    )


def test_an_import_that_was_killed_before_it_was_ready_changes_nothing(tmp_path: Path) -> None:
    add(tmp_path / "raw", part("a"))
    (tmp_path / "raw" / ".next").mkdir()
    (tmp_path / "raw" / ".next" / "tickets.parquet").write_bytes(b"half")
    assert load_raw(tmp_path / "raw").tickets["ticket_id"].tolist() == ["a"]
    add(tmp_path / "raw", part("b"))
    assert load_raw(tmp_path / "raw").tickets["ticket_id"].tolist() == ["a", "b"]


def _hold(folder: Path, ready: multiprocessing.synchronize.Event, done: multiprocessing.synchronize.Event) -> None:
    with locked(folder):
        ready.set()
        done.wait(20)


def test_two_imports_at_once_are_refused(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path, ready, done))
    other.start()
    try:
        assert ready.wait(20)
        with pytest.raises(OutputError, match="another import"):
            add(tmp_path, part("a"))
    finally:
        done.set()
        other.join()


def test_fields_of_two_imports_stand_side_by_side(tmp_path: Path) -> None:
    for ids, name in ((["a"], "one"), (["b"], "two")):
        frame = tickets(ticket_id=ids).assign(**{f"fields.{name}": pd.Series(["x"], dtype="str")})
        add(tmp_path / "raw", Part(tickets=frame, events=empty("events")))
    raw = load_raw(tmp_path / "raw")
    assert raw.tickets["fields.one"].fillna("-").tolist() == ["x", "-"]
    assert raw.columns == ["one", "two"]
