"""Stage train: one model from prepared and featurized rows, with its gate, or the reason why there is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipeline import artifact
from pipeline.artifact import State
from pipeline.config import Params
from pipeline.errors import InputError
from pipeline.history.log import moments
from pipeline.training import escalations, priorities, replies, suggestions, topics
from pipeline.training.corrections import weights_of
from pipeline.training.featurize import Featurized
from pipeline.training.fits import Task
from pipeline.training.gates import Verdict, classes_gate, levels_gate, risk_gate
from pipeline.training.labels import LABEL_PREFIX
from pipeline.training.living import find, renamed
from pipeline.training.prepare import Prepared, cut_of, described_rows, known_moments, known_rows
from pipeline.training.split import Plan, plan
from pipeline.training.suggestions import words

Target = Literal["topic", "queue", "priority", "escalated", "article"]
Say = Callable[[str], None]

FEWEST_ROWS = 40
"""With fewer labelled rows there is nothing to split."""

ALL_REPEATS = "all texts repeat those learned from, so there is nothing to judge a model by"


@dataclass(frozen=True)
class Trained:
    """One model, its inner predictions, and what is to be said of it.

    Attributes
    ----------
    target : str
        The outcome that it predicts.
    parts : dict
        Stored parts of the model; empty where there is none.
    inner : dict of ndarray
        `rows`, `truth`, `probabilities` and (of topics) `support` on inner rows; the same as `outside_…` for
        out-of-scope ones; `trained`: rows of the final fit.
    about : dict
        `classes`, `chosen`, `tried`, `gate`, `living`, `dated`, `left_out`, `why_none`.
    """

    target: str
    parts: dict[str, State]
    inner: dict[str, np.ndarray] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the model may go into service."""
        return bool(self.parts) and bool(self.about["gate"]["passed"])

    def save(self, folder: Path) -> None:
        """Write an artifact folder."""
        artifact.write(
            folder,
            self.parts | {"inner": dict(self.inner)},
            {"target": self.target, "names": sorted(self.parts)} | self.about,
        )

    @classmethod
    def load(cls, folder: Path) -> Trained:
        """Read what `save` wrote."""
        parts, about, _ = artifact.read(folder)
        return cls(about["target"], {n: parts[n] for n in about["names"]}, parts["inner"], about)


def train(target: Target, prepared: Prepared, featurized: Featurized, params: Params, *, say: Say = print) -> Trained:
    """Fit one model.

    Returns
    -------
    Trained
        Without parts where the history has too little of the outcome: `about["why_none"]` says why.
    """
    if target == "article":
        return _articles(prepared, featurized, params, say)
    if target not in prepared.about["targets"]:
        return Trained(target, {}, about={"why_none": "the history has no such outcome"})
    rows, outside = known_rows(prepared.frame, target)
    labels = prepared.frame[LABEL_PREFIX + target].astype(object).to_numpy()
    if len(rows) < FEWEST_ROWS:
        return _none(target, f"only {len(rows)} tickets have this outcome; {FEWEST_ROWS} are needed")
    if len(set(labels[rows])) < 2:
        return _none(target, f"all {len(rows)} tickets have the same value")
    say(f"{target}: {len(rows):,} labelled tickets")
    if target == "priority":
        return _priority(prepared, featurized, params, rows, labels, say)
    if target == "escalated":
        return _escalation(prepared, featurized, params, rows, labels, say)
    return _topic(target, prepared, featurized, params, rows, labels, outside, say)


