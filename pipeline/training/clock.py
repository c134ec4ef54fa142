"""Whether all tickets have one clock: ids and times that don't rise together, and a day that moves, by whole hours."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.pages.findings import ClockShift

FEWEST = 50
"""Of a numbering with fewer dated tickets nothing is said."""

RISING = 0.9
"""Ids whose order correlates less than this with time (Spearman) weren't given in the order of time."""

BEHIND_HOURS = 1 / 6
"""A ticket is behind if three of the fifty numbered before it are later by more than this: one may just be wrong."""

MOST_HOURS = 14
"""Clocks further apart than this are two numberings, not two zones: no zone is further from UTC."""

FEWEST_OF_A_DAY, FEWEST_DAYS = 200, 7
"""Hours of the day of so many tickets of so many days, before and after, are a rhythm."""

MOVED_HOURS = 3
"""A day that moves less may be summer time, new opening hours, or other customers."""

MOVED_NATS, MOVED_EXPLAINS = 0.03, 0.8
"""The later hours must fit the earlier rhythm, moved, so much better per ticket, and that must be so much of all that a
rhythm of their own could gain. Real forums and desks: 0.00 to 0.05, at most two thirds; the same with the time zone
switched half-way: 0.14 to 0.53, at least 0.96."""

MOVED_IN_ALL = 50.0
"""The same, in nats over the smaller side: chance alone moves a day without a rhythm by up to about thirty."""

_BEFORE, _WITNESSES = 50, 3
_FEWEST_BEHIND = 5
_ALIKE = 0.8
_CHUNK = 20_000
_STEPS_TOGETHER = 100
_CUTS = 48
_SHOWN = 3


def clock_shifts(tickets: pd.DataFrame) -> tuple[ClockShift, ...]:
    """Signs that a part of the tickets has another clock, as where an export labels local time as UTC.

    Looked at are ids, which rise with time within each numbering where all have one clock, and the hours of the day,
    which the same people keep. An export that is wrong throughout shows neither; nor do a few tickets a day.

    Parameters
    ----------
    tickets : DataFrame
        `ticket_id` and `created_at`, in any order. Ids are compared by their last run of digits, among those that are
        alike in all the rest.
    """
    dated = tickets[tickets["created_at"].notna().to_numpy(bool)]
    ids = dated["ticket_id"].astype("str")
    hours = dated["created_at"].astype("datetime64[us, UTC]").astype("int64") / 3.6e9
    parts = ids.str.extract(r"^(?P<before>.*?)(?P<number>\d{1,18})(?P<after>\D*)$")
    numbered = parts.assign(ticket_id=ids, hours=hours).dropna(subset="number").astype({"number": "int64"})
    found = [
        _by_ids(f"{before}…{after}", group.sort_values("number", kind="stable"))
        for (before, after), group in numbered.groupby(["before", "after"], sort=True)
        if len(group) >= FEWEST
    ]
    return tuple(f for f in [*found, _by_rhythm(np.sort(hours.to_numpy(np.float64)))] if f is not None)


