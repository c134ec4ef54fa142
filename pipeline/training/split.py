"""Which rows learn, choose, and calibrate: by time (or by a stable hash), near-duplicate texts never on both sides."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from pipeline.config import Split

FEWEST_IN_TIME = 300
"""Fewer rows than this are split by the stable hash even with times: a slice of thirty rows proves nothing."""

BANDS, ROWS_PER_BAND = 12, 6
"""12 bands of 6 minima: pairs of Jaccard similarity 0.9 share a band with probability 0.9998, of 0.6 with 0.44."""


@dataclass(frozen=True)
class Fold:
    """One way to learn and to look: row positions.

    Attributes
    ----------
    fit, look : ndarray of int
        Positions of the rows that are learned from, and of those that are predicted afterwards.
    """

    fit: np.ndarray
    look: np.ndarray


@dataclass(frozen=True)
class Plan:
    """Inner splits of one model's rows.

    Attributes
    ----------
    choose : tuple of Fold
        Settings are chosen on what these look at.
    calibrate : tuple of Fold
        Temperatures and thresholds come from what these look at; with times it is later than everything in `choose`.
    dated : bool
        Whether the rows are split by time; otherwise by a stable hash, and `choose` and `calibrate` are the same folds.
    left_out : int
        Rows that no fold looks at because a near-duplicate stands on the learning side.
    """

    choose: tuple[Fold, ...]
    calibrate: tuple[Fold, ...]
    dated: bool
    left_out: int

    @property
    def looks(self) -> bool:
        """Whether there is anything to choose and to calibrate on."""
        return all(any(len(f.look) for f in folds) for folds in (self.choose, self.calibrate))


def plan(rows: np.ndarray, groups: np.ndarray, order: np.ndarray, settings: Split, *, dated: bool) -> Plan:
    """Inner splits of the rows that have a label.

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
        Positions of the rows in the prepared frame, oldest first (in the stable order without times).
    groups : ndarray of int, shape (n,)
        Near-duplicate group of each of them.
    order : ndarray of uint64, shape (n,)
        Stable hash of each group's text: the split without times.
    dated : bool
        Whether to split by time.
    """
    if not dated or len(rows) < FEWEST_IN_TIME:
        fold_of = order % np.uint64(settings.folds)
        sides = [fold_of == f for f in range(settings.folds)]
        folds = tuple(Fold(rows[~side], rows[side]) for side in sides if side.any() and not side.all())
        return Plan(folds, folds, False, 0)
    n = len(rows)
    second = n - round(settings.calibrate_share * n)
    first = second - round(settings.tune_share * n)
    choose = Fold(rows[:first], _novel(rows, groups, first, second))
    calibrate = Fold(rows[:second], _novel(rows, groups, second, n))
    left_out = (second - first - len(choose.look)) + (n - second - len(calibrate.look))
    return Plan((choose,), (calibrate,), True, left_out)


def _novel(rows: np.ndarray, groups: np.ndarray, start: int, stop: int) -> np.ndarray:
    return rows[start:stop][~np.isin(groups[start:stop], groups[:start])]


def near_duplicates(counts: sp.csr_matrix, similarity: float) -> np.ndarray:
    """Group number of each text; texts whose sets of words are alike (Jaccard ≥ `similarity`) share one.

    MinHash with banding (Broder, 1997): candidates come from equal bands, and are held against the estimate from all
    minima. Texts without a word are each their own group.

    Parameters
    ----------
    counts : csr_matrix, shape (n, m)
        Word counts, hashed.

    Returns
    -------
    ndarray of int, shape (n,)
        The smallest position in the group.
    """
    minima = _min_hashes(counts)
    n = counts.shape[0]
    empty = np.diff(counts.indptr) == 0
    left: list[np.ndarray] = []
    right: list[np.ndarray] = []
    for band in range(BANDS):
        part = np.ascontiguousarray(minima[:, band * ROWS_PER_BAND : (band + 1) * ROWS_PER_BAND])
        keys = part.view(np.dtype((np.void, part.dtype.itemsize * ROWS_PER_BAND))).ravel()
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        partner = first[inverse]
        pairs = np.flatnonzero((partner != np.arange(n)) & ~empty)
        alike = (minima[pairs] == minima[partner[pairs]]).mean(axis=1) >= similarity
        left.append(pairs[alike])
        right.append(partner[pairs[alike]])
    a, b = np.concatenate(left), np.concatenate(right)
    graph = sp.coo_matrix((np.ones(len(a), dtype=np.int8), (a, b)), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    smallest = np.full(component.max(initial=-1) + 1, n)
    np.minimum.at(smallest, component, np.arange(n))
    return np.asarray(smallest[component])


def _min_hashes(counts: sp.csr_matrix) -> np.ndarray:
    """MinHash signatures, shape (n, BANDS · ROWS_PER_BAND), uint32; multiply-shift hashes of the terms' places."""
    rng = np.random.default_rng(20_240_601)  # part of the definition, not a setting: groups don't change with the seed
    size = BANDS * ROWS_PER_BAND
    factors = rng.integers(1, 2**63, size, dtype=np.uint64) | np.uint64(1)
    filled = np.flatnonzero(np.diff(counts.indptr))
    minima = np.full((counts.shape[0], size), np.uint32(2**32 - 1), dtype=np.uint32)
    if len(filled) == 0:
        return minima
    places = counts.indices.astype(np.uint64) + np.uint64(1)
    starts = counts.indptr[filled]
    for j in range(size):
        hashed = ((places * factors[j]) >> np.uint64(32)).astype(np.uint32)
        minima[filled, j] = np.minimum.reduceat(hashed, starts)
    return minima


def stable_order(texts: pd.Series) -> np.ndarray:
    """A number per text that depends on nothing but the text: SHA-256, first 8 bytes, shape (n,), uint64."""
    digests = [hashlib.sha256(str(t).encode("utf-8", "surrogatepass")).digest()[:8] for t in texts]
    return np.array([int.from_bytes(d, "big") for d in digests], dtype=np.uint64)
