"""How a topic model (or a learned queue) is made: what past, which candidate, how calibrated; then fit on all rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.calibration import Beta, Link, softmax
from pipeline.config import Topic
from pipeline.estimators.experts import Settings, View
from pipeline.estimators.kernel import GRID as KERNEL_GRID
from pipeline.estimators.topic import CANDIDATES, Mix, TopicModel, combine, mixes, support, with_confidence
from pipeline.features.build import Blocks
from pipeline.training.fits import Recipe, Task, codes_of, fit_experts, look_at
from pipeline.training.living import Living, everything, find
from pipeline.training.metrics import code_metrics
from pipeline.training.split import Fold, Plan

MARGIN_GRID = (0.1, 0.3, 1.0)
EVENNESS = (0.0, 1.0)
"""Whether all rows or all classes weigh alike in margins."""

BALANCES = (0.0, 0.1, 0.2, 0.3, 0.5)
"""Exponents of the label frequencies that are taken off: 0 favours accuracy, higher ones macro-F1."""

OLDER_WEIGHTS = (0.3,)
"""Weights of rows from before the present set of labels, tried beside leaving them out."""

HALF_LIFE_SHARES = (0.25,)
"""Half-lives as shares of the past, tried beside weighing all alike, where there is one set of labels throughout."""

WORTHWHILE = 0.005
"""A way to weigh the past must gain this much on the tuning slice to be taken over the simplest one."""


def _nothing() -> np.ndarray:
    return np.zeros(0)


@dataclass(frozen=True)
class Inner:
    """Predictions on inner rows by models that hadn't learned from them: figures and thresholds come from these.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Positions in the prepared frame.
    truth : ndarray of int, shape (n,)
        Class, or -1 where the true label isn't living (a miss whatever is said).
    probabilities : ndarray, shape (n, k)
    support : ndarray, shape (n,)
        Of a topic: see `estimators.topic.support`; empty of other models.
    """

    rows: np.ndarray
    truth: np.ndarray
    probabilities: np.ndarray
    support: np.ndarray = field(default_factory=_nothing)


@dataclass(frozen=True)
class Made:
    """A model and how it came about.

    Attributes
    ----------
    model : TopicModel
        Fitted on all rows.
    inner : Inner
    outside : Inner or None
        The same for out-of-scope rows (`truth` is -1).
    living : Living
    chosen : dict
        Candidate, settings, balance, past: in words for the report.
    trained : ndarray of int
        Rows that the final fit learned from.
    tried : list of dict
        Every candidate and its figures on the tuning slice.
    """

    model: TopicModel
    inner: Inner
    outside: Inner | None
    living: Living
    chosen: dict[str, str]
    trained: np.ndarray
    tried: list[dict[str, float | str]] = field(default_factory=list)


def living_rows(rows: np.ndarray, labels: np.ndarray, settings: Topic, *, dated: bool) -> tuple[Living, np.ndarray]:
    """Which labels are alive, and the labelled rows of the present.

    Rows of the present whose label isn't alive are among them: they are never learned from, but looked at they count as
    misses, as they will in service.

    Parameters
    ----------
    rows : ndarray of int
        Positions of the labelled rows, oldest first.
    """
    values = labels[rows].astype(str)
    searching = dated and settings.living == "find"
    living = (find if searching else everything)(values, fewest=settings.min_examples)
    if new := set(settings.descriptions) - set(living.alive):
        dead = {label: why for label, why in living.dead.items() if label not in new}
        living = replace(living, alive=tuple(sorted({*living.alive, *new})), dead=dead)
    return living, rows[living.start :]


def make(task: Task, rows: np.ndarray, older: np.ndarray, living: Living, plan: Plan) -> Made:
    """Choose on the tuning slice, calibrate on the later one, fit on all rows.

    Parameters
    ----------
    rows : ndarray of int
        Labelled rows of the present, oldest first: what `plan` splits.
    older : ndarray of int
        Older rows with a living label, which may help.
    """
    classes = np.array(living.alive)
    recipe, past, older = _weigh_past(task, Recipe(classes, Settings()), plan, rows, older)
    views = _views(task.blocks, task.settings.candidates)
    recipe, scores, looked = _choose_settings(task, recipe, plan, older, views)
    truth = codes_of(task.labels[looked], classes)
    links = {v: Link.fit(scores[v], truth, bent=v != "meaning") for v in views}
    logs = {v: links[v].apply(scores[v]) for v in views}
    priors = _priors(task, plan.choose, classes)
    mix, tried = _choose_mix(logs, truth, mixes(views, average="average" in task.settings.candidates))
    weights, chosen_views = [w for _, w in mix], [v for v, _ in mix]
    balance = _choose_balance(combine([logs[v] for v in chosen_views], weights), truth, priors)
    name = " + ".join(f"{w:g} {v}" for v, w in mix)
    task.say(f"chosen: {name}, balance {balance:g}, {past}")
    shift = -balance * priors
    first = softmax(combine([logs[v] for v in chosen_views], weights) + shift)
    beta = Beta.fit(first.max(axis=1), (first.argmax(axis=1) == truth).astype(int))
    outside = task.outside
    if plan.dated:
        later, seen = look_at(task, recipe, plan.calibrate, older, chosen_views)
        parts = [links[v].apply(later[v]) for v in chosen_views]
        inner = Inner(
            seen,
            codes_of(task.labels[seen], classes),
            with_confidence(softmax(combine(parts, weights) + shift), beta),
            support([links[v].raw(later[v]) for v in chosen_views], weights),
        )
        pooled = {v: np.vstack([scores[v], later[v]]) for v in chosen_views}
        both = np.concatenate([truth, inner.truth])
        links = {v: Link.fit(pooled[v], both, bent=v != "meaning") for v in chosen_views}
        after = softmax(combine([links[v].apply(pooled[v]) for v in chosen_views], weights) + shift)
        final_beta = Beta.fit(after.max(axis=1), (after.argmax(axis=1) == both).astype(int))
    else:
        supported = support([links[v].raw(scores[v]) for v in chosen_views], weights)
        inner = Inner(looked, truth, with_confidence(first, beta), supported)
        final_beta = beta
    trained = np.concatenate([older, rows[np.isin(task.labels[rows].astype(str), living.alive)]])
    experts = fit_experts(task, recipe, trained, chosen_views, np.arange(len(classes)))
    final_shift = -balance * _log_priors(task.labels[trained], classes)
    model = TopicModel(
        tuple(living.alive),
        tuple(replace(e, link=links[e.view]) for e in experts),
        tuple(weights),
        final_shift,
        final_beta,
    )
    beyond = None
    if len(outside):
        beyond = Inner(outside, np.full(len(outside), -1), *model.look(task.blocks.take(outside)))
    chosen = {
        "candidate": name,
        "balance": f"{balance:g}",
        "past": past,
        "margins C": f"{recipe.settings.margins:g}",
        "evenness": f"{recipe.settings.evenness:g}",
        "kernel width": f"{recipe.settings.width:g}",
        "kernel ridge": f"{recipe.settings.ridge:g}",
    }
    return Made(model, inner, beyond, living, chosen, trained, tried)


def _views(blocks: Blocks, wanted: tuple[str, ...]) -> list[View]:
    """Views of the candidates whose blocks aren't empty; the words at the least."""
    worded = blocks.terms.nnz > 0 or blocks.one_hot.shape[1] > 0
    there = {"words": worded, "side_by_side": worded and blocks.meaning.shape[1] > 0}
    views = [CANDIDATES[c] for c in wanted if c in CANDIDATES]
    return [v for v in views if there.get(v, blocks.meaning.shape[1] > 0)] or ["words"]


