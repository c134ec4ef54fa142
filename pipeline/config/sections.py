"""The sections of params.yaml as frozen values; each is a room or a model, and each default stands here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Tickets:
    """How raw text becomes clean text."""

    max_characters: int = 1_000_000
    read_characters: int = 20_000
    languages: tuple[str, ...] = (
        "en", "de", "fr", "es", "pt", "it", "nl", "pl", "cs", "hu", "tr", "fi", "sl", "sv", "da",
    )  # fmt: skip


@dataclass(frozen=True)
class History:
    """Who is the same customer across channels, and what their tickets are about."""

    shared: tuple[str, ...] = ()
    max_accounts_per_key: int = 3
    unlink: tuple[str, ...] = ()
    contact_reason: str | None = None


@dataclass(frozen=True)
class Sla:
    """When the desk is open, what it has promised, and when the clock stands still."""

    timezone: str = "UTC"
    hours: dict[str, tuple[str, ...]] = field(default_factory=dict)
    holidays: tuple[str, ...] = ()
    first_response: dict[str, str] = field(default_factory=dict)
    resolution: dict[str, str] = field(default_factory=dict)
    paused: tuple[Literal["new", "open", "pending", "on_hold", "resolved", "closed"], ...] = ("pending", "on_hold")


@dataclass(frozen=True)
class Encoder:
    """Which sentence encoder, and how it runs."""

    name: str = "minilm"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    max_tokens: int = 256
    layers: tuple[int, ...] = (1,)
    batch_size: int = 64
    cache: str = ".cache/embeddings"


@dataclass(frozen=True)
class Split:
    """Which rows choose settings, which calibrate, and what counts as the same text."""

    tune_share: float = 0.15
    calibrate_share: float = 0.15
    folds: int = 4
    near_duplicate_similarity: float = 0.9


@dataclass(frozen=True)
class Features:
    """The numeric blocks that models may choose among."""

    word_ngrams: tuple[int, int] = (1, 2)
    character_ngrams: tuple[int, int] = (2, 5)
    min_documents: int = 2
    max_terms: int = 300_000
    rare_field_values: int = 5
    give_away: Literal["leave_out", "keep"] = "leave_out"


@dataclass(frozen=True)
class Topic:
    """The topic model (a learned queue uses the same settings)."""

    candidates: tuple[str, ...] = ("words", "meaning", "kernel", "both", "average")
    regularisation: tuple[float, ...] = (0.1, 0.3, 1.0)
    min_examples: int = 3
    descriptions: dict[str, str] = field(default_factory=dict)
    living: Literal["find", "all"] = "find"
    shown_candidates: int = 5


@dataclass(frozen=True)
class Priority:
    """The priority model."""

    candidates: tuple[str, ...] = ("words", "meaning", "both")
    decision: Literal["choose", "likeliest", "median", "mixed"] = "choose"


@dataclass(frozen=True)
class Escalation:
    """The escalation-risk model."""

    candidates: tuple[str, ...] = ("words", "text", "table", "mostly_text", "both", "mostly_table")
    capacity: float = 0.1


@dataclass(frozen=True)
class Articles:
    """Which articles are suggested."""

    shown: int = 3
    lost: float = 0.02
    passage_words: int = 90
    max_citations: int = 5_000
    max_uncovered: int = 10_000
    reply: float = 0.6
    max_answers: int = 10_000
    auto_answer: float | None = 0.9
    product: str | None = None


@dataclass(frozen=True)
class Promise:
    """At most this share wrong among the tickets that the machine routes."""

    max_error: float | None = 0.1
    error_ratio: float | None = None
    per: Literal["all", "queue"] = "all"
    certainty: float = 0.95


@dataclass(frozen=True)
class Rule:
    """One routing rule: all conditions that are set must hold."""

    name: str
    queue: str
    when: Literal["before", "after"] = "before"
    keywords: tuple[str, ...] = ()
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    customers: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Routing:
    """Where a ticket goes."""

    triage_queue: str = "triage"
    queues: dict[str, str] = field(default_factory=dict)
    known_queues: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()


def _any_level() -> dict[str, float]:
    return {"*": 1.0}


@dataclass(frozen=True)
class Ordering:
    """What waiting costs: the order in which open tickets are taken. Costs are in any one unit."""

    wait: dict[str, float] = field(default_factory=_any_level)
    escalation: float = 20.0
    sla_missed: float = 10.0
    horizon_hours: float = 24.0


@dataclass(frozen=True)
class Rescore:
    """Which changes of an open ticket's scores are worth telling."""

    risk_step: float = 0.1
    risk_lines: tuple[float, ...] = (0.5,)
    risk_band: float = 0.02
    labels: bool = True
    machines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gates:
    """The least quality that may go into service."""

    enabled: bool = True
    certainty: float = 0.95
    replace_margin: float = 0.01
    min_compared: int = 200


@dataclass(frozen=True)
class Explain:
    """What an explanation carries."""

    words: int = 6
    neighbours: int = 3
    max_neighbours_kept: int = 20_000


@dataclass(frozen=True)
class Ledger:
    """What is kept of decisions, and how what people said of them is learned."""

    keep_tickets_days: int = 90
    held_out_share: float = 0.05
    correction_weight: float = 2.0


@dataclass(frozen=True)
class Tracking:
    """Where MLflow keeps runs; null: no tracking."""

    uri: str | None = "sqlite:///mlflow.db"
    experiment: str = "triage"


@dataclass(frozen=True)
class Params:
    """All settings; one attribute a section."""

    seed: int = 0
    outcomes: dict[str, Any] = field(default_factory=dict)
    tickets: Tickets = field(default_factory=Tickets)
    history: History = field(default_factory=History)
    sla: Sla = field(default_factory=Sla)
    encoder: Encoder = field(default_factory=Encoder)
    split: Split = field(default_factory=Split)
    features: Features = field(default_factory=Features)
    topic: Topic = field(default_factory=Topic)
    priority: Priority = field(default_factory=Priority)
    escalation: Escalation = field(default_factory=Escalation)
    articles: Articles = field(default_factory=Articles)
    promise: Promise = field(default_factory=Promise)
    routing: Routing = field(default_factory=Routing)
    ordering: Ordering = field(default_factory=Ordering)
    rescore: Rescore = field(default_factory=Rescore)
    gates: Gates = field(default_factory=Gates)
    explain: Explain = field(default_factory=Explain)
    ledger: Ledger = field(default_factory=Ledger)
    tracking: Tracking = field(default_factory=Tracking)
