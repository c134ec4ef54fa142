"""What a ledger lets go: tickets past their time, decisions before a date, and everything that leads to a customer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, inspect, or_, select, update

from pipeline.errors import ConfigError
from pipeline.history.keys import Kind, key, normalise, split_keys
from pipeline.history.store.tables import pieces
from pipeline.ledger.decisions import as_json, micros, without_words
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.tables import DECISIONS, FEEDBACK, STEPS, TICKETS, Row, asked_feedback

_PERSONAL = ("ticket_id", "reply", "auto_answer", "similar")
"""Parts of a scored ticket that lead to it, besides its own words."""


_OWN: tuple[Kind, ...] = ("id", "email", "phone", "handle")


@dataclass(frozen=True)
class Purged:
    """What was let go: so many tickets, decisions, and pieces of feedback."""

    tickets: int
    decisions: int = 0
    feedback: int = 0


@dataclass(frozen=True)
class Forgotten:
    """What was forgotten of a customer.

    Attributes
    ----------
    decisions, tickets, feedback : int
        Decisions and pieces of feedback that lead to nobody any more, and redacted tickets that are gone.
    also : tuple of str
        Other keys that stood on the same tickets, and still stand on others: they may be the same customer's.
    """

    decisions: int
    tickets: int
    feedback: int
    also: tuple[str, ...] = ()


def purge(
    ledger: Ledger, *, kept_before: datetime, decided_before: datetime | None = None, feedback: bool = False
) -> Purged:
    """Remove redacted tickets whose last decision is older than a moment, and, if asked for, whole decisions.

    With a ticket its words go from the scored tickets (`OWN_WORDS`).

    Parameters
    ----------
    kept_before : datetime
        Tickets are kept from this moment on (aware): now less the retention time.
    decided_before : datetime, optional
        Decisions made before it go too, with their tickets.
    feedback : bool
        Whether feedback given before `decided_before` goes too; else training still knows it.

    Raises
    ------
    StoreError
        Nothing was removed.
    """
    with _wiping(ledger) as connection:
        decisions = said = 0
        if decided_before is not None:
            at = micros(decided_before)
            decisions = connection.execute(delete(DECISIONS).where(DECISIONS.c.decided_at < at)).rowcount
            if feedback:
                said = connection.execute(delete(FEEDBACK).where(FEEDBACK.c.given_at < at)).rowcount
        orphaned = ~select(DECISIONS.c.key).where(DECISIONS.c.content == TICKETS.c.content).exists()
        past = or_(TICKETS.c.kept_at < micros(kept_before), orphaned)
        if inspect(connection).has_table(STEPS.name):  # without its words no step can be taken any more
            connection.execute(delete(STEPS).where(STEPS.c.begun_at < micros(kept_before)))
        contents = connection.scalars(select(TICKETS.c.content).where(past)).all()
        for some in pieces(contents):
            _silence(connection, some)
        tickets = _remove_tickets(connection, contents)
    return Purged(tickets, decisions, said)


def forget(ledger: Ledger, customers: Sequence[str]) -> Forgotten:
    """Remove the tickets of a customer, and blank what leads to them in decisions and feedback.

    What remains says that something was decided on some ticket, by which scorer, and how it was answered.

    Parameters
    ----------
    customers : sequence of str
        Ids, addresses, phone numbers or handles of one customer, or keys as they are shown (`email:0123456789abcdef`).

    Raises
    ------
    ConfigError
        One that gives no key.
    StoreError
        Nothing was forgotten.
    """
    keys = sorted(set().union(*(_keys(one) for one in customers)))
    with _wiping(ledger) as connection:
        found = _decisions_of(connection, keys)
        ids = sorted({row["ticket_id"] for row in found if row["ticket_id"] is not None})
        feedback = _blank_feedback(connection, ids)
        _blank_decisions(connection, found)
        tickets = _remove_tickets(connection, sorted({row["content"] for row in found}))
        met = {one for row in found for one in row["customer_keys"].split()} - set(keys)
        also = tuple(one for one in sorted(met) if _decisions_of(connection, [one]))
    return Forgotten(len(found), tickets, feedback, also)


@contextmanager
def _wiping(ledger: Ledger) -> Iterator[Connection]:
    """A transaction after which what was deleted can't be read from the file either."""
    ledger.prepare()
    file = ledger.place.engine.dialect.name == "sqlite"
    with ledger.place.writing() as connection:
        if file:
            connection.exec_driver_sql("PRAGMA secure_delete = ON")
        yield connection
    if file:
        with ledger.place.faults(), ledger.place.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _keys(customer: str) -> frozenset[str]:
    """The keys that a value may have; a company's account is nobody's own, so it is only meant where it says so."""
    found = set(split_keys(customer.strip()))
    if not found:
        forms = {normalise(kind, customer) for kind in _OWN} | {customer}  # the address alone, without a name before it
        found.update(key(kind, form) or "" for kind in _OWN for form in forms if form is not None)
    if not found - {""}:
        do = "name an id, an address, a phone number or a handle as the helpdesk has it"
        raise ConfigError("this names no customer", where="CUSTOMER", got="nothing that a key can be made of", do=do)
    return frozenset(found - {""})


