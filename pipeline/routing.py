"""Where a ticket goes, and why: the pure rule that turns predictions into a queue or "a person decides"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from pipeline.config import Routing, Rule, nearest
from pipeline.errors import ConfigError
from pipeline.tickets.schema import FIELD_PREFIX


@dataclass(frozen=True)
class Decision:
    """Queues and reasons of a batch, each of shape (n,)."""

    queue: list[str | None]
    reason: list[str | None]


@dataclass(frozen=True)
class RoutingPolicy:
    """Rules in order, topic → queue, and the triage queue for everything that a person should decide.

    Attributes
    ----------
    routing : Routing
        The policy as params.yaml has it.
    thresholds : dict
        Queue → least confidence at which the machine routes; `*` holds for all other queues. `inf`: never.
    oos_threshold : float
        A topic_oos_score above it is out of scope: a person decides.
    """

    routing: Routing
    thresholds: dict[str, float]
    oos_threshold: float = float("inf")

    def queue_of(self, topic: str) -> str:
        """The queue that a topic belongs to; without an entry, the topic itself."""
        return self.routing.queues.get(topic, topic)

    def decide(
        self,
        tickets: pd.DataFrame,
        *,
        label: list[str | None],
        confidence: np.ndarray,
        topic: list[str | None],
        priority: list[str | None],
        oos: np.ndarray,
        fallback: list[str | None],
    ) -> Decision:
        """One queue and one reason a row.

        Parameters
        ----------
        tickets : DataFrame, n rows
            Parsed tickets: rules read `text`, `language`, `customer_id` and `fields.*`.
        label : list of n
            Queue that the model proposes (learned, or from the topic); None without a model.
        confidence, oos : ndarray, shape (n,)
            Probability that `label` is right; out-of-scope score (nan without one).
        topic, priority : list of n
            Predictions that rules may ask for.
        fallback : list of n
            A code where the row can't be decided by the model (`no_text`, an error code); else None.
        """
        queues: list[str | None] = [None] * len(tickets)
        reasons: list[str | None] = [None] * len(tickets)
        rows = cast(list[dict[str, object]], tickets.to_dict("records")) if self.routing.rules else []
        for i in range(len(tickets)):
            row: dict[str, object] = rows[i] if rows else {}
            code = fallback[i]
            if code is not None and code != "no_text":
                queues[i], reasons[i] = self.routing.triage_queue, f"fallback:{code}"
                continue
            rule = self._first(row, "before", topic[i], priority[i])
            if rule is None and self._sure(label[i], confidence[i], oos[i]) and code is None:
                queues[i], reasons[i] = label[i], "model"
                continue
            rule = rule or self._first(row, "after", topic[i], priority[i])
            if rule is not None:
                queues[i], reasons[i] = rule.queue, f"rule:{rule.name}"
            else:
                queues[i] = self.routing.triage_queue
                reasons[i] = f"fallback:{code}" if code else "abstained"
        return Decision(queues, reasons)

    def _sure(self, label: str | None, confidence: float, oos: float) -> bool:
        if label is None or oos > self.oos_threshold:
            return False
        return bool(confidence >= self.thresholds.get(label, self.thresholds.get("*", 0.0)))

    def _first(self, row: dict[str, object], when: str, topic: str | None, priority: str | None) -> Rule | None:
        for rule in self.routing.rules:
            if rule.when == when and _matches(rule, row, topic, priority):
                return rule
        return None


def _matches(rule: Rule, row: dict[str, object], topic: str | None, priority: str | None) -> bool:
    if rule.topics and topic not in rule.topics:
        return False
    if rule.priorities and priority not in rule.priorities:
        return False
    if rule.languages and row.get("language") not in rule.languages:
        return False
    if rule.customers and row.get("customer_id") not in rule.customers:
        return False
    if any(row.get(FIELD_PREFIX + name) not in values for name, values in rule.fields.items()):
        return False
    return not rule.keywords or _has_keyword(rule.keywords, str(row.get("text") or ""))


def _has_keyword(keywords: tuple[str, ...], text: str) -> bool:
    folded = text.casefold()
    return any(re.search(rf"(?<!\w){re.escape(k.casefold())}(?!\w)", folded) for k in keywords)


def check_policy(
    routing: Routing, *, topics: list[str], queues: list[str], levels: list[str], fields: list[str]
) -> None:
    """Raise where the policy names a topic, queue, level or field that isn't there: before anything is trained.

    Parameters
    ----------
    topics, queues, levels, fields : list of str
        What the history has. `routing.known_queues`, where given, closes the list of queues.

    Raises
    ------
    ConfigError
        Naming the setting and the nearest right names.
    """
    known = set(routing.known_queues)
    for topic, queue in routing.queues.items():
        _require(topic, set(topics), "topic", f"routing: queues: {topic}")
        if known:
            _require(queue, known, "queue", f"routing: queues: {topic}")
    names = [r.name for r in routing.rules]
    for rule in routing.rules:
        where = f"routing: rules: {rule.name}"
        if names.count(rule.name) > 1:
            raise ConfigError("two rules have one name", where=where, do="name each rule once: the name is its reason")
        if known or queues:
            _require(rule.queue, known or {*queues, *routing.queues.values(), routing.triage_queue}, "queue", where)
        for topic in rule.topics:
            _require(topic, set(topics), "topic", where)
        for level in rule.priorities:
            _require(level, set(levels), "priority level", where)
        for name in rule.fields:
            _require(name, set(fields), "field", where)


def _require(name: str, known: set[str], what: str, where: str) -> None:
    if name in known:
        return
    near = nearest(name, known)
    hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(sorted(known)[:10]) or 'none'}"
    if what == "queue":
        hint += "; a queue that history doesn't have belongs in routing: known_queues"
    raise ConfigError(f"a {what} that isn't there", where=f"params.yaml: {where}", got=name, do=hint)
