"""Explanations from the models that decided: exact shares of words, fields, meaning; the nearest labelled tickets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.artifact import State
from pipeline.config import Explain
from pipeline.estimators.escalation import EscalationModel
from pipeline.estimators.priority import PriorityModel, view
from pipeline.estimators.topic import TopicModel
from pipeline.features.build import Blocks, FeatureBuilder
from pipeline.features.text import term_names
from pipeline.tickets.schema import FIELD_PREFIX

Found = dict[str, Any]


@dataclass(frozen=True)
class Neighbours:
    """Labelled tickets to be near to.

    Attributes
    ----------
    ids, labels : tuple of str
    vectors : ndarray of float32, shape (n, d)
        Embeddings of unit length; d = 0 without an encoder: then there are no neighbours.
    """

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    vectors: np.ndarray

    def nearest(self, meaning: np.ndarray, count: int) -> list[list[Found]]:
        """The `count` nearest of each row, by cosine."""
        if self.vectors.size == 0 or meaning.shape[1] == 0 or count == 0:
            return [[] for _ in range(len(meaning))]
        found = []
        for start in range(0, len(meaning), 512):
            cosine = meaning[start : start + 512] @ self.vectors.T
            best = np.argsort(-cosine, axis=1, kind="stable")[:, :count]
            found += [
                [{"ticket_id": self.ids[i], "label": self.labels[i], "similarity": float(row[i])} for i in picks]
                for picks, row in zip(best, cosine, strict=True)
            ]
        return found

    def state(self) -> State:
        """What is stored; ids are the helpdesk's own, no text is kept."""
        return {"ids": list(self.ids), "labels": list(self.labels), "vectors": self.vectors}

    @classmethod
    def from_state(cls, state: State) -> Neighbours:
        """The stored one again."""
        return cls(tuple(state["ids"]), tuple(state["labels"]), state["vectors"])


def explain_topic(
    model: TopicModel,
    builder: FeatureBuilder,
    blocks: Blocks,
    probabilities: np.ndarray,
    tickets: pd.DataFrame,
    texts: list[str],
    neighbours: Neighbours,
    settings: Explain,
) -> list[Found]:
    """Of each row: the chosen label, the runner-up, and what speaks for the one against the other, in log-odds."""
    near = neighbours.nearest(blocks.meaning, settings.neighbours)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    explained = []
    for i in range(len(blocks)):
        chosen, rival = int(order[i, 0]), int(order[i, min(1, order.shape[1] - 1)])
        columns, shares, meaning, base = model.contributions(blocks.take(np.array([i])), chosen, rival)
        named = _named(builder, tickets.iloc[i], texts[i], columns, shares, settings.words)
        named += [
            {"kind": "meaning", "name": "meaning", "value": meaning},
            {"kind": "base", "name": "how frequent the labels are", "value": base},
        ]
        against = model.classes[rival] if rival != chosen else None
        explained.append(
            {"label": model.classes[chosen], "against": against, "contributions": _closed(named), "nearest": near[i]}
        )
    return explained


def explain_priority(
    model: PriorityModel,
    builder: FeatureBuilder,
    blocks: Blocks,
    probabilities: np.ndarray,
    tickets: pd.DataFrame,
    texts: list[str],
    settings: Explain,
) -> list[Found]:
    """Of each row: the chosen level, the next likely, and what speaks for it in the multinomial member, in log-odds."""
    chosen_rows, explained = model.decide(probabilities), []
    for i in range(len(blocks)):
        chosen = int(chosen_rows[i])
        rival = int(np.argmax(np.where(np.arange(len(model.levels)) == chosen, -1.0, probabilities[i])))
        row = blocks.take(np.array([i]))
        columns, shares = model.multinomial.contributions(view(row, model.view), chosen, rival)
        width = row.terms.shape[1] + row.one_hot.shape[1]
        if model.view == "meaning":
            fields = columns >= row.meaning.shape[1]
            columns = np.where(fields, columns - row.meaning.shape[1] + row.terms.shape[1], width)
        inside = columns < width
        named = _named(builder, tickets.iloc[i], texts[i], columns[inside], shares[inside], settings.words)
        base = float(model.multinomial.intercepts[chosen] - model.multinomial.intercepts[rival])
        named += [
            {"kind": "meaning", "name": "meaning", "value": float(shares[~inside].sum())},
            {"kind": "base", "name": "how frequent the levels are", "value": base},
        ]
        explained.append(
            {
                "label": model.levels[chosen],
                "against": model.levels[rival],
                "contributions": _closed(named),
                "nearest": [],
            }
        )
    return explained


