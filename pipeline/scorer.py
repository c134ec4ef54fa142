"""The one artifact: parser, features, models, policy and thresholds behind one method."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline import artifact, config
from pipeline.artifact import State
from pipeline.config import Params
from pipeline.errors import IntegrityError, TriageError, VersionError
from pipeline.estimators.escalation import EscalationModel
from pipeline.estimators.explain import Neighbours, explain_priority, explain_risk, explain_topic
from pipeline.estimators.priority import PriorityModel
from pipeline.estimators.scope import Scope
from pipeline.estimators.topic import TopicModel
from pipeline.features.build import Blocks, FeatureBuilder
from pipeline.features.encoder import encoder_from_state
from pipeline.routing import RoutingPolicy
from pipeline.tickets import parse
from pipeline.tickets.schema import conform, schema_hash

FORMAT = 1
"""Raised when stored parts come to mean something else, so that an older scorer is refused and not misread."""

CHECKED_LIBRARIES = ("sklearn", "numpy")
"""Libraries whose major and minor version must be those that the scorer was trained with."""

_WORD = re.compile(r"[^\W_]")


@dataclass(frozen=True)
class Models:
    """What was trained; None where a model has no outcome or didn't pass its gate."""

    topic: TopicModel | None = None
    queue: TopicModel | None = None
    scope: Scope | None = None
    priority: PriorityModel | None = None
    escalation: EscalationModel | None = None


