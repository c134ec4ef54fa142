"""Probabilities that mean what they say, and thresholds with a finite-sample bound: pure functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import beta

EDGE = 1e-6
"""Probabilities are kept inside [EDGE, 1 - EDGE] before a logarithm is taken."""


def softmax(scores: np.ndarray) -> np.ndarray:
    """Rows of scores → rows of probabilities, shape (n, k)."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def logit(probability: np.ndarray) -> np.ndarray:
    """ln(p / (1 - p)), with p kept off the edges."""
    p = np.clip(probability, EDGE, 1 - EDGE)
    return np.asarray(np.log(p) - np.log1p(-p))


def sigmoid(score: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * np.asarray(score, dtype=np.float64))))


def fit_temperature(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The temperature T for which softmax(scores / T) is likeliest (Guo et al., 2017).

    Parameters
    ----------
    scores : ndarray, shape (n, k)
        Unnormalised log-probabilities or margins.
    truth : ndarray of int, shape (n,)
        Column of the right class; -1 where it isn't among the columns (such rows are left out).
    """
    known = truth >= 0
    if known.sum() < 2:
        return 1.0
    rows, right = scores[known], truth[known]
    weight = np.ones(len(rows)) if weights is None else weights[known]

    def loss(log_temperature: float) -> float:
        scaled = rows / np.exp(log_temperature)
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        likelihood = scaled[np.arange(len(rows)), right] - np.log(np.exp(scaled).sum(axis=1))
        return float(-(weight * likelihood).sum())

    return float(np.exp(minimize_scalar(loss, bounds=(-4.0, 4.0), method="bounded").x))


@dataclass(frozen=True)
class Platt:
    """A straight line in log-odds: p' = sigmoid(slope · logit(p) + shift) (Platt, 1999)."""

    slope: float = 1.0
    shift: float = 0.0

    @classmethod
    def fit(cls, probability: np.ndarray, outcome: np.ndarray, weights: np.ndarray | None = None) -> Platt:
        """Fit on rows that the model has not seen; with too few of either outcome nothing is changed.

        Targets are smoothed as Platt does, so that a handful of positives can't drive the line to a step.
        """
        positives = float(outcome.sum())
        if positives < 5 or len(outcome) - positives < 5:
            return cls()
        from sklearn.linear_model import LogisticRegression

        line = LogisticRegression(C=100.0).fit(logit(probability)[:, None], outcome, sample_weight=weights)
        slope = float(line.coef_[0, 0])
        return cls(slope, float(line.intercept_[0])) if slope > 0 else cls()

    def apply(self, probability: np.ndarray) -> np.ndarray:
        """Calibrated probabilities."""
        return sigmoid(self.slope * logit(probability) + self.shift)


def error_upper_bound(errors: int, n: int, certainty: float) -> float:
    """Exact upper confidence bound of an error rate (Clopper and Pearson, 1934); 1 without rows."""
    if n == 0 or errors >= n:
        return 1.0
    return float(beta.ppf(certainty, errors + 1, n - errors))


def error_lower_bound(errors: int, n: int, certainty: float) -> float:
    """Exact lower confidence bound of an error rate; 0 without rows or errors."""
    if n == 0 or errors == 0:
        return 0.0
    return float(beta.ppf(1 - certainty, errors, n - errors + 1))


def confidence_threshold(confidence: np.ndarray, wrong: np.ndarray, max_error: float, certainty: float) -> float:
    """The lowest confidence above which at most `max_error` of the tickets are wrong, with the certainty asked for.

    Thresholds are tried from the strictest down, each by the exact binomial bound, and the search stops at the first
    that fails: a fixed sequence of tests, so the certainty holds for the one chosen (Angelopoulos et al., 2021,
    "Learn then Test"). The ladder of thresholds is fixed beforehand: fractions of tickets routed, 2 % steps.

    Returns
    -------
    float
        `inf` where no threshold keeps the promise: then nothing is routed.
    """
    n = len(confidence)
    if n == 0:
        return float("inf")
    order = np.argsort(-confidence, kind="stable")
    errors = np.cumsum(wrong[order])
    threshold = float("inf")
    smallest = np.log(1 - certainty) / np.log1p(-max_error) if 0 < max_error < 1 else 1.0
    for share in np.arange(0.02, 1.0001, 0.02):
        count = int(round(share * n))
        if count < max(1.0, smallest):
            continue  # too few tickets for the bound to be met even without an error
        edge = confidence[order[count - 1]]
        routed = int(np.searchsorted(-confidence[order], -edge, side="right"))  # ties aren't split
        if error_upper_bound(int(errors[routed - 1]), routed, certainty) > max_error:
            break
        threshold = float(edge)
    return threshold
