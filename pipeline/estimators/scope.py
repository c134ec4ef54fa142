"""Out of scope: how far a ticket is from everything that the labels were learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.artifact import State
from pipeline.calibration import sigmoid

MIN_EXAMPLES = 20
"""With fewer out-of-scope tickets in history the weights aren't learned, and `DEFAULT` stands."""

DEFAULT = np.array([0.5, -1.0, -4.0])
"""An ordinary ticket, of mean support and a cosine of 0.7, has 0.09; one of neither has more than one half."""

NEITHER = 0.5
"""Nearness where there is no encoder: neither near nor far."""


@dataclass(frozen=True)
class Scope:
    """score = sigmoid(bias + weight · support + weight · cosine to the nearest labelled ticket).

    The support of the best topic (`topic.support`) is in standard deviations from its mean.

    Attributes
    ----------
    vectors : ndarray of float32, shape (n, d)
        Labelled tickets' embeddings of unit length; d = 0 without an encoder: then support alone decides.
    weights : ndarray, shape (3,)
        Bias, support, cosine.
    threshold : float
        Above it a ticket counts as out of scope; 1.0 where none was learned.
    mean, deviation : float
        Of the support, on tickets in scope that the model hadn't learned from.
    """

    vectors: np.ndarray
    weights: np.ndarray
    threshold: float = 1.0
    mean: float = 0.0
    deviation: float = 1.0

    @staticmethod
    def learn(support: np.ndarray, nearness: np.ndarray, outside: np.ndarray) -> np.ndarray:
        """Weights from rows in scope and out of it, each seen by a model that hadn't learned from it.

        Parameters
        ----------
        support : ndarray, shape (n,)
            In standard deviations from its mean.
        """
        from sklearn.linear_model import LogisticRegression

        if outside.sum() < MIN_EXAMPLES:
            return DEFAULT
        line = LogisticRegression(C=10.0, class_weight="balanced", max_iter=500).fit(
            np.stack([support, nearness], axis=1), outside
        )
        return np.array([line.intercept_[0], *np.minimum(line.coef_[0], 0.0)])

    def score(self, support: np.ndarray, meaning: np.ndarray) -> np.ndarray:
        """Higher is further out of scope, shape (n,)."""
        return self.score_near(support, nearness(meaning, self.vectors))

    def score_near(self, support: np.ndarray, near: np.ndarray) -> np.ndarray:
        """The same, given the cosine to the nearest labelled ticket."""
        bias, supported, nearer = self.weights
        return sigmoid(bias + supported * (support - self.mean) / self.deviation + nearer * near)

    def state(self) -> State:
        """What is stored."""
        numbers = {"threshold": self.threshold, "mean": self.mean, "deviation": self.deviation}
        return {"vectors": self.vectors, "weights": self.weights} | numbers

    @classmethod
    def from_state(cls, state: State) -> Scope:
        """The stored one again."""
        numbers = (float(state[n]) for n in ("threshold", "mean", "deviation"))
        return cls(state["vectors"], state["weights"], *numbers)


def nearness(meaning: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Cosine to the nearest of `vectors`, shape (n,); `NEITHER` without an encoder."""
    if vectors.size == 0 or meaning.shape[1] == 0:
        return np.full(len(meaning), NEITHER)
    parts = [(meaning[i : i + 2048] @ vectors.T).max(axis=1) for i in range(0, len(meaning), 2048)]
    return np.concatenate(parts).astype(np.float64) if parts else np.zeros(0)
