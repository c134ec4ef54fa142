"""Amounts in the store: replaced ticket by ticket, and added up for the moments that are asked for."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from sqlalchemy import Connection, TextClause, text

from pipeline.history.amounts import COLUMNS, DESK, FACTS, QUEUE_KEY, amount_columns, outcome_columns
from pipeline.history.log import DAY, ENDED, NEVER, STATUSES, Columns, log_of, objects
from pipeline.history.reasons import REASON
from pipeline.history.record import EVENTS, TICKETS
from pipeline.history.store.frames import columns_of
from pipeline.history.store.statements import Row, cells_of, delete, fetch, rows_of, upsert
from pipeline.history.store.tables import AMOUNTS, OUTCOMES, SUMS, pieces

OTHERS = "\x1fothers"
"""Stands for the ticket of an amount that many tickets have added; no ticket has such an id."""

_MOVES = frozenset(("status", "reopened", "assignment"))
_TELLING = _MOVES | {"reply", "escalated", "satisfaction"}  # kinds of events that amounts are made of
_ENDED = frozenset(STATUSES[code] for code in ENDED)

Amount = tuple[str, str, int, int]
"""Ticket, key, fact, moment."""

Mark = tuple[str, int, int]
"""Key, fact, moment before which the fact is added up."""

_AT_ONCE = 5_000
_MARKS = {
    "sqlite": """
        SELECT key AS n, json_extract(value, '$[0]') AS k, json_extract(value, '$[1]') AS fact,
            json_extract(value, '$[2]') AS day, json_extract(value, '$[3]') AS at FROM json_each(:marks)
    """,
    "postgresql": """
        SELECT n, e->>0 AS k, CAST(e->>1 AS smallint) AS fact, CAST(e->>2 AS bigint) AS day, CAST(e->>3 AS bigint) AS at
        FROM json_array_elements(CAST(:marks AS json)) WITH ORDINALITY AS t(e, n)
    """,
}
_ASKED = f"""
    WITH mark AS ({{marks}})
    SELECT
        COALESCE((
            SELECT SUM(s.amount) FROM {SUMS.name} s WHERE s.key = k AND s.fact = mark.fact AND s.day < mark.day
        ), 0) + COALESCE((
            SELECT SUM(a.amount) FROM {AMOUNTS.name} a
            WHERE a.key = k AND a.fact = mark.fact AND a.at >= mark.day * {DAY} AND a.at < mark.at
        ), 0) AS total,
        (SELECT MAX(a.at) FROM {AMOUNTS.name} a WHERE a.key = k AND a.fact = mark.fact AND a.at < mark.at) AS latest
    FROM mark ORDER BY n
