"""params.yaml → frozen settings; an unknown key is an error that names the nearest right one.

Each section is a room or a model. Defaults stand here; `params.yaml` in the project's root shows every one of them
with a comment, and a test holds the two together.
"""

from __future__ import annotations

import dataclasses
import datetime
import difflib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from pipeline.errors import ConfigError


@dataclass(frozen=True)
class Tickets:
    """How raw text becomes clean text."""

    max_characters: int = 1_000_000
    languages: tuple[str, ...] = (
        "en", "de", "fr", "es", "pt", "it", "nl", "pl", "cs", "hu", "tr", "fi", "sl", "sv", "da",
    )  # fmt: skip


@dataclass(frozen=True)
class History:
    """Who is the same customer across channels."""

    shared: tuple[str, ...] = ()
    max_accounts_per_key: int = 3
    unlink: tuple[str, ...] = ()


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
    layers: tuple[int, ...] = (1, 3)
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
    promise: Promise = field(default_factory=Promise)
    routing: Routing = field(default_factory=Routing)
    ordering: Ordering = field(default_factory=Ordering)
    gates: Gates = field(default_factory=Gates)
    explain: Explain = field(default_factory=Explain)
    tracking: Tracking = field(default_factory=Tracking)


def load_params(path: Path | None = None) -> Params:
    """Settings from a YAML file; the defaults without one.

    Raises
    ------
    ConfigError
        For a file that can't be read, an unknown key (the nearest right one is named), or a value of the wrong kind.
    """
    if path is None:
        return Params()
    if not path.is_file():
        raise ConfigError("the settings aren't there", where=str(path), got="no such file", do="check the path")
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        got = str(error) if type(error) is ValueError else type(error).__name__  # such as a date that can't be
        raise ConfigError("the settings can't be read", where=str(path), got=got, do="check the YAML") from error
    if raw is None:
        return Params()
    return checked(typing.cast(Params, build(Params, raw, where=path.name)), where=path.name)


_RANGES: dict[str, tuple[float, float]] = {
    "split.tune_share": (0.01, 0.45),
    "split.calibrate_share": (0.01, 0.45),
    "split.folds": (2, 20),
    "split.near_duplicate_similarity": (0.1, 1.0),
    "promise.max_error": (0.0001, 0.9999),
    "promise.error_ratio": (0.0001, 1.0),
    "promise.certainty": (0.5, 0.9999),
    "gates.certainty": (0.5, 0.9999),
    "ordering.escalation": (0, 1e9),
    "ordering.sla_missed": (0, 1e9),
    "ordering.horizon_hours": (0.01, 10_000),
    "topic.min_examples": (1, 1_000_000),
    "topic.shown_candidates": (1, 1_000),
    "features.min_documents": (1, 1_000_000),
    "features.max_terms": (1, 100_000_000),
    "encoder.batch_size": (1, 100_000),
    "encoder.max_tokens": (1, 1_000_000),
    "tickets.max_characters": (1, 1_000_000_000),
    "history.max_accounts_per_key": (1, 1_000_000),
}

_CHOICES: dict[str, tuple[str, ...]] = {
    "topic.candidates": ("words", "meaning", "kernel", "both", "average"),
    "priority.candidates": ("words", "meaning", "both"),
    "escalation.candidates": ("words", "text", "table", "mostly_text", "both", "mostly_table"),
}


