"""Answers that settled a ticket, and customers who came back after one: what a suggested reply is learned from."""

from __future__ import annotations

import pandas as pd

from pipeline.config import History
from pipeline.history.definitions import parse_definitions
from pipeline.history.facts import TIME, end_of_data, endings, last_rows, positions, replies_by_others
from pipeline.history.forms import FORMS
from pipeline.history.windows import Data

ACCEPTED = "accepted"
"""`value` of a reply that the customer marked as the solution."""

QUIET = pd.Timedelta(days=7)
"""Where no status tells that a ticket ended, an answer settled it if nobody wrote for so long after it."""

BACK = "7d"
"""A customer came back who opened another ticket, or the same again, so soon."""


def settling_answers(tickets: pd.DataFrame, events: pd.DataFrame, *, cut: pd.Timestamp | None) -> pd.DataFrame:
    """For each ticket that was settled the answer that did it: `ticket_id`, `text` (as written), `known_at`, `actor`.

    It is the one that the customer accepted; else the last by an agent, if the ticket was resolved or closed after it
    and not opened again, or, in a source without statuses, if nobody wrote for `QUIET` after it.

    Parameters
    ----------
    cut : Timestamp or None
        Nothing known from this moment on is used; None: everything is.
    """
    end = end_of_data(tickets, events) if cut is None else cut
    said = replies_by_others(tickets, events).dropna(subset=["text", "occurred_at"])
    found = [_accepted(tickets, events, said)]
    said = said if end is None else said[(said["known_at"] < end).to_numpy(bool)]
    last = said.sort_values("occurred_at", kind="stable").drop_duplicates("row", keep="last")
    ends = endings(tickets, events)
    found.append(_ended(last, ends, end) if len(ends) else _quiet(tickets, events, last))
    settled = pd.concat([f for f in found if len(f)] or found[:1], ignore_index=True)
    if end is not None:
        settled = settled[(settled["known_at"] < end).to_numpy(bool)]
    settled = settled.drop_duplicates("row").sort_values("row", ignore_index=True)
    ids = tickets["ticket_id"].reset_index(drop=True).iloc[settled["row"]]
    known = settled["known_at"].astype(TIME)
    told = {"ticket_id": ids.array, "text": settled["text"].array, "known_at": known.array}
    return pd.DataFrame(told | {"actor": settled["actor"].array})


def came_back(
    tickets: pd.DataFrame, events: pd.DataFrame, *, customers: History, cut: pd.Timestamp | None
) -> pd.DataFrame:
    """For each ticket of which it is known by the cut: `ticket_id`, and `value`, 1 if its customer came back."""
    data = Data(tickets, events, None, last_rows(tickets, events), end_of_data(tickets, events), customers)
    rows = []
    for form in ("returns_within", "reopened_within"):
        definition = parse_definitions({"escalated": {form: BACK}}, "came back")["escalated"]
        rows.append(FORMS[definition.form](data, definition))
    found = pd.concat(rows, ignore_index=True)
    if cut is not None:
        found = found[(found["known_at"] < cut).to_numpy(bool)]
    value = (found["value"] == "1").groupby(found["row"].to_numpy()).max().astype(int)
    ids = tickets["ticket_id"].reset_index(drop=True).iloc[value.index]
    return pd.DataFrame({"ticket_id": ids.array, "value": value.to_numpy()})


def _accepted(tickets: pd.DataFrame, events: pd.DataFrame, said: pd.DataFrame) -> pd.DataFrame:
    """Known by the last thing that happened: the source doesn't say when the customer marked it."""
    marked = said[(said["value"] == ACCEPTED).to_numpy(bool)].drop_duplicates("row", keep="last")
    row = positions(tickets, events["ticket_id"])
    last = pd.Series(events["occurred_at"].array, index=row).groupby(level=0).max()
    known = pd.Series(last.reindex(marked["row"]).array, index=marked.index).astype(TIME)
    return marked[["row", "text", "actor"]].assign(known_at=known.fillna(marked["known_at"]))


def _ended(last: pd.DataFrame, ends: pd.DataFrame, end: pd.Timestamp | None) -> pd.DataFrame:
    if end is not None:
        ends = ends[(ends["known_at"] < end).to_numpy(bool)]
    final = ends.sort_values("occurred_at", kind="stable").drop_duplicates("row", keep="last")
    both = last.merge(final, on="row", suffixes=("", "_end"))
    again = both["reopening_known_at"].notna()
    if end is not None:
        again &= both["reopening_known_at"] < end
    settled = both[((both["occurred_at_end"] >= both["occurred_at"]) & ~again).to_numpy(bool)]
    return settled[["row", "text", "actor"]].assign(known_at=settled["known_at_end"])


def _quiet(tickets: pd.DataFrame, events: pd.DataFrame, last: pd.DataFrame) -> pd.DataFrame:
    replies = events[(events["kind"] == "reply").to_numpy(bool)]
    latest = pd.Series(replies["occurred_at"].array, index=positions(tickets, replies["ticket_id"]))
    newest = latest.groupby(level=0).max().reindex(last["row"]).array
    settled = last[(pd.Series(newest, index=last.index) <= last["occurred_at"]).to_numpy(bool)]
    return settled[["row", "text", "actor"]].assign(known_at=settled["known_at"] + QUIET)
