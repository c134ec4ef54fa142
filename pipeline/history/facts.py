"""What the events say about each ticket: a column's values in order, its last row, and where the data end."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.tickets.schema import FIELD_PREFIX

TIME: Literal["datetime64[us, UTC]"] = "datetime64[us, UTC]"


def column_facts(tickets: pd.DataFrame, events: pd.DataFrame, column: str) -> pd.DataFrame:
    """The values that one source column had, ticket by ticket, in the source's order; repeats are dropped.

    Returns
    -------
    DataFrame
        `row` (position in `tickets`), `value` (null: it was empty then), `occurred_at`; a ticket without any fact
        has no row. A column kept as `fields.NAME` starts with the ticket's own value, dated by its creation.
    """
    chosen = events[((events["kind"] == "field") & (events["field"] == column)).to_numpy(bool)]
    facts = pd.DataFrame(
        {
            "row": positions(tickets, chosen["ticket_id"]),
            "value": chosen["value"].to_numpy(),
            "occurred_at": chosen["occurred_at"].to_numpy(),
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
                "seq": np.int64(-1),
            }
        )
        facts = pd.concat([first, facts], ignore_index=True)
    facts["value"] = facts["value"].astype("str")
    facts["occurred_at"] = pd.to_datetime(facts["occurred_at"], utc=True).astype(TIME)
    facts = facts.sort_values(["row", "seq"], kind="stable")
    before = facts["value"].shift()
    both_empty = (facts["value"].isna() & before.isna()).to_numpy(bool)
    same = (facts["value"] == before).fillna(False).to_numpy(bool) | both_empty
    repeated = same & (facts["row"] == facts["row"].shift()).to_numpy(bool)
    return facts[~repeated].drop(columns="seq").reset_index(drop=True)


def replies_by_others(tickets: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Replies by a known person who isn't the ticket's customer: `row`, `occurred_at`, `text`."""
    chosen = events[((events["kind"] == "reply") & (events["actor"].notna() | events["side"].notna())).to_numpy(bool)]
    row = positions(tickets, chosen["ticket_id"])
    chosen, row = chosen[row >= 0], row[row >= 0]
    customer = tickets["customer_id"].to_numpy(dtype=object)[row]
    other = (chosen["actor"].to_numpy(dtype=object) != customer) & chosen["side"].isna().to_numpy(bool)
    other |= (chosen["side"] == "agent").to_numpy(bool, na_value=False)
    return pd.DataFrame(
        {"row": row[other], "occurred_at": chosen["occurred_at"][other].array, "text": chosen["text"][other].array}
    )


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


def _per_ticket(tickets: pd.DataFrame, rows: npt.NDArray[np.intp], times: pd.Series) -> pd.Series:
    """The last of `times` for each ticket."""
    known = rows >= 0
    latest = pd.Series(times.array[known], index=rows[known])
    latest = latest[~latest.index.duplicated(keep="last")]
    return latest.reindex(np.arange(len(tickets))).astype(TIME)
