"""Times as sources write them (ISO 8601, epochs, day first, naive or with offsets) become UTC; odd ones are counted."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Sequence
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.errors import ConfigError, InputError
from pipeline.tickets.odd_times import read_odd

UTC_MICROSECONDS: Final = "datetime64[us, UTC]"

NO_TIME = int(np.iinfo(np.int64).min)
"""How a missing time is stored."""

FUTURE_TOLERANCE = pd.Timedelta(days=1)
"""A time later than this after the moment of import is refused."""

EARLIEST, LATEST = 0, 7_258_118_400_000_000
"""Microseconds from 1970 to 1970 and to 2200: times outside are no tickets' times."""

_EPOCH = r"-?\d{9,19}(?:\.\d{1,9})?"
_OFFSET = r"(?:Z|z|UTC|GMT|:\d{2}(?:\.\d+)?\s?[+-]\d{2}:?(?:\d{2})?|T\d{4,6}[+-]\d{2}:?\d{2}|\d{4} ?[+-]\d{4})$"
_EXACT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH_START, _MICROSECOND = dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.timedelta(microseconds=1)
_YEAR_FIRST = r"^\d{4}-\d{2}"
_EPOCH_UNITS = ((1e11, 1_000_000.0), (1e14, 1_000.0), (1e17, 1.0), (1e20, 0.001))
"""Numbers below the first are read in units of so many microseconds: seconds, milli-, micro-, nanoseconds."""


_COUNTED = ("naive", "ambiguous", "nonexistent", "bad", "future")


def read_moment(text: str, where: str, *, now: dt.datetime | None = None) -> pd.Timestamp:
    """A moment as a person writes it in an option: ISO 8601, UTC without an offset.

    Parameters
    ----------
    where : str
        The option.
    now : datetime, optional
        What the word `now` means; without it the word isn't one.

    Raises
    ------
    ConfigError
        Anything else, or a moment outside `EARLIEST` and `LATEST`.
    """
    try:  # by digit: pandas knows words such as `today` too, in the machine's own zone
        found: Any = pd.Timestamp(text) if text[:1].isdigit() else pd.NaT
    except ValueError:
        found = pd.NaT
    if text == "now" and now is not None:
        found = pd.Timestamp(now)
    if pd.isna(found):
        do = "write it like 2025-04-01 or 2025-04-01T12:00:00Z"
        raise ConfigError("not a moment", where=where, got=text or "nothing", do=do)
    utc: pd.Timestamp = found.tz_localize("UTC") if found.tzinfo is None else found.tz_convert("UTC")
    if not pd.Timestamp(EARLIEST, unit="us", tz="UTC") <= utc <= pd.Timestamp(LATEST, unit="us", tz="UTC"):
        raise ConfigError("a moment that no ticket can have", where=where, got=text, do="write one from 1970 to 2199")
    return utc.as_unit("us")


def read_times(
    values: pd.Series, *, dayfirst: bool = False, timezone: str | None = None, now: pd.Timestamp | None = None
) -> tuple[pd.Series, pd.Series, dict[str, int]]:
    """Times in UTC, a row code where one can't be, and counts of what had to be assumed.

    Parameters
    ----------
    values : Series
        Text, numbers or times. ISO 8601 with or without an offset; epoch seconds, milli-, micro- or nanoseconds;
        day/month/year or month/day/year, and English month names, with or without a clock time.
    dayfirst : bool
        Whether 03/04/2025 is the third of April.
    timezone : str, optional
        IANA name of the zone that naive times are in; UTC without it.
    now : Timestamp, optional
        Moment of import; times more than a day later get `future_time`.

    Returns
    -------
    times : Series of datetime64[us, UTC]
        Null where the value is empty or refused.
    codes : Series of str
        `bad_time` (also for times before 1970 and after 2199), `future_time` or null.
    counts : dict of str to int
        `naive` (no offset, read in `timezone`), `ambiguous` (the hour that summer time repeats: read as the first of
        the two), `nonexistent` (the hour that it skips: moved to its end), `bad`, `future`.

    Raises
    ------
    InputError
        For an unknown time zone.
    """
    zone, counts = _zone(timezone), dict.fromkeys(_COUNTED, 0)
    times, empty = _read(values, dayfirst=dayfirst, zone=zone, counts=counts)
    array: Any = times.array
    codes = _codes(array.as_unit("us").asi8, empty, now, counts)
    refused = codes.astype(bool)
    return times.mask(refused) if refused.any() else times, pd.Series(codes, index=values.index, dtype="str"), counts


