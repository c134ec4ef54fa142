"""Which rows are old enough to learn from when outcomes come late, and what each of them stands for."""

from __future__ import annotations

import numpy as np

FLOOR = 0.3
"""Rows so young that less than this share of some outcome would be known by now are left out."""


def maturity_weights(outcome: np.ndarray, created: np.ndarray, known: np.ndarray, cut: int) -> np.ndarray:
    """Row weights that undo the bias of learning only from what is known at the cut.

    Near the cut only quickly known outcomes are there, mostly of one kind. A row of age a with outcome y was known with
    probability F_y(a), the distribution of the delay between creation and knowledge; weight 1 / F_y(a) restores the
    balance (Horvitz and Thompson, 1952). Delays are right-truncated by the age, so F is Lynden-Bell's (1971) estimate.

    Parameters
    ----------
    created, known : ndarray of int64, shape (n,)
        Moments in one unit; all known are at most `cut`.

    Returns
    -------
    ndarray, shape (n,)
        0 for rows that are left out.
    """
    age, delay = (cut - created).astype(float), (known - created).astype(float)
    share = np.ones((2, len(outcome)))
    for value in (0, 1):
        mine = outcome == value
        if mine.sum() >= 20:
            share[value] = _delay_distribution(delay[mine], age[mine], age)
    weights = 1.0 / np.maximum(share[outcome.astype(int), np.arange(len(outcome))], FLOOR)
    weights[share.min(axis=0) < FLOOR] = 0.0
    if (weights > 0).sum() < max(20, 0.2 * len(weights)) or len(np.unique(outcome[weights > 0])) < 2:
        return np.ones(len(outcome))
    return np.asarray(weights / weights[weights > 0].mean())


def _delay_distribution(delay: np.ndarray, age: np.ndarray, at: np.ndarray) -> np.ndarray:
    """F(at) from delays seen only because delay ≤ age."""
    moments, ties = np.unique(delay, return_counts=True)
    rising_delay, rising_age = np.sort(delay), np.sort(age)
    # at risk at t: delay ≤ t ≤ age
    at_risk = np.searchsorted(rising_delay, moments, side="right") - np.searchsorted(rising_age, moments, side="left")
    keep = np.clip(1.0 - ties / np.maximum(at_risk, 1), 1e-6, 1.0)
    keep[at_risk <= ties] = 1.0  # the earliest moments, where everyone at risk is tied, carry no information
    after = np.append(np.cumprod(keep[::-1])[::-1][1:], 1.0)
    place = np.searchsorted(moments, at, side="right") - 1
    return np.where(place >= 0, after[np.maximum(place, 0)], 0.0)
