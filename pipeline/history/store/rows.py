"""Frames become rows of the store: a bad row gets a code; text is read, and never kept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.errors import InputError
from pipeline.history.log import KEYED, KINDS, NEVER, WORDS, event_key, moments
from pipeline.history.mood import SIGNAL_LANGUAGES
from pipeline.history.reasons import REASON
from pipeline.history.record import TICKETS, message_words
from pipeline.history.store.people import customers, people, values
from pipeline.history.store.statements import Row
from pipeline.tickets.clean import clean

CODES = {
    "missing_id": "the row names no ticket",
    "bad_id": "the ticket's id holds control characters or is longer than 200 characters",
    "unknown_kind": "the event's kind isn't one of `log.KINDS`",
    "no_time": "nobody knows when the helpdesk knew of it",
}
"""Code of a row that isn't stored → what it means."""

UNKNOWN = ""
"""Stands for every language that messages aren't read in, and for none."""

LANGUAGES = (*SIGNAL_LANGUAGES, UNKNOWN)

Words = tuple[float | None, ...]

_OF_TICKETS = (*TICKETS, REASON)
_BAD_ID = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MOST_ID = 200
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")  # UTF-8 has no half pairs, PostgreSQL no NUL
_KNOWN = frozenset(KINDS)


@dataclass(frozen=True)
class Batch:
    """What is put in at once.

    Attributes
    ----------
    tickets : dict of str to row
        Id → `TICKETS` and `REASON`; of a repeated id the last.
    events : dict of int to row
        Key → `EVENTS` without words; of a repeated event the one that comes first in its source.
    texts : dict of int to str
        Key → a message that a customer may have written.
    words : dict of int to Words
        Key → what a message says that was read before.
    outcomes : dict of str to int
        Id of an escalated ticket → when that was known.
    settled : bool
        Whether no other of these tickets has escalated, as far as is known now.
    repeated : int
        Events that the batch itself holds twice.
    refused : Counter
        By code.
    """

    tickets: dict[str, Row] = field(default_factory=dict)
    events: dict[int, Row] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    words: dict[int, Words] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    settled: bool = False
    repeated: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def batch_of(
    tickets: pd.DataFrame, events: pd.DataFrame, outcomes: pd.DataFrame | None = None, *, settled: bool = False
) -> Batch:
    """Rows of frames by the schema, or of a `History`, whose messages were read.

    Raises
    ------
    InputError
        A column is missing, or a column of times holds something else.
    """
    refused: Counter[str] = Counter()
    rows, repeated = _once(_events(events, refused))
    texts: dict[int, str] = {}
    words: dict[int, Words] = {}
    for row in rows.values():
        text, read = row.pop("text"), row.pop("words")
        if read is not None:
            words[row["key"]] = read
        elif text is not None and row["kind"] == "reply" and row["side"] not in ("agent", "system"):
            texts[row["key"]] = text
    known, escalated = _tickets(tickets, refused), _escalated(outcomes, refused)
    return Batch(known, rows, texts, words, escalated, settled, repeated, refused)


def readings(texts: Mapping[int, str], languages: Mapping[int, str | None]) -> dict[int, dict[str, Words]]:
    """What each message says in its ticket's language, or in every one that is read where that isn't known.

    Parameters
    ----------
    texts : mapping of int to str
        By event key.
    languages : mapping of int to str or None
        Of the events' tickets, as far as they are known.
    """
    asked = [
        (key, code, clean(text))
        for key, text in texts.items()
        for code in ([reading_language(languages[key])] if languages.get(key) is not None else LANGUAGES)
    ]
    found: dict[int, dict[str, Words]] = {}
    if asked:
        read = message_words([t for _, _, t in asked], [code or None for _, code, _ in asked])
        for (key, code, _), row in zip(asked, read.tolist(), strict=True):
            found.setdefault(key, {})[code] = _words(row)
    return found


def reading_language(language: str | None) -> str:
    """The one of `LANGUAGES` that a message in a language is read in."""
    return language if language in SIGNAL_LANGUAGES else UNKNOWN


def _once(rows: Iterable[Row]) -> tuple[dict[int, Row], int]:
    """Each event once, and how many rows said nothing new."""
    found: dict[int, Row] = {}
    repeated = 0
    for row in rows:
        there = found.setdefault(row["key"], row)
        if there is not row:
            repeated += 1
            there["seq"] = earlier(there["seq"], row["seq"])
    return found, repeated


def earlier(one: int | None, other: int | None) -> int | None:
    """The lesser position in a source; None is after all."""
    return one if other is None else other if one is None else min(one, other)


def _tickets(frame: pd.DataFrame, refused: Counter[str]) -> dict[str, Row]:
    need(frame, "tickets", ("ticket_id",))
    if frame.empty:  # often: a helpdesk's webhook brings an event alone
        return {}
    given = dict(frame.items())
    columns = {name: texts(given, name) for name in _OF_TICKETS if name != "created_at"}
    whose = customers(columns["customer_id"], columns["customer_keys"])
    columns["customer_id"], columns["customer_keys"] = whose
    columns["created_at"] = _times(given, "created_at")
    found: dict[str, Row] = {}
    for cells in zip(*(columns[name] for name in _OF_TICKETS), strict=True):
        row = dict(zip(_OF_TICKETS, cells, strict=True))
        if _passes(_id_code(row["ticket_id"]), refused):
            found[row["ticket_id"]] = row
    return found


