"""The kernel: exact for few rows, by landmarks for many, and the same again from its stored parts."""

from __future__ import annotations

import numpy as np
import pytest
from made_blocks import blocks, spread

from pipeline.estimators import kernel as room
from pipeline.estimators.kernel import Kernel

CLASSES = spread(300)
BLOCKS = blocks(CLASSES)
NONE = np.zeros((300, 0), dtype=np.int32)


def fitted(fields: np.ndarray = NONE, weights: np.ndarray | None = None, ridge: float = 0.5) -> Kernel:
    return Kernel.fit(BLOCKS.meaning, fields, CLASSES, 4, width=1.0, ridge=ridge, weights=weights, seed=0)


def by_hand(fields: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The textbook solution: K (K + ridge / w)⁻¹ (Y - base) + base."""
    rows = BLOCKS.meaning - BLOCKS.meaning.mean(axis=0)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    gram = np.exp(unit @ unit.T - 1.0)
    for j in range(fields.shape[1]):
        gram = gram * np.where(fields[:, j, None] == fields[None, :, j], 1.0, 0.5)
    base = np.bincount(CLASSES, weights, minlength=4) / weights.sum()
    targets = np.eye(4)[CLASSES] - base
    return np.asarray(gram @ np.linalg.solve(gram + np.diag(0.5 / weights), targets) + base)


@pytest.mark.parametrize("fields", [NONE, BLOCKS.codes], ids=["without fields", "with fields"])
@pytest.mark.parametrize("weighted", [False, True])
def test_scores_are_those_of_the_formula(fields: np.ndarray, weighted: bool) -> None:
    weights = np.random.default_rng(2).random(300) + 0.2 if weighted else None
    found = fitted(fields, weights).scores(BLOCKS.meaning, fields)
    np.testing.assert_allclose(found, by_hand(fields, np.ones(300) if weights is None else weights), atol=2e-4)


def test_scores_of_each_row_add_up_to_one() -> None:
    np.testing.assert_allclose(fitted().scores(BLOCKS.meaning, NONE).sum(axis=1), 1.0, atol=1e-4)


def test_landmarks_come_close_to_the_exact_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = fitted(BLOCKS.codes).scores(BLOCKS.meaning, BLOCKS.codes)
    monkeypatch.setattr(room, "EXACT_ROWS", 100)
    monkeypatch.setattr(room, "LANDMARKS", 200)
    near = fitted(BLOCKS.codes)
    assert len(near.landmarks) == 200
    found = near.scores(BLOCKS.meaning, BLOCKS.codes)
    assert (found.argmax(axis=1) == exact.argmax(axis=1)).mean() > 0.95
    assert np.abs(found - exact).mean() < 0.05


def test_a_field_that_differs_halves_the_likeness() -> None:
    kernel = fitted(BLOCKS.codes)
    other = BLOCKS.codes[:1].copy()
    other[0, 0] += 50
    base = kernel.base
    same = kernel.scores(BLOCKS.meaning[:1], np.full_like(other, 90)) - base
    kept = kernel.scores(BLOCKS.meaning[:1], np.stack([[90, 91]]).astype(np.int32)) - base
    np.testing.assert_allclose(same, kept)  # both fields are unlike every landmark's


def test_new_rows_know_their_class() -> None:
    classes = spread(200, seed=5)
    new = blocks(classes, seed=5)
    found = fitted(BLOCKS.codes).scores(new.meaning, new.codes).argmax(axis=1)
    assert (found == classes).mean() > 0.85


def test_no_rows_give_no_scores() -> None:
    assert fitted().scores(BLOCKS.meaning[:0], NONE[:0]).shape == (0, 4)


def test_a_stored_kernel_scores_the_same() -> None:
    kernel = fitted(BLOCKS.codes)
    again = Kernel.from_state(kernel.state())
    np.testing.assert_array_equal(
        again.scores(BLOCKS.meaning, BLOCKS.codes), kernel.scores(BLOCKS.meaning, BLOCKS.codes)
    )
