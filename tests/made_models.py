"""Made-up figures of three models for `made_report`: drawn from a seed, of no real helpdesk."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.pages import figures as f
from pipeline.pages import findings as d
from pipeline.pages import report as r
from pipeline.pages import waiting as w
from pipeline.training import metrics

RIVALS = ("majority", "keyword rules", "plain pipeline")
TOPICS = (
    "sending mail",
    "receiving mail",
    "cannot sign in",
    "forgotten password",
    "slow start",
    "crash on start",
    "import from another program",
    "calendar and tasks",
    "address book",
    "spam filter",
    "message search",
    "attachments",
    "printing",
    "colours and fonts",
    "update went wrong",
    "encryption",
    "newsgroups",
    "add-ons",
)
LEVELS = ("low", "medium", "high", "urgent")


def _metric(name: str, value: float, rivals: tuple[float | None, ...], half: float, **more: Any) -> f.Metric:
    given = tuple(f.Baseline(n, f.Estimate(v)) for n, v in zip(RIVALS, rivals, strict=True) if v is not None)
    return f.Metric(name, f.Estimate(value, value - half, value + half), given, **more)


def _calibration(draw: np.random.Generator, says: str, a: float, b: float, bend: float) -> f.Calibration:
    said = draw.beta(a, b, 3_000)
    came = (draw.random(3_000) < said**bend).astype(float)
    table = zip(*metrics.reliability_bins(said, came), strict=True)
    bins = tuple(f.Bin(float(predicted), float(observed), int(n)) for predicted, observed, n in table)
    ece = metrics.calibration_error(said, came)
    return f.Calibration(says, f.Estimate(ece, ece - 0.006, ece + 0.008), bins)


def _curve(*columns: np.ndarray) -> f.Curve:
    return tuple((float(x), float(y)) for x, y in zip(*metrics.thin(*columns), strict=True))


def topic(draw: np.random.Generator) -> r.ModelReport:
    sure = draw.beta(2, 2, 3_000)
    right = (draw.random(3_000) < sure).astype(float)
    kept, wrong, _ = metrics.risk_coverage_curve(sure, right)
    points = metrics.selective_metrics(sure, right)
    pairs = [
        ("sending mail", "receiving mail"),
        ("crash on start", "slow start"),
        ("forgotten password", "cannot sign in"),
        ("update went wrong", "crash on start"),
        ("spam filter", "receiving mail"),
        ("colours and fonts", "printing"),
    ]
    slices = [
        f.Slice(kind, name, n, f.Estimate(v, v - 1 / np.sqrt(n), v + 1 / np.sqrt(n)))
        for kind, name, n, v in [
            ("month", "2025-04", 1_055, 0.571),
            ("month", "2025-05", 1_034, 0.552),
            ("month", "2025-06", 1_031, 0.518),
            ("language", "en", 2_104, 0.566),
            ("language", "de", 801, 0.522),
            ("language", "fr", 168, 0.470),
            ("language", "und", 47, 0.340),
            ("channel", "email", 1_702, 0.561),
            ("channel", "web form", 911, 0.555),
            ("channel", "chat", 507, 0.489),
            ("text length", "under 20 words", 611, 0.446),
            ("text length", "20 to 99 words", 1_688, 0.561),
            ("text length", "100 words and more", 821, 0.601),
            ("class size", "under 100 in training", 240, 0.301),
            ("class size", "100 to 499", 1_101, 0.488),
            ("class size", "500 and more", 1_779, 0.622),
        ]
    ]
    sizes = [0.82**i for i in range(len(TOPICS))]
    classes = tuple(
        f.ClassFigures(label, int(2_400 * sizes[i]) + 20, int(620 * sizes[i]) + 4, *_two(draw, i))
        for i, label in enumerate(TOPICS)
    )
    return r.ModelReport(
        "topic",
        "in service",
        tickets=3_120,
        chosen="words and meaning side by side",
        note="loses to the plain pipeline on weighted F1: a warning, not a gate",
        metrics=(
            _metric("accuracy", 0.547, (0.203, 0.341, 0.508), 0.018, decides=True),
            _metric("macro_f1", 0.421, (0.019, 0.270, 0.371), 0.021, decides=True),
            _metric("top3_accuracy", 0.781, (0.402, None, 0.752), 0.014),
            _metric("weighted_f1", 0.531, (0.069, 0.322, 0.538), 0.019),
            _metric("ece", 0.019, (None, None, 0.071), 0.007, higher_is_better=False),
        ),
        calibration=_calibration(draw, "the topic is right", 2, 2, 1.12),
        risk_coverage=f.RiskCoverage(
            _curve(kept, wrong),
            points["aurc"],
            points["coverage_at_90"],
            points["coverage_at_95"],
            (float(kept[1_240]), float(wrong[1_240])),
        ),
        out_of_scope=f.OutOfScope(84, f.Estimate(0.962, 0.941, 0.979), f.Estimate(0.81, 0.72, 0.89)),
        confusions=tuple(
            f.ConfusionPair(a, b, 61 - 9 * i, 0.19 - 0.02 * i, tuple(f"LH-{40_000 + 97 * j + i}" for j in range(7 - i)))
            for i, (a, b) in enumerate(pairs)
        ),
        slices=f.Slices("accuracy", f.Estimate(0.547, 0.529, 0.565), tuple(slices)),
        classes=classes,
        words=tuple(
            d.ClassWords(label, tuple(d.TopWord(w, 1.0, 40) for w in (*label.split(), "error", "since", "again")))
            for label in TOPICS
        ),
    )


def _two(draw: np.random.Generator, i: int) -> tuple[float, float]:
    return tuple(float(np.clip(0.75 - 0.03 * i + draw.normal(0, 0.08), 0, 1)) for _ in range(2))  # type: ignore[return-value]


def priority(draw: np.random.Generator) -> r.ModelReport:
    counts = ((812, 241, 20, 1), (430, 701, 122, 8), (61, 260, 190, 22), (5, 31, 74, 41))
    return r.ModelReport(
        "priority",
        "no better than the baseline",
        tickets=3_019,
        metrics=(
            _metric("quadratic_kappa", 0.021, (0.0, 0.012, 0.034), 0.039, decides=True),
            _metric("macro_f1", 0.251, (0.148, 0.203, 0.262), 0.02),
            _metric("mae_levels", 1.402, (1.391, 1.5, 1.377), 0.04, higher_is_better=False),
        ),
        calibration=_calibration(draw, "the level is right", 4, 3, 1.5),
        level_confusion=f.LevelConfusion(LEVELS, counts),
        slices=f.Slices(
            "quadratic_kappa",
            f.Estimate(0.021, -0.018, 0.06),
            (
                f.Slice("month", "2025-04", 1_020, f.Estimate(0.03, -0.04, 0.1)),
                f.Slice("month", "2025-05", 1_001, f.Estimate(-0.01, -0.08, 0.06)),
            ),
        ),
        words=(),
        missing={"confusions": "see true by predicted level"},
    )


def escalation(draw: np.random.Generator) -> r.ModelReport:
    risk = draw.beta(0.6, 14, 3_000)
    happened = (draw.random(3_000) < risk * 1.1).astype(float)
    points = metrics.risk_metrics(happened, risk)
    work = tuple(
        f.Workload(w, f.Estimate(found, found - 0.06, found + 0.06), points[f"precision_at_{w}"], best)
        for w in metrics.WORKLOADS
        for found, best in [(points[f"recall_at_{w}"], points[f"best_possible_recall_at_{w}"])]
    )
    ap = points["average_precision"]
    return r.ModelReport(
        "escalation",
        "in service",
        tickets=3_000,
        chosen="words and fields, boosted",
        metrics=(
            _metric("roc_auc", points["roc_auc"], (0.5, 0.61, 0.74), 0.03),
            _metric("average_precision", ap, (points["base_rate"], 0.08, 0.11), 0.04, decides=True),
            _metric("recall_at_0.192", points["recall_at_0.192"], (0.192, 0.31, 0.48), 0.06),
        ),
        calibration=_calibration(draw, "the ticket is escalated", 0.6, 14, 1.0),
        gains=f.Gains(
            points["base_rate"],
            int(happened.sum()),
            _curve(*metrics.gains_curve(happened, risk)),
            _curve(*metrics.precision_recall_curve(happened, risk)),
            f.Estimate(ap, ap - 0.04, ap + 0.04),
            work,
        ),
        waiting=waiting(draw),
        missing={"slices": "fewer than 20 escalations in every slice"},
    )


def waiting(draw: np.random.Generator) -> w.Waiting:
    """The risk at three ages, and the time that alerts win."""
    ages = []
    for hours, sharp in ((0.0, 0.4), (4.0, 0.8), (72.0, 1.2)):
        score = draw.normal(size=1_000)
        happened = (draw.random(1_000) < 1 / (1 + np.exp(2.0 - sharp * score))).astype(float)
        risk = 1 / (1 + np.exp(2.0 - sharp * score))
        points, low = metrics.risk_metrics(happened, risk, (0.1,)), 0.03
        figures = {
            name: f.Estimate(points[key], points[key] - low, points[key] + low)
            for name, key in (
                ("roc_auc", "roc_auc"), ("average_precision", "average_precision"), ("recall", "recall_at_0.1"),
                ("ece", "ece"),
            )
        }  # fmt: skip
        table = zip(*metrics.reliability_bins(risk, happened), strict=True)
        bins = tuple(f.Bin(float(a), float(b), int(n)) for a, b, n in table)
        ages.append(
            w.AtAge(
                hours, 1_000, int(happened.sum()), **figures, alone=w.Alone(0.5, 0.2, 0.1, 0.05),
                gain=f.Estimate(sharp / 10, 0.0, sharp / 5), gains=_curve(*metrics.gains_curve(happened, risk)),
                precision_recall=_curve(*metrics.precision_recall_curve(happened, risk)), bins=bins,
            )
        )  # fmt: skip
    hours = w.Hours(60, 4.0, 20.0, 50.0, 0.4)
    curve = tuple((float(h), 0.6 - h / 200) for h in range(0, 100, 5))
    whole = tuple((float(h), 1.0 - h / 200) for h in range(0, 200, 10))
    lead = w.Lead(150, 60, 100, hours, hours, w.Hours(0), hours, w.Hours(100, 5.0, 30.0, 90.0, 0.6), curve, whole)
    return w.Waiting(tuple(ages), 0.1, lead, w.Leak(300, 12_345, 0.0))
