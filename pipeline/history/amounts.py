"""Amounts: what happened across tickets as dated numbers on keys, and their sums as of a moment.

A key is a customer (`customer:KEY`), a customer's contact reason (`reason:KEY CODE`), a queue (`queue:NAME`) or the
whole desk (`desk`). An amount says that at some
moment a fact of a key grew: a ticket came, one was opened or ended, escalated, was answered. Everything that a ticket's
surroundings tell is a sum of amounts before a moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.history.course import AGENT, View, ended_at, queue_at, reopened
from pipeline.history.log import DAY, KINDS, NEVER, QUEUE, STATUS, Columns, Log, distinct, is_named, objects, sought

FACTS = ("tickets", "open", "answered", "escalated", "reopened", "satisfaction", "rated")
"""What is counted: tickets that came, that are open (+1, -1), first replies, escalations, reopenings, ratings' sum and
number."""

REASON_FACTS = ("tickets", "open")
"""What is counted of a customer's tickets for one contact reason."""

COLUMNS = ("key", "fact", "at", "ticket_id", "amount")
DESK, CUSTOMER_KEY, QUEUE_KEY, REASON_KEY = "desk", "customer:", "queue:", "reason:"
_OF = "\x1f"
_RATING_STEP = 2.0**-20  # ratings are rounded to it: so their sums are exact, in whatever order they are added

Arrays = dict[str, np.ndarray]

Codes = tuple[np.ndarray, np.ndarray]
"""Keys as rows ask for them: their codes among all amounts, and among those of the row's own ticket."""


def no_amounts() -> pd.DataFrame:
    """A frame of amounts without any."""
    return _frame(_joined_parts([], np.zeros(0, dtype=object)))


def reason_key(customer: str, reason: str) -> str:
    """Key of a customer's tickets for one contact reason; no key of a customer holds a space."""
    return f"{REASON_KEY}{customer} {reason}"


def amounts_of(
    log: Log, ticket_ids: np.ndarray, customers: np.ndarray, reasons: np.ndarray | None = None
) -> pd.DataFrame:
    """Amounts that the log's tickets add to their customers, their queues and the desk.

    Parameters
    ----------
    ticket_ids, customers : ndarray of object, shape (log.size,)
        Id of each ticket, and the key of its customer (None: nobody knows who it is).
    reasons : ndarray of object, shape (log.size,), optional
        Code of each ticket's contact reason (None: nobody says one).

    Returns
    -------
    DataFrame
        `COLUMNS`; `at` is when the helpdesk knew it, in microseconds, `fact` a position in `FACTS`.
    """
    return _frame(amount_columns(log, ticket_ids, customers, reasons))


def amount_columns(
    log: Log, ticket_ids: np.ndarray, customers: np.ndarray, reasons: np.ndarray | None = None
) -> Arrays:
    """`amounts_of` as arrays: a ticket's own are few, and no frame is needed to store them."""
    steps, of_customer = _steps(log), _customer_keys(customers)
    lives, happenings = [*_lives(log, steps)], [*_happenings(log)]
    parts = [part._replace(keys=np.full(len(part.tickets), DESK, dtype=object)) for part in lives]
    parts += [part._replace(keys=of_customer[part.tickets]) for part in [*lives, *happenings]]
    if reasons is not None:
        of_reason = _reason_keys(customers, reasons)
        parts += [part._replace(keys=of_reason[part.tickets]) for part in lives if part.fact in REASON_FACTS]
    return _joined_parts([*parts, *_stays(steps)], ticket_ids)


def outcome_amounts(ticket_ids: np.ndarray, customers: np.ndarray, known_at: np.ndarray) -> pd.DataFrame:
    """The amounts of escalations by an outcome's definition."""
    return _frame(outcome_columns(ticket_ids, customers, known_at))


