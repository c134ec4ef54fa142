"""What is put in meets what is there: new, changed and repeated rows, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, select

from pipeline.config import History as Settings
from pipeline.history.log import WORDS
from pipeline.history.reasons import REASON
from pipeline.history.record import TICKETS as KEPT
from pipeline.history.store import amounts as stored_amounts
from pipeline.history.store import links as stored_links
from pipeline.history.store.rows import UNKNOWN, Batch, Words, earlier, reading_language
from pipeline.history.store.statements import Row, delete, fetch, insert, rows_of, update, upsert
from pipeline.history.store.tables import EVENTS, OUTCOMES, READINGS, TICKETS, pieces
from pipeline.history.store.tickets import keep_tickets, ticket_rows

_NAMES = (*KEPT, REASON)
_SURROUNDINGS = ("created_at", "customer_id", "customer_keys", "queue", REASON)
"""What amounts and links are made of; a ticket's other columns change nothing but itself."""

_KEYS = select(EVENTS.c.key).where(EVENTS.c.ticket_id.in_(bindparam("ids", expanding=True)))
_NONE: Words = (None,) * len(WORDS)


@dataclass(frozen=True)
class Put:
    """What came of a put.

    Attributes
    ----------
    tickets_new, tickets_changed : int
        A ticket that says nothing new is neither.
    events_new, events_repeated : int
    refused : mapping of str to int
        Rows that weren't stored, by code (`rows.CODES`).
    """

    tickets_new: int = 0
    tickets_changed: int = 0
    events_new: int = 0
    events_repeated: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Put) -> Put:
        """Both together."""
        return Put(
            self.tickets_new + other.tickets_new,
            self.tickets_changed + other.tickets_changed,
            self.events_new + other.events_new,
            self.events_repeated + other.events_repeated,
            dict(Counter(self.refused) + Counter(other.refused)),
        )


def take_in(connection: Connection, batch: Batch, read: Mapping[int, Mapping[str, Words]], settings: Settings) -> Put:
    """Store a batch, and make the amounts and links of its tickets anew.

    Parameters
    ----------
    read : mapping of int to mapping of str to Words
        `rows.readings` of the batch's texts.
    """
    happened = {row["ticket_id"] for row in batch.events.values()}
    known = {
        row["ticket_id"]: row
        for row in ticket_rows(connection, sorted({*batch.tickets, *happened, *batch.outcomes}), settings)
    }
    new, changed = _merged(batch.tickets, known, settings)
    keep_tickets(connection, [*new.values(), *changed.values()], settings)
    moved = {id_ for id_, row in changed.items() if any(row[n] != known[id_][n] for n in _SURROUNDINGS)}
    told = {id_ for id_, row in changed.items() if row["language"] != known[id_]["language"]}
    known |= new | changed
    anew = new.keys() | moved | _outcomes(connection, batch)
    there = {row["key"]: row for row in rows_of(connection, EVENTS, sorted(anew | happened))}
    fresh, again = _met(there, batch.events)
    fresh = _with_words(fresh, batch.words, read, known)
    insert(connection, EVENTS, fresh)
    update(connection, EVENTS, [{name: row[name] for name in ("ticket_id", "key", "seq")} for row in again])
    _wait(connection, fresh, read, known)
    _understand(connection, sorted(told | new.keys()), known)
    anew |= {row["ticket_id"] for row in again}
    later = [row for row in fresh if row["ticket_id"] in known and row["ticket_id"] not in anew]
    anew = (anew | stored_amounts.stirred(connection, later, there.values())) & known.keys()
    events = (there | {row["key"]: row for row in (*again, *fresh)}).values()
    stored_amounts.remake(connection, [known[id_] for id_ in sorted(anew)], [*events])
    stored_links.remake(connection, [known[id_] for id_ in sorted(new.keys() | moved)])
    repeated = len(batch.events) - len(fresh) + batch.repeated
    return Put(len(new), len(changed), len(fresh), repeated, dict(batch.refused))


def renew(connection: Connection, settings: Settings) -> None:
    """Make all amounts and links anew, as settings say who is one customer."""
    for ids in pieces(list(connection.scalars(select(TICKETS.c.ticket_id)))):
        tickets = stored_links.with_keys(ticket_rows(connection, ids, settings), settings)
        keep_tickets(connection, tickets, settings)
        stored_amounts.remake(connection, tickets, rows_of(connection, EVENTS, ids))
        stored_links.remake(connection, tickets)


