"""Probabilities that mean what they say, and thresholds with a finite-sample bound: pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import beta

EDGE = 1e-6
"""Probabilities are kept inside [EDGE, 1 - EDGE] before a logarithm is taken."""


def softmax(scores: np.ndarray) -> np.ndarray:
    """Rows of scores → rows of probabilities, shape (n, k)."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def normalised(scores: np.ndarray) -> np.ndarray:
    """Rows of scores → rows of log-probabilities, shape (n, k)."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


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

        A weak penalty keeps a handful of positives from driving the line to a step (Platt smooths the targets instead).
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


STARTS = (0.1, 0.4, 0.7)
"""Shares of tickets routed at which searches for a threshold start."""


def confidence_threshold(confidence: np.ndarray, wrong: np.ndarray, max_error: float, certainty: float) -> float:
    """The lowest confidence above which at most `max_error` of the tickets are wrong, with the certainty asked for.

    Thresholds are tried from the strictest down, each by the exact binomial bound, and a search stops at the first that
    fails: a fixed sequence of tests, so the certainty holds for the one chosen (Angelopoulos et al., 2021, "Learn then
    Test"). Three searches start at `STARTS` and share the risk, as one unlucky ticket among the surest would end a
    single one. The ladder is fixed beforehand: shares of tickets routed, in steps of 2 %.

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
    each = 1 - (1 - certainty) / len(STARTS)
    best = 0
    for start in STARTS:
        for share in np.arange(start, 1.0001, 0.02):
            count = max(1, round(share * n))
            edge = confidence[order[count - 1]]
            routed = int(np.searchsorted(-confidence[order], -edge, side="right"))  # ties aren't split
            if error_upper_bound(int(errors[routed - 1]), routed, each) > max_error:
                break
            best = max(best, routed)
    return float(confidence[order[best - 1]]) if best else float("inf")


@dataclass(frozen=True)
class Link:
    """Scores → log-probabilities: log softplus(slope · score + shift), or slope · score, normalised over the classes.

    One-against-rest margins and ridge scores aren't log-odds of one softmax; a softplus bends them to be positive
    before they are normalised, which fits held-out rows much better than a temperature alone.
    """

    slope: float = 1.0
    shift: float = 0.0
    bent: bool = False

    @classmethod
    def fit(cls, scores: np.ndarray, truth: np.ndarray, *, bent: bool) -> Link:
        """The likeliest link on rows that the model hadn't learned from; `truth` is -1 where no class is right."""
        if scores.size == 0:
            return cls()
        known = truth >= 0
        if known.sum() < 10:
            return cls(1.0 / max(float(scores.std()), 1e-9), 0.0, False)
        rows, right, scale = scores[known], truth[known], max(float(scores.std()), 1e-9)
        if not bent:
            return cls(1.0 / fit_temperature(rows, right), 0.0, False)

        def loss(point: np.ndarray) -> float:
            link = cls(float(np.exp(np.clip(point[0], -5, 5))) / scale, float(point[1]), True)
            return float(-link.apply(rows)[np.arange(len(rows)), right].mean())

        tries = [
            minimize(loss, start, method="Nelder-Mead", options={"maxiter": 80, "xatol": 0.02, "fatol": 2e-4})
            for start in (np.array([1.0, -3.0]), np.array([1.0, 3.0]))
        ]
        best = min(tries, key=_loss)
        return cls(float(np.exp(np.clip(best.x[0], -5, 5))) / scale, float(best.x[1]), True)

    def apply(self, scores: np.ndarray) -> np.ndarray:
        """Log-probabilities, shape (n, k)."""
        return normalised(self.raw(scores))

    def raw(self, scores: np.ndarray) -> np.ndarray:
        """Before they are normalised: how much speaks for each class, whatever speaks for the others, shape (n, k)."""
        x = self.slope * scores + self.shift
        return np.asarray(np.where(x < -15, x, np.log(np.logaddexp(0.0, x) + 1e-12)) if self.bent else x)

    def as_list(self) -> list[float | bool]:
        """What is stored."""
        return [self.slope, self.shift, self.bent]


def _loss(found: Any) -> float:
    return float(found.fun)


@dataclass(frozen=True)
class Beta:
    """Beta calibration of a confidence (Kull et al., 2017): sigmoid(a ln c - b ln(1 - c) + shift), a, b ≥ 0."""

    a: float = 1.0
    b: float = 1.0
    shift: float = 0.0

    @classmethod
    def fit(cls, confidence: np.ndarray, right: np.ndarray) -> Beta:
        """Fit on rows that the model hadn't learned from; with fewer than 20 of either kind nothing is changed."""
        if right.sum() < 20 or len(right) - right.sum() < 20:
            return cls()
        from sklearn.linear_model import LogisticRegression

        x = _beta_columns(confidence)
        for keep in ((1.0, 1.0), (1.0, 0.0), (0.0, 1.0)):
            line = LogisticRegression(C=1e3, max_iter=500).fit(x * np.array(keep), right)
            a, b = line.coef_[0] * np.array(keep)
            if a >= 0 and b >= 0 and a + b > 0:
                return cls(float(a), float(b), float(line.intercept_[0]))
        return cls()

    def apply(self, confidence: np.ndarray) -> np.ndarray:
        """Calibrated confidences."""
        lows, highs = _beta_columns(confidence).T
        # Not by a matrix product: that rounds a lone row in another way, and a ticket is scored alone or in a batch.
        return sigmoid(lows * self.a + highs * self.b + self.shift)

    def as_list(self) -> list[float]:
        """What is stored."""
        return [self.a, self.b, self.shift]


def _beta_columns(confidence: np.ndarray) -> np.ndarray:
    c = np.clip(confidence, EDGE, 1 - EDGE)
    return np.stack([np.log(c), -np.log1p(-c)], axis=1)
