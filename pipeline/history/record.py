"""The record: tickets, events and outcomes as they were imported → the dated facts that are looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd

from pipeline.config import History as Settings
from pipeline.history.amounts import amounts_of, no_amounts, outcome_amounts
from pipeline.history.definitions import Definition
from pipeline.history.identity import keys_of, links
from pipeline.history.log import SIDES, WORDS, Columns, event_keys, is_named, log_of, moments, objects
from pipeline.history.mood import moods, signals
from pipeline.history.reasons import REASON, reasons_of
from pipeline.tickets import schema
from pipeline.tickets.clean import clean

TICKETS = ("ticket_id", "created_at", "customer_id", "customer_keys", "queue", "language")
"""What a history keeps of a ticket, besides its `REASON` where reasons are looked at: no word of it."""

EVENTS = ("ticket_id", "occurred_at", "received_at", "seq", "kind", "side", "actor", "field", "value", *WORDS, "key")
"""What a history keeps of an event: of its text the mood and the telling words, and a number that tells repeats."""

MOST_TRACKED = 12
"""So many source columns are followed besides queue, assignee and priority: those that change most often."""

QUEUES = ("assignment_group", "queue", "group", "group_id", "team")
ASSIGNEES = ("assigned_to", "assignee", "assignee_id", "owner")
"""Source columns that name where a ticket lies, and the person who has it, if no outcome is made of them."""


@dataclass(frozen=True)
class Roles:
    """Which source columns say what: their values are assignments and priorities, whatever the source calls them.

    Attributes
    ----------
    queue, assignee, priority : str or None
        Source columns.
    levels : tuple of (value, name)
        Source's priority values and our names for them, least urgent first.
    """

    queue: str | None = None
    assignee: str | None = None
    priority: str | None = None
    levels: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, definitions: Mapping[str, Definition], events: pd.DataFrame) -> Roles:
        """Queue and priority are what their outcomes are made of; else columns of a usual name."""
        queue, priority = (definitions[n].column if n in definitions else None for n in ("queue", "priority"))
        levels = definitions["priority"].levels if "priority" in definitions else ()
        named = set(events["field"].dropna())
        usual = next((n for n in QUEUES if n in named), None)
        return cls(queue or usual, next((n for n in ASSIGNEES if n in named), None), priority, tuple(levels))

    def canonical(self, events: pd.DataFrame) -> pd.DataFrame:
        """The same events, those of the columns named here as assignments and priorities."""
        of_field = (events["kind"] == "field").to_numpy(bool)
        kind, name, value = (objects(events[n]) for n in ("kind", "field", "value"))
        for column, new_kind, new_name in (
            (self.queue, "assignment", None), (self.assignee, "assignment", "assignee"),
            (self.priority, "priority", None),
        ):  # fmt: skip
            rows = of_field & (name == column) & np.full(len(events), column is not None)
            kind[rows], name[rows] = new_kind, new_name
        ranked = kind == "priority"
        level = dict(self.levels)
        value[ranked] = [level.get(v, v) for v in value[ranked]]
        return events.assign(
            kind=pd.Series(kind, events.index, dtype="str"),
            field=pd.Series(name, events.index, dtype="str"),
            value=pd.Series(value, events.index, dtype="str"),
        )


def _no_links() -> pd.DataFrame:
    return pd.DataFrame({"key_a": [], "key_b": [], "at": np.zeros(0, dtype=np.int64), "ticket_id": []})


class DatedFacts(Protocol):
    """What a look needs, as a door has loaded it: a value. What is made of it sees only what was received in time.

    `History` holds it as frames, which suit many tickets; what a store reads of a few holds most as columns.
    """

    @property
    def tickets(self) -> pd.DataFrame:
        """`TICKETS`, and their `REASON` where reasons are looked at."""
        ...

    @property
    def events(self) -> pd.DataFrame | Columns:
        """`EVENTS` of these tickets."""
        ...

    @property
    def amounts(self) -> pd.DataFrame | Columns:
        """`amounts.COLUMNS`."""
        ...

    @property
    def links(self) -> pd.DataFrame:
        """`identity.LINKS`."""
        ...


@dataclass(frozen=True)
class History:
    """Dated facts as frames.

    Attributes
    ----------
    tickets : DataFrame
        `TICKETS` of every ticket whose course is known, and their `REASON` where reasons are looked at.
    events : DataFrame
        `EVENTS` of these tickets.
    amounts : DataFrame
        See `history/amounts.py`: of their customers, their queues and the desk.
    links : DataFrame
        See `identity.LINKS`.
    """

    tickets: pd.DataFrame
    events: pd.DataFrame
    amounts: pd.DataFrame = field(default_factory=no_amounts)
    links: pd.DataFrame = field(default_factory=_no_links)

    def by_ticket(self) -> History:
        """The same facts, the events in order of their ticket's id: what `of` needs."""
        return History(self.tickets, self.events.sort_values("ticket_id", kind="stable"), self.amounts, self.links)

    def of(self, ids: np.ndarray) -> History:
        """What some tickets need, out of a history that is in order of tickets: their own events, all that surrounds.

        Parameters
        ----------
        ids : ndarray of str
        """
        wanted, named = np.unique(ids.astype(object)), self.events["ticket_id"].to_numpy(dtype=object)
        begin, end = np.searchsorted(named, wanted, side="left"), np.searchsorted(named, wanted, side="right")
        rows = np.concatenate([np.arange(a, b) for a, b in zip(begin, end, strict=True)] or [np.zeros(0, dtype=int)])
        known = self.tickets[self.tickets["ticket_id"].isin(wanted).to_numpy(bool)]
        return History(known, self.events.iloc[rows], self.amounts, self.links)


