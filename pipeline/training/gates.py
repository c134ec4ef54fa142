"""Gates: a model that isn't better than the majority baseline, outside the interval, doesn't go into service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.config import Gates
from pipeline.training.metrics import code_metrics, interval, rank_metrics, ranking_metrics

RESAMPLES = 300


@dataclass(frozen=True)
class Verdict:
    """What a gate says.

    Attributes
    ----------
    passed : bool
    metric : str
        The metric that decided.
    value, low, baseline : float
        The model's figure on inner rows, its lower bound, and what it has to beat.
    """

    passed: bool
    metric: str
    value: float
    low: float
    baseline: float

    @property
    def words(self) -> str:
        """For summary, report and card."""
        figures = f"{self.metric} {self.value:.3f} (at least {self.low:.3f}) against {self.baseline:.3f}"
        return f"better than the baseline: {figures}" if self.passed else f"no better than the baseline: {figures}"


def classes_gate(truth: np.ndarray, guess: np.ndarray, size: int, settings: Gates, seed: int) -> Verdict:
    """Topic and queue: accuracy or macro-F1 above those of always naming the most frequent class.

    Macro-F1 also has to beat that of the same guesses given at random: any guesses that vary beat a constant there.
    """
    truth = np.where(truth < 0, size, truth)
    top = int(np.bincount(truth, minlength=size + 1)[:size].argmax())
    constant = np.full_like(truth, top)
    verdicts = []
    for metric in ("accuracy", "macro_f1"):
        base = _baseline(metric, truth, guess, constant, size + 1)

        def gain(rows: np.ndarray, metric: str = metric) -> dict[str, float]:
            mine = code_metrics(truth[rows], guess[rows], size + 1)[metric]
            return {"gain": float(mine - _baseline(metric, truth[rows], guess[rows], constant[rows], size + 1))}

        value = float(code_metrics(truth, guess, size + 1)[metric])
        low = _low(gain, len(truth), settings, seed)
        verdicts.append(Verdict(low > 0 or not settings.enabled, metric, value, base + low, base))
    return next((v for v in verdicts if v.passed), verdicts[0])


def _baseline(metric: str, truth: np.ndarray, guess: np.ndarray, constant: np.ndarray, size: int) -> float:
    naive = float(code_metrics(truth, constant, size)[metric])
    if metric != "macro_f1" or not len(truth):
        return naive
    support, named = np.bincount(truth, minlength=size), np.bincount(guess, minlength=size)
    # were the guesses given to tickets at random, a class would be right support · named / n times
    by_chance = 2.0 * support * named / len(truth) / np.maximum(support + named, 1)
    return max(naive, float(by_chance[support > 0].mean()))


def levels_gate(truth: np.ndarray, guess: np.ndarray, settings: Gates, seed: int) -> Verdict:
    """Priority: quadratic kappa above 0."""

    def kappa(rows: np.ndarray) -> dict[str, float]:
        return {"gain": float(np.nan_to_num(rank_metrics(truth[rows], guess[rows])["quadratic_kappa"]))}

    low = _low(kappa, len(truth), settings, seed)
    return Verdict(low > 0 or not settings.enabled, "quadratic kappa", kappa(np.arange(len(truth)))["gain"], low, 0.0)


def risk_gate(outcome: np.ndarray, risk: np.ndarray, settings: Gates, seed: int) -> Verdict:
    """Escalation: average precision above the base rate."""

    def precision(rows: np.ndarray) -> dict[str, float]:
        value = ranking_metrics(outcome[rows].astype(float), risk[rows])["average_precision"]
        return {"gain": float(np.nan_to_num(value) - outcome[rows].mean())}

    base = float(outcome.mean()) if len(outcome) else 0.0
    low = _low(precision, len(outcome), settings, seed)
    value = precision(np.arange(len(outcome)))["gain"] + base if len(outcome) else 0.0
    return Verdict(low > 0 or not settings.enabled, "average precision", value, base + low, base)


def articles_gate(right: np.ndarray, likely: np.ndarray, baseline: np.ndarray, settings: Gates, seed: int) -> Verdict:
    """Articles: mean reciprocal rank of the first right one above that of the most cited ones; shapes (n, m)."""

    def ranks(scores: np.ndarray) -> np.ndarray:
        order = np.argsort(-scores, axis=1, kind="stable")
        return np.asarray(1 / (1 + np.take_along_axis(right, order, axis=1).argmax(axis=1)))

    mine, theirs = ranks(likely), ranks(baseline)
    low = _low(lambda rows: {"gain": float((mine[rows] - theirs[rows]).mean())}, len(right), settings, seed)
    value, base = (float(r.mean()) if len(r) else 0.0 for r in (mine, theirs))
    return Verdict(low > 0 or not settings.enabled, "MRR", value, base + low, base)


def _low(function: Callable[[np.ndarray], dict[str, float]], n: int, settings: Gates, seed: int) -> float:
    if n == 0:
        return -1.0
    bounds = interval(function, n, seed=seed, resamples=RESAMPLES, certainty=settings.certainty)
    low, _ = bounds["gain"]
    return float(np.nan_to_num(low, nan=-1.0))
