"""Tickets in the store: their rows, and the contact reasons beside them where reasons are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from pipeline.config import History as Settings
from pipeline.history.reasons import REASON
from pipeline.history.store.statements import Row, rows_of, upsert
from pipeline.history.store.tables import REASONS, TICKETS


def ticket_rows(connection: Connection, ticket_ids: Sequence[str], settings: Settings) -> list[Row]:
    """Rows of the table TICKETS, each with its `REASON`; a store that keeps none isn't asked for any."""
    rows = rows_of(connection, TICKETS, ticket_ids)
    kept = rows_of(connection, REASONS, ticket_ids) if settings.contact_reason is not None else []
    codes = {row["ticket_id"]: row["code"] for row in kept}
    return [row | {REASON: codes.get(row["ticket_id"])} for row in rows]


def keep_tickets(connection: Connection, rows: Iterable[Row], settings: Settings) -> None:
    """Add rows as `ticket_rows` gives them, or set the values of those that are there."""
    told = [*rows]
    upsert(connection, TICKETS, [{name: value for name, value in row.items() if name != REASON} for row in told])
    if settings.contact_reason is not None:
        said = [{"ticket_id": row["ticket_id"], "code": row[REASON]} for row in told if row[REASON] is not None]
        upsert(connection, REASONS, said)
