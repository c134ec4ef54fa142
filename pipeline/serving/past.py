"""Where a door's history comes from: a store that is kept up event by event, or what an import left in RAW_DIR."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from pipeline.answer import Answer
from pipeline.config import Params, Tickets
from pipeline.errors import ConfigError, InputError
from pipeline.history.amounts import DESK, FACTS
from pipeline.history.definitions import parse_duration
from pipeline.history.log import moments
from pipeline.history.record import DatedFacts, History, record
from pipeline.history.store import TIMEOUT_SECONDS, Store, open_store
from pipeline.history.store.engine import without_secrets
from pipeline.scorer import Scorer
from pipeline.sources.raw import Raw, contents_hash, load_raw, relabel
from pipeline.tickets import parse
from pipeline.tickets.times import read_moment


class Past(Protocol):
    """Something that knows what happened to tickets."""

    @property
    def identity(self) -> str:
        """Which one, and what it holds: a resumed run must have the same."""
        ...

    def read(self, tickets: pd.DataFrame) -> DatedFacts:
        """The facts that some tickets need as of their moments."""
        ...

    def open_tickets(self, moment: pd.Timestamp) -> list[str]:
        """Ids of the tickets that are neither resolved nor closed as of a moment (aware)."""
        ...


@dataclass(frozen=True)
class FolderPast:
    """The history of a RAW_DIR, in memory: right for a file of tickets, too slow to open for one of them."""

    raw: Raw
    settings: Params
    identity: str

    @cached_property
    def whole(self) -> History:
        """Everything, as training saw it."""
        definitions, outcomes = relabel(self.raw, self.settings.outcomes, customers=self.settings.history)
        made = record(self.raw.tickets, self.raw.events, outcomes, definitions, self.settings.history)
        return made.by_ticket()

    def read(self, tickets: pd.DataFrame) -> History:
        """The tickets' own events, and all that surrounds them."""
        return self.whole.of(tickets["ticket_id"].dropna().astype(str).to_numpy(dtype=object))

    def open_tickets(self, moment: pd.Timestamp) -> list[str]:
        """Those that have been opened more often than ended, the oldest first: what a store counts too."""
        amounts, at = self.whole.amounts, int(moments(pd.Series([moment]))[0])
        opened = (amounts["key"] == DESK) & (amounts["fact"] == FACTS.index("open")) & (amounts["at"] < at)
        turns = amounts[opened.to_numpy(bool)].groupby("ticket_id")["amount"].sum()
        tickets = self.whole.tickets[self.whole.tickets["ticket_id"].isin(turns.index[turns > 0]).to_numpy(bool)]
        return [str(i) for i in tickets.sort_values(["created_at", "ticket_id"])["ticket_id"]]


@dataclass(frozen=True)
class StorePast:
    """A store in a database."""

    store: Store
    identity: str

    def read(self, tickets: pd.DataFrame) -> DatedFacts:
        """What the store knows of them."""
        return self.store.read(tickets)

    def open_tickets(self, moment: pd.Timestamp) -> list[str]:
        """As the store counts them."""
        return self.store.open_tickets(moment)


@dataclass(frozen=True)
class Moment:
    """As of when tickets are scored: one moment for all, or an age of each.

    Attributes
    ----------
    at : Timestamp or None
    age : Timedelta or None
        After each ticket's creation. Both None: as their `as_of` says, or at their creation.
    """

    at: pd.Timestamp | None = None
    age: pd.Timedelta | None = None

    @classmethod
    def of(cls, text: str | None, *, now: datetime | None = None) -> Moment:
        """A moment (`tickets.times.read_moment`), or an age such as `+24h`.

        Raises
        ------
        ConfigError
            For anything else.
        """
        if text is None:
            return cls()
        if parse_duration(text) is not None:
            raise ConfigError("an age begins with a plus", where="--as-of", got=text, do=f"write +{text}")
        if not text.startswith("+"):
            return cls(at=read_moment(text, "--as-of", now=now))
        age = parse_duration(text[1:])
        if age is not None or text[1:].strip() in ("0", "0h"):
            return cls(age=age if age is not None else pd.Timedelta(0))
        raise ConfigError("not an age", where="--as-of", got=text, do="write it like +24h or +7d")

    @property
    def words(self) -> str:
        """As it is written in a header."""
        if self.at is not None:
            return str(self.at.isoformat())
        return "" if self.age is None else f"+{self.age.total_seconds():.0f}s"

    def of_tickets(self, tickets: pd.DataFrame) -> pd.DataFrame:
        """The tickets with their moments."""
        if self.at is not None:
            return tickets.assign(as_of=pd.Series(self.at, index=tickets.index).astype("datetime64[us, UTC]"))
        if self.age is None or "created_at" not in tickets:
            return tickets
        created = pd.to_datetime(tickets["created_at"], utc=True, errors="coerce").astype("datetime64[us, UTC]")
        return tickets.assign(as_of=created + self.age)


