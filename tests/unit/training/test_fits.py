"""Scores of a topic model's views on folds: asked again they are the same, and aught else is another question."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_blocks import FIELD_OF, blocks, spread

from pipeline.config import Topic
from pipeline.estimators.experts import Settings, View
from pipeline.training.fits import Recipe, Task, look_at
from pipeline.training.split import Fold

CLASSES = spread(200)
LABELS = np.array([f"c{c}" for c in CLASSES], dtype=object)
FOLDS = (Fold(np.arange(150), np.arange(150, 200)),)
NONE = np.zeros(0, dtype=np.int64)
RECIPE = Recipe(np.unique(LABELS.astype(str)), Settings())
VIEWS: list[View] = ["words", "meaning", "kernel", "side_by_side"]


def made() -> Task:
    return Task(blocks(CLASSES), LABELS, FIELD_OF, NONE, NONE, Topic(), 0, lambda line: None)


def test_what_was_asked_before_is_the_same_and_nothing_is_fitted_again() -> None:
    task = made()
    first, rows = look_at(task, RECIPE, FOLDS, NONE, VIEWS)
    known = dict(task.seen)
    again, _ = look_at(task, RECIPE, FOLDS, NONE, VIEWS[::-1])
    fresh, _ = look_at(made(), RECIPE, FOLDS, NONE, VIEWS)
    assert len(known) == len(VIEWS) and task.seen.keys() == known.keys() and len(rows) == 50
    assert all(again[v].shape == (50, 4) for v in VIEWS)
    for v in VIEWS:
        np.testing.assert_array_equal(first[v], again[v])
        np.testing.assert_array_equal(first[v], fresh[v])


@pytest.mark.parametrize(
    ("settings", "new"),
    [
        ({"margins": 1.0}, {"words", "side_by_side"}),
        ({"evenness": 1.0}, {"words", "side_by_side"}),
        ({"logistic": 1.0}, {"meaning"}),
        ({"width": 2.0}, {"kernel"}),
        ({"ridge": 0.1}, {"kernel"}),
    ],
)
def test_only_the_views_that_a_setting_matters_to_are_fitted_with_it(settings: dict[str, float], new: set[str]) -> None:
    task = made()
    look_at(task, RECIPE, FOLDS, NONE, VIEWS)
    other = replace(RECIPE, settings=replace(RECIPE.settings, **settings))
    found, _ = look_at(task, other, FOLDS, NONE, VIEWS)
    fresh, _ = look_at(made(), other, FOLDS, NONE, VIEWS)
    assert len(task.seen) == len(VIEWS) + len(new)
    for v in VIEWS:
        np.testing.assert_array_equal(found[v], fresh[v])


def test_other_weights_rows_and_folds_are_other_questions() -> None:
    task = made()
    look_at(task, RECIPE, FOLDS, NONE, ["words"])
    asked: list[tuple[Recipe, tuple[Fold, ...], np.ndarray]] = [
        (replace(RECIPE, weights=np.linspace(0.5, 1.0, 200)), FOLDS, NONE),
        (RECIPE, (Fold(np.arange(10, 150), FOLDS[0].look),), NONE),
        (RECIPE, (Fold(FOLDS[0].fit, np.arange(160, 200)),), NONE),
    ]
    for number, (recipe, folds, older) in enumerate(asked, start=2):
        found, _ = look_at(task, recipe, folds, older, ["words"])
        assert len(task.seen) == number
        np.testing.assert_array_equal(found["words"], look_at(made(), recipe, folds, older, ["words"])[0]["words"])
    older = np.arange(10)  # older rows are fitted first, so with these it is the first question again
    look_at(task, RECIPE, (Fold(np.arange(10, 150), FOLDS[0].look),), older, ["words"])
    assert len(task.seen) == 4
