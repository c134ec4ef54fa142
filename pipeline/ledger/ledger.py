"""The ledger: every decision that was served and everything that people said of it, in a database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from threading import Lock
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Select, func, inspect, select

from pipeline.errors import StoreError
from pipeline.history.store.engine import Place, Thing, place
from pipeline.history.store.rows import storable
from pipeline.history.store.tables import pieces
from pipeline.ledger.decisions import Decision, micros
from pipeline.ledger.feedback import Feedback
from pipeline.ledger.tables import (
    DECISIONS,
    FEEDBACK,
    IN_TIME,
    META,
    METADATA,
    STEPS,
    TICKETS,
    VERSION,
    Row,
    Words,
    asked_decisions,
    asked_feedback,
    asked_words,
    decision_of,
    decision_row,
    feedback_of,
    feedback_row,
    insert,
    ticket_row,
    unknown,
    words_of,
)
from pipeline.tickets.cells import text_of

TIMEOUT_SECONDS = 5.0
"""So long one writer waits for another; what can't be written by then goes to the spool."""

LEDGER = Thing("ledger", "begin one by `triage score … --ledger URL`", 0x7472696167650002)

_AT_ONCE = 1_000


class Ledger:
    """Decisions and feedback in a database; made by `open_ledger`, and a context manager that closes it.

    Threads may share one; processes share the database, and each opens it for itself.

    Parameters
    ----------
    place : Place
        The database.
    as_it_is : bool
        Whether a ledger has to be there.
    """

    def __init__(self, place: Place, *, as_it_is: bool = False) -> None:
        self.place, self.as_it_is = place, as_it_is
        self._ready, self._lock = False, Lock()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self.place.engine.dispose()

    def write(self, decisions: Sequence[Decision]) -> int:
        """Take in decisions in one transaction; once it returns, a crash loses none of them.

        Returns
        -------
        int
            How many weren't there before; one with the key of an earlier one changes nothing.

        Raises
        ------
        StoreError
            None was written.
        """
        return self.take_in(decisions, ())

    def add_feedback(self, feedback: Sequence[Feedback]) -> int:
        """Take in feedback in one transaction, as `write` does.

        Raises
        ------
        StoreError
            None was written.
        """
        return self.take_in((), feedback)

    def take_in(self, decisions: Sequence[Decision], feedback: Sequence[Feedback]) -> int:
        """Both in one transaction; how many rows are new.

        Raises
        ------
        StoreError
            Nothing was written.
        """
        made = {one.key: one for one in sorted(decisions, key=_key)}  # in one order: two writers never wait in a ring
        said = {one.key: one for one in sorted(feedback, key=_key)}
        if not made and not said:
            return 0
        self.prepare()
        with self.place.writing(alone=False) as connection:
            fresh = unknown(connection, DECISIONS, list(made))
            kept = {made[key].content: made[key] for key in fresh if made[key].ticket is not None}
            insert(connection, TICKETS, [ticket_row(kept[content]) for content in sorted(kept)])
            insert(connection, DECISIONS, [decision_row(made[key]) for key in fresh])
            new = unknown(connection, FEEDBACK, list(said))
            insert(connection, FEEDBACK, [feedback_row(said[key]) for key in new])
        return len(fresh) + len(new)

    def decisions(self, ticket_id: str) -> list[Decision]:
        """Every decision on a ticket, the oldest first, each with the redacted ticket if that is kept.

        Raises
        ------
        StoreError
        """
        mine = asked_decisions().where(DECISIONS.c.ticket_id == storable(text_of(ticket_id)))
        return [decision_of(row) for row in self._rows(mine.order_by(*IN_TIME))]

    def words(self, ticket_ids: Collection[str]) -> dict[str, Words]:
        """What is kept of tickets, as they were last decided on; those of which nothing is kept are left out.

        Raises
        ------
        StoreError
        """
        by_stored = {storable(text_of(ticket_id)): ticket_id for ticket_id in ticket_ids}
        found: dict[str, Words] = {}
        for some in pieces(sorted(str(name) for name in by_stored if name is not None)):
            for row in self._rows(asked_words().where(DECISIONS.c.ticket_id.in_(some)).order_by(*IN_TIME)):
                found[by_stored[row["ticket_id"]]] = words_of(row)
        return found

    def feedback(self, ticket_id: str) -> list[Feedback]:
        """Everything that was said of a ticket, the oldest first, each with the decision that it is about.

        Raises
        ------
        StoreError
        """
        mine = asked_feedback().where(FEEDBACK.c.ticket_id == storable(text_of(ticket_id)))
        return [feedback_of(row) for row in self._rows(mine.order_by(FEEDBACK.c.given_at, FEEDBACK.c.key))]

    def all_decisions(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[Decision]:
        """Decisions made from a moment on and before another, the oldest first, without holding all of them.

        Raises
        ------
        StoreError
        """
        asked = _between(asked_decisions(), DECISIONS.c.decided_at, since, until)
        yield from map(decision_of, self._stream(asked.order_by(*IN_TIME)))

    def all_feedback(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[Feedback]:
        """Feedback given from a moment on and before another, the oldest first.

        Raises
        ------
        StoreError
        """
        asked = _between(asked_feedback(), FEEDBACK.c.given_at, since, until)
        yield from map(feedback_of, self._stream(asked.order_by(FEEDBACK.c.given_at, FEEDBACK.c.key)))

    def named(self, keys: Collection[str]) -> list[Decision]:
        """Decisions by their keys, in the order of the keys; unknown ones are left out.

        Raises
        ------
        StoreError
        """
        wanted = sorted(keys)
        asked = asked_decisions().order_by(DECISIONS.c.key)
        some = (self._rows(asked.where(DECISIONS.c.key.in_(part))) for part in pieces(wanted))
        return [decision_of(row) for rows in some for row in rows]

    def counts(self) -> dict[str, int]:
        """How many decisions, kept tickets and pieces of feedback there are.

        Raises
        ------
        StoreError
        """
        self.prepare()
        asked = {"decisions": DECISIONS, "tickets": TICKETS, "feedback": FEEDBACK}
        with self.place.reading() as connection:
            counted = {n: connection.scalar(select(func.count()).select_from(t)) for n, t in asked.items()}
        return {name: int(count or 0) for name, count in counted.items()}

    def prepare(self) -> None:
        """Make the tables where there are none; nothing once that is done.

        Raises
        ------
        StoreError
            No ledger and `as_it_is`; one of another version.
        """
        with self._lock:
            if self._ready:
                return
            with self.place.reading() as connection:
                there, whole = _version(connection), inspect(connection).has_table(STEPS.name)
            if there is None:
                self._make()
            elif there != VERSION:
                got, do = f"version {there}; this is {VERSION}", "open it with the version that made it"
                raise StoreError("the ledger was made by another version", where=self.place.name, got=got, do=do)
            elif not whole and not self.as_it_is:
                with self.place.writing() as connection:
                    METADATA.create_all(connection)
            if self.place.file is not None:
                self.place.file.mark()
            self._ready = True

    def _make(self) -> None:
        if self.as_it_is:
            do = f"check the name, or {LEDGER.made}"
            raise StoreError("there is no ledger", where=self.place.name, do=do)
        with self.place.writing() as connection:
            if _version(connection) is None:  # another process may have been quicker
                METADATA.create_all(connection)
                connection.execute(META.insert(), [{"name": "version", "value": VERSION}])

    def _rows(self, asked: Select[Any]) -> list[Row]:
        self.prepare()
        with self.place.reading() as connection:
            return [dict(row) for row in connection.execute(asked).mappings()]

    def _stream(self, asked: Select[Any]) -> Iterator[Row]:
        self.prepare()
        with self.place.reading() as connection:
            for row in connection.execute(asked.execution_options(yield_per=_AT_ONCE)).mappings():
                yield dict(row)


def open_ledger(
    url: str, *, as_it_is: bool = False, lazily: bool = False, timeout_seconds: float = TIMEOUT_SECONDS
) -> Ledger:
    """Open a ledger, or make one where there is none.

    Parameters
    ----------
    url : str
        `sqlite:///FILE.db` or a path that ends in `.db`; `postgresql://USER@HOST/DATABASE`.
    as_it_is : bool
        For those who only read: a ledger that isn't there is an error.
    lazily : bool
        Whether the database is first asked when something is written or read: for a door that must start, and spool,
        while the database is down.
    timeout_seconds : float
        So long one writer waits for another.

    Raises
    ------
    StoreError
        An unknown kind of URL, a folder that isn't there, an extra that isn't installed; unless `lazily`, also a
        database that is locked or of another version, or a server that can't be reached.
    """
    found = Ledger(place(url, timeout_seconds=timeout_seconds, there=as_it_is, thing=LEDGER), as_it_is=as_it_is)
    if not lazily:
        try:
            found.prepare()
        except BaseException:
            found.close()
            raise
    return found


def _key(one: Decision | Feedback) -> str:
    return one.key


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(META.name):
        return None
    found = connection.scalar(select(META.c.value).where(META.c.name == "version"))
    return None if found is None else str(found)


def _between(asked: Select[Any], column: Any, since: datetime | None, until: datetime | None) -> Select[Any]:
    asked = asked if since is None else asked.where(column >= micros(since))
    return asked if until is None else asked.where(column < micros(until))
