"""Business time: how much of it lies between two moments, and when so much of it will have passed.

The clock on the wall decides: the desk is open at a moment if the local time of that moment lies in the hours of its
weekday, and its local date is no holiday. So an hour that a change of the clock skips isn't counted, one that it
repeats counts twice, and the parts of any time add up to the whole.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NoReturn
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import numpy.typing as npt

from pipeline.config import Sla, nearest
from pipeline.errors import ConfigError
from pipeline.tickets.times import EARLIEST, LATEST, NO_TIME

Moments = npt.NDArray[np.int64]
Hours = npt.NDArray[np.float64]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_ALWAYS = dict.fromkeys(WEEKDAYS, ("00:00-24:00",))

_MINUTE, _HOUR, _DAY = 60_000_000, 3_600_000_000, 86_400_000_000  # in microseconds
_DAY_MINUTES, _WEEK_MINUTES = 1440, 10_080
_FIRST_MONDAY = -3  # days since 1970; early enough for every offset
_LONGEST_HOURS = (LATEST - EARLIEST) / _HOUR

_STEP_SECONDS = 2 * 86_400
"""How often a zone's offset is looked up: since 1970 no zone has changed its clock twice within six days."""

_MICROSECOND = dt.timedelta(microseconds=1)
_FIRST_DATE, _LAST_DATE = dt.date(1970, 1, 1), dt.date(2199, 12, 31)
_INTERVAL = re.compile(r"\s*(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s*", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, eq=False)
class Calendar:
    """When the desk is open, from 1970 to 2199: the times that a ticket can have.

    All moments are int64 microseconds since 1970 in UTC. NaT (the smallest int64) and moments out of these years are
    unknown: what is made of them is nan or NaT.

    Attributes
    ----------
    opens, closes : array of int64, shape (k,)
        The open intervals, earliest first, with a closed time between each two. A desk is open at `opens`, and no
        longer at `closes`.
    before : array of int64, shape (k,)
        Business time before each interval, in microseconds since 1970.
    """

    opens: Moments
    closes: Moments
    before: Moments

    @classmethod
    def of(cls, settings: Sla) -> Calendar:
        """The calendar of a desk; settings without `hours` are always open.

        Raises
        ------
        ConfigError
            Naming the setting: an unknown zone, weekday or date, an interval that can't be read or overlaps another
            one, hours in which the desk is never open.
        """
        week, holidays, zone = _week(settings.hours), _holidays(settings.holidays), _zone(settings.timezone)
        opens, closes = np.array([EARLIEST]), np.array([LATEST])
        if holidays.size or sum(end - start for start, end in week) < _WEEK_MINUTES:
            opens, closes = _in_utc(*_local(week, holidays), *_offsets(zone))
        if not opens.size:
            _wrong("the desk is never open", "hours", "no open hours", "give a weekday hours; {} is always open")
        return cls(opens, closes, np.cumsum(closes - opens) - (closes - opens))

    def elapsed(self, start: Moments, end: Moments) -> Hours:
        """Business hours from `start` to `end`, exact to the microsecond; negative where `end` is earlier.

        Parameters
        ----------
        start, end : array of int64
            Of one shape, or of shapes that broadcast.

        Returns
        -------
        array of float64
            nan where either is unknown.
        """
        start, end = np.asarray(start, np.int64), np.asarray(end, np.int64)
        hours = (self._passed(end) - self._passed(start)) / _HOUR
        return np.where(_known(start) & _known(end), hours, np.nan)

    def due(self, start: Moments, hours: Hours) -> Moments:
        """The earliest moment at which so many business hours have passed since `start`: `elapsed` inverted.

        Where the hours are used up as the desk closes, it is that moment, not the next opening.

        Parameters
        ----------
        start : array of int64
        hours : array of float64
            Business hours, read to the microsecond. With 0 it is `start` itself, open or not; with negative hours a
            moment before.

        Returns
        -------
        array of int64
            NaT where either is unknown, and where it would lie outside the years of the calendar.
        """
        start, hours = np.broadcast_arrays(np.asarray(start, np.int64), np.asarray(hours, np.float64))
        known = _known(start) & (np.abs(hours) <= _LONGEST_HOURS)
        more = _microseconds(np.where(known, hours, 0.0))
        wanted = self._passed(start) + more
        at = np.searchsorted(self.before + self.closes - self.opens, wanted)
        inside = np.minimum(at, len(self.opens) - 1)
        found = np.where(wanted > 0, self.opens[inside] + wanted - self.before[inside], EARLIEST)
        found = np.where(more >= 0, np.maximum(found, start), found)
        reached = (at < len(self.opens)) & (wanted >= 0)
        return np.where(known & reached, found, NO_TIME)

    def _passed(self, moments: Moments) -> Moments:
        """Business microseconds from 1970 to each moment."""
        at = np.maximum(np.searchsorted(self.opens, moments, side="right") - 1, 0)
        inside = np.clip(moments, self.opens[at], self.closes[at]) - self.opens[at]
        return np.asarray(self.before[at] + inside)


# ── open intervals ───────────────────────────────────────────────────────────────────────────────────────────────────


