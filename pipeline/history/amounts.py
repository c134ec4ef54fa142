"""Amounts: what happened across tickets as dated numbers on keys, and their sums as of a moment.

A key is a customer (`customer:KEY`), a queue (`queue:NAME`) or the whole desk (`desk`). An amount says that at some
moment a fact of a key grew: a ticket came, one was opened or ended, escalated, was answered. Everything that a ticket's
surroundings tell is a sum of amounts before a moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.history.course import AGENT, HOUR, View, queue_at
from pipeline.history.log import ENDED, KINDS, NEVER, QUEUE, STATUS, Log

FACTS = ("tickets", "open", "answered", "escalated", "reopened", "satisfaction", "rated")
"""What is counted: tickets that came, that are open (+1, -1), first replies, escalations, reopenings, ratings' sum and
number."""

COLUMNS = ("key", "fact", "at", "ticket_id", "amount")
DESK, CUSTOMER_KEY, QUEUE_KEY = "desk", "customer:", "queue:"
DAY = 24 * HOUR
_OF = "\x1f"


def no_amounts() -> pd.DataFrame:
    """A frame of amounts without any."""
    kinds = {"key": "object", "fact": "int8", "at": "int64", "ticket_id": "object", "amount": "float64"}
    return pd.DataFrame({name: pd.Series(dtype=kinds[name]) for name in COLUMNS})


def amounts_of(log: Log, ticket_ids: np.ndarray, customers: np.ndarray) -> pd.DataFrame:
    """Amounts that the log's tickets add to their customers, their queues and the desk.

    Parameters
    ----------
    ticket_ids, customers : ndarray of object, shape (log.size,)
        Id of each ticket, and the key of its customer (None: nobody knows who it is).

    Returns
    -------
    DataFrame
        `COLUMNS`; `at` is when the helpdesk knew it, in microseconds, `fact` a position in `FACTS`.
    """
    dated = np.flatnonzero(log.created != NEVER)
    moved = _moves(log, dated)
    own = [
        (dated, log.created[dated], "tickets", 1.0),
        (moved.ticket[moved.desk], moved.at[moved.desk], "open", moved.amount[moved.desk]),
        *_happenings(log),
    ]
    parts = []
    for tickets, at, fact, amount in own:
        named = np.array([c is not None for c in customers[tickets]], dtype=bool)
        keys = np.array([CUSTOMER_KEY + c for c in customers[tickets][named]], dtype=object)
        parts.append(_frame(keys, fact, at[named], ticket_ids[tickets[named]], np.broadcast_to(amount, len(at))[named]))
        if fact in ("tickets", "open", "answered"):
            parts.append(_frame(np.full(len(at), DESK, dtype=object), fact, at, ticket_ids[tickets], amount))
    lies = ~moved.desk
    keys = np.array([QUEUE_KEY + q for q in moved.queue[lies]], dtype=object)
    parts.append(_frame(keys, "open", moved.at[lies], ticket_ids[moved.ticket[lies]], moved.amount[lies]))
    came = lies & moved.came
    keys = np.array([QUEUE_KEY + q for q in moved.queue[came]], dtype=object)
    parts.append(_frame(keys, "tickets", moved.at[came], ticket_ids[moved.ticket[came]], 1.0))
    return pd.concat([p for p in parts if len(p)] or [no_amounts()], ignore_index=True)


def outcome_amounts(ticket_ids: np.ndarray, customers: np.ndarray, known_at: np.ndarray) -> pd.DataFrame:
    """Escalations by an outcome's definition: one amount a ticket of a known customer, from when it was known."""
    named = np.array([c is not None for c in customers], dtype=bool) & (known_at != NEVER)
    keys = np.array([CUSTOMER_KEY + c for c in customers[named]], dtype=object)
    return _frame(keys, "escalated", known_at[named], ticket_ids[named], 1.0)


