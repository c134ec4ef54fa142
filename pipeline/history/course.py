"""The course of a ticket up to a moment, from its own events: who spoke last, how long nobody did, where it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.history.log import (
    ASSIGNEE,
    ENDED,
    HOUR,
    KINDS,
    NEVER,
    PRIORITY,
    QUEUE,
    SIDES,
    STATUS,
    STATUSES,
    WORDS,
    Log,
    is_named,
)

CUSTOMER, AGENT = SIDES.index("customer"), SIDES.index("agent")
_CREATED, _REPLY, _NOTE = KINDS.index("created"), KINDS.index("reply"), KINDS.index("note")
_NEW = STATUSES.index("new")
_REOPENED, _ESCALATED, _RATED = KINDS.index("reopened"), KINDS.index("escalated"), KINDS.index("satisfaction")

COURSE = (
    "age_hours", "quiet_hours", "customer_quiet_hours", "agent_quiet_hours", "customer_spoke_last",
    "customer_replies", "agent_replies", "notes", "unanswered_replies", "first_response_hours", "updates", "people",
    "assignments", "assignees", "queues_visited", "queue_hours", "status", "status_hours", "status_changes",
    *(f"{name}_hours" for name in STATUSES), "reopened", "priority_level", "priority_changes", "priority_raised",
    "escalations", "satisfaction", "mood_last", "mood_lowest", *WORDS[1:],
)  # fmt: skip
"""Numbers of a ticket's course, as of a moment. `_hours` are hours; nan: there was no such thing so far.

A change is a word that differs from the one before; what the ticket itself says is the first word, where it says one.
"""

PER_COLUMN = ("changes", "quiet_hours")
"""Of each tracked column: how often it changed, and hours since it last did; `number` of each counted one."""

Elapsed = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Hours between two arrays of moments: of the clock, or of business."""


