"""Curves behind the metrics: reliability, risk by coverage, gains, precision by recall; ties are never split."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BINS = 15


def reliability_bins(score: ArrayLike, outcome: ArrayLike, bins: int = BINS) -> tuple[Floats, Floats, Integers]:
    """Mean score, mean outcome and size of each bin; bins hold equally many rows, in order of score."""
    said, happened = as_floats(score), as_floats(outcome)
    n, bins = len(said), min(bins, len(said))
    if not n:
        return np.empty(0), np.empty(0), np.empty(0, dtype=np.int64)
    order = np.argsort(said, kind="stable")
    short, longer = divmod(n, bins)  # the first `longer` bins hold one row more
    size = np.full(bins, short, dtype=np.int64)
    size[:longer] += 1
    start = np.cumsum(size) - size
    shared = share_ties(happened, said)
    return np.add.reduceat(said[order], start) / size, np.add.reduceat(shared[order], start) / size, size


def risk_coverage_curve(confidence: ArrayLike, correct: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Share of tickets kept, share wrong among them, and the confidence that keeps them; ties kept whole."""
    sure, right = as_floats(confidence), as_floats(correct)
    order = np.argsort(-sure, kind="stable")
    ends = group_ends(sure[order])
    kept = ends + 1.0
    return kept / max(len(sure), 1), 1.0 - np.cumsum(right[order])[ends] / kept, sure[order][ends]


def precision_recall_curve(outcome: ArrayLike, risk: ArrayLike) -> tuple[Floats, Floats]:
    """Recall and precision as the threshold falls past each distinct risk."""
    seen, found = sweep(as_floats(outcome), as_floats(risk))
    return found[1:] / (found[-1] or np.nan), found[1:] / seen[1:]


def gains_curve(outcome: ArrayLike, risk: ArrayLike) -> tuple[Floats, Floats]:
    """Share of tickets reviewed, riskiest first, and share of all positives found; starts at (0, 0)."""
    seen, found = sweep(as_floats(outcome), as_floats(risk))
    return seen / (seen[-1] or np.nan), found / (found[-1] or np.nan)


def thin(*curve: Floats, points: int = 200) -> tuple[Floats, ...]:
    """The same curve with at most `points` points, first and last kept: for drawing."""
    n = len(curve[0])
    if n <= points:
        return curve
    keep = np.unique(np.linspace(0, n - 1, points).round().astype(np.int64))
    return tuple(values[keep] for values in curve)


def sweep(outcome: Floats, risk: Floats) -> tuple[Floats, Floats]:
    """Rows seen and positives found after each tied group, riskiest first; both start at 0."""
    order = np.argsort(-risk, kind="stable")
    ends = group_ends(risk[order])
    return np.append(0.0, ends + 1.0), np.append(0.0, np.cumsum(outcome[order])[ends])


def group_ends(ordered: Floats) -> Integers:
    """Position of the last row of each run of equal values."""
    if not len(ordered):
        return np.empty(0, dtype=np.int64)
    return np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)


def share_ties(outcome: Floats, score: Floats) -> Floats:
    """Each outcome replaced by the mean outcome of the rows with the same score."""
    _, group, size = np.unique(score, return_inverse=True, return_counts=True)
    mean: Floats = np.bincount(group, weights=outcome) / size
    return mean[group]


def as_floats(values: ArrayLike) -> Floats:
    """Any numbers, booleans included, as float64."""
    return np.asarray(values, dtype=np.float64)
