"""The log: events of tickets as sorted arrays, each with what it changed; the form in which history is looked at.

Events are seen in the order in which the helpdesk received them. One that was received late, after a newer word on the
same thing, is counted but changes nothing: the newest by `occurred_at` stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.history.mood import SIGNALS

NEVER = np.iinfo(np.int64).min
"""A moment that isn't known: what a null time is as an integer."""

STATUSES = ("new", "open", "pending", "on_hold", "resolved", "closed")
"""Values of a `status` event, in the order of a ticket's life."""

ENDED = (4, 5)
"""Codes of the statuses in which nobody waits any more."""

KINDS = (
    "created", "reply", "note", "status", "assignment", "priority", "reopened", "escalated", "satisfaction", "field",
    "updated",
)  # fmt: skip
SIDES = ("system", "customer", "agent")

WORDS = ("mood", *SIGNALS)
"""What is known of a message's text: the log holds no text."""

_KIND = {name: code for code, name in enumerate(KINDS)}
_SIDE = {name: code for code, name in enumerate(SIDES)}
_STATUS = {name: code for code, name in enumerate(STATUSES)}
QUEUE, ASSIGNEE, PRIORITY, STATUS = "\x1fqueue", "\x1fassignee", "\x1fpriority", "\x1fstatus"
"""Tracks beside those of `field` events, which are named after their column."""