def _local(week: list[tuple[int, int]], holidays: Moments) -> tuple[Moments, Moments]:
    """Open intervals on the clock on the wall, in microseconds since its 1970."""
    mondays = np.arange(_FIRST_MONDAY, LATEST // _DAY + 2, 7)[:, np.newaxis] * _DAY
    starts, ends = np.array(week, np.int64).reshape(-1, 2).T * _MINUTE
    opens, closes = (mondays + starts).ravel(), (mondays + ends).ravel()
    kept = ~np.isin(opens // _DAY, holidays)
    return _merged(opens[kept], closes[kept])


def _in_utc(opens: Moments, closes: Moments, changes: Moments, offsets: Moments) -> tuple[Moments, Moments]:
    """Local intervals as those of UTC: between two changes of the clock, the part that the clock on the wall shows."""
    found: list[tuple[Moments, Moments]] = []
    for begin, end, offset in zip(changes, [*changes[1:], LATEST], offsets, strict=True):
        first = np.searchsorted(closes, begin + offset, side="right")
        last = np.searchsorted(opens, end + offset)
        shown = slice(int(first), int(last))
        found.append((np.maximum(opens[shown] - offset, begin), np.minimum(closes[shown] - offset, end)))
    return _merged(np.concatenate([o for o, _ in found]), np.concatenate([c for _, c in found]))


def _merged(opens: Moments, closes: Moments) -> tuple[Moments, Moments]:
    """Intervals in order, those that touch made one."""
    first = np.ones(len(opens), bool)
    first[1:] = opens[1:] > closes[:-1]
    return opens[first], closes[np.roll(first, -1)]


@lru_cache(maxsize=16)
def _offsets(zone: ZoneInfo) -> tuple[Moments, Moments]:
    """The moments from which a zone has another offset from UTC, the first of them 1970, and these offsets."""
    seconds = range(EARLIEST // 1_000_000, LATEST // 1_000_000 + 1, _STEP_SECONDS)
    looked_up = [_offset(zone, s) for s in seconds]
    changes, offsets = [seconds[0]], [looked_up[0]]
    for low, before, after in zip(seconds, looked_up, looked_up[1:], strict=False):
        if before != after:
            changes.append(_change(zone, low, low + _STEP_SECONDS))
            offsets.append(after)
    return np.array(changes, np.int64) * 1_000_000, np.array(offsets, np.int64)


def _change(zone: ZoneInfo, low: int, high: int) -> int:
    """The first second with the offset of `high`; there is one change between the two."""
    before = _offset(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    return high


def _offset(zone: ZoneInfo, second: int) -> int:
    """Microseconds by which the local time is ahead of UTC."""
    ahead = dt.datetime.fromtimestamp(second, zone).utcoffset() or dt.timedelta(0)
    return ahead // _MICROSECOND


def _known(moments: Moments) -> npt.NDArray[np.bool_]:
    return (moments >= EARLIEST) & (moments <= LATEST)


def _microseconds(hours: Hours) -> Moments:
    """Hours to the microsecond; whole hours apart, for a double holds so many microseconds but not their product."""
    whole = np.floor(hours)
    return whole.astype(np.int64) * _HOUR + np.rint((hours - whole) * _HOUR).astype(np.int64)


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _week(hours: Mapping[str, Iterable[str]]) -> list[tuple[int, int]]:
    """Open minutes of the week from Monday 00:00, in order, each of one day; without hours, all of them."""
    written = [(day, text) for day, texts in (hours or _ALWAYS).items() for text in texts]
    for day in hours:
        if day not in WEEKDAYS:
            near = nearest(day.lower(), WEEKDAYS)
            do = f"did you mean {near[0]!r}?" if near else f"one of {', '.join(WEEKDAYS)}"
            _wrong("unknown weekday", "hours", day, do)
    parts = sorted((*part, day, text) for day, text in written for part in _parts(day, text))
    for (_, end, _, one), (start, _, day, other) in pairwise(parts):
        if start < end:
            do = "make one of them, or let one end where the other begins"
            _wrong("two intervals overlap", f"hours: {day}", f"{one} and {other}", do)
    return [(start, end) for start, end, *_ in parts]


def _parts(day: str, text: str) -> list[tuple[int, int]]:
    """An interval in minutes of the week: as one part, or as two where it passes midnight."""
    found = _INTERVAL.fullmatch(text)
    hour, minute, end_hour, end_minute = map(int, found.groups()) if found else (99, 99, 99, 99)
    start, end = hour * 60 + minute, end_hour * 60 + end_minute
    if start >= _DAY_MINUTES or end > _DAY_MINUTES or max(minute, end_minute) > 59 or start == end:
        do = "write HH:MM-HH:MM, such as 09:00-17:30, 22:00-06:00 over midnight, or 00:00-24:00 for the whole day"
        _wrong("not an interval of opening hours", f"hours: {day}", repr(text), do)
    midnight = WEEKDAYS.index(day) * _DAY_MINUTES
    if start < end:
        return [(midnight + start, midnight + end)]
    next_midnight = (midnight + _DAY_MINUTES) % _WEEK_MINUTES
    parts = [(midnight + start, midnight + _DAY_MINUTES), (next_midnight, next_midnight + end)]
    return parts if end else parts[:1]


def _holidays(dates: Iterable[str]) -> Moments:
    """Days since 1970."""
    return np.array([(_date(text) - _FIRST_DATE).days for text in dates], np.int64)


def _date(text: str) -> dt.date:
    try:
        date = dt.date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        date = None
    if date is None or not _FIRST_DATE <= date <= _LAST_DATE:
        _wrong("not a date", "holidays", repr(text), "write YYYY-MM-DD, from 1970 to 2199")
    return date


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        near = nearest(name, available_timezones(), count=1)
        do = f"did you mean {near[0]}?" if near else "write an IANA name such as Europe/Berlin"
        _wrong("unknown time zone", "timezone", repr(name), do)


def _wrong(what: str, key: str, got: str, do: str) -> NoReturn:
    raise ConfigError(what, where=f"params.yaml: sla.{key}", got=got, do=do)
