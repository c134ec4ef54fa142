"""Any table by a column mapping: its tickets, and every fact that the mapping asks to keep, into a RAW_DIR."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.errors import InputError
from pipeline.history.events import created_events, field_events, joined, log_events, make_events
from pipeline.history.identity import pseudonyms
from pipeline.sources.mapping import Mapping, check
from pipeline.sources.nested import with_inner
from pipeline.sources.raw import Part, Summary, add, known_tickets, prior_record
from pipeline.sources.reader import TableReader, read_tickets
from pipeline.sources.rows import file_names, redacted, without_missing
from pipeline.tickets.files import read_records
from pipeline.tickets.times import read_times

__all__ = ["import_table", "read_tickets"]

_CHUNK_ROWS = 20_000


def import_table(
    files: Sequence[Path],
    mapping: Mapping,
    out: Path,
    *,
    now: pd.Timestamp | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> Summary:
    """Import tables of tickets or of events, all in one mapping, into RAW_DIR.

    Parameters
    ----------
    files : sequence of Path
        CSV, JSONL or Parquet, gzipped or not.
    mapping : Mapping
        By `load_mapping`.
    out : Path
        RAW_DIR, new or existing.
    now : Timestamp, optional
        Moment of import; later times are refused.
    progress : callable, optional
        Called with a file's name and the records read of it so far.

    Raises
    ------
    MappingError
        For a column that no file has, or values that never occur.
    InputError
        For a file that can't be read.
    """
    names = file_names(files)
    prior = prior_record(out)
    reader = TableReader(mapping, now=now, prefixed=_prefixed(mapping, names, prior))
    tickets, facts = _read_all(files, names, mapping, reader, progress)
    known = known_tickets(out).index.tolist() if mapping.is_event_log else []
    refused = tickets["error"].notna()
    later = (tickets["error"] == "duplicate_id") if mapping.is_event_log else pd.Series(False, index=tickets.index)
    rejected = (refused & ~later).to_numpy(bool)
    kept = tickets[~refused.to_numpy(bool)].drop(columns="error")
    kept = kept.assign(subject=redacted(kept["subject"]), body=redacted(kept["body"]))
    counts = Counter(reader.counts)
    if mapping.is_event_log:
        events = _log(tickets, facts, mapping, known, counts, now)
    else:
        events = _plain(kept, facts, mapping, counts)
    rejects = tickets.loc[rejected, ["source", "ticket_id", "error"]].rename(columns={"error": "code"})
    record: dict[str, Any] = {
        "kind": "table",
        "files": names,
        "mapping_file": mapping.where,
        "mapping": _as_written(mapping),
        "tracked": _tracked(mapping),
        "row_ids": mapping.ticket_id is None,
        "prefixed": reader.prefixed,
        "counts": {"rows_in": len(tickets)} | {k: int(v) for k, v in sorted(counts.items()) if v},
    }
    repeats = "skip" if mapping.is_event_log else "reject"
    return add(out, Part(kept, events, rejects=rejects, outcomes=mapping.outcomes, record=record, repeats=repeats))


def _read_all(
    files: Sequence[Path],
    names: list[str],
    mapping: Mapping,
    reader: TableReader,
    progress: Callable[[str, int], None] | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All tickets, and beside them the columns that facts are made of."""
    tickets: list[pd.DataFrame] = []
    facts: list[pd.DataFrame] = []
    history = list(dict.fromkeys([*mapping.history_columns(), *(mapping.fields if mapping.is_event_log else ())]))
    wanted = [*mapping.ticket_columns(), *history]
    for path, name in zip(files, names, strict=True):
        seen: dict[str, None] = {}
        for records in read_records(path, chunk_rows=_CHUNK_ROWS, encoding=mapping.encoding):
            records = with_inner(records, wanted)
            seen.update(dict.fromkeys(str(c) for c in records.columns if c != "error"))
            tickets.append(reader.tickets(records, name, json_like=True))
            wide = records.reindex(columns=history).astype("str")
            facts.append(wide.apply(without_missing, missing=mapping.missing))
            if progress is not None and len(records):
                progress(name, int(records.index[-1]))
        if tickets and len(tickets[-1]):
            check(mapping, seen, where=name)
    if not tickets:
        raise InputError("no file holds a record", where=", ".join(names), do="check the export")
    return pd.concat(tickets, ignore_index=True), pd.concat(facts, ignore_index=True)


