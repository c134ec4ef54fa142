"""Small made histories for tests: hours instead of times, a line for each ticket and event. All of it is synthetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from pipeline.config import History as Settings
from pipeline.config import Sla
from pipeline.history.as_of import AsOf
from pipeline.history.definitions import parse_definitions
from pipeline.history.log import KINDS, STATUSES, WORDS
from pipeline.history.record import History, record
from pipeline.tickets.schema import conform

MONDAY = pd.Timestamp("2026-03-02", tz="UTC")
"""Hour 0; a Monday."""

LEVELS = {"1": "low", "2": "medium", "3": "high"}
DEFINITIONS = parse_definitions({"queue": "group", "priority": {"column": "urgency", "levels": LEVELS}}, "made")
MANY = Settings(max_accounts_per_key=1_000)
BY_PRODUCT = replace(MANY, contact_reason="fields.product")
BY_QUEUE = replace(MANY, contact_reason="queue")

LOOK = AsOf(
    tracked=("product", "size"),
    counted=("size",),
    levels=tuple(LEVELS.values()),
    sla=Sla(
        timezone="Europe/Berlin",
        hours=dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), ("09:00-12:00", "13:00-17:00")),
        first_response={"high": "2h", "*": "8h"},
        resolution={"*": "2d"},
    ),
    customers=MANY,
    queue="fields.group",
    queues=("first", "second"),
)
"""What tests look at where they don't say it."""


@dataclass(frozen=True)
class Ticket:
    """A ticket; `created` in hours since `MONDAY`, `fields` by name."""

    id: str = "t"
    created: float | None = 0.0
    customer: str | None = "ann"
    keys: tuple[str, ...] = ()
    queue: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    language: str | None = "en"


@dataclass(frozen=True)
class Event:
    """An event; `at` is the hour of its receipt, `occurred` of its occurrence.

    `words` are `WORDS` of a message; `as_field` writes an assignment or a priority as the source's column has it.
    """

    kind: str
    at: float | None
    value: str | None = None
    ticket: str = "t"
    occurred: float | Literal["same"] | None = "same"
    side: str | None = None
    actor: str | None = None
    field: str | None = None
    words: tuple[float, float, float, float] | None = None
    seq: int | None = None
    as_field: bool = False

    @property
    def happened(self) -> float | None:
        """Hour at which the source says that it occurred."""
        return self.at if self.occurred == "same" else self.occurred


def time_of(hour: float | None) -> pd.Timestamp | None:
    """Hours since `MONDAY` as a time."""
    return None if hour is None else MONDAY + pd.Timedelta(microseconds=round(hour * 3_600_000_000))


def by_customer(at: float | None, mood: float | None = None, **more: Any) -> Event:
    """A customer's reply; `mood`, `again`, `legal`, `cancel` of its words."""
    counts = [float(more.pop(name, 0)) for name in WORDS[1:]]
    words = None if mood is None and not any(counts) else (np.nan if mood is None else mood, *counts)
    return Event("reply", at, side="customer", words=words, **more)


def by_agent(at: float | None, **more: Any) -> Event:
    """An agent's reply."""
    return Event("reply", at, side="agent", actor=more.pop("actor", "bob"), **more)


def moved(at: float | None, queue: str | None, **more: Any) -> Event:
    """An assignment to a queue."""
    return Event("assignment", at, queue, **more)


def given_to(at: float | None, person: str | None, **more: Any) -> Event:
    """An assignment to a person."""
    return Event("assignment", at, person, field="assignee", **more)


def changed(at: float | None, column: str, value: str | None, **more: Any) -> Event:
    """A source column's new value."""
    return Event("field", at, value, field=column, **more)


def tickets_frame(tickets: Sequence[Ticket]) -> pd.DataFrame:
    """By the schema TICKETS."""
    names = sorted({name for t in tickets for name in t.fields})
    made = {
        "ticket_id": [t.id for t in tickets],
        "created_at": pd.Series([time_of(t.created) for t in tickets], dtype="datetime64[us, UTC]"),
        "customer_id": [t.customer for t in tickets],
        "customer_keys": [" ".join(t.keys) or None for t in tickets],
        "language": [t.language for t in tickets],
        "fields.group": [t.queue for t in tickets],
        **{f"fields.{name}": [t.fields.get(name) for t in tickets] for name in names},
    }
    return conform(pd.DataFrame(made), "tickets").assign(text=pd.Series([t.text for t in tickets], dtype="str"))