def read_moments(
    texts: Sequence[str | None],
    *,
    dayfirst: bool = False,
    timezone: str | None = None,
    now: pd.Timestamp | None = None,
) -> tuple[npt.NDArray[np.int64], list[str | None], dict[str, int]]:
    """`read_times` of plain text, for a few rows at a time: microseconds (`NO_TIME` for none), codes and counts."""
    plain = [_plain(text) for text in texts]
    exact = _exact(plain)
    if exact is None:
        values = pd.Series(plain, dtype="str")
        times, codes, counts = read_times(values, dayfirst=dayfirst, timezone=timezone, now=now)
        array: Any = times.array
        return array.as_unit("us").asi8, [c if isinstance(c, str) else None for c in codes.tolist()], counts
    _zone(timezone)
    counts, moments = dict.fromkeys(_COUNTED, 0), exact.view(np.int64)
    empty = np.fromiter((text is None for text in plain), dtype=bool, count=len(plain))
    found = _codes(moments, empty, now, counts)
    return np.where(found.astype(bool), NO_TIME, moments), found.tolist(), counts


def _codes(
    moments: npt.NDArray[np.int64], empty: npt.NDArray[np.bool_], now: pd.Timestamp | None, counts: dict[str, int]
) -> npt.NDArray[np.object_]:
    """A code, or None, for each time; `empty` are those of which nothing was said."""
    absent = moments == NO_TIME
    codes = np.full(len(moments), None, dtype=object)
    codes[(absent | (moments < EARLIEST) | (moments > LATEST)) & ~empty] = "bad_time"
    if now is not None:
        moment = now.tz_localize("UTC") if now.tz is None else now.tz_convert("UTC")
        codes[~absent & (moments > _micros(moment + FUTURE_TOLERANCE))] = "future_time"
    counts["bad"], counts["future"] = int((codes == "bad_time").sum()), int((codes == "future_time").sum())
    return codes


def _micros(moment: pd.Timestamp) -> int:
    return (moment.to_pydatetime(warn=False) - _EPOCH_START) // _MICROSECOND


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError) as error:
        do = "use an IANA name such as Europe/Berlin"
        raise InputError("unknown time zone", where="timezone", got=str(name), do=do) from error


def _read(
    values: pd.Series, *, dayfirst: bool, zone: ZoneInfo, counts: dict[str, int]
) -> tuple[pd.Series, npt.NDArray[np.bool_]]:
    """(times in UTC, whether there was no value)."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values.dt.tz_convert("UTC").astype(UTC_MICROSECONDS), values.isna().to_numpy()
    if pd.api.types.is_datetime64_dtype(values.dtype):
        return _localised(values, zone, counts), values.isna().to_numpy()
    plain = [_plain(value) for value in values.array]
    empty = np.fromiter((value is None for value in plain), dtype=bool, count=len(plain))
    exact = _exact(plain)
    if exact is not None:
        return pd.Series(exact, index=values.index).dt.tz_localize("UTC"), empty
    text = pd.Series(plain, index=values.index, dtype="str").reset_index(drop=True)
    times = _from_text(text, dayfirst=dayfirst, zone=zone, counts=counts)
    return times.set_axis(values.index), empty


def _exact(texts: list[str | None]) -> npt.NDArray[np.datetime64] | None:
    """Times that are all written as this project writes them, quickly; null if any isn't."""
    moments = np.full(len(texts), NO_TIME, dtype=np.int64)
    for position, text in enumerate(texts):
        if text is None:
            continue
        if not _EXACT.fullmatch(text):
            return None
        try:
            moments[position] = (dt.datetime.fromisoformat(text) - _EPOCH_START) // _MICROSECOND
        except (ValueError, OverflowError):
            return None
    return moments.view("datetime64[us]")


