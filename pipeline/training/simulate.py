"""A queue, simulated: tickets arrive when they did, and a stated number of hands takes them in another order.

What is simulated is a queue that is never idle by choice: a free hand takes a waiting ticket at once, keeps it to the
end, and is free again. Nothing is random. Hours may count from any moment; where hands work in office hours only, the
caller counts in office hours.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush, heapreplace

import numpy as np
from numpy.typing import ArrayLike

from pipeline.errors import InputError
from pipeline.pages.backtest import Backtest, Replayed, Waits
from pipeline.training.curves import Floats, Integers, as_floats, thin

__all__ = ["Backtest", "Choice", "Index", "Replayed", "Waits", "compare", "simulate"]

Index = Callable[[Integers, float], ArrayLike]
"""`index(tickets, now)`: how much it matters to take each of the waiting tickets (positions) now; the largest first."""

Choice = Index | Floats | None
"""An order of taking tickets: an index that is asked again whenever a hand is free, or one fixed number a ticket (the
largest first), or None: first come, first served. Equal ones are taken in order of arrival, nan last."""


def compare(
    arrivals_hours: ArrayLike,
    handling_hours: ArrayLike,
    *,
    hands: int,
    predicted: Choice,
    urgent: ArrayLike,
    deadline_hours: ArrayLike | None = None,
    counted_from_hours: float = -np.inf,
    stated: tuple[str, ...] = (),
) -> Backtest:
    """Replay the tickets first come, first served, in the predicted order, and with the truth known.

    Parameters
    ----------
    arrivals_hours, handling_hours, hands, predicted
        As in `simulate`.
    urgent : array of bool or float, shape (n,)
        What turned out: 1 urgent, 0 not, nan unknown. Unknown tickets are handled but stand in neither group.
    deadline_hours : array of float, shape (n,), optional
        Latest start in time, on the clock of the arrivals; nan: no deadline.
    counted_from_hours : float
        Tickets that arrive earlier only fill the queue: they stand in neither group, and their deadlines don't count.
    stated : tuple of str
        Further sentences for `assumptions`, such as how hours are counted and where handling times come from.

    Raises
    ------
    InputError
        As `simulate` does, or for arrays of another length.
    """
    arrivals, handling = _checked(arrivals_hours, handling_hours, hands)
    truth = _alike(as_floats(urgent), arrivals, "urgent")
    deadlines = np.full(len(arrivals), np.nan) if deadline_hours is None else as_floats(deadline_hours)
    _alike(deadlines, arrivals, "deadline_hours")
    counted = arrivals >= counted_from_hours
    unknown = int(np.isnan(truth[counted]).sum())
    truth, deadlines = (np.where(counted, values, np.nan) for values in (truth, deadlines))
    orders: tuple[Choice, ...] = (None, predicted, (truth == 1).astype(np.float64))
    starts = [simulate(arrivals, handling, hands, choose) for choose in orders]
    first, wanted, known = (_replayed(arrivals, handling, s, truth, deadlines) for s in starts)
    offered = float(np.ptp(arrivals)) * hands if len(arrivals) else 0.0
    load = float(handling.sum()) / offered if offered > 0 else np.nan
    return Backtest(first, wanted, known, load, (*_assumptions(handling, hands, unknown), *stated))


def simulate(arrivals_hours: ArrayLike, handling_hours: ArrayLike, hands: int, choose: Choice = None) -> Floats:
    """When the handling of each ticket starts, on the clock of the arrivals, shape (n,).

    Parameters
    ----------
    arrivals_hours : array of float, shape (n,)
        In any order.
    handling_hours : array of float, shape (n,)
        An assumption: what each ticket takes, whoever handles it and whenever.
    hands : int
        People who work side by side.
    choose : Choice
        The order.

    Raises
    ------
    InputError
        For times that aren't finite, negative handling, fewer than one hand, or arrays of another length.

    Notes
    -----
    Fixed numbers cost O(n log n). An index is asked once a ticket, about all that wait then: O(n · mean queue).
    """
    arrivals, handling = _checked(arrivals_hours, handling_hours, hands)
    coming = np.argsort(arrivals, kind="stable").tolist()
    came, takes = arrivals.tolist(), handling.tolist()
    waiting = _Asked(choose, len(coming)) if callable(choose) else _Fixed(choose, arrivals)
    free = [-np.inf] * min(hands, max(len(coming), 1))
    starts, now, seen = np.empty(len(coming)), -np.inf, 0
    for started in range(len(coming)):
        now = max(now, free[0])
        if started == seen:  # nobody waits: the next thing that happens is an arrival
            now = max(now, came[coming[seen]])
        while seen < len(coming) and came[coming[seen]] <= now:
            waiting.add(coming[seen])
            seen += 1
        ticket = waiting.take(now)
        starts[ticket] = now
        heapreplace(free, now + takes[ticket])
    return starts


class _Fixed:
    """Waiting tickets with a number each that doesn't change: a heap."""

    def __init__(self, numbers: Floats | None, arrivals: Floats) -> None:
        values = np.zeros(len(arrivals)) if numbers is None else _alike(as_floats(numbers), arrivals, "choose")
        self._numbers = np.nan_to_num(-values, nan=np.inf, posinf=np.inf, neginf=-np.inf).tolist()
        self._heap: list[tuple[float, int, int]] = []
        self._added = 0

    def add(self, ticket: int) -> None:
        heappush(self._heap, (self._numbers[ticket], self._added, ticket))
        self._added += 1

    def take(self, now: float) -> int:
        return heappop(self._heap)[2]


