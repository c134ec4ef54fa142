"""What the events say about each ticket: a column's values in order, replies, states, and where the data end."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.history.log import ENDED, STATUSES
from pipeline.tickets.schema import FIELD_PREFIX

TIME: Literal["datetime64[us, UTC]"] = "datetime64[us, UTC]"


def column_facts(tickets: pd.DataFrame, events: pd.DataFrame, column: str) -> pd.DataFrame:
    """The values that one source column had, ticket by ticket, in the source's order; repeats are dropped.

    Returns
    -------
    DataFrame
        `row` (position in `tickets`), `value` (null: it was empty then), `occurred_at`, `received_at`; a ticket without
        any fact has no row. A column kept as `fields.NAME` starts with the ticket's own value, dated by its creation.
    """
    chosen = events[((events["kind"] == "field") & (events["field"] == column)).to_numpy(bool)]
    facts = pd.DataFrame(
        {
            "row": positions(tickets, chosen["ticket_id"]),
            "value": chosen["value"].to_numpy(),
            "occurred_at": chosen["occurred_at"].to_numpy(),
            "received_at": chosen["received_at"].to_numpy(),
            "seq": chosen["seq"].fillna(0).to_numpy(np.int64),
        }
    )
    facts = facts[facts["row"] >= 0]
    field = FIELD_PREFIX + column
    if field in tickets:
        first = pd.DataFrame(
            {
                "row": np.arange(len(tickets)),
                "value": tickets[field].to_numpy(),
                "occurred_at": tickets["created_at"].to_numpy(),
                "received_at": tickets["created_at"].to_numpy(),
                "seq": np.int64(-1),
            }
        )
        facts = pd.concat([first, facts], ignore_index=True)
    facts["value"] = facts["value"].astype("str")
    for name in ("occurred_at", "received_at"):
        facts[name] = pd.to_datetime(facts[name], utc=True).astype(TIME)
    facts = facts.sort_values(["row", "seq"], kind="stable")
    before = facts["value"].shift()
    both_empty = (facts["value"].isna() & before.isna()).to_numpy(bool)
    same = (facts["value"] == before).fillna(False).to_numpy(bool) | both_empty
    repeated = same & (facts["row"] == facts["row"].shift()).to_numpy(bool)
    return facts[~repeated].drop(columns="seq").reset_index(drop=True)


def replies_by_others(tickets: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Replies by a known person who isn't the ticket's customer.

    Columns `row`, `occurred_at`, `known_at`, `text`, `value`, `actor`.
    """
    chosen = events[((events["kind"] == "reply") & (events["actor"].notna() | events["side"].notna())).to_numpy(bool)]
    row = positions(tickets, chosen["ticket_id"])
    chosen, row = chosen[row >= 0], row[row >= 0]
    customer = tickets["customer_id"].to_numpy(dtype=object)[row]
    other = (chosen["actor"].to_numpy(dtype=object) != customer) & chosen["side"].isna().to_numpy(bool)
    other |= (chosen["side"] == "agent").to_numpy(bool, na_value=False)
    chosen = chosen[other]
    own = {name: chosen[name].array for name in ("text", "value", "actor")}
    return _dated(row[other], chosen).assign(**own)


def happened(tickets: pd.DataFrame, events: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Events of one kind whose time is known: `row`, `occurred_at`, `known_at`, `value`."""
    chosen = events[((events["kind"] == kind) & events["occurred_at"].notna()).to_numpy(bool)]
    row = positions(tickets, chosen["ticket_id"])
    chosen, row = chosen[row >= 0], row[row >= 0]
    return _dated(row, chosen).assign(value=chosen["value"].array)


def endings(tickets: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Each time that a ticket was resolved or closed, and when it was opened again before it was so anew.

    Returns
    -------
    DataFrame
        `row`, `occurred_at` and `known_at` of the ending; `reopened_at` and `reopening_known_at`, null where nothing
        or another ending came next; ticket by ticket, the oldest first. A status that repeats the last is no news.
    """
    named = (events["kind"] == "status") & events["value"].isin(STATUSES)
    chosen = events[((named | (events["kind"] == "reopened")) & events["occurred_at"].notna()).to_numpy(bool)]
    row = positions(tickets, chosen["ticket_id"])
    chosen, row = chosen[row >= 0], row[row >= 0]
    status = chosen["value"].mask((chosen["kind"] == "reopened").to_numpy(bool), "open")
    states = _dated(row, chosen).assign(status=status.array, seq=chosen["seq"].array)
    states = states.sort_values(["row", "occurred_at", "seq"], kind="stable", ignore_index=True)
    repeated = (states[["row", "status"]] == states[["row", "status"]].shift()).all(axis=1).to_numpy(bool)
    states = states[~repeated]
    ended = states["status"].isin([STATUSES[code] for code in ENDED])
    again = (~ended).shift(-1, fill_value=False) & (states["row"].shift(-1) == states["row"])
    following = states[["occurred_at", "known_at"]].shift(-1).where(again)
    found = states[["row", "occurred_at", "known_at"]].assign(
        reopened_at=following["occurred_at"], reopening_known_at=following["known_at"]
    )
    return found[ended.to_numpy(bool)].reset_index(drop=True)


def last_rows(tickets: pd.DataFrame, events: pd.DataFrame) -> pd.Series:
    """When each ticket's last row in an event log was written; null where the source is no event log."""
    chosen = events[(events["kind"] == "updated").to_numpy(bool)].sort_values("seq", kind="stable")
    return _per_ticket(tickets, positions(tickets, chosen["ticket_id"]), chosen["occurred_at"])


def last_events(tickets: pd.DataFrame, events: pd.DataFrame) -> pd.Series:
    """When anything last happened to each ticket, as far as the helpdesk knows when; its creation at least."""
    happened = events[events["received_at"].notna().to_numpy(bool)].sort_values("received_at", kind="stable")
    latest = _per_ticket(tickets, positions(tickets, happened["ticket_id"]), happened["received_at"])
    created = tickets["created_at"].reset_index(drop=True)
    return latest.where((latest >= created) | created.isna(), created)


def end_of_data(tickets: pd.DataFrame, events: pd.DataFrame) -> pd.Timestamp | None:
    """The moment up to which the data are complete; None without any time.

    It is the latest moment in them, rounded up to the hour: the last thing that happened stands for its hour.
    """
    moments = [m for m in (tickets["created_at"].max(), events["received_at"].max()) if not pd.isna(m)]
    return max(moments).ceil("h") if moments else None


def positions(tickets: pd.DataFrame, ticket_ids: pd.Series) -> npt.NDArray[np.intp]:
    """Where in `tickets` each id stands; -1 where it doesn't."""
    return np.asarray(pd.Index(tickets["ticket_id"]).get_indexer(pd.Index(ticket_ids)), dtype=np.intp)


def _dated(row: npt.NDArray[np.intp], events: pd.DataFrame) -> pd.DataFrame:
    """When events happened, and when the helpdesk knew of it: never before, and then if it doesn't say."""
    occurred, received = events["occurred_at"], events["received_at"]
    known = received.where((received > occurred) | occurred.isna(), occurred)
    return pd.DataFrame({"row": row, "occurred_at": occurred.array, "known_at": known.array})


def _per_ticket(tickets: pd.DataFrame, rows: npt.NDArray[np.intp], times: pd.Series) -> pd.Series:
    """The last of `times` for each ticket."""
    known = rows >= 0
    latest = pd.Series(times.array[known], index=rows[known])
    latest = latest[~latest.index.duplicated(keep="last")]
    return latest.reindex(np.arange(len(tickets))).astype(TIME)
