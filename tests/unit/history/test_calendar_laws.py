"""Business time by its laws: it adds up, never runs back, `due` inverts it, and it is a count of open minutes."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Sla
from pipeline.history.calendar import WEEKDAYS, Calendar
from pipeline.tickets.times import EARLIEST, LATEST, NO_TIME

HOUR, MINUTE, DAY = 3_600_000_000, 60_000_000, 86_400_000_000
OFFICE = dict.fromkeys(WEEKDAYS[:5], ("09:00-17:00",))
NIGHTS = dict.fromkeys(WEEKDAYS, ("22:00-06:00",))
BERLIN = Calendar.of(Sla(timezone="Europe/Berlin", hours=OFFICE, holidays=("2026-12-25", "2026-05-01")))
ALWAYS = Calendar.of(Sla())
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/St_Johns",  # changed its clock a minute after midnight
    "Africa/Casablanca",  # goes back for Ramadan
    "Pacific/Apia",
)
CHANGES = ("2026-03-29T01:00", "2026-10-25T01:00", "2026-03-08T07:00", "2026-11-01T06:00", "2026-10-03T15:30",
           "2010-03-14T03:31", "2010-11-07T02:31", "2026-02-15T02:00", "2026-03-22T02:00", "2011-12-30T10:00",
           )  # fmt: skip


def utc(text: str) -> int:
    """Microseconds of a moment written in UTC, or with an offset."""
    moment = dt.datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def text(start: int, end: int) -> str:
    return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"


@st.composite
def desks(draw: st.DrawFn) -> Sla:
    """Any zone, hours and holidays; an interval may pass midnight where the next day begins late enough."""
    opening: dict[str, tuple[str, ...]] = {}
    for day in draw(st.lists(st.sampled_from(WEEKDAYS), unique=True, min_size=1)):
        cuts = sorted(draw(st.lists(st.integers(60, 1440), min_size=2, max_size=6, unique=True)))
        spans = [text(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
        if cuts[-1] < 1440 and len(cuts) % 2 and draw(st.booleans()):
            spans.append(text(cuts[-1], draw(st.integers(0, 60))))
        opening[day] = tuple(spans)
    around = [dt.date.fromisoformat(c[:10]) + dt.timedelta(days=d) for c in CHANGES for d in (-1, 0, 1)]
    holidays = draw(st.lists(st.sampled_from([str(d) for d in around]), max_size=8))
    return Sla(timezone=draw(st.sampled_from(ZONES)), hours=opening, holidays=tuple(holidays))


CALENDARS = st.builds(Calendar.of, desks())
NEAR_A_CHANGE = st.builds(
    lambda change, minutes: utc(change) + minutes * MINUTE, st.sampled_from(CHANGES), st.integers(-3000, 3000)
)
MOMENTS = st.one_of(st.integers(EARLIEST, LATEST), NEAR_A_CHANGE)


def is_open(settings: Sla, moment: int) -> bool:
    """Whether the desk is open in the minute that begins then: by a look at the clock on the wall."""
    local = dt.datetime.fromtimestamp(moment // 1_000_000, ZoneInfo(settings.timezone))
    if str(local.date()) in settings.holidays:
        return False
    now = f"{local.hour:02}:{local.minute:02}"
    today, yesterday = WEEKDAYS[local.weekday()], WEEKDAYS[local.weekday() - 1]
    for begin, _, end in (span.partition("-") for span in settings.hours.get(today, ())):
        if begin <= now and (now < end or end < begin):
            return True
    nights = [span.partition("-") for span in settings.hours.get(yesterday, ())]
    return any(end < begin and now < end for begin, _, end in nights)


@given(desks(), NEAR_A_CHANGE, st.integers(0, 3000))
def test_business_time_is_the_number_of_minutes_in_which_the_clock_on_the_wall_shows_open_hours(
    settings: Sla, start: int, minutes: int
) -> None:
    opened = np.cumsum([0, *(is_open(settings, start + m * MINUTE) for m in range(minutes))])
    ends = start + np.arange(minutes + 1) * MINUTE
    found = Calendar.of(settings).elapsed(np.array(start), ends)
    assert np.array_equal(np.rint(found * 60 * 1e6), opened * 1e6)


@given(CALENDARS, st.lists(MOMENTS, min_size=2, max_size=8))
def test_the_parts_of_any_time_add_up_to_the_whole(calendar: Calendar, moments: list[int]) -> None:
    cuts = np.array(moments)
    parts = np.rint(calendar.elapsed(cuts[:-1], cuts[1:]) * HOUR).astype(np.int64)
    whole = np.rint(calendar.elapsed(cuts[:1], cuts[-1:]) * HOUR).astype(np.int64)
    assert abs(parts.sum() - whole[0]) <= 1  # of over a century, a double of hours holds no single microseconds
    back = calendar.elapsed(cuts[1:], cuts[:-1])
    assert np.array_equal(back, -calendar.elapsed(cuts[:-1], cuts[1:]))


@given(CALENDARS, MOMENTS, st.lists(MOMENTS, min_size=2, max_size=20))
def test_business_time_never_runs_backwards_nor_faster_than_time(
    calendar: Calendar, start: int, moments: list[int]
) -> None:
    ends = np.sort(moments)
    passed = np.diff(calendar.elapsed(np.array(start), ends))
    assert (passed >= 0).all() and (passed * HOUR <= np.diff(ends) + 1).all()


@given(CALENDARS, MOMENTS, st.one_of(st.integers(-200 * HOUR, 200 * HOUR), st.integers(-2 * HOUR, 2 * HOUR)))
def test_hours_that_are_due_have_passed_at_that_moment_and_not_before(
    calendar: Calendar, start: int, microseconds: int
) -> None:
    moment = calendar.due(np.array([start]), np.array([microseconds / HOUR]))
    if moment[0] == NO_TIME:
        assert min(start - EARLIEST, LATEST - start) < 60 * 365 * DAY
        return
    passed, just_before = calendar.elapsed(np.array(start), np.array([moment[0], max(moment[0] - 1, EARLIEST)]))
    assert round(passed * HOUR) == microseconds
    if microseconds == 0:
        assert moment[0] == start
    elif moment[0] > EARLIEST:
        assert round(just_before * HOUR) == microseconds - 1
    assert (moment[0] >= start) == (microseconds >= 0)


@given(CALENDARS, MOMENTS, MOMENTS)
def test_what_has_passed_until_a_moment_was_due_at_it_or_when_the_desk_last_closed(
    calendar: Calendar, start: int, end: int
) -> None:
    passed = calendar.elapsed(np.array([start]), np.array([end]))
    moment = calendar.due(np.array([start]), passed)
    assert moment[0] <= max(end, start)
    assert calendar.elapsed(np.array([start]), moment) == passed


@given(CALENDARS, MOMENTS, st.lists(st.floats(-500, 500), min_size=2))
def test_more_hours_are_never_due_earlier(calendar: Calendar, start: int, amounts: list[float]) -> None:
    moments = calendar.due(np.array(start), np.sort(amounts))
    known = moments[moments != NO_TIME]
    assert (np.diff(known) >= 0).all()


def test_hours_hold_every_microsecond_of_230_years() -> None:
    microseconds = np.random.default_rng(0).integers(0, LATEST - EARLIEST, 100_000)
    assert np.array_equal(ALWAYS.due(np.array(EARLIEST), microseconds / HOUR), EARLIEST + microseconds)


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Pacific/Honolulu"])
@pytest.mark.parametrize("start", [EARLIEST, LATEST - 3 * DAY])
def test_the_first_and_the_last_days_are_counted_like_any_other(zone: str, start: int) -> None:
    settings = Sla(timezone=zone, hours=NIGHTS | OFFICE)
    minutes = sum(is_open(settings, start + m * MINUTE) for m in range(3 * 1440))
    found = Calendar.of(settings).elapsed(np.array([start]), np.array([start + 3 * DAY]))
    assert round(found[0] * 60) == minutes > 0


def open_all(zone: str, interval: str) -> Calendar:
    return Calendar.of(Sla(timezone=zone, hours=dict.fromkeys(WEEKDAYS, (interval,))))


@given(CALENDARS)
def test_open_intervals_are_in_order_and_neither_empty_nor_touching(calendar: Calendar) -> None:
    for made in (calendar, open_all("Europe/Berlin", "01:00-02:00"), open_all("Europe/Berlin", "03:00-04:00")):
        assert (made.closes > made.opens).all() and (made.opens[1:] > made.closes[:-1]).all()
        assert made.opens[0] >= EARLIEST and made.closes[-1] <= LATEST


def test_a_million_pairs_are_one_pass_that_agrees_with_each_alone() -> None:
    rng = np.random.default_rng(0)
    starts, ends = rng.integers(EARLIEST, LATEST, (2, 1_000_000))
    found = BERLIN.elapsed(starts, ends)
    some = rng.integers(0, len(starts), 50)
    assert [float(BERLIN.elapsed(starts[i : i + 1], ends[i : i + 1])[0]) for i in some] == list(found[some])
