"""The log: events of tickets as sorted arrays, each with what it changed; the form in which history is looked at.

Events are seen in the order in which the helpdesk received them. One that was received late, after a newer word on the
same thing, is counted but changes nothing: the newest by `occurred_at` stands.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from typing import Any

import numpy as np
import pandas as pd

from pipeline.history.mood import SIGNALS

HOUR, DAY = 3_600_000_000, 86_400_000_000
"""In microseconds, as all moments are."""

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

_LARGEST = float(np.finfo(np.float32).max)
_LAST = np.iinfo(np.int64).max


Columns = Mapping[str, Sequence[Any]]
"""Columns as plain lists, times as whole microseconds: what a frame of few rows is quicker without."""

KEYED = ("ticket_id", "kind", "side", "actor", "field", "value", "text")
"""What an event says, besides its times."""


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
        Microseconds since 1970. Nothing occurred after it was received.
    kind, side : ndarray of int8
        Codes of `KINDS` and `SIDES`.
    actor : ndarray of object
        Who did it, or None.
    track : ndarray of object
        What was changed: status, queue, assignee, priority, or a tracked column; None: nothing.
    value : ndarray of object
        Its new value.
    number : ndarray of float64
        The value as a number: code of a status, rank of a level, a count, a rating from 0 to 1; nan where it is none.
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

    @cached_property
    def _when(self) -> np.ndarray:
        """Ticket and occurrence as one number, which rises with both."""
        marks, rank = np.unique(self.occurred, return_inverse=True)
        return np.asarray(self.ticket * (len(marks) + 1) + rank)

    def upto(self, tickets: np.ndarray, moments: np.ndarray) -> np.ndarray:
        """End (exclusive) of what was received before each moment, shape of `tickets`."""
        marks = distinct(self.received)
        wide = len(marks) + 1
        keys = self.ticket * wide + sought(marks, self.received)
        return sought(keys, tickets * wide + sought(marks, moments))

    def standing(self, track: str) -> np.ndarray:
        """Which events say the newest word on `track` when they are received, shape (n,), bool."""
        return self.newest(self.track == track)

    def newest(self, chosen: np.ndarray) -> np.ndarray:
        """Which of the chosen events are their ticket's newest such when they are received, shape (n,), bool."""
        rows = np.flatnonzero(chosen)
        stands, when = np.zeros(len(self), dtype=bool), self._when[rows]
        stands[rows] = when >= np.maximum.accumulate(when)
        return stands

    def last(self, chosen: np.ndarray, tickets: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Position of the last of the chosen events before each end; -1 where there is none."""
        rows = np.flatnonzero(chosen)
        found = np.append(rows, -1)[np.searchsorted(rows, ends) - 1]
        return np.where(found >= self.start[tickets], found, -1)

    def total(self, amounts: np.ndarray, tickets: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Sum of whole `amounts` of each ticket's events before its end, float64, shape (rows,).

        Whole numbers add up to the same in any company, so that a ticket's sums don't depend on the log's others.
        """
        sums = np.zeros(len(self) + 1, dtype=np.int64)
        np.cumsum(amounts, dtype=np.int64, out=sums[1:])
        return np.asarray(sums[ends] - sums[self.start[tickets]], dtype=np.float64)

    def first_of_its_kind(self, chosen: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Which of the chosen events bring a value that their ticket hadn't had, shape (n,), bool; None is no value."""
        new = np.zeros(len(self), dtype=bool)
        rows = np.flatnonzero(chosen & is_named(values))
        if len(rows):
            codes = pd.factorize(values[rows])[0].astype(np.int64)
            _, first = np.unique(self.ticket[rows] * (int(codes.max()) + 1) + codes, return_index=True)
            new[rows[first]] = True
        return new


def log_of(tickets: pd.DataFrame | Columns, events: pd.DataFrame | Columns, levels: Sequence[str] = ()) -> Log:
    """The log of some tickets; events of others are left out, and so are those of which nobody knows when they came.

    Parameters
    ----------
    tickets : DataFrame or Columns
        `ticket_id` (unique), `created_at`, `customer_id`, `queue`.
    events : DataFrame or Columns
        By the schema EVENTS, with the columns `WORDS`. An event that stands there twice counts once.
    levels : sequence of str
        Priority levels, least urgent first.
    """
    place = {name: at for at, name in enumerate(objects(tickets["ticket_id"]).tolist()) if name is not None}
    row = np.array([place.get(name, -1) for name in _listed(events["ticket_id"])], dtype=np.int64)
    kind, received = _codes(events["kind"], _KIND), moments(events["received_at"])
    known = (row >= 0) & (received != NEVER) & (kind >= 0)
    if not known.all():
        events, row, kind, received = _chosen(events, known), row[known], kind[known], received[known]
    occurred = moments(events["occurred_at"])
    occurred = np.where(occurred == NEVER, received, np.minimum(occurred, received))
    order = _order(events, row, received, occurred)
    texts = {name: objects(events[name])[order] for name in ("actor", "field", "value")}
    row, kind = row[order], kind[order].astype(np.int8)
    track, value, number = _changes(kind, texts["field"], texts["value"], levels)
    side = _sides(kind, texts["actor"], objects(tickets["customer_id"])[row])
    if "side" in events:
        said = _codes(events["side"], _SIDE)[order]
        side = np.where(said >= 0, said, side).astype(np.int8)
    words = np.column_stack([_floats(events[name])[order] for name in WORDS])
    words[side != _SIDE["customer"]] = np.nan
    created = moments(tickets["created_at"])
    return Log(
        created=created,
        first_queue=objects(tickets["queue"]),
        start=np.searchsorted(row, np.arange(len(created) + 1)),
        ticket=row, received=received[order], occurred=occurred[order], kind=kind, side=side, actor=texts["actor"],
        track=track, value=value, number=number, words=words,
    )  # fmt: skip


def moments(times: pd.Series | Sequence[int | None]) -> np.ndarray:
    """Times as whole microseconds, int64; a null one is `NEVER`."""
    if not isinstance(times, pd.Series):
        return np.array([NEVER if at is None else at for at in times], dtype=np.int64)
    if not isinstance(times.dtype, pd.DatetimeTZDtype):
        times = times.astype("datetime64[us, UTC]")
    array: Any = times.array
    return np.asarray(array.as_unit("us").asi8)


def objects(values: pd.Series | Sequence[Any]) -> np.ndarray:
    """Strings, and None where there is none."""
    if not isinstance(values, pd.Series):
        return np.array(values, dtype=object)
    nothing: Any = None
    return np.array(values.to_numpy(dtype=object, na_value=nothing))


def is_named(values: np.ndarray) -> np.ndarray:
    """Where values that may be None are something, bool."""
    return np.array([v is not None for v in values.tolist()], dtype=bool)


def distinct(numbers: np.ndarray) -> np.ndarray:
    """The different ones of whole numbers, rising; by sorting: a table of millions of numbers fits no cache."""
    rising = np.sort(numbers)
    return np.asarray(rising[np.append(np.ones(min(len(rising), 1), dtype=bool), rising[1:] != rising[:-1])])


def sought(rising: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """As `np.searchsorted` from the left; in the order of what is asked, as each search begins where the last ended."""
    order = np.argsort(asked)
    found = np.empty(len(asked), dtype=np.int64)
    found[order] = np.searchsorted(rising, asked[order])
    return found


def event_keys(events: pd.DataFrame | Columns) -> np.ndarray:
    """A number for what each event says, uint64: the same event has the same one, wherever and whenever it is read.

    `seq` isn't part of it: another export numbers the same events otherwise.
    """
    if "key" in events:
        return np.asarray(events["key"]).astype(np.uint64, copy=False)
    nothing = [None] * len(events["ticket_id"])  # the length of columns is how many there are
    said = [objects(events[name]).tolist() if name in events else nothing for name in KEYED]
    times = [moments(events[name]).tolist() for name in ("occurred_at", "received_at")]
    return np.array([event_key(*row) for row in zip(*said, *times, strict=True)], dtype=np.uint64)


def event_key(*said: str | int | None) -> int:
    """The number of one event: `KEYED`, and when it occurred and was received. It is stored, so no library makes it."""
    return int.from_bytes(hashlib.blake2b(json.dumps(said).encode(), digest_size=8).digest(), "little")


def _order(events: pd.DataFrame | Columns, row: np.ndarray, received: np.ndarray, occurred: np.ndarray) -> np.ndarray:
    """Sorted by ticket, receipt, occurrence, the source's order, and at last by what they say; repeats dropped."""
    keys = event_keys(events)
    order = np.lexsort((keys, _positions(events["seq"]), occurred, received, row))
    _, first = np.unique(keys[order], return_index=True)
    return np.asarray(order[np.sort(first)])


def _changes(
    kind: np.ndarray, fields: np.ndarray, value: np.ndarray, levels: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each event changes, to which value, and that value as a number."""
    track = np.full(len(kind), None, dtype=object)
    of_field, assigned = kind == _KIND["field"], kind == _KIND["assignment"]
    track[of_field] = fields[of_field]
    track[assigned] = np.where(fields[assigned] == "assignee", ASSIGNEE, QUEUE)
    track[kind == _KIND["priority"]] = PRIORITY
    again = kind == _KIND["reopened"]
    value[again] = "open"
    track[again | (kind == _KIND["status"])] = STATUS
    number = np.full(len(kind), np.nan)
    number[of_field] = _numbers(value[of_field])
    rated = kind == _KIND["satisfaction"]
    rating = _numbers(value[rated])
    number[rated] = np.where((rating >= 0) & (rating <= 1), rating, np.nan)
    for name, codes in ((STATUS, _STATUS), (PRIORITY, {level: i for i, level in enumerate(levels)})):
        rows = track == name
        number[rows] = [codes.get(v, np.nan) for v in value[rows]]
    track[(track == STATUS) & np.isnan(number)] = None  # a status that isn't known says nothing
    return track, value, number


def _numbers(texts: np.ndarray) -> np.ndarray:
    found = {text: _number(text) for text in set(texts.tolist())}
    return np.array([found[text] for text in texts.tolist()], dtype=np.float64)


def _number(text: str | None) -> float:
    """The number that a text is; nan for none, and for one that no table holds."""
    try:
        number = math.nan if text is None else float(text)
    except ValueError:
        return math.nan
    return number if abs(number) <= _LARGEST else math.nan


def _sides(kind: np.ndarray, actor: np.ndarray, customer: np.ndarray) -> np.ndarray:
    side = np.where(actor == customer, _SIDE["customer"], _SIDE["agent"])
    side[~is_named(actor)] = _SIDE["system"]
    side[kind == _KIND["created"]] = _SIDE["customer"]
    return side


def _codes(values: pd.Series | Sequence[Any], codes: Mapping[str, int]) -> np.ndarray:
    """Code of each value; -1 for one that isn't known."""
    return np.array([codes.get(name, -1) for name in _listed(values)], dtype=np.int64)


def _listed(values: pd.Series | Sequence[Any]) -> Sequence[Any]:
    listed: Sequence[Any] = values.tolist() if isinstance(values, pd.Series) else values
    return listed


def _floats(values: pd.Series | Sequence[Any]) -> np.ndarray:
    """Numbers as float32; nan where there is none."""
    if not isinstance(values, pd.Series):
        return np.array(values, dtype=np.float32)
    return np.asarray(values.to_numpy(np.float32, na_value=np.nan))


def _positions(seq: pd.Series | Sequence[Any]) -> np.ndarray:
    """Positions in the source; what has none comes last."""
    if not isinstance(seq, pd.Series):
        return np.array([_LAST if at is None else at for at in seq], dtype=np.int64)
    whole = seq if seq.dtype == "Int64" else seq.astype("Int64")
    return np.asarray(whole.to_numpy(np.int64, na_value=_LAST))


def _chosen(events: pd.DataFrame | Columns, rows: np.ndarray) -> pd.DataFrame | Columns:
    if isinstance(events, pd.DataFrame):
        return events[rows]
    return {name: [*compress(values, rows.tolist())] for name, values in events.items()}
