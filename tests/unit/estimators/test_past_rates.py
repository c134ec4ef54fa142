"""Past rates of field values: what was known by then, and nothing of the row itself or of later ones."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.calibration import logit
from pipeline.estimators.past_rates import PRIOR_ROWS, STEP, PastRates, as_of_rates, folded_rates


def made(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Codes, outcomes, creation and knowledge, with ties in both kinds of moment and rows in no order."""
    draw = np.random.default_rng(seed)
    codes = np.stack([draw.integers(0, 5, n), draw.integers(0, 40, n)], axis=1)
    outcome = (draw.random(n) < 0.1 + 0.15 * codes[:, 0]).astype(int)
    created = draw.integers(0, 60, n)
    return codes, outcome, created, created + draw.integers(0, 25, n)


def slowly(codes: np.ndarray, outcome: np.ndarray, created: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The definition, row by row."""
    table = np.zeros(codes.shape)
    for i in range(len(codes)):
        before = known < created[i]
        base = outcome[before].mean() if before.any() else 0.5
        for j in range(codes.shape[1]):
            same = before & (codes[:, j] == codes[i, j])
            rate = (outcome[same].sum() + PRIOR_ROWS * base) / (same.sum() + PRIOR_ROWS)
            table[i, j] = np.round((logit(np.array(rate)) - logit(np.array(base))) / STEP) * STEP
    return table


@pytest.mark.parametrize("seed", range(5))
def test_as_of_rates_are_those_of_a_slow_loop(seed: int) -> None:
    rows = made(seed=seed)
    np.testing.assert_allclose(as_of_rates(*rows), slowly(*rows), atol=1e-12)


@pytest.mark.parametrize("row", [0, 17, 199])
def test_a_row_never_sees_its_own_outcome_nor_later_ones(row: int) -> None:
    codes, outcome, created, known = made()
    before = as_of_rates(codes, outcome, created, known)[row]
    unseen = known >= created[row]  # the row's own is among them
    assert unseen[row]
    turned = np.where(unseen, 1 - outcome, outcome)
    np.testing.assert_array_equal(as_of_rates(codes, turned, created, known)[row], before)


def test_a_value_that_nearly_all_tickets_have_does_not_give_the_date_away() -> None:
    _, outcome, created, known = made(n=2_000)
    outcome[created < 30] = 1  # the base rate falls
    codes = np.ones((2_000, 1), dtype=int)
    codes[::250] = 2
    found = as_of_rates(codes, outcome, created, known)
    assert (found[(codes[:, 0] == 1) & (created > 5)] == 0).all()


def test_the_order_of_the_rows_does_not_matter() -> None:
    codes, outcome, created, known = made()
    order = np.random.default_rng(1).permutation(len(codes))
    found = as_of_rates(codes[order], outcome[order], created[order], known[order])
    np.testing.assert_allclose(found, as_of_rates(codes, outcome, created, known)[order], atol=1e-12)


def test_a_ticket_after_all_others_sees_what_the_end_of_training_has() -> None:
    codes, outcome, created, known = made()
    end = known.max() + 1
    one = as_of_rates(
        np.vstack([codes, codes[:1]]), np.append(outcome, 0), np.append(created, end), np.append(known, end)
    )[-1]
    np.testing.assert_allclose(one, PastRates.fit(codes, outcome).transform(codes[:1])[0], atol=1e-12)


def test_a_code_that_training_never_saw_counts_as_the_base_rate() -> None:
    codes, outcome, _, _ = made()
    found = PastRates.fit(codes, outcome).transform(np.array([[0, 1000]]))
    assert found[0, 1] == 0.0 and found[0, 0] != 0.0


def test_without_times_a_row_is_rated_by_other_folds_alone() -> None:
    codes, outcome, _, _ = made()
    before = folded_rates(codes, outcome)
    for row in (0, 3, 150):
        turned = outcome.copy()
        turned[np.arange(200) % 5 == row % 5] ^= 1
        np.testing.assert_array_equal(folded_rates(codes, turned)[row], before[row])


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_few_rows_give_rates_too(rows: int) -> None:
    codes, outcome, created, known = (x[:rows] for x in made())
    for found in (as_of_rates(codes, outcome, created, known), folded_rates(codes, outcome)):
        assert found.shape == (rows, 2) and np.isfinite(found).all()


def test_stored_rates_are_the_same() -> None:
    codes, outcome, _, _ = made()
    rates = PastRates.fit(codes, outcome)
    np.testing.assert_array_equal(PastRates.from_state(rates.state()).transform(codes), rates.transform(codes))
