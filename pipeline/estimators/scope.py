"""Out of scope: how far a ticket is from everything that the labels were learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.artifact import State
from pipeline.calibration import sigmoid

MIN_EXAMPLES = 20
"""With fewer out-of-scope tickets in history the weights aren't learned, and `DEFAULT` stands."""

DEFAULT = np.array([4.0, -4.0, -4.0])
"""Confidence and cosine count alike; out of scope is likelier than not where both average below one half."""


@dataclass(frozen=True)
class Scope:
    """score = sigmoid(bias + weight · confidence + weight · cosine to the nearest labelled ticket).

    Attributes
    ----------
    vectors : ndarray of float32, shape (n, d)
        Labelled tickets' embeddings of unit length; d = 0 without an encoder: then confidence alone decides.
    weights : ndarray, shape (3,)
        Bias, confidence, cosine.
    threshold : float
        Above it a ticket counts as out of scope; 1.0 where none was learned.
    """

    vectors: np.ndarray
    weights: np.ndarray
    threshold: float = 1.0

    @staticmethod
    def learn(confidence: np.ndarray, nearness: np.ndarray, outside: np.ndarray) -> np.ndarray:
        """Weights from rows in scope and out of it, each seen by a model that hadn't learned from it."""
        from sklearn.linear_model import LogisticRegression

        if outside.sum() < MIN_EXAMPLES:
            return DEFAULT
        line = LogisticRegression(C=10.0, class_weight="balanced", max_iter=500).fit(
            np.stack([confidence, nearness], axis=1), outside
        )
        return np.array([line.intercept_[0], *np.minimum(line.coef_[0], 0.0)])

    def score(self, confidence: np.ndarray, meaning: np.ndarray) -> np.ndarray:
        """Higher is further out of scope, shape (n,)."""
        return scope_score(self.weights, confidence, nearness(meaning, self.vectors))

    def state(self) -> State:
        """What is stored."""
        return {"vectors": self.vectors, "weights": self.weights, "threshold": self.threshold}

    @classmethod
    def from_state(cls, state: State) -> Scope:
        """The stored one again."""
        return cls(state["vectors"], state["weights"], float(state["threshold"]))


def scope_score(weights: np.ndarray, confidence: np.ndarray, near: np.ndarray) -> np.ndarray:
    """See `Scope`."""
    return sigmoid(weights[0] + weights[1] * confidence + weights[2] * near)


def nearness(meaning: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Cosine to the nearest of `vectors`, shape (n,); 0 without an encoder."""
    if vectors.size == 0 or meaning.shape[1] == 0:
        return np.zeros(len(meaning))
    parts = [(meaning[i : i + 2048] @ vectors.T).max(axis=1) for i in range(0, len(meaning), 2048)]
    return np.concatenate(parts).astype(np.float64) if parts else np.zeros(0)
