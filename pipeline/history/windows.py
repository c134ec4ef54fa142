"""What every form of an outcome reads, and the time that a condition has: a window that has to be closed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config import History
from pipeline.history.definitions import Definition


@dataclass(frozen=True)
class Data:
    """What every form reads.

    Attributes
    ----------
    tickets, events, articles : DataFrame
        By their schemas.
    last_row : Series
        When each ticket's last row in an event log was written.
    end : Timestamp or None
        The moment up to which the data are complete.
    customers : History
        Who counts as one customer.
    topics : DataFrame or None
        `row`, `value` and `known_at` of the topics, where they are defined.
    """

    tickets: pd.DataFrame
    events: pd.DataFrame
    articles: pd.DataFrame | None
    last_row: pd.Series
    end: pd.Timestamp | None
    customers: History
    topics: pd.DataFrame | None = None

    @property
    def created(self) -> pd.Series:
        return self.tickets["created_at"].reset_index(drop=True)

    def window_ends(self, definition: Definition) -> pd.Series:
        """When each ticket's window closes."""
        assert definition.window is not None
        return self.created + definition.window

    def over(self, ends: pd.Series) -> pd.Series:
        """Whether each window closed by the end of the data."""
        if self.end is None:
            return pd.Series(False, index=ends.index)
        return (ends <= self.end).fillna(False).astype(bool)


def closed(data: Data, definition: Definition) -> pd.Series:
    """Whether each ticket's window closed by the end of the data; without a window: always."""
    if definition.window is None:
        return pd.Series(True, index=data.created.index)
    return data.over(data.window_ends(definition))


def earliest(dated: pd.DataFrame) -> pd.DataFrame:
    """Of each `row` what happened first, by `row`."""
    return dated.sort_values("occurred_at", kind="stable").drop_duplicates("row").set_index("row")


def answers(rows: pd.Series, yes: pd.Series, known_at: pd.Series) -> pd.DataFrame:
    """Yes or no for each of `rows`; the three are aligned."""
    value = pd.Series(np.where(yes.to_numpy(bool), "1", "0"), index=rows.index, dtype="str")
    return pd.DataFrame({"row": rows.to_numpy(), "value": value.to_numpy(), "known_at": known_at.array})


def no_answers(data: Data) -> pd.DataFrame:
    """Nothing is known of any ticket."""
    none = {"row": pd.Series(dtype="int64"), "value": pd.Series(dtype="str"), "known_at": data.created[:0]}
    return pd.DataFrame(none)