class _Asked:
    """Waiting tickets in order of arrival, about all of which the index is asked at every choice."""

    def __init__(self, index: Index, size: int) -> None:
        self._index, self._waiting, self._count = index, np.empty(size, dtype=np.int64), 0

    def add(self, ticket: int) -> None:
        self._waiting[self._count] = ticket
        self._count += 1

    def take(self, now: float) -> int:
        waiting = self._waiting[: self._count]
        values = _alike(as_floats(self._index(waiting.copy(), now)), waiting, "what the index gives")
        place = int(np.where(np.isnan(values), -np.inf, values).argmax())
        ticket = int(waiting[place])
        waiting[place:-1] = waiting[place + 1 :].copy()
        self._count -= 1
        return ticket


def _replayed(arrivals: Floats, handling: Floats, starts: Floats, truth: Floats, deadlines: Floats) -> Replayed:
    waits, bound = starts - arrivals, ~np.isnan(deadlines)
    last = arrivals.max(initial=-np.inf)
    span = float(np.ptp(arrivals)) if len(arrivals) else 0.0
    return Replayed(
        urgent=_waits(waits[truth == 1]),
        rest=_waits(waits[truth == 0]),
        sla_missed=float((starts > deadlines)[bound].mean()) if bound.any() else np.nan,
        handled=int((starts + handling <= last).sum()),
        mean_queue=float((np.minimum(starts, last) - arrivals).sum() / span) if span > 0 else np.nan,
    )


def _waits(hours: Floats) -> Waits:
    if not len(hours):
        return Waits(0, np.nan, np.nan, np.nan)
    median, p90 = np.quantile(hours, [0.5, 0.9])
    within = thin(np.sort(hours), np.arange(1, len(hours) + 1) / len(hours))
    curve = tuple(zip(*(values.tolist() for values in within), strict=True))
    return Waits(len(hours), float(median), float(p90), float(hours.mean()), curve)


def _assumptions(handling: Floats, hands: int, unknown: int) -> tuple[str, ...]:
    people = "1 hand takes" if hands == 1 else f"{hands} hands take"
    said = [
        f"The {len(handling):,} tickets arrive when they did; {people} one at a time, and none is put down unfinished.",
        _handling_words(handling),
        "A free hand takes a waiting ticket at once, always the one that the order puts first.",
        "Nothing waits at the beginning; after the last arrival the rest is worked off, and every wait counts whole.",
        "Whether a ticket turns out urgent doesn't depend on when it is taken.",
    ]
    if unknown:
        said.append(f"What became of {unknown:,} tickets isn't known: they are handled, but stand in neither group.")
    return tuple(said)


def _handling_words(handling: Floats) -> str:
    if not len(handling):
        return "There is nothing to handle."
    low, middle, high = np.quantile(handling, [0.0, 0.5, 1.0])
    if low == high:
        return f"Every ticket takes {low:g} hours of handling."
    return f"A ticket takes {low:.3g} to {high:.3g} hours of handling, {middle:.3g} at the median, in any order."


def _checked(arrivals_hours: ArrayLike, handling_hours: ArrayLike, hands: int) -> tuple[Floats, Floats]:
    arrivals = as_floats(arrivals_hours)
    handling = _alike(as_floats(handling_hours), arrivals, "handling_hours")
    for name, hours, wrong in (
        ("arrivals_hours", arrivals, ~np.isfinite(arrivals)),
        ("handling_hours", handling, ~(np.isfinite(handling) & (handling >= 0))),
    ):
        if wrong.any():
            got = f"{hours[wrong][0]:g} and {wrong.sum() - 1} more"
            raise InputError("hours that can't be replayed", where=name, got=got, do="leave these tickets out")
    if hands < 1:
        raise InputError("nobody to take the tickets", where="hands", got=str(hands), do="at least 1")
    return arrivals, handling


def _alike(values: Floats, tickets: Floats | Integers, name: str) -> Floats:
    if values.shape != tickets.shape:
        got = f"shape {values.shape} for {len(tickets)} tickets"
        raise InputError("not one number a ticket", where=name, got=got, do="give one for each, in the same order")
    return values
