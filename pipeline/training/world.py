"""Whether later tickets come from another world: label shares further apart than chance and usual change explain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipeline.config import Topic
from pipeline.training.labels import LABEL_PREFIX
from pipeline.training.prepare import Prepared, known_rows
from pipeline.training.topics import living_rows

ANOTHER = 0.3
"""Total variation beyond chance above which it is another world: three labels in ten have changed places.

Neighbouring tenths of real desks' histories differ by 0.00 to 0.12 beyond chance; a changed default or a new set of
labels moves 0.46 to 0.86."""

USUAL_TIMES = 3.0
"""And so many times the usual distance of neighbouring blocks: where labels always swing, a swing is no news."""

BLOCKS = 10
LATE = 0.2
TOLD = 0.02
"""Labels are named whose share moved at least so much."""

FEWEST = 30
"""With fewer tickets on either side nothing is said."""


@dataclass(frozen=True)
class World:
    """How far two sets of label shares are apart.

    Attributes
    ----------
    distance : float
        Total variation: half the sum of absolute differences of the shares, 0 to 1.
    chance : float
        What two samples of this size from one world would have on average.
    usual : float
        Median distance of neighbouring blocks of the earlier part, beyond chance.
    moved : tuple of (label, share before, share after)
        The labels that moved most.
    before, after : int
        Tickets on either side.
    """

    distance: float
    chance: float
    usual: float
    moved: tuple[tuple[str, float, float], ...]
    before: int
    after: int

    @property
    def beyond(self) -> float:
        """Distance that chance doesn't explain."""
        return max(self.distance - self.chance, 0.0)

    @property
    def limit(self) -> float:
        """Distance above which it is another world."""
        return self.chance + max(ANOTHER, USUAL_TIMES * self.usual)

    @property
    def another(self) -> bool:
        """Whether it is another world."""
        return min(self.before, self.after) >= FEWEST and self.distance > self.limit

    @property
    def words(self) -> str:
        """The figures, for the report: labels with their shares, then the statistic."""
        moves = "; ".join(f"{label}: {100 * a:.0f} % before, {100 * b:.0f} % now" for label, a, b in self.moved)
        return (
            f"{moves}. Total variation {self.distance:.2f} between {self.before:,} and {self.after:,} tickets; "
            f"chance alone {self.chance:.2f}, neighbouring blocks usually {self.usual:.2f} beyond that"
        )


def inside(labels: np.ndarray, *, late: float = LATE) -> World:
    """The late part of a labelled past against the rest of it.

    Parameters
    ----------
    labels : ndarray of str, shape (n,)
        Oldest first.
    """
    cut = len(labels) - int(late * len(labels))
    return between(counted(labels[:cut]), labels[cut:], past=labels[:cut])


def between(trained: Mapping[str, int], labels: np.ndarray, *, past: np.ndarray | None = None) -> World:
    """What a model was trained on against later labels.

    Parameters
    ----------
    trained : dict
        Label → tickets.
    labels : ndarray of str, shape (n,)
        Of the later tickets.
    past : ndarray of str, optional
        Labels of the training tickets, oldest first: how much they usually change. Without it nothing is usual.
    """
    now = counted(labels)
    names = sorted(set(trained) | set(now))
    a = np.array([trained.get(n, 0) for n in names], dtype=float)
    b = np.array([now.get(n, 0) for n in names], dtype=float)
    usual = 0.0 if past is None else usual_distance(past)
    if not a.sum() or not b.sum():
        return World(0.0, 0.0, usual, (), int(a.sum()), int(b.sum()))
    gap = b / b.sum() - a / a.sum()
    most = [i for i in np.argsort(-np.abs(gap), kind="stable")[:3] if abs(gap[i]) >= TOLD]
    moved = tuple((names[i], float(a[i] / a.sum()), float(b[i] / b.sum())) for i in most)
    return World(_distance(a, b), _chance(a, b), usual, moved, int(a.sum()), int(b.sum()))


def of_prepared(prepared: Prepared, settings: Topic) -> dict[str, World]:
    """Each outcome's late labels against its earlier ones, within the present set of labels; nothing without times."""
    if not prepared.about["dated"]:
        return {}
    found = {}
    for target in prepared.about["targets"]:
        rows, _ = known_rows(prepared.frame, target)
        labels = prepared.frame[LABEL_PREFIX + target].astype(object).to_numpy()
        if target in ("topic", "queue") and len(rows):
            _, rows = living_rows(rows, labels, settings, dated=True)
        if len(rows):
            found[target] = inside(labels[rows].astype(str))
    return found


def usual_distance(labels: np.ndarray, blocks: int = BLOCKS) -> float:
    """Median distance of neighbouring blocks beyond chance; 0 where the blocks would be too small to tell."""
    if len(labels) < blocks * FEWEST:
        return 0.0
    names, codes = np.unique(labels, return_inverse=True)
    counts = [np.bincount(part, minlength=len(names)).astype(float) for part in np.array_split(codes, blocks)]
    beyond = [_distance(a, b) - _chance(a, b) for a, b in pairwise(counts)]
    return max(float(np.median(beyond)), 0.0)


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(0.5 * np.abs(a / a.sum() - b / b.sum()).sum())


def _chance(a: np.ndarray, b: np.ndarray) -> float:
    """Mean total variation of two samples of one world: each difference is nearly normal, and E|N(0, s)| = s √(2/π)."""
    share = (a + b) / (a.sum() + b.sum())
    spread = np.sqrt(share * (1 - share) * (1 / a.sum() + 1 / b.sum()))
    return float(0.5 * np.sqrt(2 / np.pi) * spread.sum())


def counted(labels: np.ndarray) -> dict[str, int]:
    """Label → tickets."""
    names, counts = np.unique(np.asarray(labels).astype(str), return_counts=True)
    return {str(n): int(c) for n, c in zip(names, counts, strict=True)}
