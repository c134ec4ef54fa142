"""Tickets of any file by a column mapping, a frame at a time: what imports and batch scoring read with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.config import Tickets
from pipeline.errors import InputError
from pipeline.history.identity import pseudonym
from pipeline.history.keys import keys_texts
from pipeline.sources.mapping import Mapping, TimeColumn, check, nearest_columns
from pipeline.sources.nested import with_inner
from pipeline.sources.rows import Cells, IdsSeen, each
from pipeline.tickets import schema
from pipeline.tickets.files import read_records
from pipeline.tickets.language import normalise
from pipeline.tickets.records import ROW, Record, encodable
from pipeline.tickets.redact import redact
from pipeline.tickets.schema import FIELD_PREFIX, UNDETERMINED
from pipeline.tickets.times import NO_TIME, read_moments

CHUNK_ROWS = 2_000
_JSON_NAMES = (".jsonl", ".ndjson", ".json")
_OWN_KEYS = ("customer_keys", "as_of")
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
        wanted = {*mapping.ticket_columns(), *_OWN_KEYS}
        columns = {str(c): records[c].tolist() for c in records.columns if c in wanted}
        read = self._read(columns, records["error"].tolist(), mapping, name, rows=records.index.tolist())
        return _frame(*read).set_index(records.index)

    def tickets_of(self, records: Sequence[Record], name: str) -> pd.DataFrame:
        """The same of a few records in our own schema, quickly: text lies in columns of objects."""
        names = dict.fromkeys(n for r in records if isinstance(r.values, dict) for n in r.values)
        values: list[dict[str, str | None]] = [r.values if isinstance(r.values, dict) else {} for r in records]
        columns = {n: [encodable(row.get(n)) for row in values] for n in names}
        mapping = own_mapping(list(columns), name, first=False)
        rows = pd.RangeIndex(1, len(records) + 1, name=ROW)
        return _object_frame(*self._read(columns, [r.error for r in records], mapping, name, rows=rows), rows)

    def _read(
        self,
        columns: dict[str, list[Any]],
        unreadable: Sequence[object],
        mapping: Mapping,
        name: str,
        *,
        rows: Sequence[int] | pd.RangeIndex,
    ) -> tuple[dict[str, list[str | None]], dict[str, Any]]:
        """Columns of text, and of times in microseconds."""
        cell = Cells(columns, len(rows), mapping.missing)
        own = [f"{name}:row-{n}" for n in rows]
        created, codes = self._times(cell, mapping.created_at)
        texts: dict[str, list[str | None]] = {
            "ticket_id": self._ids(cell, mapping, own),
            "subject": cell(mapping.subject),
            "body": _joined([cell(n) for n in mapping.body], len(rows)),
            "customer_id": each(cell(mapping.customer_id), pseudonym),
            "customer_keys": self._customer_keys(cell, mapping),
            "channel": cell(mapping.channel),
            "language": each(cell(mapping.language), _language),
            "source": [*own],
        }
        prefix = "" if self.mapping is None else FIELD_PREFIX
        texts |= {prefix + f: each(cell(f), redact) for f in mapping.fields}
        times = {"created_at": created}
        if self.mapping is None and "as_of" in columns:
            times["as_of"], late = self._times(cell, TimeColumn("as_of"))
            codes = [code or other for code, other in zip(codes, late, strict=True)]
        texts["error"] = self._coded(texts, [e if isinstance(e, str) else None for e in unreadable], codes)
        return texts, times

    def _times(self, cell: Cells, time: TimeColumn | None) -> tuple[Any, list[str | None]]:
        """Microseconds since 1970, and codes."""
        moments, codes, counts = read_moments(
            cell(time.column if time else None),
            dayfirst=bool(time and time.dayfirst),
            timezone=time.timezone if time else None,
            now=self.now,
        )
        self.counts.update({f"{k}_times": v for k, v in counts.items()})
        return moments, codes

    def _customer_keys(self, cell: Cells, mapping: Mapping) -> list[str | None]:
        addresses = {kind: [cell(name) for name in names] for kind, names in mapping.customer.items()}
        given = cell("customer_keys" if self.mapping is None else None)
        keys, counts = keys_texts(cell(mapping.customer_id), addresses, given)
        self.counts.update(counts)
        return keys

    def _ids(self, cell: Cells, mapping: Mapping, own: list[str]) -> list[str | None]:
        if mapping.ticket_id is not None:
            return cell(mapping.ticket_id)
        return [*own] if self.prefixed else [row.rsplit(":", 1)[-1] for row in own]

    def _coded(
        self, texts: dict[str, list[str | None]], unreadable: list[str | None], time_codes: list[str | None]
    ) -> list[str | None]:
        """The first code that fits each row; what can't be read has no id, and what is too long no text."""
        ids, subjects, bodies = texts["ticket_id"], texts["subject"], texts["body"]
        errors: list[str | None] = []
        for row, code in enumerate(unreadable):
            if code is None:
                code = self.seen.code(ids[row]) or time_codes[row]
            else:
                ids[row] = None
            if len(subjects[row] or "") + len(bodies[row] or "") > self.max_characters:
                subjects[row] = bodies[row] = None
                code = code or "text_too_long"
            errors.append(code)
        return errors


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


def _frame(texts: dict[str, list[str | None]], times: dict[str, Any]) -> pd.DataFrame:
    """A frame as `schema.conform` makes it, and `error` at its end."""
    names = _names(texts, times)
    arrays = {n: _moments(times[n]) if n in times else pa.array(texts[n], pa.string()) for n in names}
    frame: pd.DataFrame = pa.table(arrays).to_pandas(use_threads=False)
    return frame


def _object_frame(texts: dict[str, list[str | None]], times: dict[str, Any], index: pd.Index) -> pd.DataFrame:
    """The same as one block of objects: Arrow's way takes most of the time where there is one row."""
    names = _names(texts, times)
    cells = np.empty((len(index), len(names)), dtype=object)
    for place, name in enumerate(names):
        if name in texts:
            cells[:, place] = texts[name]
    frame = pd.DataFrame(cells, index=index, columns=names, dtype=object, copy=False)
    for name, microseconds in times.items():
        frame[name] = pd.DatetimeIndex(microseconds.view("datetime64[us]"), tz="UTC")
    return frame


def _names(texts: dict[str, list[str | None]], times: dict[str, Any]) -> list[str]:
    names = [*schema.names("tickets"), *(["as_of"] if "as_of" in times else [])]
    return [*names, *sorted(n for n in texts if n.startswith(FIELD_PREFIX)), "error"]


def _moments(microseconds: Any) -> pa.Array:
    return pa.array(microseconds, pa.timestamp("us", "UTC"), mask=microseconds == NO_TIME)


def _joined(parts: list[list[str | None]], size: int) -> list[str | None]:
    """Texts joined by line ends, in order, empty ones left out."""
    if len(parts) == 1:
        return parts[0]
    rows = zip(*parts, strict=True) if parts else ((),) * size
    return ["\n".join(p for p in row if p is not None) or None for row in rows]


def _language(value: str) -> str | None:
    """ISO 639-1 code; null, to be identified, where the source's word isn't a code."""
    code = normalise(value)
    return None if code == UNDETERMINED and value != UNDETERMINED else code


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
