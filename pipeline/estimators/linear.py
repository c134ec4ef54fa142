"""One linear model of one block of features: margins for each class, and the exact share of each feature in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp

from pipeline.artifact import State

Matrix: TypeAlias = "sp.csr_matrix | np.ndarray"


@dataclass(frozen=True)
class Linear:
    """score = x · coefficientsᵀ + intercepts, shape (n, k).

    Attributes
    ----------
    coefficients : ndarray of float32, shape (k, m)
    intercepts : ndarray of float64, shape (k,)
    """

    coefficients: np.ndarray
    intercepts: np.ndarray

    def __post_init__(self) -> None:
        # A sparse product copies its right side unless that lies row by row: all of it, for every single ticket.
        object.__setattr__(self, "coefficients", np.asfortranarray(self.coefficients))

    def scores(self, block: Matrix) -> np.ndarray:
        """Margins, shape (n, k), float64."""
        return np.asarray(np.asarray(block @ self.coefficients.T, dtype=np.float64) + self.intercepts)

    def contributions(self, row: Matrix, chosen: int, rival: int) -> tuple[np.ndarray, np.ndarray]:
        """Of one row: (columns that aren't zero, what each adds to the margin of `chosen` over `rival`)."""
        if sp.issparse(row):
            entry = sp.csr_matrix(row)
            places, values = entry.indices, entry.data.astype(np.float64)
        else:
            values = np.asarray(row, dtype=np.float64).ravel()
            places = np.arange(len(values))
        return places, values * (
            self.coefficients[chosen, places].astype(np.float64) - self.coefficients[rival, places]
        )

    def state(self) -> State:
        """What is stored."""
        return {"coefficients": self.coefficients, "intercepts": self.intercepts}

    @classmethod
    def from_state(cls, state: State) -> Linear:
        """The stored one again."""
        return cls(state["coefficients"], state["intercepts"])


def fit_margins(
    block: Matrix, codes: np.ndarray, classes: int, *, strength: float, weights: np.ndarray | None, seed: int
) -> Linear:
    """One-against-rest linear support vectors (LIBLINEAR's dual): the strongest on sparse text.

    The tolerance is half of LIBLINEAR's own: a tighter one takes a third longer for the same accuracy.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        Class of each row, 0 … classes - 1, each present.
    strength : float
        Inverse regularisation C.
    weights : ndarray, shape (n,), optional
        Row weights.
    """
    from sklearn.svm import LinearSVC

    model = LinearSVC(C=strength, random_state=seed, max_iter=2000, tol=0.05)
    return _fitted(model, block, codes, classes, weights)


def fit_logistic(
    block: Matrix,
    codes: np.ndarray,
    classes: int,
    *,
    strength: float,
    weights: np.ndarray | None,
    seed: int,
    tolerance: float = 1e-3,
) -> Linear:
    """Multinomial logistic regression (L-BFGS): well-shaped probabilities on dense vectors.

    Parameters as in `fit_margins`; a loose tolerance ends early: on sparse text as good, and five times quicker.
    """
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=300, tol=tolerance, random_state=seed)
    return _fitted(model, block, codes, classes, weights)


def _fitted(model: Any, block: Matrix, codes: np.ndarray, classes: int, weights: np.ndarray | None) -> Linear:
    """Fit and unpack; two classes give one row of coefficients in scikit-learn, and two here."""
    if classes == 1:
        return Linear(np.zeros((1, block.shape[1]), dtype=np.float32), np.zeros(1))
    model.fit(block, codes, sample_weight=weights)
    coefficients, intercepts = np.asarray(model.coef_), np.asarray(model.intercept_, dtype=np.float64).ravel()
    if classes == 2:
        coefficients, intercepts = np.vstack([-coefficients, coefficients]), np.array([-intercepts[0], intercepts[0]])
    return Linear(coefficients.astype(np.float32), intercepts)
