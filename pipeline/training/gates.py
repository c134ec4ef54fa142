"""Gates: a model that isn't better than the majority baseline, outside the interval, doesn't go into service."""

from __future__ import annotations

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
    """Topic and queue: accuracy or macro-F1 above those of always naming the most frequent class."""
    truth = np.where(truth < 0, size, truth)
    top = int(np.bincount(truth, minlength=size + 1)[:size].argmax())
    constant = np.full_like(truth, top)
    verdicts = []
    for metric in ("accuracy", "macro_f1"):
        base = float(code_metrics(truth, constant, size + 1)[metric])

        def gain(rows: np.ndarray, metric: str = metric) -> dict[str, float]:
            mine, naive = (
                code_metrics(truth[rows], guess[rows], size + 1),
                code_metrics(truth[rows], constant[rows], size + 1),
            )
            return {"gain": float(mine[metric] - naive[metric])}

        value = float(code_metrics(truth, guess, size + 1)[metric])
        low = _low(gain, len(truth), settings, seed)
        verdicts.append(Verdict(low > 0 or not settings.enabled, metric, value, base + low, base))
    return next((v for v in verdicts if v.passed), verdicts[0])


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


def _low(function: object, n: int, settings: Gates, seed: int) -> float:
    if n == 0:
        return -1.0
    low, _ = interval(function, n, seed=seed, resamples=RESAMPLES)["gain"]  # type: ignore[arg-type]
    return float(np.nan_to_num(low, nan=-1.0))
