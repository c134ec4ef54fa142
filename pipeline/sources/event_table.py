"""Events of any table with one row per event: what happened to tickets that RAW_DIR holds, or will hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.config import Tickets
from pipeline.errors import InputError
from pipeline.history.events import joined
from pipeline.history.identity import pseudonyms
from pipeline.history.log import KINDS, SIDES, STATUSES
from pipeline.sources.event_mapping import EventMapping
from pipeline.sources.mapping_values import TimeColumn, Words, check_columns
from pipeline.sources.nested import with_inner
from pipeline.sources.raw import Part, Summary, add, known_tickets, prior_record
from pipeline.sources.rows import Columns, file_names, id_code, redacted
from pipeline.tickets import schema
from pipeline.tickets.files import read_records
from pipeline.tickets.times import read_times

_CHUNK_ROWS = 20_000
_WITH_VALUE = ("status", "assignment", "priority", "satisfaction", "field")
_ASSIGNEE = "assignee"


def import_events(
    files: Sequence[Path],
    mapping: EventMapping,
    out: Path,
    *,
    now: pd.Timestamp | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> Summary:
    """Import tables of events, all in one mapping, into RAW_DIR; outcomes are made anew with them.

    Parameters
    ----------
    files : sequence of Path
        CSV, JSONL or Parquet, gzipped or not; rows in any order.
    mapping : EventMapping
        By `load_event_mapping`.
    out : Path
        RAW_DIR, new or existing. Events of tickets that it doesn't hold are kept, and counted.
    now : Timestamp, optional
        Moment of import; later times are refused.
    progress : callable, optional
        Called with a file's name and the records read of it so far.

    Raises
    ------
    MappingError
        For a column that a file doesn't have.
    InputError
        For a file that can't be read.
    """
    prior_record(out)  # a folder that can't be used is said before the files are read
    names, reader = file_names(files), EventReader(mapping, now=now)
    events, rejects = _read_all(files, names, reader, progress)
    known = known_tickets(out)
    created = pd.Series(known.reindex(events["ticket_id"]).array, index=events.index)
    reader.counts["events_of_tickets_not_here"] += int((~events["ticket_id"].isin(known.index)).sum())
    reader.counts["events_before_their_tickets"] += int((events["occurred_at"] < created).sum())
    reader.counts["events_received_before_they_occurred"] += int((events["received_at"] < events["occurred_at"]).sum())
    counts = {k: int(v) for k, v in sorted(reader.counts.items()) if v}
    fields = events.loc[(events["kind"] == "field").to_numpy(bool), "field"]
    record: dict[str, Any] = {
        "kind": "events",
        "files": names,
        "mapping_file": mapping.where,
        "mapping": {k: v for k, v in asdict(mapping).items() if v and k != "where"},
        "tracked": sorted(fields.unique().tolist()),
        "counts": {"rows_in": reader.rows} | counts,
    }
    return add(out, Part(schema.empty("tickets"), events, rejects=rejects, record=record, rows="events"))


def _read_all(
    files: Sequence[Path], names: list[str], reader: EventReader, progress: Callable[[str, int], None] | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Events in order of time, and refused rows."""
    mapping = reader.mapping
    parts: list[tuple[pd.DataFrame, pd.DataFrame]] = []
    for path, name in zip(files, names, strict=True):
        seen: dict[str, None] = {}
        before = reader.rows
        for records in read_records(path, chunk_rows=_CHUNK_ROWS, encoding=mapping.encoding):
            records = with_inner(records, mapping.columns())
            seen.update(dict.fromkeys(str(c) for c in records.columns if c != "error"))
            parts.append(reader.events(records, name))
            if progress is not None and len(records):
                progress(name, int(records.index[-1]))
        if reader.rows > before:
            check_columns(mapping.columns(), seen, mapping=mapping.where, where=name)
    if not parts:
        raise InputError("no file holds a record", where=", ".join(names), do="check the export")
    rejects = pd.concat([refused for _, refused in parts], ignore_index=True)
    return _in_order(joined([events for events, _ in parts]), reader.counts), rejects


