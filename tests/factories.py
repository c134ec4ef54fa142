"""Small made frames for tests: one call, sensible defaults, any column by keyword. All of it is synthetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pipeline.tickets.schema import conform

NOON = pd.Timestamp("2026-03-02 12:00", tz="UTC")


def tickets(count: int = 3, **columns: Any) -> pd.DataFrame:
    """`count` tickets an hour apart; a keyword sets a column, for all rows or row by row."""
    lists = [len(v) for v in columns.values() if isinstance(v, list)]
    count = lists[0] if lists else count
    frame = pd.DataFrame(
        {
            "ticket_id": [f"t{i}" for i in range(count)],
            "created_at": [NOON + pd.Timedelta(hours=i) for i in range(count)],
            "subject": [f"Printer {i} is on fire" for i in range(count)],
            "body": ["It prints no more. What shall I do?"] * count,
            "customer_id": [f"c{i % 2}" for i in range(count)],
            "channel": ["email"] * count,
            "language": ["en"] * count,
        }
    )
    for name, value in columns.items():
        frame[name.replace("fields_", "fields.")] = value
    return conform(frame, "tickets")


def outcomes(values: dict[str, Sequence[str | None]], ids: Sequence[str]) -> pd.DataFrame:
    """Outcomes by name, one value per ticket id; None: unknown."""
    rows = [
        {"ticket_id": i, "outcome": name, "value": value, "known_at": NOON}
        for name, column in values.items()
        for i, value in zip(ids, column, strict=True)
        if value is not None
    ]
    return conform(pd.DataFrame(rows, columns=["ticket_id", "outcome", "value", "known_at"]), "outcomes")