def _weigh_past(
    task: Task, recipe: Recipe, plan: Plan, rows: np.ndarray, older: np.ndarray
) -> tuple[Recipe, str, np.ndarray]:
    """Hold ways to weigh the past against each other with the words alone, on the tuning slice."""
    none = np.zeros(0, dtype=older.dtype)
    simplest = (recipe, "the present set of labels, all rows alike", none)
    fixed = task.settings.living == "all"
    if fixed or not plan.dated or len(plan.choose[0].look) < 50 or task.blocks.terms.nnz == 0:
        return simplest
    ways = [simplest]
    size = len(task.labels)
    if len(older):
        for weight in OLDER_WEIGHTS:
            weights = np.ones(size)
            weights[older] = weight
            ways.append((replace(recipe, weights=weights), f"older rows with living labels weigh {weight:g}", older))
    else:
        for share in HALF_LIFE_SHARES:
            weights = np.ones(size)
            weights[rows] = 0.5 ** ((len(rows) - 1 - np.arange(len(rows))) / (share * len(rows)))
            ways.append(
                (replace(recipe, weights=weights), f"rows lose half their weight every {share:.0%} of the past", none)
            )
    found = []
    for way, _, extra in ways:
        scores, looked = look_at(task, way, plan.choose, extra, ["words"])
        found.append(_quality(scores["words"], codes_of(task.labels[looked], recipe.classes)))
    best = int(np.argmax(found))
    return ways[best] if found[best] > found[0] + WORTHWHILE else simplest


