"""How a priority model is made: view, strength and decision from the tuning slice, temperature from a later one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.calibration import fit_temperature
from pipeline.config import Priority
from pipeline.estimators.priority import DECISIONS, PriorityModel, View, decide
from pipeline.features.build import Blocks
from pipeline.training.fits import Say
from pipeline.training.metrics import code_metrics, rank_metrics
from pipeline.training.split import Fold, Plan
from pipeline.training.topics import Inner

DECISION_WORTHWHILE = 0.01
"""A decision must gain this much on the tuning slice over `mixed`, which is best on average: slices are small."""


@dataclass(frozen=True)
class MadePriority:
    """A model and how it came about; see `topics.Made`."""

    model: PriorityModel
    inner: Inner
    chosen: dict[str, str]
    trained: np.ndarray
    tried: list[dict[str, float | str]]


def make(
    blocks: Blocks,
    codes: np.ndarray,
    rows: np.ndarray,
    plan: Plan,
    *,
    levels: tuple[str, ...],
    settings: Priority,
    seed: int,
    say: Say,
    weights: np.ndarray | None = None,
) -> MadePriority:
    """Fit the priority model.

    Parameters
    ----------
    codes : ndarray of int, shape (all rows,)
        Position of the level; anything where it isn't known.
    rows : ndarray of int
        Rows whose level is known, oldest first: what `plan` splits.
    weights : ndarray, shape (all rows,), optional
        How much each row weighs.
    """
    views = [v for v in settings.candidates if v == "words" or blocks.meaning.shape[1]] or ["words"]
    looked = np.concatenate([f.look for f in plan.choose])
    raws = {name: _look(blocks, codes, plan.choose, levels, name, seed, weights) for name in views}
    quality = {name: _quality(codes[looked], raw.argmax(axis=1), len(levels)) for name, raw in raws.items()}
    tried: list[dict[str, float | str]] = [{"candidate": n, "quality": q} for n, q in quality.items()]
    name = max(views, key=quality.__getitem__)
    raw = raws[name]
    decision = _decision(raw, codes[looked], settings)
    say(f"chosen: {name}, decision {decision}")
    temperature = fit_temperature(_log(raw), codes[looked])
    if plan.dated:
        later = _look(blocks, codes, plan.calibrate, levels, name, seed, weights)
        seen = np.concatenate([f.look for f in plan.calibrate])
        inner = Inner(seen, codes[seen], _tempered(later, temperature))
        pooled, truth = np.vstack([raw, later]), np.concatenate([codes[looked], codes[seen]])
        temperature = fit_temperature(_log(pooled), truth)
    else:
        inner = Inner(looked, codes[looked], _tempered(raw, temperature))
    final = _fit(blocks, codes, rows, levels, name, seed, weights)
    chosen = {"view": name, "decision": decision}
    return MadePriority(final.with_calibration(temperature, decision), inner, chosen, rows, tried)


def _look(
    blocks: Blocks,
    codes: np.ndarray,
    folds: tuple[Fold, ...],
    levels: tuple[str, ...],
    name: str,
    seed: int,
    weights: np.ndarray | None,
) -> np.ndarray:
    models = (_fit(blocks, codes, f.fit, levels, name, seed, weights) for f in folds)
    return np.vstack([model.raw(blocks.take(f.look)) for model, f in zip(models, folds, strict=True)])


def _fit(
    blocks: Blocks,
    codes: np.ndarray,
    rows: np.ndarray,
    levels: tuple[str, ...],
    name: str,
    seed: int,
    weights: np.ndarray | None,
) -> PriorityModel:
    own = None if weights is None else weights[rows]
    return PriorityModel.fit(levels, _view(name), blocks.take(rows), codes[rows], seed=seed, weights=own)


def _decision(raw: np.ndarray, truth: np.ndarray, settings: Priority) -> str:
    if settings.decision != "choose":
        return settings.decision
    quality = {d: _quality(truth, decide(raw, d), raw.shape[1]) for d in DECISIONS}
    best = max(DECISIONS, key=quality.__getitem__)
    return best if quality[best] > quality["mixed"] + DECISION_WORTHWHILE else "mixed"


def _quality(truth: np.ndarray, guess: np.ndarray, size: int) -> float:
    """Mean of quadratic kappa and macro-F1: order matters, and so does each level."""
    kappa = rank_metrics(truth, guess)["quadratic_kappa"]
    return float((np.nan_to_num(kappa) + code_metrics(truth, guess, size)["macro_f1"]) / 2)


def _log(raw: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(np.maximum(raw, 1e-9)))


def _tempered(raw: np.ndarray, temperature: float) -> np.ndarray:
    powered = np.exp(_log(raw) / temperature)
    return np.asarray(powered / powered.sum(axis=1, keepdims=True))


def _view(name: str) -> View:
    views: dict[str, View] = {"words": "words", "meaning": "meaning", "both": "both"}
    return views[name]
