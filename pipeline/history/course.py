"""The course of a ticket up to a moment, from its own events: who spoke last, how long nobody did, where it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.history.log import (
    ASSIGNEE,
    ENDED,
    KINDS,
    NEVER,
    PRIORITY,
    QUEUE,
    SIDES,
    STATUS,
    STATUSES,
    WORDS,
    Log,
)

HOUR = 3_600_000_000
"""Microseconds."""

CUSTOMER, AGENT = SIDES.index("customer"), SIDES.index("agent")
_CREATED, _REPLY, _NOTE = KINDS.index("created"), KINDS.index("reply"), KINDS.index("note")

COURSE = (
    "age_hours", "quiet_hours", "customer_quiet_hours", "agent_quiet_hours", "customer_spoke_last",
    "customer_replies", "agent_replies", "notes", "unanswered_replies", "first_response_hours", "updates", "people",
    "assignments", "assignees", "queues_visited", "queue_hours", "status", "status_hours", "status_changes",
    *(f"{name}_hours" for name in STATUSES), "reopened", "priority_level", "priority_changes", "priority_raised",
    "escalations", "satisfaction", "mood_last", "mood_lowest", *WORDS[1:],
)  # fmt: skip
"""Numbers of a ticket's course, as of a moment. `_hours` are hours; nan: there was no such thing so far."""

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
        """Hours since the event at each position occurred, nan at -1; never below 0."""
        return np.asarray(np.maximum(hours(self.value(position, self.log.occurred), self.moments), 0.0))

    @property
    def created(self) -> np.ndarray:
        """Moment of creation of each row's ticket, nan where it isn't known."""
        moment = self.log.created[self.tickets]
        return np.where(moment == NEVER, np.nan, moment)


def course(view: View) -> dict[str, np.ndarray]:
    """`COURSE` of each row, each of shape (n,), float64; blind to everything that wasn't received before its moment."""
    return _talk(view) | _moves(view) | _states(view) | _said(view)


def columns(view: View, tracked: Sequence[str], counted: Sequence[str]) -> dict[str, np.ndarray]:
    """`PER_COLUMN` of each tracked column, named `COLUMN.changes` and so on; `COLUMN.number` of each counted one."""
    found = {}
    for name in tracked:
        stands = view.log.standing(name)
        changed = _changed(view.log, stands)
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
    log, codes = view.log, [STATUSES.index(s) for s in statuses]
    stands = log.standing(STATUS)
    rows = np.flatnonzero(stands)
    inside = np.isin(log.number[rows], codes)
    lasted = np.zeros(len(log))
    if len(rows):
        follows = np.append(log.ticket[rows][1:] == log.ticket[rows][:-1], False)
        until = np.where(follows, np.roll(log.occurred[rows], -1), log.occurred[rows])
        lasted[rows] = np.where(inside, elapsed(log.occurred[rows], until), 0.0)
    last = view.last(stands)
    before = view.count(lasted) - np.where(last >= 0, view.value(last, lasted), 0.0)
    since = np.where(last >= 0, view.value(last, log.occurred), view.created)
    now = np.where(last >= 0, np.isin(view.value(last, log.number), codes), 0 in codes)
    first = _first(stands, log)[view.tickets]
    opening = np.zeros(len(view.moments))
    if 0 in codes:
        opened = (last >= 0) & (first >= 0) & ~np.isnan(view.created)
        opening[opened] = elapsed(view.created[opened], log.occurred[first[opened]])
    running = np.zeros(len(view.moments))
    live = now.astype(bool) & ~np.isnan(since)
    running[live] = elapsed(since[live], view.moments[live])
    return np.asarray(np.maximum(before, 0.0) + np.maximum(opening, 0.0) + np.maximum(running, 0.0))


