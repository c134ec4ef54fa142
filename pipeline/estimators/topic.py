"""The topic model: calibrated probabilities of the living labels (a learned queue is one too)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from pipeline.artifact import State
from pipeline.calibration import Beta, normalised, softmax
from pipeline.estimators.experts import Expert, View
from pipeline.features.build import Blocks

CANDIDATES: dict[str, View] = {"words": "words", "meaning": "meaning", "kernel": "kernel", "both": "side_by_side"}
"""Name in the settings → the view of the one expert; `average` mixes all that are named beside it."""

STEPS = 5
"""Weights of an average are whole fifths."""

Mix = tuple[tuple[View, float], ...]
"""Experts and their weights, which add up to 1: a weighted mean of log-probabilities (a geometric mean)."""


def mixes(views: Sequence[View], *, average: bool) -> list[Mix]:
    """The mixes to choose among: each view alone, and with `average` every way to share fifths among them."""
    if not average:
        return [((v, 1.0),) for v in views]
    shares = product(range(STEPS + 1), repeat=len(views))
    return [tuple((v, n / STEPS) for v, n in zip(views, s, strict=True) if n) for s in shares if sum(s) == STEPS]


LEAD = 1e-6
"""What calibration leaves at least between the first and the second probability: it never changes what is said."""


@dataclass(frozen=True)
class TopicModel:
    """Experts, their weights, and a shift for how frequent labels are.

    log p = Σ weight · log pᵉ + shift, normalised; the highest p is then calibrated and the others share the rest.

    Attributes
    ----------
    classes : tuple of str
        Living labels.
    experts, weights : tuples
    shift : ndarray, shape (k,)
        Added to log-probabilities.
    beta : Beta
        Calibration of the highest probability.
    """

    classes: tuple[str, ...]
    experts: tuple[Expert, ...]
    weights: tuple[float, ...]
    shift: np.ndarray
    beta: Beta = field(default_factory=Beta)

    def probabilities(self, blocks: Blocks) -> np.ndarray:
        """Calibrated probabilities, shape (n, k)."""
        return with_confidence(softmax(self.log_scores(blocks)), self.beta)

    def look(self, blocks: Blocks) -> tuple[np.ndarray, np.ndarray]:
        """Calibrated probabilities, shape (n, k), and the support of the best class, shape (n,)."""
        scores = [e.link.raw(e.scores(blocks)) for e in self.experts]
        total = combine([normalised(s) for s in scores], self.weights) + self.shift
        return with_confidence(softmax(total), self.beta), support(scores, self.weights)

    def log_scores(self, blocks: Blocks) -> np.ndarray:
        """Unnormalised log-probabilities, shape (n, k)."""
        return np.asarray(combine([e.log_probabilities(blocks) for e in self.experts], self.weights) + self.shift)

    def contributions(self, row: Blocks, chosen: int, rival: int) -> tuple[np.ndarray, np.ndarray, float, float]:
        """Of one row: columns of [terms | one_hot], what each adds, what meaning adds, and what the base adds.

        All add up to the difference of `log_scores` between chosen and rival, exactly.
        """
        total = np.zeros(row.terms.shape[1] + row.one_hot.shape[1])
        meaning, base = 0.0, float(self.shift[chosen] - self.shift[rival])
        for expert, weight in zip(self.experts, self.weights, strict=True):
            columns, shares, by_meaning, by_base = expert.contributions(row, chosen, rival)
            np.add.at(total, columns, shares * weight)
            meaning, base = meaning + by_meaning * weight, base + by_base * weight
        columns = np.flatnonzero(total)
        return columns, total[columns], meaning, base

    def states(self, name: str) -> dict[str, State]:
        """Parts to store, each named after the model."""
        head: State = {
            "classes": list(self.classes),
            "weights": list(self.weights),
            "shift": self.shift,
            "beta": self.beta.as_list(),
            "experts": len(self.experts),
        }
        return {name: head} | {f"{name}_{i}": e.state() for i, e in enumerate(self.experts)}

    @classmethod
    def from_states(cls, parts: dict[str, State], name: str) -> TopicModel:
        """The stored one again."""
        head = parts[name]
        experts = tuple(Expert.from_state(parts[f"{name}_{i}"]) for i in range(head["experts"]))
        return cls(tuple(head["classes"]), experts, tuple(head["weights"]), head["shift"], Beta(*head["beta"]))


def combine(log_probabilities: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """Weighted sum, shape (n, k)."""
    total = np.zeros_like(log_probabilities[0])
    for part, weight in zip(log_probabilities, weights, strict=True):
        total += weight * part
    return total


def support(scores: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """How much speaks for the class that each expert holds best, shape (n,): low where nothing speaks for any.

    A confidence can't say that: of classes for which nothing speaks one is still the likeliest.
    """
    best = [s.max(axis=1) if s.size else np.zeros(len(s)) for s in scores]
    return np.asarray(np.average(np.stack(best), axis=0, weights=weights))


def with_confidence(probabilities: np.ndarray, beta: Beta) -> np.ndarray:
    """The highest probability of each row calibrated; the others keep their proportions and never overtake it."""
    if len(probabilities) == 0:
        return probabilities
    rows, best = np.arange(len(probabilities)), probabilities.argmax(axis=1)
    others = probabilities.copy()
    others[rows, best] = 0.0
    second, rest = others.max(axis=1), np.maximum(others.sum(axis=1), 1e-300)
    # the least confidence that still leaves the second below the first: c > second · (1 - c) / rest
    least = second / (rest + second) + LEAD
    wanted = np.clip(np.maximum(beta.apply(probabilities[rows, best]), least), 0.0, 1.0 - 1e-9)
    others *= ((1.0 - wanted) / rest)[:, None]
    others[rows, best] = wanted
    return np.asarray(others)
