"""Out of scope, linear models, and neighbours: nearness, weights that never turn the wrong way, exact shares."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from made_blocks import blocks, spread

from pipeline.estimators.explain import Neighbours
from pipeline.estimators.linear import Linear, fit_logistic, fit_margins
from pipeline.estimators.scope import DEFAULT, Scope, nearness

CLASSES = spread(200)
BLOCKS = blocks(CLASSES)


def test_nearness_is_the_cosine_to_the_nearest() -> None:
    found = nearness(BLOCKS.meaning, BLOCKS.meaning[:50])
    np.testing.assert_allclose(found, (BLOCKS.meaning @ BLOCKS.meaning[:50].T).max(axis=1), atol=1e-6)
    np.testing.assert_allclose(found[:50], 1.0, atol=1e-5)


def test_without_an_encoder_support_alone_decides() -> None:
    scope = Scope(np.zeros((0, 0), dtype=np.float32), DEFAULT, mean=-1.0, deviation=0.5)
    score = scope.score(np.array([-0.5, -1.0, -3.0]), np.zeros((3, 0), dtype=np.float32))
    assert score[0] < score[1] < 0.5 < score[2]


def test_few_examples_leave_the_default_weights() -> None:
    draw = np.random.default_rng(0)
    outside = np.r_[np.ones(19), np.zeros(100)]
    np.testing.assert_array_equal(Scope.learn(draw.random(119), draw.random(119), outside), DEFAULT)


def test_learned_weights_tell_the_strange_from_the_known() -> None:
    draw = np.random.default_rng(0)
    outside = np.r_[np.ones(60), np.zeros(200)]
    sure = np.clip(0.75 - 0.4 * outside + 0.1 * draw.normal(size=260), 0, 1)
    near = np.clip(0.8 - 0.3 * outside + 0.1 * draw.normal(size=260), -1, 1)
    weights = Scope.learn(sure, near, outside)
    score = weights[0] + weights[1] * sure + weights[2] * near
    assert (score[outside == 1] > 0).mean() > 0.9 and (score[outside == 0] < 0).mean() > 0.9


def test_being_surer_or_nearer_never_makes_a_ticket_stranger() -> None:
    draw = np.random.default_rng(1)
    outside = np.r_[np.ones(60), np.zeros(60)]
    weights = Scope.learn(draw.random(120), 0.5 + 0.4 * outside, outside)  # nearness is the wrong way round here
    assert (weights[1:] <= 0).all()


def test_a_stored_scope_scores_the_same() -> None:
    scope = Scope(BLOCKS.meaning, np.array([3.0, -2.0, -5.0]), 0.7, mean=0.4, deviation=0.2)
    again = Scope.from_state(scope.state())
    sure = np.linspace(0, 1, 200)
    np.testing.assert_array_equal(again.score(sure, BLOCKS.meaning), scope.score(sure, BLOCKS.meaning))
    assert again.threshold == 0.7


@pytest.mark.parametrize("fit", [fit_margins, fit_logistic])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_linear_model_has_a_row_for_each_class(fit: object, count: int) -> None:
    codes = CLASSES % count
    model = fit(BLOCKS.terms, codes, count, strength=1.0, weights=None, seed=0)  # type: ignore[operator]
    scores = model.scores(BLOCKS.terms)
    assert scores.shape == (200, count)
    if count == 2:
        np.testing.assert_allclose(scores[:, 0], -scores[:, 1])


def test_shares_of_a_linear_model_add_up_in_sparse_and_dense_rows() -> None:
    model = fit_margins(BLOCKS.terms, CLASSES, 4, strength=1.0, weights=None, seed=0)
    for row in (BLOCKS.terms[:1], BLOCKS.terms[:1].toarray()):
        _, shares = model.contributions(row, 2, 0)
        base = model.intercepts[2] - model.intercepts[0]
        scores = model.scores(row)[0]
        assert shares.sum() + base == pytest.approx(scores[2] - scores[0], abs=1e-6)


def test_a_stored_linear_model_is_the_same() -> None:
    model = fit_logistic(sp.csr_matrix(BLOCKS.terms), CLASSES, 4, strength=1.0, weights=None, seed=0)
    np.testing.assert_array_equal(Linear.from_state(model.state()).scores(BLOCKS.terms), model.scores(BLOCKS.terms))


def test_the_nearest_labelled_tickets_come_nearest_first() -> None:
    known = Neighbours(tuple(f"t{i}" for i in range(200)), tuple(map(str, CLASSES)), BLOCKS.meaning)
    (found,) = known.nearest(BLOCKS.meaning[7:8], 3)
    assert found[0]["ticket_id"] == "t7" and found[0]["label"] == str(CLASSES[7])
    assert [f["similarity"] for f in found] == sorted((f["similarity"] for f in found), reverse=True)


@pytest.mark.parametrize("count", [0, 3])
def test_without_an_encoder_there_are_no_neighbours(count: int) -> None:
    empty = Neighbours((), (), np.zeros((0, 0), dtype=np.float32))
    assert empty.nearest(np.zeros((2, 0), dtype=np.float32), count) == [[], []]