def events_frame(events: Sequence[Event]) -> pd.DataFrame:
    """By the schema EVENTS, in the given order; a message's `text` names its words."""
    written = [_as_written(e) for e in events]
    made = {name: [getattr(e, name) for e in written] for name in ("kind", "side", "actor", "field", "value")}
    times = {
        "occurred_at": [time_of(e.happened) for e in events],
        "received_at": [time_of(e.at) for e in events],
    }
    frame = pd.DataFrame(made | {"ticket_id": [e.ticket for e in events]})
    for name, values in times.items():
        frame[name] = pd.Series(values, dtype="datetime64[us, UTC]")
    frame["seq"] = pd.Series([e.seq for e in events], dtype="Int64")
    frame["text"] = pd.Series([None if e.words is None else repr(e.words) for e in events], dtype="str")
    return conform(frame, "events")


def outcomes_frame(escalated: Sequence[tuple[str, float | None]]) -> pd.DataFrame:
    """Outcomes `escalated`: ticket and the hour from which it is known."""
    rows = {"ticket_id": [i for i, _ in escalated], "outcome": "escalated", "value": "1"}
    known_at = pd.Series([time_of(at) for _, at in escalated], dtype="datetime64[us, UTC]")
    return conform(pd.DataFrame(rows).assign(known_at=known_at), "outcomes")


def history_of(
    tickets: Sequence[Ticket],
    events: Sequence[Event] = (),
    *,
    escalated: Sequence[tuple[str, float | None]] = (),
    settings: Settings = MANY,
) -> History:
    """What `record` makes of them, each message with its words."""
    made = record(tickets_frame(tickets), events_frame(events), outcomes_frame(escalated), DEFINITIONS, settings)
    words = np.array([e.words or (np.nan,) * len(WORDS) for e in events], dtype=np.float64).reshape(-1, len(WORDS))
    return replace(made, events=made.events.assign(**{name: words[:, i] for i, name in enumerate(WORDS)}))


def rows_of(tickets: Sequence[Ticket], moments: Sequence[float | None]) -> pd.DataFrame:
    """Tickets as they are scored, each as of an hour (None: at its creation)."""
    return tickets_frame(tickets).assign(as_of=pd.Series([time_of(at) for at in moments], dtype="datetime64[us, UTC]"))


def numbers(
    at: float | None,
    events: Sequence[Event] = (),
    *,
    ticket: Ticket | None = None,
    others: Sequence[Ticket] = (),
    escalated: Sequence[tuple[str, float | None]] = (),
    look: AsOf = LOOK,
    settings: Settings = MANY,
) -> dict[str, float]:
    """What is known of one ticket as of an hour, by name."""
    ticket = ticket or Ticket()
    history = history_of([ticket, *others], events, escalated=escalated, settings=settings)
    return dict(zip(look.names, look.look(rows_of([ticket], [at]), history)[0].tolist(), strict=True))


def _as_written(event: Event) -> Event:
    if not event.as_field:
        return event
    if event.kind == "priority":
        source = {name: value for value, name in LEVELS.items()}
        return replace(event, kind="field", field="urgency", value=source.get(event.value or "", event.value))
    column = "assigned_to" if event.field == "assignee" else "group"
    return replace(event, kind="field", field=column)


# ── random ones ──────────────────────────────────────────────────────────────────────────────────────────────────────

IDS = ("a", "b", "c", "d")
HOURS = st.one_of(
    st.integers(0, 12).map(float),
    st.sampled_from([0.5, 1.25, 23.0, 24.0, 25.0, 100.0, 24 * 7.0, 24 * 7 + 1.0, 24 * 30.0, 24 * 400.0]),
)
_MAYBE_HOUR = st.one_of(HOURS, HOURS, HOURS, st.none())
_PEOPLE = st.sampled_from([None, "ann", "ben", "bob", "cleo"])
_QUEUES = st.sampled_from([None, "first", "second", "third"])
_KEYS = tuple(f"{kind}:{letter * 16}" for kind, letter in (("email", "a"), ("email", "b"), ("phone", "c")))


