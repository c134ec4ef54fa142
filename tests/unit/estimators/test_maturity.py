"""Maturity: weights undo the bias of learning only from outcomes that are known by now."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.estimators.maturity import maturity_weights

DAY = 10_000
CUT = 1000 * DAY


def truncated(rate: float, seed: int, n: int = 20_000, days: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A simulated log: positives are known after about 5 days, negatives after about 40; the rest isn't known yet."""
    draw = np.random.default_rng(seed)
    outcome = (draw.random(n) < rate).astype(int)
    created = draw.integers(CUT - days * DAY, CUT, n)
    known = created + draw.exponential(np.where(outcome == 1, 5.0, 40.0) * DAY).astype(np.int64)
    there = known < CUT
    return outcome[there], created[there], known[there]


@pytest.mark.parametrize(("days", "left"), [(400, 0.2), (120, 0.3)])
@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_simulated_truncation_is_undone(rate: float, days: int, left: float) -> None:
    plain, mended = [], []
    for seed in range(6):
        outcome, created, known = truncated(rate, seed, 40_000, days)
        plain.append(outcome.mean())
        mended.append(np.average(outcome, weights=maturity_weights(outcome, created, known, CUT)))
    assert min(plain) > rate + 0.004, "positives are known sooner, so they are too many"
    assert abs(np.mean(mended) - rate) < left * (np.mean(plain) - rate)


def test_the_mix_is_mended_near_the_cut_too() -> None:
    outcome, created, known = truncated(0.2, 9, 60_000)
    weights = maturity_weights(outcome, created, known, CUT)
    young = (created > CUT - 60 * DAY) & (weights > 0)
    assert outcome[young].mean() > 0.25
    assert np.average(outcome[young], weights=weights[young]) == pytest.approx(0.2, abs=0.03)


def test_the_youngest_rows_are_left_out() -> None:
    outcome, created, known = truncated(0.2, 1)
    weights = maturity_weights(outcome, created, known, CUT)
    assert not weights[created > CUT - 5 * DAY].any()
    assert (weights[created < CUT - 60 * DAY] > 0).all()


def test_weights_of_the_rows_that_stay_are_one_on_average() -> None:
    weights = maturity_weights(*truncated(0.2, 2), CUT)
    assert weights[weights > 0].mean() == pytest.approx(1.0)


def test_outcomes_known_at_creation_all_weigh_alike() -> None:
    draw = np.random.default_rng(0)
    created = draw.integers(0, CUT, 500)
    weights = maturity_weights((draw.random(500) < 0.3).astype(int), created, created, CUT)
    np.testing.assert_array_equal(weights, 1.0)


@pytest.mark.parametrize("rows", [1, 5, 25])
def test_few_rows_all_weigh_alike(rows: int) -> None:
    outcome, created, known = (x[:rows] for x in truncated(0.3, 3))
    np.testing.assert_array_equal(maturity_weights(outcome, created, known, CUT), 1.0)


def test_one_outcome_alone_is_never_left_over() -> None:
    created = np.concatenate([np.full(50, CUT - 10), np.full(300, 100)])  # all positives are young and slow
    outcome = np.concatenate([np.ones(50, dtype=int), np.zeros(300, dtype=int)])
    known = np.concatenate([np.arange(50) % 9 + CUT - 10, np.full(300, 110)])
    weights = maturity_weights(outcome, created, known, CUT)
    assert len(np.unique(outcome[weights > 0])) == 2
