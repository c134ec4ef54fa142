"""Records become frames of raw text, in chunks bounded by rows, cells and characters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from pipeline.tickets.opening import BROKEN

ERROR = "error"
ROW = "row"
_MOST_CELLS = 2_000_000
_MOST_CHARACTERS = 32_000_000
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its values (by position for CSV, by name for JSON) or the code of what is wrong with it."""

    values: Sequence[str] | dict[str, str | None] | None
    error: str | None
    size: int


def unique_names(names: Sequence[str]) -> list[str]:
    """Column names as pandas makes them: a repeated one gets .1, .2; an empty one is `Unnamed: POSITION`.

    `error` is ours: a source's own becomes `error.1`.
    """
    names = [_SURROGATE.sub("\ufffd", name) for name in names]
    taken = {ERROR: 1}
    given: list[str] = []
    present = set(names)
    for position, name in enumerate(names):
        name = name or f"Unnamed: {position}"
        unique, count = name, taken.get(name, 0)
        while count > 0:
            unique = f"{name}.{count}"
            count = count + 1 if unique in present or unique in taken else 0
        taken[name] = taken.get(name, 0) + 1
        taken[unique] = max(taken.get(unique, 0), 1)
        given.append(unique)
    return given


class DamagedError(Exception):
    """The bytes of a file ended or broke after `row`."""

    def __init__(self, row: int) -> None:
        super().__init__(row)
        self.row = row


def frames_of(
    records: Iterator[Record], chunk_rows: int, *, columns: list[str] | None = None
) -> Iterator[pd.DataFrame]:
    """Frames of at most `chunk_rows` records; by position under `columns`, or by the names that occur.

    With `columns`, a source without records gives one frame without rows.
    """
    first = 1
    for chunk, names in _chunks(records, chunk_rows, columns):
        yield _frame(chunk, first, columns, names)
        first += len(chunk)
    if first == 1 and columns is not None:
        yield _frame([], 1, columns, [])


def _chunks(
    records: Iterator[Record], chunk_rows: int, columns: list[str] | None
) -> Iterator[tuple[list[Record], list[str]]]:
    chunk: list[Record] = []
    names: dict[str, None] = dict.fromkeys(columns or [])
    characters = done = 0
    try:
        for record in records:
            chunk.append(record)
            if columns is None and isinstance(record.values, dict):
                names.update(dict.fromkeys(record.values))
            characters += record.size
            if len(chunk) >= chunk_rows or len(chunk) * len(names) >= _MOST_CELLS or characters >= _MOST_CHARACTERS:
                yield chunk, list(names)
                done += len(chunk)
                chunk, characters, names = [], 0, dict.fromkeys(columns or [])
    except BROKEN as error:
        raise DamagedError(done + len(chunk)) from error
    if chunk:
        yield chunk, list(names)


def text_array(values: Sequence[str | None]) -> pa.Array:
    """Text for Arrow; half characters (lone surrogates), which it can't hold, become U+FFFD."""
    try:
        return pa.array(values, type=pa.string())
    except (UnicodeEncodeError, pa.ArrowInvalid):
        return pa.array(
            [_SURROGATE.sub("\ufffd", v) if v is not None else None for v in values], type=pa.large_string()
        ).cast(pa.string())


def encodable(text: str | None) -> str | None:
    """One text as `text_array` would hold it; null where it is empty."""
    if not text or text.isascii():
        return text or None
    return _SURROGATE.sub("\ufffd", text)


def frame_of(columns: dict[str, pa.Array], errors: Sequence[str | None], first: int) -> pd.DataFrame:
    """A frame of `str` columns with `error` last, its index counting records."""
    arrays = columns | {ERROR: pa.array(errors, type=pa.string())}
    frame: pd.DataFrame = pa.table(arrays).to_pandas(use_threads=False)
    frame.index = pd.RangeIndex(first, first + len(errors), name=ROW)
    return frame


def _frame(chunk: list[Record], first: int, columns: list[str] | None, names: list[str]) -> pd.DataFrame:
    errors = [record.error for record in chunk]
    if columns is None:
        renamed = unique_names(names)
        named = [record.values if isinstance(record.values, dict) else {} for record in chunk]
        by_name = {
            new: text_array([values.get(old) or None for values in named])
            for old, new in zip(names, renamed, strict=True)
        }
        return frame_of(by_name, errors, first)
    blank: Sequence[str] = ("",) * len(columns)
    rows = [blank if record.values is None or isinstance(record.values, dict) else record.values for record in chunk]
    by_position = {name: text_array([row[i] or None for row in rows]) for i, name in enumerate(columns)}
    return frame_of(by_position, errors, first)
