"""Customers who come back: another ticket of the same customer in time, about the same if it has to be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.history.definitions import OUT_OF_SCOPE, SAME_TOPIC, Definition
from pipeline.history.facts import TIME, column_facts
from pipeline.history.identity import Identities, by_row, keys_of, links, pseudonyms
from pipeline.history.keys import shared_keys
from pipeline.history.log import NEVER, moments
from pipeline.history.windows import Data, answers, closed

_UNKNOWN, _UNLIKE = -1, -2
"""Codes of a matter: nobody knows it, and one that is the same as no other."""

_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Matters:
    """What each ticket is about, as a code, and when that was known (microseconds; `NEVER`: from always)."""

    code: _Ints
    known: _Ints


@dataclass(frozen=True)
class _Order:
    """Tickets in the order of their creation; among those of one moment, of the table.

    `rank` is a ticket's place, `until` the place up to which (exclusive) tickets are in its window; `row` is the ticket
    at each place.
    """

    row: _Ints
    rank: _Ints
    until: _Ints


def returns_within(data: Data, definition: Definition) -> pd.DataFrame:
    """The same customer opens another ticket in time, about the same if it has to be.

    Known at that ticket, or when the window closed; once what the tickets are about was known, too. A ticket of an
    unknown customer or about nobody knows what has no outcome, nor has one whose customer came back in time about
    nobody knows what, and not about the same.
    """
    ends = data.window_ends(definition)
    matters, order = _matters(data, definition), _order(data.created, ends)
    own, seen = _customers(data)
    excluded = _excluded(data, definition, own)
    answered = closed(data, definition).to_numpy(bool) & (matters.code >= 0)
    answered &= np.isin(np.arange(len(ends)), seen["row"])
    own = own[answered[own["row"]] & ~excluded[own["row"]]]
    seen = seen[~excluded[seen["row"]] & data.created.notna().to_numpy(bool)[seen["row"]]]
    first, unknown, latest = _looked_up(own, seen, matters, order)
    yes = first < len(ends)
    back = order.row[np.where(yes, first, 0)] if len(ends) else first
    no_known = np.maximum(moments(ends), latest)
    yes_known = np.maximum(moments(data.created)[back], matters.known[back])
    known = np.maximum(np.where(yes, yes_known, no_known), matters.known)
    rows = np.flatnonzero(answered & (yes | ~unknown))
    times = pd.Series(pd.to_datetime(known[rows], unit="us", utc=True).astype(TIME))
    return answers(pd.Series(rows), pd.Series(yes[rows]), times)


def _matters(data: Data, definition: Definition) -> _Matters:
    made = _Matters(np.zeros(len(data.tickets), dtype=np.int64), np.full(len(data.tickets), NEVER))
    if definition.same is None:
        return made
    made.code[:] = _UNKNOWN
    found = data.topics
    if definition.same != SAME_TOPIC:
        facts = column_facts(data.tickets, data.events, definition.same).drop_duplicates("row")
        found = facts.rename(columns={"occurred_at": "known_at"}).dropna(subset="value")
    if found is not None:
        row, codes = found["row"].to_numpy(np.int64), pd.factorize(found["value"])[0]
        unlike = (found["value"] == OUT_OF_SCOPE).to_numpy(bool) & (definition.same == SAME_TOPIC)
        made.code[row] = np.where(unlike, _UNLIKE, codes)
        made.known[row] = moments(found["known_at"])
    return made


def _order(created: pd.Series, ends: pd.Series) -> _Order:
    at = moments(created)
    row = np.argsort(at, kind="stable")
    rank = np.empty(len(at), dtype=np.int64)
    rank[row] = np.arange(len(at))
    return _Order(row, rank, np.searchsorted(at[row], moments(ends), side="right"))


def _customers(data: Data) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`row` and `key`: those that each ticket names, and all that its customer was known by when it was received.

    Without `customer_keys` a customer is the id, as the source has it.
    """
    tickets = data.tickets
    if tickets["customer_keys"].isna().all():
        named = tickets["customer_id"].reset_index(drop=True).dropna()
        own = pd.DataFrame({"row": named.index.to_numpy(np.int64), "key": named.to_numpy()})
        return own, own
    own, at = keys_of(tickets, data.customers), moments(tickets["created_at"])
    who = Identities.build(links(own, at, ticket_ids=tickets["ticket_id"]), data.customers)
    return own, who.together(by_row(own, len(tickets)), at)


