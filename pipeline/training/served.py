"""Runs a scorer on tickets as a door would, and notes what it proposed before the policy decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from pipeline.history.record import History
from pipeline.routing import Decision, RoutingPolicy
from pipeline.scorer import Scorer

BATCH = 2_000


@dataclass(frozen=True)
class Served:
    """What came out, row for row.

    Attributes
    ----------
    scored : DataFrame, n rows
        The scored tickets.
    proposed : ndarray of object, shape (n,)
        Queue that the model proposed; None without one.
    confidence : ndarray of float, shape (n,)
        Probability that the proposed queue is right.
    """

    scored: pd.DataFrame
    proposed: np.ndarray
    confidence: np.ndarray


def serve(
    scorer: Scorer,
    tickets: pd.DataFrame,
    *,
    history: History | None = None,
    say: Callable[[str], None] | None = None,
) -> Served:
    """`Scorer.score` over all tickets, in batches.

    Parameters
    ----------
    history : History, optional
        In order of tickets (`History.by_ticket`).
    """
    watching = _Watching(scorer.policy)
    watched = replace(scorer, policy=cast(RoutingPolicy, watching))
    parts = []
    for start in range(0, len(tickets), BATCH):
        part = tickets.iloc[start : start + BATCH].reset_index(drop=True)
        known = history.of(part["ticket_id"].to_numpy(dtype=object)) if history is not None else None
        parts.append(watched.score(part, history=known))
        if say is not None and len(tickets) > BATCH:
            say(f"scored {min(start + BATCH, len(tickets)):,} of {len(tickets):,} tickets")
    scored = pd.concat(parts, ignore_index=True) if parts else scorer.score(tickets)
    return Served(scored, np.array(watching.labels, dtype=object), np.array(watching.confidences, dtype=np.float64))


def remembering(scorer: Scorer) -> Scorer:
    """The same scorer; what it has encoded once, or the cache of its settings holds, isn't encoded again.

    For those who look at the tickets of RAW_DIR, the same ones often: doors leave nothing of a ticket on the disk.
    """
    encoder, settings = scorer.builder.encoder, scorer.settings.encoder
    if encoder is None or settings.name == "static":
        return scorer
    return scorer.remembering(Path(settings.cache) if settings.cache else None)


@dataclass
class _Watching:
    """A policy that decides as the given one does, and keeps what was proposed: a scored ticket doesn't show it."""

    policy: RoutingPolicy
    labels: list[str | None] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)

    def queue_of(self, topic: str) -> str:
        return self.policy.queue_of(topic)

    def decide(self, tickets: pd.DataFrame, **given: Any) -> Decision:
        self.labels += list(given["label"])
        self.confidences += [float(c) for c in given["confidence"]]
        return self.policy.decide(tickets, **given)
