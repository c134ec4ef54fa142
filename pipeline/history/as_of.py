"""What was known of a ticket and its surroundings as of a moment, as numbers: course, customer, queue, clock."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pipeline.config import History as CustomerSettings
from pipeline.config import Sla
from pipeline.history.amounts import CUSTOMER_KEY, DESK, QUEUE_KEY, Others
from pipeline.history.calendar import Calendar
from pipeline.history.course import COURSE, PER_COLUMN, View, columns, course, ended_at, hours, queue_at, spent
from pipeline.history.identity import Identities, by_row, keys_of
from pipeline.history.log import NEVER, WORDS, log_of, moments, objects
from pipeline.history.record import TICKETS, History, message_words
from pipeline.history.targets import Targets

MESSAGE = tuple(f"first_{name}" for name in WORDS)
"""What the ticket's own words give away; known without any history."""

CLOCK = ("first_response_hours_left", "resolution_hours_left")
"""Business hours until the desk's targets; below 0 when they are missed, nan without a target or when it is met."""

SPANS = (1, 7, 30, 90, 365)
"""Days over which a customer's earlier tickets are counted."""

CUSTOMER = (
    *(f"customer_tickets_{days}d" for days in SPANS), "customer_tickets", "customer_open", "customer_hours_since",
    "customer_escalated", "customer_reopened", "customer_unanswered", "customer_satisfaction",
)  # fmt: skip
"""Of the customer's other tickets; nan where nobody knows who the customer is."""

LOAD = ("queue_open", "queue_tickets_1d", "queue_tickets_7d", "desk_open", "desk_tickets_1d", "desk_unanswered")
"""Of other tickets in the queue in which the ticket lies, and of the whole desk."""


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
        Who counts as one customer.
    queue : str or None
        Column of tickets that names their first queue.
    """

    tracked: tuple[str, ...] = ()
    counted: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    sla: Sla = field(default_factory=Sla)
    customers: CustomerSettings = field(default_factory=CustomerSettings)
    queue: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each number, in order."""
        own = [f"{c}.number" for c in self.counted] + [f"{c}.{n}" for c in self.tracked for n in PER_COLUMN]
        return (*MESSAGE, *CLOCK, *COURSE, *own, *CUSTOMER, *LOAD)

    def look(self, tickets: pd.DataFrame, history: History | None) -> np.ndarray:
        """The numbers of each ticket as of its `as_of`, or its creation where it has none.

        Parameters
        ----------
        tickets : DataFrame, n rows
            Parsed tickets (`tickets.parse`), with `as_of` or without; a ticket may stand there at several moments.
        history : History or None
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
        words = message_words(tickets["text"].fillna("").tolist(), objects(tickets["language"]).tolist())
        known = dict(zip(MESSAGE, words.T, strict=True))
        if history is not None:
            known |= self._known(tickets, at, history)
        table = np.full((len(tickets), len(self.names)), np.nan, dtype=np.float32)
        for j, name in enumerate(self.names):
            if name in known:
                table[:, j] = known[name]
        table[at == NEVER, len(MESSAGE) :] = np.nan
        return table

    def _known(self, tickets: pd.DataFrame, at: np.ndarray, history: History) -> dict[str, np.ndarray]:
        own, place = _each_once(tickets, history.tickets, self.queue)
        log = log_of(own, history.events, self.levels)
        view = View.of(log, place, at)
        found = course(view) | columns(view, self.tracked, self.counted)
        found |= self._clock(view, found)
        others = Others.of(history.amounts, objects(own["ticket_id"])[place])
        identities = Identities.build(history.links, self.customers)
        keys = by_row(keys_of(own, self.customers), len(own))
        together = identities.together([keys[p] for p in place], at)
        return found | _customer(together, view, others) | _load(view, others)

    def _clock(self, view: View, found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        targets, calendar = Targets.of(self.sla), Calendar.of(self.sla)
        if not targets.first_response and not targets.resolution:
            return {}
        rank = found["priority_level"]
        levels = np.array([None if np.isnan(r) else self.levels[int(r)] for r in rank], dtype=object)
        passed = calendar.elapsed(view.log.created[view.tickets], view.moments)
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
    keys, at = objects(CUSTOMER_KEY + together["key"]), view.moments[row]
    unknown = np.bincount(row, minlength=n) == 0

    def total(fact: str, days: int | None = None) -> np.ndarray:
        return np.bincount(row, others.sums(keys, row, fact, at, days), minlength=n)

    came, rated = total("tickets"), total("rated")
    born = np.minimum(view.log.created[view.tickets], view.moments)[row]
    latest = others.all.latest(others.all.codes(keys), "tickets", born)
    newest = np.full(n, -np.inf)
    np.maximum.at(newest, row, np.where(np.isnan(latest), -np.inf, latest))
    satisfaction = np.divide(total("satisfaction"), rated, out=np.full(n, np.nan), where=rated > 0)
    found = {f"customer_tickets_{days}d": total("tickets", days) for days in SPANS} | {
        "customer_tickets": came,
        "customer_open": total("open"),
        "customer_hours_since": np.where(np.isinf(newest), np.nan, hours(newest, view.moments)),
        "customer_escalated": total("escalated"),
        "customer_reopened": total("reopened"),
        "customer_unanswered": came - total("answered"),
        "customer_satisfaction": satisfaction,
    }
    return {name: np.where(unknown, np.nan, values) for name, values in found.items()}


def _load(view: View, others: Others) -> dict[str, np.ndarray]:
    queues, at, rows = queue_at(view), view.moments, np.arange(len(view.moments))
    named = np.array([q is not None for q in queues], dtype=bool)
    keys = np.array([f"{QUEUE_KEY}{q}" for q in queues], dtype=object)
    desk = np.full(len(rows), DESK, dtype=object)
    of_queue = {
        "queue_open": others.sums(keys, rows, "open", at),
        "queue_tickets_1d": others.sums(keys, rows, "tickets", at, 1),
        "queue_tickets_7d": others.sums(keys, rows, "tickets", at, 7),
    }
    return {name: np.where(named, values, np.nan) for name, values in of_queue.items()} | {
        "desk_open": others.sums(desk, rows, "open", at),
        "desk_tickets_1d": others.sums(desk, rows, "tickets", at, 1),
        "desk_unanswered": others.sums(desk, rows, "tickets", at) - others.sums(desk, rows, "answered", at),
    }


def _each_once(tickets: pd.DataFrame, known: pd.DataFrame, queue: str | None) -> tuple[pd.DataFrame, np.ndarray]:
    """Each ticket once, as it is scored and else as the history knows it, and where the rows' tickets stand in it."""
    codes, _ = pd.factorize(tickets["ticket_id"], use_na_sentinel=False)
    first = np.unique(codes, return_index=True)[1]
    one = tickets.iloc[first].reindex(columns=list(TICKETS)).reset_index(drop=True)
    if queue in tickets:
        one["queue"] = tickets[queue].iloc[first].to_numpy()
    place = pd.Index(known["ticket_id"]).get_indexer(pd.Index(one["ticket_id"]))
    seen = place >= 0
    for name in ("created_at", "customer_id", "customer_keys", "queue"):
        values, given = one[name].to_numpy(dtype=object, copy=True), one[name].notna().to_numpy(bool)
        values[seen & ~given] = known[name].to_numpy(dtype=object)[place[seen & ~given]]
        one[name] = pd.Series(values).astype("datetime64[us, UTC]" if name == "created_at" else "str")
    return one, codes.astype(np.int64)
