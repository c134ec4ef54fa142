"""The promise against what happened: how many of the tickets that the machine routed went to the wrong queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.calibration import error_lower_bound, error_upper_bound
from pipeline.history.definitions import OUT_OF_SCOPE
from pipeline.pages.figures import Estimate, Promise, PromisePeriod
from pipeline.routing import RoutingPolicy
from pipeline.training.labels import LABEL_PREFIX

CERTAINTY = 0.95
FIFTHS = 5


@dataclass(frozen=True)
class Routed:
    """Tickets whose right queue is known, and what became of them; arrays of shape (n,).

    Attributes
    ----------
    queue : ndarray of str
        Where they went.
    by_model : ndarray of bool
        Whether the machine routed them: not a rule, not a person.
    wrong : ndarray of bool
        Whether they should have gone elsewhere.
    months : ndarray of str
        "" without times.
    """

    queue: np.ndarray
    by_model: np.ndarray
    wrong: np.ndarray
    months: np.ndarray

    def take(self, rows: np.ndarray) -> Routed:
        """The same of some rows."""
        return Routed(self.queue[rows], self.by_model[rows], self.wrong[rows], self.months[rows])


def right_queue(frame: pd.DataFrame, queue_of: Callable[[str], str]) -> np.ndarray:
    """The queue that each ticket should have: its queue outcome, else that of its topic; None where neither is known.

    Without a queue outcome an out-of-scope ticket gets `OUT_OF_SCOPE`: whoever routes it is wrong.
    """
    nothing = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    topics = frame.get(LABEL_PREFIX + "topic", nothing).astype(object)
    queues = frame.get(LABEL_PREFIX + "queue", nothing).astype(object)
    found: list[str | None] = []
    for topic, queue in zip(topics, queues, strict=True):
        if isinstance(queue, str):
            found.append(queue)
        elif topic == OUT_OF_SCOPE or not isinstance(topic, str):
            found.append(OUT_OF_SCOPE if topic == OUT_OF_SCOPE else None)
        else:
            found.append(queue_of(topic))
    return np.array(found, dtype=object)


def routed(queue: np.ndarray, reason: np.ndarray, right: np.ndarray, months: np.ndarray) -> Routed:
    """Tickets whose right queue is known, out of all."""
    known = np.array([r is not None for r in right], dtype=bool)
    went = np.array([str(q) for q in queue], dtype=str)
    return Routed(went, np.asarray(reason == "model", dtype=bool), np.asarray(went != right, dtype=bool), months).take(
        np.flatnonzero(known)
    )


def realised(
    found: Routed, asked: Mapping[str, Any] | None, policy: RoutingPolicy, *, changed: str = ""
) -> Promise | None:
    """The promise section; None where the scorer proposes no queue.

    Parameters
    ----------
    asked : mapping or None
        `about["promise"]` of the scorer.
    changed : str
        Why the promise is withdrawn whatever the figures say: the world has changed.
    """
    if asked is None:
        return None
    whole = _period("all", found)
    limit = None if asked["max_error"] is None else float(asked["max_error"])
    verdict, reason = _verdict(found, limit, changed, str(asked.get("note", "")))
    return Promise(
        verdict,
        asked=limit,
        error_if_all=float(asked["error_if_all"]),
        threshold=threshold_words(policy.thresholds),
        whole=whole,
        periods=_periods(found),
        queues=tuple(_period(q, found.take(rows)) for q, rows in _by_queue(found)),
        reason=reason,
    )


def working_point(found: Routed) -> tuple[float, float] | None:
    """Share routed by the machine, and share wrong among those."""
    if not found.by_model.any():
        return None
    return float(found.by_model.mean()), float(found.wrong[found.by_model].mean())


def threshold_words(thresholds: Mapping[str, float]) -> str:
    """The least confidence at which the machine routes, in words."""
    own = {q: t for q, t in thresholds.items() if q != "*"}
    if not own:
        least = thresholds.get("*", 0.0)
        return "never" if np.isinf(least) else f"{least:.2f}"
    finite = [t for t in own.values() if np.isfinite(t)]
    never = len(own) - len(finite)
    said = f"{min(finite):.2f} to {max(finite):.2f}, by queue" if finite else ""
    return "; ".join(filter(None, [said, f"never for {never} of {len(own)} queues" if never else ""]))


def _verdict(found: Routed, limit: float | None, changed: str, note: str) -> tuple[Any, str]:
    if limit is None:
        return "not asked", note
    if changed:
        return "withdrawn", changed
    n = int(found.by_model.sum())
    if n == 0:
        return "withdrawn", note or "no ticket was sure enough: nothing was routed by the machine"
    kept = error_lower_bound(int(found.wrong[found.by_model].sum()), n, CERTAINTY) <= limit
    return ("kept" if kept else "broken"), note


def _periods(found: Routed) -> tuple[PromisePeriod, ...]:
    if not found.months.astype(bool).any():
        parts = np.array_split(np.arange(len(found.wrong)), FIFTHS)
        return tuple(_period(f"{i + 1}/{FIFTHS}", found.take(rows)) for i, rows in enumerate(parts) if len(rows))
    months = [m for m in np.unique(found.months).tolist() if m]
    return tuple(_period(m, found.take(np.flatnonzero(found.months == m))) for m in months)


def _by_queue(found: Routed) -> list[tuple[str, np.ndarray]]:
    """Queues to which the machine routed, and all tickets that went there; the largest first."""
    names, counts = np.unique(found.queue[found.by_model], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [(str(names[i]), np.flatnonzero(found.queue == names[i])) for i in order]


def _period(name: str, found: Routed) -> PromisePeriod:
    n, wrong = int(found.by_model.sum()), int(found.wrong[found.by_model].sum())
    error = Estimate(None)
    if n:
        error = Estimate(wrong / n, error_lower_bound(wrong, n, 0.975), error_upper_bound(wrong, n, 0.975))
    return PromisePeriod(name, len(found.wrong), n, wrong, error)
