"""Business time by hand: weekends, holidays, nights, changes of the clock, and what is unknown."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from pipeline.config import Sla
from pipeline.history.calendar import WEEKDAYS, Calendar
from pipeline.tickets.times import EARLIEST, LATEST, NO_TIME

HOUR = 3_600_000_000
OFFICE = dict.fromkeys(WEEKDAYS[:5], ("09:00-17:00",))
NIGHTS = dict.fromkeys(WEEKDAYS, ("22:00-06:00",))
BERLIN = Calendar.of(Sla(timezone="Europe/Berlin", hours=OFFICE, holidays=("2026-12-25", "2026-05-01")))
ALWAYS = Calendar.of(Sla())


def utc(text: str) -> int:
    """Microseconds of a moment written in UTC, or with an offset."""
    moment = dt.datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def hours(calendar: Calendar, start: str, end: str) -> float:
    return float(calendar.elapsed(np.array([utc(start)]), np.array([utc(end)]))[0])


def due(calendar: Calendar, start: str, business_hours: float) -> str:
    """The moment in UTC, as ISO 8601 without the offset."""
    moment = calendar.due(np.array([utc(start)]), np.array([business_hours]))
    return str(np.datetime64(int(moment[0]), "us").astype("datetime64[s]"))


def open_all(zone: str, interval: str) -> Calendar:
    return Calendar.of(Sla(timezone=zone, hours=dict.fromkeys(WEEKDAYS, (interval,))))


# ── by hand ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-03-02T09:00+01:00", "2026-03-02T17:00+01:00", 8.0),  # a Monday
        ("2026-03-02T00:00+01:00", "2026-03-02T09:00+01:00", 0.0),
        ("2026-03-02T16:30+01:00", "2026-03-03T09:45+01:00", 1.25),  # over a night
        ("2026-03-06T16:00+01:00", "2026-03-09T10:00+01:00", 2.0),  # over a weekend
        ("2026-03-07T10:00+01:00", "2026-03-08T10:00+01:00", 0.0),  # inside one
        ("2026-04-30T16:00+02:00", "2026-05-04T10:00+02:00", 2.0),  # a holiday, then a weekend
        ("2026-03-09T10:00+01:00", "2026-03-06T16:00+01:00", -2.0),
        ("2026-03-27T16:00+01:00", "2026-03-30T10:00+02:00", 2.0),  # summer time begins in between
        ("2026-01-01T00:00+01:00", "2027-01-01T00:00+01:00", (261 - 2) * 8.0),
        ("2026-03-02T12:00:00.000001+01:00", "2026-03-02T12:00:00.000002+01:00", 1 / HOUR),
    ],
)
def test_only_open_hours_pass(start: str, end: str, expected: float) -> None:
    assert hours(BERLIN, start, end) == expected


def test_several_intervals_of_a_day_add_up() -> None:
    split = Calendar.of(Sla(hours={"mon": ("09:00-12:00", "13:00-17:30"), "tue": ("00:00-24:00",)}))
    assert hours(split, "2026-03-02T00:00", "2026-03-03T00:00") == 7.5
    assert hours(split, "2026-03-02T11:00", "2026-03-02T13:30") == 1.5
    assert hours(split, "2026-03-02T00:00", "2026-03-09T00:00") == 31.5


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    friday = Calendar.of(Sla(hours={"fri": ("22:00-06:00",)}))
    assert hours(friday, "2026-03-06T22:00", "2026-03-07T06:00") == 8.0
    assert (
        hours(friday, "2026-03-06T00:00", "2026-03-06T22:00")
        == hours(friday, "2026-03-07T06:00", "2026-03-13T22:00")
        == 0
    )
    sunday = Calendar.of(Sla(hours={"sun": ("22:00-06:00",), "mon": ("06:00-07:00",)}))
    assert hours(sunday, "2026-03-08T22:00", "2026-03-09T07:00") == 9.0


def test_a_holiday_closes_its_local_day_from_midnight_to_midnight_and_nothing_else() -> None:
    desk = Calendar.of(Sla(hours=NIGHTS, holidays=("2026-12-25",)))
    assert hours(desk, "2026-12-24T12:00", "2026-12-25T12:00") == 2.0
    assert hours(desk, "2026-12-25T12:00", "2026-12-26T12:00") == 6.0
    kolkata = Calendar.of(Sla(timezone="Asia/Kolkata", holidays=("2026-12-25",)))
    assert hours(kolkata, "2026-12-24T00:00", "2026-12-27T00:00") == 48.0
    assert hours(kolkata, "2026-12-24T18:30", "2026-12-25T18:30") == 0.0


@pytest.mark.parametrize(
    ("zone", "spring", "autumn"),
    [("Europe/Berlin", "2026-03-29", "2026-10-25"), ("America/New_York", "2026-03-08", "2026-11-01")],
)
def test_a_night_is_an_hour_shorter_in_spring_and_longer_in_autumn(zone: str, spring: str, autumn: str) -> None:
    desk = open_all(zone, "22:00-06:00")
    for day, expected in ((spring, 7.0), (autumn, 9.0), ("2026-07-01", 8.0)):
        noon = pd.Timestamp(f"{day} 12:00", tz=zone)
        assert hours(desk, str(noon - pd.Timedelta(days=1)), str(noon)) == expected


def test_hours_that_the_clock_skips_do_not_pass() -> None:
    assert hours(open_all("Europe/Berlin", "02:00-03:00"), "2026-03-28T12:00", "2026-03-29T12:00") == 0.0
    begins_inside = open_all("Europe/Berlin", "02:30-04:00")
    assert hours(begins_inside, "2026-03-29T00:00", "2026-03-29T12:00") == 1.0
    assert due(begins_inside, "2026-03-29T00:00", 0.5) == "2026-03-29T01:30:00"  # 03:30 in summer time
    ends_inside = open_all("Europe/Berlin", "01:00-02:30")
    assert hours(ends_inside, "2026-03-29T00:00", "2026-03-29T12:00") == 1.0
    assert due(ends_inside, "2026-03-29T00:00", 1.0) == "2026-03-29T01:00:00"


def test_hours_that_the_clock_repeats_pass_twice() -> None:
    assert hours(open_all("Europe/Berlin", "02:00-03:00"), "2026-10-24T12:00", "2026-10-25T12:00") == 2.0
    early = open_all("America/New_York", "00:30-01:30")  # 01:00 to 02:00 comes twice
    assert hours(early, "2026-11-01T04:30", "2026-11-01T05:30") == 1.0
    assert hours(early, "2026-11-01T05:30", "2026-11-01T06:00") == 0.0  # 01:30 to 02:00, the first time
    assert hours(early, "2026-11-01T06:00", "2026-11-01T06:30") == 0.5
    assert due(early, "2026-11-01T00:00", 1.25) == "2026-11-01T06:15:00"


def test_zones_with_odd_offsets_are_exact() -> None:
    kolkata = Calendar.of(Sla(timezone="Asia/Kolkata", hours=OFFICE))
    assert hours(kolkata, "2026-03-02T03:30", "2026-03-02T11:30") == 8.0
    half_an_hour = open_all("Australia/Lord_Howe", "00:00-06:00")  # its summer time is half an hour
    assert hours(half_an_hour, "2026-10-03T12:00", "2026-10-03T20:00") == 5.5
    seconds = open_all("Africa/Monrovia", "09:00-17:00")  # 44 minutes and 30 seconds behind, until 1972
    assert due(seconds, "1971-06-01T00:00", 1.0) == "1971-06-01T10:44:30"


def test_a_date_that_a_zone_skipped_has_no_hours() -> None:
    samoa = open_all("Pacific/Apia", "09:00-17:00")  # no 30 December 2011
    assert hours(samoa, "2011-12-29T00:00-10:00", "2012-01-01T00:00+14:00") == 16.0


def test_without_hours_the_desk_is_always_open() -> None:
    assert hours(ALWAYS, "2026-03-28T00:00", "2026-03-30T12:00") == 60.0
    written = open_all("America/New_York", "00:00-24:00")
    halves = Calendar.of(Sla(timezone="Europe/Berlin", hours=dict.fromkeys(WEEKDAYS, ("00:00-11:30", "11:30-00:00"))))
    for calendar in (written, halves):
        assert list(calendar.opens) == [EARLIEST] and list(calendar.closes) == [LATEST]


def test_intervals_that_touch_are_one() -> None:
    touching = Calendar.of(Sla(hours={"mon": ("09:00-12:00", "12:00-17:00", "22:00-00:00"), "tue": ("00:00-01:00",)}))
    assert hours(touching, "2026-03-02T00:00", "2026-03-04T00:00") == 11.0
    assert (touching.opens[1:] > touching.closes[:-1]).all()


@pytest.mark.parametrize(
    ("start", "business_hours", "expected"),
    [
        ("2026-03-02T12:00", 2.0, "2026-03-02T14:00:00"),
        ("2026-03-06T16:00", 1.0, "2026-03-06T17:00:00"),  # used up as the desk closes, not as it opens again
        ("2026-03-06T16:00", 1.5, "2026-03-09T09:30:00"),
        ("2026-03-07T16:00", 0.0, "2026-03-07T16:00:00"),
        ("2026-03-07T16:00", 8.0, "2026-03-09T17:00:00"),
        ("2026-03-09T10:00", -1.0, "2026-03-06T17:00:00"),
        ("2026-03-09T10:00", -1.5, "2026-03-06T16:30:00"),
        ("2026-03-02T09:00", 2080.0, "2027-02-26T17:00:00"),  # 52 weeks
    ],
)
def test_hours_are_due_when_they_have_passed(start: str, business_hours: float, expected: str) -> None:
    assert due(Calendar.of(Sla(hours=OFFICE)), start, business_hours) == expected


# ── what is unknown ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("calendar", [ALWAYS, BERLIN])
@pytest.mark.parametrize("odd", [NO_TIME, EARLIEST - 1, LATEST + 1, int(np.iinfo(np.int64).max)])
def test_a_moment_that_is_not_there_or_out_of_the_years_gives_nothing(calendar: Calendar, odd: int) -> None:
    known = utc("2026-03-02T12:00")
    assert np.isnan(calendar.elapsed(np.array([odd, known]), np.array([known, odd]))).all()
    assert list(calendar.due(np.array([odd]), np.array([1.0]))) == [NO_TIME]


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 1e300, 3e6, -3e6])
def test_hours_that_are_not_there_or_never_pass_are_never_due(odd: float) -> None:
    start = np.array([utc("2026-03-02T12:00")])
    for calendar in (ALWAYS, BERLIN):
        assert list(calendar.due(start, np.array([odd]))) == [NO_TIME]


def test_the_first_and_the_last_moment_count() -> None:
    whole = ALWAYS.elapsed(np.array([EARLIEST]), np.array([LATEST]))
    assert list(whole) == [(LATEST - EARLIEST) / HOUR]
    assert list(ALWAYS.due(np.array([EARLIEST]), whole)) == [LATEST]
    assert list(ALWAYS.due(np.array([LATEST]), -whole)) == [EARLIEST]
    assert list(BERLIN.due(np.array([LATEST, LATEST]), np.array([0.0, 1.0]))) == [LATEST, NO_TIME]
    total = BERLIN.elapsed(np.array([EARLIEST]), np.array([LATEST]))
    assert list(BERLIN.due(np.array([LATEST]), -total)) == [EARLIEST]


def test_shapes_broadcast_and_nothing_is_still_nothing() -> None:
    starts = np.array([utc("2026-03-02T12:00"), NO_TIME, utc("2026-03-02T13:00")])
    found = BERLIN.elapsed(starts, np.array(utc("2026-03-02T14:00")))
    assert found.dtype == np.float64 and np.array_equal(found, [2.0, np.nan, 1.0], equal_nan=True)
    assert BERLIN.elapsed(starts[:0], starts[:0]).shape == BERLIN.due(starts[:0], np.zeros(0)).shape == (0,)
    assert BERLIN.due(starts, np.array(1.0)).dtype == np.int64
