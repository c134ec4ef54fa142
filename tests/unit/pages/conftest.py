"""A made-up report with every section filled: figures are drawn from a seed and belong to no real helpdesk."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from pipeline.pages import figures as f
from pipeline.pages import findings as d
from pipeline.pages import report as r
from pipeline.training import metrics

MONTHS = tuple(f"{2023 + i // 12}-{i % 12 + 1:02d}" for i in range(30))
RIVALS = ("majority", "keyword rules", "plain pipeline")
TOPICS = (
    "sending mail", "receiving mail", "cannot sign in", "forgotten password", "slow start", "crash on start",
    "import from another program", "calendar and tasks", "address book", "spam filter", "message search",
    "attachments", "printing", "colours and fonts", "update went wrong", "encryption", "newsgroups", "add-ons",
)  # fmt: skip
LEVELS = ("low", "medium", "high", "urgent")

Replace = Callable[[str], str]


def rewritten(value: Any, change: Replace, keep: frozenset[str]) -> Any:
    """The same report with every text in it changed, but for the fixed words in `keep`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        items = {x.name: rewritten(getattr(value, x.name), change, keep) for x in dataclasses.fields(value)}
        return dataclasses.replace(value, **items)
    if isinstance(value, tuple):
        return tuple(rewritten(v, change, keep) for v in value)
    if isinstance(value, Mapping):
        return {rewritten(k, change, keep): rewritten(v, change, keep) for k, v in value.items()}
    return change(value) if isinstance(value, str) and value and value not in keep else value


@pytest.fixture(scope="session")
def filled() -> r.Report:
    return made_up()


def made_up(*, synthetic: bool = True) -> r.Report:
    """A report with every section filled."""
    draw = np.random.default_rng(4)
    return r.Report(
        header=_header(synthetic),
        models=(_topic(draw), _priority(draw), _escalation(draw)),
        warnings=(
            r.Warn("drift", "The share of chat tickets doubled after training.", "PSI of channel 0.31, worry above 0.2"),
            r.Warn("gate", "Priority stays out of service.", "kappa 0.021, interval −0.018 to 0.060"),
        ),
        promise=_promise(draw),
        routing=_routing(draw),
        taxonomy=_taxonomy(draw),
        audit=_audit(draw),
        drift=(
            d.Drift("channel", "PSI", 0.31, 0.2),
            d.Drift("language", "PSI", 0.04, 0.2),
            d.Drift("text length", "PSI", 0.08, 0.2),
            d.Drift("train or test, told apart by a classifier", "AUC", 0.61, 0.75),
        ),
        data=d.DataNotes(
            read=12_480,
            refused={"duplicate_id": 41, "bad_time": 7, "text_too_long": 1},
            left_out={"near-duplicate of a test ticket": 212, "outcome not known at the cut": 96, "label too rare": 33},
            facts={"tickets without words": "12", "personal data replaced": "1,904 addresses, 88 numbers, 3 cards"},
        ),
        settings={"seed": "7", "topic.living": "find", "topic.candidates": "words, meaning, both, average",
                  "promise.error_ratio": "0.5", "promise.per": "all", "encoder.name": "minilm", "encoder.precision": "auto"},
        reproduction=d.Reproduction(
            commands=("triage import table tickets.csv --mapping mapping.yaml --out raw", "triage run --raw raw --scorer scorer"),
            hashes={"manifest.json": "9f" * 32, "topic.joblib": "1c" * 32, "raw/tickets.parquet": "e7" * 32},
            versions={"python": "3.11.9", "scikit-learn": "1.8.0", "numpy": "2.2.1"},
            seed=7,
        ),
        missing={"queue": "no queue in the data: it follows from the topic"},
    )  # fmt: skip


