"""What training may learn from the ledger: what people said, and whether they only agreed with what they were shown."""

from __future__ import annotations

import pandas as pd
from sqlalchemy import bindparam, select

from pipeline.history.store.tables import pieces
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.tables import DECISIONS

LABELS = ("topic", "priority", "queue")
"""Kinds of feedback that name the right value of a field of the scored ticket."""


def lessons(ledger: Ledger) -> pd.DataFrame:
    """Everything that people said of tickets that aren't forgotten, in the order of time.

    Returns
    -------
    DataFrame
        `ticket_id`, `kind`, `value`, `given_at` (UTC), and `accepted`: whether it is a topic, priority or queue that
        the scorer had said and doors had shown, so that it may have been taken over rather than thought of.

    Raises
    ------
    StoreError
    """
    said = [one for one in ledger.all_feedback() if one.ticket_id is not None]
    shown = _shown(ledger, sorted({one.decision for one in said if one.decision is not None}))
    told = pd.DataFrame(
        {
            "ticket_id": pd.Series([one.ticket_id for one in said], dtype="str"),
            "kind": pd.Series([one.kind for one in said], dtype="str"),
            "value": pd.Series([one.value for one in said], dtype="str"),
            "given_at": pd.Series([one.given_at for one in said], dtype="datetime64[us, UTC]"),
        }
    )
    accepted = [(one.decision, one.kind, one.value) in shown for one in said]
    return told.assign(accepted=pd.Series(accepted, dtype=bool))


def _shown(ledger: Ledger, keys: list[str]) -> set[tuple[str | None, str, str | None]]:
    """What doors had shown: (decision, kind, value); nothing of tickets that were held out."""
    columns = [DECISIONS.c.key, *(DECISIONS.c[name] for name in LABELS)]
    asked = select(*columns).where(DECISIONS.c.shown, DECISIONS.c.key.in_(bindparam("keys", expanding=True)))
    found = set[tuple[str | None, str, str | None]]()
    with ledger.place.reading() as connection:
        for some in pieces(keys):
            for key, *values in connection.execute(asked, {"keys": some}):
                found |= {(key, name, value) for name, value in zip(LABELS, values, strict=True)}
    return found