def _topic(
    target: str,
    prepared: Prepared,
    featurized: Featurized,
    params: Params,
    rows: np.ndarray,
    labels: np.ndarray,
    outside: np.ndarray,
    say: Say,
) -> Trained:
    dated = prepared.about["dated"]
    settings = params.topic if target == "topic" else replace(params.topic, descriptions={})
    living, present = topics.living_rows(rows, labels, settings, dated=dated)
    alive = np.isin(labels[present].astype(str), living.alive)
    if len(living.alive) < 2:
        return _none(target, f"{len(living.alive)} label(s) with enough tickets: at least two are needed")
    if alive.sum() < FEWEST_ROWS:
        return _none(target, f"only {alive.sum()} tickets have a living label; {FEWEST_ROWS} are needed")
    say(f"{target}: {living.note} {len(living.alive)} living labels.")
    older = np.setdiff1d(rows[np.isin(labels[rows].astype(str), living.alive)], present, assume_unique=True)
    older = older[-len(present) :]  # more of the past than of the present could only drown it
    splits = _plan(featurized, params, present, dated)
    if not splits.looks:
        return _none(target, ALL_REPEATS)
    blocks = featurized.without(prepared.about["left_out_fields"].get(target, []))
    task = Task(
        blocks,
        labels,
        [featurized.builder.fields.names.index(n) for n in featurized.builder.fields.one_hot_fields()],
        outside if target == "topic" else outside[:0],
        described_rows(prepared.frame) if target == "topic" else outside[:0],
        params.topic,
        params.seed,
        say,
        weights_of(prepared.frame, target),
    )
    made = topics.make(task, present, older if dated else older[:0], living, splits)
    guess = made.inner.probabilities.argmax(axis=1)
    gate = classes_gate(made.inner.truth, guess, len(living.alive), params.gates, params.seed)
    say(f"{target}: {gate.words}")
    inner = {
        "rows": made.inner.rows,
        "truth": made.inner.truth,
        "probabilities": made.inner.probabilities,
        "support": made.inner.support,
        "trained": made.trained,
    }
    if made.outside is not None:
        inner |= {
            "outside_rows": made.outside.rows,
            "outside_probabilities": made.outside.probabilities,
            "outside_support": made.outside.support,
        }
    about = _about(gate, made.chosen, made.tried, splits) | {
        "classes": list(living.alive),
        "living": {"start": living.start, "dead": living.dead, "note": living.note},
        "first_row": int(present[0]),
        "renamed": _renamed(made, blocks, rows, labels, living.dead) if dated else {},
        "counts": _counts(labels[made.trained]),
    }
    return Trained(target, made.model.states(target), inner, about)


def _priority(
    prepared: Prepared, featurized: Featurized, params: Params, rows: np.ndarray, labels: np.ndarray, say: Say
) -> Trained:
    levels = tuple(prepared.about["levels"])
    place = {level: i for i, level in enumerate(levels)}
    codes = np.array([place.get(str(v), -1) for v in labels])
    rows = rows[codes[rows] >= 0]
    counts = _counts(labels[rows])  # of all the past: what later months are held against
    if prepared.about["dated"] and params.topic.living == "find":
        found = find(labels[rows].astype(str), fewest=1)
        rows = rows[found.start :]  # a default level that moved is another way of filing: only the present is learned
        if found.start:
            say(f"priority: {found.note}")
    blocks = featurized.without(prepared.about["left_out_fields"].get("priority", []))
    splits = _plan(featurized, params, rows, prepared.about["dated"])
    if not splits.looks:
        return _none("priority", ALL_REPEATS)
    made = priorities.make(
        blocks, codes, rows, splits, levels=levels, settings=params.priority, seed=params.seed, say=say,
        weights=weights_of(prepared.frame, "priority"),
    )  # fmt: skip
    gate = levels_gate(made.inner.truth, made.model.decide(made.inner.probabilities), params.gates, params.seed)
    say(f"priority: {gate.words}")
    inner = {
        "rows": made.inner.rows,
        "truth": made.inner.truth,
        "probabilities": made.inner.probabilities,
        "trained": made.trained,
    }
    about = _about(gate, made.chosen, made.tried, splits) | {"classes": list(levels), "counts": counts}
    return Trained("priority", {"priority": made.model.state()}, inner, about)


def _escalation(
    prepared: Prepared, featurized: Featurized, params: Params, rows: np.ndarray, labels: np.ndarray, say: Say
) -> Trained:
    outcome = (labels == "1").astype(int)
    blocks = featurized.without(prepared.about["left_out_fields"].get("escalated", []))
    dated = prepared.about["dated"]
    splits = _plan(featurized, params, rows, dated)
    if not splits.looks:
        return _none("escalated", ALL_REPEATS)
    times = None
    if dated:
        known = known_moments(prepared.frame, "escalated")
        created = moments(prepared.frame["created_at"])
        times = escalations.Times(created, np.maximum(known, created), cut_of(prepared))
    made = escalations.make(
        blocks, outcome, rows, splits, times=times, seen=_seen(featurized), settings=params.escalation,
        seed=params.seed, say=say,
    )  # fmt: skip
    gate = risk_gate(made.inner.truth, made.inner.probabilities[:, 1], params.gates, params.seed)
    say(f"escalation: {gate.words}")
    inner = {
        "rows": made.inner.rows,
        "truth": made.inner.truth,
        "probabilities": made.inner.probabilities,
        "trained": made.trained,
    }
    if made.course is not None:
        inner |= {f"course_{name}": values for name, values in vars(made.course).items()}
    about = _about(gate, made.chosen, made.tried, splits) | {"classes": ["0", "1"], "counts": _counts(labels[rows])}
    return Trained("escalated", {"escalation": made.model.state()}, inner, about)


