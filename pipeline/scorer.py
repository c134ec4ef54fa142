"""The one artifact: parser, features, models, policy and thresholds behind one method."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline import artifact, config
from pipeline.answer import Answer
from pipeline.articles.earlier import Asked
from pipeline.articles.model import ArticleModel, ticket_vectors
from pipeline.articles.replies import ReplyModel
from pipeline.articles.summary import summary, waiting
from pipeline.artifact import State
from pipeline.config import Params
from pipeline.errors import IntegrityError, TriageError, VersionError
from pipeline.estimators.escalation import EscalationModel
from pipeline.estimators.explain import Neighbours, Said, explain_priority, explain_risk, explain_topic
from pipeline.estimators.priority import PriorityModel
from pipeline.estimators.scope import Scope
from pipeline.estimators.topic import TopicModel
from pipeline.features.build import Blocks, FeatureBuilder
from pipeline.features.cache import RememberingEncoder
from pipeline.features.encoder import encoder_from_state
from pipeline.history.reasons import reason_column
from pipeline.history.record import DatedFacts
from pipeline.routing import RoutingPolicy
from pipeline.tickets import parse
from pipeline.tickets.schema import schema_hash

FORMAT = 8
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
    articles: ArticleModel | None = None
    replies: ReplyModel | None = None


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
        Topic, queue, scope, priority, escalation, articles, replies.
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
    def queue_column(self) -> str | None:
        """Column of tickets that names their first queue, where the scorer looks at queues in a history."""
        return self.builder.as_of.queue if self.builder.as_of else None

    @property
    def reason_column(self) -> str | None:
        """Column of tickets that says their contact reason, where a field of theirs does."""
        return reason_column(self.settings.history)

    @property
    def reference(self) -> dict[str, Any]:
        """What the training data looked like: `features.drift` holds today's input against it."""
        return dict(self.about.get("reference", {}))

    def score(self, tickets: pd.DataFrame, *, history: DatedFacts | None = None, explain: bool = False) -> pd.DataFrame:
        """Score tickets: one row out for each row in, in the same order.

        Parameters
        ----------
        tickets : DataFrame, n rows
            By the schema: `ticket_id` and one of subject, body, `fields.*`; the rest may be absent or null.
        history : DatedFacts, optional
            Dated facts, of which each row sees only what was received before its `as_of` (its creation where it has
            none). Without one, the escalation risk is that of the ticket at its creation, by itself.
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
        answer, as_of = self.answer(tickets, history=history, explain=explain)
        return answer.frame(as_of, tickets.index)

    def answer(
        self, tickets: pd.DataFrame, *, history: DatedFacts | None = None, explain: bool = False
    ) -> tuple[Answer, pd.Series]:
        """`score` as plain columns, and the rows' moments: a frame of one row costs as much as a model.

        Raises
        ------
        InputError
            See `score`.
        """
        parsed = parse(tickets, self.settings.tickets)
        parsed.index = pd.RangeIndex(len(parsed))  # to reset it would copy every column
        answer = Answer(len(parsed))
        everything = np.arange(len(parsed))
        for name in ("ticket_id", "language", "error"):
            answer.put(name, everything, _plain(parsed[name]))
        answer.put("scorer_version", everything, [self.version] * len(parsed))
        good = np.flatnonzero([code is None for code in answer["error"].tolist()])
        for rows, blocks in self._blocks(parsed, good, answer, history):
            self._fill(answer, parsed, rows, blocks, explain)
        self._route(answer, parsed)
        as_of = parsed["as_of"].fillna(parsed["created_at"]) if "as_of" in parsed else parsed["created_at"]
        return answer, as_of

    def score_batches(self, frames: Iterable[pd.DataFrame], *, explain: bool = False) -> Iterator[pd.DataFrame]:
        """Score frame after frame; memory holds one at a time."""
        for frame in frames:
            yield self.score(frame, explain=explain)

    def remembering(self, cache: Path | None = None) -> Scorer:
        """The same scorer; a text that it has encoded, or that a cache of embeddings holds, isn't encoded again.

        For runs that look at the same tickets as of several moments.
        """
        if (encoder := self.builder.encoder) is None:
            return self
        return replace(self, builder=self.builder.with_encoder(RememberingEncoder(encoder, cache)))

    def save(self, folder: Path, *, key: bytes | None = None) -> Scorer:
        """Write the folder, whole or not at all; returns this scorer with its version."""
        parts = self.builder.states()
        for name in ("topic", "queue"):
            if (model := getattr(self.models, name)) is not None:
                parts |= model.states(name)
        for name in ("scope", "priority", "escalation", "articles", "replies"):
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
            parts,
            encoder_from_state(parts["encoder"], settings.encoder),
            settings.features,
            sla=settings.sla,
            customers=settings.history,
        )
        models = Models(
            topic=TopicModel.from_states(parts, "topic") if "topic" in parts else None,
            queue=TopicModel.from_states(parts, "queue") if "queue" in parts else None,
            scope=Scope.from_state(parts["scope"]) if "scope" in parts else None,
            priority=PriorityModel.from_state(parts["priority"]) if "priority" in parts else None,
            escalation=EscalationModel.from_state(parts["escalation"]) if "escalation" in parts else None,
            articles=ArticleModel.from_state(parts["articles"]) if "articles" in parts else None,
            replies=ReplyModel.from_state(parts["replies"]) if "replies" in parts else None,
        )
        thresholds = {k: _number(v) for k, v in parts["policy"]["thresholds"].items()}
        policy = RoutingPolicy(settings.routing, thresholds, _number(parts["policy"]["oos_threshold"]))
        return cls(settings, builder, models, policy, Neighbours.from_state(parts["neighbours"]), about, version)

    def _blocks(
        self, parsed: pd.DataFrame, rows: np.ndarray, answer: Answer, history: DatedFacts | None
    ) -> Iterator[tuple[np.ndarray, Blocks]]:
        """Blocks of the good rows; if one row makes them fail, each row goes alone and the bad one gets a code."""
        if len(rows) == 0:
            return
        try:
            part = parsed if len(rows) == len(parsed) else parsed.iloc[rows]
            yield rows, self.builder.transform(part, history)
        except (ValueError, ArithmeticError, IndexError, KeyError, TypeError, UnicodeError, RuntimeError):
            if len(rows) == 1:
                answer.put("error", rows, ["unscorable"])
                return
            for row in rows:
                yield from self._blocks(parsed, np.array([row]), answer, history)

    def _fill(self, answer: Answer, parsed: pd.DataFrame, rows: np.ndarray, blocks: Blocks, explain: bool) -> None:
        models, n = self.models, len(rows)
        topics = levels = None
        if models.topic is not None:
            topics, support = models.topic.look(blocks)
            answer.put_labels(rows, models.topic.classes, topics, self.settings.topic.shown_candidates)
            if models.scope is not None:
                answer.put("topic_oos_score", rows, models.scope.score(support, blocks.meaning))
        if models.queue is not None:
            proposed = models.queue.probabilities(blocks)
            answer.put("queue", rows, [models.queue.classes[i] for i in proposed.argmax(axis=1)])
            answer.queue_confidence[rows] = proposed.max(axis=1)
        if models.priority is not None:
            levels = models.priority.probabilities(blocks)
            answer.put_levels(rows, models.priority.levels, levels, models.priority.decide(levels))
        if models.escalation is not None:
            answer.put("escalation_risk", rows, models.escalation.risk(blocks))
        tickets = parsed if n == len(parsed) else parsed.iloc[rows]
        answer.put("summary", rows, self._summaries(tickets, blocks))
        suggested: list[list[dict[str, Any]]] = [[] for _ in range(n)]
        similar = suggested
        asked = None
        if models.articles is not None or models.replies is not None:
            asked = Asked.of(
                tickets, ticket_vectors(blocks, self.builder.terms), product=self.settings.articles.product
            )
        if models.articles is not None and asked is not None:
            suggested = models.articles.suggest(asked)
            answer.put("auto_answer", rows, models.articles.auto_answers(suggested))
        if models.replies is not None and asked is not None:
            similar, replies = models.replies.suggest(asked)
            answer.put("reply", rows, replies)
        answer.put("articles", rows, suggested)
        answer.put("similar", rows, similar)
        if explain:
            said = Said(self.builder, blocks, tickets, self.settings.explain)
            why: list[Any] = [[] for _ in range(n)]
            if models.articles is not None and asked is not None:
                shown = {"words": self.settings.explain.words, "tickets": self.settings.explain.neighbours}
                why = models.articles.explain(asked, suggested, **shown)
            answer.put("explanation", rows, self._explain(said, topics, levels, why))

    def _summaries(self, tickets: pd.DataFrame, blocks: Blocks) -> list[str | None]:
        """Of each ticket its own sentences, and who waits for whom where a history was looked at."""
        read = [len(text or "") for text in _plain(tickets["text"])]
        parts = zip(_plain(tickets["subject"]), _plain(tickets["body"]), read, strict=True)
        said = [summary(s and s[:n], b and b[:n]) for s, b, n in parts]
        if blocks.moment is None or self.builder.as_of is None:
            return said
        names = self.builder.as_of.names
        waits = [waiting(dict(zip(names, row, strict=True))) for row in blocks.moment.tolist()]
        return ["\n".join(t for t in both if t) or None for both in zip(said, waits, strict=True)]

    def _explain(
        self, said: Said, topics: np.ndarray | None, levels: np.ndarray | None, articles: list[Any]
    ) -> list[dict[str, Any]]:
        nothing: list[Any] = [None] * len(said)
        models = self.models
        topic, priority, risk = nothing, nothing, nothing
        if models.topic is not None and topics is not None:
            topic = explain_topic(models.topic, said, topics, self.neighbours)
        if models.priority is not None and levels is not None:
            priority = explain_priority(models.priority, said, levels)
        if models.escalation is not None:
            risk = explain_risk(models.escalation, said)
        return [
            {"topic": t, "priority": p, "escalation": e, "articles": a}
            for t, p, e, a in zip(topic, priority, risk, articles, strict=True)
        ]

    def _route(self, answer: Answer, parsed: pd.DataFrame) -> None:
        topic: list[str | None] = answer["topic"].tolist()
        if self.models.queue is not None:
            label, confidence = answer["queue"].tolist(), answer.queue_confidence
        else:
            label = [self.policy.queue_of(t) if t is not None else None for t in topic]
            confidence = answer["topic_confidence"]
        has_text = bool(self.about.get("has_text", True))
        silent = [has_text and not _WORD.search(t or "") for t in _plain(parsed["text"])]
        fallback = [code or ("no_text" if quiet else None) for code, quiet in zip(answer["error"], silent, strict=True)]
        decision = self.policy.decide(
            parsed,
            label=label,
            confidence=confidence,
            topic=topic,
            priority=answer["priority"].tolist(),
            oos=answer["topic_oos_score"],
            fallback=fallback,
        )
        everything = np.arange(answer.size)
        answer.put("queue", everything, decision.queue)
        answer.put("queue_reason", everything, decision.reason)


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


def _plain(values: pd.Series) -> list[str | None]:
    """Text of a column, None where it is null."""
    return [v if isinstance(v, str) else None for v in values.tolist()]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return "never" if value == float("inf") else float(value)


def _number(value: Any) -> float:
    return float("inf") if value == "never" else float(value)
