"""What was known of a ticket and its surroundings as of a moment, as numbers: course, customer, queue, clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from pipeline.artifact import State
from pipeline.config import History as CustomerSettings
from pipeline.config import Sla
from pipeline.history.amounts import CUSTOMER_KEY, DESK, QUEUE_KEY, Codes, Others, reason_key
from pipeline.history.calendar import Calendar
from pipeline.history.course import COURSE, PER_COLUMN, View, columns, course, ended_at, hours, queue_at, spent
from pipeline.history.identity import Identities
from pipeline.history.keys import keys_each
from pipeline.history.log import NEVER, WORDS, is_named, log_of, moments, objects
from pipeline.history.reasons import QUEUE, REASON, reasons_of
from pipeline.history.record import DatedFacts, message_words
from pipeline.history.targets import Targets
from pipeline.tickets.schema import FIELD_PREFIX

MESSAGE = tuple(f"first_{name}" for name in WORDS)
"""What the ticket's own words give away; known without any history."""

CLOCK = ("first_response_hours_left", "resolution_hours_left")
"""Business hours until the desk's targets; below 0 when they are missed, nan without a target or when it is met."""

SPANS = (1, 7, 30, 90, 365)
"""Days over which a customer's earlier tickets are counted."""

CUSTOMER = (
    *(f"customer_tickets_{days}d" for days in SPANS), "customer_tickets", "customer_open", "customer_hours_since",
    "customer_escalated", "customer_reopened", "customer_unanswered", "customer_satisfaction",
    "customer_escalated_share", "customer_reopened_share", "customer_unanswered_share",
)  # fmt: skip
"""Of the customer's other tickets; nan where nobody knows who the customer is."""

REASON_SPANS = (7, 30)
"""Days over which a customer's earlier tickets for the same contact reason are counted."""

SAME_REASON = (
    *(f"same_reason_tickets_{days}d" for days in REASON_SPANS), "same_reason_tickets", "same_reason_open",
    "same_reason_hours_since",
)  # fmt: skip
"""Of the customer's other tickets for the reason of this one; nan where nobody knows the customer or the reason."""

LOAD = (
    "queue", "queue_open", "queue_tickets_1d", "queue_tickets_7d", "desk_open", "desk_tickets_1d", "desk_unanswered",
    "desk_unanswered_7d",
)  # fmt: skip
"""Of other tickets in the queue in which the ticket lies, and of the whole desk; `queue` is its place in `queues`."""

GROWING = (
    "customer_tickets", "customer_escalated", "customer_reopened", "customer_unanswered", "same_reason_tickets",
    "desk_unanswered",
)  # fmt: skip
"""Numbers that only grow as a history gets longer: a model that learned from them would find every later day odd."""


_AT_ONCE = 4_096
"""So many rows are filled in column by column: as many as lie in a cache."""

_NAMELESS = "\x1f"  # begins the ids of rows that have none: nobody else's