def _excluded(data: Data, definition: Definition, own: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which tickets are by somebody who never counts as coming back."""
    names = pseudonyms(pd.Series(definition.excluded, dtype="str"))
    shared = own["row"][own["key"].isin(list(shared_keys(definition.excluded)))]
    by_id = data.tickets["customer_id"].isin(names.to_numpy()).to_numpy(bool)
    return np.asarray(by_id | np.isin(np.arange(len(by_id)), shared))


def _looked_up(
    own: pd.DataFrame, seen: pd.DataFrame, matters: _Matters, order: _Order
) -> tuple[_Ints, npt.NDArray[np.bool_], _Ints]:
    """What comes back in each ticket's window: arrays of shape (tickets,).

    Returns
    -------
    first : ndarray of int64
        Place of the first ticket about the same; as many as there are tickets: none.
    unknown : ndarray of bool
        Whether there is one about nobody knows what.
    latest : ndarray of int64
        When it was known at last what they are about.
    """
    count = len(order.row)
    mine, theirs = own["row"].to_numpy(np.int64), seen["row"].to_numpy(np.int64)
    group = pd.factorize(pd.concat([own["key"], seen["key"]], ignore_index=True))[0].astype(np.int64)
    of_mine, of_theirs = group[: len(mine)], group[len(mine) :]
    first, unknown = np.full(count, count), np.zeros(count, dtype=bool)
    latest = np.full(count, NEVER)

    back, start, stop = _between(of_mine, mine, of_theirs, theirs, order)
    without = np.concatenate([[0], np.cumsum(matters.code[back] == _UNKNOWN)])
    np.logical_or.at(unknown, mine, without[stop] > without[start])
    np.maximum.at(latest, mine, _highest(matters.known[back], start, stop))

    wide, named = int(matters.code.max(initial=0)) + 1, matters.code[theirs] >= 0
    of_mine, of_theirs = of_mine * wide + matters.code[mine], of_theirs * wide + matters.code[theirs]
    back, start, stop = _between(of_mine, mine, of_theirs[named], theirs[named], order)
    hit = stop > start
    np.minimum.at(first, mine[hit], order.rank[back[start[hit]]])
    return first, unknown, latest


def _between(of_mine: _Ints, mine: _Ints, of_theirs: _Ints, theirs: _Ints, order: _Order) -> tuple[_Ints, _Ints, _Ints]:
    """`theirs` by group and creation; and from where to where (exclusive) those of each one's group and window are."""
    wide = len(order.row) + 1
    place = of_theirs * wide + order.rank[theirs]
    sort = np.argsort(place, kind="stable")
    start = np.searchsorted(place[sort], of_mine * wide + order.rank[mine], side="right")
    stop = np.searchsorted(place[sort], of_mine * wide + order.until[mine], side="left")
    return theirs[sort], start, np.maximum(start, stop)


def _highest(values: _Ints, start: _Ints, stop: _Ints) -> _Ints:
    """The highest of each range of values; `NEVER` of an empty one."""
    found = np.full(len(start), NEVER)
    sort = np.argsort(start, kind="stable")
    sort = sort[stop[sort] > start[sort]]
    if len(sort):
        ranges = np.column_stack([start[sort], stop[sort]]).ravel()
        found[sort] = np.maximum.reduceat(np.append(values, NEVER), ranges)[::2]
    return found