@dataclass(frozen=True)
class Scorer:
    """Scores tickets; the same object in training, evaluation and at every door.

    Attributes
    ----------
    settings : Params
        As it was trained.
    builder : FeatureBuilder
        Ticket → numbers.
    models : Models
        Topic, queue, scope, priority, escalation.
    policy : RoutingPolicy
        Thresholds and rules.
    neighbours : Neighbours
        Labelled tickets to be near to, for explanations.
    about : dict
        What the manifest says: versions, hashes, rows and dates of the training data, `has_text`, drift reference.
    version : str
        First 12 hexadecimal digits of the manifest's SHA-256; `unsaved` before it is saved.
    """

    settings: Params
    builder: FeatureBuilder
    models: Models
    policy: RoutingPolicy
    neighbours: Neighbours
    about: dict[str, Any] = field(default_factory=dict)
    version: str = "unsaved"

    @property
    def levels(self) -> tuple[str, ...]:
        """Priority levels, least urgent first; empty without a priority model."""
        return self.models.priority.levels if self.models.priority else ()

    @property
    def reference(self) -> dict[str, Any]:
        """What the training data looked like: `features.drift` holds today's input against it."""
        return dict(self.about.get("reference", {}))

    def score(self, tickets: pd.DataFrame, *, history: object | None = None, explain: bool = False) -> pd.DataFrame:
        """Score tickets: one row out for each row in, in the same order.

        Parameters
        ----------
        tickets : DataFrame, n rows
            By the schema: `ticket_id` and one of subject, body, `fields.*`; the rest may be absent or null.
        history : optional
            Dated facts; no model of this version looks at them.
        explain : bool
            Whether `explanation` is filled.

        Returns
        -------
        DataFrame, n rows
            The columns of `schema.SCORED`, the index of `tickets`.

        Raises
        ------
        InputError
            For a table that holds no tickets. A bad row never raises: it gets a code and the triage queue.
        """
        parsed = parse(tickets, self.settings.tickets)
        index, parsed = parsed.index, parsed.reset_index(drop=True)
        parsed["error"] = parsed["error"].astype(object).where(parsed["error"].notna(), None)
        good = np.flatnonzero(parsed["error"].isna())
        scored = self._frame(parsed)
        for rows, blocks in self._blocks(parsed, good):
            self._fill(scored, parsed, rows, blocks, explain)
        self._route(scored, parsed)
        scored.index = index
        return scored

    def score_batches(self, frames: Iterable[pd.DataFrame], *, explain: bool = False) -> Iterator[pd.DataFrame]:
        """Score frame after frame; memory holds one at a time."""
        for frame in frames:
            yield self.score(frame, explain=explain)

    def save(self, folder: Path, *, key: bytes | None = None) -> Scorer:
        """Write the folder, whole or not at all; returns this scorer with its version."""
        parts = self.builder.states()
        for name in ("topic", "queue"):
            if (model := getattr(self.models, name)) is not None:
                parts |= model.states(name)
        for name in ("scope", "priority", "escalation"):
            if (model := getattr(self.models, name)) is not None:
                parts[name] = model.state()
        parts["neighbours"] = self.neighbours.state()
        parts["policy"] = {
            "thresholds": _finite(self.policy.thresholds),
            "oos_threshold": _finite(self.policy.oos_threshold),
        }
        about = self.about | {
            "settings": config.as_dict(self.settings),
            "format": FORMAT,
            "schema": schema_hash(),
            "libraries": library_versions(),
            "encoder": self.builder.encoder.identity if self.builder.encoder else "none",
        }
        return Scorer(
            self.settings,
            self.builder,
            self.models,
            self.policy,
            self.neighbours,
            about,
            version=artifact.write(folder, parts, about, key=key),
        )

    @classmethod
    def load(cls, folder: Path, *, key: bytes | None = None) -> Scorer:
        """Read a folder that `save` wrote, after all its hashes and versions were checked.

        Raises
        ------
        ScorerError, IntegrityError, VersionError, EncoderError
            See `pipeline.errors`; nothing is opened before its hash was checked.
        """
        parts, about, version = artifact.read(folder, key=key, approve=_check_versions)
        try:
            return cls._assembled(parts, about, version)
        except TriageError:
            raise
        except Exception as error:  # a rewritten manifest can name any parts, and parts can hold anything
            raise IntegrityError(
                "the parts don't make a scorer", where=folder.name, got=type(error).__name__, do="train again"
            ) from error

    @classmethod
    def _assembled(cls, parts: dict[str, State], about: dict[str, Any], version: str) -> Scorer:
        settings = config.build(Params, about["settings"], where="manifest.json: settings")
        builder = FeatureBuilder.from_states(
            parts, encoder_from_state(parts["encoder"], settings.encoder), settings.features
        )
        models = Models(
            topic=TopicModel.from_states(parts, "topic") if "topic" in parts else None,
            queue=TopicModel.from_states(parts, "queue") if "queue" in parts else None,
            scope=Scope.from_state(parts["scope"]) if "scope" in parts else None,
            priority=PriorityModel.from_state(parts["priority"]) if "priority" in parts else None,
            escalation=EscalationModel.from_state(parts["escalation"]) if "escalation" in parts else None,
        )
        thresholds = {k: _number(v) for k, v in parts["policy"]["thresholds"].items()}
        policy = RoutingPolicy(settings.routing, thresholds, _number(parts["policy"]["oos_threshold"]))
        return cls(settings, builder, models, policy, Neighbours.from_state(parts["neighbours"]), about, version)

    def _frame(self, parsed: pd.DataFrame) -> pd.DataFrame:
        """All columns, with what is known without a model."""
        as_of = parsed["as_of"].fillna(parsed["created_at"]) if "as_of" in parsed else parsed["created_at"]
        seed = pd.DataFrame(
            {
                "ticket_id": parsed["ticket_id"],
                "as_of": as_of,
                "language": parsed["language"],
                "error": parsed["error"],
                "scorer_version": self.version,
            }
        )
        scored = conform(seed, "scored")
        for name in ("topic", "queue", "queue_reason", "priority", "summary", "error"):
            scored[name] = scored[name].astype(object).where(scored[name].notna(), None)
        return scored

    def _blocks(self, parsed: pd.DataFrame, rows: np.ndarray) -> Iterator[tuple[np.ndarray, Blocks]]:
        """Blocks of the good rows; if one row makes them fail, each row goes alone and the bad one gets a code."""
        if len(rows) == 0:
            return
        try:
            yield rows, self.builder.transform(parsed.iloc[rows])
        except (ValueError, ArithmeticError, IndexError, KeyError, TypeError, UnicodeError, RuntimeError):
            if len(rows) == 1:
                parsed.loc[rows, "error"] = "unscorable"
                return
            for row in rows:
                yield from self._blocks(parsed, np.array([row]))

    def _fill(
        self, scored: pd.DataFrame, parsed: pd.DataFrame, rows: np.ndarray, blocks: Blocks, explain: bool
    ) -> None:
        models, n = self.models, len(rows)
        explanations: list[dict[str, Any]] = [
            {"topic": None, "priority": None, "escalation": None, "articles": []} for _ in range(n)
        ]
        part = parsed.iloc[rows]
        texts = part["text"].fillna("").astype(object).tolist() if explain else []
        if models.topic is not None:
            probabilities = models.topic.probabilities(blocks)
            _put_labels(scored, rows, models.topic.classes, probabilities, self.settings.topic.shown_candidates)
            if models.scope is not None:
                _put(scored, rows, "topic_oos_score", models.scope.score(probabilities.max(axis=1), blocks.meaning))
            if explain:
                found = explain_topic(
                    models.topic,
                    self.builder,
                    blocks,
                    probabilities,
                    part,
                    texts,
                    self.neighbours,
                    self.settings.explain,
                )
                for item, value in zip(explanations, found, strict=True):
                    item["topic"] = value
        if models.queue is not None:
            proposed = models.queue.probabilities(blocks)
            best = proposed.argmax(axis=1)
            _put(scored, rows, "queue", [models.queue.classes[i] for i in best])
            scored.loc[rows, "_queue_confidence"] = proposed[np.arange(n), best]
        if models.priority is not None:
            levels = models.priority.probabilities(blocks)
            chosen = models.priority.decide(levels)
            _put(scored, rows, "priority", [models.priority.levels[i] for i in chosen])
            _put(scored, rows, "priority_confidence", levels[np.arange(n), chosen])
            named = [dict(zip(models.priority.levels, map(float, row), strict=True)) for row in levels]
            _put(scored, rows, "priority_probabilities", named)
            if explain:
                for item, value in zip(
                    explanations,
                    explain_priority(models.priority, self.builder, blocks, levels, part, texts, self.settings.explain),
                    strict=True,
                ):
                    item["priority"] = value
        if models.escalation is not None:
            _put(scored, rows, "escalation_risk", models.escalation.risk(blocks))
            if explain:
                for item, value in zip(
                    explanations,
                    explain_risk(models.escalation, self.builder, blocks, part, texts, self.settings.explain),
                    strict=True,
                ):
                    item["escalation"] = value
        _put(scored, rows, "articles", [[] for _ in range(n)])
        _put(scored, rows, "similar", [[] for _ in range(n)])
        if explain:
            _put(scored, rows, "explanation", explanations)

    def _route(self, scored: pd.DataFrame, parsed: pd.DataFrame) -> None:
        topic = scored["topic"].tolist()
        if self.models.queue is not None:
            label = scored["queue"].tolist()
            confidence = (
                scored.pop("_queue_confidence").to_numpy(dtype=float)
                if "_queue_confidence" in scored
                else np.zeros(len(scored))
            )
        else:
            label = [self.policy.queue_of(t) if t is not None else None for t in topic]
            confidence = scored["topic_confidence"].to_numpy(dtype=float)
        error = parsed["error"].astype(object).where(parsed["error"].notna(), None)
        scored["error"] = error.to_numpy()
        has_text = bool(self.about.get("has_text", True))
        silent = [has_text and not _WORD.search(t or "") for t in parsed["text"].fillna("")]
        fallback = [code or ("no_text" if quiet else None) for code, quiet in zip(error, silent, strict=True)]
        decision = self.policy.decide(
            parsed,
            label=label,
            confidence=confidence,
            topic=topic,
            priority=scored["priority"].tolist(),
            oos=scored["topic_oos_score"].to_numpy(dtype=float),
            fallback=fallback,
        )
        scored["queue"] = pd.Series(decision.queue, index=scored.index, dtype=object)
        scored["queue_reason"] = pd.Series(decision.reason, index=scored.index, dtype=object)
        scored["scorer_version"] = self.version