def _events(frame: pd.DataFrame, refused: Counter[str]) -> Iterable[Row]:
    given = dict(frame.items())  # to ask a frame for a column by its name takes longer
    need(given, "events", ("ticket_id", "kind", "received_at", "occurred_at"))
    columns = {name: texts(given, name) for name in KEYED}
    columns |= {name: _times(given, name) for name in ("occurred_at", "received_at")}
    columns["key"] = _keys(given, columns)
    columns["actor"], columns["value"] = people(columns["actor"]), values(columns["value"], columns["field"])
    columns["seq"] = _whole(given, "seq")
    read = all(name in given for name in WORDS)
    columns["words"] = (
        [_words(w) for w in frame[list(WORDS)].to_numpy(np.float64).tolist()] if read else [None] * len(frame)
    )
    for cells in zip(*columns.values(), strict=True):
        row = dict(zip(columns, cells, strict=True))
        code = _id_code(row["ticket_id"])
        code = code or ("unknown_kind" if row["kind"] not in _KNOWN else None)
        if _passes(code or ("no_time" if row["received_at"] is None else None), refused):
            yield row


def _keys(frame: Mapping[Hashable, pd.Series], columns: Mapping[str, list[Any]]) -> list[int]:
    """As `event_keys` of the frame, with their highest bit as a sign."""
    if "key" in frame:
        keys = frame["key"].to_numpy(np.uint64)
    else:
        times = [[NEVER if at is None else at for at in columns[name]] for name in ("occurred_at", "received_at")]
        rows = zip(*(columns[name] for name in KEYED), *times, strict=True)
        keys = np.array([event_key(*row) for row in rows], dtype=np.uint64)
    found: list[int] = keys.view(np.int64).tolist()
    return found


def _escalated(frame: pd.DataFrame | None, refused: Counter[str]) -> dict[str, int]:
    """When each escalated ticket was known to be; the first time counts."""
    if frame is None:
        return {}
    need(frame, "outcomes", ("ticket_id", "outcome", "value", "known_at"))
    yes = frame[((frame["outcome"] == "escalated") & (frame["value"] == "1")).to_numpy(bool)]
    found: dict[str, int] = {}
    given = dict(yes.items())
    for id_, known_at in zip(texts(given, "ticket_id"), _times(given, "known_at"), strict=True):
        if _passes(_id_code(id_) or ("no_time" if known_at is None else None), refused) and known_at is not None:
            found[id_] = min(known_at, found.get(id_, known_at))
    return found


def need(given: pd.DataFrame | Mapping[Hashable, pd.Series], what: str, names: Sequence[str]) -> None:
    """Refuse a table that lacks a column.

    Raises
    ------
    InputError
    """
    missing = [name for name in names if name not in given]
    if missing:
        got = f"columns {', '.join(map(str, [*given][:8]))}"
        raise InputError(f"the {what} lack a column", where=f"column {missing[0]}", got=got, do="see the schema")


def texts(frame: Mapping[Hashable, pd.Series], name: str) -> list[Any]:
    """A column's values as text that can be stored, None where there is none or no such column."""
    if name not in frame:
        return [None] * _length(frame)
    values = frame[name]
    told = (
        pa.array(values.array).to_pylist() if isinstance(values.dtype, pd.StringDtype) else values.tolist()
    )  # quicker
    return [_text(value) for value in told]


def storable(value: str | None) -> str | None:
    """A text without the characters that UTF-8 or PostgreSQL can't hold."""
    return value if value is None or _plain(value) else _UNSTORABLE.sub("", value)


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return storable(value)
    return None if value is None or value is pd.NA or value != value else str(value)


def _plain(value: str) -> bool:
    return (value.isascii() and "\x00" not in value) or not _UNSTORABLE.search(value)


def _times(frame: Mapping[Hashable, pd.Series], name: str) -> list[int | None]:
    if name not in frame:
        return [None] * _length(frame)
    values = frame[name]
    if not isinstance(values.dtype, pd.DatetimeTZDtype) and values.notna().any():
        got = str(values.dtype)
        raise InputError("a column of times holds something else", where=f"column {name}", got=got, do="see the schema")
    return [None if at == NEVER else at for at in moments(values).tolist()]


def _length(frame: Mapping[Hashable, pd.Series]) -> int:
    return len(next(iter(frame.values()), ()))


def _whole(frame: Mapping[Hashable, pd.Series], name: str) -> list[int | None]:
    values = frame[name].tolist() if name in frame else [None] * _length(frame)
    return [None if value is None or value is pd.NA or value != value else int(value) for value in values]


def _id_code(id_: str | None) -> str | None:
    if id_ is None or not id_.strip():
        return "missing_id"
    return "bad_id" if len(id_) > _MOST_ID or _BAD_ID.search(id_) else None


def _passes(code: str | None, refused: Counter[str]) -> bool:
    if code is not None:
        refused[code] += 1
    return code is None


def _words(values: Iterable[float]) -> Words:
    return tuple(None if v != v else float(v) for v in values)
