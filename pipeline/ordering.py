"""The order of the open tickets: which to take next, by the cost that letting it wait is expected to have; pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config import Ordering, nearest
from pipeline.errors import ConfigError, InputError

OTHER = "*"
"""In `ordering.wait`: any level that isn't named, and a ticket whose level isn't known."""

LEAST_HOURS = 1 / 60
"""No ticket counts as less than a minute of handling: else a wrong entry near zero would lead every order."""

DIGITS = 9
"""Costs are rounded to so many: what differs by less is equal, and comes in order of arrival."""

PARTS = ("wait", "escalation", "sla", "handling_hours")


def order(tickets: pd.DataFrame, settings: Ordering, *, as_of: pd.Timestamp) -> pd.DataFrame:
    """Open tickets, the one first whose waiting is expected to cost most for an hour of handling.

    The index of a ticket is the cost that is expected to be avoided by handling it now rather than at the next look,
    which comes at random after H = `horizon_hours` on average, over the hours that handling it takes::

        cost = (wait + escalation + sla) / handling_hours
        wait       = H · Σ p(level) · settings.wait[level]
        escalation = settings.escalation · (risk if handled a horizon later - risk if handled now)
        sla        = settings.sla_missed · exp(-sla_hours_left / H)      0 once the deadline has passed

    It is the cµ rule (Cox and Smith, Queues, 1961): where costs grow evenly, and one hand takes the tickets that wait,
    no other order costs less. Costs that don't grow evenly enter by what they rise over the horizon (the generalised
    cµ rule, Van Mieghem, Ann. Appl. Probab. 5, 1995); exp(-left / H) is the probability that a deadline comes before
    such a look, and the form of the apparent tardiness cost rule (Vepsalainen and Morton, Manag. Sci. 33, 1987).

    Parameters
    ----------
    tickets : DataFrame, n rows
        `ticket_id`; everything else may be absent or null: `created_at`, and what `parts` reads.
    settings : Ordering
        What waiting costs.
    as_of : Timestamp
        Aware. Tickets created after it aren't there yet: they are left out, and change nothing.

    Returns
    -------
    DataFrame
        `ticket_id`, `rank` (1: take it next), `cost` (the index, in cost per hour of handling) and `reasons` (`parts`
        of the ticket as a dict). Equal costs are in order of `created_at` (unknown last), then `ticket_id`; the order
        of the rows and columns given changes nothing.

    Raises
    ------
    InputError
        Without `ticket_id`, or for an `as_of` without a time zone.
    """
    if "ticket_id" not in tickets:
        raise InputError("a column is missing", where="open tickets", got="no ticket_id", do="name each ticket")
    if as_of.tzinfo is None:
        raise InputError("a time without a zone", where="as_of", got=str(as_of), do="give it in UTC")
    created = pd.to_datetime(_column(tickets, "created_at"), utc=True, errors="coerce")
    here = ~(created > as_of).to_numpy(bool)
    frame = parts(tickets[here], settings)
    frame.insert(0, "ticket_id", tickets["ticket_id"].astype("str")[here])
    frame["created_at"] = created[here]
    frame["cost"] = (frame["wait"] + frame["escalation"] + frame["sla"]) / frame["handling_hours"]
    ordered = frame.sort_values(
        ["cost", "created_at", "ticket_id", *PARTS], ascending=[False, True, True, *[False] * len(PARTS)]
    ).reset_index(drop=True)
    reasons = pd.Series(ordered[list(PARTS)].to_dict("records"), dtype=object)
    ranks = np.arange(1, len(ordered) + 1)
    return pd.DataFrame({"ticket_id": ordered["ticket_id"], "rank": ranks, "cost": ordered["cost"], "reasons": reasons})


def parts(tickets: pd.DataFrame, settings: Ordering) -> pd.DataFrame:
    """What the index of each ticket is made of; the formula is that of `order`.

    Parameters
    ----------
    tickets : DataFrame, n rows
        All of it may be absent or null, and what is unknown costs nothing:

        - `priority_probabilities` ({level: p}), else `priority` (taken as certain); a level that isn't known costs what
          `*` costs;
        - `escalation_risk`, if the ticket is handled now; `escalation_risk_later`, if it is handled a horizon later.
          Without this column the whole risk counts: as if handling now prevented it, and a horizon later didn't. A
          share of it would do no more than scale `settings.escalation`. A risk that falls counts as 0;
        - `sla_hours_left` until handling has to start; negative: missed already, which no order can mend;
        - `handling_hours`, at least a minute; where unknown, the median of the known ones (an hour if there are none).

    Returns
    -------
    DataFrame
        `wait`, `escalation`, `sla` (expected costs avoided) and `handling_hours`, with the index of the tickets.
    """
    horizon = settings.horizon_hours
    values = {
        "wait": horizon * wait_per_hour(tickets, settings),
        "escalation": settings.escalation * _risk_of_waiting(tickets),
        "sla": settings.sla_missed * deadline_risk(_numbers(tickets, "sla_hours_left"), horizon),
        "handling_hours": _handling(tickets),
    }
    return pd.DataFrame(values, index=tickets.index).round(DIGITS)


def deadline_risk(hours_left: np.ndarray, horizon_hours: float) -> np.ndarray:
    """P(the deadline passes before the next look), shape (n,): exp(-left / H); 0 where it has passed, or for nan."""
    ahead = np.where(hours_left >= 0, hours_left, np.inf)
    return np.asarray(np.exp(-ahead / horizon_hours))


def wait_per_hour(tickets: pd.DataFrame, settings: Ordering) -> np.ndarray:
    """Σ p(level) · wait[level]: expected cost of one more hour of waiting, shape (n,)."""
    said, levels = _column(tickets, "priority_probabilities"), _column(tickets, "priority")
    costs = [_expected(p, level, settings.wait) for p, level in zip(said, levels, strict=True)]
    return np.array(costs, dtype=np.float64)


def check_levels(settings: Ordering, levels: Iterable[str]) -> None:
    """Raise where `ordering.wait` names a level that isn't there.

    Raises
    ------
    ConfigError
        Naming the nearest levels: a misspelt one would silently cost what `*` costs.
    """
    known = list(levels)
    for level in settings.wait:
        if level != OTHER and level not in known:
            near = nearest(level, known)
            raise ConfigError(
                "a priority level that isn't there",
                where=f"params.yaml: ordering: wait: {level}",
                got=level,
                do=f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(known) or 'none'}",
            )


def _expected(probabilities: Any, level: Any, wait: Mapping[str, float]) -> float:
    other = wait.get(OTHER, 0.0)
    said = probabilities.items() if isinstance(probabilities, Mapping) else ()
    known = {name: min(float(p), 1.0) for name, p in said if isinstance(p, Real) and float(p) > 0}
    if known:  # fsum: the levels may come in any order
        return math.fsum(p * wait.get(name, other) for name, p in known.items())
    return wait.get(level, other) if isinstance(level, str) else other


def _risk_of_waiting(tickets: pd.DataFrame) -> np.ndarray:
    risk = np.clip(_numbers(tickets, "escalation_risk"), 0.0, 1.0)
    if "escalation_risk_later" in tickets:
        risk = np.clip(_numbers(tickets, "escalation_risk_later"), 0.0, 1.0) - risk
    return np.maximum(np.where(np.isnan(risk), 0.0, risk), 0.0)


def _handling(tickets: pd.DataFrame) -> np.ndarray:
    hours = _numbers(tickets, "handling_hours")
    known = np.isfinite(hours) & (hours > 0)
    usual = float(np.median(hours[known])) if known.any() else 1.0
    return np.asarray(np.maximum(np.where(known, hours, usual), LEAST_HOURS))


def _numbers(tickets: pd.DataFrame, name: str) -> np.ndarray:
    return np.asarray(pd.to_numeric(_column(tickets, name), errors="coerce").to_numpy(np.float64, na_value=np.nan))


def _column(tickets: pd.DataFrame, name: str) -> pd.Series:
    if name in tickets:
        return tickets[name]
    return pd.Series([None] * len(tickets), index=tickets.index, dtype=object)