@dataclass(frozen=True)
class Remembering:
    """A scorer that looks its tickets up in a history before it scores them: the doors see one scorer.

    Attributes
    ----------
    scorer : Scorer
    past : Past or None
        None: the tickets stand by themselves.
    moment : Moment
        As of when.
    """

    scorer: Scorer
    past: Past | None
    moment: Moment

    @property
    def version(self) -> str:
        """The scorer's."""
        return self.scorer.version

    @property
    def reference(self) -> dict[str, Any]:
        """The scorer's."""
        return self.scorer.reference

    @property
    def levels(self) -> tuple[str, ...]:
        """The scorer's."""
        return self.scorer.levels

    @property
    def seen(self) -> dict[str, str]:
        """Which history, as of when: what the answers depend on besides tickets and scorer."""
        return {"history": self.past.identity if self.past else "", "as_of": self.moment.words}

    def score(self, tickets: pd.DataFrame, *, explain: bool = False) -> pd.DataFrame:
        """One scored row for each ticket, in order."""
        dated = self.moment.of_tickets(tickets)
        return self.scorer.score(dated, history=self._history(dated), explain=explain)

    def answer(self, tickets: pd.DataFrame, *, explain: bool = False) -> tuple[Answer, pd.Series]:
        """The same as plain columns, and the rows' moments."""
        dated = self.moment.of_tickets(tickets)
        return self.scorer.answer(dated, history=self._history(dated), explain=explain)

    def _history(self, dated: pd.DataFrame) -> DatedFacts | None:
        if self.past is None:
            return None
        return self.past.read(as_asked(dated, self.scorer.queue_column, self.scorer.reason_column))


def as_asked(tickets: pd.DataFrame, queue_column: str | None, reason_column: str | None) -> pd.DataFrame:
    """What a history is asked for: ids, customers, reasons, first queues and moments, read as the scorer reads them.

    Parameters
    ----------
    queue_column, reason_column : str or None
        See `Scorer.queue_column` and `Scorer.reason_column`.
    """
    said = [reason_column] if reason_column in tickets else []
    names = ["ticket_id", "created_at", "customer_id", "customer_keys", "as_of", queue_column, reason_column]
    asked = parse(tickets[[n for n in dict.fromkeys(names) if n in tickets]].assign(subject=None), Tickets())
    queue = asked[queue_column] if queue_column in asked else pd.Series(None, index=asked.index, dtype="str")
    named = asked.assign(queue=queue)[asked["ticket_id"].notna().to_numpy(bool)]
    return named[[*names[:4], *(n for n in ("as_of",) if n in named), *said, "queue"]].drop_duplicates("ticket_id")


@contextmanager
def open_past(
    place: str | None, settings: Params, *, timeout_seconds: float = TIMEOUT_SECONDS
) -> Iterator[Past | None]:
    """The history at a place; None where no place is named.

    Parameters
    ----------
    place : str or None
        A RAW_DIR, or the URL of a store.
    settings : Params
        The scorer's: its outcomes say what the folder's facts mean.
    timeout_seconds : float
        So long a store that others write to is waited for.

    Raises
    ------
    InputError, StoreError
        Neither a folder that an import made nor a store that can be opened.
    """
    if place is None:
        yield None
    elif place and Path(place).is_dir():
        yield FolderPast(load_raw(Path(place)), settings, f"folder {contents_hash(Path(place))}")
    elif "://" not in place and not place.endswith(".db"):
        do = "name a folder that `triage import` made, or a store such as sqlite:///FILE.db"
        raise InputError("neither a RAW_DIR nor a store", where="--history", got=without_secrets(place), do=do)
    else:
        with open_store(place, settings.history, as_it_is=True, timeout_seconds=timeout_seconds) as store:
            yield StorePast(store, f"store {store.place.name}: {store.counts()}")