def _talk(view: View) -> dict[str, np.ndarray]:
    log = view.log
    spoke = (log.kind == _REPLY) | (log.kind == _NOTE)
    by_customer = (log.kind == _REPLY) & (log.side == CUSTOMER)
    by_agent = (log.kind == _REPLY) & (log.side == AGENT)
    age = np.maximum(hours(view.created, view.moments), 0.0)
    customer, agent = view.last(by_customer), view.last(by_agent)
    customer_quiet = np.fmin(view.hours_since(customer), age)
    agent_quiet = view.hours_since(agent)
    first = _first(by_agent, log)[view.tickets]
    seen = (first >= 0) & (first < view.ends)
    replied = np.where(seen, view.value(np.where(seen, first, -1), log.occurred), np.nan)
    happened = log.kind != _CREATED
    since_agent = view.count(by_customer) - np.where(agent >= 0, _running(by_customer, log)[agent], 0.0)
    strangers = log.first_of_its_kind((log.side == AGENT) & (spoke | happened), log.actor)
    return {
        "age_hours": age,
        "quiet_hours": np.fmin(view.hours_since(view.last(happened)), age),
        "customer_quiet_hours": customer_quiet,
        "agent_quiet_hours": agent_quiet,
        "customer_spoke_last": np.where(agent < 0, 1.0, (customer > agent).astype(np.float64)),
        "customer_replies": view.count(by_customer),
        "agent_replies": view.count(by_agent),
        "notes": view.count(log.kind == _NOTE),
        "unanswered_replies": since_agent,
        "first_response_hours": np.maximum(hours(view.created, replied), 0.0),
        "updates": view.count(_moments_of(happened, log)),
        "people": view.count(strangers),
    }


def _moves(view: View) -> dict[str, np.ndarray]:
    log = view.log
    queue, assignee = log.standing(QUEUE), log.standing(ASSIGNEE)
    moved = _changed(log, queue)
    return {
        "assignments": view.count(moved),
        "assignees": view.count(_changed(log, assignee)),
        "queues_visited": view.count(log.first_of_its_kind(log.track == QUEUE, log.value)),
        "queue_hours": view.hours_since(view.last(moved | (queue & _opens(log, queue)))),
    }


def _states(view: View) -> dict[str, np.ndarray]:
    log = view.log
    status, level = log.standing(STATUS), log.standing(PRIORITY)
    last, ranked = view.last(status), view.last(level)
    age = np.maximum(hours(view.created, view.moments), 0.0)
    changed = _changed(log, status)
    back = changed & ~np.isin(log.number, ENDED) & np.isin(_before(log, status, log.number), ENDED)
    change = np.where(_changed(log, level), log.number - _before(log, level, log.number), 0.0)
    return {
        "status": np.where(last >= 0, view.value(last, log.number), 0.0),
        "status_hours": np.where(last >= 0, view.hours_since(view.last(changed | _opens(log, status))), age),
        "status_changes": view.count(changed),
        **{f"{name}_hours": spent(view, [name]) for name in STATUSES},
        "reopened": view.count(back | (log.kind == KINDS.index("reopened"))),
        "priority_level": view.value(ranked, log.number),
        "priority_changes": view.count(_changed(log, level)),
        "priority_raised": view.count(np.nan_to_num(change)),
        "escalations": view.count(log.kind == KINDS.index("escalated")),
    }


def _said(view: View) -> dict[str, np.ndarray]:
    log = view.log
    satisfied = view.last(log.kind == KINDS.index("satisfaction"))
    felt = ~np.isnan(log.words[:, 0]) if len(log) else np.zeros(0, dtype=bool)
    signals = np.nan_to_num(log.words[:, 1:])
    return {
        "satisfaction": view.value(satisfied, log.number),
        "mood_last": view.value(view.last(felt), log.words[:, 0]),
        "mood_lowest": view.value(view.last(_lowest(log, felt)), log.words[:, 0]),
        **{name: view.count(signals[:, i]) for i, name in enumerate(WORDS[1:])},
    }


def _changed(log: Log, stands: np.ndarray) -> np.ndarray:
    """Which standing events bring another value than the one before; the first only says how it began."""
    rows = np.flatnonzero(stands)
    changed = np.zeros(len(log), dtype=bool)
    if len(rows) > 1:
        same_ticket = log.ticket[rows][1:] == log.ticket[rows][:-1]
        changed[rows[1:]] = same_ticket & (log.value[rows][1:] != log.value[rows][:-1])
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
    """Which messages have a lower mood than all before them on their ticket."""
    rows = np.flatnonzero(felt)
    lowest = np.zeros(len(log), dtype=bool)
    if len(rows):
        rank = np.unique(-log.words[rows, 0], return_inverse=True)[1].astype(np.int64)
        key = log.ticket[rows] * (int(rank.max()) + 2) + rank
        best = np.maximum.accumulate(key)
        lowest[rows] = key > np.append(np.int64(-1), best[:-1])
    return lowest
