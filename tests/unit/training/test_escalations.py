"""When outcomes come late, and when they only have a horizon."""

from __future__ import annotations

import numpy as np

from pipeline.estimators.maturity import maturity_weights
from pipeline.training.escalations import come_late

DRAW = np.random.default_rng(3)
CREATED = np.sort(DRAW.uniform(0, 1_000, 4_000))
OUTCOME = (DRAW.random(4_000) < 0.3).astype(int)
CUT = 1_000


def weights(delay: np.ndarray) -> np.ndarray:
    """Of the rows whose outcome is known at the cut, which take so long to be known."""
    known = CREATED + delay
    there = known < CUT
    return maturity_weights(OUTCOME[there], CREATED[there], known[there], CUT)


def test_an_outcome_with_a_horizon_is_not_late_though_its_newest_rows_are_left_out() -> None:
    found = weights(np.where(OUTCOME == 1, DRAW.uniform(0, 7, 4_000), 7.0))
    assert (found == 0).any() and not come_late(found)


def test_an_outcome_that_comes_whenever_the_ticket_is_closed_is_late() -> None:
    assert come_late(weights(np.where(OUTCOME == 1, DRAW.exponential(200, 4_000), 10.0)))


def test_without_weights_nothing_is_late() -> None:
    assert not come_late(np.ones(10)) and not come_late(np.zeros(3))
