"""Stage assemble: models that passed their gates → one scorer, with thresholds, neighbours, what it was trained on."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from pipeline.articles.model import ArticleModel
from pipeline.articles.replies import ReplyModel
from pipeline.config import Params
from pipeline.errors import GateError
from pipeline.estimators.escalation import EscalationModel
from pipeline.estimators.explain import Neighbours
from pipeline.estimators.priority import PriorityModel
from pipeline.estimators.scope import DEFAULT, MIN_EXAMPLES, NEITHER, Scope, nearness
from pipeline.estimators.topic import TopicModel
from pipeline.features.drift import EMPTY, summarise
from pipeline.routing import RoutingPolicy
from pipeline.scorer import Models, Scorer
from pipeline.tickets.schema import conform
from pipeline.training import promise
from pipeline.training.featurize import Featurized
from pipeline.training.labels import LABEL_PREFIX
from pipeline.training.prepare import RAW_PREFIX, Prepared
from pipeline.training.train import Trained, without_articles

SCOPE_FALSE_RATE = 0.04
"""Share of in-scope tickets that may be held back as out of scope, where there were examples of both to learn from."""


def assemble(prepared: Prepared, featurized: Featurized, trained: dict[str, Trained], params: Params) -> Scorer:
    """Put the scorer together; it isn't saved yet.

    Raises
    ------
    GateError
        No model passed.
    """
    passing = {t: m for t, m in trained.items() if m.passed}
    passed, answers = without_articles(passing), passing["article"].parts if "article" in passing else {}
    if not passing:
        why = "; ".join(f"{t}: {m.about['why_none']}" for t, m in trained.items())
        raise GateError(
            "no model is better than its baseline, so there is no scorer", got=why, do="see the audit: `triage audit`"
        )
    topic = TopicModel.from_states(passed["topic"].parts, "topic") if "topic" in passed else None
    queue = TopicModel.from_states(passed["queue"].parts, "queue") if "queue" in passed else None
    scope = _scope(featurized, passed["topic"], params) if "topic" in passed else None
    models = Models(
        topic=topic,
        queue=queue,
        scope=scope,
        priority=PriorityModel.from_state(passed["priority"].parts["priority"]) if "priority" in passed else None,
        escalation=EscalationModel.from_state(passed["escalated"].parts["escalation"])
        if "escalated" in passed
        else None,
        articles=ArticleModel.from_state(answers["articles"]) if "articles" in answers else None,
        replies=ReplyModel.from_state(answers["replies"]) if "replies" in answers else None,
    )
    thresholds = _thresholds(prepared, featurized, passed, scope, params)
    oos_threshold = scope.threshold if scope is not None and scope.threshold < 1.0 else float("inf")
    policy = RoutingPolicy(params.routing, thresholds.by_queue if thresholds else {"*": 0.0}, oos_threshold)
    about = _about(prepared, trained, thresholds)
    neighbours = _neighbours(prepared, featurized, passed, params)
    scorer = Scorer(params, featurized.builder, models, policy, neighbours, about)
    return _with_reference(scorer, prepared, passed)


def _scope(featurized: Featurized, topic: Trained, params: Params) -> Scope:
    """Weights from inner predictions; the labelled rows to be near to."""
    kept = newest(topic.inner["trained"], params)
    vectors, support = featurized.blocks.meaning[kept], topic.inner["support"]
    mean, deviation = float(support.mean()), max(float(support.std()), 1e-9)
    if "outside_rows" not in topic.inner:
        return Scope(vectors, DEFAULT, mean=mean, deviation=deviation)
    near = nearness_without_self(featurized, topic.inner["rows"], kept)
    near_outside = nearness(featurized.blocks.meaning[topic.inner["outside_rows"]], vectors)
    beyond = topic.inner["outside_support"]
    weights = Scope.learn(
        (np.concatenate([support, beyond]) - mean) / deviation,
        np.concatenate([near, near_outside]),
        np.concatenate([np.zeros(len(support)), np.ones(len(beyond))]),
    )
    learned = Scope(vectors, weights, mean=mean, deviation=deviation)
    if len(beyond) < MIN_EXAMPLES:
        return learned
    return replace(learned, threshold=float(np.quantile(learned.score_near(support, near), 1 - SCOPE_FALSE_RATE)))


def nearness_without_self(featurized: Featurized, rows: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Cosine of each row to the nearest kept row of another near-duplicate group: no ticket is near by being itself."""
    found = np.full(len(rows), NEITHER)
    meaning, groups = featurized.blocks.meaning, featurized.groups
    if meaning.shape[1] == 0:
        return found
    for start in range(0, len(rows), 1024):
        part = rows[start : start + 1024]
        cosine = meaning[part] @ meaning[kept].T
        cosine[groups[part][:, None] == groups[kept][None, :]] = -1.0
        found[start : start + 1024] = cosine.max(axis=1)
    return found


