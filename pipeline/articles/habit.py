"""Which article helpers cite on tickets of such meaning: a classifier learned from their citations."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from pipeline.artifact import State
from pipeline.calibration import softmax

FLOOR = 1e-3
"""Added to every probability: an article that was never cited isn't impossible."""

STRENGTH = 20.0
"""Inverse of the ridge penalty: of those tried (5, 20, 60) the likeliest on Thunderbird tickets of late 2024."""

MOST = 1_000
"""So many of the articles that are cited most are told apart."""


@dataclass(frozen=True)
class Habit:
    """Multinomial logistic regression of k articles on d dimensions of a ticket's meaning.

    Attributes
    ----------
    article : ndarray of int64, shape (k,)
        Positions in the index, rising.
    weights : ndarray of float32, shape (k, d)
    constants : ndarray of float32, shape (k,)
    """

    article: np.ndarray
    weights: np.ndarray
    constants: np.ndarray

    @classmethod
    def fit(cls, vectors: np.ndarray, article: np.ndarray, *, seed: int) -> Habit | None:
        """Learn from citations, one a row; None where fewer than three articles were cited, or each hardly twice.

        Parameters
        ----------
        vectors : ndarray, shape (c, d)
            Of the tickets.
        article : ndarray of int64, shape (c,)
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        named, times = np.unique(article, return_counts=True)
        kept = np.sort(named[np.argsort(-times, kind="stable")][:MOST])
        known = np.isin(article, kept)
        if len(kept) < 3 or known.sum() < 2 * len(kept):  # of two the library makes one, and nothing is to be won
            return None
        fitted = LogisticRegression(C=STRENGTH, max_iter=300, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a habit that is nearly learned ranks as well
            fitted.fit(vectors[known], article[known])
        return cls(kept, fitted.coef_.astype(np.float32), fitted.intercept_.astype(np.float32))

    def says(self, vectors: np.ndarray, size: int) -> np.ndarray:
        """Logarithm of `FLOOR` and the probability of each of `size` articles, shape (n, size), float64."""
        likely = softmax(np.asarray(vectors @ self.weights.T, dtype=np.float64) + self.constants)
        found = np.full((len(likely), size), FLOOR)
        found[:, self.article] += likely
        return np.asarray(np.log(found))

    def probability(self, vector: np.ndarray, article: int) -> float:
        """How probably helpers cite an article on one ticket, shape (1, d); 0 for one that was never cited."""
        size = max(article, int(self.article[-1])) + 1
        return max(float(np.exp(self.says(vector, size)[0, article])) - FLOOR, 0.0)

    def state(self) -> State:
        """What is stored."""
        return {"habit_article": self.article, "habit_weights": self.weights, "habit_constants": self.constants}

    @classmethod
    def from_state(cls, state: State) -> Habit | None:
        """The stored one again; None where none was."""
        if not len(state["habit_article"]):
            return None
        return cls(state["habit_article"], state["habit_weights"], state["habit_constants"])


def had_never_cited(said: np.ndarray, removed: np.ndarray) -> np.ndarray:
    """What a habit would say, had some articles never been cited: the others have their share of its probability.

    Parameters
    ----------
    said : ndarray, shape (n, m)
        By `Habit.says`.
    removed : ndarray of bool, shape (n, m)
    """
    likely = np.where(removed, 0.0, np.exp(said) - FLOOR)
    whole = likely.sum(axis=1, keepdims=True)
    shared = np.divide(likely, whole, out=np.zeros_like(likely), where=whole > 1e-12)
    return np.asarray(np.log(FLOOR + shared))


def no_habit() -> State:
    """What is stored of none."""
    nothing = np.zeros(0, dtype=np.float32)
    return {"habit_article": np.zeros(0, dtype=np.int64), "habit_weights": nothing, "habit_constants": nothing}