def _articles(prepared: Prepared, featurized: Featurized, params: Params, say: Say) -> Trained:
    """What may answer a ticket: articles, and replies that answered earlier ones; each by its own gate."""
    parts: dict[str, State] = {}
    about: dict[str, Any] = {"figures": {}}
    trained, said = np.zeros(0, dtype=np.int64), []
    if len(prepared.articles):
        made = suggestions.make(prepared, featurized, params, say=say)
        said.append(f"articles: {made.gate.words if made.gate else made.note}")
        if made.figures:
            said.append(f"articles: on the latest {made.figures['tickets']:.0f} tickets {words(made.figures)}")
        trained, about["figures"] = made.trained, made.figures
        if made.gate is None or made.gate.passed:
            parts["articles"] = made.model.state()
    else:
        said.append("articles: there are no articles")
    answered = replies.make(prepared, featurized, params, say=say)
    said.append(answered.note)
    if answered.figures:
        said.append(f"replies: on the latest tickets {words(answered.figures)}")
    if answered.model is not None:
        parts["replies"] = answered.model.state()
    for line in said:
        say(line)
    gate = {"passed": bool(parts), "words": said[0]}
    about |= {"replies": answered.figures, "gate": gate, "why_none": "" if parts else "; ".join(said)}
    about["notes"] = {"articles": said[0], "replies": answered.note}
    return Trained("article", parts, {"trained": trained}, about)


def _seen(featurized: Featurized) -> escalations.Seen | None:
    as_of = featurized.builder.as_of
    if as_of is None or featurized.snapshots is None:
        return None
    return escalations.Seen(featurized.snapshots, as_of.names)


def _plan(featurized: Featurized, params: Params, rows: np.ndarray, dated: bool) -> Plan:
    return plan(rows, featurized.groups[rows], featurized.order[rows], params.split, dated=dated)


def _about(gate: Verdict, chosen: dict[str, str], tried: list[dict[str, float | str]], splits: Plan) -> dict[str, Any]:
    return {
        "gate": asdict(gate) | {"words": gate.words},
        "chosen": chosen,
        "tried": json.loads(json.dumps(tried)),
        "dated": splits.dated,
        "near_duplicates_left_out": splits.left_out,
        "why_none": "" if gate.passed else gate.words,
    }


def _renamed(
    made: topics.Made, blocks: Any, rows: np.ndarray, labels: np.ndarray, dead: dict[str, str]
) -> dict[str, str]:
    """What the present model would call tickets of dead labels; a few hundred of each are enough to tell."""
    gone = [k for k, why in dead.items() if why.startswith(("gone", "not among"))]
    some = [rows[labels[rows] == label][-300:] for label in gone]
    if not some:
        return {}
    old = np.concatenate(some)
    guess = made.model.probabilities(blocks.take(old)).argmax(axis=1)
    return renamed(labels[old].astype(str), np.array(made.model.classes)[guess])


def _counts(labels: np.ndarray) -> dict[str, int]:
    values, counts = np.unique(labels.astype(str), return_counts=True)
    return {str(v): int(c) for v, c in zip(values, counts, strict=True)}


def _none(target: str, why: str) -> Trained:
    return Trained(target, {}, about={"why_none": why})


def without_articles(trained: dict[str, Trained]) -> dict[str, Trained]:
    """The models that say something of a ticket by itself."""
    return {target: model for target, model in trained.items() if target != "article"}


def load_all(folders: list[Path]) -> dict[str, Trained]:
    """Trained models by target."""
    found = [Trained.load(f) for f in folders if (f / artifact.MANIFEST).is_file()]
    if not found:
        raise InputError("no trained model here", where=", ".join(map(str, folders)), do="run `triage train` first")
    return {t.target: t for t in found}
