"""Smoothed past rates of field values: how often a value's earlier tickets had the outcome, as far as known by then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.artifact import State
from pipeline.calibration import logit

PRIOR_ROWS = 10.0
"""Each value starts with so many imagined tickets at the base rate; on the incidents' tuning slice 10 beat 30."""

STEP = 0.1
"""Rates are rounded to so much in log-odds. Of a value that nearly all tickets have, the rate is a hair beside the base
rate, and the hair changes with every ticket: trees would read the date from it, and learn weeks rather than tickets."""


@dataclass(frozen=True)
class PastRates:
    """Rates as they stood at the end of training: log-odds of each code's smoothed rate, less those of the base rate.

    Attributes
    ----------
    rates : tuple of ndarray, one a field
        Value at each code; codes beyond the end count as the base rate (0).
    """

    rates: tuple[np.ndarray, ...]

    @classmethod
    def fit(cls, codes: np.ndarray, outcome: np.ndarray) -> PastRates:
        """Rates from all rows whose outcome is known.

        Parameters
        ----------
        codes : ndarray of int, shape (n, f)
        outcome : ndarray of 0 and 1, shape (n,)
        """
        base = _base_rate(outcome.sum(), np.array([len(outcome)]))[0]
        rates = []
        for j in range(codes.shape[1]):
            seen = np.bincount(codes[:, j])
            positive = np.bincount(codes[:, j], outcome, minlength=len(seen))
            rates.append(_log_odds(positive, seen, np.full(len(seen), base)))
        return cls(tuple(rates))

    def transform(self, codes: np.ndarray) -> np.ndarray:
        """Rates of each field's value, shape (n, f), float64."""
        table = np.zeros(codes.shape)
        for j, rate in enumerate(self.rates):
            inside = codes[:, j] < len(rate)
            table[inside, j] = rate[codes[inside, j]]
        return table

    def state(self) -> State:
        """What is stored."""
        return {"fields": len(self.rates)} | {f"rate_{j}": r for j, r in enumerate(self.rates)}

    @classmethod
    def from_state(cls, state: State) -> PastRates:
        """The stored one again."""
        return cls(tuple(state[f"rate_{j}"] for j in range(state["fields"])))


def as_of_rates(codes: np.ndarray, outcome: np.ndarray, created: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The same for training rows, each from the outcomes known before it was created: no row sees itself or later.

    Parameters
    ----------
    created, known : ndarray of int64, shape (n,)
        Moments, in any one unit.

    Returns
    -------
    ndarray, shape (n, f)
    """
    order = np.argsort(known, kind="stable")
    moments, outcomes = known[order], outcome[order].astype(float)
    upto = np.searchsorted(moments, created, side="left")
    totals = np.append(0.0, np.cumsum(outcomes))
    base = _base_rate(totals[upto], upto)
    table = np.zeros(codes.shape)
    for j in range(codes.shape[1]):
        code = codes[order, j]
        by_code = np.argsort(code, kind="stable")  # inside a code the order of knowing stays
        sums = np.append(0.0, np.cumsum(outcomes[by_code]))
        start = np.searchsorted(code[by_code], codes[:, j], side="left")
        # position of (code, moment) among the pairs sorted by code, then moment
        key = code[by_code].astype(np.int64) * (len(moments) + 1) + by_code
        end = np.searchsorted(key, codes[:, j].astype(np.int64) * (len(moments) + 1) + upto, side="left")
        table[:, j] = _log_odds(sums[end] - sums[start], end - start, base)
    return table


def folded_rates(codes: np.ndarray, outcome: np.ndarray, *, folds: int = 5) -> np.ndarray:
    """The same without times: each row from the rows of the other folds (by position)."""
    table = np.zeros(codes.shape)
    fold = np.arange(len(codes)) % folds
    for f in range(folds):
        if (fold != f).any() and (fold == f).any():
            table[fold == f] = PastRates.fit(codes[fold != f], outcome[fold != f]).transform(codes[fold == f])
    return table


def _base_rate(positive: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Not smoothed: a value that all tickets have must have the base rate, however few they are."""
    return np.asarray(np.divide(positive, seen, out=np.full(len(seen), 0.5), where=seen > 0))


def _log_odds(positive: np.ndarray, seen: np.ndarray, base: np.ndarray) -> np.ndarray:
    rate = (positive + PRIOR_ROWS * base) / (seen + PRIOR_ROWS)
    return np.asarray(np.round((logit(rate) - logit(base)) / STEP) * STEP) + 0.0
