"""What is read for a look: a small history that gives the numbers which the whole one gives."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from pipeline.config import History as Settings
from pipeline.history.amounts import CUSTOMER_KEY, DESK, FACTS, QUEUE_KEY, REASON_FACTS, REASON_KEY, reason_key
from pipeline.history.as_of import REASON_SPANS, SPANS
from pipeline.history.identity import Identities
from pipeline.history.log import DAY, NEVER, SIDES, WORDS, Columns, moments
from pipeline.history.reasons import REASON, reasons_of
from pipeline.history.store import amounts as stored_amounts
from pipeline.history.store import links as stored_links
from pipeline.history.store.amounts import Mark
from pipeline.history.store.frames import SmallHistory, columns_of, tickets_frame
from pipeline.history.store.rows import need, texts
from pipeline.history.store.statements import Row, cells_of
from pipeline.history.store.tables import EVENTS
from pipeline.history.store.tickets import ticket_rows

ASKED: dict[str, dict[str, tuple[int, ...]]] = {
    CUSTOMER_KEY: {fact: SPANS if fact == "tickets" else () for fact in FACTS},
    REASON_KEY: {fact: REASON_SPANS if fact == "tickets" else () for fact in REASON_FACTS},
    QUEUE_KEY: {"open": (), "tickets": (1, 7)},
    DESK: {"open": (), "tickets": (1, 7), "answered": (7,)},
}
"""Kind of key → the facts that `AsOf` adds up, and over how many days besides all time."""

_SAID = ("customer_id", "customer_keys", "queue")
_SUMS = {
    kind: [(FACTS.index(fact), days * DAY) for fact, spans in facts.items() for days in (0, *spans)]
    for kind, facts in ASKED.items()
}

_TOLD = itemgetter(*(EVENTS.columns.keys().index(name) for name in ("ticket_id", "received_at", "side", "actor")))
_SILENT = (None,) * len(WORDS)  # the table's last columns
_NOTHING: Row = {}


class _Ticket(NamedTuple):
    """A ticket that is looked at: as it is scored, and else as the store knows it."""

    created: int | None
    keys: list[str]
    reason: str | None
    queues: set[str]
    """Every queue that it ever lay in."""


def look_up(connection: Connection, tickets: pd.DataFrame, settings: Settings) -> SmallHistory:
    """The history that some tickets need, and no more: see `Store.read`."""
    given = dict(tickets.items())  # to ask a frame for a column by its name takes longer
    need(given, "tickets", ("ticket_id", "created_at"))
    ids = texts(given, "ticket_id")
    named = sorted({id_ for id_ in ids if id_ is not None})
    known = {row["ticket_id"]: row for row in ticket_rows(connection, named, settings)}
    at = _moments(given)
    last = max(at, default=NEVER)
    events = columns_of(EVENTS.columns.keys(), [*_said(cells_of(connection, EVENTS, named), known, last)])
    places: list[Any] = [row if id_ is None else id_ for row, id_ in enumerate(ids)]  # a row without an id is alone
    told = {name: texts(given, name) for name in _SAID} | {REASON: reasons_of(tickets, settings).tolist()}
    told["created_at"] = moments(given["created_at"]).tolist()
    own = _tickets(told, places, known, events, settings)
    asked = [(own[place], moment) for place, moment in zip(places, at, strict=True) if moment != NEVER]
    span = (min((moment for _, moment in asked), default=NEVER), last)
    links = stored_links.reached(connection, {key for ticket, _ in asked for key in ticket.keys}, span, settings)
    amounts = stored_amounts.added(connection, _marks(asked, links, settings), named)
    frame = tickets_frame([*known.values()], reasons=settings.contact_reason is not None)
    return SmallHistory(frame, events, amounts, links)


def _moments(tickets: Mapping[Hashable, pd.Series]) -> list[int]:
    at = moments(tickets["created_at"])
    if "as_of" in tickets:
        given = moments(tickets["as_of"])
        at = np.where(given == NEVER, at, given)
    found: list[int] = at.tolist()
    return found


def _said(events: Iterable[tuple[Any, ...]], known: Mapping[str, Row], before: int) -> Iterator[tuple[Any, ...]]:
    """Events before a moment; only the words of a known ticket's customer say anything (`record.read_messages`)."""
    for row in events:
        id_, received_at, side, actor = _TOLD(row)
        if received_at < before:
            own = side not in SIDES and actor is not None and actor == known.get(id_, _NOTHING).get("customer_id")
            heard = id_ in known and (side == "customer" or own)
            yield row if heard else row[: -len(WORDS)] + _SILENT