def _header(synthetic: bool) -> r.Header:
    return r.Header(
        scorer_version="2025.07.01-9f31c2ab", data_date="2025-06-30", rows=3_120, rows_left_out=245,
        encoder="all-MiniLM-L6-v2, bfloat16", split="by time: tickets from 2025-04-01 test", figures_from="inner splits",
        first_ticket="2025-04-01", last_ticket="2025-06-30", synthetic=synthetic,
        fits=(
            r.Fit("inner splits", "8,871 tickets, 2024-01-01 to 2025-03-31", "3,120 tickets, 2025-04-01 to 2025-06-30",
                  "all on this page"),
            r.Fit("final fit", "11,991 tickets, 2024-01-01 to 2025-06-30", "", "none: it serves"),
        ),
    )  # fmt: skip


def _metric(name: str, value: float, rivals: tuple[float | None, ...], half: float, **more: Any) -> f.Metric:
    given = tuple(f.Baseline(n, f.Estimate(v)) for n, v in zip(RIVALS, rivals, strict=True) if v is not None)
    return f.Metric(name, f.Estimate(value, value - half, value + half), given, **more)


def _calibration(draw: np.random.Generator, says: str, a: float, b: float, bend: float) -> f.Calibration:
    said = draw.beta(a, b, 3_000)
    came = (draw.random(3_000) < said**bend).astype(float)
    bins = tuple(f.Bin(float(p), float(o), int(n)) for p, o, n in zip(*metrics.reliability_bins(said, came), strict=True))
    ece = metrics.calibration_error(said, came)
    return f.Calibration(says, f.Estimate(ece, ece - 0.006, ece + 0.008), bins)


def _curve(*columns: np.ndarray) -> f.Curve:
    return tuple((float(x), float(y)) for x, y in zip(*metrics.thin(*columns), strict=True))


def _topic(draw: np.random.Generator) -> r.ModelReport:
    sure = draw.beta(2, 2, 3_000)
    right = (draw.random(3_000) < sure).astype(float)
    kept, wrong, _ = metrics.risk_coverage_curve(sure, right)
    points = metrics.selective_metrics(sure, right)
    pairs = [("sending mail", "receiving mail"), ("crash on start", "slow start"), ("forgotten password", "cannot sign in"),
             ("update went wrong", "crash on start"), ("spam filter", "receiving mail"), ("colours and fonts", "printing")]
    slices = [
        f.Slice(kind, name, n, f.Estimate(v, v - 1 / np.sqrt(n), v + 1 / np.sqrt(n)))
        for kind, name, n, v in [
            ("month", "2025-04", 1_055, 0.571), ("month", "2025-05", 1_034, 0.552), ("month", "2025-06", 1_031, 0.518),
            ("language", "en", 2_104, 0.566), ("language", "de", 801, 0.522), ("language", "fr", 168, 0.470),
            ("language", "und", 47, 0.340), ("channel", "email", 1_702, 0.561), ("channel", "web form", 911, 0.555),
            ("channel", "chat", 507, 0.489), ("text length", "under 20 words", 611, 0.446),
            ("text length", "20 to 99 words", 1_688, 0.561), ("text length", "100 words and more", 821, 0.601),
            ("class size", "under 100 in training", 240, 0.301), ("class size", "100 to 499", 1_101, 0.488),
            ("class size", "500 and more", 1_779, 0.622),
        ]
    ]  # fmt: skip
    classes = tuple(
        f.ClassFigures(label, int(2_400 * 0.82**i) + 20, int(620 * 0.82**i) + 4, *_two(draw, i)) for i, label in enumerate(TOPICS)
    )
    return r.ModelReport(
        "topic", "in service", tickets=3_120, chosen="words and meaning side by side",
        note="loses to the plain pipeline on weighted F1: a warning, not a gate",
        metrics=(
            _metric("accuracy", 0.547, (0.203, 0.341, 0.508), 0.018, decides=True),
            _metric("macro_f1", 0.421, (0.019, 0.270, 0.371), 0.021, decides=True),
            _metric("top3_accuracy", 0.781, (0.402, None, 0.752), 0.014),
            _metric("weighted_f1", 0.531, (0.069, 0.322, 0.538), 0.019),
            _metric("ece", 0.019, (None, None, 0.071), 0.007, higher_is_better=False),
        ),
        calibration=_calibration(draw, "the topic is right", 2, 2, 1.12),
        risk_coverage=f.RiskCoverage(_curve(kept, wrong), points["aurc"], points["coverage_at_90"], points["coverage_at_95"],
                                     (float(kept[1_240]), float(wrong[1_240]))),
        out_of_scope=f.OutOfScope(84, f.Estimate(0.962, 0.941, 0.979), f.Estimate(0.81, 0.72, 0.89)),
        confusions=tuple(
            f.ConfusionPair(a, b, 61 - 9 * i, 0.19 - 0.02 * i, tuple(f"LH-{40_000 + 97 * j + i}" for j in range(7 - i)))
            for i, (a, b) in enumerate(pairs)
        ),
        slices=f.Slices("accuracy", f.Estimate(0.547, 0.529, 0.565), tuple(slices)),
        classes=classes,
        words=tuple(
            d.ClassWords(label, tuple(d.TopWord(w, 2.0 - i / 10, 40 - i) for i, w in enumerate(label.split() + ["error", "since", "again"])))
            for label in TOPICS
        ),
    )  # fmt: skip


