"""Made tickets and events for tests of outcomes: hours instead of times. All of it is synthetic."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pipeline.history.events import created_events, field_events, joined, log_events, make_events
from pipeline.history.outcomes import derive, parse_definitions
from pipeline.tickets.schema import conform

DAY = pd.Timestamp("2026-03-02", tz="UTC")


def at(hours: float) -> pd.Timestamp:
    return DAY + pd.Timedelta(hours=hours)


def made_tickets(rows: list[tuple[str, float | None, str | None]], **columns: list[str | None]) -> pd.DataFrame:
    """(id, hours after the first day began, customer)."""
    frame = pd.DataFrame(
        {
            "ticket_id": [r[0] for r in rows],
            "created_at": pd.Series([None if r[1] is None else at(r[1]) for r in rows], dtype="datetime64[us, UTC]"),
            "customer_id": pd.Series([r[2] for r in rows], dtype="str"),
            **{name: pd.Series(values, dtype="str") for name, values in columns.items()},
        }
    )
    return conform(frame, "tickets")


def replies(rows: list[tuple[str, float, str | None, str]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["ticket_id", "hours", "actor", "text"])
    when = frame["hours"].map(at).astype("datetime64[us, UTC]")
    seq = pd.Series(range(len(frame)), dtype="Int64")
    actor = frame["actor"].astype("str")
    return make_events(
        "reply", frame["ticket_id"], occurred_at=when, received_at=when, seq=seq, actor=actor, text=frame["text"]
    )


def happenings(rows: list[tuple[str, float | None, str, str | None]], received: float | None = None) -> pd.DataFrame:
    """Events in the source's order: (id, hours, kind, value), all received at that hour, or when they happened."""
    ids = pd.Series([r[0] for r in rows], dtype="str")
    when = pd.Series([None if r[1] is None else at(r[1]) for r in rows], dtype="datetime64[us, UTC]")
    known = when if received is None else pd.Series([at(received)] * len(rows), dtype="datetime64[us, UTC]")
    frame = make_events(
        "status", ids, occurred_at=when, received_at=known, seq=pd.Series(range(len(rows)), dtype="Int64")
    )
    value = pd.Series([r[3] for r in rows], dtype="str")
    return frame.assign(kind=pd.Series([r[2] for r in rows], dtype="str"), value=value)


def statuses(rows: list[tuple[str, float, str]]) -> pd.DataFrame:
    """Events of status: (id, hours, value)."""
    return happenings([(ticket, hours, "status", value) for ticket, hours, value in rows])


def log(rows: list[tuple[str, float, str | None]], column: str = "count") -> pd.DataFrame:
    """An event log: (id, hours, value of one column)."""
    frame = pd.DataFrame(
        {
            "ticket_id": pd.Series([r[0] for r in rows], dtype="str"),
            "occurred_at": pd.Series([at(r[1]) for r in rows], dtype="datetime64[us, UTC]"),
            "seq": pd.Series(range(len(rows)), dtype="Int64"),
            column: pd.Series([r[2] for r in rows], dtype="str"),
        }
    )
    return log_events(frame, tracked=[column])


def column(tickets: pd.DataFrame, **values: list[str | None]) -> pd.DataFrame:
    """Facts of a table with one row per ticket."""
    seq = pd.Series(range(len(tickets)), dtype="Int64")
    columns = {name: pd.Series(v, dtype="str") for name, v in values.items()}
    when = tickets["created_at"]
    return joined(
        [
            created_events(tickets, seq),
            field_events(tickets["ticket_id"], columns, at=when, received_at=when, seq=seq),
        ]
    )


def outcome(
    tickets: pd.DataFrame, events: pd.DataFrame, name: str, raw: Any, **more: Any
) -> dict[str, tuple[str, Any]]:
    """By ticket: (value, hours until it was known)."""
    frame = derive(tickets, events, parse_definitions({name: raw}, "test"), **more)
    hours = [None if pd.isna(t) else (t - DAY) / pd.Timedelta(hours=1) for t in frame["known_at"]]
    return dict(zip(frame["ticket_id"], zip(frame["value"], hours, strict=True), strict=True))
