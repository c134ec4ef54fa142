"""Outcomes joined to tickets as targets; what wasn't known at the cut is left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

TARGETS = ("topic", "queue", "priority", "escalated")
"""The outcomes that models are trained on, in the order in which they are trained."""

LABEL_PREFIX, KNOWN_PREFIX = "label.", "known."

TURNED = "turned.escalated"
"""When a ticket first looked as if it had escalated (`outcomes.turned`)."""


@dataclass(frozen=True)
class Labelled:
    """Tickets with their outcomes beside them.

    Attributes
    ----------
    frame : DataFrame
        The tickets, oldest first, with `label.OUTCOME` (string or null) and `known.OUTCOME` (time or null).
    counts : dict
        Outcome → {known, not_known_yet}: how many labels there are, and how many were left out by the cut.
    """

    frame: pd.DataFrame
    counts: dict[str, dict[str, int]]


def citations(outcomes: pd.DataFrame, tickets: pd.DataFrame, *, cut: pd.Timestamp | None) -> pd.DataFrame:
    """Which articles answered some tickets, by the schema OUTCOMES; what was known at the cut or later is left out."""
    kept = (outcomes["outcome"] == "article") & outcomes["ticket_id"].isin(tickets["ticket_id"])
    if cut is not None:
        kept &= outcomes["known_at"] < cut
    return outcomes[kept.to_numpy(bool)].reset_index(drop=True)


def attach(
    tickets: pd.DataFrame, outcomes: pd.DataFrame, *, cut: pd.Timestamp | None, turned: pd.Series | None = None
) -> Labelled:
    """Join outcomes to tickets; tickets created at the cut or later, and labels known then or later, are left out.

    Parameters
    ----------
    cut : Timestamp or None
        Nothing known from this moment on is used; None: everything is.
    turned : Series, optional
        By ticket id: `outcomes.turned` of the escalation; kept as `TURNED`.
    """
    frame = tickets if cut is None else tickets[tickets["created_at"] < cut]
    frame = frame.copy()
    counts: dict[str, dict[str, int]] = {}
    for name in TARGETS:
        found = outcomes[outcomes["outcome"] == name].drop_duplicates("ticket_id", keep="last").set_index("ticket_id")
        if found.empty:
            continue
        value = frame["ticket_id"].map(found["value"]).astype("str")
        known_at = frame["ticket_id"].map(found["known_at"]).astype("datetime64[us, UTC]")
        late = pd.Series(np.zeros(len(frame), dtype=bool), index=frame.index) if cut is None else known_at >= cut
        late &= value.notna()
        frame[LABEL_PREFIX + name] = value.mask(late)
        frame[KNOWN_PREFIX + name] = known_at.mask(late)
        if name == "escalated" and turned is not None:
            looked_so = pd.Series(turned.reindex(frame["ticket_id"]).array, index=frame.index)
            frame[TURNED] = looked_so.astype("datetime64[us, UTC]").mask(known_at.isna() | late)
        counts[name] = {"known": int((value.notna() & ~late).sum()), "not_known_yet": int(late.sum())}
    return Labelled(frame.reset_index(drop=True), counts)


def escalated_at(frame: pd.DataFrame) -> pd.Series:
    """When each ticket escalated, as far as anybody could see: when it first looked so, else when that was known.

    Null where it neither escalated nor looked so.
    """
    came = (frame[LABEL_PREFIX + "escalated"] == "1").to_numpy(bool, na_value=False)
    known = frame[KNOWN_PREFIX + "escalated"].where(came)
    return known if TURNED not in frame else pd.concat([known, frame[TURNED]], axis=1).min(axis=1)