def _two(draw: np.random.Generator, i: int) -> tuple[float, float]:
    return tuple(float(np.clip(0.75 - 0.03 * i + draw.normal(0, 0.08), 0, 1)) for _ in range(2))  # type: ignore[return-value]


def _priority(draw: np.random.Generator) -> r.ModelReport:
    counts = ((812, 241, 20, 1), (430, 701, 122, 8), (61, 260, 190, 22), (5, 31, 74, 41))
    return r.ModelReport(
        "priority", "no better than the baseline", tickets=3_019,
        metrics=(
            _metric("quadratic_kappa", 0.021, (0.0, 0.012, 0.034), 0.039, decides=True),
            _metric("macro_f1", 0.251, (0.148, 0.203, 0.262), 0.02),
            _metric("mae_levels", 1.402, (1.391, 1.5, 1.377), 0.04, higher_is_better=False),
        ),
        calibration=_calibration(draw, "the level is right", 4, 3, 1.5),
        level_confusion=f.LevelConfusion(LEVELS, counts),
        slices=f.Slices("quadratic_kappa", f.Estimate(0.021, -0.018, 0.06), (
            f.Slice("month", "2025-04", 1_020, f.Estimate(0.03, -0.04, 0.1)), f.Slice("month", "2025-05", 1_001, f.Estimate(-0.01, -0.08, 0.06)))),
        words=(), missing={"confusions": "see true by predicted level"},
    )  # fmt: skip


def _escalation(draw: np.random.Generator) -> r.ModelReport:
    risk = draw.beta(0.6, 14, 3_000)
    happened = (draw.random(3_000) < risk * 1.1).astype(float)
    points = metrics.risk_metrics(happened, risk)
    work = tuple(
        f.Workload(w, f.Estimate(points[f"recall_at_{w}"], points[f"recall_at_{w}"] - 0.06, points[f"recall_at_{w}"] + 0.06),
                   points[f"precision_at_{w}"], points[f"best_possible_recall_at_{w}"])
        for w in metrics.WORKLOADS
    )  # fmt: skip
    ap = points["average_precision"]
    return r.ModelReport(
        "escalation", "in service", tickets=3_000, chosen="words and fields, boosted",
        metrics=(
            _metric("roc_auc", points["roc_auc"], (0.5, 0.61, 0.74), 0.03),
            _metric("average_precision", ap, (points["base_rate"], 0.08, 0.11), 0.04, decides=True),
            _metric("recall_at_0.192", points["recall_at_0.192"], (0.192, 0.31, 0.48), 0.06),
        ),
        calibration=_calibration(draw, "the ticket is escalated", 0.6, 14, 1.0),
        gains=f.Gains(points["base_rate"], int(happened.sum()), _curve(*metrics.gains_curve(happened, risk)),
                      _curve(*metrics.precision_recall_curve(happened, risk)), f.Estimate(ap, ap - 0.04, ap + 0.04), work),
        missing={"slices": "fewer than 20 escalations in every slice"},
    )  # fmt: skip