def record(
    tickets: pd.DataFrame,
    events: pd.DataFrame,
    outcomes: pd.DataFrame,
    definitions: Mapping[str, Definition],
    settings: Settings,
) -> History:
    """The history of everything that was imported.

    Parameters
    ----------
    tickets, events, outcomes : DataFrame
        By their schemas.
    definitions : mapping
        Of the outcomes: they say which columns are queue and priority.
    settings : History
        Who counts as one customer, and what says what a ticket is about.
    """
    roles = Roles.of(definitions, events)
    told = read_messages(roles.canonical(events), tickets)
    known = known_tickets(tickets, roles, settings)
    log = log_of(known, told, [name for _, name in roles.levels])
    ids, customer = objects(known["ticket_id"]), customers(known, settings)
    escalated = outcomes[((outcomes["outcome"] == "escalated") & (outcomes["value"] == "1")).to_numpy(bool)]
    place = pd.Index(known["ticket_id"]).get_indexer(pd.Index(escalated["ticket_id"]))
    escalated, place = escalated[place >= 0], place[place >= 0]
    reasons = objects(known[REASON]) if REASON in known else None
    amounts = pd.concat(
        [
            amounts_of(log, ids, customer, reasons),
            outcome_amounts(ids[place], customer[place], moments(escalated["known_at"])),
        ],
        ignore_index=True,
    )
    keys = keys_of(known, settings)
    met = links(keys, moments(known["created_at"]), ticket_ids=known["ticket_id"])
    return History(known, told, amounts, met)


def known_tickets(tickets: pd.DataFrame, roles: Roles, settings: Settings) -> pd.DataFrame:
    """`TICKETS` of tickets by the schema, and their `REASON` where the settings name one."""
    named = f"{schema.FIELD_PREFIX}{roles.queue}"
    queue = tickets[named] if named in tickets else pd.Series(None, index=tickets.index, dtype="str")
    known = tickets.reindex(columns=list(TICKETS)).assign(queue=queue)
    if settings.contact_reason is not None:
        said = reasons_of(tickets.assign(queue=queue), settings)
        known = known.assign(**{REASON: pd.Series(said, index=known.index, dtype="str")})
    return known.reset_index(drop=True)


def customers(tickets: pd.DataFrame, settings: Settings) -> np.ndarray:
    """The strongest key of each ticket's customer, None where nobody knows who it is; shape (n,), object."""
    keys = keys_of(tickets, settings).drop_duplicates("row")
    found = np.full(len(tickets), None, dtype=object)
    found[keys["row"].to_numpy(np.int64)] = objects(keys["key"])
    return found


def read_messages(events: pd.DataFrame, tickets: pd.DataFrame) -> pd.DataFrame:
    """`EVENTS` of events by the schema: messages are read for their mood and telling words, and dropped."""
    keys = event_keys(events)
    words = np.full((len(events), len(WORDS)), np.nan)
    said, actor, text = (objects(events[name]) for name in ("side", "actor", "text"))
    once = tickets.drop_duplicates("ticket_id")
    row = pd.Index(once["ticket_id"]).get_indexer(pd.Index(events["ticket_id"]))
    customer, language = (objects(once[name].iloc[row]) if len(once) else actor for name in ("customer_id", "language"))
    by_customer = (said == "customer") | (~np.isin(said, SIDES) & (actor == customer) & is_named(actor))
    rows = np.flatnonzero((events["kind"] == "reply").to_numpy(bool) & is_named(text) & by_customer & (row >= 0))
    words[rows] = message_words([clean(t) for t in text[rows]], language[rows].tolist())
    told = events.assign(**{name: words[:, i] for i, name in enumerate(WORDS)}, key=keys)
    return told[list(EVENTS)].reset_index(drop=True)


def message_words(texts: list[Any], languages: list[Any]) -> np.ndarray:
    """`WORDS` of cleaned messages, shape (n, 4); None says nothing."""
    words = np.zeros((len(texts), len(WORDS)), dtype=np.float32)
    words[:, 0] = np.nan
    rows = [row for row, text in enumerate(texts) if text]
    written, spoken = [texts[row] for row in rows], [languages[row] for row in rows]
    words[rows] = np.column_stack([moods(written, spoken), signals(written, spoken)])
    return words


def tracked_columns(events: pd.DataFrame, fields: list[str]) -> tuple[list[str], list[str]]:
    """Columns that change while tickets are worked on, and those of them whose numbers are counts.

    Parameters
    ----------
    fields : list of str
        Columns that the tickets themselves have: their values are codes, however they look.
    """
    dated = events[((events["kind"] == "field") & events["received_at"].notna()).to_numpy(bool)]
    repeats = dated.duplicated(["ticket_id", "field"]).to_numpy(bool)
    changes = dated.loc[repeats, "field"].value_counts()
    often = sorted(changes.index, key=lambda name: (-int(changes[name]), str(name)))[:MOST_TRACKED]
    tracked = sorted(str(n) for n in often)
    return tracked, [n for n in tracked if n not in fields]
