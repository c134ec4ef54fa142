"""The files of RAW_DIR: read, and written all at once or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.errors import InputError, OutputError
from pipeline.tickets import files

FRAMES = ("tickets", "events", "outcomes", "articles")
MACROS = "macros.parquet"
"""Only where macros were imported."""
RECORD = "import.json"
REJECTS = "rejects.jsonl"
_FILES = (*(f"{name}.parquet" for name in FRAMES), MACROS, REJECTS, RECORD)
_READY, _NEXT = ".ready", ".next"


def prior_record(folder: Path) -> dict[str, Any]:
    """What import.json says so far; empty for a folder that is new or empty.

    Raises
    ------
    OutputError
        If the folder holds something else.
    """
    if not folder.exists():
        return {"imports": [], "outcomes": {}}
    if not folder.is_dir():
        raise OutputError("RAW_DIR is a file", where=str(folder), do="name a folder")
    finish(folder)
    if (folder / RECORD).exists():
        return record(folder)
    strange = [p.name for p in sorted(folder.iterdir()) if not p.name.startswith(".")]
    if strange:
        raise OutputError(
            "the folder holds something else", where=str(folder), got=", ".join(strange[:5]), do="name a new folder"
        )
    return {"imports": [], "outcomes": {}}


def record(folder: Path) -> dict[str, Any]:
    """What import.json says.

    Raises
    ------
    InputError
        For a folder that no import made.
    """
    path = folder / RECORD
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        do = "run `triage import` first"
        raise InputError("no import made this folder", where=str(folder), got=f"no {RECORD}", do=do) from error
    except ValueError as error:
        do = "import again"
        raise InputError("a file of RAW_DIR is damaged", where=str(path), got="no JSON", do=do) from error
    return found


def write(folder: Path, frames: dict[str, pd.DataFrame], rejects: pd.DataFrame, said: dict[str, Any]) -> None:
    """Write all files aside, then move them in; a run that is killed in between is finished by the next reader."""
    aside = folder / _NEXT
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir()
        for name, frame in frames.items():
            files.write_parquet(frame, aside / f"{name}.parquet", name)
        before = folder / REJECTS
        old_lines = before.read_text("utf-8") if before.exists() else ""
        (aside / REJECTS).write_text(old_lines + "".join(_reject_lines(rejects)), "utf-8")
        # Keys stay as they were written: the order of priority levels means something.
        (aside / RECORD).write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", "utf-8")
        aside.rename(folder / _READY)
    except OSError as error:
        got, do = os.strerror(error.errno or 0), "free space or name another folder"
        raise OutputError("RAW_DIR can't be written", where=str(folder), got=got, do=do) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    finish(folder)


def finish(folder: Path) -> None:
    """Move in what a finished import left aside."""
    ready = folder / _READY
    if not ready.is_dir():
        return
    for name in _FILES:
        if (ready / name).exists():
            os.replace(ready / name, folder / name)
    shutil.rmtree(ready, ignore_errors=True)


def _reject_lines(rejects: pd.DataFrame) -> Iterator[str]:
    for source, code, ticket_id in rejects[["source", "code", "ticket_id"]].itertuples(index=False):
        cells = {"source": source, "code": code} | ({"ticket_id": ticket_id} if isinstance(ticket_id, str) else {})
        yield json.dumps(cells, ensure_ascii=False) + "\n"


@contextlib.contextmanager
def locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """One import at a time, and none while somebody reads all of it (`shared`): a second one is refused."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        what = "another import is writing this folder" + ("" if shared else ", or `triage remember` is reading it")
        raise OutputError(what, where=str(folder), do="wait for it") from error
    finally:
        os.close(handle)
