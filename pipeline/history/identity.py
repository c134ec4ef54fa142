"""Who somebody is, without saying so: pseudonyms of ids, and one customer across channels, as of any moment.

Keys (`history/keys.py`) of one ticket belong to one customer: they are linked from the moment at which the ticket was
received. Links are exact, dated, explained and reversible.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.config import History
from pipeline.errors import ConfigError
from pipeline.history.keys import is_account, keys_frame, keys_of, shared_keys, split_keys, strength
from pipeline.tickets.redact import redact
from pipeline.tickets.times import NO_TIME

__all__ = ["LINKS", "Identities", "Link", "by_row", "keys_of", "links", "pseudonym", "pseudonyms"]

LINKS = ("key_a", "key_b", "at", "ticket_id")
"""Columns of a frame of links; `at` in microseconds since 1970, `NO_TIME`: from always."""


class Link(NamedTuple):
    """Two keys that met on a ticket: `key_a`, `key_b`, the ticket, and when it was received (microseconds)."""

    key_a: str
    key_b: str
    ticket_id: str
    at: int


def pseudonyms(ids: pd.Series) -> pd.Series:
    """Ids of customers and staff as they are stored: an e-mail address or a phone number becomes `person-` and a hash.

    The same person always gets the same pseudonym, so that their earlier tickets are found; other ids stay.

    Parameters
    ----------
    ids : Series of str
        Null stays null.
    """
    kept = {value: pseudonym(value) for value in ids.dropna().unique()}
    return ids.map(kept).astype("str")


def by_row(keys: pd.DataFrame, count: int) -> list[list[str]]:
    """The keys of each of `count` tickets, from a frame of `row` and `key`."""
    grouped: list[list[str]] = [[] for _ in range(count)]
    for row, one in zip(keys["row"].tolist(), keys["key"].tolist(), strict=True):
        grouped[row].append(one)
    return grouped


def links(keys: pd.DataFrame, at: npt.NDArray[np.int64], *, ticket_ids: pd.Series) -> pd.DataFrame:
    """Which keys met on one ticket.

    Parameters
    ----------
    keys : DataFrame
        By `keys_of`.
    at : ndarray of int64
        When each ticket was received, in microseconds since 1970; `NO_TIME` (a null time): from always.
    ticket_ids : Series of str
        Aligned with `at`.

    Returns
    -------
    DataFrame
        Columns `LINKS`, each pair once, at its earliest moment (of several tickets then, the least id), in the order of
        time; `key_a` is the stronger one.
    """
    alone = ~keys.duplicated("row", keep=False).to_numpy(bool)
    met = keys[~alone]
    ordered = sorted(met["key"].unique(), key=strength)
    met = met.assign(place=met["key"].map({k: n for n, k in enumerate(ordered)}).astype(np.int64))
    pairs = met.merge(met, on="row", suffixes=("_a", "_b"))
    pairs = pairs[(pairs["place_a"] < pairs["place_b"]).to_numpy(bool)]
    row = pairs["row"].to_numpy(np.int64)
    made = pairs[["key_a", "key_b"]].assign(
        at=np.asarray(at, dtype=np.int64)[row], ticket_id=ticket_ids.astype("str").to_numpy()[row]
    )
    made = made.sort_values(["at", "ticket_id", "key_a", "key_b"], kind="stable")
    made = made.drop_duplicates(["key_a", "key_b"]).sort_values(["at", "key_a", "key_b"], ignore_index=True)
    return made.astype({"key_a": "str", "key_b": "str", "ticket_id": "str"})


@dataclass(frozen=True)
class Identities:
    """Which keys are one customer, as of any moment: only links strictly before it are used.

    Attributes
    ----------
    neighbours : mapping of str to tuple of Link
        Key → its links, as seen from it (`key_a` is the key), in the order of time. Keys without any aren't there.
    closed : mapping of str to int
        Addresses that met too many accounts (`limit`), and the moment from which they glue nobody.
    shared : frozenset of str
        Keys that stand for many people: nobody's.
    unlinked : frozenset of (str, str)
        Pairs that the settings keep apart, the stronger key first.
    limit : int
        So many ids and accounts may meet one address.
    """

    neighbours: Mapping[str, tuple[Link, ...]]
    closed: Mapping[str, int]
    shared: frozenset[str]
    unlinked: frozenset[tuple[str, str]]
    limit: int

    @classmethod
    def build(cls, links: pd.DataFrame, settings: History) -> Identities:
        """Identities from links, in any order and with repeats.

        Raises
        ------
        ConfigError
            For an `unlink` that isn't two keys.
        """
        shared, unlinked = shared_keys(settings.shared), _pairs(settings.unlink)
        first: dict[tuple[str, str], tuple[int, str]] = {}
        for key_a, key_b, at, ticket_id in zip(*(links[name].tolist() for name in LINKS), strict=True):
            pair = _pair(key_a, key_b)
            if key_a != key_b and pair not in unlinked and shared.isdisjoint(pair):
                first[pair] = min(first.get(pair, (at, ticket_id)), (at, ticket_id))
        found: dict[str, list[Link]] = {}
        for (key_a, key_b), (at, ticket_id) in first.items():
            found.setdefault(key_a, []).append(Link(key_a, key_b, ticket_id, at))
            found.setdefault(key_b, []).append(Link(key_b, key_a, ticket_id, at))
        neighbours = {k: tuple(sorted(met, key=_when)) for k, met in found.items()}
        limit = settings.max_accounts_per_key
        return cls(neighbours, _closed(neighbours, limit), shared, unlinked, limit)

    def component(self, key: str | None, moment: int) -> tuple[str, ...]:
        """Every key of the same customer as of `moment` (microseconds), the strongest first, `key` among them.

        Empty for an unknown customer: no key, a shared one, or an address that glues nobody any more.
        """
        return self._customer([] if key is None else [key], moment)

    def together(self, keys: Sequence[Sequence[str]], moments: npt.NDArray[np.int64]) -> pd.DataFrame:
        """Every key of each ticket's customer as of its moment; the ticket's own keys are known together.

        Parameters
        ----------
        keys : sequence of sequences of str
            Each ticket's own keys (`by_row`); none: an unknown customer.
        moments : ndarray of int64
            Microseconds since 1970; at `NO_TIME` only links from always are known.

        Returns
        -------
        DataFrame
            `row` (position) and `key`, rows in order, the strongest key first. It grows with the customers: one of a
            thousand keys has a thousand rows for each of its tickets.
        """
        rows: list[int] = []
        found: list[str] = []
        for row, (own, moment) in enumerate(zip(keys, moments.tolist(), strict=True)):
            customer = self._customer(own, moment)
            rows += [row] * len(customer)
            found += customer
        return keys_frame(rows, found)

    def explain(self, key_a: str, key_b: str, moment: int) -> list[Link]:
        """The shortest chain of links from one key to the other as of `moment`; empty where they aren't linked.

        `unlink: ["KEY_A KEY_B"]` in the settings takes back any link of it.
        """
        start, end = _pair(key_a, key_b)
        if start == end or self._is_closed(start, moment):
            return []
        reached = self._reached(start, moment)
        chain: list[Link] = []
        step = reached.get(end)
        while step is not None:
            chain.append(step)
            step = reached[step.key_a]
        if key_a == start:
            return chain[::-1]
        return [Link(link.key_b, link.key_a, link.ticket_id, link.at) for link in chain]

    def _customer(self, own: Sequence[str], moment: int) -> tuple[str, ...]:
        if len(own) == 1 and own[0] not in self.neighbours:
            return tuple(own) if own[0] and own[0] not in self.shared else ()
        usable = sorted({k for k in own if k} - self.shared, key=strength)
        accounts = {k for k in usable if is_account(k)}
        out = {k for k in usable if self._is_closed(k, moment, accounts)}
        usable = [k for k in usable if k not in out]
        return tuple(sorted(self._reached(usable[0], moment, usable, out), key=strength)) if usable else ()

    def _reached(
        self, start: str, moment: int, own: Sequence[str] = (), out: Collection[str] = ()
    ) -> dict[str, Link | None]:
        """Keys that links lead to → the last link of the shortest way there. `own` are linked, `out` aren't entered."""
        reached: dict[str, Link | None] = {start: None}
        waiting = deque([start])
        while waiting:
            here = waiting.popleft()
            for link in self._from(here, moment, own):
                if link.key_b not in reached and link.key_b not in out:
                    reached[link.key_b] = link
                    waiting.append(link.key_b)
        return reached

    def _from(self, here: str, moment: int, own: Sequence[str]) -> Iterator[Link]:
        if here in own:
            yield from (Link(here, k, "", moment) for k in own if k != here and _pair(here, k) not in self.unlinked)
        for link in self.neighbours.get(here, ()):
            if not _is_known(link.at, moment):
                break
            if not self._is_closed(link.key_b, moment):
                yield link

    def _is_closed(self, key: str, moment: int, accounts: Collection[str] = ()) -> bool:
        """Whether an address met too many accounts before `moment`, those that it meets at the moment among them."""
        if key in self.closed and _is_known(self.closed[key], moment):
            return True
        if not accounts or is_account(key):
            return False
        met = {a for a in accounts if _pair(key, a) not in self.unlinked}
        for link in self.neighbours.get(key, ()):
            if not _is_known(link.at, moment):
                break
            met.update([link.key_b] if is_account(link.key_b) else [])
        return len(met) > self.limit