def unread(connection: Connection, batch: Batch) -> dict[int, str]:
    """The messages of a batch that aren't stored yet: to read them takes longer than to look."""
    ids = sorted({batch.events[key]["ticket_id"] for key in batch.texts})
    there = {key for some in pieces(ids) for (key,) in fetch(connection, _KEYS, {"ids": list(some)})}
    return {key: text for key, text in batch.texts.items() if key not in there}


def spoken(connection: Connection, batch: Batch) -> dict[str, str]:
    """Language of each ticket that a batch brings messages of, as far as it is known here or by the batch."""
    ids = sorted({batch.events[key]["ticket_id"] for key in batch.texts})
    rows = (*rows_of(connection, TICKETS, ids), *batch.tickets.values())
    return {row["ticket_id"]: row["language"] for row in rows if row["language"] is not None}


def _merged(
    given: Mapping[str, Row], known: Mapping[str, Row], settings: Settings
) -> tuple[dict[str, Row], dict[str, Row]]:
    """New tickets, and those of which something else is known now; null says nothing."""
    merged = {
        id_: {name: known[id_][name] if row[name] is None and id_ in known else row[name] for name in _NAMES}
        for id_, row in given.items()
    }
    news = [row for id_, row in merged.items() if id_ not in known or any(row[n] != known[id_][n] for n in _NAMES)]
    keyed = {row["ticket_id"]: row for row in stored_links.with_keys(news, settings)} if news else {}
    new = {id_: row for id_, row in keyed.items() if id_ not in known}
    return new, {id_: row for id_, row in keyed.items() if id_ in known}


def _met(there: Mapping[int, Row], given: Mapping[int, Row]) -> tuple[list[Row], list[Row]]:
    """New events, and those that are there but come earlier in their source than was known."""
    again = []
    for key, row in given.items():
        if key in there and (seq := earlier(there[key]["seq"], row["seq"])) != there[key]["seq"]:
            again.append(there[key] | {"seq": seq})
    return [row for key, row in given.items() if key not in there], again


def _with_words(
    events: Sequence[Row],
    words: Mapping[int, Words],
    read: Mapping[int, Mapping[str, Words]],
    known: Mapping[str, Row],
) -> list[Row]:
    """The events, each with what its message says: as it was read before, or in its ticket's language."""
    rows = []
    for row in events:
        said = read.get(row["key"]) or {UNKNOWN: words.get(row["key"], _NONE)}
        own = said.get(_language(row["ticket_id"], known), next(iter(said.values())))
        rows.append(row | dict(zip(WORDS, own, strict=True)))
    return rows


def _wait(
    connection: Connection,
    events: Sequence[Row],
    read: Mapping[int, Mapping[str, Words]],
    known: Mapping[str, Row],
) -> None:
    """Keep what messages say in every language, where their ticket's isn't known."""
    rows = [
        {"ticket_id": row["ticket_id"], "key": row["key"], "language": code} | dict(zip(WORDS, words, strict=True))
        for row in events
        if known.get(row["ticket_id"], {}).get("language") is None
        for code, words in read.get(row["key"], {}).items()
    ]
    insert(connection, READINGS, rows)


def _understand(connection: Connection, ticket_ids: Sequence[str], known: Mapping[str, Row]) -> None:
    """Give the messages of tickets the words of their language, once that is known."""
    ids = [id_ for id_ in ticket_ids if known[id_]["language"] is not None]
    rows = rows_of(connection, READINGS, ids)
    said = [row for row in rows if row["language"] == _language(row["ticket_id"], known)]
    update(connection, EVENTS, [{name: row[name] for name in ("ticket_id", "key", *WORDS)} for row in said])
    delete(connection, READINGS, [{"ticket_id": id_} for id_ in {row["ticket_id"] for row in rows}])


def _outcomes(connection: Connection, batch: Batch) -> set[str]:
    """Tickets of which something else is known now: that they escalated, when that was known, that they didn't."""
    given, asked = batch.outcomes, {*batch.outcomes, *(batch.tickets if batch.settled else ())}
    there = {row["ticket_id"]: row["known_at"] for row in rows_of(connection, OUTCOMES, sorted(asked))}
    gone = {id_ for id_ in there if id_ not in given}
    news = {
        id_: at
        for id_, at in given.items()
        if id_ not in there or at < there[id_] or (batch.settled and at != there[id_])
    }
    delete(connection, OUTCOMES, [{"ticket_id": id_} for id_ in sorted(gone)])
    upsert(connection, OUTCOMES, [{"ticket_id": id_, "known_at": at} for id_, at in news.items()])
    return gone | news.keys()


def _language(ticket_id: str, known: Mapping[str, Row]) -> str:
    return reading_language(known[ticket_id]["language"]) if ticket_id in known else UNKNOWN
