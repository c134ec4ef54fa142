"""Where a model is right and where it isn't: slices, confused pairs, levels against levels, class by class."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from pipeline.pages.figures import ClassFigures, ConfusionPair, Estimate, LevelConfusion, Slice, Slices
from pipeline.training.looked import Looked
from pipeline.training.metrics import interval, rank_metrics, ranking_metrics

PAIRS = 30
IDS = 7
NAMES = 12
"""Languages and channels that are shown; the rest stand together."""

FEWEST_IN_SLICE = 10
FEWEST_POSITIVES = 20
RESAMPLES = 200
Z = 1.959964

_LENGTHS = ((1, "no words"), (20, "under 20 words"), (100, "20 to 99 words"))
_SIZES = ((1, "not in training"), (100, "under 100 in training"), (500, "100 to 499"))
_LONGEST, _LARGEST = "100 words and more", "500 and more"


def slices(looked: Looked, whole: Estimate, *, seed: int) -> Slices | None:
    """The model's first metric by month, language, channel, length and class size."""
    metric, estimate = _metric(looked, seed)
    context = looked.context
    kinds: dict[str, np.ndarray] = {}
    if context.months.astype(bool).any():
        kinds["month"] = np.where(context.months == "", "no time", context.months)
    kinds["language"] = _frequent(context.languages)
    kinds["channel"] = _frequent(context.channels)
    kinds["text length"] = np.array([_bucket(n, _LENGTHS, _LONGEST) for n in context.words.tolist()])
    if looked.target != "escalated":
        kinds["class size"] = np.array(
            [_bucket(looked.trained.get(t, 0), _SIZES, _LARGEST) for t in looked.truth.tolist()]
        )
    found = []
    for kind, names in kinds.items():
        for name in _ordered(kind, np.unique(names).tolist()):
            rows = np.flatnonzero(names == name)
            if len(rows) >= FEWEST_IN_SLICE and (one := estimate(rows)) is not None:
                found.append(Slice(kind, name, len(rows), one))
    return Slices(metric, whole, tuple(found)) if found else None


def confusions(looked: Looked) -> tuple[ConfusionPair, ...]:
    """The most frequent pairs of true and given label, with some ids."""
    wrong = np.flatnonzero(looked.truth != looked.guess)
    if not len(wrong):
        return ()
    pairs, place, counts = np.unique(
        np.column_stack([looked.truth[wrong], looked.guess[wrong]]), axis=0, return_inverse=True, return_counts=True
    )
    place = np.asarray(place).ravel()
    sizes = _counted(looked.truth)
    found = []
    for i in np.argsort(-counts, kind="stable")[:PAIRS]:
        truth, guess = str(pairs[i, 0]), str(pairs[i, 1])
        rows = wrong[place == i]
        surest = rows[np.argsort(-np.nan_to_num(looked.confidence[rows]), kind="stable")[:IDS]]
        ids = tuple(str(t) for t in looked.context.ids[surest])
        found.append(ConfusionPair(truth, guess, int(counts[i]), float(counts[i] / sizes[truth]), ids))
    return tuple(found)


def level_confusion(looked: Looked) -> LevelConfusion:
    """Counts of true by predicted level."""
    place = {level: i for i, level in enumerate(looked.levels)}
    counts = np.zeros((len(place), len(place)), dtype=int)
    for truth, guess in zip(looked.truth.tolist(), looked.guess.tolist(), strict=True):
        counts[place[truth], place[guess]] += 1
    return LevelConfusion(looked.levels, tuple(tuple(int(n) for n in row) for row in counts))


def class_figures(looked: Looked) -> tuple[ClassFigures, ...]:
    """Each class by itself: those in training and those that occur, the largest first."""
    tested, said = _counted(looked.truth), _counted(looked.guess)
    right = _counted(looked.truth[looked.truth == looked.guess])
    names = sorted({*tested, *looked.trained}, key=lambda c: (-tested.get(c, 0), -looked.trained.get(c, 0), c))
    return tuple(
        ClassFigures(
            c,
            looked.trained.get(c, 0),
            tested.get(c, 0),
            right.get(c, 0) / said[c] if said.get(c) else None,
            right.get(c, 0) / tested[c] if tested.get(c) else None,
        )
        for c in names
    )


def _metric(looked: Looked, seed: int) -> tuple[str, Callable[[np.ndarray], Estimate | None]]:
    """Name of the metric that slices show, and its figure over some rows."""
    if looked.target == "escalated":
        happened = looked.happened

        def area(rows: np.ndarray) -> Estimate | None:
            if min(happened[rows].sum(), (1 - happened[rows]).sum()) < FEWEST_POSITIVES:
                return None
            return _bootstrapped(
                "roc_auc", rows, lambda r: ranking_metrics(happened[r], looked.confidence[r], ()), seed
            )

        return "roc_auc", area
    if looked.target == "priority":
        place = {level: i for i, level in enumerate(looked.levels)}
        true = np.array([place[t] for t in looked.truth.tolist()])
        said = np.array([place[g] for g in looked.guess.tolist()])

        def kappa(rows: np.ndarray) -> Estimate | None:
            if len(np.unique(true[rows])) < 2:
                return None
            return _bootstrapped("quadratic_kappa", rows, lambda r: rank_metrics(true[r], said[r]), seed)

        return "quadratic_kappa", kappa
    right = looked.truth == looked.guess
    return "accuracy", lambda rows: wilson(int(right[rows].sum()), len(rows))


def wilson(hits: int, n: int) -> Estimate:
    """A share and its 95 % score interval (Wilson, 1927)."""
    if not n:
        return Estimate(None)
    share, shrink = hits / n, 1 + Z * Z / n
    middle = (share + Z * Z / (2 * n)) / shrink
    half = Z * np.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / shrink
    return Estimate(share, max(float(middle - half), 0.0), min(float(middle + half), 1.0))


def _bootstrapped(
    name: str, rows: np.ndarray, figure: Callable[[np.ndarray], Mapping[str, float]], seed: int
) -> Estimate:
    value = figure(rows)[name]
    low, high = interval(lambda draw: {name: figure(rows[draw])[name]}, len(rows), seed=seed, resamples=RESAMPLES)[name]
    return Estimate(value, low, high)


def _frequent(values: np.ndarray) -> np.ndarray:
    named = np.where(values == "", "unknown", values)
    names, counts = np.unique(named, return_counts=True)
    kept = names[np.argsort(-counts, kind="stable")[:NAMES]]
    return np.where(np.isin(named, kept), named, "all others")


def _ordered(kind: str, names: list[str]) -> list[str]:
    fixed = {"text length": [n for _, n in _LENGTHS] + [_LONGEST], "class size": [n for _, n in _SIZES] + [_LARGEST]}
    return [n for n in fixed[kind] if n in names] if kind in fixed else sorted(names)


def _bucket(value: int, edges: tuple[tuple[int, str], ...], beyond: str) -> str:
    return next((name for below, name in edges if value < below), beyond)


def _counted(values: np.ndarray) -> dict[str, int]:
    names, counts = np.unique(values, return_counts=True)
    return {str(n): int(c) for n, c in zip(names, counts, strict=True)}