def _from_text(text: pd.Series, *, dayfirst: bool, zone: ZoneInfo, counts: dict[str, int]) -> pd.Series:
    times = pd.Series(pd.NaT, index=text.index, dtype=UTC_MICROSECONDS)
    epoch = _matches(text, rf"^{_EPOCH}$")
    if epoch.any():
        times[epoch] = pd.Series([_epoch(t) for t in text[epoch]], index=text.index[epoch]).astype(UTC_MICROSECONDS)
    offset = ~epoch & _matches(text, _OFFSET)
    if offset.any():
        times[offset] = _parsed(text[offset], dayfirst=dayfirst, aware=True)
    naive = text.notna() & ~epoch & ~offset
    if naive.any():
        times[naive] = _localised(_parsed(text[naive], dayfirst=dayfirst, aware=False), zone, counts)
    return times


def _plain(value: Any) -> str | None:
    """A time as text; `?` for what can't be one."""
    if isinstance(value, str):
        return value.strip().replace("\0", "").encode("utf-8", "replace").decode("utf-8") or None
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip() or None
    if isinstance(value, float):
        return None if math.isnan(value) else f"{value:f}" if abs(value) < 1e20 else "?"
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**19 else "?"
    if isinstance(value, dt.date):  # a datetime and a Timestamp, too
        return value.isoformat()
    return _plain(value.item()) if getattr(value, "ndim", None) == 0 else "?"


def _matches(text: pd.Series, pattern: str) -> pd.Series:
    return cast(pd.Series, text.str.contains(pattern, regex=True, na=False).astype(bool))


def _parsed(text: pd.Series, *, dayfirst: bool, aware: bool) -> pd.Series:
    """ISO 8601 in one go; what is left one by one, each spelling once."""
    dtype: Any = UTC_MICROSECONDS if aware else "datetime64[us]"
    parsed = pd.Series(pd.NaT, index=text.index, dtype=dtype)
    iso = _matches(text, _YEAR_FIRST)
    if iso.any():
        parsed[iso] = pd.to_datetime(text[iso], format="ISO8601", errors="coerce", utc=aware).astype(dtype)
    left = parsed.isna()
    if left.any():
        found = {spelling: _odd(spelling, dayfirst=dayfirst, aware=aware) for spelling in text[left].unique()}
        parsed[left] = pd.Series([found[t] for t in text[left]], index=text.index[left], dtype=object).astype(dtype)
    return cast(pd.Series, parsed)


def _odd(text: str, *, dayfirst: bool, aware: bool) -> pd.Timestamp | None:
    when = read_odd(text, dayfirst=dayfirst)
    if when is None or when.year < 1970:
        return None
    stamp = pd.Timestamp(when).as_unit("us")
    if stamp.tz is None:
        return stamp.tz_localize("UTC") if aware else stamp
    return stamp.tz_convert("UTC") if aware else None


def _epoch(text: str) -> pd.Timestamp | None:
    number = float(text)
    factor = next(factor for limit, factor in _EPOCH_UNITS if abs(number) < limit)
    whole = int(text) if "." not in text else number
    micros = int(whole * int(factor)) if factor >= 1 else int(whole) // 1_000
    return pd.Timestamp(micros, unit="us", tz="UTC")


def _localised(naive: pd.Series, zone: ZoneInfo, counts: dict[str, int]) -> pd.Series:
    naive = naive.astype("datetime64[us]")
    counts["naive"] += int(naive.notna().sum())
    if zone.key == "UTC":
        return naive.dt.tz_localize("UTC")
    strict = naive.dt.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward")
    counts["ambiguous"] += int((strict.isna() & naive.notna()).sum())
    counts["nonexistent"] += int(((strict.dt.tz_localize(None) != naive) & strict.notna()).sum())
    summer = pd.Series(True, index=naive.index).to_numpy()
    times = naive.dt.tz_localize(zone, ambiguous=summer, nonexistent="shift_forward")
    return cast(pd.Series, times.dt.tz_convert("UTC").astype(UTC_MICROSECONDS))
