"""From YAML to settings: every key and value is checked, and an unknown key is an error that names the nearest one."""

from __future__ import annotations

import dataclasses
import datetime
import difflib
import re
import types
import typing
from pathlib import Path
from typing import Any, Literal

import yaml

from pipeline.config.sections import Params
from pipeline.errors import ConfigError


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
    "escalation.capacity": (0.001, 1.0),
    "promise.error_ratio": (0.0001, 1.0),
    "promise.certainty": (0.5, 0.9999),
    "gates.certainty": (0.5, 0.9999),
    "ordering.escalation": (0, 1e9),
    "ordering.sla_missed": (0, 1e9),
    "ordering.horizon_hours": (0.01, 10_000),
    "rescore.risk_step": (0.001, 1),
    "rescore.risk_band": (0, 0.5),
    "articles.shown": (1, 100),
    "ledger.keep_tickets_days": (0, 36_500),
    "ledger.held_out_share": (0, 0.5),
    "ledger.correction_weight": (0.1, 100),
    "articles.lost": (0, 0.9),
    "articles.passage_words": (10, 1_000),
    "articles.max_citations": (0, 1_000_000),
    "articles.max_uncovered": (0, 1_000_000),
    "topic.min_examples": (1, 1_000_000),
    "topic.shown_candidates": (1, 1_000),
    "features.min_documents": (1, 1_000_000),
    "features.max_terms": (1, 100_000_000),
    "encoder.batch_size": (1, 100_000),
    "encoder.max_tokens": (1, 1_000_000),
    "tickets.max_characters": (1, 1_000_000_000),
    "tickets.read_characters": (100, 1_000_000_000),
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
    for risk in params.rescore.risk_lines:
        if not 0 < risk < 1:
            at = f"{where}: rescore.risk_lines"
            raise ConfigError("a setting out of its range", where=at, got=str(risk), do="between 0 and 1")
    for level, cost in params.ordering.wait.items():
        if not 0 <= cost <= 1e9:
            at = f"{where}: ordering.wait: {level}"
            raise ConfigError("a setting out of its range", where=at, got=str(cost), do="0 … 1e+09")
    if not params.encoder.layers or min(params.encoder.layers) < 1:
        got = str(list(params.encoder.layers))
        raise ConfigError("no layer of an encoder", where=f"{where}: encoder.layers", got=got, do="[1] is the last")
    reason = params.history.contact_reason
    if reason not in (None, "queue") and not re.fullmatch(r"fields\..+", str(reason)):
        do = "write fields.NAME for a field of the tickets, or queue for their first queue"
        raise ConfigError("no contact reason", where=f"{where}: history.contact_reason", got=str(reason), do=do)
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