@dataclass(frozen=True)
class Scene:
    """A history as plain values: what the oracle reads."""

    tickets: tuple[Ticket, ...]
    events: tuple[Event, ...]
    escalated: tuple[tuple[str, float | None], ...]

    @property
    def history(self) -> History:
        """What `record` makes of it."""
        return self.known()

    def known(self, settings: Settings = MANY) -> History:
        """The same by other settings."""
        return history_of(self.tickets, self.events, escalated=self.escalated, settings=settings)


@st.composite
def scenes(draw: st.DrawFn, *, most: int = 14) -> Scene:
    """Up to four tickets and `most` events: late, repeated, unknown, before the creation, at the same moment."""
    ids = IDS[: draw(st.integers(1, len(IDS)))]
    tickets = tuple(draw(_tickets(one)) for one in ids)
    events = draw(st.lists(_events((*ids, "unknown")), max_size=most))
    again = draw(st.lists(st.sampled_from(events), max_size=3)) if events else []
    placed = [replace(e, seq=n) for n, e in enumerate([*events, *again])]
    escalated = draw(st.lists(st.tuples(st.sampled_from((*ids, "unknown")), _MAYBE_HOUR), max_size=3))
    return Scene(tickets, tuple(placed), tuple(escalated))


@st.composite
def _tickets(draw: st.DrawFn, ticket_id: str) -> Ticket:
    return Ticket(
        id=ticket_id,
        created=draw(_MAYBE_HOUR),
        customer=draw(st.sampled_from(["ann", "ann", "ben", None])),
        keys=tuple(sorted(draw(st.sets(st.sampled_from(_KEYS), max_size=2)))),
        queue=draw(_QUEUES),
        fields=draw(st.sampled_from([{}, {"product": "x"}, {"product": "y"}])),
    )


@st.composite
def _events(draw: st.DrawFn, ids: tuple[str, ...]) -> Event:
    kind = draw(st.sampled_from((*KINDS, "reply", "reply", "status", "status", "assignment", "field", "strange")))
    at = draw(_MAYBE_HOUR)
    occurred = draw(st.one_of(st.just("same"), st.just("same"), _MAYBE_HOUR))
    person = kind == "assignment" and draw(st.booleans())
    column = draw(st.sampled_from(["product", "size", "other"])) if kind == "field" else None
    return Event(
        kind=kind,
        at=at,
        value=draw(_values(kind, column, person)),
        ticket=draw(st.sampled_from(ids)),
        occurred=occurred,
        side=draw(st.sampled_from([None, None, "customer", "agent", "system", "strange"])),
        actor=draw(_PEOPLE),
        field="assignee" if person else column,
        words=draw(_words()) if kind == "reply" else None,
        as_field=kind in ("assignment", "priority") and draw(st.booleans()),
    )


def _values(kind: str, column: str | None, person: bool) -> st.SearchStrategy[str | None]:
    if kind == "status":
        return st.sampled_from([*STATUSES, "strange", None])
    if kind == "priority":
        return st.sampled_from([*LEVELS.values(), "strange", None])
    if kind == "satisfaction":
        return st.sampled_from(["0", "1", "0.3", "0.7", "2", "inf", "good", None])
    if kind == "assignment":
        return _PEOPLE if person else _QUEUES
    if column == "size":
        return st.sampled_from(["0", "1", "2.5", "many", "1e999", None])
    return st.sampled_from(["x", "y", None])


def _words() -> st.SearchStrategy[tuple[float, float, float, float] | None]:
    moods = st.sampled_from([float("nan"), -0.5, 0.25, 0.75])
    counts = st.sampled_from([0.0, 1.0, 5.0])
    return st.one_of(st.none(), st.tuples(moods, counts, counts, counts))
