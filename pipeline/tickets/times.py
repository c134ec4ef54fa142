"""Times as sources write them (ISO 8601, epochs, day first, naive or with offsets) become UTC, each odd one counted."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

import pandas as pd

from pipeline.errors import InputError

FUTURE_TOLERANCE = pd.Timedelta(days=1)
"""A time later than this after the moment of import is refused."""

_EPOCH = re.compile(r"-?\d{9,19}(?:\.\d{1,9})?")
_HAS_OFFSET = r"(?:Z|z|UTC|GMT|[+-]\d{2}:?\d{2}|:\d{2}(?:\.\d+)?\s?[+-]\d{2})\s*$"
_YEAR_FIRST = r"^\s*\d{4}-\d{2}(?:-\d{2})?"
_EARLIEST, _LATEST = pd.Timestamp("1970-01-01", tz="UTC"), pd.Timestamp("2200-01-01", tz="UTC")
_UNITS = ((1e11, "s"), (1e14, "ms"), (1e17, "us"), (1e20, "ns"))


def read_times(
    values: pd.Series, *, dayfirst: bool = False, timezone: str | None = None, now: pd.Timestamp | None = None
) -> tuple[pd.Series, pd.Series, dict[str, int]]:
    """Times in UTC, a row code where one can't be, and counts of what had to be assumed.

    Parameters
    ----------
    values : Series
        Text, numbers or times. ISO 8601 with or without an offset, epoch seconds / milliseconds / micro- / nanoseconds,
        and day/month/year or month/day/year with or without a clock time.
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
        `bad_time`, `future_time` or null.
    counts : dict of str to int
        `naive` (no offset, read in `timezone`), `ambiguous` (the hour that summer time repeats: read as the first of the
        two), `nonexistent` (the hour that it skips: moved forward), `bad`, `future`.

    Raises
    ------
    InputError
        For an unknown time zone.
    """
    zone = _zone(timezone)
    values = values.where(values.notna(), None)
    counts = dict.fromkeys(("naive", "ambiguous", "nonexistent", "bad", "future"), 0)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        times = values.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    elif pd.api.types.is_datetime64_dtype(values.dtype):
        times = _localised(values, zone, counts)
    else:
        times = _from_text(values.map(_plain).astype("object"), dayfirst=dayfirst, zone=zone, counts=counts)
    empty = _empty(values)
    codes = pd.Series([None] * len(values), index=values.index, dtype="str")
    outside = times.isna() | (times < _EARLIEST) | (times > _LATEST)
    codes[outside & ~empty] = "bad_time"
    if now is not None:
        moment = now.tz_localize("UTC") if now.tz is None else now.tz_convert("UTC")
        codes[(times > moment + FUTURE_TOLERANCE) & codes.isna()] = "future_time"
    counts["bad"], counts["future"] = int((codes == "bad_time").sum()), int((codes == "future_time").sum())
    return times.where(codes.isna()), codes, counts


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError) as error:
        raise InputError("unknown time zone", where="timezone", got=str(name), do="use an IANA name such as Europe/Berlin") from error


def _empty(values: pd.Series) -> pd.Series:
    text = values.map(lambda value: isinstance(value, str) and not value.strip())
    return values.isna() | text.astype(bool)


def _plain(value: object) -> object:
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip() or None
    if isinstance(value, bool):
        return "?"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**20 else "?"
    if isinstance(value, float):
        return f"{value:f}" if value == value and abs(value) < 1e20 else None if value != value else "?"
    if isinstance(value, dt.date):  # a datetime or a Timestamp, too
        return None if value is pd.NaT else value.isoformat()
    return None if value is None or value is pd.NA else "?" if not hasattr(value, "item") else _plain(value.item())


def _from_text(texts: pd.Series, *, dayfirst: bool, zone: ZoneInfo, counts: dict[str, int]) -> pd.Series:
    text = texts.astype("str")
    times = pd.Series(pd.NaT, index=text.index, dtype="datetime64[us, UTC]")
    present = text.notna()
    epoch = present & text.str.fullmatch(_EPOCH.pattern).fillna(False).astype(bool)
    if epoch.any():
        times[epoch] = text[epoch].map(_epoch).astype("datetime64[us, UTC]")
    rest = present & ~epoch
    offset = rest & text.str.contains(_HAS_OFFSET, regex=True).fillna(False).astype(bool)
    if offset.any():
        times[offset] = _parsed(text[offset], dayfirst=dayfirst, utc=True)
    naive = rest & ~offset
    if naive.any():
        times[naive] = _localised(_parsed(text[naive], dayfirst=dayfirst, utc=False), zone, counts)
    return times


def _parsed(text: pd.Series, *, dayfirst: bool, utc: bool) -> pd.Series:
    """ISO 8601 in one go; the rest by the form of its first value, then one by one."""
    dtype = "datetime64[us, UTC]" if utc else "datetime64[us]"
    parsed = pd.Series(pd.NaT, index=text.index, dtype=dtype)
    iso = text.str.contains(_YEAR_FIRST, regex=True).astype(bool)
    if iso.any():
        parsed[iso] = pd.to_datetime(text[iso], format="ISO8601", errors="coerce", utc=utc).astype(dtype)
    left = parsed.isna()
    if left.any():
        unique = pd.Series(text[left].unique(), dtype="object")
        found = {value: _one(value, dayfirst=dayfirst, utc=utc) for value in unique}
        parsed[left] = pd.Series([found[value] for value in text[left]], index=text[left].index, dtype="object").astype(dtype)
    return parsed


_CLOCK = r"(?:[ T,]{1,2}(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s?([AaPp]\.?[Mm]\.?)?)?"
_ZONE = r"\s?(Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?"
_NUMERIC = re.compile(rf"(\d{{1,4}})[./\-](\d{{1,2}})[./\-](\d{{1,4}}){_CLOCK}{_ZONE}$", re.IGNORECASE)
_COMPACT = re.compile(rf"(\d{{4}})(\d{{2}})(\d{{2}})(?:T?(\d{{2}})(\d{{2}})(\d{{2}})?)?{_ZONE}$", re.IGNORECASE)
_WORDY = re.compile(r"[A-Za-z]{3}")


def _one(text: str, *, dayfirst: bool, utc: bool) -> pd.Timestamp | None:
    """A single odd time: 3/4/2025 14:05, 20250403T1405, 3 Apr 2025 14:05 +0200."""
    if len(text) > 64:
        return None
    try:
        when = _numeric(text, dayfirst=dayfirst) or _compact(text) or _wordy(text, dayfirst=dayfirst)
    except (ValueError, OverflowError, TypeError):
        return None
    if when is None:
        return None
    if utc:
        return when.tz_localize("UTC") if when.tz is None else when.tz_convert("UTC")
    return when if when.tz is None else when.tz_convert("UTC").tz_localize(None)


def _numeric(text: str, *, dayfirst: bool) -> pd.Timestamp | None:
    match = _NUMERIC.match(text)
    if match is None:
        return None
    first, second, third = match[1], match[2], match[3]
    if len(first) == 4:
        year, month, day = int(first), int(second), int(third)
    else:
        year = int(third) + (2000 if len(third) <= 2 else 0)
        day, month = (int(first), int(second)) if dayfirst else (int(second), int(first))
    hour = int(match[4] or 0)
    if match[8]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match[8][0] in "pP" else 0)
    micros = int((match[7] or "0")[:6].ljust(6, "0"))
    return pd.Timestamp(dt.datetime(year, month, day, hour, int(match[5] or 0), int(match[6] or 0), micros, tzinfo=_offset(match[9])))


def _compact(text: str) -> pd.Timestamp | None:
    match = _COMPACT.match(text)
    if match is None:
        return None
    parts = [int(match[group] or 0) for group in range(1, 7)]
    return pd.Timestamp(dt.datetime(parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], tzinfo=_offset(match[7])))


def _wordy(text: str, *, dayfirst: bool) -> pd.Timestamp | None:
    """Month names and RFC 2822, by pandas; words alone ("today", "now") are no times."""
    if not _WORDY.search(text) or sum(c.isdigit() for c in text) < 5:
        return None
    when = pd.to_datetime(text, dayfirst=dayfirst, errors="coerce")
    return when if isinstance(when, pd.Timestamp) else None


def _offset(text: str | None) -> dt.timezone | None:
    if not text:
        return None
    if text[0] not in "+-":
        return dt.UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    return dt.timezone((1 if text[0] == "+" else -1) * dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:4])))


def _epoch(text: str) -> pd.Timestamp | None:
    number = float(text)
    unit = next((unit for limit, unit in _UNITS if abs(number) < limit), None)
    if unit is None:
        return None
    if "." not in text:
        return pd.Timestamp(int(text), unit=unit, tz="UTC").as_unit("us")
    return pd.Timestamp(number, unit=unit, tz="UTC").round("us").as_unit("us")


def _localised(naive: pd.Series, zone: ZoneInfo, counts: dict[str, int]) -> pd.Series:
    naive = naive.astype("datetime64[us]")
    counts["naive"] += int(naive.notna().sum())
    if zone.key == "UTC":
        return naive.dt.tz_localize("UTC")
    strict = naive.dt.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward")
    ambiguous = strict.isna() & naive.notna()
    moved = (strict.dt.tz_localize(None) != naive) & strict.notna()
    counts["ambiguous"] += int(ambiguous.sum())
    counts["nonexistent"] += int(moved.sum())
    first = [True] * len(naive)
    times = naive.dt.tz_localize(zone, ambiguous=pd.Series(first).to_numpy(), nonexistent="shift_forward")
    return times.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