def outcome_columns(ticket_ids: np.ndarray, customers: np.ndarray, known_at: np.ndarray) -> Arrays:
    """Escalations by an outcome's definition: one amount a ticket of a known customer, from when it was first known."""
    dated = np.flatnonzero(known_at != NEVER)
    order = dated[np.argsort(known_at[dated], kind="stable")]
    once = order[np.unique(pd.factorize(ticket_ids[order])[0], return_index=True)[1]]
    part = _Part("escalated", once, known_at[once], 1.0, _customer_keys(customers)[once])
    return _joined_parts([part], ticket_ids)


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
        return cls._sorted(objects(amounts["key"]), *_numbers(amounts))

    @classmethod
    def _sorted(cls, keys: np.ndarray, fact: np.ndarray, at: np.ndarray, amount: np.ndarray) -> Tallies:
        codes, names = pd.factorize(keys)
        marks = distinct(at)
        place = (codes.astype(np.int64) * len(FACTS) + fact) * (len(marks) + 1) + sought(marks, at)
        order = np.argsort(place, kind="stable")
        sums = np.append(0.0, np.cumsum(amount[order]))
        return cls({key: code for code, key in enumerate(names.tolist())}, marks, place[order], sums, at[order])

    def codes(self, keys: Sequence[str] | np.ndarray) -> np.ndarray:
        """Code of each key; -1 where nothing is known of it."""
        return np.array([self.keys.get(key, -1) for key in keys], dtype=np.int64)

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
        return sought(self.place, (codes * len(FACTS) + FACTS.index(fact)) * (len(self.marks) + 1))

    def _end(self, codes: np.ndarray, fact: str, moments: np.ndarray) -> np.ndarray:
        base = (codes * len(FACTS) + FACTS.index(fact)) * (len(self.marks) + 1)
        return sought(self.place, base + sought(self.marks, moments))


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
    def of(cls, amounts: pd.DataFrame | Columns, tickets: np.ndarray) -> Others:
        """Amounts (`COLUMNS`) as seen by rows of some tickets."""
        keys, of, asked = objects(amounts["key"]), objects(amounts["ticket_id"]), set(tickets.tolist())
        mine = np.array([ticket in asked for ticket in of.tolist()], dtype=bool)
        numbers = _numbers(amounts)
        own = Tallies._sorted(_joined(keys[mine], of[mine]), *(values[mine] for values in numbers))
        return cls(Tallies._sorted(keys, *numbers), own, tickets)

    def codes(self, keys: np.ndarray, rows: np.ndarray) -> Codes:
        """What `total` is asked with.

        Parameters
        ----------
        keys : ndarray of object, shape (m,)
        rows : ndarray of int, shape (m,)
            Row that each key is asked for.
        """
        return self.all.codes(keys.tolist()), self.own.codes(_joined(keys, self.tickets[rows]).tolist())

    def total(self, codes: Codes, fact: str, moments: np.ndarray, days: int | None = None) -> np.ndarray:
        """Sum of a fact on each key before each moment, over some days or over all time; shape (m,)."""
        every, own = codes
        if days is None:
            return np.asarray(self.all.total(every, fact, moments) - self.own.total(own, fact, moments))
        span = days * DAY
        return np.asarray(self.all.within(every, fact, moments, span) - self.own.within(own, fact, moments, span))

    def sums(
        self, keys: np.ndarray, rows: np.ndarray, fact: str, moments: np.ndarray, days: int | None = None
    ) -> np.ndarray:
        """The same by the keys themselves."""
        return self.total(self.codes(keys, rows), fact, moments, days)


class _Part(NamedTuple):
    """Amounts of one fact: positions of the tickets, moments, how much, and keys (None: nobody's, to be left out)."""

    fact: str
    tickets: np.ndarray
    at: np.ndarray
    amount: np.ndarray | float
    keys: np.ndarray | None = None


class _Steps(NamedTuple):
    """How tickets came, were opened or ended, and moved between queues, as seen when it was received; shape (m,)."""

    ticket: np.ndarray
    at: np.ndarray
    came: np.ndarray
    open_then: np.ndarray
    open_now: np.ndarray
    queue_then: np.ndarray
    queue_now: np.ndarray


def _steps(log: Log) -> _Steps:
    """Every change of "open, and in this queue"; what was received before a ticket came is known when it comes."""
    born = np.flatnonzero(log.created != NEVER)
    events = np.flatnonzero(log.standing(STATUS) | log.standing(QUEUE))
    events = events[log.created[log.ticket[events]] != NEVER]
    ticket, count = log.ticket[events], len(born)
    open_then, queue_then = _state(log, ticket, events)
    open_now, queue_now = _state(log, ticket, events + 1)
    return _Steps(
        ticket=np.append(born, ticket),
        at=np.append(log.created[born], _known_at(log, events)),
        came=np.append(np.ones(count, dtype=bool), np.zeros(len(events), dtype=bool)),
        open_then=np.append(np.zeros(count, dtype=bool), open_then),
        open_now=np.append(np.ones(count, dtype=bool), open_now),
        queue_then=np.append(np.full(count, None, dtype=object), queue_then),
        queue_now=np.append(log.first_queue[born], queue_now),
    )


