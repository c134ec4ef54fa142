"""What a report says, whole: `page` draws it, `card` writes it.

Every section is optional. A section left at None is named on the page as missing, with the reason given in `missing`,
never hidden. Nothing here may hold the text of a ticket: examples go by ticket id, and words only if many tickets
hold them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pipeline.pages.articles import Articles, Inner, Replies
from pipeline.pages.figures import (
    Calibration,
    ClassFigures,
    ConfusionPair,
    Gains,
    LevelConfusion,
    Metric,
    OutOfScope,
    Promise,
    RiskCoverage,
    Slices,
)
from pipeline.pages.findings import Audit, ClassWords, DataNotes, Drift, Queue, Reproduction, Taxonomy
from pipeline.pages.knowledge import Gaps, Stale
from pipeline.pages.waiting import Waiting

ModelName = Literal["topic", "queue", "priority", "escalation"]
FitName = Literal["inner splits", "final fit"]
Verdict = Literal["in service", "no better than the baseline", "not trained"]


@dataclass(frozen=True)
class Fit:
    """One fit and the figures that belong to it.

    Attributes
    ----------
    name : {'inner splits', 'final fit'}
    trained_on, tested_on : str
        Rows and time, in words: "24,310 tickets, 2023-01-01 to 2024-12-31"; "" where there is none.
    figures : str
        What this page takes from it: "all figures on this page", "none: it serves".
    """

    name: FitName
    trained_on: str
    tested_on: str
    figures: str


@dataclass(frozen=True)
class Header:
    """What was evaluated.

    Attributes
    ----------
    data_date : str
        The newest moment in the data ("2025-06-30"): the date of this report. No clock is read.
    first_ticket, last_ticket : str
        Dates of the evaluated tickets; "" without times.
    rows, rows_left_out : int
        Tickets evaluated, and those left out (trained on, no outcome, refused).
    split : str
        How test rows were chosen: "by time, from 2025-04-01", "by a stable hash: the tickets have no times".
    figures_from : {'inner splits', 'final fit'}
        Which fit the figures of this page belong to.
    """

    scorer_version: str
    data_date: str
    rows: int
    encoder: str
    split: str
    figures_from: FitName
    first_ticket: str = ""
    last_ticket: str = ""
    rows_left_out: int = 0
    title: str = "How well the scorer does"
    synthetic: bool = False
    fits: tuple[Fit, ...] = ()


@dataclass(frozen=True)
class Warn:
    """Something the reader must know before any figure.

    Attributes
    ----------
    kind : str
        "another world" (the test months aren't like the training months), "drift", "gate", "promise", or "note".
    what : str
        One sentence.
    evidence : str
        The figures behind it.
    """

    kind: Literal["another world", "drift", "gate", "promise", "note"]
    what: str
    evidence: str = ""


@dataclass(frozen=True)
class ModelReport:
    """One model: its verdict, figures and pictures.

    Attributes
    ----------
    chosen : str
        What was chosen on the tuning slice, in words: "words + meaning, averaged".
    note : str
        What qualifies the verdict: "loses to the plain pipeline on macro-F1 (a warning, not a gate)".
    missing : dict
        Section name → why it isn't there.
    """

    name: ModelName
    verdict: Verdict
    tickets: int = 0
    metrics: tuple[Metric, ...] = ()
    note: str = ""
    chosen: str = ""
    calibration: Calibration | None = None
    risk_coverage: RiskCoverage | None = None
    gains: Gains | None = None
    waiting: Waiting | None = None
    out_of_scope: OutOfScope | None = None
    confusions: tuple[ConfusionPair, ...] | None = None
    level_confusion: LevelConfusion | None = None
    slices: Slices | None = None
    classes: tuple[ClassFigures, ...] | None = None
    words: tuple[ClassWords, ...] | None = None
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """Everything on the page.

    Attributes
    ----------
    settings : dict
        Setting, dotted ("topic.living") → its value, as text.
    missing : dict
        Name of a section that is None → why.
    """

    header: Header
    models: tuple[ModelReport, ...]
    warnings: tuple[Warn, ...] = ()
    promise: Promise | None = None
    routing: tuple[Queue, ...] | None = None
    articles: Articles | None = None
    replies: Replies | None = None
    inner: tuple[Inner, ...] = ()
    gaps: Gaps | None = None
    stale: Stale | None = None
    taxonomy: Taxonomy | None = None
    audit: Audit | None = None
    drift: tuple[Drift, ...] | None = None
    data: DataNotes | None = None
    settings: Mapping[str, str] | None = None
    reproduction: Reproduction | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
