"""Tickets as they are looked at, and earlier ones as seen from them: how like they are, and what was known by then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pipeline.history.log import NEVER, moments, objects
from pipeline.tickets.schema import FIELD_PREFIX, UNDETERMINED

_AT_ONCE = 256


class Asked(NamedTuple):
    """Tickets as they are looked at.

    Attributes
    ----------
    ids : sequence of n str
    texts : sequence of n str
        Cleaned words; empty for none.
    languages : sequence of n str or None
    at : ndarray of int64, shape (n,)
        As of when, in microseconds; `NEVER` where there are no times.
    vectors : ndarray or csr_matrix, n rows
        `ticket_vectors`.
    products : sequence of n str or None
        What each is about; empty where nobody says so.
    """

    ids: Sequence[str]
    texts: Sequence[str]
    languages: Sequence[str | None]
    at: np.ndarray
    vectors: Any
    products: Sequence[str | None] = ()

    @classmethod
    def of(cls, tickets: pd.DataFrame, vectors: Any, *, product: str | None = None) -> Asked:
        """Parsed tickets, as of their `as_of` where they have one, else their creation; `product` names a field."""
        at = moments(tickets["created_at"])
        if "as_of" in tickets:
            given = moments(tickets["as_of"])
            at = np.where(given == NEVER, at, given)
        ids, texts, languages = (objects(tickets[name]).tolist() for name in ("ticket_id", "text", "language"))
        said = tickets.get(f"{FIELD_PREFIX}{product}") if product else None
        products = () if said is None else objects(said).tolist()
        return cls([name or "" for name in ids], [text or "" for text in texts], languages, at, vectors, products)

    def pieces(self) -> Iterator[tuple[slice, Asked]]:
        """A few tickets at a time: memory grows with the knowledge base, not with the batch."""
        for start in range(0, len(self.ids), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            cut: list[Any] = [values[part] for values in self]
            yield part, Asked(*cut)


@dataclass(frozen=True, repr=False)
class Earlier:
    """What is known of e earlier tickets; a ticket may stand there several times.

    Attributes
    ----------
    ticket : ndarray of str, shape (e,)
    known : ndarray of int64, shape (e,)
        From when on, in microseconds; `NEVER` where nobody knows.
    vectors : ndarray of shape (e, d), or csr_matrix of shape (e, terms)
        Of unit length.
    """

    ticket: np.ndarray
    known: np.ndarray
    vectors: Any

    def similarity(self, asked: Asked) -> np.ndarray:
        """Cosine of n tickets to each, 0 to 1, shape (n, e), float32."""
        if not sp.issparse(self.vectors):
            near = np.asarray(asked.vectors @ self.vectors.T, dtype=np.float32)
        else:
            near = multiplied(sp.csr_matrix(asked.vectors), self._across)
        return np.clip(near, 0.0, 1.0, out=near)

    def seen(self, asked: Asked) -> np.ndarray:
        """Which were known by then, and are of other tickets; shape (n, e), bool.

        A ticket without a time is asked after all of them.
        """
        found = self._from < asked.at[:, None]
        found[asked.at == NEVER] = True
        for row, name in enumerate(asked.ids):
            found[row, self._own.get(name, [])] = False
        return np.asarray(found)

    @cached_property
    def _from(self) -> np.ndarray:
        """`known`, and the end of time where nobody knows."""
        return np.where(self.known == NEVER, np.iinfo(np.int64).max, self.known)

    @cached_property
    def _across(self) -> sp.csr_matrix:
        """Sparse vectors with a term a row, as a product needs them: made once, not for each ticket."""
        return sp.csr_matrix(self.vectors.T)

    @cached_property
    def _own(self) -> dict[str, list[int]]:
        """Positions of each ticket."""
        found: dict[str, list[int]] = {}
        for at, name in enumerate(self.ticket.tolist()):
            found.setdefault(name, []).append(at)
        return found


def multiplied(tickets: sp.csr_matrix, across: sp.csr_matrix) -> np.ndarray:
    """Two sparse matrices multiplied, as an array of float32: most of it is filled, which SciPy finds out too late."""
    near = np.zeros((tickets.shape[0], across.shape[1]), dtype=np.float32)
    if not across.nnz:
        return near
    for row, (begin, end) in enumerate(pairwise(tickets.indptr.tolist())):
        near[row] = across[tickets.indices[begin:end]].T @ tickets.data[begin:end]
    return near


def alike_in_language(said: Sequence[str | None], theirs: np.ndarray) -> np.ndarray:
    """Which of e earlier tickets are in the language of each of n, shape (n, e), bool; an unknown one is like all."""
    rows = {
        name: (theirs == name) | (theirs == "") if name and name != UNDETERMINED else np.ones(len(theirs), dtype=bool)
        for name in {*said}
    }
    return np.array([rows[name] for name in said], dtype=bool).reshape(len(said), len(theirs))
