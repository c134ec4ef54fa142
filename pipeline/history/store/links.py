"""Links in the store: which keys met on which ticket, the first meeting of each pair, and the way from key to key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Select, bindparam, select

from pipeline.config import History as Settings
from pipeline.history.identity import LINKS as COLUMNS
from pipeline.history.identity import Identities
from pipeline.history.keys import is_account, keys_each, strength
from pipeline.history.log import NEVER
from pipeline.history.store.statements import Row, delete, fetch, insert, rows_of, upsert
from pipeline.history.store.tables import LINKS, MEETINGS, pieces

Pair = tuple[str, str]
Met = tuple[str, str, int, str]
"""As `identity.Link`: two keys, when they met, on which ticket."""


def remake(connection: Connection, tickets: Sequence[Row]) -> None:
    """Make the links of tickets anew from their keys.

    Parameters
    ----------
    tickets : sequence of row
        Of the table TICKETS.
    """
    new = {(row["ticket_id"], *pair): _at(row) for row in tickets for pair in combinations(split(row["keys"]), 2)}
    ids = [row["ticket_id"] for row in tickets]
    old = {(row["ticket_id"], row["key_a"], row["key_b"]): row["at"] for row in rows_of(connection, MEETINGS, ids)}
    changed = {place: at for place, at in new.items() if old.get(place) != at}
    gone = {place for place, at in old.items() if new.get(place) != at}
    delete(connection, MEETINGS, [dict(zip(_KEY, place, strict=True)) for place in gone])
    insert(connection, MEETINGS, [dict(zip(_KEY, place, strict=True), at=at) for place, at in changed.items()])
    _first(connection, {(a, b) for _, a, b in (*gone, *changed)})


def with_keys(tickets: Sequence[Row], settings: Settings) -> list[Row]:
    """The same rows, with their customers' keys."""
    ids, others = ([row[name] for row in tickets] for name in ("customer_id", "customer_keys"))
    keys = keys_each(ids, others, settings)
    return [row | {"keys": " ".join(own) or None} for row, own in zip(tickets, keys, strict=True)]


def split(keys: str | None) -> list[str]:
    """The keys of a row, the strongest first."""
    return keys.split(" ") if keys else []


def reached(connection: Connection, keys: Iterable[str], span: tuple[int, int], settings: Settings) -> pd.DataFrame:
    """Every link that says who the customers of some keys are, as of any moment from the first to the last of `span`.

    Of an address that met too many accounts only so many links are read as show that it did.

    Returns
    -------
    DataFrame
        `identity.LINKS`.
    """
    first, last = span
    found: dict[Pair, Met] = {}
    seen: set[str] = set()
    waiting = set(keys)
    while waiting:
        seen |= waiting
        met = _links(connection, sorted(waiting), max(last, NEVER + 1), settings)
        if not met:
            break
        found |= {(link[0], link[1]): link for link in map(_strong_first, met)}
        shut = Identities.build(_frame(met), settings).closed
        open_ = {here for here in waiting if here not in shut or shut[here] >= first}
        waiting = {there for here, there, _, _ in met if here in open_} - seen
    return _frame(sorted(found.values(), key=_in_time))


_KEY = tuple(column.name for column in MEETINGS.primary_key)


def _at(ticket: Row) -> int:
    at: int | None = ticket["created_at"]
    return NEVER if at is None else at


def _strong_first(link: Met) -> Met:
    here, there, at, id_ = link
    return link if strength(here) <= strength(there) else (there, here, at, id_)


def _in_time(link: Met) -> tuple[int, str, str]:
    return link[2], link[0], link[1]


def _first(connection: Connection, pairs: Iterable[Pair]) -> None:
    """Set the links of pairs to their first meetings."""
    rows: list[dict[str, Any]] = []
    gone: list[dict[str, Any]] = []
    for one, other in sorted(pairs):
        first = fetch(connection, _MET, {"one": one, "other": other})
        for here, there in ((one, other), (other, one)):
            row: dict[str, Any] = {"here": here, "there": there}
            if not first:
                gone.append(row)
            else:
                at, ticket_id = first[0]
                rows.append(row | {"account": is_account(there), "at": at, "ticket_id": ticket_id})
    delete(connection, LINKS, gone)
    upsert(connection, LINKS, rows)


def _links(connection: Connection, keys: Sequence[str], until: int, settings: Settings) -> list[Met]:
    """Links of keys before a moment; of an address's links to accounts the earliest."""
    enough = settings.max_accounts_per_key + 1 + len(settings.unlink)
    addresses = [k for k in keys if not is_account(k)]
    found: list[Met] = []
    for statement, some in ((_ALL, [k for k in keys if is_account(k)]), (_ADDRESSES, addresses)):
        for piece in pieces(some):
            found += _rows(connection, statement, {"keys": piece, "until": until})
    for here in addresses:
        found += _rows(connection, _ACCOUNTS, {"key": here, "until": until, "enough": enough})
    return found


_ASKED = select(LINKS.c.here, LINKS.c.there, LINKS.c.at, LINKS.c.ticket_id).where(LINKS.c.at < bindparam("until"))
_ALL = _ASKED.where(LINKS.c.here.in_(bindparam("keys", expanding=True)))
_ADDRESSES = _ALL.where(LINKS.c.account.is_(False))
_ACCOUNTS = (
    _ASKED.where(LINKS.c.here == bindparam("key"), LINKS.c.account.is_(True))
    .order_by(LINKS.c.at, LINKS.c.there)
    .limit(bindparam("enough"))
)


_MET = (
    select(MEETINGS.c.at, MEETINGS.c.ticket_id)
    .where(MEETINGS.c.key_a == bindparam("one"), MEETINGS.c.key_b == bindparam("other"))
    .order_by(MEETINGS.c.at, MEETINGS.c.ticket_id)
    .limit(1)
)


def _rows(connection: Connection, asked: Select[Any], values: dict[str, Any]) -> list[Met]:
    return [(here, there, at, id_) for here, there, at, id_ in fetch(connection, asked, values)]


def _frame(links: Sequence[Met]) -> pd.DataFrame:
    if not links:
        return _NONE
    made = pd.DataFrame(links, columns=list(COLUMNS))
    return made.astype(_NONE.dtypes)


_NONE = pd.DataFrame({name: pd.Series(dtype="int64" if name == "at" else "str") for name in COLUMNS})
