"""One model beside its baselines: metrics with intervals, verdict, calibration, curves and slices, for the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.pages.figures import (
    Baseline,
    Bin,
    Calibration,
    Curve,
    Estimate,
    Gains,
    Metric,
    OutOfScope,
    RiskCoverage,
    Workload,
    estimate,
)
from pipeline.pages.findings import ClassWords
from pipeline.pages.formats import listing, metric_words
from pipeline.pages.report import ModelReport, Verdict
from pipeline.pages.words import EXPECTED
from pipeline.training.baselines import MAJORITY, PLAIN
from pipeline.training.breakdown import class_figures, confusions, level_confusion, slices
from pipeline.training.curves import gains_curve, precision_recall_curve, reliability_bins, risk_coverage_curve, thin
from pipeline.training.looked import METRICS, MODEL_NAMES, Looked, Rival
from pipeline.training.metrics import (
    WORKLOADS,
    calibration_error,
    code_metrics,
    encode,
    interval,
    rank_metrics,
    ranking_metrics,
    risk_metrics,
    scope_metrics,
    selective_metrics,
)

LESS_IS_BETTER = ("mae_levels", "ece", "brier", "aurc", "too_low", "too_high")
SHOWN = {
    "topic": ("accuracy", "macro_f1", "top3_accuracy", "weighted_f1", "ece", "aurc"),
    "queue": ("accuracy", "macro_f1", "top3_accuracy", "weighted_f1", "ece", "aurc"),
    "priority": ("quadratic_kappa", "macro_f1", "mae_levels", "accuracy", "ece"),
    "escalated": ("roc_auc", "average_precision", *(f"recall_at_{w}" for w in WORKLOADS), "brier", "ece"),
}
SAYS = {
    "topic": "the topic is right",
    "queue": "the queue is right",
    "priority": "the level is right",
    "escalated": "the ticket is escalated",
}
NO_BETTER: Verdict = "no better than the baseline"
LOSES = "loses to the plain pipeline on"
WORK = 6_000_000
"""Tickets times resamples of a bootstrap: 1,000 resamples up to 6,000 tickets, 300 from 20,000 on."""

Figures = Callable[[np.ndarray], dict[str, float]]


@dataclass(frozen=True)
class Standing:
    """What is known of a model before it is looked at.

    Attributes
    ----------
    verdict : str
        As the page words it.
    chosen, note : str
        See `ModelReport`.
    """

    verdict: Verdict
    chosen: str = ""
    note: str = ""


def judge(looked: Looked, standing: Standing, *, seed: int, words: tuple[ClassWords, ...] | None = None) -> ModelReport:
    """Everything that can be said of one model on these tickets."""
    target, n = looked.target, len(looked)
    missing: dict[str, str] = {}
    if words is None or not words:
        missing["words"] = "no word stands in ten tickets of a class"
    if n == 0:
        return absent(target, standing, "no ticket with this outcome was looked at")
    figures = _figures(looked, looked.guess, looked.confidence, looked.first_three)
    points, bounds = figures(np.arange(n)), interval(figures, n, seed=seed, resamples=resamples(n))
    metrics = tuple(_metric(looked, name, points, bounds) for name in SHOWN[target] if name in points)
    notes = [standing.note, _losing(looked, seed)]
    first = SHOWN[target][0]
    cut = slices(looked, estimate(first, points, bounds), seed=seed)
    if cut is None:
        missing["slices"] = "too few tickets in every slice"
    return ModelReport(
        MODEL_NAMES[target],
        standing.verdict,
        tickets=n,
        metrics=metrics,
        note="; ".join(filter(None, notes)),
        chosen=standing.chosen,
        calibration=_calibration(looked, points, bounds),
        risk_coverage=_risk_coverage(looked) if target in ("topic", "queue") else None,
        gains=_gains(looked, points, bounds) if target == "escalated" else None,
        out_of_scope=_out_of_scope(looked, seed, missing) if target == "topic" else None,
        confusions=confusions(looked) if target != "escalated" else None,
        level_confusion=level_confusion(looked) if target == "priority" else None,
        slices=cut,
        classes=class_figures(looked) if target in ("topic", "queue") else None,
        words=words or None,
        missing=missing,
    )


def absent(target: str, standing: Standing, why: str) -> ModelReport:
    """A model without figures, and why there are none."""
    name = MODEL_NAMES[target]
    return ModelReport(
        name,
        standing.verdict,
        note=standing.note or why,
        chosen=standing.chosen,
        missing=dict.fromkeys(EXPECTED[name], why),
    )


def resamples(n: int) -> int:
    """Of a bootstrap over n tickets: fewer for more tickets, so that it takes seconds at most."""
    return int(np.clip(WORK // max(n, 1), 300, 1_000))


def beaten(report: ModelReport) -> list[str]:
    """Metrics of the gate on which the majority baseline is as good, within the interval, on these very tickets."""
    deciding = [m for m in report.metrics if m.decides]
    behind = []
    for metric in deciding:
        base = next((b.estimate.value for b in metric.baselines if b.name == MAJORITY), None)
        if base is not None and metric.scorer.low is not None and metric.scorer.low <= base:
            behind.append(metric.name)
    return behind if len(behind) == len(deciding) else []


def _figures(looked: Looked, guess: np.ndarray, confidence: np.ndarray, first_three: np.ndarray | None) -> Figures:
    """A function from positions to metrics, encoded once so that a bootstrap is quick."""
    if looked.target == "escalated":
        happened = looked.happened

        def risks(rows: np.ndarray) -> dict[str, float]:
            y, p = happened[rows], confidence[rows]
            found = ranking_metrics(y, p)
            return found | {"brier": float(((p - y) ** 2).mean()), "ece": calibration_error(p, y)}

        return risks
    labels, (true, said) = encode(looked.truth, guess)
    sure = bool(len(confidence)) and not np.isnan(confidence).any()
    levels = _levels(looked, guess) if looked.target == "priority" else None

    def classes(rows: np.ndarray) -> dict[str, float]:
        found = code_metrics(true[rows], said[rows], len(labels))
        if levels is not None:
            found |= rank_metrics(levels[0][rows], levels[1][rows])
        if first_three is not None:
            found["top3_accuracy"] = float(first_three[rows].mean())
        if sure:
            right = (true[rows] == said[rows]).astype(np.float64)
            found["ece"] = calibration_error(confidence[rows], right)
            found["aurc"] = selective_metrics(confidence[rows], right)["aurc"]
        return found

    return classes


def _levels(looked: Looked, guess: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    place = {level: i for i, level in enumerate(looked.levels)}
    return np.array([place[t] for t in looked.truth.tolist()]), np.array([place[g] for g in guess.tolist()])


def _metric(
    looked: Looked, name: str, points: Mapping[str, float], bounds: Mapping[str, tuple[float, float]]
) -> Metric:
    rivals = []
    for rival in looked.rivals:
        value = _of_rival(looked, rival).get(name)
        if value is not None and not (rival.name == MAJORITY and name in ("ece", "brier", "aurc")):
            rivals.append(Baseline(rival.name, Estimate(value)))
    return Metric(
        name, estimate(name, points, bounds), tuple(rivals),
        higher_is_better=name not in LESS_IS_BETTER, decides=name in METRICS[looked.target],
    )  # fmt: skip


def _of_rival(looked: Looked, rival: Rival) -> dict[str, float]:
    return _figures(looked, rival.guess, rival.confidence, rival.first_three)(np.arange(len(looked)))


def _losing(looked: Looked, seed: int) -> str:
    """A sentence where the plain pipeline is better outside the interval of the difference, on the same draws."""
    plain = next((r for r in looked.rivals if r.name == PLAIN), None)
    if plain is None:
        return ""
    mine = _figures(looked, looked.guess, looked.confidence, looked.first_three)
    theirs = _figures(looked, plain.guess, plain.confidence, plain.first_three)

    def gap(rows: np.ndarray) -> dict[str, float]:
        a, b = mine(rows), theirs(rows)
        return {name: a[name] - b[name] for name in METRICS[looked.target]}

    bounds = interval(gap, len(looked), seed=seed, resamples=300)
    lost = [name for name, (_, high) in bounds.items() if high < 0]
    return (
        f"loses to the plain pipeline on {listing([metric_words(n) for n in lost])}: a warning, not a gate"
        if lost
        else ""
    )


def _calibration(
    looked: Looked, points: Mapping[str, float], bounds: Mapping[str, tuple[float, float]]
) -> Calibration | None:
    if "ece" not in points:
        return None
    came = looked.happened if looked.target == "escalated" else (looked.truth == looked.guess).astype(np.float64)
    table = zip(*reliability_bins(looked.confidence, came), strict=True)
    bins = tuple(Bin(float(said), float(happened), int(n)) for said, happened, n in table)
    return Calibration(SAYS[looked.target], estimate("ece", points, bounds), bins)


def _risk_coverage(looked: Looked) -> RiskCoverage | None:
    if np.isnan(looked.confidence).any():
        return None
    right = (looked.truth == looked.guess).astype(np.float64)
    kept, wrong, _ = risk_coverage_curve(looked.confidence, right)
    found = selective_metrics(looked.confidence, right)
    return RiskCoverage(
        curve(kept, wrong), found["aurc"], found["coverage_at_90"], found["coverage_at_95"], looked.working_point
    )


def _gains(looked: Looked, points: Mapping[str, float], bounds: Mapping[str, tuple[float, float]]) -> Gains | None:
    happened, risk = looked.happened, looked.confidence
    if not 0 < happened.sum() < len(happened):
        return None
    more = risk_metrics(happened, risk)
    work = tuple(
        Workload(
            w, estimate(f"recall_at_{w}", points, bounds),
            more[f"precision_at_{w}"], more[f"best_possible_recall_at_{w}"],
        )
        for w in WORKLOADS
    )  # fmt: skip
    return Gains(
        more["base_rate"], int(happened.sum()), curve(*gains_curve(happened, risk)),
        curve(*precision_recall_curve(happened, risk)), estimate("average_precision", points, bounds), work,
    )  # fmt: skip


def _out_of_scope(looked: Looked, seed: int, missing: dict[str, str]) -> OutOfScope | None:
    if looked.outside is None or not len(looked.outside.outside) or not len(looked.outside.inside):
        missing["out_of_scope"] = "no ticket is known to be out of scope"
        return None
    score = np.concatenate([looked.outside.inside, looked.outside.outside])
    outside = np.arange(len(score)) >= len(looked.outside.inside)

    def figures(rows: np.ndarray) -> dict[str, float]:
        return scope_metrics(outside[rows], score[rows])

    points, bounds = figures(np.arange(len(score))), interval(figures, len(score), seed=seed, resamples=300)
    return OutOfScope(
        int(outside.sum()), estimate("auroc", points, bounds), estimate("recall_at_4pct_false", points, bounds)
    )


def curve(*columns: np.ndarray) -> Curve:
    """Points of a curve, thinned for drawing."""
    return tuple((float(x), float(y)) for x, y in zip(*thin(*columns), strict=True))