@dataclass(frozen=True)
class Tallies:
    """Sums of amounts by key and fact before any moment.

    Attributes
    ----------
    keys : dict
        Key → code.
    marks : ndarray of int64
        All moments, rising.
    place : ndarray of int64, shape (n,)
        (key, fact, moment) of each amount as one rising number.
    sums : ndarray, shape (n + 1,)
        Running sum of the amounts.
    at : ndarray of int64, shape (n,)
    """

    keys: dict[str, int]
    marks: np.ndarray
    place: np.ndarray
    sums: np.ndarray
    at: np.ndarray

    @classmethod
    def of(cls, amounts: pd.DataFrame) -> Tallies:
        """Sort the amounts."""
        codes, names = pd.factorize(amounts["key"], sort=True)
        at, amount = amounts["at"].to_numpy(np.int64), amounts["amount"].to_numpy(np.float64)
        marks = np.unique(at)
        place = (codes.astype(np.int64) * len(FACTS) + amounts["fact"].to_numpy()) * (len(marks) + 1)
        place = place + np.searchsorted(marks, at)
        order = np.argsort(place, kind="stable")
        sums = np.append(0.0, np.cumsum(amount[order]))
        return cls({str(k): i for i, k in enumerate(names)}, marks, place[order], sums, at[order])

    def codes(self, keys: Sequence[str] | np.ndarray) -> np.ndarray:
        """Code of each key; -1 where nothing is known of it."""
        return np.array([self.keys.get(k, -1) for k in keys], dtype=np.int64)

    def total(self, codes: np.ndarray, fact: str, moments: np.ndarray) -> np.ndarray:
        """Sum of a fact's amounts before each moment, shape (n,)."""
        return np.asarray(self.sums[self._end(codes, fact, moments)] - self.sums[self._start(codes, fact)])

    def within(self, codes: np.ndarray, fact: str, moments: np.ndarray, span: int) -> np.ndarray:
        """Sum of a fact's amounts in the `span` microseconds before each moment."""
        begin, end = self._end(codes, fact, moments - span), self._end(codes, fact, moments)
        return np.asarray(self.sums[end] - self.sums[begin])

    def latest(self, codes: np.ndarray, fact: str, moments: np.ndarray) -> np.ndarray:
        """Moment of the last amount of a fact before each moment; nan where there was none."""
        end, start = self._end(codes, fact, moments), self._start(codes, fact)
        if len(self.at) == 0:
            return np.full(len(codes), np.nan)
        return np.asarray(np.where(end > start, self.at[np.maximum(end - 1, 0)], np.nan))

    def _start(self, codes: np.ndarray, fact: str) -> np.ndarray:
        return np.asarray(np.searchsorted(self.place, (codes * len(FACTS) + FACTS.index(fact)) * (len(self.marks) + 1)))

    def _end(self, codes: np.ndarray, fact: str, moments: np.ndarray) -> np.ndarray:
        base = (codes * len(FACTS) + FACTS.index(fact)) * (len(self.marks) + 1)
        end = np.searchsorted(self.place, base + np.searchsorted(self.marks, moments))
        return np.asarray(np.maximum(end, self._start(codes, fact)))


@dataclass(frozen=True)
class Others:
    """Sums of amounts that other tickets than a row's own have added: no ticket is part of its own surroundings.

    Attributes
    ----------
    all, own : Tallies
        Of all amounts, and of those of the rows' tickets under a key of each ticket's own.
    tickets : ndarray of object, shape (n,)
        Id of each row's ticket.
    """

    all: Tallies
    own: Tallies
    tickets: np.ndarray

    @classmethod
    def of(cls, amounts: pd.DataFrame, tickets: np.ndarray) -> Others:
        """Amounts as seen by rows of some tickets."""
        own = amounts[amounts["ticket_id"].isin(tickets).to_numpy(bool)]
        return cls(Tallies.of(amounts), Tallies.of(own.assign(key=own["key"] + _OF + own["ticket_id"])), tickets)

    def sums(
        self, keys: np.ndarray, rows: np.ndarray, fact: str, moments: np.ndarray, days: int | None = None
    ) -> np.ndarray:
        """Sum of a fact on each key before each moment, over some days or over all time; shape of `keys`.

        Parameters
        ----------
        rows : ndarray of int
            Row that each key is asked for.
        """
        mine = np.array([f"{k}{_OF}{t}" for k, t in zip(keys, self.tickets[rows], strict=True)], dtype=object)
        total = np.zeros(len(keys))
        for sign, tallies, names in ((1.0, self.all, keys), (-1.0, self.own, mine)):
            codes = tallies.codes(names)
            if days is None:
                total += sign * tallies.total(codes, fact, moments)
            else:
                total += sign * tallies.within(codes, fact, moments, days * DAY)
        return total


@dataclass(frozen=True)
class _Moves:
    """Tickets that began or ceased to be open, on the desk and in queues; arrays of shape (m,)."""

    ticket: np.ndarray
    at: np.ndarray
    queue: np.ndarray
    amount: np.ndarray
    desk: np.ndarray
    came: np.ndarray