def _choose_settings(
    task: Task, recipe: Recipe, plan: Plan, older: np.ndarray, views: list[View]
) -> tuple[Recipe, dict[str, np.ndarray], np.ndarray]:
    """Regularisation of each view on the first fold alone; then scores of all folds with the best."""
    first = plan.choose[:1]
    settings = recipe.settings
    for v in views:
        if v in ("words", "side_by_side") and len(task.settings.regularisation) != 1:
            grid = task.settings.regularisation or MARGIN_GRID
            tries = [
                replace(settings, margins=c, evenness=e) for e in EVENNESS for c in grid if e == 0.0 or c < max(grid)
            ]
        elif v == "kernel":
            tries = [replace(settings, width=w, ridge=r) for w, r in KERNEL_GRID]
        else:
            if v in ("words", "side_by_side"):
                settings = replace(settings, margins=task.settings.regularisation[0])
            continue
        quality = []
        for s in tries:
            scores, looked = look_at(task, replace(recipe, settings=s), first, older, [v])
            quality.append(_quality(scores[v], codes_of(task.labels[looked], recipe.classes)))
        settings = tries[int(np.argmax(quality))]
    recipe = replace(recipe, settings=settings)
    task.say("fitting on the tuning slice: " + ", ".join(views))
    return recipe, *look_at(task, recipe, plan.choose, older, views)


def _choose_mix(
    logs: dict[View, np.ndarray], truth: np.ndarray, among: list[Mix]
) -> tuple[Mix, list[dict[str, float | str]]]:
    """The likeliest mix; likelihood is smooth, so that little noise decides where many mixes are near-equal."""
    known = np.flatnonzero(truth >= 0)
    best, chosen = np.inf, among[0]
    tried: list[dict[str, float | str]] = []
    for mix in among:
        total = combine([logs[v][known] for v, _ in mix], [w for _, w in mix])
        right = np.log(np.maximum(softmax(total)[np.arange(len(known)), truth[known]], 1e-12))
        loss = float(-right.mean()) if len(known) else 0.0
        if loss < best - 1e-9:
            best, chosen = loss, mix
        if len(mix) == 1:
            tried.append({"candidate": str(mix[0][0])} | _figures(logs[mix[0][0]], truth) | {"log_loss": loss})
    whole = combine([logs[v] for v, _ in chosen], [w for _, w in chosen])
    name = " + ".join(f"{w:g} {v}" for v, w in chosen)
    return chosen, [*tried, {"candidate": name} | _figures(whole, truth) | {"log_loss": best}]


def _choose_balance(scores: np.ndarray, truth: np.ndarray, priors: np.ndarray) -> float:
    """How much of the label frequencies is taken off; each step has to be worth it."""
    best, chosen = _quality(scores, truth), 0.0
    for balance in BALANCES[1:]:
        quality = _quality(scores - balance * priors, truth)
        if quality > best + 0.001:
            best, chosen = quality, balance
    return chosen


def _figures(scores: np.ndarray, truth: np.ndarray) -> dict[str, float | str]:
    size = scores.shape[1]
    found = code_metrics(np.where(truth < 0, size, truth), scores.argmax(axis=1), size + 1)
    return {"accuracy": float(found["accuracy"]), "macro_f1": float(found["macro_f1"])}


def _quality(scores: np.ndarray, truth: np.ndarray) -> float:
    """Mean of accuracy and macro-F1: neither alone is what a helpdesk wants."""
    if len(truth) == 0:
        return 0.0
    size = scores.shape[1]
    figures = code_metrics(np.where(truth < 0, size, truth), scores.argmax(axis=1), size + 1)
    return (figures["accuracy"] + figures["macro_f1"]) / 2


def _priors(task: Task, folds: tuple[Fold, ...], classes: np.ndarray) -> np.ndarray:
    return _log_priors(task.labels[np.unique(np.concatenate([f.fit for f in folds]))], classes)


def _log_priors(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    codes = codes_of(labels, classes)
    counts = np.bincount(codes[codes >= 0], minlength=len(classes)) + 0.5
    return np.asarray(np.log(counts / counts.sum()))