def _plain(kept: pd.DataFrame, facts: pd.DataFrame, mapping: Mapping, counts: Counter[str]) -> pd.DataFrame:
    """Events of a table with one row per ticket: all that is known is dated by the creation."""
    seq = pd.Series(kept.index, index=kept.index, dtype="Int64")
    values = {name: _fact(facts[name], name, mapping).loc[kept.index] for name in mapping.fact_columns()}
    at = kept["created_at"]
    made = [created_events(kept, seq), field_events(kept["ticket_id"], values, at=at, received_at=at, seq=seq)]
    if mapping.status is not None:
        status = _status(facts[mapping.status.column].loc[kept.index], mapping, counts).dropna()
        made.append(make_events("status", kept["ticket_id"][status.index], seq=seq[status.index], value=status))
    return joined(made)


def _log(
    tickets: pd.DataFrame,
    facts: pd.DataFrame,
    mapping: Mapping,
    known: list[str],
    counts: Counter[str],
    now: pd.Timestamp | None,
) -> pd.DataFrame:
    """Events of an event log, of the tickets that are kept."""
    assert mapping.events.time is not None
    time = mapping.events.time
    good = tickets[tickets["error"].isna().to_numpy(bool)]
    rows = _rows_of(good, tickets)
    ids = tickets.loc[rows, "ticket_id"]
    written = facts.loc[rows, time.column]
    occurred, codes, _ = read_times(written, dayfirst=time.dayfirst, timezone=time.timezone, now=now)
    counts["bad_event_times"] += int(codes.notna().sum())
    tracked = list(mapping.fact_columns())
    changes = [f for f in mapping.fields if f not in tracked]
    order = pd.Series(ids.index, index=ids.index, dtype="Int64")
    log = pd.DataFrame({"ticket_id": ids, "occurred_at": occurred, "seq": order})
    for name in [*tracked, *changes]:
        log[name] = _fact(facts.loc[rows, name], name, mapping)
    status = None
    if mapping.status is not None:
        status = "status of the ticket"
        log[status] = _status(facts.loc[rows, mapping.status.column], mapping, counts)
    actor = None
    if mapping.events.actor is not None:
        actor = "actor of the row"
        log[actor] = pseudonyms(facts.loc[rows, mapping.events.actor])
    backwards = log.groupby("ticket_id", sort=False)["occurred_at"].diff() < pd.Timedelta(0)
    counts["tickets_with_rows_out_of_order"] += int(log.loc[backwards, "ticket_id"].nunique())
    seq = pd.Series(good.index, index=good.index, dtype="Int64")
    made = log_events(log, tracked=tracked, changes=changes, known=known, status=status, actor=actor)
    return joined([created_events(good, seq), made]).sort_values("seq", kind="stable", ignore_index=True)


def _rows_of(good: pd.DataFrame, tickets: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which rows of the log belong to the tickets that are kept."""
    readable = tickets["error"].isna() | (tickets["error"] == "duplicate_id")
    return (tickets["ticket_id"].isin(good["ticket_id"]) & readable).to_numpy(bool)


def _fact(values: pd.Series, name: str, mapping: Mapping) -> pd.Series:
    """A column's values as they are kept: redacted; times that say when an outcome was known in ISO 8601."""
    if name not in {d.known_at for d in mapping.definitions.values()}:
        return redacted(values)
    like = mapping.created_at or mapping.events.time
    times = read_times(values, dayfirst=bool(like and like.dayfirst), timezone=like.timezone if like else None)[0]
    return pd.Series(times.dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), dtype="str")


def _status(values: pd.Series, mapping: Mapping, counts: Counter[str]) -> pd.Series:
    assert mapping.status is not None
    named = values.map(mapping.status.levels).astype("str")
    counts["status_outside_levels"] += int((values.notna() & named.isna()).sum())
    return named


def _prefixed(mapping: Mapping, names: list[str], prior: dict[str, Any]) -> bool:
    """Whether row-N would be ambiguous: with several files, or where another file's rows are there already."""
    if mapping.ticket_id is not None:
        return False
    earlier = [r for r in prior["imports"] if r.get("row_ids")]
    if any(r["files"] == names for r in earlier):
        return bool(next(r for r in earlier if r["files"] == names)["prefixed"])
    return len(names) > 1 or bool(earlier)


def _tracked(mapping: Mapping) -> list[str]:
    return list(dict.fromkeys([*mapping.fact_columns(), *(mapping.fields if mapping.is_event_log else ())]))


def _as_written(mapping: Mapping) -> dict[str, Any]:
    """The mapping as plain JSON values."""
    plain = asdict(mapping)
    return {k: v for k, v in plain.items() if v and k not in ("definitions", "where")}
