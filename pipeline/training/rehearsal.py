"""Where the policy would have sent the inner rows of a training, and how far out of scope it holds them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd

from pipeline.estimators.scope import nearness
from pipeline.scorer import Scorer
from pipeline.training.assemble import inner_predictions, nearness_without_self, newest
from pipeline.training.featurize import Featurized
from pipeline.training.looked import Context, Outside
from pipeline.training.prepare import Prepared
from pipeline.training.realised import Routed, right_queue, routed
from pipeline.training.train import Trained


class RanLike(Protocol):
    """What a run leaves: see `run.Ran`."""

    @property
    def prepared(self) -> Prepared: ...
    @property
    def featurized(self) -> Featurized: ...
    @property
    def trained(self) -> dict[str, Trained]: ...
    @property
    def scorer(self) -> Scorer: ...
    @property
    def answers(self) -> Trained | None: ...


def outside_scores(ran: RanLike, model: Trained) -> Outside | None:
    """Out-of-scope scores of inner rows and of the tickets known to be out of scope."""
    scope = ran.scorer.models.scope
    if "outside_rows" not in model.inner or scope is None:
        return None
    kept = newest(model.inner["trained"], ran.scorer.settings)
    near = nearness_without_self(ran.featurized, model.inner["rows"], kept)
    outside = model.inner["outside_rows"]
    near_outside = nearness(ran.featurized.blocks.meaning[outside], scope.vectors)
    return Outside(
        scope.score_near(model.inner["support"], near), scope.score_near(model.inner["outside_support"], near_outside)
    )


def rehearse(ran: RanLike, context: Context) -> tuple[Routed | None, pd.DataFrame | None]:
    """Where the policy would have sent the inner rows, and what was right; None where no model proposes a queue."""
    scorer, frame = ran.scorer, ran.prepared.frame
    name = proposer(scorer)
    if name not in ran.trained or not ran.trained[name].passed:
        return None, None
    source = ran.trained[name]
    rows = np.sort(source.inner["rows"])
    part = frame.iloc[rows].reset_index(drop=True)
    label, confidence, _ = inner_predictions(source, rows)
    if name == "topic":
        label = [None if v is None else scorer.policy.queue_of(v) for v in label]
    nothing: list[str | None] = [None] * len(rows)
    said = {
        t: inner_predictions(ran.trained[t], rows)[0]
        for t in ("topic", "priority")
        if t in ran.trained and ran.trained[t].passed
    }
    decision = scorer.policy.decide(
        part, label=label, confidence=confidence, topic=said.get("topic", nothing),
        priority=said.get("priority", nothing), oos=_scope_scores(ran, rows), fallback=nothing,
    )  # fmt: skip
    queue, reason = (np.array(v, dtype=object) for v in (decision.queue, decision.reason))
    right = right_queue(part, scorer.policy.queue_of)
    table = pd.DataFrame({"queue": queue, "queue_reason": reason})
    return routed(queue, reason, right, context.months[rows]), table


def _scope_scores(ran: RanLike, rows: np.ndarray) -> np.ndarray:
    """Out-of-scope scores of rows that the topic was looked at for; 0 for the others."""
    scores, scope = np.zeros(len(rows)), ran.scorer.models.scope
    topic = ran.trained.get("topic")
    if scope is None or topic is None:
        return scores
    place = {int(r): i for i, r in enumerate(topic.inner["rows"])}
    seen = np.flatnonzero([int(r) in place for r in rows])
    support = topic.inner["support"][[place[int(r)] for r in rows[seen]]]
    near = nearness_without_self(ran.featurized, rows[seen], newest(topic.inner["trained"], ran.scorer.settings))
    scores[seen] = scope.score_near(support, near)
    return scores


def proposer(scorer: Scorer) -> str:
    return "queue" if scorer.models.queue is not None else "topic"
