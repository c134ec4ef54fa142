"""The history, kept up event by event: what was put in comes back as the little that a look needs."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

import pandas as pd
from sqlalchemy import func, select

from pipeline.config import History as Settings
from pipeline.errors import InputError
from pipeline.history.amounts import DESK, FACTS
from pipeline.history.log import moments
from pipeline.history.record import History, Roles
from pipeline.history.store.engine import Place, place
from pipeline.history.store.frames import SmallHistory, columns_of, events_frame
from pipeline.history.store.intake import Put, spoken, take_in, unread
from pipeline.history.store.look import look_up
from pipeline.history.store.opening import agree, agreed, check, prepare
from pipeline.history.store.pieces import pieces
from pipeline.history.store.rows import Batch, batch_of, readings
from pipeline.history.store.statements import cells_of
from pipeline.history.store.tables import AMOUNTS, EVENTS, OUTCOMES, TICKETS

__all__ = ["TIMEOUT_SECONDS", "Counts", "Put", "Store", "open_store"]

TIMEOUT_SECONDS = 30.0
"""So long one writer waits for another."""


def open_store(
    url: str, settings: Settings, *, as_it_is: bool = False, timeout_seconds: float = TIMEOUT_SECONDS
) -> Store:
    """Open a store, or make one where there is none.

    Parameters
    ----------
    url : str
        `sqlite:///FILE.db` or a path that ends in `.db`; `postgresql://USER@HOST/DATABASE`.
    settings : History
        Who counts as one customer. With another `shared` than the store was made with, its amounts and links are made
        anew, which takes about as long as putting everything in did. Another `contact_reason` is refused once there is
        a ticket: what it was about wasn't kept.
    as_it_is : bool
        For those who only read: a store that isn't there, or was made with another `shared`, is an error.
    timeout_seconds : float
        So long one writer waits for another.

    Raises
    ------
    StoreError
        An unknown kind of URL, a folder that isn't there, no database, one made by another version or for other
        contact reasons, one that is locked, a server that can't be reached, an extra that isn't installed.
    """
    found = place(url, timeout_seconds=timeout_seconds, there=as_it_is)
    try:
        anew = prepare(found, settings, as_it_is=as_it_is)
    except BaseException:
        found.engine.dispose()
        raise
    if found.file is not None:
        found.file.mark()
    return Store(found, settings, made_anew=anew)


@dataclass(frozen=True)
class Counts:
    """What a store holds.

    Attributes
    ----------
    tickets, events, escalated : int
        `escalated`: tickets whose outcome says so.
    waiting : int
        Events of tickets that nobody has put in yet.
    """

    tickets: int
    events: int
    escalated: int
    waiting: int


@dataclass(frozen=True)
class Store:
    """Dated facts of tickets in a database; made by `open_store`, and a context manager that closes it.

    Threads may share one; processes share the database, and each opens it for itself. No text, name or address is kept
    in it: of a message its mood and telling words, of an address the key.
    """

    place: Place
    settings: Settings
    made_anew: bool = False
    """Whether opening it made amounts and links anew, as other keys are shared now."""

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self.place.engine.dispose()

    def roles(self) -> Roles | None:
        """What the events were named by; None where nobody has said so yet.

        Raises
        ------
        StoreError
        """
        with self.place.reading() as connection:
            return agreed(connection)

    def agree(self, roles: Roles) -> None:
        """Hold to what the events were named by, so that one event can't come in under two names.

        Raises
        ------
        StoreError
            Events were put in by other roles: they would have to be put in anew.
        """
        with self.place.writing() as connection:
            agree(connection, self.place, roles)

    def put(
        self,
        tickets: pd.DataFrame,
        events: pd.DataFrame,
        outcomes: pd.DataFrame | None = None,
        *,
        settled: bool = False,
    ) -> Put:
        """Take in tickets, what happened to them, and what became of them; once it returns, a crash loses nothing.

        All of it is one transaction. The order in which things come, and how often, changes nothing: an event may come
        before its ticket, or late. Of a ticket that comes again what it says now counts, where it says anything.

        Parameters
        ----------
        tickets : DataFrame
            `record.TICKETS` or the schema's columns; only `ticket_id` must be there. Their `REASON`, as
            `record.known_tickets` makes it, where the settings say what a ticket is about.
        events : DataFrame
            By the schema EVENTS, of the kinds `log.KINDS`, with queues, assignees and priorities by our names
            (`Roles.canonical`). Messages are read for their words, and dropped: in their ticket's language, or, as
            long as that isn't known, in all of them.
        outcomes : DataFrame, optional
            By the schema OUTCOMES. Only escalations count, from when they were known.
        settled : bool
            Whether these are all the outcomes of `tickets` as they are known now: one that was told before and isn't
            among them, or was known at another time, is put right. Else the earliest that was ever told stands.

        Raises
        ------
        InputError
            A column is missing.
        StoreError
            Nothing was stored.
        """
        return self._put(batch_of(tickets, events, outcomes, settled=settled))

    def put_history(self, history: History) -> Put:
        """Take in all that `record` has made, piece by piece; each piece is one transaction.

        Raises
        ------
        StoreError
            The pieces before were stored.
        """
        return sum((self._put(batch_of(*piece)) for piece in pieces(history)), Put())

    def read(self, tickets: pd.DataFrame) -> SmallHistory:
        """The history that some tickets need as of their moments: `AsOf.look` sees in it what it sees in the whole.

        Amounts that nobody asks for one by one come as sums, so that it stays small however long the history is.

        Parameters
        ----------
        tickets : DataFrame
            Parsed tickets: `ticket_id`, `created_at`, `customer_id`, `customer_keys`, and `as_of`, `queue` and the
            field of their contact reason where they are known. A ticket may stand there at several moments.

        Raises
        ------
        InputError
            `ticket_id` or `created_at` is missing.
        StoreError
        """
        with self.place.reading() as connection:
            check(connection, self.place, self.settings)
            return look_up(connection, tickets, self.settings)

    def open_tickets(self, moment: pd.Timestamp) -> list[str]:
        """Ids of the tickets that are neither resolved nor closed as of a moment (aware), the oldest first."""
        if moment.tzinfo is None:
            raise InputError(
                "a moment without a time zone", where="moment", got=str(moment), do="say which, such as UTC"
            )
        at = int(moments(pd.Series([moment]))[0])
        opened = (AMOUNTS.c.key == DESK) & (AMOUNTS.c.fact == FACTS.index("open")) & (AMOUNTS.c.at < at)
        still = select(AMOUNTS.c.ticket_id).where(opened).group_by(AMOUNTS.c.ticket_id)
        open_ = still.having(func.sum(AMOUNTS.c.amount) > 0).subquery()
        asked = select(TICKETS.c.ticket_id).join(open_, open_.c.ticket_id == TICKETS.c.ticket_id)
        with self.place.reading() as connection:
            return list(connection.scalars(asked.order_by(TICKETS.c.created_at, TICKETS.c.ticket_id)))

    def events(self, ticket_id: str) -> pd.DataFrame:
        """`record.EVENTS` of one ticket, in the order in which they were received."""
        with self.place.reading() as connection:
            found = events_frame(columns_of(EVENTS.columns.keys(), cells_of(connection, EVENTS, [ticket_id])))
        return found.sort_values(["received_at", "occurred_at", "seq", "key"], ignore_index=True)

    def counts(self) -> Counts:
        """How much there is."""
        with self.place.reading() as connection:
            tickets, events, escalated = (
                connection.scalar(select(func.count()).select_from(table)) for table in (TICKETS, EVENTS, OUTCOMES)
            )
            unknown = EVENTS.c.ticket_id.not_in(select(TICKETS.c.ticket_id))
            waiting = connection.scalar(select(func.count()).select_from(EVENTS).where(unknown))
        return Counts(int(tickets or 0), int(events or 0), int(escalated or 0), int(waiting or 0))

    def _put(self, batch: Batch) -> Put:
        texts, languages = batch.texts, dict[str, str]()
        if batch.texts:
            with self.place.reading() as connection:
                texts, languages = unread(connection, batch), spoken(connection, batch)
        of = {key: languages.get(batch.events[key]["ticket_id"]) for key in texts}
        read = readings(texts, of)
        with self.place.writing() as connection:
            check(connection, self.place, self.settings)
            return take_in(connection, batch, read, self.settings)
