"""Gates: better than the baseline passes, the rest is held back; settings decide how sure it has to be."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.config import Gates
from pipeline.training.gates import Verdict, classes_gate, levels_gate, risk_gate

DRAW = np.random.default_rng(0)
TRUTH = DRAW.choice(4, 300, p=[0.5, 0.2, 0.2, 0.1])
LEVELS = DRAW.integers(0, 4, 300)
HAPPENED = (DRAW.random(300) < 0.15).astype(int)


def right(share: float, truth: np.ndarray = TRUTH, size: int = 4, seed: int = 1) -> np.ndarray:
    """Guesses that are right that often, and drawn otherwise."""
    draw = np.random.default_rng(seed)
    return np.where(draw.random(len(truth)) < share, truth, draw.integers(0, size, len(truth)))


def test_a_model_that_knows_the_classes_passes() -> None:
    verdict = classes_gate(TRUTH, right(0.7), 4, Gates(), 0)
    assert verdict.passed and verdict.metric == "accuracy"
    assert verdict.value > verdict.low > verdict.baseline
    assert verdict.words.startswith("better than the baseline: accuracy")


@pytest.mark.parametrize("guess", [np.zeros(300, dtype=int), right(0.0)], ids=["always the same", "random"])
def test_a_model_that_knows_nothing_does_not_pass(guess: np.ndarray) -> None:
    verdict = classes_gate(TRUTH, guess, 4, Gates(), 0)
    assert not verdict.passed
    assert verdict.words.startswith("no better than the baseline")


def test_macro_f1_alone_is_enough() -> None:
    rare = np.r_[np.zeros(270, dtype=int), np.arange(30) % 3 + 1]
    guess = rare.copy()
    guess[:30] = 1  # as many wrong as it gains: accuracy is no better than always saying 0
    verdict = classes_gate(rare, guess, 4, Gates(), 0)
    assert verdict.passed and verdict.metric == "macro_f1"


def test_labels_that_are_not_living_count_as_misses() -> None:
    gone = np.where(np.arange(300) < 150, -1, TRUTH)
    verdict = classes_gate(gone, right(0.9), 4, Gates(), 0)
    assert verdict.value < 0.55
    assert 0 < verdict.baseline < 0.5


def test_levels_pass_with_a_kappa_above_chance() -> None:
    assert levels_gate(LEVELS, right(0.4, LEVELS), Gates(), 0).passed
    assert not levels_gate(LEVELS, right(0.0, LEVELS), Gates(), 0).passed
    assert not levels_gate(LEVELS, np.full(300, 2), Gates(), 0).passed


def test_a_risk_passes_with_an_average_precision_above_the_base_rate() -> None:
    risk = 0.3 * HAPPENED + np.random.default_rng(2).random(300)
    verdict = risk_gate(HAPPENED, risk, Gates(), 0)
    assert verdict.passed and verdict.baseline == pytest.approx(HAPPENED.mean())
    assert not risk_gate(HAPPENED, np.full(300, 0.1), Gates(), 0).passed
    assert not risk_gate(np.zeros(300, dtype=int), risk, Gates(), 0).passed


def verdicts(settings: Gates, share: float = 0.0) -> list[Verdict]:
    return [
        classes_gate(TRUTH, right(share), 4, settings, 0),
        levels_gate(LEVELS, right(share, LEVELS), settings, 0),
        risk_gate(HAPPENED, np.full(300, 0.1), settings, 0),
    ]


def test_gates_that_are_off_let_everything_pass() -> None:
    assert all(v.passed for v in verdicts(Gates(enabled=False)))
    assert not any(v.passed for v in verdicts(Gates(enabled=True)))


def test_no_rows_pass_no_gate() -> None:
    none = np.zeros(0, dtype=int)
    assert not classes_gate(none, none, 4, Gates(), 0).passed
    assert not levels_gate(none, none, Gates(), 0).passed
    assert not risk_gate(none, none.astype(float), Gates(), 0).passed


def test_the_surer_a_gate_has_to_be_the_lower_its_bound() -> None:
    lows = [classes_gate(TRUTH, right(0.5), 4, Gates(certainty=c), 0).low for c in (0.5, 0.95, 0.999)]
    assert lows == sorted(lows, reverse=True) and lows[0] > lows[2]


def test_the_same_seed_gives_the_same_verdict() -> None:
    assert verdicts(Gates(), 0.4) == verdicts(Gates(), 0.4)


def test_random_guesses_seldom_pass() -> None:
    passed = 0
    for seed in range(60):
        draw = np.random.default_rng(seed)
        truth, guess = draw.integers(0, 3, 120), draw.integers(0, 3, 120)
        passed += levels_gate(truth, guess, Gates(), seed).passed
    assert passed <= 5


def test_classes_guessed_at_random_seldom_pass() -> None:
    passed = 0
    for seed in range(40):
        draw = np.random.default_rng(seed)
        truth = draw.choice(5, 200, p=[0.5, 0.2, 0.1, 0.1, 0.1])
        passed += classes_gate(truth, draw.integers(0, 5, 200), 5, Gates(), seed).passed
    assert passed <= 4