def _thresholds(
    prepared: Prepared, featurized: Featurized, passed: dict[str, Trained], scope: Scope | None, params: Params
) -> promise.Thresholds | None:
    """From the inner rows of whatever proposes the queue, out-of-scope rows among them."""
    source = passed.get("queue") or passed.get("topic")
    if source is None:
        return None
    classes = np.array(source.about["classes"])
    frame, mapping = prepared.frame, params.routing.queues
    rows, probabilities = source.inner["rows"], source.inner["probabilities"]
    support = source.inner.get("support", np.zeros(0))
    outside = source.inner.get("outside_rows", rows[:0])
    if len(outside):
        rows = np.concatenate([rows, outside])
        probabilities = np.vstack([probabilities, source.inner["outside_probabilities"]])
        support = np.concatenate([support, source.inner["outside_support"]])
    proposed = classes[probabilities.argmax(axis=1)]
    said = frame[LABEL_PREFIX + source.target].astype(object).to_numpy()[rows]
    if source.target == "topic":
        proposed = np.array([mapping.get(t, t) for t in proposed], dtype=object)
        said = np.array([mapping.get(t, t) for t in said], dtype=object)
        if LABEL_PREFIX + "queue" in frame:
            real = frame[LABEL_PREFIX + "queue"].astype(object).to_numpy()[rows]
            said = np.where(pd.isna(real), said, real)
    confidence = probabilities.max(axis=1)
    possible = np.ones(len(rows), dtype=bool)
    if scope is not None and scope.threshold < 1.0 and source.target == "topic":
        near = nearness_without_self(featurized, rows, newest(source.inner["trained"], params))
        possible = scope.score_near(support, near) <= scope.threshold
    return promise.find(confidence, proposed != said, proposed.astype(str), possible, params.promise)


def newest(rows: np.ndarray, params: Params) -> np.ndarray:
    """The rows that the scorer keeps as labelled neighbours."""
    return np.sort(rows)[-params.explain.max_neighbours_kept :]


def _neighbours(prepared: Prepared, featurized: Featurized, passed: dict[str, Trained], params: Params) -> Neighbours:
    source = passed.get("topic") or passed.get("queue") or next(iter(passed.values()), None)
    if featurized.blocks.meaning.shape[1] == 0 or source is None:
        return Neighbours((), (), np.zeros((0, 0), dtype=np.float32))
    kept = newest(source.inner["trained"], params)
    ids = prepared.frame["ticket_id"].iloc[kept].astype(str)
    labels = prepared.frame[LABEL_PREFIX + source.target].iloc[kept].astype(str)
    return Neighbours(tuple(ids), tuple(labels), featurized.blocks.meaning[kept])


