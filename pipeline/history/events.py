"""EVENTS frames: what happened to tickets, from tables of one row per ticket and from event logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.tickets import schema

_SAME = ["ticket_id", "occurred_at", "received_at", "kind", "side", "actor", "field", "value", "text"]


def make_events(kind: str, ticket_id: pd.Series, **columns: pd.Series | str | None) -> pd.DataFrame:
    """Events of one kind; columns of the schema that aren't given are null."""
    frame = pd.DataFrame({"ticket_id": ticket_id, "kind": kind, **columns}, index=ticket_id.index)
    return schema.conform(frame, "events")


def created_events(tickets: pd.DataFrame, seq: pd.Series) -> pd.DataFrame:
    """One `created` event per ticket, by its customer."""
    when = tickets["created_at"]
    return make_events(
        "created", tickets["ticket_id"], occurred_at=when, received_at=when, seq=seq, actor=tickets["customer_id"]
    )


def field_events(
    ticket_id: pd.Series, columns: Mapping[str, pd.Series], *, at: pd.Series, received_at: pd.Series, seq: pd.Series
) -> pd.DataFrame:
    """One `field` event for each value that isn't empty: facts of a table with one row per ticket.

    Parameters
    ----------
    ticket_id, at, received_at, seq : Series
        Aligned with each other; `received_at` is null where nobody knows when the value became known.
    columns : mapping of str to Series
        Column name → its values.
    """
    frames = [schema.empty("events")]
    for name, values in columns.items():
        full = values.notna().to_numpy(bool)
        frames.append(
            make_events(
                "field", ticket_id[full], occurred_at=at[full], received_at=received_at[full], seq=seq[full],
                field=name, value=values[full],
            )
        )  # fmt: skip
    return joined(frames)


def log_events(
    log: pd.DataFrame,
    *,
    tracked: Sequence[str] = (),
    changes: Sequence[str] = (),
    known: Sequence[str] = (),
    status: str | None = None,
    actor: str | None = None,
) -> pd.DataFrame:
    """Events of an event log: what changed from one row of a ticket to its next, and when its last row was.

    Parameters
    ----------
    log : DataFrame
        In the log's order: `ticket_id`, `occurred_at`, `seq`, and the columns named below (null: empty).
    tracked : sequence of str
        Columns of which the first row's value is a fact too.
    changes : sequence of str
        Columns whose first value the ticket itself carries (`fields.NAME`): only changes become facts.
    known : sequence of str
        Tickets that an earlier import brought: their first row here is a change like any other.
    status : str, optional
        Column of states in our own words; null values are skipped.
    actor : str, optional
        Column of who wrote the row, and so made its changes.
    """
    seen_before = log["ticket_id"].isin(list(known))
    frames = [schema.empty("events")]
    for name in dict.fromkeys([*tracked, *changes]):
        first, changed = _changes(log, name)
        kept = changed | (first if name in tracked else first & seen_before)
        rows = log[kept.to_numpy(bool)]
        frames.append(_rows(rows, "field", field=name, value=rows[name], **_by(rows, actor)))
    if status is not None:
        named = log[log[status].notna().to_numpy(bool)]
        first, changed = _changes(named, status)
        rows = named[(first | changed).to_numpy(bool)]
        frames.append(_rows(rows, "status", value=rows[status], **_by(rows, actor)))
    frames.append(_rows(log.drop_duplicates("ticket_id", keep="last"), "updated"))
    events = joined(frames)
    return events.sort_values("seq", kind="stable", ignore_index=True)


def merge_events(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Both together; an event that the old ones hold already isn't added again.

    Events that are alike in all but `seq` count: if the old hold it twice and the new three times, one is added.
    The new ones' `seq` goes on where the old ends.
    """
    if old.empty or new.empty:
        return joined([old, new])
    both = joined([old, new.assign(seq=new["seq"] + int(old["seq"].max()) + 1)])
    key = pd.util.hash_pandas_object(both[_SAME], index=False)
    part = np.repeat([0, 1], [len(old), len(new)])
    nth = pd.DataFrame({"key": key.to_numpy(), "part": part}).groupby(["key", "part"]).cumcount()
    copies = pd.DataFrame({"key": key.to_numpy(), "nth": nth.to_numpy()}).duplicated(keep="first").to_numpy()
    return both[~copies].reset_index(drop=True)


def joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Event frames one below the other."""
    filled = [f for f in frames if len(f)] or list(frames[:1])
    return pd.concat(filled, ignore_index=True)


def _rows(log: pd.DataFrame, kind: str, **columns: pd.Series | str) -> pd.DataFrame:
    when = log["occurred_at"]
    return make_events(kind, log["ticket_id"], occurred_at=when, received_at=when, seq=log["seq"], **columns)


def _by(log: pd.DataFrame, actor: str | None) -> dict[str, pd.Series]:
    return {} if actor is None else {"actor": log[actor]}


def _changes(log: pd.DataFrame, column: str) -> tuple[pd.Series, pd.Series]:
    """Which rows are their ticket's first, and which hold another value than the row before."""
    by_ticket = log.groupby("ticket_id", sort=False)
    first = by_ticket.cumcount() == 0
    before = by_ticket[column].shift()
    same = (log[column] == before).fillna(False).astype(bool) | (log[column].isna() & before.isna())
    return first, ~first & ~same
