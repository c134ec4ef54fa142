"""Which changes of a scored ticket are worth telling: a risk that really moved, or another label."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.config import Rescore
from pipeline.serving.people import TRACKS
from pipeline.tickets import schema

LABELS = ("topic", "queue", "priority")

FIELDS = ("escalation_risk", *LABELS)
"""What may have changed, in the order in which it is named."""

COLUMNS = (
    *schema.SCORED,
    schema.Column("changed", "json", "which of escalation_risk, topic, queue and priority changed", "by the scorer"),
)
"""Columns of a file of changes."""

BY_PERSON = "person"
"""`queue_reason` where a person has set the queue."""

_EXACT = 1e-9
"""A step of 0.1 is one from 0.6 to 0.7 too, whose difference in floating point is a little less."""


def changed_fields(before: pd.DataFrame, now: pd.DataFrame, people: pd.DataFrame, settings: Rescore) -> list[list[str]]:
    """Names of what changed, row by row; what a person has set is nobody's news.

    Parameters
    ----------
    before, now, people : DataFrame, n rows each
        The line that was last written of each ticket, what is said of it now, and what people have set. A row whose
        `ticket_id` is null before is of a ticket that was never scored: all that is said of it is new.
    settings : Rescore
    """
    moved = {"escalation_risk": risk_moved(_risk(before), _risk(now), settings)}
    moved |= {n: _differ(before[n], now[n]) if settings.labels else np.zeros(len(now), dtype=bool) for n in LABELS}
    new = before["ticket_id"].isna().to_numpy(bool)
    said = {name: np.where(new, now[name].notna().to_numpy(bool), moved[name]) for name in FIELDS}
    said |= {name: said[name] & people[name].isna().to_numpy(bool) for name in TRACKS}
    return [[name for name in FIELDS if said[name][row]] for row in range(len(now))]


def risk_moved(before: np.ndarray, now: np.ndarray, settings: Rescore) -> np.ndarray:
    """Whether a risk has moved by a step since it was written, or has crossed a line and its band; shape (n,), bool.

    A risk that sways by less than a step, and about a line by less than its band, is written once and never again: the
    new value must be that far from the one that was written, not from the one that was seen last.
    """
    moved = np.abs(now - before) >= settings.risk_step - _EXACT
    for line in settings.risk_lines:
        above, below = line + settings.risk_band - _EXACT, line - settings.risk_band + _EXACT
        moved |= (before < line) & (now >= line) & (now >= above)
        moved |= (before >= line) & (now < line) & (now <= below)
    unknown = np.isnan(before) | np.isnan(now)
    return np.asarray(np.where(unknown, np.isnan(before) != np.isnan(now), moved))


def with_people(now: pd.DataFrame, people: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """The scored rows with what people have set, and where the scorer would have said something else.

    Parameters
    ----------
    now, people : DataFrame, n rows each
        Scored rows, and what `people.set_by_people` found of them.

    Returns
    -------
    DataFrame, dict of str to ndarray of bool, shape (n,)
        `queue` or `priority` → rows in which a person's word stands against the scorer's.
    """
    kept: dict[str, np.ndarray] = {}
    columns: dict[str, Any] = {}
    for name in TRACKS:
        said, scored = people[name].tolist(), _values(now[name])
        kept[name] = np.array([p is not None and p != s for p, s in zip(said, scored, strict=True)], dtype=bool)
        columns[name] = [s if p is None else p for p, s in zip(said, scored, strict=True)]
    by_person = [p is not None for p in people["queue"].tolist()]
    reasons = zip(by_person, _values(now["queue_reason"]), strict=True)
    columns["queue_reason"] = [BY_PERSON if theirs else reason for theirs, reason in reasons]
    sure = now["priority_confidence"].to_numpy(np.float64).copy()
    for row in np.flatnonzero(kept["priority"]):
        sure[row] = (now["priority_probabilities"].iloc[row] or {}).get(columns["priority"][row], np.nan)
    typed = {name: pd.Series(values, index=now.index, dtype="str") for name, values in columns.items()}
    return now.assign(**typed, priority_confidence=sure), kept


def _differ(before: pd.Series, now: pd.Series) -> np.ndarray:
    return np.array([a != b for a, b in zip(_values(before), _values(now), strict=True)], dtype=bool)


def _values(column: pd.Series) -> list[str | None]:
    return [v if isinstance(v, str) else None for v in column.tolist()]


def _risk(scored: pd.DataFrame) -> np.ndarray:
    return np.asarray(scored["escalation_risk"].to_numpy(np.float64, na_value=np.nan))
