"""Conditions on what happens to a ticket in time: a reply or none, an ending that doesn't last, an event of a kind."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.history.definitions import Definition
from pipeline.history.facts import endings, happened, replies_by_others
from pipeline.history.windows import Data, answers, closed, earliest, no_answers


def no_reply_within(data: Data, definition: Definition) -> pd.DataFrame:
    """Nobody but the customer has replied when the window closes."""
    first = _first(data, replies_by_others(data.tickets, data.events))["occurred_at"]
    ends = data.window_ends(definition)
    yes = first.isna() | (first > ends)
    over = closed(data, definition)
    return answers(ends.index.to_series()[over], yes[over], ends.where(yes, first)[over])


def never_answered(data: Data, definition: Definition) -> pd.DataFrame:
    """Nobody but the customer has replied when the ticket is first resolved or closed, or when the window closes.

    A reply at that very moment is in time. Data without any reply say nothing.
    """
    if not (data.events["kind"] == "reply").any():
        return no_answers(data)
    first = _first(data, replies_by_others(data.tickets, data.events))
    ending, ends = _first(data, endings(data.tickets, data.events)), data.window_ends(definition)
    ended = (ending["occurred_at"] <= ends).to_numpy(bool)
    limit = ending["occurred_at"].where(ended, ends)
    yes = first["occurred_at"].isna() | (first["occurred_at"] > limit)
    known = ending["known_at"].where(ended, ends).where(yes, first["known_at"])
    over = closed(data, definition)
    return answers(ends.index.to_series()[over], yes[over], known[over])


def reopened_within(data: Data, definition: Definition) -> pd.DataFrame:
    """The ticket is opened again within so long after it was resolved or closed, the first time or a later one.

    A ticket that was neither has no outcome. A yes counts once the window in which it came has closed, a no once the
    last window has.
    """
    found = endings(data.tickets, data.events)
    assert definition.window is not None
    ends = found["occurred_at"] + definition.window
    over = data.over(ends)
    back = (found["reopened_at"] <= ends).fillna(False).astype(bool)
    hits = found[back & over].drop_duplicates("row")
    last = ~found.duplicated("row", keep="last") & over & ~found["row"].isin(hits["row"])
    rows = pd.concat([hits["row"], found["row"][last]])
    known = pd.concat([hits["reopening_known_at"], ends[last]])
    return answers(rows, rows.isin(hits["row"]), known)


def happens_within(data: Data, definition: Definition) -> pd.DataFrame:
    """An event of the kind comes in time; of ratings one that is low enough.

    Data without any event of the kind say nothing.
    """
    found = happened(data.tickets, data.events, str(definition.kind))
    if found.empty:
        return no_answers(data)
    if definition.below is not None:
        rating = pd.to_numeric(found["value"], errors="coerce")
        found = found[((rating >= 0) & (rating < definition.below)).to_numpy(bool)]
    ends = data.window_ends(definition)
    found = found[(found["occurred_at"] <= ends.reindex(found["row"]).array).to_numpy(bool)]
    known = _first(data, found)["known_at"]
    yes, over = known.notna(), closed(data, definition)
    return answers(ends.index.to_series()[over], yes[over], known.where(yes, ends)[over])


def _first(data: Data, dated: pd.DataFrame) -> pd.DataFrame:
    """Of each ticket what happened first; null where nothing did."""
    return earliest(dated).reindex(np.arange(len(data.tickets)))
