"""How rows go in and come out: SQLAlchemy writes each statement once, and the driver runs it.

A ticket's update is a dozen statements of a few rows. To hand one to SQLAlchemy takes several times as long as the
database takes for it; its text, made once for each kind of database, goes to the transaction's own connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ClauseElement, Connection, Select, Table, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.history.store.tables import pieces

Row = dict[str, Any]
Values = Mapping[str, Any]


def insert(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    """Add rows that aren't there."""
    if found := list(rows):
        _run(connection, _insert(table), found)


def upsert(connection: Connection, table: Table, rows: Iterable[Row], *, add: str | None = None) -> None:
    """Add rows, or set the values of those that are there; the column `add` grows by the new value instead."""
    if found := list(rows):
        _run(connection, _upsert(table, connection.dialect.name, add), found)


def update(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    """Set the values of rows, found by their primary key, that are there; all rows have the same columns."""
    if found := list(rows):
        keys = {column.name for column in table.primary_key}
        statement = _update(table, tuple(name for name in found[0] if name not in keys))
        _run(connection, statement, [{f"the_{n}" if n in keys else n: v for n, v in row.items()} for row in found])


def delete(connection: Connection, table: Table, keys: Iterable[Row]) -> None:
    """Take rows out by (some columns of) their primary key."""
    if found := list(keys):
        statement = _delete(table, tuple(found[0]))
        _run(connection, statement, [{f"the_{name}": value for name, value in key.items()} for key in found])


def rows_of(connection: Connection, table: Table, ticket_ids: Sequence[str]) -> list[Row]:
    """All rows of a table that are of some tickets."""
    names = table.columns.keys()
    return [dict(zip(names, row, strict=True)) for row in cells_of(connection, table, ticket_ids)]


def cells_of(connection: Connection, table: Table, ticket_ids: Sequence[str]) -> list[tuple[Any, ...]]:
    """The same as tuples, in the order of the table's columns."""
    return [row for some in pieces(ticket_ids) for row in fetch(connection, _of(table), {"ids": list(some)})]


def fetch(connection: Connection, statement: ClauseElement, values: Values) -> list[tuple[Any, ...]]:
    """What a statement finds; the values of an expanding parameter are a list of one at least.

    Parameters
    ----------
    statement : ClauseElement
        One that is made once: its text is kept.
    """
    flat: Row = {}
    filled = {name: _filled(some) if isinstance(some, list) else some for name, some in values.items()}
    for name, some in filled.items():
        flat |= {f"{name}_{n}": value for n, value in enumerate(some, 1)} if isinstance(some, list) else {name: some}
    kept = _kept(connection, statement, filled)
    with _cursor(connection) as cursor:
        cursor.execute(kept.text, kept.given(flat))
        return list(cursor.fetchall())


class _Kept(NamedTuple):
    """A statement as one kind of database reads it."""

    text: str
    order: tuple[str, ...] | None
    """Names of the values that it takes by position; None: it takes them by name."""

    own: Values
    """Values that SQLAlchemy put in itself, such as where a limit begins."""

    def given(self, values: Values) -> Any:
        told = {**self.own, **values} if self.own else values
        return told if self.order is None else [told[name] for name in self.order]


_TEXTS: dict[tuple[Any, ...], _Kept] = {}


def _kept(connection: Connection, statement: ClauseElement, values: Values) -> _Kept:
    place = (connection.dialect.name, statement, *(len(some) for some in values.values() if isinstance(some, list)))
    if place not in _TEXTS:
        some = statement.params(values) if values else statement
        made: Any = some.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": bool(values)})
        own = {name: bind.value for name, bind in made.binds.items() if name not in values and not bind.required}
        _TEXTS[place] = _Kept(made.string, tuple(made.positiontup) if made.positional else None, own)
    return _TEXTS[place]


def _run(connection: Connection, statement: ClauseElement, rows: Sequence[Row]) -> None:
    kept = _kept(connection, statement, {})
    with _cursor(connection) as cursor:
        if len(rows) == 1:
            cursor.execute(kept.text, kept.given(rows[0]))
        else:
            cursor.executemany(kept.text, [kept.given(row) for row in rows])


@contextmanager
def _cursor(connection: Connection) -> Iterator[Any]:
    """The driver's own. A connection that was lost is given up: to roll back on it would be the error that is told."""
    dialect, driver = connection.dialect, connection.connection
    cursor = driver.cursor()
    try:
        yield cursor
    except dialect.loaded_dbapi.Error as error:
        if dialect.is_disconnect(error, driver, cursor):
            connection.invalidate(error)
        raise
    finally:
        cursor.close()


def _filled(some: list[Any]) -> list[Any]:
    """The values, the last again and again up to a power of two: so there are few texts of a statement."""
    return some + some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))


# Statements are made once: to make and to name one takes longer than to run it.


@cache
def _of(table: Table) -> Select[Any]:
    return select(table).where(table.c.ticket_id.in_(bindparam("ids", expanding=True)))


@cache
def _insert(table: Table) -> ClauseElement:
    return table.insert()


@cache
def _upsert(table: Table, dialect: str, add: str | None) -> ClauseElement:
    statement = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    new: dict[str, Any] = {c.name: statement.excluded[c.name] for c in table.columns if not c.primary_key}
    if add:
        new[add] = table.c[add] + statement.excluded[add]
    return statement.on_conflict_do_update(index_elements=[c.name for c in table.primary_key], set_=new)


@cache
def _update(table: Table, names: tuple[str, ...]) -> ClauseElement:
    place = [column == bindparam(f"the_{column.name}") for column in table.primary_key]
    return table.update().where(*place).values({name: bindparam(name) for name in names})


@cache
def _delete(table: Table, names: tuple[str, ...]) -> ClauseElement:
    return table.delete().where(*(table.c[name] == bindparam(f"the_{name}") for name in names))
