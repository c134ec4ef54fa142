"""Living labels: which labels are in use, since when the present set of them holds, and what became of the old ones."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

WINDOW = 300
"""Rows in a window: forty labels then differ by chance by about 0.15 in total variation."""

OTHER_REGIME = 0.5
"""Total variation to the newest window above which a window belongs to another set of labels."""

BEYOND_CHANCE = 0.25
"""With many labels two windows of one set differ by chance alone; this share of the rest must be differing besides."""

FEWEST = 200
"""A present shorter than this is too short to learn from: then the whole past is used."""

EXPECTED_WHEN_ALIVE = 7.0
"""A label that should have occurred this often lately, and never did, is dead (Poisson: once in a thousand)."""


@dataclass(frozen=True)
class Living:
    """What was found.

    Attributes
    ----------
    start : int
        Position of the first row (oldest first) from which the present set of labels holds; 0: always.
    alive : tuple of str
        Labels that may be predicted.
    dead : dict
        Label → why it isn't alive.
    note : str
        How it was found, for the report.
    """

    start: int
    alive: tuple[str, ...]
    dead: dict[str, str]
    note: str


def find(labels: np.ndarray, *, fewest: int) -> Living:
    """Find the present set of labels.

    The rows are cut into windows of equal size, newest last. Going back from the newest window, the first window whose
    label frequencies are nearer to nothing in common than to the present ends the present; the boundary inside it is
    where the likelihood ratio of "already the present" to "still the past" is highest.

    Parameters
    ----------
    labels : ndarray of str, shape (n,)
        Labels of the rows, oldest first.
    fewest : int
        Labels with fewer rows in the present can't be learned.
    """
    start = _start(labels)
    present, counts = np.unique(labels[start:], return_counts=True)
    recent = labels[max(start, len(labels) - max(WINDOW, (len(labels) - start) // 3)) :]
    lately = set(recent.tolist())
    alive, dead = [], {}
    for label, count in zip(present, counts, strict=True):
        expected = count / (len(labels) - start) * len(recent)
        if count < fewest:
            dead[str(label)] = f"only {count} in use"
        elif label not in lately and expected >= EXPECTED_WHEN_ALIVE:
            dead[str(label)] = f"not among the last {len(recent)}"
        else:
            alive.append(str(label))
    if start:
        for label in np.unique(labels[:start]):
            if label not in present:
                dead[str(label)] = "gone from the present set of labels"
    note = (
        f"The set of labels changed: the newest {len(labels) - start:,} of {len(labels):,} tickets use the present one."
        if start
        else "One set of labels throughout."
    )
    return Living(start, tuple(sorted(alive)), dead, note)


def everything(labels: np.ndarray, *, fewest: int) -> Living:
    """All labels with enough rows, all of the past: where the settings say so, or the rows have no times."""
    found, counts = np.unique(labels, return_counts=True)
    alive = tuple(str(x) for x in found[counts >= fewest])
    dead = {str(x): f"only {c} in use" for x, c in zip(found, counts, strict=True) if c < fewest}
    return Living(0, alive, dead, "All labels and all of the past.")


def _start(labels: np.ndarray) -> int:
    n = len(labels)
    if n < 3 * WINDOW:
        return 0
    _, codes = np.unique(labels, return_inverse=True)
    size = int(codes.max()) + 1
    edges = np.append(np.arange(n % WINDOW, n, WINDOW), n) if n % WINDOW else np.arange(0, n + 1, WINDOW)
    shares = [np.bincount(codes[a:b], minlength=size) / (b - a) for a, b in pairwise(edges)]
    present = shares[-1].copy()
    chance = _variation_by_chance(codes)
    bar = max(OTHER_REGIME, chance + BEYOND_CHANCE * (1 - chance))
    for back in range(len(shares) - 2, -1, -1):
        if 0.5 * np.abs(shares[back] - present).sum() > bar:
            start = _boundary(
                codes, int(edges[back]), int(edges[min(back + 2, len(edges) - 1)]), shares[max(back - 1, 0)], present
            )
            return start if n - start >= FEWEST else 0
        # the present is what the windows since have had on average, the newest counting most: slow change isn't a break
        present = 0.7 * present + 0.3 * shares[back]
    return 0


def _variation_by_chance(codes: np.ndarray) -> float:
    """Total variation to be expected between two windows of the same set of labels (counts taken as Poisson)."""
    mean = np.bincount(codes) / len(codes) * WINDOW
    return float(0.5 * np.minimum(np.sqrt(4 * mean / np.pi), 2 * mean).sum() / WINDOW)


def _boundary(codes: np.ndarray, first: int, last: int, past: np.ndarray, present: np.ndarray) -> int:
    ratio = np.log(present[codes[first:last]] + 1e-3) - np.log(past[codes[first:last]] + 1e-3)
    gain = np.append(np.cumsum(ratio[::-1])[::-1], 0.0)
    return first + int(gain.argmax())


def renamed(old: np.ndarray, guessed: np.ndarray, *, share: float = 0.5, fewest: int = 20) -> dict[str, str]:
    """Dead label → the living one that most of its tickets would get today.

    Parameters
    ----------
    old, guessed : ndarray of str, shape (n,)
        Dead labels of old tickets, and what the present model says of them.
    """
    table = pd.crosstab(pd.Series(old), pd.Series(guessed))
    found = {}
    for label, row in table.iterrows():
        if row.sum() >= fewest and row.max() / row.sum() >= share:
            found[str(label)] = str(row.idxmax())
    return found
