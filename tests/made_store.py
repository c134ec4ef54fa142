"""Stores for tests: put made tickets and events in as a door does, and see all that a store holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
from made_history import (
    DEFINITIONS,
    LOOK,
    Event,
    Ticket,
    by_agent,
    by_customer,
    events_frame,
    moved,
    outcomes_frame,
    rows_of,
    tickets_frame,
)
from sqlalchemy import select

from pipeline.history.record import Roles, known_tickets
from pipeline.history.store import Put, Store
from pipeline.history.store.tables import METADATA

EMAIL, PHONE = "email:" + "e" * 16, "phone:" + "f" * 16

SCENE = (
    [
        Ticket("a", 0.0, "ann", (EMAIL,), "first", language="de"),
        Ticket("b", 3.0, None, (EMAIL, PHONE), "second"),
        Ticket("c", 30.0, "ben", (PHONE,), None, language=None),
        Ticket("d", None, "ann"),
    ],
    [
        by_customer(1, ticket="a"), by_agent(2, ticket="a"), moved(3, "second", ticket="a"),
        Event("status", 4, "resolved", "a"), Event("reopened", 5, None, "a", occurred=2.0),
        Event("status", 3.5, "pending", "b"), Event("escalated", 6, None, "b"), Event("satisfaction", 7, "0.7", "b"),
        Event("satisfaction", 7.5, "0.1", "b"), moved(31, "first", ticket="c"), Event("status", 40, "closed", "c"),
        Event("note", 2, None, "unknown"),
    ],
    [("a", 8.0), ("c", 50.0), ("unknown", 1.0)],
)  # fmt: skip
TEXTS = ["Nicht gut!", *[None] * 11]


def put(
    store: Store,
    tickets: Sequence[Ticket] = (),
    events: Sequence[Event] = (),
    *,
    escalated: Sequence[tuple[str, float | None]] = (),
    texts: Sequence[str | None] | None = None,
) -> Put:
    """Put them in; `texts` are of the events."""
    told = events_frame(events)
    if texts is not None:
        told = told.assign(text=pd.Series(texts, dtype="str"))
    roles = Roles.of(DEFINITIONS, told)
    return store.put(
        known_tickets(tickets_frame(tickets), roles, store.settings), roles.canonical(told), outcomes_frame(escalated)
    )


def contents(store: Store) -> dict[str, set[Any]]:
    """Every row of every table; sums of nothing are no sums."""
    with store.place.reading() as connection:
        tables = METADATA.sorted_tables
        found = {table.name: {tuple(row) for row in connection.execute(select(table))} for table in tables}
    found["history_sums"] = {row for row in found["history_sums"] if row[-1]}
    return found


def numbers(store: Store, ticket: Ticket, at: float | None, **look: Any) -> dict[str, float]:
    """The numbers of a ticket as of an hour, looked at through the store."""
    rows = rows_of([ticket], [at]).assign(queue=ticket.queue)
    seen = replace(LOOK, **look)
    return dict(zip(seen.names, seen.look(rows, store.read(rows))[0].tolist(), strict=True))