@dataclass
class EventReader:
    """Turns records into events and refused rows, and counts what it had to assume.

    Attributes
    ----------
    mapping : EventMapping
    now : Timestamp or None
        Later times are refused.
    rows : int
        Records so far.
    counts : Counter
        By name, as the summary says them.
    """

    mapping: EventMapping
    now: pd.Timestamp | None = None
    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def events(self, records: pd.DataFrame, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """EVENTS of some records, `seq` being the row's place; `source`, `code` and `ticket_id` of refused ones."""
        mapping, cell = self.mapping, Columns(records, self.mapping.missing)
        kind, said = _meant(cell, mapping.kind)
        kind = kind.where(kind.isin(KINDS))
        unwanted = (said.isin(mapping.kind.left_out) & records["error"].isna()).to_numpy(bool)
        self.counts["rows_left_out_by_the_mapping"] += int(unwanted.sum())
        occurred, codes = self._times(cell, mapping.occurred_at)
        codes = codes.mask(codes.isna() & occurred.isna(), "bad_time")
        received, late_codes = (
            (occurred, codes) if mapping.received_at is None else self._times(cell, mapping.received_at)
        )
        codes = codes.where(codes.notna(), late_codes)
        codes = self._codes(cell, kind, codes).mask(unwanted)
        good = codes.isna().to_numpy(bool) & ~unwanted
        place = pd.Series(range(self.rows, self.rows + len(records)), index=records.index, dtype="Int64")
        self.rows += len(records)
        known = {"occurred_at": occurred, "received_at": received, "seq": place, "kind": kind}
        events = self._made(records[good], {key: values[good] for key, values in known.items()})
        source = pd.Series([f"{name}:row-{n}" for n in records.index], index=records.index, dtype="str")
        refused = pd.DataFrame({"source": source, "code": codes, "ticket_id": cell(mapping.ticket_id)})
        return events, refused[codes.notna().to_numpy(bool)]

    def _codes(self, cell: Columns, kind: pd.Series, time_codes: pd.Series) -> pd.Series:
        """Why each row is refused, the first reason that holds; null for a good one."""
        ids, named = cell(self.mapping.ticket_id), _meant(cell, self.mapping.field)[0]
        code = cell.records["error"].astype("str")
        for found in (
            pd.Series([id_code(v) for v in ids], index=ids.index, dtype="str"),
            time_codes,
            _coded(kind.isna(), "unknown_kind"),
            _coded((kind == "field") & named.isna(), "missing_field"),
        ):
            code = code.where(code.notna(), found)
        return code

    def _made(self, records: pd.DataFrame, known: dict[str, pd.Series]) -> pd.DataFrame:
        """EVENTS of good rows."""
        mapping, cell, kind = self.mapping, Columns(records, self.mapping.missing), known["kind"]
        named = _meant(cell, mapping.field)[0].where(kind.isin(["field", "assignment"]))
        made = {
            "ticket_id": cell(mapping.ticket_id),
            "side": self._sides(cell),
            "actor": pseudonyms(cell(mapping.actor)),
            "field": named,
            "value": self._values(cell, kind, named),
            "text": self._texts(cell, kind),
        }
        return schema.conform(pd.DataFrame(known | made).reset_index(drop=True), "events")

    def _times(self, cell: Columns, time: TimeColumn) -> tuple[pd.Series, pd.Series]:
        times, codes, counts = read_times(
            cell(time.column), dayfirst=time.dayfirst, timezone=time.timezone, now=self.now
        )
        self.counts.update({f"{k}_times": v for k, v in counts.items() if k not in ("bad", "future")})
        return times, codes

    def _sides(self, cell: Columns) -> pd.Series:
        side, said = _meant(cell, self.mapping.side)
        known = side.where(side.isin(SIDES))
        self.counts["sides_outside_levels"] += int((said.notna() & known.isna()).sum())
        return known

    def _values(self, cell: Columns, kind: pd.Series, named: pd.Series) -> pd.Series:
        """Values of the kinds that have one; those of a status or a satisfaction only if they are ours."""
        value, _ = _meant(cell, self.mapping.value, keep=True)
        value = value.where(kind.isin(_WITH_VALUE))
        people = (kind == "assignment") & (named == _ASSIGNEE)
        kept = redacted(value).where(~people.fillna(False).astype(bool), pseudonyms(value))
        number = pd.to_numeric(value, errors="coerce")
        for word, ours, note in (
            ("status", value.isin(STATUSES), "status_outside_levels"),
            ("satisfaction", number.between(0.0, 1.0), "satisfaction_outside_0_to_1"),
        ):
            strange = (kind == word) & value.notna() & ~ours
            self.counts[note] += int(strange.sum())
            kept = kept.mask(strange.fillna(False).astype(bool))
        return kept

    def _texts(self, cell: Columns, kind: pd.Series) -> pd.Series:
        """What replies say; nothing else's words are kept."""
        text = cell(self.mapping.text).where(kind == "reply")
        long = (text.str.len() > Tickets.max_characters).fillna(False).astype(bool)
        self.counts["texts_too_long"] += int(long.sum())
        return redacted(text.mask(long))


def _meant(cell: Columns, words: Words, *, keep: bool = False) -> tuple[pd.Series, pd.Series]:
    """What each row's value means, and the value itself; a value outside the levels stays where it is to be kept."""
    said = cell(words.column)
    if words.always is not None:
        return pd.Series(words.always, index=said.index, dtype="str"), said
    if not words.levels:
        return said, said
    meant = said.map(words.levels).astype("str")
    return (meant.where(meant.notna(), said) if keep else meant), said


def _coded(rows: pd.Series, code: str) -> pd.Series:
    return pd.Series(None, index=rows.index, dtype="str").mask(rows.fillna(False).astype(bool), code)


def _in_order(events: pd.DataFrame, counts: Counter[str]) -> pd.DataFrame:
    """By time, the source's order within a moment; an event that stands there twice counts once."""
    twice = events.drop(columns="seq").duplicated()
    counts["repeated_events"] += int(twice.sum())
    ordered = events[~twice.to_numpy(bool)].sort_values(["occurred_at", "seq"], kind="stable", ignore_index=True)
    return ordered.assign(seq=pd.Series(range(len(ordered)), dtype="Int64"))
