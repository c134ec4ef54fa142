"""Settings and figures under names, and in sizes, that MLflow takes: pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

NAME_LENGTH = 250
"""Longest name of a parameter, metric or tag (MLflow's limit)."""

PARAM_LENGTH = 6_000
"""Longest value of a parameter (MLflow's limit)."""

MAX_METRICS = 1_000
"""Most metrics of a run: those nearest to the top of metrics.json; the file itself is kept whole beside them."""

_UNSAFE = re.compile(r"[^\w.\- ]")
_NAMING_KEYS = ("name", "metric", "label")
_VALUE_KEY = "value"


def params_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """`section.setting` → its value: text as it is, all else as JSON; without `tracking`: addresses hold passwords.

    >>> params_of({"seed": 0, "topic": {"living": "find", "candidates": ["words", "both"]}})
    {'seed': '0', 'topic.living': 'find', 'topic.candidates': '["words", "both"]'}
    """
    flat: dict[str, str] = {}
    for section, value in settings.items():
        if section == "tracking":
            continue
        if isinstance(value, Mapping) and value and section != "outcomes":
            flat |= {f"{section}.{key}": _text(inner) for key, inner in value.items()}
        else:
            flat[section] = _text(value)
    return {safe_name(k): v for k, v in flat.items()}


def metrics_of(figures: Any) -> dict[str, float]:
    """Every finite number of nested figures, by a dotted name that MLflow takes.

    A list counts where its items are named (`{"name": …}`); bare lists are curves and don't. A `value` lends its number
    to what it is the value of. Names that become the same are numbered.

    >>> metrics_of({"topic": [{"name": "macro-F1 (all)", "value": 0.34, "low": 0.31}], "curve": [1, 2], "rows": 100})
    {'rows': 100.0, 'topic.macro-F1 _all_': 0.34, 'topic.macro-F1 _all_.low': 0.31}
    """
    found: dict[str, float] = {}
    ordered = sorted(_numbers(figures, ()), key=lambda item: (len(item[0]), item[0]))
    for path, number in ordered[:MAX_METRICS]:
        name = safe_name(".".join(path) or _VALUE_KEY)
        unique, count = name, 1
        while unique in found:
            count += 1
            unique = f"{name[: NAME_LENGTH - 8]}_{count}"
        found[unique] = number
    return found


def safe_name(name: str) -> str:
    """`name` with `_` for each character that MLflow refuses, cut to its limit."""
    safe = _UNSAFE.sub("_", name)[:NAME_LENGTH]
    return f"_{safe}" if not safe or safe.startswith("..") or safe == "." else safe


def _numbers(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], float]]:
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        if math.isfinite(value):
            yield path, float(value)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(inner, path if key == _VALUE_KEY else (*path, str(key)))
    elif isinstance(value, list | tuple):
        for item in value:
            if isinstance(item, Mapping) and (name := _name_of(item)):
                yield from _numbers(item, (*path, name))


def _name_of(item: Mapping[str, Any]) -> str:
    return next((str(item[key]) for key in _NAMING_KEYS if isinstance(item.get(key), str)), "")


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= PARAM_LENGTH else text[: PARAM_LENGTH - 1] + "…"
