"""What a report says beside its figures: input drift, another world, settings, and how to get the same again."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

import pipeline
from pipeline import artifact, config
from pipeline.config import Params
from pipeline.features import drift
from pipeline.pages.findings import Drift, Queue, Reproduction
from pipeline.pages.formats import metric_words
from pipeline.pages.report import ModelReport, Warn
from pipeline.scorer import library_versions
from pipeline.training.baselines import PLAIN
from pipeline.training.judge import LOSES, NO_BETTER, beaten
from pipeline.training.looked import MODEL_NAMES
from pipeline.training.world import World

DRIFT_NAMES = {
    "language": "language",
    "channel": "channel",
    "text_length": "text length",
    "topic": "predicted topic",
    "queue": "queue",
    "topic_confidence": "confidence of the topic",
    "escalation_risk": "risk of escalation",
}
STATISTIC = "divergence, bits"


def drifts(reference: Mapping[str, Any], tickets: pd.DataFrame, scored: pd.DataFrame) -> tuple[Drift, ...] | None:
    """How far each part of the input and of the answers moved since training; None without a reference."""
    if not reference.get("rows"):
        return None
    now = drift.summarise(tickets, scored)
    found = []
    for name, bits in drift.distance(dict(reference), now).items():
        bins = len(reference["counts"][name].keys() | now["counts"].get(name, {}).keys())
        chance = drift.chance(bins, int(now["rows"]), int(reference["rows"]))
        found.append(Drift(DRIFT_NAMES.get(name, name), STATISTIC, bits, max(drift.MOVED_BITS, chance)))
    return tuple(found)


def drift_warnings(found: Iterable[Drift] | None) -> list[Warn]:
    """One warning that names everything that moved."""
    moved = [d for d in found or () if d.value > d.worry_above]
    if not moved:
        return []
    evidence = "; ".join(f"{d.what} {d.value:.3f} bits, worry above {d.worry_above:.3f}" for d in moved[:5])
    more = f" and {len(moved) - 5} more" if len(moved) > 5 else ""
    names = ", ".join(d.what for d in moved[:5])
    return [Warn("drift", f"The input moved since training: {names}{more}.", evidence)]


def world_warnings(worlds: Mapping[str, World], later: str, earlier: str) -> tuple[Warn, ...]:
    """One warning for each outcome whose later labels come from another world."""
    return tuple(
        Warn("another world", f"{MODEL_NAMES[t].capitalize()}: {later} are another world than {earlier}.", w.words)
        for t, w in worlds.items()
        if w.another
    )


def withdrawn_because(worlds: Mapping[str, World], later: str, earlier: str) -> str:
    """Why the promise is withdrawn; "" where it stands."""
    changed = [MODEL_NAMES[t] for t, w in worlds.items() if w.another]
    return f"in {' and '.join(changed)}, {later} are another world than {earlier}" if changed else ""


def model_warnings(models: Iterable[ModelReport]) -> list[Warn]:
    """Models that stay out of service, and those that a simple rival beats on these tickets."""
    found = []
    for model in models:
        name = model.name.capitalize()
        deciding = [m for m in model.metrics if m.decides]
        mine = [(m.name, m.scorer.value) for m in deciding]
        figures = ", ".join(f"{metric_words(m)} {v:.3f}" for m, v in mine if v is not None)
        if model.verdict == NO_BETTER:
            found.append(Warn("gate", f"{name} stays out of service.", model.note))
        elif beaten(model):
            found.append(Warn("gate", f"On these tickets {model.name} is no better than the majority.", figures))
        elif LOSES in model.note:
            known = [(m.name, b.estimate.value) for m in deciding for b in m.baselines if b.name == PLAIN]
            plain = ", ".join(f"{metric_words(m)} {v:.3f}" for m, v in known if v is not None)
            found.append(Warn("note", f"{name} loses to the plain pipeline.", f"{figures}; plain pipeline: {plain}"))
    return found


def why_none(about: Mapping[str, Any]) -> str:
    """Why a model isn't in service, without the verdict that stands beside it."""
    return str(about.get("why_none", "")).removeprefix(f"{NO_BETTER}: ")


def chosen_words(chosen: Mapping[str, str]) -> str:
    """What the tuning slice chose: the candidate, how the past is weighed, and what else has a say in it."""
    name = chosen.get("candidate", chosen.get("view", ""))
    more = [f"balance {chosen['balance']}"] if chosen.get("balance", "0") != "0" else []
    more += [chosen["past"]] if "past" in chosen else []
    more += [f"{key} {chosen[key]}" for key in ("C", "decision") if key in chosen]
    return "; ".join(filter(None, [name.replace("_", " "), *more]))


def queues(scored: pd.DataFrame) -> tuple[Queue, ...]:
    """Where tickets went, and by whose decision; the largest first."""
    counts = scored.groupby(["queue", "queue_reason"], dropna=False).size().reset_index(name="n")
    rows = [
        Queue(str(q), str(r), int(n))
        for q, r, n in zip(counts["queue"], counts["queue_reason"], counts["n"], strict=True)
    ]
    return tuple(sorted(rows, key=lambda q: (-q.n, q.queue, q.reason)))


def settings_of(params: Params) -> dict[str, str]:
    """Every setting under its dotted name, as text."""
    return dict(_flat(config.as_dict(params), ""))


def reproduction(params: Params, commands: tuple[str, ...], *, folders: Iterable[Path] = ()) -> Reproduction:
    """Versions, seed, commands, and the hashes of the scorer's and the data's files where they are at hand."""
    versions = {"triage": pipeline.__version__, "python": platform.python_version()} | library_versions()
    return Reproduction(commands, hashes_of(folders), versions | {"pandas": pd.__version__}, params.seed)


def hashes_of(folders: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of each scorer folder's manifest, and of each Parquet file elsewhere."""
    found: dict[str, str] = {}
    for folder in folders:
        manifest = folder / artifact.MANIFEST
        files = [manifest] if manifest.is_file() else sorted(folder.glob("*.parquet"))
        found |= {f"{folder.name}/{f.name}": hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
    return found


def _flat(value: Any, name: str) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        plain = all(isinstance(v, str | int | float) for v in value)
        yield name, ", ".join(map(str, value)) if plain else json.dumps(value, ensure_ascii=False)
    else:
        yield name, "" if value is None else (json.dumps(value) if isinstance(value, dict | bool) else str(value))
