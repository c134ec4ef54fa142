"""The tables of the store: what was put in, and the sums that are made of it.

Moments are microseconds since 1970. Tickets, events, outcomes and readings are what was received; amounts, sums,
meetings and links are made of them and could be made anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, MetaData, SmallInteger, Table, Text

from pipeline.history.log import WORDS

VERSION = "1"
"""Of the tables and of what is made of the facts in them; another number: another store."""

AT_ONCE = 512
"""So many tickets, or keys, are asked for in one statement."""

T = TypeVar("T")

METADATA = MetaData()

_TEXT = Text().with_variant(Text(collation="C"), "postgresql")  # order and equality by bytes, as in Python


def _table(name: str, *columns: Column[Any] | Index) -> Table:
    return Table(f"history_{name}", METADATA, *columns, sqlite_with_rowid=False)


def _key(name: str, kind: Any = _TEXT) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False)


META = _table("meta", _key("name"), Column("value", _TEXT, nullable=False))
"""`VERSION`, and the settings that the amounts and links were made by."""

TICKETS = _table(
    "tickets",
    _key("ticket_id"),
    Column("created_at", BigInteger),
    *(Column(name, _TEXT) for name in ("customer_id", "customer_keys", "queue", "language", "keys")),
)
"""`record.TICKETS`, and the customer's keys, the strongest first; null: nobody knows."""

REASONS = _table("reasons", _key("ticket_id"), Column("code", _TEXT, nullable=False))
"""Contact reasons (`history/reasons.py`), where the settings name what says them; else nobody asks for this table."""

EVENTS = _table(
    "events",
    _key("ticket_id"),
    _key("key", BigInteger),
    Column("received_at", BigInteger, nullable=False),
    Column("occurred_at", BigInteger),
    Column("seq", BigInteger),
    Column("kind", _TEXT, nullable=False),
    *(Column(name, _TEXT) for name in ("side", "actor", "field", "value")),
    *(Column(name, Double) for name in WORDS),
)
"""`record.EVENTS`, whether their ticket is known or not; `key` has its highest bit as a sign."""

READINGS = _table(
    "readings", _key("ticket_id"), _key("key", BigInteger), _key("language"), *(Column(name, Double) for name in WORDS)
)
"""What a message says in each language that it may be in, until its ticket's language is known."""

OUTCOMES = _table("outcomes", _key("ticket_id"), Column("known_at", BigInteger, nullable=False))
"""Tickets that escalated by their outcome, and when that was known."""

AMOUNTS = _table(
    "amounts",
    _key("ticket_id"),
    _key("key"),
    _key("fact", SmallInteger),
    _key("at", BigInteger),
    Column("amount", Double, nullable=False),
    Index("history_amounts_by_key", "key", "fact", "at", "ticket_id", "amount"),
)
"""`history/amounts.py`; those of one ticket, key, fact and moment are one row."""

SUMS = _table(
    "sums", _key("key"), _key("fact", SmallInteger), _key("day", BigInteger), Column("amount", Double, nullable=False)
)
"""Amounts by day, so that a read need not add up all that ever happened."""

MEETINGS = _table(
    "meetings",
    _key("ticket_id"),
    _key("key_a"),
    _key("key_b"),
    Column("at", BigInteger, nullable=False),
    Index("history_meetings_by_pair", "key_a", "key_b", "at", "ticket_id"),
)
"""Which keys met on which ticket."""

LINKS = _table(
    "links",
    _key("here"),
    _key("there"),
    Column("account", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("ticket_id", _TEXT, nullable=False),
    Index("history_links_in_time", "here", "account", "at"),
)
"""The first meeting of each pair, once from either side; `account`: whether the other side is one."""


def pieces(values: Sequence[T], size: int = AT_ONCE) -> Iterator[Sequence[T]]:
    """The values in order, at most `size` at once."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