def _decisions_of(connection: Connection, keys: Sequence[str]) -> list[Row]:
    """Decisions on tickets of a customer; those that know the ticket only by its id among them."""
    columns = (DECISIONS.c.key, DECISIONS.c.ticket_id, DECISIONS.c.content, DECISIONS.c.customer_keys)
    asked = select(*columns, DECISIONS.c.scored)
    own = or_(*(DECISIONS.c.customer_keys.contains(f" {key} ", autoescape=True) for key in keys))
    found: dict[str, Row] = {row["key"]: dict(row) for row in connection.execute(asked.where(own)).mappings()}
    for some in pieces(sorted({row["ticket_id"] for row in found.values() if row["ticket_id"] is not None})):
        rows = connection.execute(asked.where(DECISIONS.c.ticket_id.in_(some))).mappings()
        found |= {row["key"]: dict(row) for row in rows}
    return list(found.values())


def _silence(connection: Connection, contents: Sequence[str]) -> None:
    """Take the words of tickets out of the decisions on them."""
    asked = select(DECISIONS.c.key, DECISIONS.c.scored).where(DECISIONS.c.content.in_(contents))
    rows = [{"the_key": key, "scored": as_json(without_words(json.loads(s)))} for key, s in connection.execute(asked)]
    if rows:
        statement = update(DECISIONS).where(DECISIONS.c.key == bindparam("the_key"))
        connection.execute(statement.values(scored=bindparam("scored")), rows)


def _blank_decisions(connection: Connection, found: Sequence[Row]) -> None:
    blank = {"ticket_id": None, "content": "", "customer_keys": ""}
    statement = update(DECISIONS).where(DECISIONS.c.key == bindparam("the_key"))
    rows = [{"the_key": row["key"], "scored": _impersonal(row["scored"])} | blank for row in found]
    if rows:
        connection.execute(statement.values({name: bindparam(name) for name in ("scored", *blank)}), rows)


def _impersonal(scored: str) -> str:
    told = without_words(json.loads(scored))
    return as_json({name: None if name in _PERSONAL else value for name, value in told.items()})


def _blank_feedback(connection: Connection, ids: Sequence[str]) -> int:
    """Feedback keeps the decision that it is about: found by the ticket's id, for the last time."""
    rows = []
    for some in pieces(ids):
        said = connection.execute(asked_feedback().where(FEEDBACK.c.ticket_id.in_(some))).mappings()
        rows += [{"the_key": row["key"], "about": row["about"]} for row in said]
    if rows:
        statement = update(FEEDBACK).where(FEEDBACK.c.key == bindparam("the_key"))
        connection.execute(statement.values(ticket_id=None, decision=bindparam("about")), rows)
    return len(rows)


def _remove_tickets(connection: Connection, contents: Sequence[str]) -> int:
    removed = 0
    for some in pieces(contents):
        removed += connection.execute(delete(TICKETS).where(TICKETS.c.content.in_(some))).rowcount
    return removed