"""
_STATEMENTS: dict[str, TextClause] = {name: text(_ASKED.format(marks=marks)) for name, marks in _MARKS.items()}


def stirred(connection: Connection, fresh: Iterable[Row], there: Iterable[Row]) -> set[str]:
    """Tickets whose amounts may be others now: most events change none, and to make amounts anew takes long.

    Parameters
    ----------
    fresh, there : iterable of row
        Events that are new, and those that were stored before of the same tickets.
    """
    telling: defaultdict[str, list[Row]] = defaultdict(list)
    for row in fresh:
        if row["kind"] in _TELLING and (row["kind"], row["field"]) != ("assignment", "assignee"):
            telling[row["ticket_id"]].append(row)
    last: dict[str, int] = {}
    for row in there:
        if row["kind"] in _MOVES:
            last[row["ticket_id"]] = max(last.get(row["ticket_id"], NEVER), row["received_at"])
    standing = _standing(connection, sorted(telling))
    return {
        id_ for id_, rows in telling.items() if any(_is_news(row, standing[id_], last.get(id_, NEVER)) for row in rows)
    }


class _Standing(NamedTuple):
    """What the amounts say of a ticket after all its events."""

    open: bool
    queue: str | None
    answered: int | None


def _standing(connection: Connection, ticket_ids: Sequence[str]) -> dict[str, _Standing]:
    open_: defaultdict[tuple[str, str], float] = defaultdict(float)
    answered: dict[str, int] = {}
    for (id_, key, fact, at), amount in _stored(connection, ticket_ids).items():
        if fact == FACTS.index("open"):
            open_[id_, key] += amount
        elif fact == FACTS.index("answered"):
            answered[id_] = at
    lies = {id_: key.removeprefix(QUEUE_KEY) for (id_, key), net in open_.items() if net and key.startswith(QUEUE_KEY)}
    return {id_: _Standing(open_[id_, DESK] > 0, lies.get(id_), answered.get(id_)) for id_ in ticket_ids}


def _is_news(row: Row, standing: _Standing, last: int) -> bool:
    """Whether an event may say something else than what stands; `last`: when a status or queue was last received."""
    if row["kind"] == "reply":
        first = standing.answered is None or row["received_at"] < standing.answered
        return first and row["side"] not in ("customer", "system")
    if row["kind"] not in ("status", "assignment") or row["received_at"] <= last:
        return True
    if row["kind"] == "status":
        return (row["value"] in _ENDED) == standing.open
    return standing.open and row["value"] != standing.queue


def remake(connection: Connection, tickets: Sequence[Row], events: Sequence[Row]) -> None:
    """Make the amounts of tickets anew from all that is known of them.

    Parameters
    ----------
    tickets : sequence of row
        As `tickets.ticket_rows` gives them.
    events : sequence of row
        All that are stored of these tickets, and maybe others.
    """
    ids = [row["ticket_id"] for row in tickets]
    new, old = _made(connection, tickets, events), _stored(connection, ids)
    days: defaultdict[tuple[str, int, int], float] = defaultdict(float)
    for sign, amounts in ((1.0, new), (-1.0, old)):
        for (_, key, fact, at), amount in amounts.items():
            days[key, fact, at // DAY] += sign * amount
    gone = [dict(zip(_KEY, place, strict=True)) for place in old if place not in new]
    changed = [(*place, amount) for place, amount in new.items() if old.get(place) != amount]
    delete(connection, AMOUNTS, gone)
    upsert(connection, AMOUNTS, [dict(zip((*_KEY, "amount"), row, strict=True)) for row in changed])
    sums = [{"key": k, "fact": f, "day": d, "amount": a} for (k, f, d), a in days.items() if a]
    upsert(connection, SUMS, sums, add="amount")


def added(connection: Connection, marks: Iterable[Mark], own_ids: Sequence[str]) -> Columns:
    """Amounts that add up, before each mark, to what is stored; those of some tickets one by one, all others summed.

    Parameters
    ----------
    marks : iterable of Mark
        Sums between two marks of one key and fact come as one amount, dated at the last that it stands for.
    own_ids : sequence of str
        Tickets whose amounts stay apart.

    Returns
    -------
    Columns
        `amounts.COLUMNS`.
    """
    asked = sorted(set(marks))
    keys = {key for key, _, _ in asked}
    own = {place: amount for place, amount in _stored(connection, own_ids).items() if place[1] in keys}
    rows = [(key, fact, at, id_, amount) for (id_, key, fact, at), amount in own.items()]
    rows += _balances(asked, _asked(connection, asked), own)
    return columns_of(COLUMNS, rows)


def _balances(
    marks: Sequence[Mark], sums: Iterable[tuple[float, int | None]], own: Mapping[Amount, float]
) -> Iterator[tuple[str, int, int, str, float]]:
    """What others than the own added between the marks of each key and fact."""
    mine, before = _Running(own), (("", -1, NEVER), 0.0)
    for mark, (total, latest) in zip(marks, sums, strict=True):
        others = total - mine.before(mark)
        (key, fact, since), counted = before if before[0][:2] == mark[:2] else ((*mark[:2], NEVER), 0.0)
        if latest is not None and latest >= since and others != counted:
            yield key, fact, latest, OTHERS, others - counted
        before = mark, others


class _Running:
    """Running sums of amounts, key by key and fact by fact."""

    def __init__(self, amounts: Mapping[Amount, float]) -> None:
        dated: defaultdict[tuple[str, int], list[tuple[int, float]]] = defaultdict(list)
        for (_, key, fact, at), amount in amounts.items():
            dated[key, fact].append((at, amount))
        self._at: dict[tuple[str, int], list[int]] = {}
        self._sums: dict[tuple[str, int], list[float]] = {}
        for name, rows in dated.items():
            rows.sort()
            self._at[name] = [at for at, _ in rows]
            self._sums[name] = list(accumulate((amount for _, amount in rows), initial=0.0))

    def before(self, mark: Mark) -> float:
        """Sum of what is dated before a mark."""
        key, fact, at = mark
        return self._sums[key, fact][bisect_left(self._at[key, fact], at)] if (key, fact) in self._at else 0.0


def _asked(connection: Connection, marks: Sequence[Mark]) -> Iterator[tuple[float, int | None]]:
    """Sum of a fact on a key before each mark, and the moment of the last amount in it."""
    for some in pieces(marks, _AT_ONCE):
        given = json.dumps([(key, fact, at // DAY, at) for key, fact, at in some])
        found = fetch(connection, _STATEMENTS[connection.dialect.name], {"marks": given})
        yield from ((total, latest) for total, latest in found)


_KEY = tuple(column.name for column in AMOUNTS.primary_key)


def _stored(connection: Connection, ticket_ids: Sequence[str]) -> dict[Amount, float]:
    rows = cells_of(connection, AMOUNTS, ticket_ids)
    return {(id_, key, fact, at): amount for id_, key, fact, at, amount in rows}


def _made(connection: Connection, tickets: Sequence[Row], events: Sequence[Row]) -> dict[Amount, float]:
    """The amounts of tickets; those of one ticket, key, fact and moment together."""
    if not tickets:
        return {}
    told = {name: [row[name] for row in tickets] for name in (*TICKETS, REASON)}
    ids, reasons = objects(told["ticket_id"]), objects(told[REASON])  # no reasons where they aren't looked at
    customer = objects([None if keys is None else keys.partition(" ")[0] for keys in (row["keys"] for row in tickets)])
    log = log_of(told, {name: [row[name] for row in events] for name in EVENTS})
    parts = [amount_columns(log, ids, customer, reasons)]
    place = {id_: i for i, id_ in enumerate(ids.tolist())}
    if escalated := rows_of(connection, OUTCOMES, list(place)):
        rows = np.array([place[row["ticket_id"]] for row in escalated], dtype=np.int64)
        known_at = np.array([row["known_at"] for row in escalated], dtype=np.int64)
        parts.append(outcome_columns(ids[rows], customer[rows], known_at))
    made: defaultdict[Amount, float] = defaultdict(float)
    for part in parts:
        columns = (part[n].tolist() for n in ("ticket_id", "key", "fact", "at", "amount"))
        for id_, key, fact, at, amount in zip(*columns, strict=True):
            made[id_, key, fact, at] += amount
    return {place: amount for place, amount in made.items() if amount}