@dataclass(frozen=True)
class AsOf:
    """What is looked at, and by which settings: the same in training and in service.

    Attributes
    ----------
    tracked, counted : tuple of str
        Source columns whose changes are looked at, and those of them whose numbers are.
    levels : tuple of str
        Priority levels, least urgent first.
    sla : Sla
        The desk's hours and targets.
    customers : CustomerSettings
        Who counts as one customer, and what says what their tickets are about.
    queue : str or None
        Column of tickets that names their first queue.
    queues : tuple of str
        Queues that are told apart.
    """

    tracked: tuple[str, ...] = ()
    counted: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    sla: Sla = field(default_factory=Sla)
    customers: CustomerSettings = field(default_factory=CustomerSettings)
    queue: str | None = None
    queues: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each number, in order."""
        own = [f"{c}.number" for c in self.counted] + [f"{c}.{n}" for c in self.tracked for n in PER_COLUMN]
        reason = SAME_REASON if self.customers.contact_reason is not None else ()
        return (*MESSAGE, *CLOCK, *COURSE, *own, *CUSTOMER, *reason, *LOAD)

    def look(self, tickets: pd.DataFrame, history: DatedFacts | None) -> np.ndarray:
        """The numbers of each ticket as of its `as_of`, or its creation where it has none.

        Parameters
        ----------
        tickets : DataFrame, n rows
            Parsed tickets (`tickets.parse`), with `as_of` or without; a ticket may stand there at several moments.
        history : DatedFacts or None
            None: nothing is known but the ticket itself; everything that needs a history is nan then.

        Returns
        -------
        ndarray of float32, shape (n, len(names))
            nan: not known, or no such thing so far.
        """
        at = moments(tickets["created_at"])
        if "as_of" in tickets:
            given = moments(tickets["as_of"])
            at = np.where(given == NEVER, at, given)
        words = message_words(objects(tickets["text"]).tolist(), objects(tickets["language"]).tolist())
        known = dict(zip(MESSAGE, words.T, strict=True))
        if history is not None:
            known |= self._known(tickets, at, history)
        table = np.full((len(tickets), len(self.names)), np.nan, dtype=np.float32)
        for begin in range(0, len(table), _AT_ONCE):
            for j, name in enumerate(self.names):
                if name in known:
                    table[begin : begin + _AT_ONCE, j] = known[name][begin : begin + _AT_ONCE]
        table[at == NEVER, len(MESSAGE) :] = np.nan
        return table

    def state(self) -> State:
        """What is stored; the settings stand elsewhere in a scorer."""
        named = {n: list(getattr(self, n)) for n in ("tracked", "counted", "levels")}
        return named | {"queue": self.queue, "queues": list(self.queues)}

    @classmethod
    def from_state(cls, state: State, *, sla: Sla, customers: CustomerSettings) -> AsOf:
        """The stored one again."""
        tracked, counted, levels = (tuple(state[n]) for n in ("tracked", "counted", "levels"))
        return cls(tracked, counted, levels, sla, customers, state["queue"], tuple(state["queues"]))

    def _known(self, tickets: pd.DataFrame, at: np.ndarray, history: DatedFacts) -> dict[str, np.ndarray]:
        ids, first, place = _each_once(tickets)
        one = tickets if len(first) == len(tickets) and (place == np.arange(len(place))).all() else tickets.iloc[first]
        own = _as_known(one, ids, history.tickets, self.queue, self.customers)
        log = log_of(own, history.events, self.levels)
        view = View.of(log, place, at)
        found = course(view) | self._columns(view, one)
        found |= self._clock(view, found)
        others = Others.of(history.amounts, ids[place])
        identities = Identities.build(history.links, self.customers)
        named, more = (objects(own[name]).tolist() for name in ("customer_id", "customer_keys"))
        keys = keys_each(named, more, self.customers)
        together = identities.together([keys[p] for p in place], at)
        found |= _customer(together, view, others) | _load(view, others)
        if REASON in own:
            found |= _same_reason(together, view, others, objects(own[REASON])[place])
        code = {name: float(i) for i, name in enumerate(self.queues)}
        return found | {"queue": np.array([code.get(q, np.nan) for q in queue_at(view).tolist()])}

    def _columns(self, view: View, tickets: pd.DataFrame) -> dict[str, np.ndarray]:
        happened = set(view.log.track.tolist())
        first = {c: f"{FIELD_PREFIX}{c}" for c in self.tracked if c in happened}
        said = {column: objects(tickets[name]) for column, name in first.items() if name in tickets}
        return columns(view, self.tracked, self.counted, first=said)

    @cached_property
    def _promised(self) -> tuple[Targets, Calendar]:
        return Targets.of(self.sla), Calendar.of(self.sla)

    def _clock(self, view: View, found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if not self.sla.first_response and not self.sla.resolution:
            return {}
        targets, calendar = self._promised
        rank = found["priority_level"]
        levels = np.array([None if np.isnan(r) else self.levels[int(r)] for r in rank], dtype=object)
        passed = np.maximum(calendar.elapsed(view.log.created[view.tickets], view.moments), 0.0)
        due = targets.first_response_hours(levels) - passed
        waited = passed - spent(view, sorted(targets.paused), calendar.elapsed)
        left = targets.resolution_hours(levels) - waited
        answered, ended = ~np.isnan(found["first_response_hours"]), ended_at(view)
        return dict(zip(CLOCK, (np.where(answered, np.nan, due), np.where(ended, np.nan, left)), strict=True))


def _customer(together: pd.DataFrame, view: View, others: Others) -> dict[str, np.ndarray]:
    """Sums over all keys of each row's customer.

    Parameters
    ----------
    together : DataFrame
        `row` and `key`; a row that isn't there has an unknown customer.
    """
    row, n = together["row"].to_numpy(np.int64), len(view.moments)
    keys = np.array([CUSTOMER_KEY + key for key in together["key"].tolist()], dtype=object)
    codes, at = others.codes(keys, row), view.moments[row]
    unknown = np.bincount(row, minlength=n) == 0

    def total(fact: str) -> np.ndarray:
        return np.bincount(row, others.total(codes, fact, at), minlength=n)

    rated, earlier = total("rated"), _earlier(codes, row, view, others, SPANS)
    came = earlier["tickets"]
    satisfaction = np.divide(total("satisfaction"), rated, out=np.full(n, np.nan), where=rated > 0)
    found = {f"customer_{name}": values for name, values in earlier.items()} | {
        "customer_escalated": total("escalated"),
        "customer_reopened": total("reopened"),
        "customer_unanswered": came - total("answered"),
        "customer_satisfaction": satisfaction,
    }
    for name in ("escalated", "reopened", "unanswered"):
        share = np.divide(found[f"customer_{name}"], came, out=np.full(n, np.nan), where=came > 0)
        found[f"customer_{name}_share"] = share
    return {name: np.where(unknown, np.nan, values) for name, values in found.items()}


def _same_reason(together: pd.DataFrame, view: View, others: Others, reasons: np.ndarray) -> dict[str, np.ndarray]:
    """The same of tickets for the reason of each row.

    Parameters
    ----------
    reasons : ndarray of object, shape (n,)
        Code of each row's reason, or None.
    """
    named = is_named(reasons)[together["row"].to_numpy(np.int64)]
    row = together["row"].to_numpy(np.int64)[named]
    pairs = zip(together["key"].to_numpy(dtype=object)[named].tolist(), reasons[row].tolist(), strict=True)
    keys = np.array([reason_key(key, reason) for key, reason in pairs], dtype=object)
    earlier = _earlier(others.codes(keys, row), row, view, others, REASON_SPANS)
    unknown = np.bincount(row, minlength=len(view.moments)) == 0
    return {f"same_reason_{name}": np.where(unknown, np.nan, values) for name, values in earlier.items()}


def _earlier(
    codes: Codes, row: np.ndarray, view: View, others: Others, spans: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """Other tickets on the keys of each row: how many came, how many are open, hours since the last before it."""
    at, n = view.moments[row], len(view.moments)
    created = view.log.created[view.tickets]
    born = np.where(created == NEVER, view.moments, np.minimum(created, view.moments))[row]
    known = others.own.latest(codes[1], "tickets", at)  # its own coming, which may be known as an earlier one
    latest = others.all.latest(codes[0], "tickets", np.fmin(born, known).astype(np.int64))
    newest = np.full(n, -np.inf)
    np.maximum.at(newest, row, np.where(np.isnan(latest), -np.inf, latest))
    counted = {f"tickets_{days}d": others.total(codes, "tickets", at, days) for days in spans}
    counted |= {"tickets": others.total(codes, "tickets", at), "open": others.total(codes, "open", at)}
    found = {name: np.bincount(row, values, minlength=n) for name, values in counted.items()}
    return found | {"hours_since": np.where(np.isinf(newest), np.nan, hours(newest, view.moments))}


def _load(view: View, others: Others) -> dict[str, np.ndarray]:
    queues, at, rows = queue_at(view), view.moments, np.arange(len(view.moments))
    named = is_named(queues)
    queue = others.codes(np.array([f"{QUEUE_KEY}{q}" for q in queues.tolist()], dtype=object), rows)
    desk = others.codes(np.full(len(rows), DESK, dtype=object), rows)
    of_queue = {
        "queue_open": others.total(queue, "open", at),
        "queue_tickets_1d": others.total(queue, "tickets", at, 1),
        "queue_tickets_7d": others.total(queue, "tickets", at, 7),
    }
    return {name: np.where(named, values, np.nan) for name, values in of_queue.items()} | {
        "desk_open": others.total(desk, "open", at),
        "desk_tickets_1d": others.total(desk, "tickets", at, 1),
        "desk_unanswered": others.total(desk, "tickets", at) - others.total(desk, "answered", at),
        "desk_unanswered_7d": others.total(desk, "tickets", at, 7) - others.total(desk, "answered", at, 7),
    }


def _each_once(tickets: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each ticket's id, the first row of it, and which of these tickets each row is of."""
    ids = objects(tickets["ticket_id"])
    nameless = np.flatnonzero(~is_named(ids))
    ids[nameless] = [f"{_NAMELESS}{row}" for row in nameless]
    once, first, place = np.unique(ids, return_index=True, return_inverse=True)
    return once, first, place