def _by_ids(numbering: str, tickets: pd.DataFrame) -> ClockShift | None:
    """Tickets that are earlier, by about whole hours, than those numbered before them."""
    hours = tickets["hours"].to_numpy(np.float64)
    ranks = tickets["hours"].rank().to_numpy()
    if np.ptp(ranks) == 0 or np.corrcoef(np.arange(len(ranks)), ranks)[0, 1] < RISING:
        return None
    behind = _witnessed(hours) - hours > BEHIND_HOURS
    back = np.append(0.0, hours[:-1] - hours[1:])
    rows = np.flatnonzero(behind & (back > BEHIND_HOURS))
    if behind.sum() < _FEWEST_BEHIND or len(rows) == 0:
        return None
    gaps = _usual_gaps(hours)
    parts = np.array_split(rows, max(1, len(rows) // _STEPS_TOGETHER))  # summer time changes what is added
    apart = [(_apart(back[part], gaps[part]), len(part)) for part in parts]
    steps = {whole: sum(n for w, n in apart if w == whole) for whole, _ in apart if whole is not None}
    often = tuple(sorted(whole for whole, n in steps.items() if n >= 0.1 * len(rows)))
    if sum(steps.values()) < len(rows) / 2 or not often or often[-1] - often[0] > 1:
        return None
    names = tickets["ticket_id"].to_numpy(dtype=object)
    pairs = [f"{names[r - 1]} is {back[r]:.1f} h later than {names[r]}" for r in rows[:_SHOWN]]
    return ClockShift(f"ids {numbering}", often, int(behind.sum()), len(hours), "; ".join(pairs))


def _apart(back: np.ndarray, gaps: np.ndarray) -> int | None:
    """By how many whole hours two clocks differ that lead to these steps back; None where none explains them.

    Had both one clock, a ticket would have come about one usual gap after the one before it.
    """
    apart, usual = back + gaps, float(np.median(gaps))
    middle = float(np.median(apart))
    whole = round(middle)
    dense = usual <= (whole / 5 if len(back) >= _FEWEST_BEHIND else 0.5)
    near = abs(middle - whole) <= max(0.15, min(0.05 * whole, 0.3), 1.5 * usual / np.sqrt(len(back)))
    alike = (np.abs(apart - whole) <= np.maximum(0.5, 2 * gaps)) & (back <= whole + 0.25)
    return whole if 1 <= whole <= MOST_HOURS and dense and near and alike.mean() >= _ALIKE else None


def _by_rhythm(hours: np.ndarray) -> ClockShift | None:
    """The moment after which people seem to write so many hours later or earlier in the day."""
    n, of_day = len(hours), np.floor(hours).astype(np.int64) % 24
    cuts = [n * cut // _CUTS for cut in range(1, _CUTS)] if n else []
    moves = [_moved(of_day, at) for at in cuts if _long_enough(hours[:at]) and _long_enough(hours[at:])]
    gain, move, per_ticket, explained, at = max(moves, default=(0.0, 0, 0.0, 0.0, 0))
    apart = min(move, 24 - move)
    if gain < MOVED_IN_ALL or apart < MOVED_HOURS or per_ticket < MOVED_NATS or explained < MOVED_EXPLAINS:
        return None
    day = pd.Timestamp(int(hours[at] * 3600), unit="s", tz="UTC").date()
    later = "later" if move <= 12 else "earlier"
    evidence = f"from about {day} the same day's rhythm begins {apart} h {later}"
    return ClockShift("hours of the day", (apart,), min(at, n - at), n, evidence)


def _moved(of_day: np.ndarray, at: int) -> tuple[float, int, float, float, int]:
    """How well later hours fit the earlier rhythm, moved: gain in all, move, gain per ticket, its share, and `at`."""
    before, after = (np.bincount(part, minlength=24).astype(np.float64) for part in (of_day[:at], of_day[at:]))
    rhythm, own = ((counts + 1) / (counts.sum() + 24) for counts in (before, after))
    fits = np.array([(after * np.log(np.roll(rhythm, move))).sum() for move in range(24)]) / after.sum()
    move, most = int(fits.argmax()), float((after * np.log(own)).sum() / after.sum() - fits[0])
    gain = float(fits[move] - fits[0])
    return gain * min(before.sum(), after.sum()), move, gain, gain / most if most > 0 else 0.0, at


def _long_enough(hours: np.ndarray) -> bool:
    return len(hours) >= FEWEST_OF_A_DAY and bool(hours[-1] - hours[0] >= 24 * FEWEST_DAYS)


def _witnessed(hours: np.ndarray) -> np.ndarray:
    """The third latest time among the fifty tickets before each, shape (n,); -inf where there are fewer than three."""
    padded = np.append(np.full(_BEFORE, -np.inf), hours)
    found = np.empty(len(hours))
    for start in range(0, len(hours), _CHUNK):
        part = padded[start : start + _CHUNK + _BEFORE - 1]
        windows = np.lib.stride_tricks.sliding_window_view(part, _BEFORE)[: len(hours) - start]
        found[start : start + len(windows)] = np.partition(windows, -_WITNESSES, axis=1)[:, -_WITNESSES]
    return found


def _usual_gaps(hours: np.ndarray) -> np.ndarray:
    """Median time between two tickets among the fifty around each, shape (n,); in order of time both clocks are one."""
    gaps = pd.Series(np.diff(np.sort(hours), prepend=hours.min()))
    return gaps.rolling(_BEFORE, min_periods=1, center=True).median().to_numpy()