@dataclass(frozen=True)
class Log:
    """Events of `size` tickets, sorted by ticket and by when they were received; arrays of shape (n,).

    Attributes
    ----------
    created : ndarray of int64, shape (size,)
        Moment of each ticket's creation; `NEVER` where it isn't known.
    first_queue : ndarray of object, shape (size,)
        Queue that the ticket itself names, or None.
    start : ndarray of int64, shape (size + 1,)
        Where each ticket's events begin.
    ticket : ndarray of int64
        Position of the ticket.
    received, occurred : ndarray of int64
        Microseconds since 1970.
    kind, side : ndarray of int8
        Codes of `KINDS` and `SIDES`.
    actor : ndarray of object
        Who did it, or None.
    track : ndarray of object
        What was changed: status, queue, assignee, priority, or a tracked column; None: nothing.
    value : ndarray of object
        Its new value.
    number : ndarray of float64
        The value as a number: code of a status, rank of a level, a count; nan where it is none.
    words : ndarray of float32, shape (n, 4)
        `WORDS` of a customer's message; nan of any other event.
    """

    created: np.ndarray
    first_queue: np.ndarray
    start: np.ndarray
    ticket: np.ndarray
    received: np.ndarray
    occurred: np.ndarray
    kind: np.ndarray
    side: np.ndarray
    actor: np.ndarray
    track: np.ndarray
    value: np.ndarray
    number: np.ndarray
    words: np.ndarray

    @property
    def size(self) -> int:
        """How many tickets."""
        return len(self.created)

    def __len__(self) -> int:
        return len(self.ticket)

    def upto(self, tickets: np.ndarray, moments: np.ndarray) -> np.ndarray:
        """End (exclusive) of what was received before each moment, shape of `tickets`."""
        marks = np.unique(self.received)
        wide = len(marks) + 1
        keys = self.ticket * wide + np.searchsorted(marks, self.received)
        return np.searchsorted(keys, tickets * wide + np.searchsorted(marks, moments), side="left")

    def standing(self, track: str) -> np.ndarray:
        """Which events say the newest word on `track` when they are received, shape (n,), bool."""
        rows = np.flatnonzero(self.track == track)
        stands = np.zeros(len(self), dtype=bool)
        if len(rows) == 0:
            return stands
        rank = np.unique(self.occurred[rows], return_inverse=True)[1].astype(np.int64)
        key = self.ticket[rows] * (int(rank.max()) + 2) + rank
        newest = np.maximum.accumulate(key)
        stands[rows] = key >= np.append(np.int64(-1), newest[:-1])
        return stands

    def last(self, chosen: np.ndarray, tickets: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Position of the last of the chosen events before each end; -1 where there is none."""
        if len(self) == 0:
            return np.full(len(ends), -1, dtype=np.int64)
        latest = np.maximum.accumulate(np.where(chosen, np.arange(len(self)), -1))
        found = np.where(ends > 0, latest[np.maximum(ends - 1, 0)], -1)
        return np.where(found >= self.start[tickets], found, -1)

    def total(self, amounts: np.ndarray, tickets: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Sum of `amounts` of each ticket's events before its end, float64."""
        sums = np.append(0.0, np.cumsum(amounts, dtype=np.float64))
        return np.asarray(sums[ends] - sums[self.start[tickets]])

    def first_of_its_kind(self, chosen: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Which of the chosen events bring a value that their ticket hadn't had, shape (n,), bool."""
        new = np.zeros(len(self), dtype=bool)
        rows = np.flatnonzero(chosen)
        if len(rows):
            codes = pd.factorize(values[rows], use_na_sentinel=False)[0].astype(np.int64)
            _, first = np.unique(self.ticket[rows] * (int(codes.max()) + 1) + codes, return_index=True)
            new[rows[first]] = True
        return new


def log_of(tickets: pd.DataFrame, events: pd.DataFrame, levels: Sequence[str] = ()) -> Log:
    """The log of some tickets; events of others are left out, and so are those of which nobody knows when they came.

    Parameters
    ----------
    tickets : DataFrame
        `ticket_id` (unique), `created_at`, `customer_id`, `queue`.
    events : DataFrame
        By the schema EVENTS, with the columns `WORDS`. An event that stands there twice counts once.
    levels : sequence of str
        Priority levels, least urgent first.
    """
    row = pd.Index(tickets["ticket_id"]).get_indexer(pd.Index(events["ticket_id"]))
    known = (row >= 0) & events["received_at"].notna().to_numpy(bool) & events["kind"].isin(KINDS).to_numpy(bool)
    events, row = events[known], row[known].astype(np.int64)
    received = moments(events["received_at"])
    occurred = moments(events["occurred_at"].fillna(events["received_at"]))
    order = _order(events, row, received, occurred)
    events, row, received, occurred = events.iloc[order], row[order], received[order], occurred[order]
    kind = events["kind"].map(_KIND).to_numpy(np.int8)
    track, value, number = _changes(events, kind, levels)
    side = _sides(events, kind, objects(tickets["customer_id"])[row])
    words = events[list(WORDS)].to_numpy(np.float32, na_value=np.nan)
    words[side != _SIDE["customer"]] = np.nan
    return Log(
        created=moments(tickets["created_at"]),
        first_queue=objects(tickets["queue"]),
        start=np.searchsorted(row, np.arange(len(tickets) + 1)),
        ticket=row, received=received, occurred=occurred, kind=kind, side=side, actor=objects(events["actor"]),
        track=track, value=value, number=number, words=words,
    )  # fmt: skip


def moments(times: pd.Series) -> np.ndarray:
    """Times as whole microseconds, int64; a null one is `NEVER`."""
    return np.asarray(times.astype("datetime64[us, UTC]").astype("int64"))


def event_keys(events: pd.DataFrame) -> np.ndarray:
    """A number for what each event says, uint64: the same event has the same one, wherever and whenever it is read.

    `seq` isn't part of it: another export numbers the same events otherwise.
    """
    if "key" in events:
        return events["key"].to_numpy(np.uint64)
    named = ["ticket_id", "kind", "side", "actor", "field", "value", "text"]
    texts = [events[n].fillna("\x00").astype(object) if n in events else pd.Series("\x00", events.index) for n in named]
    times = [pd.Series(moments(events[n]), events.index) for n in ("occurred_at", "received_at")]
    return pd.util.hash_pandas_object(pd.concat([*texts, *times], axis=1), index=False).to_numpy(np.uint64)


def _order(events: pd.DataFrame, row: np.ndarray, received: np.ndarray, occurred: np.ndarray) -> np.ndarray:
    """Sorted by ticket, receipt, occurrence, the source's order, and at last by what they say; repeats dropped."""
    seq = events["seq"].fillna(np.iinfo(np.int64).max).to_numpy(np.int64)
    keys = event_keys(events)
    order = np.lexsort((keys, seq, occurred, received, row))
    _, first = np.unique(keys[order], return_index=True)
    return np.asarray(order[np.sort(first)])


def _changes(
    events: pd.DataFrame, kind: np.ndarray, levels: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each event changes, to which value, and that value as a number."""
    fields, value = objects(events["field"]), objects(events["value"])
    track = np.full(len(events), None, dtype=object)
    track[kind == _KIND["field"]] = fields[kind == _KIND["field"]]
    track[kind == _KIND["status"]] = STATUS
    track[kind == _KIND["priority"]] = PRIORITY
    assigned = kind == _KIND["assignment"]
    track[assigned] = np.where(fields[assigned] == "assignee", ASSIGNEE, QUEUE)
    number = np.full(len(events), np.nan)
    counted = (kind == _KIND["satisfaction"]) | (kind == _KIND["field"])
    number[counted] = pd.to_numeric(pd.Series(value[counted], dtype="object"), errors="coerce").to_numpy(np.float64)
    rank = {level: i for i, level in enumerate(levels)}
    for name, codes in ((STATUS, _STATUS), (PRIORITY, rank)):
        rows = track == name
        number[rows] = [codes.get(v, np.nan) for v in value[rows]]
    track[(track == STATUS) & np.isnan(number)] = None  # a status that isn't known says nothing
    return track, value, number


def _sides(events: pd.DataFrame, kind: np.ndarray, customer: np.ndarray) -> np.ndarray:
    actor = objects(events["actor"])
    named = np.array([a is not None for a in actor], dtype=bool)
    side = np.where(named, np.where(actor == customer, _SIDE["customer"], _SIDE["agent"]), _SIDE["system"])
    side[kind == _KIND["created"]] = _SIDE["customer"]
    if "side" in events:
        said = events["side"].map(_SIDE).to_numpy(np.float64)
        side = np.where(np.isnan(said), side, np.nan_to_num(said))
    return side.astype(np.int8)


def objects(values: pd.Series) -> np.ndarray:
    """Strings, and None where there is none."""
    found = values.to_numpy(dtype=object, copy=True)
    found[values.isna().to_numpy(bool)] = None
    return np.asarray(found)
