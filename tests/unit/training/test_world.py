"""Another world is noticed, and ordinary change isn't taken for one."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.training.world import between, inside, usual_distance

SHARES = np.array([0.4, 0.25, 0.15, 0.1, 0.05, 0.05])
NAMES = np.array([f"label {i}" for i in range(6)])


def drawn(n: int, seed: int, shares: np.ndarray = SHARES, names: np.ndarray = NAMES) -> np.ndarray:
    return np.random.default_rng(seed).choice(names, size=n, p=shares)


@pytest.mark.parametrize("n", [60, 300, 3_000, 30_000])
@pytest.mark.parametrize("classes", [2, 6, 77])
def test_a_steady_past_is_one_world(n: int, classes: int) -> None:
    shares = np.random.default_rng(classes).dirichlet(np.ones(classes))
    names = np.array([str(i) for i in range(classes)])
    assert not any(inside(drawn(n, seed, shares, names)).another for seed in range(40))


def test_77_equal_classes_in_small_samples_are_one_world() -> None:
    shares, names = np.full(77, 1 / 77), np.array([str(i) for i in range(77)])
    trained = drawn(10_000, 0, shares, names)
    counts = {str(k): int(n) for k, n in zip(*np.unique(trained, return_counts=True), strict=True)}
    assert not any(between(counts, drawn(100, s, shares, names), past=trained).another for s in range(1, 40))


def test_a_default_that_moves_is_another_world() -> None:
    before = drawn(3_000, 1, np.array([0.05, 0.05, 0.8, 0.05, 0.05, 0.0]))
    after = drawn(750, 2, np.array([0.05, 0.05, 0.05, 0.05, 0.8, 0.0]))
    found = inside(np.concatenate([before, after]))
    assert found.another
    assert {label for label, _, _ in found.moved[:2]} == {"label 2", "label 4"}
    assert "80 % before" in found.words and "Total variation 0.7" in found.words


def test_labels_that_training_never_had_are_another_world() -> None:
    counts = {"mail": 4_000, "login": 2_000, "other": 3_000}
    assert between(counts, np.repeat(["sending", "receiving", "login"], [400, 300, 150])).another


def test_a_slow_change_of_shares_is_one_world() -> None:
    rng = np.random.default_rng(0)
    slope = np.linspace(0.45, 0.30, 5_000)
    assert not inside(np.where(rng.random(5_000) < slope, "a", "b")).another


def test_where_labels_always_swing_a_swing_is_no_news() -> None:
    blocks = [np.repeat(["a", "b"], [n, 300 - n]) for n in (270, 60) * 5]
    past = np.concatenate(blocks)
    assert usual_distance(past) > 0.5
    swung = between({"a": 1_650, "b": 1_350}, np.repeat(["a", "b"], [285, 15]), past=past)
    assert swung.distance > 0.3 and not swung.another


def test_a_handful_of_tickets_says_nothing() -> None:
    assert not between({"a": 1_000}, np.repeat("b", 20)).another
    assert not between({}, np.repeat("b", 200)).another
    assert not inside(np.array([], dtype=str)).another
