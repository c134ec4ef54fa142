"""Priority: levels in order, monotone probabilities, absent levels, and the level that costs least."""

from __future__ import annotations

import numpy as np
import pytest
from made_blocks import blocks, spread

from pipeline.calibration import sigmoid
from pipeline.estimators.priority import DECISIONS, PriorityModel, View, decide, view

LEVELS = ("low", "medium", "high", "urgent")
CODES = spread(400)
BLOCKS = blocks(CODES)
NEW_CODES = spread(200, seed=4)
NEW = blocks(NEW_CODES, seed=4)
VIEWS: tuple[View, ...] = ("words", "meaning", "both")


def fitted(rows: np.ndarray | None = None, name: View = "both", codes: np.ndarray = CODES) -> PriorityModel:
    rows = np.arange(len(codes)) if rows is None else rows
    return PriorityModel.fit(LEVELS, name, BLOCKS.take(rows), codes[rows], seed=0)


@pytest.mark.parametrize("name", VIEWS)
def test_probabilities_of_each_row_add_up_to_one_and_are_never_negative(name: View) -> None:
    model = fitted(name=name).with_calibration(1.7, "mixed")
    found = model.probabilities(NEW)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert (found >= 0).all() and (model.raw(NEW) >= 0).all()
    assert (found.argmax(axis=1) == NEW_CODES).mean() > 0.8


@pytest.mark.parametrize("name", VIEWS)
def test_being_above_a_level_never_gets_likelier_upwards(name: View) -> None:
    model = fitted(name=name)
    above = sigmoid(model.cumulative.scores(view(NEW, name)))
    assert (np.diff(above, axis=1) > 1e-9).any(), "the repair has something to repair"
    assert (model.raw(NEW) >= 0).all()


@pytest.mark.parametrize("absent", range(4))
def test_a_level_that_history_never_had_is_never_likely(absent: int) -> None:
    model = fitted(np.flatnonzero(absent != CODES))
    raw = model.raw(NEW)
    assert raw[:, absent].max() < 0.35  # the cumulative member leaves a little where its neighbours cross
    assert raw[:, absent].mean() < 0.02
    assert not (model.decide(model.probabilities(NEW)) == absent).any()


@pytest.mark.parametrize("present", [(0, 3), (1, 2), (2,)])
def test_two_levels_or_one_are_enough(present: tuple[int, ...]) -> None:
    model = fitted(np.flatnonzero(np.isin(CODES, present)))
    found = model.probabilities(NEW)
    assert set(np.unique(found.argmax(axis=1))) <= set(present)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_decisions_differ_as_their_costs_do() -> None:
    far = np.array([[0.45, 0.0, 0.15, 0.40]])
    assert decide(far, "likeliest") == 0
    assert decide(far, "median") == 2
    assert decide(far, "mixed") == 0
    assert decide(np.array([[0.40, 0.0, 0.25, 0.35]]), "mixed") == 2
    sure = np.array([[0.1, 0.8, 0.1, 0.0]])
    assert {int(decide(sure, d)[0]) for d in DECISIONS} == {1}


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_decision_has_the_least_expected_cost(decision: str) -> None:
    said = np.random.default_rng(0).dirichlet(np.full(5, 0.7), 300)
    truth = np.arange(5)
    for p, chosen in zip(said, decide(said, decision), strict=True):
        miss = np.array([p @ (truth != level) for level in range(5)])
        far = np.array([p @ np.abs(truth - level) for level in range(5)])
        cost = {"likeliest": miss, "median": far, "mixed": (miss + far) / 2}[decision]
        assert cost[chosen] == pytest.approx(cost.min())


def test_the_median_is_the_median() -> None:
    said = np.random.default_rng(1).dirichlet(np.ones(5), 300)
    middle = (said.cumsum(axis=1) < 0.5).sum(axis=1)
    np.testing.assert_array_equal(decide(said, "median"), middle)


def test_a_higher_temperature_is_less_sure() -> None:
    cold, warm = (fitted().with_calibration(t, "mixed").probabilities(NEW).max(axis=1) for t in (0.8, 2.0))
    assert (warm < cold).all()


def test_without_text_the_fields_carry_the_model() -> None:
    bare = blocks(CODES, words=False, meaning=False)
    model = PriorityModel.fit(LEVELS, "words", bare, CODES, seed=0)
    found = model.probabilities(blocks(NEW_CODES, seed=4, words=False, meaning=False))
    assert (found.argmax(axis=1) == NEW_CODES).mean() > 0.7


def test_a_meaning_without_fields_is_seen_as_it_is() -> None:
    bare = blocks(CODES, fields=False)
    assert view(bare, "meaning") is bare.meaning
    assert view(BLOCKS, "meaning").shape[1] == BLOCKS.meaning.shape[1] + BLOCKS.one_hot.shape[1]


def test_a_stored_model_says_the_same() -> None:
    model = fitted().with_calibration(1.3, "median")
    again = PriorityModel.from_state(model.state())
    np.testing.assert_array_equal(again.probabilities(NEW), model.probabilities(NEW))
    assert (again.levels, again.decision, again.view) == (LEVELS, "median", "both")