def explain_risk(
    model: EscalationModel,
    builder: FeatureBuilder,
    blocks: Blocks,
    tickets: pd.DataFrame,
    texts: list[str],
    settings: Explain,
) -> list[Found]:
    """Of each row: what raises or lowers the log-odds of escalation; all shares add up to them."""
    explained = []
    for i in range(len(blocks)):
        columns, shares, others = model.contributions(blocks.take(np.array([i])))
        named = _named(builder, tickets.iloc[i], texts[i], columns, shares, settings.words)
        for name, value in others.items():
            if name.startswith("field:"):
                field = builder.fields.names[int(name.removeprefix("field:"))]
                named.append({"kind": "field", "name": _field(field, tickets.iloc[i]), "value": value})
            else:
                named.append(
                    {
                        "kind": "base" if name == "base" else "meaning" if name == "meaning" else "number",
                        "name": name,
                        "value": value,
                    }
                )
        explained.append(
            {"label": "escalated", "against": "not escalated", "contributions": _closed(named), "nearest": []}
        )
    return explained


def _named(
    builder: FeatureBuilder, ticket: pd.Series, text: str, columns: np.ndarray, shares: np.ndarray, count: int
) -> list[Found]:
    """The strongest words and fields by name; the rest (pieces of words among it) in one line, so nothing is lost."""
    terms = len(builder.terms.places)
    words = term_names(text, builder.settings)
    fields = builder.fields.one_hot_fields()
    by_name: dict[tuple[str, str], float] = {}
    rest = 0.0
    for column, share in zip(columns, shares, strict=True):
        if column >= terms:
            key = ("field", _field(fields[int(column) - terms], ticket))
        else:
            name = (
                words.get(int(builder.terms.places[column]) & (2**24 - 1)) if _is_word(builder, int(column)) else None
            )
            key = ("word", name) if name else ("", "")
        if key[1]:
            by_name[key] = by_name.get(key, 0.0) + float(share)
        else:
            rest += float(share)
    order = sorted(by_name, key=lambda k: (-abs(by_name[k]), k))
    kept = [k for k in order if k[0] == "field"] + [k for k in order if k[0] == "word"][:count]
    rest += sum(by_name[k] for k in order if k not in set(kept))
    found = [{"kind": kind, "name": name, "value": by_name[kind, name]} for kind, name in kept]
    return [*found, {"kind": "rest", "name": "other words and parts of words", "value": rest}]


def _is_word(builder: FeatureBuilder, column: int) -> bool:
    return (int(builder.terms.places[column]) >> 24) % 2 == 0


def _field(name: str, ticket: pd.Series) -> str:
    value = ticket.get(name)
    shown = "" if value is None or (isinstance(value, float) and np.isnan(value)) else str(value)[:60]
    return f"{name.removeprefix(FIELD_PREFIX)} = {shown}" if name != "customer_id" else "customer"


def _closed(named: list[Found]) -> list[Found]:
    """Strongest first; shares of nothing are left out, and same names are one."""
    total: dict[tuple[str, str], float] = {}
    for part in named:
        key = (part["kind"], part["name"])
        total[key] = total.get(key, 0.0) + float(part["value"])
    order = sorted(total, key=lambda k: (-abs(total[k]), k))
    return [
        {"kind": kind, "name": name, "value": total[kind, name]} for kind, name in order if total[kind, name] != 0.0
    ]
