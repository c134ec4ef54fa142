"""Rows of the store become a history."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.history.log import NEVER, WORDS, Columns
from pipeline.history.reasons import REASON
from pipeline.history.record import EVENTS, TICKETS
from pipeline.history.store.statements import Row

_STRING: Any = pd.StringDtype("pyarrow", na_value=np.nan)  # what pandas calls "str"


@dataclass(frozen=True)
class SmallHistory:
    """The little that a look needs (`record.DatedFacts`); a few rows are looked at sooner than they become frames.

    Attributes
    ----------
    tickets : DataFrame
        `record.TICKETS`, and their `REASON` where reasons are looked at.
    events : Columns
        Of the table EVENTS.
    amounts : Columns
        `amounts.COLUMNS`.
    links : DataFrame
        `identity.LINKS`.
    """

    tickets: pd.DataFrame
    events: Columns
    amounts: Columns
    links: pd.DataFrame


def columns_of(names: Sequence[str], cells: Sequence[tuple[Any, ...]]) -> Columns:
    """Columns by their names, from rows."""
    return dict(zip(names, zip(*cells, strict=True) if cells else ((),) * len(names), strict=True))


def tickets_frame(rows: Sequence[Row], *, reasons: bool) -> pd.DataFrame:
    """`record.TICKETS` of rows, and their `REASON` where reasons are looked at."""
    names = (*TICKETS, REASON) if reasons else TICKETS
    return _frame({name: [row[name] for row in rows] for name in names}, {"created_at": _times})


def events_frame(columns: Columns) -> pd.DataFrame:
    """`record.EVENTS` of the columns of that table."""
    return _frame({name: columns[name] for name in EVENTS}, _OF_EVENTS)


def _frame(columns: Columns, made_by: Mapping[str, Callable[[Sequence[Any]], Any]]) -> pd.DataFrame:
    """A frame of few rows is made for every ticket that is read: all texts at once, and no dtype is guessed.

    Parameters
    ----------
    made_by : mapping
        How the columns that hold no text are made.
    """
    texts = [name for name in columns if name not in made_by]
    count = len(columns[texts[0]])
    strings = pa.array(chain.from_iterable(columns[name] for name in texts), pa.large_string(), size=len(texts) * count)
    made = {name: _STRING.__from_arrow__(strings[n * count : (n + 1) * count]) for n, name in enumerate(texts)}
    told = {name: made[name] if name in made else made_by[name](values) for name, values in columns.items()}
    return pd.DataFrame(told, index=pd.RangeIndex(count), copy=False)


def _times(values: Sequence[int | None]) -> Any:
    whole = np.array([NEVER if value is None else value for value in values], dtype=np.int64)
    return pd.DatetimeIndex(whole.view("datetime64[us]"), tz="UTC")


def _positions(values: Sequence[int | None]) -> Any:
    nothing = np.array([value is None for value in values], dtype=bool)
    return pd.arrays.IntegerArray(np.array([value or 0 for value in values], dtype=np.int64), nothing)


def _keys(values: Sequence[int]) -> Any:
    return np.array(values, dtype=np.int64).view(np.uint64)


def _numbers(values: Sequence[float | None]) -> Any:
    return np.array(values, dtype=np.float64)


_OF_EVENTS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "occurred_at": _times,
    "received_at": _times,
    "seq": _positions,
    "key": _keys,
    **dict.fromkeys(WORDS, _numbers),
}