def pseudonym(value: str) -> str:
    """One id as it is stored: see `pseudonyms`."""
    if redact(value) == value:
        return value
    return "person-" + hashlib.sha256(value.strip().casefold().encode()).hexdigest()[:16]


def _pair(key_a: str, key_b: str) -> tuple[str, str]:
    """Both keys, the stronger first."""
    return (key_a, key_b) if strength(key_a) <= strength(key_b) else (key_b, key_a)


def _pairs(unlink: Sequence[str]) -> frozenset[tuple[str, str]]:
    """Pairs of keys as they are written in the settings."""
    found = set()
    for text in unlink:
        both = split_keys(" ".join(text.split()))
        if len(both) != 2 or len(text.split()) != 2:
            do = 'write two keys as `explain` prints them, such as "id:4711 email:0123456789abcdef"'
            raise ConfigError("a link to take back isn't two keys", where="history.unlink", got=repr(text), do=do)
        found.add(_pair(*both))
    return frozenset(found)


def _closed(neighbours: Mapping[str, tuple[Link, ...]], limit: int) -> dict[str, int]:
    """Addresses that meet more accounts than `limit` → when they meet the one too many."""
    found = {}
    for one, met in neighbours.items():
        accounts = [link.at for link in met if is_account(link.key_b)]
        if not is_account(one) and len(accounts) > limit:
            found[one] = accounts[limit]
    return found


def _when(link: Link) -> tuple[int, tuple[int, str]]:
    return link.at, strength(link.key_b)


def _is_known(at: int, moment: int) -> bool:
    """Whether what happened `at` is known as of `moment`: strictly before it, or from always."""
    return at < moment or at == NO_TIME
