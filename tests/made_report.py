"""A made-up report with every section filled: figures are drawn from a seed and belong to no real helpdesk."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import made_models as models
import numpy as np
from made_models import TOPICS

from pipeline.pages import figures as f
from pipeline.pages import findings as d
from pipeline.pages import knowledge as k
from pipeline.pages import report as r
from pipeline.pages.articles import Articles, Inner, Replies

MONTHS = tuple(f"{2023 + i // 12}-{i % 12 + 1:02d}" for i in range(30))

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


def _articles(draw: np.random.Generator) -> Articles:
    figures = {"recall@1": 0.42, "recall@3": 0.66, "MRR": 0.59, "hit@3": 0.7}
    rival = (f.Baseline("most cited", f.Estimate(0.23)),)
    metrics = [f.Metric(n, f.Estimate(v, v - 0.02, v + 0.02), rival) for n, v in figures.items()]
    bins = tuple(f.Bin(p, min(1.0, p + 0.05 * draw.normal()), 80) for p in (0.1, 0.3, 0.5, 0.7, 0.9))
    ece = f.Estimate(0.031, 0.02, 0.05)
    calibration = f.Calibration("the first suggestion was cited", ece, bins)
    return Articles(802, 3, 0.02, 0.31, (*metrics, f.Metric("ECE", ece)), calibration)


def _replies(draw: np.random.Generator) -> Replies:
    bins = tuple(f.Bin(p, min(1.0, p + 0.05 * draw.normal()), 20) for p in (0.6, 0.75, 0.9))
    calibration = f.Calibration("the suggested reply was right", f.Estimate(0.05, 0.02, 0.09), bins)
    right, similar = f.Estimate(0.79, 0.7, 0.87), f.Estimate(0.41, 0.38, 0.44)
    return Replies(1_313, 0.08, "both were answered by the same article", 60, 780, right, similar, calibration)


def _gaps() -> k.Gaps:
    gap = k.Gap("printing", None, ("toner", "tray"), 40, 0.4, 31.5, ("T-1", "T-2"), "kb-3", "Change the toner", 0.07)
    abroad = k.Gap(None, "fi", (), 12, 1.0, None, ("T-9",))
    topics = (k.TopicGap("printing", 210, 61), k.TopicGap(None, 14, 2))
    return k.Gaps("2025-04-01", "2025-06-30", 802, 63, 0.2, 11, topics, (gap, abroad))


def _stale() -> k.Stale:
    back = (
        k.ComesBack("kb-1", "Send mail", 40, 30, 28, 2, 4, f.Estimate(0.75, 0.6, 0.86)),
        k.ComesBack("kb-2", None, 9, 1, 1, 0, 0, f.Estimate(0.11, 0.02, 0.44)),
    )
    fading = (k.Fading("kb-4", "Old settings", 45, 5, 19.5, "2025-06-19"),)
    gone = (k.Gone("removed-page", 53, "2025-06-27"),)
    never = (("kb-5", "Print a calendar"), ("kb-6", None))
    return k.Stale("2025-06-30", "2025-04-01", 1_118, 174, 0.387, 7, fading, gone, back, never)


def made_up(*, synthetic: bool = True) -> r.Report:
    """A report with every section filled."""
    draw = np.random.default_rng(4)
    return r.Report(
        header=_header(synthetic),
        models=(models.topic(draw), models.priority(draw), models.escalation(draw)),
        warnings=(
            r.Warn(
                "drift", "The share of chat tickets doubled after training.", "PSI of channel 0.31, worry above 0.2"
            ),
            r.Warn("gate", "Priority stays out of service.", "kappa 0.021, interval −0.018 to 0.060"),
        ),
        promise=_promise(draw),
        routing=_routing(draw),
        articles=_articles(draw),
        replies=_replies(draw),
        inner=(
            Inner("articles", "Articles: better than the baseline", 431, (("recall@1", 0.484), ("MRR", 0.611))),
            Inner("replies", "No replies: 12 tickets to learn from, 150 are needed"),
        ),
        gaps=_gaps(),
        stale=_stale(),
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
        settings={
            "seed": "7",
            "topic.living": "find",
            "topic.candidates": "words, meaning, both, average",
            "promise.error_ratio": "0.5",
            "promise.per": "all",
            "encoder.name": "minilm",
            "encoder.precision": "auto",
        },
        reproduction=d.Reproduction(
            commands=(
                "triage import table tickets.csv --mapping mapping.yaml --out raw",
                "triage run --raw raw --scorer scorer",
            ),
            hashes={"manifest.json": "9f" * 32, "topic.joblib": "1c" * 32, "raw/tickets.parquet": "e7" * 32},
            versions={"python": "3.11.9", "scikit-learn": "1.8.0", "numpy": "2.2.1"},
            seed=7,
        ),
        missing={"queue": "no queue in the data: it follows from the topic"},
    )


def _header(synthetic: bool) -> r.Header:
    return r.Header(
        scorer_version="2025.07.01-9f31c2ab",
        data_date="2025-06-30",
        rows=3_120,
        rows_left_out=245,
        encoder="all-MiniLM-L6-v2, bfloat16",
        split="by time: tickets from 2025-04-01 test",
        figures_from="inner splits",
        first_ticket="2025-04-01",
        last_ticket="2025-06-30",
        synthetic=synthetic,
        fits=(
            r.Fit(
                "inner splits",
                "8,871 tickets, 2024-01-01 to 2025-03-31",
                "3,120 tickets, 2025-04-01 to 2025-06-30",
                "all on this page",
            ),
            r.Fit("final fit", "11,991 tickets, 2024-01-01 to 2025-06-30", "", "none: it serves"),
        ),
    )


def _promise(draw: np.random.Generator) -> f.Promise:
    def period(name: str, tickets: int, routed: int, wrong: int) -> f.PromisePeriod:
        share, half = wrong / routed, 1.96 * float(np.sqrt(wrong / routed * (1 - wrong / routed) / routed))
        return f.PromisePeriod(name, tickets, routed, wrong, f.Estimate(share, max(share - half, 0), share + half))

    months = (period("2025-04", 1_055, 470, 92), period("2025-05", 1_034, 441, 99), period("2025-06", 1_031, 402, 118))
    queues = (period("Accounts", 820, 390, 60), period("Mail", 1_410, 611, 151), period("Desktop", 890, 312, 98))
    return f.Promise(
        "kept",
        asked=0.226,
        error_if_all=0.453,
        threshold="0.58",
        whole=period("all", 3_120, 1_313, 309),
        periods=months,
        queues=queues,
        reason="near-identical texts get the same topic only 81 % of the time",
    )


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
    note = (
        "In December 2024 five labels gave way to fifteen new ones. A model of all months would mostly name the dead."
    )
    return d.Taxonomy(MONTHS, totals, tuple(labels), learn_from="2024-12", note=note)


def _audit(draw: np.random.Generator) -> d.Audit:
    suspects = tuple(
        d.Suspect(f"LH-{20_000 + 37 * i}", "topic", TOPICS[i % 7], TOPICS[(i * 5 + 3) % 18], 0.99 - 0.012 * i)
        for i in range(14)
    )
    return d.Audit(
        suspects=suspects,
        suspects_found=131,
        twins=(
            d.Twins(("add-ons", "Add-ons", "addons"), (140, 12, 3), "case and spelling"),
            d.Twins(("printing", "printing "), (88, 4), "spaces"),
        ),
        rare=(d.RareLabel("screen reader", 3), d.RareLabel("legal", 1)),
        repeats=(d.Repeats(240, ("update went wrong",), tuple(f"LH-{i}" for i in range(30_000, 30_240, 5))),),
        labelled_both_ways=(d.Repeats(6, ("slow start", "crash on start"), ("LH-20111", "LH-23900", "LH-24002")),),
        give_aways=(
            d.GiveAway("fields.tags", "topic", "holds the topic's own name in 98 % of the rows"),
            d.GiveAway("fields.form", "topic", "alone it names the topic in 91 %", left_out=False),
        ),
        unpredictable=(d.Unpredictable("other", "topic", 301, "AUC 0.51, interval 0.47 to 0.55"),),
    )


FIXED = frozenset(
    [
        "topic",
        "queue",
        "priority",
        "escalation",
        "inner splits",
        "final fit",
        "in service",
        "not trained",
        "no better than the baseline",
        "kept",
        "broken",
        "withdrawn",
        "not asked",
        "another world",
        "drift",
        "gate",
        "promise",
        "note",
        "confusions",
        "slices",
    ]
)
"""Words that the dataclasses fix: a report holds them as they are."""


def hostile(report: r.Report) -> r.Report:
    """The same report in which every name from outside tries to be markup, a script or a control sequence."""

    def change(text: str) -> str:
        return (
            f"{text}</text></svg></style><script>alert(1)</script><img src=http://canary.invalid/x onerror=alert(2)>"
            f"\"' onload=alert(3) {{{{7*7}}}} |a|b| [l](http://canary.invalid) `c` \x00\x1b[2J\u202e\ud800"
        )

    changed: r.Report = rewritten(report, change, FIXED)
    return changed
