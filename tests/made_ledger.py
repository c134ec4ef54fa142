"""Decisions and feedback for tests: of made-up tickets, by a scorer that answers by the hash of the id."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
from unit.serving.standin import StandIn

from pipeline.config import Ledger as Settings
from pipeline.ledger import Decision, Feedback, Kind, Ledger, decisions_of, open_ledger
from pipeline.tickets import schema

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def tickets_frame(ids: Sequence[str | None], **columns: Any) -> pd.DataFrame:
    """Tickets of these ids; a column is one value for all, or one each."""
    told = {"created_at": "2026-11-20T10:00:00Z", "subject": "The lift is stuck", "body": "Again. Please come."}
    told |= {name.replace("__", "."): value for name, value in columns.items()}
    table = pd.DataFrame({"ticket_id": list(ids)}).assign(**told)
    return schema.conform(table, "tickets").assign(error=pd.Series(None, index=table.index, dtype="str"))


def decided(
    *ids: str | None,
    at: datetime = NOW,
    version: str = "standin-1",
    keep_days: int = 90,
    door: str = "http",
    **columns: Any,
) -> list[Decision]:
    """Decisions on tickets of these ids, made at a moment."""
    tickets = tickets_frame(ids, **columns)
    scored = StandIn(version).score(tickets)
    settings = Settings(keep_tickets_days=keep_days)
    return decisions_of(tickets, scored, door=door, decided_at=at, settings=settings)


def said(ticket_id: str, kind: Kind = "topic", value: str | None = "billing", *, hours: float = 1.0) -> Feedback:
    """What a person said some hours after `NOW`."""
    return Feedback(ticket_id, NOW + timedelta(hours=hours), kind, value, by="agent-7")


def contents(ledger: Ledger) -> list[tuple[str | None, datetime]]:
    """Ticket ids and moments of all decisions."""
    return [(one.ticket_id, one.decided_at) for one in ledger.all_decisions()]


def refused_id(url: str) -> str:
    """A ticket's id that a ledger refuses each time: on a server it is too long for the index."""
    if url.startswith("postgresql"):
        return "".join(chr(0x4E00 + (n * n * 7919) % 20_000) for n in range(4_000))
    with open_ledger(url) as ledger, ledger.place.writing() as connection:
        body = "BEGIN SELECT RAISE(ABORT, 'no'); END"
        connection.exec_driver_sql(
            f"CREATE TRIGGER no BEFORE INSERT ON ledger_decisions WHEN NEW.ticket_id = 'bad' {body}"
        )
    return "bad"
