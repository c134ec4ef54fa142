"""The tables of the ledger, and how decisions and feedback become rows. Moments are microseconds since 1970."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Executable,
    Index,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.history.store.rows import storable
from pipeline.history.store.tables import pieces
from pipeline.ledger.decisions import Decision, as_json, micros, moment_of
from pipeline.ledger.feedback import Feedback

VERSION = "1"
"""Of the tables; another number: another ledger."""

Row = dict[str, Any]

METADATA = MetaData()

_TEXT = Text().with_variant(Text(collation="C"), "postgresql")  # order and equality by bytes, as in Python


def _table(name: str, *columns: Column[Any] | Index) -> Table:
    return Table(f"ledger_{name}", METADATA, *columns)  # with rowids: long rows under random keys would split pages


META = _table("meta", Column("name", _TEXT, primary_key=True), Column("value", _TEXT, nullable=False))

DECISIONS = _table(
    "decisions",
    Column("key", _TEXT, primary_key=True),
    Column("ticket_id", _TEXT),
    Column("as_of", BigInteger),
    Column("decided_at", BigInteger, nullable=False),
    Column("door", _TEXT, nullable=False),
    Column("content", _TEXT, nullable=False),
    Column("scorer_version", _TEXT, nullable=False),
    Column("shown", Boolean, nullable=False),
    Column("history", Boolean, nullable=False),
    Column("customer_keys", _TEXT, nullable=False),
    *(Column(name, _TEXT) for name in ("topic", "queue", "queue_reason", "priority", "error")),
    *(Column(name, Double) for name in ("topic_confidence", "priority_confidence", "escalation_risk")),
    Column("scored", _TEXT, nullable=False),
    Index("ledger_decisions_by_ticket", "ticket_id", "decided_at"),
    Index("ledger_decisions_by_content", "content"),
    Index("ledger_decisions_by_time", "decided_at"),
)
"""One row an answer. `customer_keys` begins and ends with a space; `scored` is the whole scored ticket as JSON."""

TICKETS = _table(
    "tickets",
    Column("content", _TEXT, primary_key=True),
    Column("kept_at", BigInteger, nullable=False),
    Column("ticket", _TEXT, nullable=False),
    Index("ledger_tickets_by_time", "kept_at"),
)
"""Redacted tickets as JSON, each form once; `kept_at` is the last decision on it."""

FEEDBACK = _table(
    "feedback",
    Column("key", _TEXT, primary_key=True),
    Column("ticket_id", _TEXT),
    Column("given_at", BigInteger, nullable=False),
    *(Column(name, _TEXT) for name in ("kind", "value", "by", "source", "decision")),
    Index("ledger_feedback_by_ticket", "ticket_id", "given_at"),
)
"""One row for each thing that a person said."""

STEPS = _table(
    "steps",
    Column("key", _TEXT, primary_key=True),
    Column("tries", Integer, nullable=False),
    Column("given_up", Boolean, nullable=False),
    Column("begun_at", BigInteger, nullable=False),
)
"""What was begun and isn't done: see `steps`. A ledger that an earlier version made has none until it is written to."""

IN_TIME = (
    DECISIONS.c.decided_at, DECISIONS.c.error.is_(None), func.coalesce(DECISIONS.c.as_of, 0), DECISIONS.c.key,
)  # fmt: skip
"""Order of decisions; of those of one moment refused records come first, as they aren't the ticket's answer, and of
others those that saw less of the ticket's life."""

_SHOWN = ("topic", "queue", "queue_reason", "priority", "error")
_NUMBERS = ("topic_confidence", "priority_confidence", "escalation_risk")


@dataclass(frozen=True)
class Words:
    """A kept ticket.

    Attributes
    ----------
    ticket : mapping
        Redacted, by the schema.
    content : str
        Its hash (`decisions.content_of`).
    as_of : datetime or None
        The moment of the decision.
    """

    ticket: Mapping[str, Any]
    content: str
    as_of: datetime | None


def decision_row(made: Decision) -> Row:
    """A decision as a row of `DECISIONS`."""
    own = "".join(f"{key} " for key in made.customer_keys)
    return {
        "key": made.key,
        "ticket_id": storable(made.ticket_id),
        "as_of": None if made.as_of is None else micros(made.as_of),
        "decided_at": micros(made.decided_at),
        "door": made.door,
        "content": made.content,
        "scorer_version": made.scorer_version,
        "shown": made.shown,
        "history": made.history,
        "customer_keys": storable(f" {own}" if own else ""),
        **{name: storable(made.scored.get(name)) for name in _SHOWN},
        **{name: made.scored.get(name) for name in _NUMBERS},
        "scored": as_json(made.scored),
    }