@dataclass(frozen=True)
class View:
    """The log as of moments: which ticket each row is of, and where what it may see ends.

    Attributes
    ----------
    log : Log
    tickets : ndarray of int64, shape (n,)
        Position of each row's ticket in the log.
    moments : ndarray of int64, shape (n,)
    ends : ndarray of int64, shape (n,)
        End (exclusive) of the events received before the moment.
    """

    log: Log
    tickets: np.ndarray
    moments: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, log: Log, tickets: np.ndarray, moments: np.ndarray) -> View:
        """See the log as of moments."""
        return cls(log, tickets, moments, log.upto(tickets, moments))

    def count(self, chosen: np.ndarray) -> np.ndarray:
        """How many of the chosen events each row sees."""
        return self.log.total(chosen, self.tickets, self.ends)

    def last(self, chosen: np.ndarray) -> np.ndarray:
        """Position of the last chosen event that each row sees; -1 without."""
        return self.log.last(chosen, self.tickets, self.ends)

    def value(self, position: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Values at positions, nan at -1."""
        if len(values) == 0:
            return np.full(len(position), np.nan)
        return np.asarray(np.where(position >= 0, values[position], np.nan))

    def hours_since(self, position: np.ndarray) -> np.ndarray:
        """Hours since the event at each position occurred, nan at -1; never below 0, nor more than the ticket's age."""
        occurred = self.value(position, self.log.occurred)
        start = np.where(occurred < self.created, self.created, occurred)
        return np.asarray(np.maximum(hours(start, self.moments), 0.0))

    @property
    def created(self) -> np.ndarray:
        """Moment of creation of each row's ticket, nan where it isn't known."""
        moment = self.log.created[self.tickets]
        return np.where(moment == NEVER, np.nan, moment)


def course(view: View) -> dict[str, np.ndarray]:
    """`COURSE` of each row, each of shape (n,), float64; blind to everything that wasn't received before its moment."""
    return _talk(view) | _moves(view) | _states(view) | _said(view)


def columns(
    view: View, tracked: Sequence[str], counted: Sequence[str], *, first: Mapping[str, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """`PER_COLUMN` of each tracked column, named `COLUMN.changes` and so on; `COLUMN.number` of each counted one.

    Parameters
    ----------
    first : mapping of column to ndarray of object, shape (log.size,), optional
        What the tickets themselves say in a column, or None.
    """
    rows, happened = len(view.moments), set(view.log.track.tolist())
    found = {f"{name}.number": np.full(rows, np.nan) for name in counted}
    found |= {f"{name}.changes": np.zeros(rows) for name in tracked}
    found |= {f"{name}.quiet_hours": np.full(rows, np.nan) for name in tracked}
    for name in (n for n in tracked if n in happened):
        stands = view.log.standing(name)
        changed = _changed(view.log, stands, (first or {}).get(name))
        if name in counted:
            found[f"{name}.number"] = view.value(view.last(stands), view.log.number)
        found[f"{name}.changes"] = view.count(changed)
        found[f"{name}.quiet_hours"] = view.hours_since(view.last(changed))
    return found


def hours(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Hours of the clock from start to end; nan where either isn't known."""
    return np.asarray((np.asarray(end, dtype=np.float64) - start) / HOUR)


def queue_at(view: View) -> np.ndarray:
    """The queue that each row's ticket lies in, None where nobody said; shape (n,), object."""
    last = view.last(view.log.standing(QUEUE))
    now: np.ndarray = view.log.first_queue[view.tickets].copy()
    now[last >= 0] = view.log.value[last[last >= 0]]
    return now


def ended_at(view: View) -> np.ndarray:
    """Whether each row's ticket is resolved or closed, shape (n,), bool."""
    return np.isin(view.value(view.last(view.log.standing(STATUS)), view.log.number), ENDED)


def spent(view: View, statuses: Sequence[str], elapsed: Elapsed = hours) -> np.ndarray:
    """Hours that each row's ticket has spent in some statuses, shape (n,); it is new until a status was named."""
    return np.asarray(_spent(view, elapsed)[:, [STATUSES.index(s) for s in statuses]].sum(axis=1) / HOUR)


def reopened(log: Log) -> np.ndarray:
    """Which events take up an ended ticket again, shape (events,), bool: by a status, or as a `reopened`.

    A `reopened` that only repeats what a status has just said isn't a second one.
    """
    words, said = log.standing(STATUS), log.kind == _REOPENED
    back = words & ~said & ~np.isin(log.number, ENDED) & np.isin(_before(log, words, log.number), ENDED)
    rows = np.flatnonzero(said)
    before = log.last(words, log.ticket[rows], rows)
    said[rows[(before >= 0) & back[before]]] = False
    return np.asarray(back | said)


def _spent(view: View, elapsed: Elapsed) -> np.ndarray:
    """Microseconds that each row's ticket has spent in each status, shape (n, statuses)."""
    log = view.log
    stands = log.standing(STATUS)
    rows, opens = np.flatnonzero(stands), _opens(log, stands)
    begun = np.maximum(log.occurred, log.created[log.ticket]).astype(np.float64)
    created = np.where(log.created == NEVER, np.nan, log.created)[log.ticket]
    before = np.where(opens, created, _before(log, stands, begun))[rows]
    status = np.where(opens, _NEW, _before(log, stands, log.number))[rows].astype(np.int64)
    lasted = _between(before, begun[rows], elapsed)  # what ends with each of these events
    first, end = (np.searchsorted(rows, places) for places in (log.start[view.tickets], view.ends))
    total = np.zeros((len(end), len(STATUSES)))
    for code in range(len(STATUSES)):
        sums = np.append(0, np.cumsum(np.where(status == code, lasted, 0)))
        total[:, code] = sums[end] - sums[first]
    last = view.last(stands)
    now = np.where(last >= 0, view.value(last, log.number), _NEW).astype(np.int64)
    since = np.where(last >= 0, view.value(last, begun), view.created)
    total[np.arange(len(now)), now] += _between(since, view.moments, elapsed)
    return total


def _between(start: np.ndarray, end: np.ndarray, elapsed: Elapsed) -> np.ndarray:
    """Microseconds from start to end, int64, as `elapsed` counts them; 0 where either isn't known or it runs back."""
    known = ~np.isnan(start)
    passed = np.zeros(len(start), dtype=np.int64)
    found = elapsed(start[known].astype(np.int64), end[known].astype(np.int64))
    passed[known] = np.rint(np.maximum(np.nan_to_num(found), 0.0) * HOUR)
    return passed


def _talk(view: View) -> dict[str, np.ndarray]:
    log = view.log
    by_customer = (log.kind == _REPLY) & (log.side == CUSTOMER)
    by_agent = (log.kind == _REPLY) & (log.side == AGENT)
    happened = log.kind != _CREATED
    age = np.maximum(hours(view.created, view.moments), 0.0)
    spoke = log.newest(by_customer | by_agent)
    agent, answer = view.last(log.newest(by_agent)), view.last(spoke & by_agent)
    asked_before = np.nan_to_num(view.value(answer, _running(spoke & by_customer, log)))
    spoke_last = view.value(view.last(spoke), by_customer)
    first = _first(by_agent, log)[view.tickets]
    replied = view.value(np.where(first < view.ends, first, -1), log.occurred)
    return {
        "age_hours": age,
        "quiet_hours": np.fmin(view.hours_since(view.last(log.newest(happened))), age),
        "customer_quiet_hours": np.fmin(view.hours_since(view.last(log.newest(by_customer))), age),
        "agent_quiet_hours": view.hours_since(agent),
        "customer_spoke_last": np.where(agent < 0, 1.0, spoke_last),
        "customer_replies": view.count(by_customer),
        "agent_replies": view.count(by_agent),
        "notes": view.count(log.kind == _NOTE),
        "unanswered_replies": view.count(spoke & by_customer) - asked_before,
        "first_response_hours": np.maximum(hours(view.created, replied), 0.0),
        "updates": view.count(_moments_of(happened, log)),
        "people": view.count(log.first_of_its_kind(happened & (log.side == AGENT), log.actor)),
    }


def _moves(view: View) -> dict[str, np.ndarray]:
    log = view.log
    stands, named = log.standing(QUEUE), is_named(log.first_queue)
    moved = _changed(log, stands, log.first_queue)
    began = _opens(log, stands) & ~named[log.ticket]
    other = (log.track == QUEUE) & (log.value != log.first_queue[log.ticket])
    own, last = named[view.tickets], view.last(moved | began)
    age = np.maximum(hours(view.created, view.moments), 0.0)
    return {
        "assignments": view.count(moved),
        "assignees": view.count(log.first_of_its_kind(log.track == ASSIGNEE, log.value)),
        "queues_visited": view.count(log.first_of_its_kind(other, log.value)) + own,
        "queue_hours": np.where((last < 0) & own, age, view.hours_since(last)),
    }


def _states(view: View) -> dict[str, np.ndarray]:
    log = view.log
    status, level = log.standing(STATUS), log.standing(PRIORITY)
    last, changed, ranked = view.last(status), _changed(log, status), _changed(log, level)
    began = view.last(changed | (_opens(log, status) & (log.number != _NEW)))
    age = np.maximum(hours(view.created, view.moments), 0.0)
    raised = np.where(ranked, log.number - _before(log, level, log.number), 0.0)
    in_each = _spent(view, hours) / HOUR
    return {
        "status": np.where(last >= 0, view.value(last, log.number), float(_NEW)),
        "status_hours": np.where(began >= 0, view.hours_since(began), age),
        "status_changes": view.count(changed),
        **{f"{name}_hours": in_each[:, i] for i, name in enumerate(STATUSES)},
        "reopened": view.count(reopened(log)),
        "priority_level": view.value(view.last(level), log.number),
        "priority_changes": view.count(ranked),
        "priority_raised": view.count(np.nan_to_num(raised)),
        "escalations": view.count(log.kind == _ESCALATED),
    }


def _said(view: View) -> dict[str, np.ndarray]:
    log = view.log
    rated, felt = (log.kind == _RATED) & ~np.isnan(log.number), ~np.isnan(log.words[:, 0])
    signals = np.nan_to_num(log.words[:, 1:])
    return {
        "satisfaction": view.value(view.last(log.newest(rated)), log.number),
        "mood_last": view.value(view.last(log.newest(felt)), log.words[:, 0]),
        "mood_lowest": view.value(view.last(_lowest(log, felt)), log.words[:, 0]),
        **{name: view.count(signals[:, i]) for i, name in enumerate(WORDS[1:])},
    }


def _changed(log: Log, stands: np.ndarray, first: np.ndarray | None = None) -> np.ndarray:
    """Which standing events bring another value than the one before them.

    The first only says how it began, unless the ticket itself (`first`, shape (size,)) has said something else.
    """
    rows, opens = np.flatnonzero(stands), np.flatnonzero(_opens(log, stands))
    changed = np.zeros(len(log), dtype=bool)
    changed[rows[1:]] = log.value[rows[1:]] != log.value[rows[:-1]]
    own = np.full(len(opens), None, dtype=object) if first is None else first[log.ticket[opens]]
    changed[opens] = is_named(own) & (log.value[opens] != own)
    return changed


def _opens(log: Log, stands: np.ndarray) -> np.ndarray:
    """Which standing events are their ticket's first."""
    rows = np.flatnonzero(stands)
    opens = np.zeros(len(log), dtype=bool)
    opens[rows] = np.append(True, log.ticket[rows][1:] != log.ticket[rows][:-1])[: len(rows)]
    return opens


def _before(log: Log, stands: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Number of the standing event before each standing one of the same ticket; nan for the first and all others."""
    rows = np.flatnonzero(stands)
    before = np.full(len(log), np.nan)
    if len(rows) > 1:
        same_ticket = log.ticket[rows][1:] == log.ticket[rows][:-1]
        before[rows[1:]] = np.where(same_ticket, numbers[rows][:-1], np.nan)
    return before


def _first(chosen: np.ndarray, log: Log) -> np.ndarray:
    """Position of each ticket's first chosen event, shape (size,); -1 without."""
    first = np.full(log.size, -1, dtype=np.int64)
    rows = np.flatnonzero(chosen)[::-1]
    first[log.ticket[rows]] = rows
    return first


def _running(chosen: np.ndarray, log: Log) -> np.ndarray:
    """How many chosen events each event's ticket had up to and with it, shape (events,)."""
    sums = np.cumsum(chosen, dtype=np.float64)
    before = np.append(0.0, sums)[log.start[log.ticket]]
    return np.asarray(sums - before)


def _moments_of(chosen: np.ndarray, log: Log) -> np.ndarray:
    """The first of the chosen events at each moment: what is written at once is one update."""
    rows = np.flatnonzero(chosen)
    first = np.zeros(len(log), dtype=bool)
    if len(rows):
        same = (log.ticket[rows][1:] == log.ticket[rows][:-1]) & (log.received[rows][1:] == log.received[rows][:-1])
        first[rows] = np.append(True, ~same)
    return first


def _lowest(log: Log, felt: np.ndarray) -> np.ndarray:
    """Which messages have no better mood than any before them on their ticket."""
    rows = np.flatnonzero(felt)
    lowest = np.zeros(len(log), dtype=bool)
    if len(rows):
        rank = np.unique(-log.words[rows, 0], return_inverse=True)[1].astype(np.int64)
        key = log.ticket[rows] * (int(rank.max()) + 2) + rank
        lowest[rows] = key >= np.maximum.accumulate(key)
    return lowest