def checked(params: Params, *, where: str = "params.yaml") -> Params:
    """The same settings, once every number lies in its range and every candidate is known.

    Raises
    ------
    ConfigError
        Naming the setting and what it may be.
    """
    for name, (low, high) in _RANGES.items():
        section, key = name.split(".")
        value = getattr(getattr(params, section), key)
        if value is not None and not low <= value <= high:
            raise ConfigError(
                "a setting out of its range", where=f"{where}: {name}", got=str(value), do=f"{low:g} … {high:g}"
            )
    if any(c <= 0 for c in params.topic.regularisation):
        got = str(min(params.topic.regularisation))
        raise ConfigError("a setting out of its range", where=f"{where}: topic.regularisation", got=got, do="above 0")
    for level, cost in params.ordering.wait.items():
        if not 0 <= cost <= 1e9:
            at = f"{where}: ordering.wait: {level}"
            raise ConfigError("a setting out of its range", where=at, got=str(cost), do="0 … 1e+09")
    if not params.encoder.layers or min(params.encoder.layers) < 1:
        got = str(list(params.encoder.layers))
        raise ConfigError("no layer of an encoder", where=f"{where}: encoder.layers", got=got, do="[1] is the last")
    for name, known in _CHOICES.items():
        section, key = name.split(".")
        given = getattr(getattr(params, section), key)
        odd = [c for c in given if c not in known]
        if odd or not set(given) - {"average"}:
            got = odd[0] if odd else "none that can be fitted"
            raise ConfigError(
                "a candidate that isn't known", where=f"{where}: {name}", got=got, do=f"some of {', '.join(known)}"
            )
    return params


def as_dict(settings: Any) -> dict[str, Any]:
    """Settings as plain JSON values: for manifests, hashes and tracking."""
    return typing.cast(dict[str, Any], _plain(dataclasses.asdict(settings)))


def nearest(name: str, known: typing.Iterable[str], count: int = 3) -> list[str]:
    """The known names that look most like `name`, best first."""
    return difflib.get_close_matches(name, list(known), n=count, cutoff=0.4)


def build(kind: Any, raw: Any, *, where: str) -> Any:
    """Build a frozen dataclass from plain YAML values, checking every key and value on the way."""
    if not isinstance(raw, dict):
        raise ConfigError(
            "expected a section of settings", where=where, got=type(raw).__name__, do="write `key: value` lines"
        )
    hints = typing.get_type_hints(kind)
    known = {f.name: f for f in dataclasses.fields(kind)}
    values: dict[str, Any] = {}
    for key, value in raw.items():
        if key not in known:
            near = nearest(str(key), known)
            raise ConfigError(
                f"unknown setting {str(key)!r}",
                where=where,
                got=str(key),
                do=f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}",
            )
        values[key] = _convert(hints[key], value, where=f"{where}: {key}")
    missing = [
        n
        for n, f in known.items()
        if n not in values and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ConfigError(f"setting {missing[0]!r} is missing", where=where, do="write it")
    return kind(**values)


def _convert(hint: Any, value: Any, *, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return build(hint, value if value is not None else {}, where=where)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin is Literal:
        if value not in args:
            raise ConfigError(
                "a value that isn't among the choices",
                where=where,
                got=repr(value),
                do=f"one of {', '.join(map(str, args))}",
            )
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return _convert(next(a for a in args if a is not type(None)), value, where=where)
    if origin is tuple:
        return _sequence(args, value, where=where)
    if origin is dict:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise ConfigError(
                "expected `key: value` lines", where=where, got=type(value).__name__, do="see params.yaml"
            )
        return {str(k): _convert(args[1], v, where=f"{where}: {k}") for k, v in value.items()}
    return _scalar(hint, value, where=where)


def _sequence(args: tuple[Any, ...], value: Any, *, where: str) -> tuple[Any, ...]:
    items = [value] if isinstance(value, (str, int, float)) else value
    if not isinstance(items, list | tuple):
        raise ConfigError("expected a list", where=where, got=type(value).__name__, do="write [a, b]")
    if args[-1] is not Ellipsis and len(items) != len(args):
        raise ConfigError(f"expected {len(args)} values", where=where, got=str(len(items)), do="write [first, last]")
    hints = [args[0]] * len(items) if args[-1] is Ellipsis else list(args)
    return tuple(_convert(h, v, where=where) for h, v in zip(hints, items, strict=True))


def _scalar(hint: Any, value: Any, *, where: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is str and isinstance(value, (int, float, datetime.date)) and not isinstance(value, bool):
        return str(value)
    if hint is not Any and (not isinstance(value, hint) or (hint is not bool and isinstance(value, bool))):
        raise ConfigError(f"expected {hint.__name__}", where=where, got=repr(value), do="see params.yaml")
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value
