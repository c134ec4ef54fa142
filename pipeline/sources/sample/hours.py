"""When people write: by hour, weekday and season, and more of them each month."""

from __future__ import annotations

from bisect import bisect
from datetime import UTC, datetime, timedelta
from itertools import accumulate

START = datetime(2025, 9, 1, tzinfo=UTC)
_WEEK = (1.15, 1.05, 1.0, 0.95, 0.9, 0.5, 0.42)
_DAY = (1, 1, 1, 1, 1, 2, 4, 8, 12, 14, 14, 12, 10, 11, 12, 11, 10, 9, 8, 8, 9, 8, 5, 3)


class Calendar:
    """How many people write in which hour."""

    def __init__(self, days: int) -> None:
        self.days = days
        self.end = START + timedelta(days=days)
        hours = (_rush(START + timedelta(hours=h)) * (1 + 0.3 * h / (24 * days)) for h in range(24 * days))
        self._sums = [0.0, *accumulate(hours)]

    def moment(self, position: float) -> datetime:
        """The time at which a share of all tickets has arrived."""
        goal = position * self._sums[-1]
        hour = min(bisect(self._sums, goal) - 1, len(self._sums) - 2)
        part = (goal - self._sums[hour]) / (self._sums[hour + 1] - self._sums[hour])
        return START + timedelta(hours=hour, seconds=int(part * 3600))

    def share(self, at: datetime) -> float:
        """How much of the time has passed, 0 to 1 and a little more for arrivals."""
        return (at - START).total_seconds() / (self.days * 86_400)


def _rush(at: datetime) -> float:
    season = 1.4 if (11, 20) <= (at.month, at.day) < (12, 25) else 1.0
    return _WEEK[at.weekday()] * _DAY[at.hour] * season