def _moves(log: Log, dated: np.ndarray) -> _Moves:
    """Every change of "open, and in this queue", as seen when it was received."""
    steps = np.flatnonzero(log.standing(STATUS) | log.standing(QUEUE))
    steps = steps[log.created[log.ticket[steps]] != NEVER]
    ticket = log.ticket[steps]
    open_now, queue_now = _state(log, ticket, steps + 1)
    open_then, queue_then = _state(log, ticket, steps)
    at = np.maximum(log.received[steps], log.created[ticket])
    born = _Moves(
        dated, log.created[dated], log.first_queue[dated], np.ones(len(dated)),
        np.ones(len(dated), dtype=bool), np.zeros(len(dated), dtype=bool),
    )  # fmt: skip
    first = np.array([q is not None for q in born.queue], dtype=bool)
    other = queue_now != queue_then
    left = open_then & (other | ~open_now) & np.array([q is not None for q in queue_then], dtype=bool)
    entered = open_now & (other | ~open_then) & np.array([q is not None for q in queue_now], dtype=bool)
    turned = open_now != open_then
    parts = [
        born,
        _Moves(
            dated[first], born.at[first], born.queue[first], np.ones(first.sum()), ~first[first],
            np.ones(first.sum(), dtype=bool),
        ),
        _part(ticket[turned], at[turned], queue_now[turned], np.where(open_now[turned], 1.0, -1.0), True, None),
        _part(ticket[left], at[left], queue_then[left], np.full(left.sum(), -1.0), False, None),
        _part(ticket[entered], at[entered], queue_now[entered], np.ones(entered.sum()), False, other[entered]),
    ]  # fmt: skip
    names = ("ticket", "at", "queue", "amount", "desk", "came")
    return _Moves(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))


def _part(
    ticket: np.ndarray, at: np.ndarray, queue: np.ndarray, amount: np.ndarray, desk: bool, came: np.ndarray | None
) -> _Moves:
    none = np.zeros(len(ticket), dtype=bool)
    return _Moves(ticket, at, queue, amount, np.full(len(ticket), desk), none if came is None else came)


def _state(log: Log, tickets: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether tickets are open, and in which queue, given where what is seen of them ends."""
    view = View(log, tickets, np.zeros(len(tickets), dtype=np.int64), ends)
    status = view.value(view.last(log.standing(STATUS)), log.number)
    return ~np.isin(status, ENDED), queue_at(view)


def _happenings(log: Log) -> list[tuple[np.ndarray, np.ndarray, str, np.ndarray | float]]:
    """First replies, escalations, reopenings and ratings: ticket, when it was known, fact, amount."""
    reply = np.flatnonzero((log.kind == KINDS.index("reply")) & (log.side == AGENT))
    first = reply[np.unique(log.ticket[reply], return_index=True)[1]] if len(reply) else reply
    escalated = np.flatnonzero(log.kind == KINDS.index("escalated"))
    rated = np.flatnonzero((log.kind == KINDS.index("satisfaction")) & ~np.isnan(log.number))
    status = log.standing(STATUS)
    rows = np.flatnonzero(status)
    back = np.zeros(len(rows), dtype=bool)
    if len(rows) > 1:
        same = log.ticket[rows][1:] == log.ticket[rows][:-1]
        back[1:] = same & ~np.isin(log.number[rows][1:], ENDED) & np.isin(log.number[rows][:-1], ENDED)
    reopened = np.sort(np.concatenate([rows[back], np.flatnonzero(log.kind == KINDS.index("reopened"))]))
    return [
        (log.ticket[first], log.received[first], "answered", 1.0),
        (log.ticket[escalated], log.received[escalated], "escalated", 1.0),
        (log.ticket[reopened], log.received[reopened], "reopened", 1.0),
        (log.ticket[rated], log.received[rated], "satisfaction", log.number[rated]),
        (log.ticket[rated], log.received[rated], "rated", 1.0),
    ]


def _frame(
    keys: np.ndarray, fact: str, at: np.ndarray, ticket_ids: np.ndarray, amount: np.ndarray | float
) -> pd.DataFrame:
    count = len(keys)
    return pd.DataFrame(
        {
            "key": keys,
            "fact": np.full(count, FACTS.index(fact), dtype=np.int8),
            "at": np.asarray(at, dtype=np.int64),
            "ticket_id": ticket_ids,
            "amount": np.broadcast_to(np.asarray(amount, dtype=np.float64), count),
        }
    )
