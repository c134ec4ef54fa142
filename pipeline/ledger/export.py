"""A ledger as one flat file: a line for each decision and each piece of feedback, in the order of time."""

from __future__ import annotations

import csv
import heapq
import io
import json
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import OutputError
from pipeline.ledger.decisions import Decision, as_json
from pipeline.ledger.feedback import Feedback
from pipeline.ledger.ledger import Ledger
from pipeline.tickets.files import written_whole

_TIME = pa.timestamp("us", tz="UTC")

COLUMNS: dict[str, pa.DataType] = {
    "record": pa.string(),
    "key": pa.string(),
    "ticket_id": pa.string(),
    "at": _TIME,
    "door": pa.string(),
    "as_of": _TIME,
    "content": pa.string(),
    "scorer_version": pa.string(),
    "shown": pa.bool_(),
    "history": pa.bool_(),
    "topic": pa.string(),
    "topic_confidence": pa.float64(),
    "queue": pa.string(),
    "queue_reason": pa.string(),
    "priority": pa.string(),
    "priority_confidence": pa.float64(),
    "escalation_risk": pa.float64(),
    "error": pa.string(),
    "kind": pa.string(),
    "value": pa.string(),
    "by": pa.string(),
    "source": pa.string(),
    "decision": pa.string(),
    "scored": pa.string(),
    "ticket": pa.string(),
}
"""Columns of an export. `record` is `decision` or `feedback`, `at` is when; `scored` and `ticket` are JSON."""

_OF_THE_SCORED = (
    "topic", "topic_confidence", "queue", "queue_reason", "priority", "priority_confidence", "escalation_risk", "error",
)  # fmt: skip
_AT_ONCE = 2_000

Row = dict[str, Any]


def export(
    ledger: Ledger,
    out: Path,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    tickets: bool = False,
    force: bool = False,
) -> dict[str, int]:
    """Write decisions and feedback to a file, which appears whole or not at all.

    Parameters
    ----------
    out : Path
        `.jsonl`, `.parquet` or `.csv`.
    since, until : datetime, optional
        Made or given from `since` on, and before `until`.
    tickets : bool
        Whether the redacted tickets are in it.
    force : bool
        Whether a file may be replaced.

    Returns
    -------
    dict
        How many of each record.

    Raises
    ------
    OutputError
        Another suffix, a file that is there already, a full disk.
    StoreError
    """
    writers = {".jsonl": _write_jsonl, ".parquet": _write_parquet, ".csv": _write_csv}
    if out.suffix not in writers:
        do = "end it in .jsonl, .parquet or .csv"
        raise OutputError("the output's format isn't known", where=out.name, got=out.suffix or "no suffix", do=do)
    if out.exists() and not force:
        raise OutputError("the output is already there", where=out.name, do="name another, or replace it with --force")
    counts = {"decision": 0, "feedback": 0}
    with written_whole(out) as stream:
        writers[out.suffix](stream, _counted(_rows(ledger, since, until, tickets), counts))
    return counts


def _rows(ledger: Ledger, since: datetime | None, until: datetime | None, tickets: bool) -> Iterator[Row]:
    decisions = (_decision(one, tickets) for one in ledger.all_decisions(since, until))
    feedback = (_feedback(one) for one in ledger.all_feedback(since, until))
    return heapq.merge(decisions, feedback, key=_at)


def _at(row: Row) -> datetime:
    moment: datetime = row["at"]
    return moment


def _decision(one: Decision, tickets: bool) -> Row:
    names = ("key", "ticket_id", "door", "as_of", "content", "scorer_version", "shown", "history")
    told = {name: getattr(one, name) for name in names} | {name: one.scored.get(name) for name in _OF_THE_SCORED}
    kept = as_json(one.ticket) if tickets and one.ticket is not None else None
    return {"record": "decision", "at": one.decided_at, **told, "scored": as_json(one.scored), "ticket": kept}


def _feedback(one: Feedback) -> Row:
    names = ("key", "ticket_id", "kind", "value", "by", "source", "decision")
    return {"record": "feedback", "at": one.given_at} | {name: getattr(one, name) for name in names}


def _counted(rows: Iterator[Row], counts: dict[str, int]) -> Iterator[Row]:
    for row in rows:
        counts[row["record"]] += 1
        yield row


def _write_jsonl(stream: BinaryIO, rows: Iterator[Row]) -> None:
    for row in rows:
        told = {name: value for name, value in _plain(row).items() if value is not None}
        nested = {name: json.loads(told[name]) for name in ("scored", "ticket") if name in told}
        stream.write(as_json(told | nested).encode() + b"\n")


def _write_csv(stream: BinaryIO, rows: Iterator[Row]) -> None:
    text = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline="")
    writer = csv.DictWriter(text, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(_plain, rows))
    text.flush()
    text.detach()


def _write_parquet(stream: BinaryIO, rows: Iterator[Row]) -> None:
    kinds = pa.schema(COLUMNS)
    with pq.ParquetWriter(stream, kinds, compression="zstd") as writer:
        for first in rows:
            some = [first, *islice(rows, _AT_ONCE - 1)]
            writer.write_table(pa.Table.from_pylist(some, schema=kinds))


def _plain(row: Row) -> Row:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
