"""Tickets that are alike, by their vectors: groups of some size, the same for the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

TYPICAL, MOST = 20, 12
"""One group for so many tickets, and at most so many groups."""

_AXES = 50


def grouped(vectors: Any, *, seed: int) -> np.ndarray:
    """Group of each of n tickets, shape (n,): k-means on the directions of their vectors.

    Parameters
    ----------
    vectors : ndarray or csr_matrix, n rows
    """
    count = min(MOST, vectors.shape[0] // TYPICAL)
    if count < 2:
        return np.zeros(vectors.shape[0], dtype=int)
    from sklearn.cluster import KMeans

    return np.asarray(KMeans(count, n_init=4, random_state=seed).fit_predict(_directions(vectors, seed)), dtype=int)


def middle_first(vectors: Any) -> np.ndarray:
    """Positions of n tickets, those nearest to the middle of all first."""
    middle = np.asarray(vectors.mean(axis=0), dtype=np.float64).ravel()
    return np.argsort(-np.asarray(vectors @ middle, dtype=np.float64).ravel(), kind="stable")


def _directions(vectors: Any, seed: int) -> np.ndarray:
    """Dense rows of unit length; terms are first brought down to a few axes (latent semantic analysis)."""
    rows = vectors
    if sp.issparse(vectors):
        from sklearn.decomposition import TruncatedSVD

        axes = min(_AXES, vectors.shape[0] - 1, vectors.shape[1] - 1)
        rows = TruncatedSVD(axes, random_state=seed).fit_transform(vectors)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, length, out=np.zeros(rows.shape), where=length > 0))
