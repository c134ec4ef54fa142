"""How good a model is, as plain numbers: class, ordinal, binary and out-of-scope metrics, curves, intervals.

The definitions are those of the project's referee, so that a figure means the same in a report, a benchmark and a
gate. Three rules hold throughout:

- macro averages run over the labels that occur in the truth;
- a tie in confidence or risk is never broken by row order: tied rows share their mean outcome, and no threshold can
  split them;
- a metric that its input doesn't define (one class only, no rows) is NaN, never a flattering 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.training.curves import (
    BINS,
    Floats,
    Integers,
    as_floats,
    gains_curve,
    group_ends,
    precision_recall_curve,
    reliability_bins,
    risk_coverage_curve,
    share_ties,
    sweep,
    thin,
)

__all__ = [
    "WORKLOADS",
    "calibration_error",
    "class_metrics",
    "code_metrics",
    "encode",
    "gains_curve",
    "interval",
    "ordinal_metrics",
    "precision_recall_curve",
    "rank_metrics",
    "ranking_metrics",
    "reliability_bins",
    "risk_coverage_curve",
    "risk_metrics",
    "scope_metrics",
    "selective_metrics",
    "thin",
]
Points = dict[str, float]

WORKLOADS = (0.1177, 0.192)
"""Shares of tickets reviewed at which recall is stated: the two published operating points."""

FALSE_ALARM_SHARE = 0.04
_SLACK = 1e-9
"""Keeps a product such as 0.04 * 75 from falling just under its whole number."""


def class_metrics(
    truth: Sequence[str] | NDArray[Any],
    guess: Sequence[str] | NDArray[Any],
    *,
    candidates: Sequence[Collection[str]] | None = None,
    confidence: ArrayLike | None = None,
    probabilities: Sequence[Mapping[str, float]] | None = None,
) -> Points:
    """Accuracy, macro-F1, weighted F1, and what the optional inputs allow.

    Parameters
    ----------
    truth, guess : sequence of labels
        One label a row.
    candidates : sequence of ranked labels, optional
        Best first; gives `top3_accuracy`.
    confidence : array of float, optional
        In [0, 1]; gives `ece`, `aurc`, `coverage_at_90`, `coverage_at_95`.
    probabilities : sequence of {label: probability}, optional
        Gives `brier`, summed over the classes (0 to 2).

    Examples
    --------
    >>> class_metrics(["a", "a", "b", "b"], ["a", "a", "b", "c"])["accuracy"]
    0.75
    """
    labels, (true, said) = encode(truth, guess)
    points = code_metrics(true, said, len(labels))
    if candidates is not None:
        points["top3_accuracy"] = _mean([t in list(c)[:3] for t, c in zip(truth, candidates, strict=True)])
    if confidence is not None:
        sure, hit = as_floats(confidence), (true == said).astype(np.float64)
        points |= {"ece": calibration_error(sure, hit), **selective_metrics(sure, hit)}
    if probabilities is not None:
        points["brier"] = _mean([_brier(t, p) for t, p in zip(truth, probabilities, strict=True)])
    return points


def ordinal_metrics(
    truth: Sequence[str] | NDArray[Any], guess: Sequence[str] | NDArray[Any], levels: Sequence[str]
) -> Points:
    """Quadratic weighted kappa, mean error in levels, and the shares judged too low and too high.

    Parameters
    ----------
    truth, guess : sequence of labels
        Each one of `levels`.
    levels : sequence of str
        From least to most urgent.
    """
    place = {level: i for i, level in enumerate(levels)}
    return rank_metrics(np.array([place[t] for t in truth]), np.array([place[g] for g in guess]))


def risk_metrics(outcome: ArrayLike, risk: ArrayLike, workloads: Sequence[float] = WORKLOADS) -> Points:
    """Ranking and calibration of a binary risk.

    Parameters
    ----------
    outcome : array of 0 and 1
        What happened.
    risk : array of float
        Said beforehand, in [0, 1].
    workloads : sequence of float
        Shares of the tickets that people can review; recall, its best possible value, and precision are given at each.

    Returns
    -------
    dict
        `roc_auc`, `average_precision`, `brier`, `ece`, `base_rate`, and `recall_at_W`, `best_possible_recall_at_W`,
        `precision_at_W` for every workload W.
    """
    happened, said = as_floats(outcome), as_floats(risk)
    n, positives = len(happened), float(happened.sum())
    points = ranking_metrics(happened, said, workloads)
    points["brier"] = _mean((said - happened) ** 2)
    points["ece"] = calibration_error(said, happened)
    points["base_rate"] = positives / n if n else np.nan
    for share in workloads:
        reviewed = _reviewed(share, n)
        points[f"best_possible_recall_at_{share}"] = min(1.0, reviewed / positives) if positives else np.nan
        points[f"precision_at_{share}"] = points[f"recall_at_{share}"] * positives / reviewed if reviewed else np.nan
    return points


def scope_metrics(out_of_scope: ArrayLike, score: ArrayLike, flagged: ArrayLike | None = None) -> Points:
    """How well a score tells tickets that belong nowhere from the rest.

    `recall_at_4pct_false` is the share of out-of-scope tickets above the threshold that flags at most 4 % of the
    in-scope ones. With `flagged` (said to be out of scope), `recall` and `false_rate` are given too.
    """
    outside, values = np.asarray(out_of_scope, dtype=bool), as_floats(score)
    points = {"tickets": float(outside.sum())}
    if flagged is not None:
        said = np.asarray(flagged, dtype=bool)
        points |= {"recall": _mean(said[outside]), "false_rate": _mean(said[~outside])}
    if outside.all() or not outside.any():
        return points | {"auroc": np.nan, "recall_at_4pct_false": np.nan}
    inside = np.sort(values[~outside])
    allowed = int(np.floor(FALSE_ALARM_SHARE * len(inside) + _SLACK))
    threshold = inside[len(inside) - 1 - allowed]  # the highest-scored ticket in scope that must not be flagged
    return points | {
        "auroc": ranking_metrics(outside.astype(np.float64), values, ())["roc_auc"],
        "recall_at_4pct_false": _mean(values[outside] > threshold),
    }


def interval(
    function: Callable[[Integers], Mapping[str, float]],
    n: int,
    *,
    seed: int,
    resamples: int = 1000,
    certainty: float = 0.95,
) -> dict[str, tuple[float, float]]:
    """Percentile bootstrap over tickets: a 95 % interval, or of another certainty.

    Parameters
    ----------
    function : callable
        Takes positions drawn with replacement, gives named metrics.
    n : int
        How many tickets there are.
    seed : int
        Of the draws; the same seed gives the same interval.

    Returns
    -------
    dict
        Metric → (low, high). Draws in which a metric is undefined are left out; (NaN, NaN) where all are.
    """
    generator = np.random.default_rng(seed)
    draws: dict[str, list[float]] = {}
    for _ in range(resamples):
        for name, value in function(generator.integers(0, n, n)).items():
            draws.setdefault(name, []).append(float(value))
    return {name: _quantiles(np.array(values), certainty) for name, values in draws.items()}


def encode(*columns: Sequence[str] | NDArray[Any]) -> tuple[list[str], list[Integers]]:
    """All labels that occur, sorted, and each column as positions among them (encode once, then bootstrap)."""
    labels = sorted({str(value) for column in columns for value in column})
    place = {label: i for i, label in enumerate(labels)}
    return labels, [np.array([place[str(value)] for value in column], dtype=np.int64) for column in columns]


def code_metrics(truth: Integers, guess: Integers, size: int) -> Points:
    """`accuracy`, `macro_f1`, `weighted_f1` of labels given as positions below `size`."""
    if not len(truth):
        return dict.fromkeys(("accuracy", "macro_f1", "weighted_f1"), np.nan)
    right = truth == guess
    support = np.bincount(truth, minlength=size).astype(np.float64)
    named = support + np.bincount(guess, minlength=size)
    found = np.bincount(truth[right], minlength=size).astype(np.float64)
    f1 = np.divide(2.0 * found, named, out=np.zeros(size), where=named > 0)
    return {
        "accuracy": float(right.mean()),
        "macro_f1": float(f1[support > 0].mean()),
        "weighted_f1": float((f1 * support).sum() / len(truth)),
    }


def rank_metrics(truth: Integers, guess: Integers) -> Points:
    """`ordinal_metrics` of levels given as positions."""
    if not len(truth):
        return dict.fromkeys(("quadratic_kappa", "mae_levels", "too_low", "too_high"), np.nan)
    gap = (guess - truth).astype(np.float64)
    true, said = truth.astype(np.float64), guess.astype(np.float64)
    # expected squared distance were the two drawn independently
    chance = (true**2).mean() + (said**2).mean() - 2.0 * true.mean() * said.mean()
    return {
        "quadratic_kappa": float(1.0 - (gap**2).mean() / chance) if chance > 1e-12 else np.nan,
        "mae_levels": float(np.abs(gap).mean()),
        "too_low": float((gap < 0).mean()),
        "too_high": float((gap > 0).mean()),
    }


def ranking_metrics(outcome: Floats, risk: Floats, workloads: Sequence[float] = WORKLOADS) -> Points:
    """`roc_auc`, `average_precision` and `recall_at_W`: what depends on the order of the risks alone."""
    seen, found = sweep(outcome, risk)
    positives, n = found[-1], seen[-1]
    if positives == 0 or positives == n:
        return dict.fromkeys(("roc_auc", "average_precision", *(f"recall_at_{w}" for w in workloads)), np.nan)
    recall, false = found / positives, (seen - found) / (n - positives)
    precision = found[1:] / seen[1:]
    points = {
        "roc_auc": float(np.trapezoid(recall, false)),
        "average_precision": float((np.diff(recall) * precision).sum()),
    }
    return points | {f"recall_at_{w}": float(np.interp(_reviewed(w, int(n)), seen, recall)) for w in workloads}


def selective_metrics(confidence: Floats, correct: Floats) -> Points:
    """`aurc`, and the largest share of tickets that can be kept at 90 and at 95 % accuracy."""
    n = len(confidence)
    if not n:
        return dict.fromkeys(("aurc", "coverage_at_90", "coverage_at_95"), np.nan)
    order = np.argsort(-confidence, kind="stable")
    kept = np.arange(1, n + 1)
    accuracy = np.cumsum(share_ties(correct, confidence)[order]) / kept
    cuts = kept[group_ends(confidence[order])]
    points = {"aurc": float((1.0 - accuracy).mean())}
    for percent in (90, 95):
        good = cuts[accuracy[cuts - 1] >= percent / 100 - 1e-12]
        points[f"coverage_at_{percent}"] = float(good.max() / n) if len(good) else 0.0
    return points


def calibration_error(score: Floats, outcome: Floats, bins: int = BINS) -> float:
    """Expected calibration error over bins of equal mass (a tied group shares its mean outcome)."""
    predicted, observed, count = reliability_bins(score, outcome, bins)
    total = count.sum()
    return float((count * np.abs(predicted - observed)).sum() / total) if total else np.nan


def listing_points(
    lists: Sequence[Sequence[Hashable]], right: Sequence[frozenset[Hashable]]
) -> dict[str, NDArray[Any]]:
    """Ticket by ticket, of a list ranked for each and what was right for it: `recall@1`, `recall@3`, `MRR`, `hit@3`."""
    ranks = [[at for at, name in enumerate(said, 1) if name in true] for said, true in zip(lists, right, strict=True)]
    wanted = np.array([len(true) for true in right], dtype=float)
    first = np.array([found[0] if found else np.inf for found in ranks])
    points = {f"recall@{k}": np.array([sum(r <= k for r in found) for found in ranks]) / wanted for k in (1, 3)}
    return points | {"MRR": 1 / first, "hit@3": (first <= 3).astype(float)}


def _brier(truth: str, probabilities: Mapping[str, float]) -> float:
    wrong = sum(p * p for label, p in probabilities.items() if label != truth)
    return wrong + (1.0 - probabilities.get(truth, 0.0)) ** 2


def _reviewed(share: float, n: int) -> int:
    return int(np.floor(share * n + _SLACK))


def _quantiles(values: Floats, certainty: float) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [(1 - certainty) / 2, (1 + certainty) / 2])
    return float(low), float(high)


def _mean(values: ArrayLike) -> float:
    array = as_floats(values)
    return float(array.mean()) if len(array) else np.nan
