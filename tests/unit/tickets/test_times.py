"""Times of every spelling become UTC; what had to be assumed is counted, what can't be read is coded."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.tickets.times import read_times

NOW = pd.Timestamp("2026-03-02 12:00", tz="UTC")


def one(value: object, **options: object) -> tuple[str | None, str | None, dict[str, int]]:
    times, codes, counts = read_times(pd.Series([value], dtype=object), **options)  # type: ignore[arg-type]
    assert str(times.dtype) == "datetime64[us, UTC]"
    time = None if pd.isna(times.iloc[0]) else times.iloc[0].isoformat()
    return time, None if pd.isna(codes.iloc[0]) else codes.iloc[0], {k: v for k, v in counts.items() if v}


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2025-04-03T14:05:06Z", "2025-04-03T14:05:06+00:00"),
        ("2025-04-03 14:05:06.123456789+02:00", "2025-04-03T12:05:06.123456+00:00"),
        ("2025-04-03T14:05:06.000+0000", "2025-04-03T14:05:06+00:00"),
        ("2025-04-03T14:05+02", "2025-04-03T12:05:00+00:00"),
        ("20250403T140506Z", "2025-04-03T14:05:06+00:00"),
        ("Thu, 3 Apr 2025 14:05:06 +0200", "2025-04-03T12:05:06+00:00"),
        ("1743689106", "2025-04-03T14:05:06+00:00"),
        (1743689106, "2025-04-03T14:05:06+00:00"),
        (1743689106.5, "2025-04-03T14:05:06.500000+00:00"),
        ("1743689106123", "2025-04-03T14:05:06.123000+00:00"),
        ("1743689106123456", "2025-04-03T14:05:06.123456+00:00"),
        ("1743689106123456789", "2025-04-03T14:05:06.123456+00:00"),
        (pd.Timestamp("2025-04-03 14:05", tz="Europe/Berlin"), "2025-04-03T12:05:00+00:00"),
        (dt.datetime(2025, 4, 3, 14, 5, tzinfo=dt.UTC), "2025-04-03T14:05:00+00:00"),
    ],
)
def test_times_with_an_offset_are_read_exactly(value: object, time: str) -> None:
    assert one(value) == (time, None, {})


@pytest.mark.parametrize(
    "value",
    [
        "2025-04-03 14:05", "2025/04/03 14:05", "2025-04-03T14:05:00.000", "3.4.2025 14:05", "03/04/2025, 2:05 pm",
        "3-4-25 14:05:00",
        "3 April 2025 14:05", "Apr 3, 2025 2:05 PM", "Thursday, April 3, 2025 at 14:05", "20250403T1405",
    ],
)  # fmt: skip
def test_naive_times_are_read_in_their_zone_and_counted(value: str) -> None:
    assert one(value, dayfirst=True) == ("2025-04-03T14:05:00+00:00", None, {"naive": 1})
    assert one(value, dayfirst=True, timezone="Europe/Berlin") == ("2025-04-03T12:05:00+00:00", None, {"naive": 1})


def test_the_month_comes_first_unless_told_otherwise() -> None:
    assert one("03/04/2025")[0] == "2025-03-04T00:00:00+00:00"
    assert one("31/12/2025") == (None, "bad_time", {"bad": 1})
    assert one("12/31/2025", dayfirst=True) == (None, "bad_time", {"bad": 1})


def test_mixed_offsets_and_naive_times_in_one_column() -> None:
    values = pd.Series(
        ["2025-01-01T00:00:00+02:00", "2025-01-01T00:00:00-05:00", "2025-01-01 00:00", "1735689600", None]
    )
    times, codes, counts = read_times(values, timezone="America/New_York")
    assert [t.hour for t in times[:4]] == [22, 5, 5, 0]
    assert codes.isna().all()
    assert counts["naive"] == 1


def test_hours_that_summer_time_skips_or_repeats_are_resolved_and_counted() -> None:
    assert one("2025-03-30 02:30", timezone="Europe/Berlin") == (
        "2025-03-30T01:00:00+00:00", None, {"naive": 1, "nonexistent": 1},
    )  # fmt: skip
    assert one("2025-10-26 02:30", timezone="Europe/Berlin") == (
        "2025-10-26T00:30:00+00:00", None, {"naive": 1, "ambiguous": 1},
    )  # fmt: skip


@pytest.mark.parametrize("value", ["", "  ", None, float("nan"), pd.NaT, pd.NA])
def test_empty_is_null_without_a_code(value: object) -> None:
    assert one(value, now=NOW) == (None, None, {})


@pytest.mark.parametrize(
    "value",
    ["soon", "now", "today", "2025-13-01", "2025-02-30", "0001-01-01", "12", "-5", "25:00", [1], {"a": 1}, True,
    10**40, 1e300,
     "9" * 19, "x" * 10_000, "2025-01-01T25:00:00Z", "1 Foo 2025", "13:00 pm", b"\xff", "\ud800", object()],
)  # fmt: skip
def test_what_is_no_time_is_coded(value: object) -> None:
    assert one(value)[:2] == (None, "bad_time")


@pytest.mark.parametrize("value", ["2026-03-03T12:00:01Z", "2999-01-01T00:00:00Z", "2026-03-04"])
def test_times_more_than_a_day_ahead_are_coded(value: str) -> None:
    assert one(value, now=NOW)[:2] == (None, "future_time")


@pytest.mark.parametrize("now", [NOW, NOW.tz_convert("Asia/Tokyo"), NOW.tz_localize(None)])
def test_a_day_ahead_is_let_pass(now: pd.Timestamp) -> None:
    assert one("2026-03-03T12:00:00Z", now=now)[1] is None
    assert one("2026-03-03T12:00:01Z", now=now)[1] == "future_time"


@pytest.mark.parametrize("name", ["Mars/Phobos", "", "../etc/passwd"])
def test_an_unknown_zone_is_an_error(name: str) -> None:
    if name:
        with pytest.raises(InputError, match="time zone"):
            one("2025-01-01", timezone=name)


@pytest.mark.parametrize("kind", ["datetime64[ns]", "datetime64[s]", "datetime64[us, Europe/Berlin]", "str", "object"])
def test_typed_columns_are_read_and_left_untouched(kind: str) -> None:
    values = pd.Series(pd.to_datetime(["2025-01-01 12:00", None])).astype("datetime64[us]")
    values = values.dt.tz_localize("Europe/Berlin") if "Berlin" in kind else values.astype(kind)
    values.index = pd.Index([7, 7])
    before = values.copy()
    times, _, counts = read_times(values)
    assert times.iloc[0].hour == (11 if "Berlin" in kind else 12)
    assert counts["naive"] == (0 if "Berlin" in kind else 1)
    assert list(times.index) == [7, 7]
    pd.testing.assert_series_equal(values, before)


CELLS = (
    st.none() | st.text(max_size=20) | st.integers() | st.floats() | st.booleans() | st.binary(max_size=8)
    | st.lists(st.integers(), max_size=2)
    | st.datetimes().map(str) | st.datetimes(timezones=st.timezones()).map(lambda t: t.isoformat()) | st.dates()
    | st.from_regex(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}( \d{1,2}:\d\d)?", fullmatch=True)
)  # fmt: skip


@settings(max_examples=50)
@given(st.lists(CELLS, max_size=6), st.booleans(), st.sampled_from([None, "Europe/Berlin", "America/Sao_Paulo"]))
def test_every_column_is_read_row_by_row(cells: list[object], dayfirst: bool, zone: str | None) -> None:
    values = pd.Series(cells, dtype=object)
    times, codes, counts = read_times(values, dayfirst=dayfirst, timezone=zone, now=NOW)
    assert counts["bad"] == (codes == "bad_time").sum()
    for i in range(len(cells)):
        alone, code, _ = read_times(values.iloc[[i]], dayfirst=dayfirst, timezone=zone, now=NOW)
        assert str(alone.iloc[0]) == str(times.iloc[i])
        assert str(code.iloc[0]) == str(codes.iloc[i])


@given(st.datetimes(dt.datetime(1980, 1, 1), dt.datetime(2030, 1, 1), timezones=st.timezones()))
def test_iso_times_keep_their_moment(moment: dt.datetime) -> None:
    whole = moment.utcoffset() or dt.timedelta()
    if whole.total_seconds() % 60 == 0:
        assert one(moment.isoformat())[0] == pd.Timestamp(moment).tz_convert("UTC").isoformat()
