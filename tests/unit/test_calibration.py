"""Calibration: fits that find what was simulated, bounds that are SciPy's, and thresholds that keep their promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from pipeline.calibration import (
    Beta,
    Link,
    Platt,
    confidence_threshold,
    error_lower_bound,
    error_upper_bound,
    fit_temperature,
    logit,
    sigmoid,
    softmax,
)


def drawn(scores: np.ndarray, seed: int = 0) -> np.ndarray:
    """A class for each row, drawn from the softmax of its scores."""
    cumulated = softmax(scores).cumsum(axis=1)
    return np.asarray((np.random.default_rng(seed).random(len(scores))[:, None] > cumulated).sum(axis=1))


def test_softmax_sigmoid_and_logit_stand_extreme_scores() -> None:
    np.testing.assert_allclose(softmax(np.array([[1e4, 0.0], [-1e4, -1e4]])), [[1.0, 0.0], [0.5, 0.5]])
    np.testing.assert_allclose(sigmoid(np.array([-1e4, 0.0, 1e4])), [0.0, 0.5, 1.0])
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()
    middle = np.linspace(0.01, 0.99, 50)
    np.testing.assert_allclose(sigmoid(logit(middle)), middle)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_of_simulated_scores_is_found(temperature: float) -> None:
    scores = np.random.default_rng(1).normal(size=(6000, 4)) * 2
    truth = drawn(scores)
    assert fit_temperature(scores * temperature, truth) == pytest.approx(temperature, rel=0.06)


def test_rows_without_a_right_class_and_rows_of_no_weight_do_not_count() -> None:
    scores = np.random.default_rng(1).normal(size=(500, 3))
    truth = drawn(scores)
    plain = fit_temperature(scores, truth)
    more = np.vstack([scores, scores * 50])
    assert fit_temperature(more, np.concatenate([truth, np.full(500, -1)])) == pytest.approx(plain)
    weights = np.repeat([1.0, 0.0], 500)
    assert fit_temperature(more, np.concatenate([truth, truth]), weights) == pytest.approx(plain, rel=1e-3)


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_rows_leave_the_temperature_alone(rows: int) -> None:
    assert fit_temperature(np.zeros((rows, 3)), np.zeros(rows, dtype=int)) == 1.0


def test_platt_finds_the_line_that_was_bent() -> None:
    draw = np.random.default_rng(2)
    true = draw.normal(-1, 1.5, 20_000)
    outcome = (draw.random(20_000) < sigmoid(true)).astype(int)
    line = Platt.fit(sigmoid((true + 0.7) / 0.6), outcome)
    assert line.slope == pytest.approx(0.6, abs=0.03) and line.shift == pytest.approx(-0.7, abs=0.06)
    assert line.apply(sigmoid((true + 0.7) / 0.6)).mean() == pytest.approx(outcome.mean(), abs=0.005)


@pytest.mark.parametrize("positives", [0, 4, 96, 100])
def test_platt_changes_nothing_with_too_few_of_either_outcome(positives: int) -> None:
    outcome = np.r_[np.ones(positives), np.zeros(100 - positives)]
    assert Platt.fit(np.linspace(0.1, 0.9, 100), outcome) == Platt()


def test_platt_never_turns_a_ranking_round() -> None:
    outcome = np.r_[np.ones(50), np.zeros(50)]
    assert Platt.fit(np.linspace(0.1, 0.9, 100), outcome) == Platt()


@pytest.mark.parametrize("bent", [False, True])
def test_a_link_makes_log_probabilities(bent: bool) -> None:
    scores = np.random.default_rng(3).normal(size=(50, 5)) * 30
    logs = Link(1.5, -0.4, bent).apply(scores)
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1.0)
    np.testing.assert_array_equal(logs.argmax(axis=1), scores.argmax(axis=1))
    assert np.isfinite(logs).all()


def test_a_straight_link_is_a_temperature() -> None:
    scores = np.random.default_rng(3).normal(size=(3000, 4)) * 2
    truth = drawn(scores)
    assert Link.fit(scores * 3, truth, bent=False).slope == pytest.approx(1 / 3, rel=0.08)


def test_a_bent_link_fits_margins_better_than_a_temperature() -> None:
    margins = np.random.default_rng(4).normal(-0.8, 0.7, (2000, 8))
    truth = drawn(Link(6.0, 1.0, True).apply(margins))

    def loss(link: Link) -> float:
        return float(-link.apply(margins[1000:])[np.arange(1000), truth[1000:]].mean())

    straight, bent = (loss(Link.fit(margins[:1000], truth[:1000], bent=b)) for b in (False, True))
    assert bent < straight - 0.01


@pytest.mark.parametrize("rows", [0, 3, 9])
@pytest.mark.parametrize("bent", [False, True])
def test_a_link_of_too_few_rows_is_finite(rows: int, bent: bool) -> None:
    link = Link.fit(np.random.default_rng(0).normal(size=(rows, 3)), np.zeros(rows, dtype=int), bent=bent)
    assert np.isfinite(link.slope) and not link.bent
    assert np.isfinite(link.apply(np.ones((2, 3)))).all()


def test_beta_finds_the_bend_that_was_simulated() -> None:
    draw = np.random.default_rng(5)
    said = draw.uniform(0.2, 0.999, 30_000)
    real = Beta(0.7, 0.4, -0.2).apply(said)
    found = Beta.fit(said, (draw.random(30_000) < real).astype(int))
    np.testing.assert_allclose(found.apply(said), real, atol=0.02)


@pytest.mark.parametrize("wrong", [0, 10, 290, 300])
def test_beta_changes_nothing_with_too_few_right_or_wrong(wrong: int) -> None:
    right = np.r_[np.zeros(wrong), np.ones(300 - wrong)]
    assert Beta.fit(np.linspace(0.1, 0.99, 300), right) == Beta()


@pytest.mark.parametrize("seed", range(5))
def test_beta_never_makes_a_surer_ticket_less_sure(seed: int) -> None:
    draw = np.random.default_rng(seed)
    beta = Beta.fit(draw.random(400), (draw.random(400) < 0.5).astype(int))  # nothing to be learned
    assert beta.a >= 0 and beta.b >= 0
    assert (np.diff(beta.apply(np.linspace(0.001, 0.999, 100))) >= 0).all()


def test_beta_gives_a_lone_confidence_the_bits_that_it_has_among_others() -> None:
    curve, confidences = Beta(1.3, 0.7, 0.2), np.random.default_rng(3).uniform(0, 1, 500)
    alone = [float(curve.apply(confidences[n : n + 1])[0]) for n in range(len(confidences))]
    assert alone == curve.apply(confidences).tolist()


def test_numbers_that_are_stored_make_the_same_curves() -> None:
    for made in (Link(0.3, 1.2, True), Beta(0.5, 0.2, -1.0)):
        assert type(made)(*made.as_list()) == made


@pytest.mark.parametrize(("errors", "n"), [(0, 10), (1, 10), (9, 10), (10, 10), (3, 200), (0, 1), (57, 1000)])
@pytest.mark.parametrize("certainty", [0.9, 0.95, 0.99])
def test_bounds_are_those_of_clopper_and_pearson(errors: int, n: int, certainty: float) -> None:
    two_sided = 1 - 2 * (1 - certainty)
    exact = binomtest(errors, n).proportion_ci(two_sided, method="exact")
    assert error_upper_bound(errors, n, certainty) == pytest.approx(exact.high)
    assert error_lower_bound(errors, n, certainty) == pytest.approx(exact.low)


def test_bounds_of_no_rows_say_nothing() -> None:
    assert error_upper_bound(0, 0, 0.95) == 1.0 and error_lower_bound(0, 0, 0.95) == 0.0


def world(draw: np.random.Generator, n: int, a: float = 2, b: float = 1.2) -> tuple[np.ndarray, np.ndarray, float]:
    """Confidences, whether each is wrong, and how over-confident this world is."""
    confidence = draw.beta(a, b, n)
    bend = float(draw.uniform(0.5, 2.0))
    return confidence, draw.random(n) < 1 - confidence**bend, bend


@pytest.mark.parametrize(("max_error", "n", "a", "b"), [(0.05, 600, 6, 0.6), (0.15, 400, 2, 1.2)])
def test_a_threshold_keeps_its_promise_in_simulated_worlds(max_error: float, n: int, a: float, b: float) -> None:
    draw, broken, routed = np.random.default_rng(6), 0, 0
    for _ in range(300):
        confidence, wrong, bend = world(draw, n, a, b)
        threshold = confidence_threshold(confidence, wrong, max_error, 0.95)
        if np.isinf(threshold):
            continue
        routed += 1
        later = draw.beta(a, b, 40_000)
        later = later[later >= threshold]
        broken += bool((1 - later**bend).mean() > max_error)
    assert routed > 60, "a promise that is never made is kept too easily"
    assert broken <= 300 * 0.05 + 2 * np.sqrt(300 * 0.05 * 0.95)


def test_more_calibration_rows_route_more() -> None:
    draw = np.random.default_rng(7)
    few, many = world(draw, 200), world(np.random.default_rng(7), 20_000)
    assert confidence_threshold(*many[:2], 0.2, 0.95) <= confidence_threshold(*few[:2], 0.2, 0.95)


def test_all_right_routes_all_and_all_wrong_routes_none() -> None:
    confidence = np.linspace(0, 1, 500)
    assert confidence_threshold(confidence, np.zeros(500, dtype=bool), 0.05, 0.95) == 0.0
    assert confidence_threshold(confidence, np.ones(500, dtype=bool), 0.05, 0.95) == np.inf
    assert confidence_threshold(confidence[:0], np.zeros(0, dtype=bool), 0.05, 0.95) == np.inf


def test_tied_confidences_are_routed_together_or_not_at_all() -> None:
    confidence = np.r_[np.full(300, 0.9), np.full(300, 0.5)]
    wrong = np.r_[np.zeros(300, dtype=bool), np.arange(300) % 2 == 0]
    assert confidence_threshold(confidence, wrong, 0.1, 0.95) == 0.9
    assert confidence_threshold(np.full(600, 0.9), wrong, 0.1, 0.95) == np.inf


def test_one_unlucky_ticket_among_the_surest_does_not_end_the_search() -> None:
    confidence = np.linspace(1, 0, 1000)
    wrong = np.zeros(1000, dtype=bool)
    wrong[[0, 1, 2, 3, 4, 5]] = True
    assert confidence_threshold(confidence, wrong, 0.05, 0.95) < 0.1


@pytest.mark.parametrize("column", ["certainty", "max_error"])
def test_asking_for_more_routes_no_more(column: str) -> None:
    confidence, wrong, _ = world(np.random.default_rng(8), 3000)
    grids = {"certainty": [(0.2, c) for c in (0.8, 0.95, 0.999)], "max_error": [(e, 0.95) for e in (0.4, 0.2, 0.1)]}
    found = [confidence_threshold(confidence, wrong, *asked) for asked in grids[column]]
    assert found == sorted(found)
