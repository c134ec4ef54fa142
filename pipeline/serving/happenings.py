"""What happened to tickets, as a door is told it, goes into the history store by the reader of imported events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from pipeline.config import Tickets
from pipeline.errors import ValueRefusedError
from pipeline.history.record import Roles, known_tickets
from pipeline.history.store import Put, Store
from pipeline.serving.answers import SOURCE, read_records
from pipeline.sources.event_mapping import parse_event_mapping
from pipeline.sources.event_table import EventReader
from pipeline.sources.mapping import Mapping
from pipeline.tickets import schema
from pipeline.tickets.json_records import record_of
from pipeline.tickets.records import Record, frames_of

NAMES = ("ticket_id", "occurred_at", "received_at", "kind", "side", "actor", "field", "value", "text")
"""Names in an event's object; others are dropped."""

_OWN = parse_event_mapping({name: name for name in NAMES}, where="events")


@dataclass(frozen=True)
class Happenings:
    """What was sent: tickets as they are known now, and what happened to them."""

    tickets: tuple[Record, ...] = ()
    events: tuple[Record, ...] = ()

    @property
    def size(self) -> int:
        """How many things."""
        return len(self.tickets) + len(self.events)


@dataclass(frozen=True)
class Taken:
    """What came of it.

    Attributes
    ----------
    put : Put
    ticket_codes, event_codes : list of str or None
        Of each item that was sent: a code of `ROW_CODES`, or None for one that was put in.
    """

    put: Put
    ticket_codes: list[str | None]
    event_codes: list[str | None]


def put_in(store: Store, happened: Happenings, mapping: Mapping | None, *, now: pd.Timestamp) -> Taken:
    """Read tickets and events, and put the good ones into the store: safe once this returns, once each.

    Parameters
    ----------
    store : Store
    happened : Happenings
        An event without `received_at` was received when it occurred.
    mapping : Mapping or None
        Of tickets.
    now : Timestamp
        Later times are refused.

    Raises
    ------
    StoreError
        Nothing was stored, or only a part of it: what is sent again is put in once.
    """
    roles = store.roles() or Roles()
    tickets, ticket_codes = _tickets(happened.tickets, mapping, now)
    events, event_codes = read_events(happened.events, now)
    put = _put(store, roles, tickets, events, ticket_codes, event_codes)
    return Taken(put, ticket_codes, event_codes)


def _put(
    store: Store,
    roles: Roles,
    tickets: pd.DataFrame,
    events: pd.DataFrame,
    ticket_codes: list[str | None],
    event_codes: list[str | None],
) -> Put:
    """All together; where the database refuses a value, in parts until it is found: it has a code, the rest goes in."""
    try:
        return store.put(known_tickets(tickets, roles, store.settings), roles.canonical(events.reset_index(drop=True)))
    except ValueRefusedError:
        if len(tickets) + len(events) == 1:
            codes, frame = (ticket_codes, tickets) if len(tickets) else (event_codes, events)
            codes[int(frame.index[0])] = "unstorable"
            return Put()
    half = (len(tickets) + len(events)) // 2
    of_tickets = min(half, len(tickets))
    first = (tickets.iloc[:of_tickets], events.iloc[: half - of_tickets])
    rest = (tickets.iloc[of_tickets:], events.iloc[half - of_tickets :])
    return sum((_put(store, roles, *part, ticket_codes, event_codes) for part in (first, rest)), Put())


def read_events(records: Sequence[Record], now: pd.Timestamp) -> tuple[pd.DataFrame, list[str | None]]:
    """The good events by the schema EVENTS, and of each record a code of `ROW_CODES` or None.

    The index of an event is its record's place. One without `received_at` was received when it occurred; times later
    than `now` are refused.
    """
    reader, read = EventReader(_OWN, now=now), list[pd.DataFrame]()
    codes: list[str | None] = [None] * len(records)
    for frame in _frames([_received(record) for record in records]):
        events, refused = reader.events(frame, SOURCE)
        for source, code in zip(refused["source"], refused["code"], strict=True):
            codes[int(source.rpartition("-")[2]) - 1] = code
        read.append(events)
    found = pd.concat(read, ignore_index=True) if read else schema.empty("events")
    good = [place for place, code in enumerate(codes) if code is None]
    return found.set_axis(pd.Index(good, dtype="int64"), axis=0), codes


def _tickets(
    records: Sequence[Record], mapping: Mapping | None, now: pd.Timestamp
) -> tuple[pd.DataFrame, list[str | None]]:
    tickets = read_records(records, mapping, now, Tickets.max_characters).reset_index(drop=True)
    codes = [code if isinstance(code, str) else None for code in tickets["error"]]
    return tickets[tickets["error"].isna().to_numpy(bool)], codes


def event_record(item: Any, size: int) -> Record:
    """The record of an event's JSON value, by `NAMES`."""
    record = record_of(item, size)
    if not isinstance(record.values, dict):
        return record
    return replace(record, values={name: value for name, value in record.values.items() if name in NAMES})


def _received(record: Record) -> Record:
    if not isinstance(record.values, dict) or record.values.get("received_at"):
        return record
    return replace(record, values=record.values | {"received_at": record.values.get("occurred_at")})


def _frames(records: Sequence[Record]) -> list[pd.DataFrame]:
    return list(frames_of(iter(records), max(len(records), 1)))