def library_versions() -> dict[str, str]:
    """Versions of the libraries that made the fitted parts."""
    import sklearn

    return {"sklearn": sklearn.__version__, "numpy": np.__version__}


def _check_versions(about: dict[str, Any]) -> None:
    if about.get("format") != FORMAT:
        got = f"format {about.get('format')}, here {FORMAT}"
        raise VersionError("the scorer was made by another version of Triage", got=got, do="train again with this one")
    if about.get("schema") != schema_hash():
        raise VersionError("the scorer was made by another version of the schema", do="train again with this version")
    now, libraries = library_versions(), about.get("libraries")
    for name in CHECKED_LIBRARIES:
        then = str(libraries.get(name, "none")) if isinstance(libraries, dict) else "none"
        if then.split(".")[:2] != now[name].split(".")[:2]:
            raise VersionError(
                "the scorer was made with another version of a library",
                where=name,
                got=f"{then}, here {now[name]}",
                do=f"install {name} {then}, or train again",
            )


def _put(scored: pd.DataFrame, rows: np.ndarray, name: str, values: Any) -> None:
    column = scored[name].to_numpy(copy=True)
    if column.dtype == object:
        for row, value in zip(rows, values, strict=True):
            column[row] = value
    else:
        column[rows] = values
    scored[name] = pd.Series(column, index=scored.index, dtype=scored[name].dtype)


def _put_labels(
    scored: pd.DataFrame, rows: np.ndarray, classes: tuple[str, ...], probabilities: np.ndarray, shown: int
) -> None:
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :shown]
    _put(scored, rows, "topic", [classes[i] for i in order[:, 0]])
    _put(scored, rows, "topic_confidence", probabilities[np.arange(len(rows)), order[:, 0]])
    candidates = [
        [{"label": classes[i], "probability": float(row[i])} for i in best]
        for best, row in zip(order, probabilities, strict=True)
    ]
    _put(scored, rows, "topic_candidates", candidates)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return "never" if value == float("inf") else float(value)


def _number(value: Any) -> float:
    return float("inf") if value == "never" else float(value)