def _state(log: Log, tickets: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether tickets are open, and in which queue, given where what is seen of them ends."""
    view = View(log, tickets, np.zeros(len(tickets), dtype=np.int64), ends)
    return ~ended_at(view), queue_at(view)


def _known_at(log: Log, events: np.ndarray) -> np.ndarray:
    """When the helpdesk knew of events of tickets that were there."""
    return np.asarray(np.maximum(log.received[events], log.created[log.ticket[events]]))


def _lives(log: Log, steps: _Steps) -> Iterator[_Part]:
    """What is counted of customers and of the desk: tickets that came, that are open, that were answered."""
    yield _Part("tickets", steps.ticket[steps.came], steps.at[steps.came], 1.0)
    turned = steps.open_now != steps.open_then
    yield _Part("open", steps.ticket[turned], steps.at[turned], np.where(steps.open_now[turned], 1.0, -1.0))
    replies = np.flatnonzero((log.kind == KINDS.index("reply")) & (log.side == AGENT))
    replies = replies[log.created[log.ticket[replies]] != NEVER]
    first = replies[np.unique(log.ticket[replies], return_index=True)[1]]
    yield _Part("answered", log.ticket[first], _known_at(log, first), 1.0)


def _stays(steps: _Steps) -> Iterator[_Part]:
    """Open tickets that came into queues and left them."""
    moved = steps.queue_now != steps.queue_then
    left = steps.open_then & (moved | ~steps.open_now) & is_named(steps.queue_then)
    entered = steps.open_now & (moved | ~steps.open_then) & is_named(steps.queue_now)
    for fact, chosen, queues, amount in (
        ("open", left, steps.queue_then, -1.0),
        ("open", entered, steps.queue_now, 1.0),
        ("tickets", entered & moved, steps.queue_now, 1.0),
    ):
        keys = np.array([QUEUE_KEY + q for q in queues[chosen].tolist()], dtype=object)
        yield _Part(fact, steps.ticket[chosen], steps.at[chosen], amount, keys)


def _happenings(log: Log) -> Iterator[_Part]:
    """What is counted of customers alone: escalations, reopenings and ratings."""
    rated = (log.kind == KINDS.index("satisfaction")) & ~np.isnan(log.number)
    rating = np.rint(log.number[rated] / _RATING_STEP) * _RATING_STEP
    for fact, chosen, amount in (
        ("escalated", log.kind == KINDS.index("escalated"), 1.0),
        ("reopened", reopened(log), 1.0),
        ("satisfaction", rated, rating),
        ("rated", rated, 1.0),
    ):
        yield _Part(fact, log.ticket[chosen], log.received[chosen], amount)


def _joined(keys: np.ndarray, tickets: np.ndarray) -> np.ndarray:
    """A key of each ticket's own."""
    pairs = zip(keys.tolist(), tickets.tolist(), strict=True)
    return np.array([f"{key}{_OF}{ticket}" for key, ticket in pairs], dtype=object)


def _numbers(amounts: pd.DataFrame | Columns) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fact, moment and amount."""
    fact, at = (np.asarray(amounts[name], dtype=np.int64) for name in ("fact", "at"))
    return fact, at, np.asarray(amounts["amount"], dtype=np.float64)


def _customer_keys(customers: np.ndarray) -> np.ndarray:
    return np.array([None if c is None else CUSTOMER_KEY + c for c in customers.tolist()], dtype=object)


def _reason_keys(customers: np.ndarray, reasons: np.ndarray) -> np.ndarray:
    pairs = zip(customers.tolist(), reasons.tolist(), strict=True)
    return np.array([None if c is None or r is None else reason_key(c, r) for c, r in pairs], dtype=object)


def _joined_parts(parts: Sequence[_Part], ticket_ids: np.ndarray) -> Arrays:
    """`COLUMNS` of parts, without the amounts of nobody."""
    none, whole = np.zeros(0, dtype=object), np.zeros(0, dtype=np.int64)
    keys = np.concatenate([none, *(p.keys for p in parts if p.keys is not None)])
    named, counts = is_named(keys), [len(p.tickets) for p in parts]
    facts = np.repeat(np.array([FACTS.index(p.fact) for p in parts], dtype=np.int8), counts)
    at = np.concatenate([whole, *(p.at for p in parts)])
    amount = np.concatenate([np.zeros(0), *(np.broadcast_to(p.amount, len(p.tickets)) for p in parts)])
    tickets = ticket_ids[np.concatenate([whole, *(p.tickets for p in parts)])]
    return dict(zip(COLUMNS, (keys[named], facts[named], at[named], tickets[named], amount[named]), strict=True))


def _frame(amounts: Arrays) -> pd.DataFrame:
    texts = {name: pd.Series(amounts[name], dtype="str") for name in ("key", "ticket_id")}
    return pd.DataFrame({**amounts, **texts})
