"""What a report says of quality: metrics beside baselines, curves, the promise, confusions, slices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeGuard

Curve = tuple[tuple[float, float], ...]
"""Points (x, y) in order of x; long curves are thinned to some 200 points first (`training.metrics.thin`)."""


@dataclass(frozen=True)
class Estimate:
    """A measured figure and its 95 % interval; None where it is undefined (a NaN becomes None)."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        for name in ("value", "low", "high"):
            given = getattr(self, name)
            object.__setattr__(self, name, float(given) if known(given) else None)


def known(value: float | None) -> TypeGuard[float]:
    """Whether there is a figure at all."""
    return value is not None and math.isfinite(value)


def estimate(
    name: str, points: Mapping[str, float], intervals: Mapping[str, tuple[float, float]] | None = None
) -> Estimate:
    """One metric out of what `training.metrics` gives: its value, and its interval where there is one."""
    low, high = (intervals or {}).get(name, (None, None))
    return Estimate(points.get(name), low, high)


@dataclass(frozen=True)
class Baseline:
    """What a simple rival reaches: "majority", "keyword rules", "plain pipeline"."""

    name: str
    estimate: Estimate


@dataclass(frozen=True)
class Metric:
    """One metric of the scorer beside its baselines.

    Attributes
    ----------
    name : str
        As `training.metrics` names it: "accuracy", "macro_f1", "roc_auc" …; `metric_words` makes it readable.
    decides : bool
        Whether the gate looks at it.
    """

    name: str
    scorer: Estimate
    baselines: tuple[Baseline, ...] = ()
    higher_is_better: bool = True
    decides: bool = False


@dataclass(frozen=True)
class Bin:
    """One bin of a reliability diagram: mean probability said, share that came true, tickets."""

    predicted: float
    observed: float
    n: int


@dataclass(frozen=True)
class Calibration:
    """Whether 80 % means 80 %; `says` tells what the probability is of ("the topic is right")."""

    says: str
    ece: Estimate
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class RiskCoverage:
    """How the share wrong grows with the share that the machine keeps.

    Attributes
    ----------
    curve : Curve
        (share kept, share wrong among them), the surest first.
    chosen : (float, float) or None
        The point at which the scorer works: (share routed, share wrong).
    """

    curve: Curve
    aurc: float
    coverage_at_90: float
    coverage_at_95: float
    chosen: tuple[float, float] | None = None


@dataclass(frozen=True)
class PromisePeriod:
    """One month (or fifth, or queue) of a promise: tickets, how many the machine routed, how many of those wrongly."""

    name: str
    tickets: int
    routed: int
    wrong: int
    error: Estimate


@dataclass(frozen=True)
class Promise:
    """At most `asked` wrong among the tickets routed by the machine, and what came of it.

    Attributes
    ----------
    verdict : {'kept', 'broken', 'withdrawn', 'not asked'}
        Kept: the lower 95 % bound of the realised error over the whole test part is at most `asked`.
    asked : float or None
        Largest share wrong; None where nothing was asked.
    error_if_all : float or None
        Share wrong if everything were routed.
    threshold : str
        "0.71", or in words where each queue has its own.
    whole : PromisePeriod or None
        The whole test part.
    reason : str
        Why it was withdrawn, or what weakens it.
    """

    verdict: Literal["kept", "broken", "withdrawn", "not asked"]
    asked: float | None = None
    error_if_all: float | None = None
    threshold: str = ""
    whole: PromisePeriod | None = None
    periods: tuple[PromisePeriod, ...] = ()
    queues: tuple[PromisePeriod, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Workload:
    """What reviewing a given share of the tickets, riskiest first, finds."""

    share: float
    recall: Estimate
    precision: float | None
    best_possible_recall: float | None


@dataclass(frozen=True)
class Gains:
    """Escalation at a given capacity for review.

    Attributes
    ----------
    gains : Curve
        (share reviewed, share of all escalations found).
    precision_recall : Curve
        (recall, precision).
    """

    base_rate: float
    positives: int
    gains: Curve
    precision_recall: Curve
    average_precision: Estimate
    workloads: tuple[Workload, ...] = ()


@dataclass(frozen=True)
class ConfusionPair:
    """Tickets of one label that were given another; `share` is of all tickets with the true label."""

    truth: str
    guess: str
    n: int
    share: float
    ticket_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class LevelConfusion:
    """Counts of true level (rows) by predicted level (columns), both from least to most urgent."""

    levels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Slice:
    """A metric on some of the tickets; `kind`: month, language, channel, text length, class size."""

    kind: str
    name: str
    n: int
    estimate: Estimate


@dataclass(frozen=True)
class Slices:
    """One metric over many slices; `whole` is its value over all tickets."""

    metric: str
    whole: Estimate
    slices: tuple[Slice, ...]


@dataclass(frozen=True)
class ClassFigures:
    """How one class fares: tickets in training and test, precision, recall."""

    label: str
    trained: int
    tested: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class OutOfScope:
    """How well tickets that belong to no known topic are told apart."""

    tickets: int
    auroc: Estimate
    recall_at_4pct_false: Estimate