def _as_known(
    tickets: pd.DataFrame, ids: np.ndarray, known: pd.DataFrame, queue: str | None, settings: CustomerSettings
) -> pd.DataFrame:
    """Tickets as they are scored, and what they lack there as the history knows it: what a log is made of."""
    at = {name: row for row, name in enumerate(known["ticket_id"].tolist())}
    place = np.array([at.get(name, -1) for name in ids.tolist()], dtype=np.int64)
    created = moments(tickets["created_at"])
    undated = (created == NEVER) & (place >= 0)
    if undated.any():
        created[undated] = moments(known["created_at"])[place[undated]]
    columns = {"ticket_id": ids}

    def complete(name: str, values: np.ndarray) -> None:
        lacking = ~is_named(values) & (place >= 0)
        if lacking.any():
            values[lacking] = objects(known[name])[place[lacking]]
        columns[name] = values

    for name in ("customer_id", "customer_keys", "queue"):
        given = queue if name == "queue" and queue in tickets else name
        complete(name, objects(tickets[given]) if given in tickets else np.full(len(ids), None, dtype=object))
    if settings.contact_reason is not None:
        complete(REASON, reasons_of(tickets.assign(**{QUEUE: columns[QUEUE]}), settings))
    made = pd.DataFrame(np.column_stack([*columns.values()]), columns=[*columns], dtype=object)
    made["created_at"] = pd.DatetimeIndex(created.view("datetime64[us]"), tz="UTC")
    return made
