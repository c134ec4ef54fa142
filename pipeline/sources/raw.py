"""RAW_DIR: what imports leave and training reads; every change of it happens as a whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.config import nearest
from pipeline.errors import ConfigError, InputError, MappingError, OutputError
from pipeline.history.definitions import Definition, parse_definitions, source_columns
from pipeline.history.events import merge_events
from pipeline.history.outcomes import check_values, derive, outside_levels
from pipeline.sources.part import Part, Summary
from pipeline.tickets import files, schema
from pipeline.tickets.schema import FIELD_PREFIX

__all__ = ["FRAMES", "Part", "Raw", "Summary", "add", "known_tickets", "load_raw", "merged", "prior_record", "relabel"]

FRAMES = ("tickets", "events", "outcomes", "articles")
RECORD = "import.json"
REJECTS = "rejects.jsonl"
_FILES = (*(f"{name}.parquet" for name in FRAMES), REJECTS, RECORD)
_READY, _NEXT = ".ready", ".next"


@dataclass(frozen=True)
class Raw:
    """What lies in a RAW_DIR.

    Attributes
    ----------
    tickets, events, outcomes, articles : DataFrame
        By their schemas; tickets have `fields.NAME` columns too.
    outcomes_as_written : dict
        The outcome definitions of all imports, later ones winning, as YAML values.
    imports : list of dict
        One record for each import: kind, files, mapping, tracked columns, counts.
    """

    tickets: pd.DataFrame
    events: pd.DataFrame
    outcomes: pd.DataFrame
    articles: pd.DataFrame
    outcomes_as_written: dict[str, Any]
    imports: list[dict[str, Any]]

    @property
    def definitions(self) -> dict[str, Definition]:
        """The parsed outcome definitions of the imports."""
        return parse_definitions(self.outcomes_as_written, RECORD)

    @property
    def columns(self) -> list[str]:
        """The source columns that the facts know, which an outcome may name."""
        tracked = [c for record in self.imports for c in record.get("tracked", ())]
        fields = [str(c).removeprefix(FIELD_PREFIX) for c in self.tickets.columns if str(c).startswith(FIELD_PREFIX)]
        return sorted({*tracked, *fields})


def load_raw(folder: Path) -> Raw:
    """Read a RAW_DIR.

    Raises
    ------
    InputError
        For a folder that no import made, or a damaged file in it.
    """
    _finish(folder)
    record = _record(folder)
    frames = {name: schema.conform(files.read_parquet(folder / f"{name}.parquet"), name) for name in FRAMES}
    return Raw(**frames, outcomes_as_written=record["outcomes"], imports=record["imports"])


def relabel(
    raw: Raw, outcomes: dict[str, Any], *, where: str = "params.yaml: outcomes"
) -> tuple[dict[str, Definition], pd.DataFrame]:
    """The outcomes by the import's definitions and those of params.yaml, which win; null there drops one.

    Raises
    ------
    ConfigError
        For a definition that can't be read, names a column that the import kept no facts of, or fits no value.
    """
    definitions = parse_definitions(merged(raw.outcomes_as_written, outcomes), where)
    known = raw.columns
    for definition in definitions.values():
        for column in sorted(source_columns(definition)):
            if column not in known:
                near = nearest(column, known)
                raise ConfigError(
                    f"the import kept no facts of column {column!r}",
                    where=f"{where}: {definition.outcome}",
                    got=f"kept: {', '.join(known[:30])}",
                    do=(f"did you mean {near[0]!r}? Otherwise " if near else "")
                    + "name it in the mapping (outcomes, or events: {track: [...]}) and import again",
                )
    check_values(raw.tickets, raw.events, definitions, where=where)
    return definitions, derive(raw.tickets, raw.events, definitions, articles=raw.articles)


def merged(outcomes: dict[str, Any], winning: dict[str, Any]) -> dict[str, Any]:
    """Definitions as written, those of `winning` instead of their namesakes."""
    both = [(("article" if k == "articles" else str(k)), v) for part in (outcomes, winning) for k, v in part.items()]
    return dict(both)


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
    _finish(folder)
    if (folder / RECORD).exists():
        return _record(folder)
    strange = [p.name for p in sorted(folder.iterdir()) if not p.name.startswith(".")]
    if strange:
        raise OutputError(
            "the folder holds something else", where=str(folder), got=", ".join(strange[:5]), do="name a new folder"
        )
    return {"imports": [], "outcomes": {}}


def known_tickets(folder: Path) -> list[str]:
    """Ids of the tickets that RAW_DIR holds."""
    path = folder / "tickets.parquet"
    return files.read_parquet(path, ["ticket_id"])["ticket_id"].tolist() if path.exists() else []


def add(folder: Path, part: Part) -> Summary:
    """Add one import's tickets, events and articles to RAW_DIR, and make its outcomes anew.

    The first ticket of an id stays; events that are there already aren't doubled. The same input gives the same bytes.

    Raises
    ------
    MappingError
        For an `equals` that never occurs or `levels` of which none occurs; nothing is written.
    OutputError
        For a folder that holds something else, or is being written.
    """
    prior_record(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        do = "name a folder that can be made"
        raise OutputError("RAW_DIR can't be made", where=str(folder), got=str(error.strerror), do=do) from error
    with _locked(folder):
        return _add(folder, part, prior_record(folder))


def _add(folder: Path, part: Part, prior: dict[str, Any]) -> Summary:
    old = load_raw(folder) if prior["imports"] else _nothing()
    again = part.tickets["ticket_id"].isin(old.tickets["ticket_id"]).to_numpy(bool)
    rejects = part.rejects
    if part.repeats == "reject" and again.any():
        copies = part.tickets.loc[again, ["source", "ticket_id"]].assign(code="duplicate_id")
        rejects = pd.concat([rejects, copies], ignore_index=True)
    tickets = pd.concat([old.tickets, part.tickets[~again]], ignore_index=True) if len(old.tickets) else part.tickets
    tickets = schema.conform(tickets.reset_index(drop=True), "tickets")
    events = merge_events(old.events, _new_events(part, set(part.tickets.loc[again, "ticket_id"])))
    articles = pd.concat([old.articles, part.articles], ignore_index=True).drop_duplicates(
        "article_id", ignore_index=True
    )
    articles = schema.conform(articles, "articles")
    written = merged(prior["outcomes"], part.outcomes)
    where = str(part.record.get("mapping_file", RECORD))
    definitions = parse_definitions(written, where, error=MappingError)
    check_values(tickets, events, definitions, where=where, error=MappingError)
    outcomes = derive(tickets, events, definitions, articles=articles)
    counts = part.record.get("counts", {})
    summary = Summary(
        rows_in=int(counts.get("rows_in", len(part.tickets) + len(part.rejects))),
        tickets_in=len(part.tickets) + len(part.rejects),
        tickets=len(tickets),
        events=len(events),
        articles=len(articles),
        refused={str(k): int(v) for k, v in rejects["code"].value_counts().sort_index().items()},
        notes={k: v for k, v in counts.items() if k != "rows_in" and v},
        outside_levels=outside_levels(tickets, events, definitions),
        outcomes={str(k): int(v) for k, v in outcomes["outcome"].value_counts().sort_index().items()},
        redefined=tuple(k for k, v in part.outcomes.items() if k in prior["outcomes"] and prior["outcomes"][k] != v),
    )
    record = part.record | {"counts": counts | {"tickets_in": summary.tickets_in, "refused": summary.refused}}
    frames = {"tickets": tickets, "events": events, "outcomes": outcomes, "articles": articles}
    _write(folder, frames, rejects, {"imports": [*prior["imports"], record], "outcomes": written})
    return summary


def _new_events(part: Part, again: set[str]) -> pd.DataFrame:
    """Without what a ticket brings that is there already: its creation, and a copy's values."""
    first = ["created"] if part.repeats == "skip" and part.record.get("kind") == "table" else ["created", "field"]
    stale = part.events["ticket_id"].isin(list(again)) & part.events["kind"].isin(first)
    return part.events[~stale.to_numpy(bool)].reset_index(drop=True)


def _nothing() -> Raw:
    return Raw(**{name: schema.empty(name) for name in FRAMES}, outcomes_as_written={}, imports=[])


def _record(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    try:
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        do = "run `triage import` first"
        raise InputError("no import made this folder", where=str(folder), got=f"no {RECORD}", do=do) from error
    except ValueError as error:
        do = "import again"
        raise InputError("a file of RAW_DIR is damaged", where=str(path), got="no JSON", do=do) from error
    return record


def _write(folder: Path, frames: dict[str, pd.DataFrame], rejects: pd.DataFrame, record: dict[str, Any]) -> None:
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
        (aside / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        got, do = os.strerror(error.errno or 0), "free space or name another folder"
        raise OutputError("RAW_DIR can't be written", where=str(folder), got=got, do=do) from error
    aside.rename(folder / _READY)
    _finish(folder)


def _finish(folder: Path) -> None:
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
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise OutputError("another import is writing this folder", where=str(folder), do="wait for it") from error
    finally:
        os.close(handle)
