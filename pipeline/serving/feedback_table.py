"""A helpdesk's own corrections go into the ledger: any table with one row for each thing that a person said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pandas as pd

from pipeline.errors import InputError
from pipeline.ledger import KINDS, Feedback, Kind, Ledger
from pipeline.ledger.feedback import VALUELESS
from pipeline.sources.mapping_values import (
    TimeColumn,
    Words,
    check_columns,
    known_keys,
    name_of,
    names_of,
    read_mapping,
    time_of,
    words_of,
    wrong,
)
from pipeline.sources.nested import with_inner
from pipeline.sources.rows import Columns, id_code
from pipeline.tickets.files import read_records
from pipeline.tickets.times import read_times

_CHUNK_ROWS = 5_000
_KEYS = ("ticket_id", "kind", "value", "given_at", "by", "missing", "encoding")

Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class FeedbackMapping:
    """Which column is what; every attribute is a key of MAPPING.yaml, and `where` is its name."""

    ticket_id: str
    kind: Words
    value: Words
    given_at: TimeColumn
    by: str | None
    missing: tuple[str, ...] = ()
    encoding: str | None = None
    where: str = ""

    def columns(self) -> tuple[str, ...]:
        """Columns that a file must have."""
        named: list[str | None] = [self.ticket_id, self.kind.column, self.given_at.column]
        if self.where:  # a mapping names what is there
            named += [self.value.column, self.by]
        return tuple(dict.fromkeys(name for name in named if name))


OWN = FeedbackMapping("ticket_id", Words("kind"), Words("value"), TimeColumn("given_at"), "by")
"""The columns of a file without a mapping; `value` and `by` may be absent."""


@dataclass(frozen=True)
class Imported:
    """What came of an import.

    Attributes
    ----------
    rows, new : int
        Records read, and those of them that the ledger didn't hold before.
    refused : dict of str to int
        Rows by code; they lie in `rejects`.
    left_out : int
        Rows of a kind that the mapping leaves out.
    rejects : tuple of dict
        `source`, `code` and `ticket_id` of each refused row.
    """

    rows: int
    new: int
    refused: dict[str, int]
    left_out: int
    rejects: tuple[dict[str, str], ...]

    @property
    def refused_share(self) -> float:
        """Of all rows."""
        return len(self.rejects) / self.rows if self.rows else 0.0


def load_feedback_mapping(path: Path) -> FeedbackMapping:
    """Read and check a MAPPING.yaml of feedback.

    Raises
    ------
    MappingError
        For a file that can't be read, an unknown key or kind (the nearest right one is named), or a missing key.
    """
    where = path.name
    raw = known_keys(read_mapping(path), _KEYS, where)
    for key in ("ticket_id", "kind", "given_at"):
        if raw.get(key) is None:
            wrong(f"feedback needs `{key}`", where, f"keys {', '.join(map(str, raw))}", f"write `{key}: COLUMN`")
    given_at, ticket_id = time_of(raw["given_at"], f"{where}: given_at"), name_of(raw, "ticket_id", where)
    assert given_at is not None and ticket_id is not None
    return FeedbackMapping(
        ticket_id=ticket_id,
        kind=words_of(raw["kind"], f"{where}: kind", KINDS, may_leave_out=True),
        value=words_of(raw.get("value"), f"{where}: value"),
        given_at=given_at,
        by=name_of(raw, "by", where),
        missing=names_of(raw, "missing", where),
        encoding=name_of(raw, "encoding", where),
        where=where,
    )


def import_feedback(
    path: Path,
    ledger: Ledger,
    *,
    mapping: FeedbackMapping | None = None,
    now: pd.Timestamp,
    progress: Progress | None = None,
) -> Imported:
    """Put a file of feedback into the ledger; given again, it adds nothing.

    Parameters
    ----------
    path : Path
        CSV, JSONL or Parquet, gzipped or not; rows in any order.
    now : Timestamp
        Later times are refused (by more than a day).

    Raises
    ------
    InputError, MappingError
        A file that can't be read, or lacks a column.
    StoreError
        The ledger can't take it; chunks before are in it.
    """
    reader, new = _Reader(mapping or OWN, path.name, now), 0
    for records in read_records(path, chunk_rows=_CHUNK_ROWS, encoding=reader.mapping.encoding):
        new += ledger.add_feedback(list(reader.feedback(records)))
        if progress is not None and len(records):
            progress(path.name, int(records.index[-1]))
    if not reader.rows:
        raise InputError("the file holds no record", where=path.name, do="check the export")
    refused = dict(sorted(Counter(one["code"] for one in reader.rejects).items()))
    return Imported(reader.rows, new, refused, reader.left_out, tuple(reader.rejects))


@dataclass
class _Reader:
    """Turns records into feedback and refused rows."""

    mapping: FeedbackMapping
    name: str
    now: pd.Timestamp
    rows: int = 0
    left_out: int = 0
    rejects: list[dict[str, str]] = field(default_factory=list)

    def feedback(self, records: pd.DataFrame) -> Iterator[Feedback]:
        """Feedback of the good rows; the others are kept with their code."""
        mapping = self.mapping
        records = with_inner(records, mapping.columns())
        if not self.rows and len(records):
            there = [str(name) for name in records.columns if name != "error"]
            check_columns(mapping.columns(), there, mapping=mapping.where or "the names of feedback", where=self.name)
        self.rows += len(records)
        cell, time = Columns(records, mapping.missing), mapping.given_at
        times, time_codes, _ = read_times(
            cell(time.column), dayfirst=time.dayfirst, timezone=time.timezone, now=self.now
        )
        told: dict[str, pd.Series] = {
            "id": cell(mapping.ticket_id),
            "kind": _meant(cell, mapping.kind),
            "said": cell(mapping.kind.column),
            "value": _meant(cell, mapping.value),
            "at": times,
            "by": cell(mapping.by),
            "unreadable": records["error"],
            "time_code": time_codes,
        }
        columns = [[None if value is pd.NaT or value != value else value for value in told[name]] for name in told]
        for number, *values in zip(records.index, *columns, strict=True):
            yield from self._row(f"{self.name}:row-{number}", dict(zip(told, values, strict=True)))

    def _row(self, source: str, row: dict[str, Any]) -> Iterator[Feedback]:
        if row["said"] in self.mapping.kind.left_out and row["unreadable"] is None:
            self.left_out += 1
        elif (code := _code(row)) is not None:
            named = {} if row["id"] is None else {"ticket_id": str(row["id"])}
            self.rejects.append({"source": source, "code": code} | named)
        else:
            kind, by = cast(Kind, row["kind"]), row["by"]
            value = None if kind in VALUELESS else row["value"]
            at = row["at"].to_pydatetime()
            yield Feedback(row["id"], at, kind, value, by=by, source=self.name)


def _meant(cell: Columns, words: Words) -> pd.Series:
    """What each row's value means; one outside the levels stays as it is."""
    said = cell(words.column)
    if words.always is not None:
        return pd.Series(words.always, index=said.index, dtype="str")
    return said.map(lambda value: words.levels.get(value, value), na_action="ignore") if words.levels else said


def _code(row: dict[str, Any]) -> str | None:
    """Why a row is refused, the first reason that holds."""
    if row["unreadable"] is not None:
        return str(row["unreadable"])
    if (code := id_code(row["id"])) is not None:
        return code
    if row["time_code"] is not None or row["at"] is None:
        return str(row["time_code"] or "bad_time")
    if row["kind"] not in KINDS:
        return "unknown_kind"
    return "missing_value" if row["value"] is None and row["kind"] not in VALUELESS else None