def _tickets(
    given: Columns,
    places: Sequence[Any],
    known: Mapping[str, Row],
    events: Columns,
    settings: Settings,
) -> dict[Any, _Ticket]:
    """Each ticket once; its first row says who and where it is, as in `AsOf.look`."""
    first = {place: row for row, place in reversed([*enumerate(places)])}
    there = {place: known.get(place, {}) for place in first}
    told: dict[Any, Row] = {}
    for place, row in first.items():
        said = {name: values[row] for name, values in given.items()}
        said["created_at"] = None if said["created_at"] == NEVER else said["created_at"]
        told[place] = {n: there[place].get(n) if value is None else value for n, value in said.items()}
    keys = _keys(told, there, settings)
    queues = {place: {told[place]["queue"], there[place].get("queue")} for place in first}
    told_of = zip(*(events[name] for name in ("ticket_id", "kind", "field", "value")), strict=True)
    for id_, kind, field, value in told_of:
        if kind == "assignment" and field != "assignee":
            queues[id_].add(value)
    return {
        place: _Ticket(told[place]["created_at"], keys[place], told[place][REASON], queues[place] - {None})
        for place in first
    }


def _keys(told: Mapping[Any, Row], there: Mapping[Any, Row], settings: Settings) -> dict[Any, list[str]]:
    """The keys of each ticket's customer: those that are stored, unless the ticket says something else."""
    names = ("customer_id", "customer_keys")
    found = {place: stored_links.split(row.get("keys")) for place, row in there.items()}
    stale = [place for place, row in told.items() if any(row[name] != there[place].get(name) for name in names)]
    if stale:
        made = stored_links.with_keys([told[place] for place in stale], settings)
        found |= {place: stored_links.split(row["keys"]) for place, row in zip(stale, made, strict=True)}
    return found


def _marks(asked: Sequence[tuple[_Ticket, int]], links: pd.DataFrame, settings: Settings) -> set[Mark]:
    """Every sum that the rows need."""
    marks: set[Mark] = set()
    for row, key in _customers(asked, links, settings):
        ticket, moment = asked[row]
        born = moment if ticket.created is None else min(ticket.created, moment)  # the last ticket before it is asked
        named = {CUSTOMER_KEY: CUSTOMER_KEY + key}
        if ticket.reason is not None:
            named[REASON_KEY] = reason_key(key, ticket.reason)
        for kind, name in named.items():
            marks.add((name, FACTS.index("tickets"), born))
            marks.update(_sums(kind, name, moment))
    for ticket, moment in asked:
        marks.update(_sums(DESK, DESK, moment))
        for queue in ticket.queues:
            marks.update(_sums(QUEUE_KEY, QUEUE_KEY + queue, moment))
    return marks


def _sums(kind: str, key: str, moment: int) -> Iterator[Mark]:
    return ((key, fact, moment - span) for fact, span in _SUMS[kind])


def _customers(
    asked: Sequence[tuple[_Ticket, int]], links: pd.DataFrame, settings: Settings
) -> Iterable[tuple[int, str]]:
    """Row and key, for every key of each row's customer."""
    keys = [ticket.keys for ticket, _ in asked]
    if links.empty and all(len(own) <= 1 for own in keys):  # most helpdesks: nobody has a second key
        return [(row, key) for row, own in enumerate(keys) for key in own]
    at = np.array([moment for _, moment in asked], dtype=np.int64)
    together = Identities.build(links, settings).together(keys, at)
    return zip(together["row"].tolist(), together["key"].tolist(), strict=True)
