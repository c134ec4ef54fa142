"""Tickets of any file by a column mapping, a frame at a time: what imports and batch scoring read with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from pipeline.config import Tickets
from pipeline.errors import InputError
from pipeline.history.identity import pseudonyms
from pipeline.history.keys import customer_keys
from pipeline.sources.mapping import Mapping, TimeColumn, check, nearest_columns
from pipeline.sources.nested import with_inner
from pipeline.sources.rows import Columns, IdsSeen, redacted
from pipeline.tickets import schema
from pipeline.tickets.files import read_records
from pipeline.tickets.language import normalise
from pipeline.tickets.schema import FIELD_PREFIX, UNDETERMINED
from pipeline.tickets.times import read_times

CHUNK_ROWS = 2_000
_JSON_NAMES = (".jsonl", ".ndjson", ".json")
_OWN_TEXT = ("subject", "body", "customer_id", "channel", "language")


def read_tickets(
    path: Path | str,
    mapping: Mapping | None = None,
    *,
    chunk_rows: int = CHUNK_ROWS,
    encoding: str | None = None,
    format: str | None = None,
    now: pd.Timestamp | None = None,
    max_characters: int = Tickets.max_characters,
) -> Iterator[pd.DataFrame]:
    """Tickets of a file, a frame at a time; one row for every input record, memory flat.

    Parameters
    ----------
    path : Path or '-'
        CSV, JSONL or Parquet, gzipped or not; `-` is standard input.
    mapping : Mapping, optional
        What the columns are; without it they are those of our own schema. Event and outcome columns are ignored.
    chunk_rows : int
        Most rows in a frame; what comes out doesn't depend on it.
    encoding, format : str, optional
        As in `tickets.files.read_records`; the mapping's encoding where none is given.
    now : Timestamp, optional
        Times more than a day later get `future_time`.
    max_characters : int
        Longer texts get `text_too_long` and are dropped.

    Yields
    ------
    DataFrame
        TICKETS columns, `as_of` where the file has it, `fields.NAME`, and `error` (a row code or null); the index is
        the record's number in the file, from 1. In an event log only a ticket's first row comes out; elsewhere a
        repeated id is coded `duplicate_id`. Text is as it was written: `tickets.parse` redacts and cleans it.

    Raises
    ------
    InputError
        For a file that can't be read, or isn't in our schema where no mapping is given.
    MappingError
        For a column of the mapping that the file doesn't have.
    """
    reader = TableReader(mapping, now=now, max_characters=max_characters)
    waiting: pd.DataFrame | None = None
    name = "stdin" if str(path) == "-" else Path(path).name
    encoding = encoding or (mapping.encoding if mapping else None)
    for records in read_records(path, chunk_rows=chunk_rows, encoding=encoding, format=format):
        if mapping is not None:
            records = with_inner(records, mapping.ticket_columns())
        tickets = reader.tickets(records, name, json_like=_json_like(path, format))
        if mapping is not None and mapping.is_event_log:
            tickets = tickets[(tickets["error"].isna() | (tickets["error"] != "duplicate_id")).to_numpy(bool)]
        if len(tickets):
            yield tickets
            waiting = None
            reader.any_row = True
        else:
            waiting = tickets
    if waiting is not None and not reader.any_row:
        yield waiting


@dataclass
class TableReader:
    """Turns records into tickets; remembers the ids that it saw and counts what it had to assume.

    Attributes
    ----------
    mapping : Mapping or None
        None: our own schema.
    now : Timestamp or None
        Later times are refused.
    max_characters : int
        Longer texts are refused.
    prefixed : bool
        Whether rows without ids are called FILE:row-N rather than row-N.
    """

    mapping: Mapping | None
    now: pd.Timestamp | None = None
    max_characters: int = Tickets.max_characters
    prefixed: bool = False
    any_row: bool = False
    seen: IdsSeen = field(default_factory=IdsSeen)
    counts: Counter[str] = field(default_factory=Counter)
    checked: set[str] = field(default_factory=set)

    def tickets(self, records: pd.DataFrame, name: str, *, json_like: bool = False) -> pd.DataFrame:
        """TICKETS columns, `fields.NAME` and `error`, one row for each record."""
        mapping = self.mapping or own_mapping(records.columns, name, first=name not in self.checked)
        if self.mapping is not None and name not in self.checked:
            _check_tickets(mapping, records, name, json_like=json_like)
        self.checked.add(name)
        rows = pd.Series([f"{name}:row-{n}" for n in records.index], index=records.index, dtype="str")
        column = Columns(records, mapping.missing)
        times, time_codes = self._times(column, mapping.created_at)
        ids = self._ids(column, mapping, rows)
        cells = {
            "ticket_id": ids,
            "created_at": times,
            "subject": column(mapping.subject),
            "body": _joined([column(name) for name in mapping.body], records.index),
            "customer_id": pseudonyms(column(mapping.customer_id)),
            "customer_keys": self._customer_keys(column, mapping),
            "channel": column(mapping.channel),
            "language": _languages(column(mapping.language)),
            "source": rows,
        }
        prefix = "" if self.mapping is None else FIELD_PREFIX
        cells |= {prefix + f: redacted(column(f)) for f in mapping.fields}
        if self.mapping is None and "as_of" in records:
            cells["as_of"], as_of_codes = self._times(column, TimeColumn("as_of"))
            time_codes = time_codes.where(time_codes.notna(), as_of_codes)
        frame = schema.conform(pd.DataFrame(cells, index=records.index), "tickets")
        return self._coded(frame, records["error"], time_codes)

    def _times(self, column: Columns, time: TimeColumn | None) -> tuple[pd.Series, pd.Series]:
        values = column(time.column if time else None)
        times, codes, counts = read_times(
            values, dayfirst=bool(time and time.dayfirst), timezone=time.timezone if time else None, now=self.now
        )
        self.counts.update({f"{k}_times": v for k, v in counts.items()})
        return times, codes

    def _customer_keys(self, column: Columns, mapping: Mapping) -> pd.Series:
        addresses = {kind: [column(name) for name in names] for kind, names in mapping.customer.items()}
        given = column("customer_keys" if self.mapping is None else None)
        keys, counts = customer_keys(column(mapping.customer_id), addresses, given)
        self.counts.update(counts)
        return keys

    def _ids(self, column: Columns, mapping: Mapping, rows: pd.Series) -> pd.Series:
        if mapping.ticket_id is not None:
            return column(mapping.ticket_id)
        return rows if self.prefixed else rows.str.rsplit(":", n=1).str[-1]

    def _coded(self, frame: pd.DataFrame, unreadable: pd.Series, time_codes: pd.Series) -> pd.DataFrame:
        readable = unreadable.isna().to_numpy(bool)
        ids = pd.Series(None, index=frame.index, dtype="str")
        ids[readable] = self.seen.codes(frame["ticket_id"][readable])
        length = frame["subject"].str.len().fillna(0) + frame["body"].str.len().fillna(0)
        too_long = (length > self.max_characters).to_numpy(bool)
        error = unreadable.where(~readable, ids)
        error = error.where(error.notna(), time_codes)
        error = error.mask(error.isna() & too_long, "text_too_long")
        for name in ("subject", "body"):
            frame[name] = frame[name].mask(too_long)
        frame["ticket_id"] = frame["ticket_id"].where(readable)
        return frame.assign(error=error.astype("str"))


def own_mapping(columns: Sequence[str] | pd.Index, where: str, *, first: bool = True) -> Mapping:
    """The mapping of a table that is in our own schema already.

    Raises
    ------
    InputError
        If the first frame has no `ticket_id`, or neither text nor `fields.NAME`.
    """
    names = [str(c) for c in columns]
    fields = tuple(n for n in names if n.startswith(FIELD_PREFIX))
    if first and ("ticket_id" not in names or not ({"subject", "body"} & set(names) or fields)):
        wanted = "ticket_id" if "ticket_id" not in names else "subject"
        near = nearest_columns(wanted, names)
        raise InputError(
            "the table isn't in our schema: it needs ticket_id, and subject, body or fields.NAME",
            where=where,
            got=f"columns {', '.join(names[:30])}",
            do=(f"nearest to {wanted}: {', '.join(near)}; " if near else "") + "say which column is what by --mapping",
        )
    has = {n: n if n in names else None for n in _OWN_TEXT}
    return Mapping(
        ticket_id="ticket_id",
        created_at=TimeColumn("created_at") if "created_at" in names else None,
        subject=has["subject"],
        body=("body",) if has["body"] else (),
        customer_id=has["customer_id"],
        channel=has["channel"],
        language=has["language"],
        fields=fields,
    )


def _joined(parts: list[pd.Series], index: pd.Index) -> pd.Series:
    """Texts joined by line ends, in order, empty ones left out."""
    if len(parts) == 1:
        return parts[0]
    rows = zip(*parts, strict=True) if parts else ([] for _ in index)
    texts = ["\n".join(p for p in row if isinstance(p, str)) or None for row in rows]
    return pd.Series(texts, index=index, dtype="str")


def _languages(values: pd.Series) -> pd.Series:
    """ISO 639-1 codes; null, to be identified, where the source's word isn't a code."""
    codes = {v: normalise(v) for v in values.dropna().unique()}
    return values.map({v: c for v, c in codes.items() if c != UNDETERMINED or v == UNDETERMINED}).astype("str")


def _check_tickets(mapping: Mapping, records: pd.DataFrame, name: str, *, json_like: bool) -> None:
    """Every mapped column must be there; of JSON lines, which leave out what is empty, an id and something to score."""
    present = [str(c) for c in records.columns if c != "error"]
    text = {mapping.subject, *mapping.body, *mapping.fields} & set(present)
    if json_like and text and (mapping.ticket_id is None or mapping.ticket_id in present):
        return
    if len(present) or not len(records):
        check(mapping, present, where=name, history=False)


def _json_like(path: Path | str, format: str | None) -> bool:
    if format is not None:
        return format == "jsonl"
    return str(path) == "-" or any(suffix in _JSON_NAMES for suffix in Path(path).suffixes)
