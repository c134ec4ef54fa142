"""Alerts at the capacity that people have for them, and the time that they win; pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.history.log import DAY, HOUR
from pipeline.pages.figures import Curve
from pipeline.pages.waiting import Hours, Lead
from pipeline.training.curves import Floats, Integers, thin

PAST_DAYS = 28
"""Days before, by which a day's threshold is set."""


@dataclass(frozen=True)
class Looks:
    """Looks at tickets while they were open and hadn't escalated; the arrays of looks have shape (m,).

    Attributes
    ----------
    ticket : ndarray of int
        Position of each look's ticket among the n tickets.
    moment : ndarray of int64
        Microseconds.
    risk : ndarray of float
        Said at that moment.
    created : ndarray of int64, shape (n,)
        Of each ticket.
    escalated : ndarray of int64, shape (n,)
        When it escalated; -1 where it didn't.
    """

    ticket: Integers
    moment: Integers
    risk: Floats
    created: Integers
    escalated: Integers


def alerts(looks: Looks, capacity: float) -> Integers:
    """The look at which each ticket is alerted, -1 for never; shape (n,).

    A ticket is alerted once, at its first look whose risk reaches the day's threshold, as long as the day has room:
    `capacity` of that day's new tickets, in whole alerts, what is left over going to the next day. The threshold is
    such that as large a share of the tickets created in the `PAST_DAYS` before would have reached it. No risk that was
    said after the look is used, but on the first day, whose threshold is its own; how many tickets a day brings is
    taken as known in its morning.

    Parameters
    ----------
    capacity : float
        Share of a day's new tickets that people can look at.
    """
    order = np.lexsort((looks.ticket, looks.moment))
    day = looks.moment // DAY
    born = looks.created // DAY
    found = np.full(len(looks.created), -1, dtype=np.int64)
    highest = np.full(len(looks.created), -np.inf)
    left = 0.0
    days = np.unique(np.concatenate([day, born]))
    starts = np.searchsorted(day[order], days)
    ends = np.searchsorted(day[order], days, side="right")
    for number, (today, start, end) in enumerate(zip(days.tolist(), starts.tolist(), ends.tolist(), strict=True)):
        new = float((born == today).sum())
        left = min(left + capacity * new, max(1.0, 2 * capacity * new))  # no hoard of alerts from quiet weeks
        past = np.flatnonzero((born < today) & (born >= today - PAST_DAYS) & (highest > -np.inf))
        known = highest[past] if number and len(past) else looks.risk[order[start:end]]
        threshold = np.quantile(known, 1 - capacity) if len(known) else np.inf
        for look in order[start:end].tolist():
            ticket, risk = looks.ticket[look], looks.risk[look]
            highest[ticket] = max(highest[ticket], risk)
            if found[ticket] < 0 and left >= 1.0 and risk >= threshold:
                found[ticket] = look
                left -= 1.0
    return found


def lead(looks: Looks, alone: Looks, capacity: float) -> Lead | None:
    """What alerts win; None where nothing escalated.

    Parameters
    ----------
    looks : Looks
        By the risk as of each moment.
    alone : Looks
        The looks at creation, by the risk without any history.
    """
    happened = looks.escalated > looks.created  # one that came escalated could not be foreseen
    if not happened.any():
        return None
    given = alerts(looks, capacity)
    won = _won(looks, given)
    first = np.zeros(len(given), dtype=bool)
    first[given >= 0] = looks.moment[given[given >= 0]] == looks.created[given >= 0]
    ceiling = (looks.escalated - looks.created)[happened] / HOUR
    caught = ~np.isnan(won)
    total = int(happened.sum())
    return Lead(
        alerts=int((given >= 0).sum()),
        caught=int(caught.sum()),
        escalations=total,
        hours=_hours(won[caught]),
        at_creation=_hours(won[caught & first]),
        later=_hours(won[caught & ~first]),
        alone=_hours(_known(_won(alone, alerts(alone, capacity)))),
        ceiling=_hours(ceiling),
        curve=_longer(won[caught], total),
        ceiling_curve=_longer(ceiling, total),
    )


def _won(looks: Looks, given: Integers) -> Floats:
    """Hours from the alert to the escalation, nan where there is not both; shape (n,)."""
    won = np.full(len(given), np.nan)
    both = np.flatnonzero((given >= 0) & (looks.escalated > looks.created))
    hours = (looks.escalated[both] - looks.moment[given[both]]) / HOUR
    won[both] = np.where(hours > 0, hours, np.nan)
    return won


def _known(values: Floats) -> Floats:
    return values[~np.isnan(values)]


def _hours(values: Floats) -> Hours:
    if not len(values):
        return Hours(0)
    low, median, high = (float(q) for q in np.quantile(values, [0.25, 0.5, 0.75]))
    return Hours(len(values), low, median, high, float((values > 24).mean()))


def _longer(values: Floats, total: int) -> Curve:
    """(hours, share of `total` with at least so many)."""
    hours = np.sort(values)
    share = np.arange(len(hours), 0, -1) / total
    points = thin(np.append(0.0, hours), np.append(len(hours) / total, share))
    return tuple((float(a), float(b)) for a, b in zip(*points, strict=True))
