"""A single time that isn't ISO 8601: 3/4/2025 2:05 pm, 20250403T1405, 3 April 2025, Thu, 3 Apr 2025 14:05 +0200."""

from __future__ import annotations

import datetime as dt
import re

_LONGEST = 64
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = (
    r"(?:(?:[ T,]{1,3}|\s?at\s)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<part>\d{1,9}))?)?"
    r"\s?(?P<half>[ap]\.?m\.?)?)?\s?(?P<zone>Z|UTC|GMT|[+-]\d{2}:?(?:\d{2})?)?(?:\s?\([A-Z]{2,5}\))?$"
)
_MONTH = r"(?P<name>[a-z]{3,9})\.?"
_FORMS = tuple(
    re.compile(form + _CLOCK, re.IGNORECASE)
    for form in (
        r"(?P<year>\d{4})[./\-](?P<month>\d{1,2})[./\-](?P<day>\d{1,2})",
        r"(?P<first>\d{1,2})[./\-](?P<other>\d{1,2})[./\-](?P<year>\d{4}|\d{2})",
        r"(?:[a-z]{3,9},?\s)?(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?[\s\-]" + _MONTH + r"[\s\-,]{1,2}(?P<year>\d{4})",
        r"(?:[a-z]{3,9},?\s)?" + _MONTH + r"\s(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s(?P<year>\d{4})",
    )
)
_COMPACT = re.compile(
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?:T?(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?)?"
    r"\s?(?P<zone>Z|UTC|GMT|[+-]\d{2}:?(?:\d{2})?)?$",
    re.IGNORECASE,
)


def read_odd(text: str, *, dayfirst: bool) -> dt.datetime | None:
    """The time that a text names, with an offset if it has one; null if it names none.

    Parameters
    ----------
    text : str
        Without spaces around it.
    dayfirst : bool
        Whether 03/04/2025 is the third of April.
    """
    if len(text) > _LONGEST:
        return None
    for form in (*_FORMS, _COMPACT):
        match = form.match(text)
        if match is not None:
            try:
                return _moment(match.groupdict(), dayfirst=dayfirst)
            except ValueError:
                return None
    return None


def _moment(parts: dict[str, str | None], *, dayfirst: bool) -> dt.datetime:
    year = int(parts["year"] or 0)
    day, month = _day_and_month(parts, dayfirst=dayfirst)
    micros = int((parts.get("part") or "0")[:6].ljust(6, "0"))
    return dt.datetime(
        year + 2000 if year < 100 else year,
        month,
        day,
        _hour(int(parts.get("hour") or 0), parts.get("half")),
        int(parts.get("minute") or 0),
        int(parts.get("second") or 0),
        micros,
        tzinfo=_offset(parts.get("zone")),
    )


def _day_and_month(parts: dict[str, str | None], *, dayfirst: bool) -> tuple[int, int]:
    if parts.get("first"):
        first, other = int(parts["first"] or 0), int(parts["other"] or 0)
        return (first, other) if dayfirst else (other, first)
    name = parts.get("name")
    month = _MONTHS.index(name[:3].lower()) + 1 if name else int(parts["month"] or 0)
    return int(parts["day"] or 0), month


def _hour(hour: int, half: str | None) -> int:
    if not half:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError("no hour of half a day")
    return hour % 12 + (12 if half[0] in "pP" else 0)


def _offset(text: str | None) -> dt.timezone | None:
    if not text:
        return None
    if text[0] not in "+-":
        return dt.UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    return dt.timezone((1 if text[0] == "+" else -1) * dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:4])))
