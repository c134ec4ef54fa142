"""Views of a topic model fitted on folds, and their scores: each question is asked once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from pipeline.config import Topic
from pipeline.estimators.experts import Expert, Settings, View, telling_columns
from pipeline.features.build import Blocks
from pipeline.training.split import Fold

DESCRIPTION_WEIGHT = 5.0
"""A description of a label counts like so many tickets that carry it."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Task:
    """Everything that fitting needs.

    Attributes
    ----------
    blocks : Blocks
        Of all prepared rows.
    labels : ndarray of object, shape (all rows,)
        Label or None.
    field_of : list of int
        Column of `codes` for each column of `one_hot`.
    outside : ndarray of int
        Rows known to be out of scope.
    described : ndarray of int
        Rows that are descriptions of labels: learned from in every fit, looked at in none.
    """

    blocks: Blocks
    labels: np.ndarray
    field_of: list[int]
    outside: np.ndarray
    described: np.ndarray
    settings: Topic
    seed: int
    say: Say
    weights: np.ndarray | None = None
    """How much each row weighs, whatever the past weighs; None: all alike."""
    seen: dict[str, np.ndarray] = field(default_factory=dict)
    """Scores that `look_at` has found, by what they depend on: a setting that is chosen was fitted to be chosen."""


@dataclass(frozen=True)
class Recipe:
    """How experts are fitted: settings, classes, and weights of rows by position."""

    classes: np.ndarray
    settings: Settings
    weights: np.ndarray | None = None


def look_at(
    task: Task, recipe: Recipe, folds: tuple[Fold, ...], older: np.ndarray, views: list[View]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Scores of each view on what the folds look at, over all classes."""
    scores: dict[str, list[np.ndarray]] = {v: [] for v in views}
    for fold in folds:
        rows = np.concatenate([older, fold.fit]) if len(older) else fold.fit
        asked = {v: _question(recipe, rows, fold.look, v) for v in views}
        if new := [v for v in views if asked[v] not in task.seen]:
            task.seen.update({asked[v]: found for v, found in _scores(task, recipe, rows, fold.look, new).items()})
        for v in views:
            scores[v].append(task.seen[asked[v]])
    return {v: np.vstack(s) for v, s in scores.items()}, np.concatenate([f.look for f in folds])


def _scores(
    task: Task, recipe: Recipe, rows: np.ndarray, look: np.ndarray, views: list[View]
) -> dict[View, np.ndarray]:
    """Scores of each view, fitted on some rows, of others; a class that wasn't there to be learned is never likely."""
    part, scores = task.blocks.take(look), {}
    codes = codes_of(task.labels[np.concatenate([task.described, rows])], recipe.classes)
    present = np.unique(codes[codes >= 0])
    for expert in fit_experts(task, recipe, rows, views, present):
        found = expert.scores(part)
        full = np.full((len(look), len(recipe.classes)), found.min() - found.std() - 1e-6 if found.size else 0.0)
        full[:, present] = found
        scores[expert.view] = full
    return scores


def _question(recipe: Recipe, rows: np.ndarray, look: np.ndarray, name: View) -> str:
    """All that the scores of a view depend on within one task."""
    weights = None if recipe.weights is None else recipe.weights[rows]
    digest = hashlib.sha256(repr((name, recipe.settings.of(name), len(rows), len(look))).encode())
    for part in (recipe.classes.astype(str), rows, look, weights):
        digest.update(b"" if part is None else np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def fit_experts(task: Task, recipe: Recipe, rows: np.ndarray, views: list[View], present: np.ndarray) -> list[Expert]:
    """Experts of the classes `present`, fitted on those of the rows that carry one, and on the descriptions."""
    rows = np.concatenate([task.described, rows])
    codes = codes_of(task.labels[rows], recipe.classes)
    weights = np.ones(len(rows)) if recipe.weights is None else recipe.weights[rows]
    weights = weights if task.weights is None else weights * task.weights[rows]
    weights[: len(task.described)] = DESCRIPTION_WEIGHT
    rows, weights, codes = rows[codes >= 0], weights[codes >= 0], np.searchsorted(present, codes[codes >= 0])
    blocks = task.blocks.take(rows)
    columns, fields = telling_columns(blocks, codes, task.field_of)
    plain = recipe.weights is None and task.weights is None and len(task.described) == 0
    return [
        Expert.fit(
            v,
            blocks,
            codes,
            len(present),
            settings=recipe.settings,
            columns=columns,
            fields=fields,
            weights=None if plain else weights,
            seed=task.seed,
        )
        for v in views
    ]


def codes_of(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Place of each label among the classes; -1 where it isn't one of them."""
    values = labels.astype(str)
    place = np.minimum(np.searchsorted(classes, values), len(classes) - 1)
    return np.where(classes[place] == values, place, -1)
