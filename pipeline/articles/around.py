"""What lies around a ticket: earlier ones that articles answered, and those that no article of the index did."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

WIDTHS = (4, 8, 16, 24, 40)
"""How fast an earlier ticket counts less with its distance, from far around to next door; each is a sum of two before
it."""

SHARES = (*(f"cited {width}" for width in WIDTHS), *(f"gone {width}" for width in WIDTHS))
"""By `WIDTHS`: of all earlier tickets the share that articles of the index answered; of those with a citation, the
share whose article isn't in the index."""


class Uncovered(NamedTuple):
    """Earlier tickets that nothing in the index answered; arrays of shape (u,).

    Attributes
    ----------
    ticket : ndarray of str
    known : ndarray of int64
        When it was known, in microseconds; `NEVER` where nobody knows.
    gone : ndarray of bool
        Whether an article was cited that isn't in the index. Else the ticket was answered, and nothing was cited.
    language : ndarray of str
        Of the ticket; empty where it isn't known.
    vectors : ndarray of shape (u, d), or csr_matrix of shape (u, terms)
        Of unit length.
    """

    ticket: np.ndarray
    known: np.ndarray
    gone: np.ndarray
    language: np.ndarray
    vectors: Any


class Around(NamedTuple):
    """What is seen around n tickets; -1 where something can't be seen.

    Attributes
    ----------
    cited : ndarray, shape (n, c)
        Similarity of each citation's ticket.
    uncovered : ndarray, shape (n, u)
        Similarity of each ticket that nothing in the index answered.
    gone : ndarray of bool, shape (u,)
        As in `Uncovered`.
    """

    cited: np.ndarray
    uncovered: np.ndarray
    gone: np.ndarray

    def deleted(self, removed: np.ndarray) -> Around:
        """The same as if articles had been deleted: the history still cites them.

        Parameters
        ----------
        removed : ndarray of bool, shape (n, c)
            Whether a citation's article is one of them.
        """
        return self._moved(removed, removed, gone=True)

    def never_written(self, removed: np.ndarray, remembered: np.ndarray) -> Around:
        """The same as if articles had never been written: nothing was cited on those tickets.

        Parameters
        ----------
        removed : ndarray of bool, shape (n, c)
        remembered : ndarray of bool, shape (c,)
            Of which citations the ticket is late enough to be among the newest without one.
        """
        return self._moved(removed, removed & remembered, gone=False)

    def shares(self) -> np.ndarray:
        """`SHARES`, shape (n, 10); 0 where there is nothing around."""
        missing, unwritten = self.uncovered[:, self.gone], self.uncovered[:, ~self.gone]
        of_all, of_cited = [], []
        for here, gone, none in zip(*(_masses(near) for near in (self.cited, missing, unwritten)), strict=True):
            of_all.append(_share(here, here + gone + none))
            of_cited.append(_share(gone, here + gone))
        return np.column_stack([*of_all, *of_cited])

    def _moved(self, removed: np.ndarray, kept: np.ndarray, *, gone: bool) -> Around:
        return Around(
            np.where(removed, -1.0, self.cited),
            np.hstack([self.uncovered, np.where(kept, self.cited, -1.0)]),
            np.append(self.gone, np.full(self.cited.shape[1], gone)),
        )


def _masses(near: np.ndarray) -> list[np.ndarray]:
    """Sums of exp(width · (similarity - 1)), one for each of `WIDTHS`: one exponential, the others are products."""
    widest = np.exp(WIDTHS[0] * (near - 1.0)) * (near >= 0)
    known = {WIDTHS[0]: widest}
    for width in WIDTHS[1:]:
        part = max(w for w in known if width - w in known)
        known[width] = known[part] * known[width - part]
    return [np.asarray(each.sum(axis=1)) for each in known.values()]


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0))
