"""A whole history in pieces of some thousand tickets, so that putting it in takes little memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from pipeline.history.amounts import FACTS
from pipeline.history.log import moments
from pipeline.history.record import History

_TICKETS = 2_000

Piece = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
"""Tickets, events, outcomes."""


def pieces(history: History) -> Iterator[Piece]:
    """Tickets with their events; the first piece also holds all outcomes, and the events of unknown tickets."""
    place = pd.Index(history.tickets["ticket_id"]).get_indexer(pd.Index(history.events["ticket_id"]))
    order = np.argsort(place, kind="stable")
    starts = np.arange(0, max(len(history.tickets), 1), _TICKETS)
    ends = np.searchsorted(place[order], starts + _TICKETS)
    outcomes = _escalated(history)
    for start, begin, end in zip(starts, np.append(0, ends[:-1]), ends, strict=True):
        tickets = history.tickets.iloc[start : start + _TICKETS]
        yield tickets, history.events.iloc[order[begin:end]], outcomes if start == 0 else outcomes.iloc[:0]


def _escalated(history: History) -> pd.DataFrame:
    """The outcomes that the amounts hold: escalations that no event told of."""
    amounts, events = history.amounts, history.events
    counted = amounts[(amounts["fact"] == FACTS.index("escalated")).to_numpy(bool)]
    told = events[(events["kind"] == "escalated").to_numpy(bool)].drop_duplicates("key")
    happened = pd.Series(1.0, pd.MultiIndex.from_arrays([told["ticket_id"], moments(told["received_at"])]))
    sums = counted.groupby(["ticket_id", "at"])["amount"].sum()
    left = sums.sub(happened.groupby(level=[0, 1]).sum(), fill_value=0.0)
    left = left[left > 0]
    known_at = pd.to_datetime(left.index.get_level_values(1).to_numpy(np.int64), unit="us", utc=True)
    ids = left.index.get_level_values(0).to_numpy(dtype=object)
    return pd.DataFrame({"ticket_id": ids, "outcome": "escalated", "value": "1", "known_at": known_at})
