"""Values of a mapping file as they are written: names, lists, times; a wrong one is told what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import yaml

from pipeline.errors import MappingError
from pipeline.history.definitions import as_text

_SHOWN = 30
WORDS = ("column", "levels", "always")
"""Keys of `Words` in a mapping file."""
_LEVELS = "write `levels: {VALUE: MEANING}`"


@dataclass(frozen=True)
class TimeColumn:
    """A column of times.

    Attributes
    ----------
    column : str
        Its name.
    dayfirst : bool
        Whether 3/4/2025 is the third of April.
    timezone : str
        Zone of times that don't say theirs (IANA name).
    """

    column: str
    dayfirst: bool = False
    timezone: str = "UTC"


@dataclass(frozen=True)
class Words:
    """A column and what its values mean, or one word for every row.

    Attributes
    ----------
    column : str or None
    levels : dict of str to str
        The source's value → our word; none: the values are our words already.
    left_out : tuple of str
        Values whose rows are left out on purpose.
    always : str or None
        The word for every row.
    """

    column: str | None = None
    levels: dict[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    always: str | None = None


def read_mapping(path: Path) -> Any:
    """The plain YAML values of a mapping file.

    Raises
    ------
    MappingError
        For a file that can't be read; it names the line.
    """
    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        got = type(error).__name__
        if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
            got += f" in line {error.problem_mark.line + 1}"
        do = "check path and YAML; quote a name that holds ? : , # or brackets"
        raise MappingError("the mapping can't be read", where=str(path), got=got, do=do) from error


def known_keys(raw: Any, keys: tuple[str, ...], where: str) -> dict[str, Any]:
    """The keys and values of a mapping file.

    Raises
    ------
    MappingError
        For anything but keys and values, and for a key that isn't one of `keys`; the nearest right one is named.
    """
    if not isinstance(raw, dict):
        wrong("expected `key: column` lines", where, type(raw).__name__, "see docs/import.md")
    for key in raw:
        if key not in keys:
            near = nearest_columns(str(key), keys)
            do = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(keys)}"
            wrong(f"unknown key {str(key)!r}", where, str(key), do)
    return raw


def check_columns(wanted: Iterable[str], columns: Iterable[str], *, mapping: str, where: str) -> None:
    """Refuse a file that lacks a column.

    Parameters
    ----------
    wanted, columns : iterable of str
        What a mapping names, and what the file has.
    mapping, where : str
        Names of the mapping and of the file, for the message.

    Raises
    ------
    MappingError
        Names each missing column and the nearest ones of the file.
    """
    present = list(dict.fromkeys(columns))
    known = set(present)
    missing = [c for c in dict.fromkeys(wanted) if c not in known]
    if not missing:
        return
    hints = []
    for name in missing[:_SHOWN]:
        near = nearest_columns(name, present)
        hints.append(
            f"{name!r}: did you mean {' or '.join(map(repr, near))}?" if near else f"{name!r}: nothing like it"
        )
    more = "" if len(present) <= _SHOWN else f" and {len(present) - _SHOWN} more"
    named = ", ".join(map(repr, missing[:_SHOWN]))
    plural = len(missing) > 1
    raise MappingError(
        f"{'columns' if plural else 'column'} {named} of the mapping {'are' if plural else 'is'} missing",
        where=f"{mapping} against {where}",
        got=f"columns {', '.join(map(repr, present[:_SHOWN]))}{more}",
        do="; ".join(hints),
    )


def nearest_columns(name: str, columns: Iterable[str], count: int = 3) -> list[str]:
    """The columns that look most like `name`, best first; upper and lower case, spaces and `_` count little."""
    plain: dict[str, str] = {}
    for column in columns:
        plain.setdefault(_plain(column), column)
    return [plain[p] for p in difflib.get_close_matches(_plain(name), plain, n=count, cutoff=0.5)]


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum() or c == ".")


def name_of(raw: dict[str, Any], key: str, where: str) -> str | None:
    """The one name under a key; None where the key isn't there."""
    value = raw.get(key)
    if value is None:
        return None
    if isinstance(value, dict | list) or as_text(value) == "":
        wrong("expected one name", f"{where}: {key}", type(value).__name__, f"write `{key}: NAME`")
    return as_text(value)


def names_of(raw: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    """The name or the list of names under a key, each once."""
    value = raw.get(key)
    if value is None:
        return ()
    items = value if isinstance(value, list) else [value]
    if any(isinstance(i, dict | list) or i is None for i in items):
        wrong("expected names", f"{where}: {key}", type(value).__name__, f"write `{key}: [A, B]`")
    return tuple(dict.fromkeys(as_text(i) for i in items))


def time_of(raw: Any, where: str, default: TimeColumn = TimeColumn("")) -> TimeColumn | None:
    """A time column; what it doesn't say it takes from `default`."""
    if raw is None:
        return None
    if not isinstance(raw, dict):
        return TimeColumn(as_text(raw), default.dayfirst, default.timezone)
    known_keys(raw, ("column", "dayfirst", "timezone"), where)
    column = name_of(raw, "column", where)
    if column is None:
        do = "write `{column: NAME, dayfirst: true, timezone: UTC}`"
        wrong("the column is missing", where, "no `column`", do)
    dayfirst = raw.get("dayfirst", default.dayfirst)
    if not isinstance(dayfirst, bool):
        wrong("expected true or false", f"{where}: dayfirst", repr(dayfirst), "write `dayfirst: true`")
    timezone = as_text(raw.get("timezone", default.timezone))
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        wrong("unknown time zone", f"{where}: timezone", repr(timezone), "write an IANA name such as Europe/Berlin")
    return TimeColumn(column, dayfirst, timezone)


def levels_of(raw: Any, where: str, allowed: Sequence[str] = ()) -> dict[str, str]:
    """Which word each of the source's values means; empty where nothing is said.

    Parameters
    ----------
    allowed : sequence of str
        Our words; none: any.
    """
    if not isinstance(raw, dict):
        return {} if raw is None else wrong("expected values and their meaning", where, type(raw).__name__, _LEVELS)
    made = {as_text(k): as_text(v) for k, v in raw.items()}
    for name in made.values():
        if allowed and name not in allowed:
            near = nearest_columns(name, allowed, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            wrong("unknown word", where, repr(name), f"{hint}It is one of {', '.join(allowed)}")
    return made


def words_of(raw: Any, where: str, allowed: Sequence[str] = (), *, may_leave_out: bool = False) -> Words:
    """A column, `{column, levels}` or `{always}`; a level of null leaves the row out, where that may be."""
    if not isinstance(raw, dict):
        return Words(None if raw is None else name_of({"column": raw}, "column", where))
    known_keys(raw, WORDS, where)
    column, always = name_of(raw, "column", where), name_of(raw, "always", where)
    if (column is None) == (always is None) or (always is not None and "levels" in raw):
        do = "write `{column: COLUMN, levels: {VALUE: WORD}}` or `{always: WORD}`"
        wrong("expected a column or one word for every row", where, f"keys {', '.join(map(str, raw))}", do)
    levels, left_out = raw.get("levels"), []
    if may_leave_out and isinstance(levels, dict):
        left_out = [k for k, v in levels.items() if v is None]
        levels = {k: v for k, v in levels.items() if v is not None}
    if always is not None:
        levels_of({always: always}, where, allowed)
    made = levels_of(levels, f"{where}: levels", allowed)
    return Words(column, made, tuple(as_text(k) for k in left_out), always)


def wrong(what: str, where: str, got: str, do: str) -> NoReturn:
    """Raise a `MappingError`."""
    raise MappingError(what, where=where, got=got, do=do)