def _promise(draw: np.random.Generator) -> f.Promise:
    def period(name: str, tickets: int, routed: int, wrong: int) -> f.PromisePeriod:
        share, half = wrong / routed, 1.96 * float(np.sqrt(wrong / routed * (1 - wrong / routed) / routed))
        return f.PromisePeriod(name, tickets, routed, wrong, f.Estimate(share, max(share - half, 0), share + half))

    months = (period("2025-04", 1_055, 470, 92), period("2025-05", 1_034, 441, 99), period("2025-06", 1_031, 402, 118))
    queues = (period("Accounts", 820, 390, 60), period("Mail", 1_410, 611, 151), period("Desktop", 890, 312, 98))
    return f.Promise(
        "kept", asked=0.226, error_if_all=0.453, threshold="0.58", whole=period("all", 3_120, 1_313, 309), periods=months,
        queues=queues, reason="near-identical texts get the same topic only 81 % of the time",
    )  # fmt: skip


def _routing(draw: np.random.Generator) -> tuple[d.Queue, ...]:
    rows = [d.Queue(q, "model", n) for q, n in (("Mail", 611), ("Accounts", 390), ("Desktop", 312))]
    rows += [d.Queue("Billing", "rule:invoice words", 74), d.Queue("Accounts", "rule:gold customers", 21)]
    return (*rows, d.Queue("triage", "abstained", 1_700), d.Queue("triage", "fallback:no_text", 12))


def _taxonomy(draw: np.random.Generator) -> d.Taxonomy:
    cut, labels, old = MONTHS.index("2024-12"), [], ("mail", "login", "performance", "looks", "other")
    weights = [draw.uniform(0.5, 1.5) * 0.85**i for i in range(len(TOPICS))]
    for i, (topic, weight) in enumerate(zip(TOPICS, weights, strict=True)):
        lively = [draw.poisson(70 * weight) if m >= cut or i % 6 == 5 else 0 for m in range(30)]
        labels.append(d.LabelLife(topic, tuple(map(int, lively)), True, note="" if i % 6 == 5 else "new in 2024-12"))
    for i, topic in enumerate(old):
        counts = tuple(int(draw.poisson(120 / (i + 1))) if m < cut else int(i == 4 and m == cut) for m in range(30))
        labels.append(d.LabelLife(topic, counts, False, "cannot sign in" if topic == "login" else "", "since 2024-12"))
    totals = tuple(sum(lab.counts[m] for lab in labels) for m in range(30))
    note = "In December 2024 five labels gave way to fifteen new ones. A model of all months would mostly name dead labels."
    return d.Taxonomy(MONTHS, totals, tuple(labels), learn_from="2024-12", note=note)


def _audit(draw: np.random.Generator) -> d.Audit:
    suspects = tuple(
        d.Suspect(f"LH-{20_000 + 37 * i}", "topic", TOPICS[i % 7], TOPICS[(i * 5 + 3) % 18], 0.99 - 0.012 * i) for i in range(14)
    )
    return d.Audit(
        suspects=suspects, suspects_found=131,
        twins=(d.Twins(("add-ons", "Add-ons", "addons"), (140, 12, 3), "case and spelling"),
               d.Twins(("printing", "printing "), (88, 4), "spaces")),
        rare=(d.RareLabel("screen reader", 3), d.RareLabel("legal", 1)),
        repeats=(d.Repeats(240, ("update went wrong",), tuple(f"LH-{i}" for i in range(30_000, 30_240, 5))),),
        labelled_both_ways=(d.Repeats(6, ("slow start", "crash on start"), ("LH-20111", "LH-23900", "LH-24002")),),
        give_aways=(d.GiveAway("fields.tags", "topic", "holds the topic's own name in 98 % of the rows"),
                    d.GiveAway("fields.form", "topic", "alone it names the topic in 91 %", left_out=False)),
        unpredictable=(d.Unpredictable("other", "topic", 301, "AUC 0.51, interval 0.47 to 0.55"),),
    )  # fmt: skip