def id_hash(ticket_id: str) -> str:
    """What the manifest keeps of a training ticket's id: 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(ticket_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _about(prepared: Prepared, trained: dict[str, Trained], thresholds: promise.Thresholds | None) -> dict[str, Any]:
    frame = prepared.frame
    used = np.unique(np.concatenate([m.inner["trained"] for m in trained.values() if m.passed]))
    created = frame["created_at"].iloc[used]
    return {
        "has_text": bool(frame["text"].notna().any()),
        "trained": {
            "rows": len(used),
            # also tickets whose outcome is unknown, dead or too rare: words and living labels came from all of them
            "ids": sorted(id_hash(str(i)) for i in frame["ticket_id"]),
            "first": None if created.isna().all() else created.min().isoformat(),
            "last": None if created.isna().all() else created.max().isoformat(),
            "cut": prepared.about["cut"],
            "data_end": prepared.about["data_end"],
            "dated": prepared.about["dated"],
            "feedback": bool(prepared.about["feedback"]),
        },
        "synthetic": prepared.about["synthetic"],
        "promise": None if thresholds is None else _promise(thresholds),
        "outcomes": prepared.about["outcomes"],
        "models": {
            t: {
                "in_service": m.passed,
                "why_none": m.about.get("why_none", ""),
                "chosen": m.about.get("chosen", {}),
                "gate": m.about.get("gate"),
                "counts": m.about.get("counts", {}),
                "first": _first(frame, m),
            }
            for t, m in trained.items()
        },
    }


def _first(frame: pd.DataFrame, model: Trained) -> str | None:
    """When the first ticket that a model learned from was created."""
    created = (
        frame["created_at"].iloc[model.inner["trained"]] if "trained" in model.inner else frame["created_at"].iloc[:0]
    )
    return None if created.isna().all() else str(created.min().isoformat())


def _promise(found: promise.Thresholds) -> dict[str, Any]:
    return {
        "max_error": found.max_error,
        "error_if_all": found.error_if_all,
        "routed": found.routed,
        "wrong": found.wrong,
        "note": found.note,
    }


def _with_reference(scorer: Scorer, prepared: Prepared, passed: dict[str, Trained]) -> Scorer:
    """What input looks like, from inner rows with the predictions of models that hadn't learned from them."""
    source = passed.get("queue") or passed.get("topic") or next(iter(passed.values()), None)
    rows = source.inner["rows"] if source is not None else np.arange(len(prepared.frame))
    part = prepared.frame.iloc[rows].reset_index(drop=True)
    inner = {t: inner_predictions(m, rows) for t, m in passed.items()}
    columns: dict[str, object] = {"ticket_id": part["ticket_id"], "language": part["language"]}
    if "topic" in inner:
        columns |= {"topic": inner["topic"][0], "topic_confidence": inner["topic"][1]}
    if "escalated" in inner:
        columns["escalation_risk"] = inner["escalated"][2]
    scored = conform(pd.DataFrame(columns), "scored")
    nothing: list[str | None] = [None] * len(rows)
    label, confidence = nothing, np.zeros(len(rows))
    if source is not None and source.target in ("topic", "queue"):
        named, confidence, _ = inner[source.target]
        label = [None if n is None else (scorer.policy.queue_of(n) if source.target == "topic" else n) for n in named]
    decision = scorer.policy.decide(
        part,
        label=label,
        confidence=confidence,
        topic=list(inner["topic"][0]) if "topic" in inner else nothing,
        priority=list(inner["priority"][0]) if "priority" in inner else nothing,
        oos=np.zeros(len(rows)),
        fallback=nothing,
    )
    scored["queue"] = pd.Series(decision.queue, dtype="str")
    as_stored = part.assign(subject=part[RAW_PREFIX + "subject"], body=part[RAW_PREFIX + "body"])
    reference = summarise(as_stored, scored)
    for name in ("topic", "topic_confidence", "escalation_risk"):
        bins = reference["counts"][name]
        if len(bins) > 1:  # rows that this model wasn't looked at for: in service every ticket gets an answer
            bins.pop(EMPTY, None)
    return replace(scorer, about=scorer.about | {"reference": reference})


def inner_predictions(model: Trained, rows: np.ndarray) -> tuple[list[str | None], np.ndarray, np.ndarray]:
    """Of the rows: class said, its probability, that of the last class; None and nan where a row wasn't looked at."""
    place = {int(r): i for i, r in enumerate(model.inner["rows"])}
    match = np.array([place.get(int(r), -1) for r in rows])
    probabilities = model.inner["probabilities"][match]
    classes = model.about["classes"]
    named = [classes[i] if m >= 0 else None for i, m in zip(probabilities.argmax(axis=1), match, strict=True)]
    top, last = probabilities.max(axis=1), probabilities[:, -1]
    return named, np.where(match >= 0, top, np.nan), np.where(match >= 0, last, np.nan)
