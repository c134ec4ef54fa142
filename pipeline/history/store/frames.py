"""Rows of the store become a history."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.history.log import NEVER, WORDS, Columns
from pipeline.history.reasons import REASON
from pipeline.history.record import EVENTS, TICKETS, History
from pipeline.history.store.statements import Row

_STRING: Any = pd.StringDtype("pyarrow", na_value=np.nan)  # what pandas calls "str"


class Small(History):
    """The little that a look needs, as rows: they become frames only where somebody asks for frames.

    Parameters
    ----------
    rows : sequence of row
        As `tickets.ticket_rows` gives them.
    events : Columns
        Of the table EVENTS.
    amounts : Columns
        `amounts.COLUMNS`.
    links : DataFrame
        `identity.LINKS`.
    reasons : bool
        Whether reasons are looked at.
    """

    def __init__(
        self, rows: Sequence[Row], events: Columns, amounts: Columns, links: pd.DataFrame, *, reasons: bool
    ) -> None:
        vars(self).update(_rows=rows, _events=events, _amounts=amounts, _reasons=reasons, links=links)

    @cached_property
    def tickets(self) -> pd.DataFrame:
        """See `History`."""
        return tickets_frame(vars(self)["_rows"], reasons=vars(self)["_reasons"])

    @cached_property
    def events(self) -> pd.DataFrame:
        """See `History`."""
        return events_frame(self.told)

    @cached_property
    def amounts(self) -> pd.DataFrame:
        """See `History`."""
        return amounts_frame(self.counted)

    @property
    def told(self) -> Columns:
        """The events as columns."""
        found: Columns = vars(self)["_events"]
        return found

    @property
    def counted(self) -> Columns:
        """The amounts as columns."""
        found: Columns = vars(self)["_amounts"]
        return found


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


def amounts_frame(columns: Columns) -> pd.DataFrame:
    """`amounts.COLUMNS` as a frame."""
    return _frame(columns, {"fact": _facts, "at": _moments, "amount": _numbers})


def _frame(columns: Columns, made_by: Mapping[str, Callable[[Sequence[Any]], Any]]) -> pd.DataFrame:
    """Three frames of few rows are made for every ticket that is read: all texts at once, and no dtype is guessed.

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


def _facts(values: Sequence[int]) -> Any:
    return np.array(values, dtype=np.int8)


def _moments(values: Sequence[int]) -> Any:
    return np.array(values, dtype=np.int64)


def _numbers(values: Sequence[float | None]) -> Any:
    return np.array(values, dtype=np.float64)


_OF_EVENTS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "occurred_at": _times,
    "received_at": _times,
    "seq": _positions,
    "key": _keys,
    **dict.fromkeys(WORDS, _numbers),
}