def ticket_row(made: Decision) -> Row:
    """The redacted ticket of a decision as a row of `TICKETS`."""
    return {"content": made.content, "kept_at": micros(made.decided_at), "ticket": as_json(made.ticket)}


def feedback_row(said: Feedback) -> Row:
    """Feedback as a row of `FEEDBACK`."""
    names = ("key", "ticket_id", "kind", "value", "by", "source", "decision")
    return {name: storable(getattr(said, name)) for name in names} | {"given_at": micros(said.given_at)}


def asked_decisions() -> Select[Any]:
    """Decisions with the tickets that are kept."""
    kept = TICKETS.c.content == DECISIONS.c.content
    return select(DECISIONS, TICKETS.c.ticket).select_from(DECISIONS.outerjoin(TICKETS, kept))


def asked_words() -> Select[Any]:
    """Kept tickets of decisions that aren't refusals."""
    kept = TICKETS.c.content == DECISIONS.c.content
    named = select(DECISIONS.c.ticket_id, DECISIONS.c.content, DECISIONS.c.as_of, TICKETS.c.ticket)
    return named.select_from(DECISIONS.join(TICKETS, kept)).where(DECISIONS.c.error.is_(None))


def words_of(row: Mapping[str, Any]) -> Words:
    """A row of `asked_words`."""
    as_of = None if row["as_of"] is None else moment_of(row["as_of"])
    return Words(json.loads(row["ticket"]), row["content"], as_of)


def asked_feedback() -> Select[Any]:
    """Feedback with the decision that it is about: the one that was named, else the latest before it."""
    before = (DECISIONS.c.ticket_id == FEEDBACK.c.ticket_id) & (DECISIONS.c.decided_at <= FEEDBACK.c.given_at)
    latest = select(DECISIONS.c.key).where(before).order_by(*(column.desc() for column in IN_TIME)).limit(1)
    found = func.coalesce(FEEDBACK.c.decision, latest.scalar_subquery()).label("about")
    return select(*(c for c in FEEDBACK.c if c.name != "decision"), found)


def decision_of(row: Mapping[str, Any]) -> Decision:
    """A row of `asked_decisions` as a decision."""
    return Decision(
        ticket_id=row["ticket_id"],
        as_of=None if row["as_of"] is None else moment_of(row["as_of"]),
        decided_at=moment_of(row["decided_at"]),
        door=row["door"],
        content=row["content"],
        scored=json.loads(row["scored"]),
        scorer_version=row["scorer_version"],
        shown=bool(row["shown"]),
        history=bool(row["history"]),
        customer_keys=tuple(row["customer_keys"].split()),
        ticket=None if row["ticket"] is None else json.loads(row["ticket"]),
        key=row["key"],
    )


def feedback_of(row: Mapping[str, Any]) -> Feedback:
    """A row of `asked_feedback` as feedback."""
    return Feedback(
        ticket_id=row["ticket_id"],
        given_at=moment_of(row["given_at"]),
        kind=row["kind"],
        value=row["value"],
        by=row["by"],
        source=row["source"],
        decision=row["about"],
        key=row["key"],
    )


def unknown(connection: Connection, table: Table, keys: Sequence[str]) -> list[str]:
    """Those of the keys that aren't there, in their order."""
    there = set[str]()
    for some in pieces(keys):
        there.update(connection.scalars(_known(table), {"keys": some}))
    return [key for key in keys if key not in there]


def insert(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    """Add rows that another writer may add at this moment: one of the two is enough."""
    if found := list(rows):
        connection.execute(_adding(table, connection.dialect.name), found)


# Statements are made once: to make and to name one takes longer than to run it.


@cache
def _known(table: Table) -> Select[Any]:
    return select(table.c.key).where(table.c.key.in_(bindparam("keys", expanding=True)))


@cache
def _adding(table: Table, dialect: str) -> Executable:
    statement = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    primary = [column.name for column in table.primary_key]
    if table is TICKETS:
        greater = func.greatest if dialect == "postgresql" else func.max
        last = {"kept_at": greater(TICKETS.c.kept_at, statement.excluded.kept_at)}
        return statement.on_conflict_do_update(index_elements=primary, set_=last)
    return statement.on_conflict_do_nothing(index_elements=primary)
