"""Explanations from the models that decided: exact shares of words, fields, meaning; the nearest labelled tickets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.artifact import State
from pipeline.config import Explain
from pipeline.estimators.escalation import EscalationModel
from pipeline.estimators.priority import PriorityModel
from pipeline.estimators.topic import TopicModel
from pipeline.features.build import Blocks, FeatureBuilder
from pipeline.features.table import NUMBER_WORDS
from pipeline.features.text import BITS, term_names
from pipeline.history.phrases import phrase
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


class Said:
    """The tickets that are explained, and the names of what was counted in them (found once for all models)."""

    def __init__(self, builder: FeatureBuilder, blocks: Blocks, tickets: pd.DataFrame, settings: Explain) -> None:
        self.blocks, self.settings = blocks, settings
        self.fields = builder.fields.names
        self._places = builder.terms.places
        self._field_of = builder.fields.one_hot_fields()
        as_of = builder.as_of
        self._moments = as_of.names if as_of else ()
        self._coded = {"queue": as_of.queues, "priority_level": as_of.levels} if as_of else {}
        self._tickets = tickets.to_dict("records")
        self._words = [term_names(str(t.get("text") or ""), builder.settings) for t in self._tickets]

    def __len__(self) -> int:
        return len(self._tickets)

    def row(self, i: int) -> Blocks:
        """The blocks of one ticket."""
        return self.blocks.take(np.array([i]))

    def field(self, i: int, name: str) -> str:
        """A field and its value, as an explanation shows it."""
        value = self._tickets[i].get(name)
        shown = str(value)[:60] if isinstance(value, str) else ""
        if name == "customer_id":
            return "customer"
        own = name.removeprefix(FIELD_PREFIX)
        return f"{own} = {shown}" if shown else f"no {own}"

    def moment(self, i: int, column: int) -> str:
        """A number of the history in words."""
        assert self.blocks.moment is not None
        name, value = self._moments[column], float(self.blocks.moment[i, column])
        if name in self._coded and not np.isnan(value):
            return f"{'in queue' if name == 'queue' else 'priority'} {self._coded[name][int(value)]}"
        return phrase(name, value)

    def named(self, i: int, columns: np.ndarray, shares: np.ndarray) -> list[Found]:
        """The strongest words and fields by name; the rest (pieces of words among it) in one line: nothing is lost."""
        terms, words = len(self._places), self._words[i]
        by_name: dict[tuple[str, str], float] = {}
        for column, share in zip(columns[columns >= terms], shares[columns >= terms], strict=True):
            key = ("field", self.field(i, self._field_of[int(column) - terms]))
            by_name[key] = by_name.get(key, 0.0) + float(share)
        is_word = columns < terms
        is_word[is_word] = (
            self._places[columns[is_word]] >> BITS
        ) % 2 == 0  # segments of words and characters alternate
        hashed = self._places[columns[is_word]] & (2**BITS - 1)
        for place, share in zip(hashed.tolist(), shares[is_word].tolist(), strict=True):
            if (name := words.get(place)) is not None:
                by_name["word", name] = by_name.get(("word", name), 0.0) + share
        order = sorted(by_name, key=lambda k: (-abs(by_name[k]), k))
        kept = [k for k in order if k[0] == "field"] + [k for k in order if k[0] == "word"][: self.settings.words]
        rest = float(shares.sum()) - sum(by_name[k] for k in kept)
        found = [{"kind": kind, "name": name, "value": by_name[kind, name]} for kind, name in kept]
        return [*found, {"kind": "rest", "name": "other words and parts of words", "value": rest}]


def explain_topic(model: TopicModel, said: Said, probabilities: np.ndarray, neighbours: Neighbours) -> list[Found]:
    """Of each row: the chosen label, the runner-up, and what speaks for the one against the other, in log-odds."""
    near = neighbours.nearest(said.blocks.meaning, said.settings.neighbours)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    explained = []
    for i in range(len(said)):
        chosen, rival = int(order[i, 0]), int(order[i, min(1, order.shape[1] - 1)])
        columns, shares, meaning, base = model.contributions(said.row(i), chosen, rival)
        parts = [*said.named(i, columns, shares), _part("meaning", "meaning", meaning)]
        against = model.classes[rival] if rival != chosen else None
        parts.append(_part("base", "how frequent the labels are", base))
        explained.append(_explained(model.classes[chosen], against, parts, near[i]))
    return explained


def explain_priority(model: PriorityModel, said: Said, probabilities: np.ndarray) -> list[Found]:
    """Of each row: the chosen level, the next likely, and what speaks for it in the members of levels, in log-odds."""
    chosen_rows, explained = model.decide(probabilities), []
    for i in range(len(said)):
        chosen = int(chosen_rows[i])
        rival = int(np.argmax(np.where(np.arange(len(model.levels)) == chosen, -1.0, probabilities[i])))
        row = said.row(i)
        columns, shares, base = model.contributions(row, chosen, rival)
        width = row.terms.shape[1] + row.one_hot.shape[1]
        if model.view == "meaning":
            fields = columns >= row.meaning.shape[1]
            columns = np.where(fields, columns - row.meaning.shape[1] + row.terms.shape[1], width)
        inside = columns < width
        parts = [
            *said.named(i, columns[inside], shares[inside]),
            _part("meaning", "meaning", float(shares[~inside].sum())),
        ]
        parts.append(_part("base", "how frequent the levels are", base))
        explained.append(_explained(model.levels[chosen], model.levels[rival], parts, []))
    return explained


def explain_risk(model: EscalationModel, said: Said) -> list[Found]:
    """Of each row: what raises or lowers the log-odds of escalation; all shares add up to them."""
    explained = []
    for i in range(len(said)):
        columns, shares, others = model.contributions(said.row(i))
        parts = said.named(i, columns, shares)
        for name, value in others.items():
            if name.startswith("field:"):
                parts.append(_part("field", said.field(i, said.fields[int(name.removeprefix("field:"))]), value))
            elif name.startswith("moment:"):
                parts.append(_part("history", said.moment(i, int(name.removeprefix("moment:"))), value))
            else:
                kind = name if name in ("base", "meaning") else "number"
                parts.append(_part(kind, NUMBER_WORDS.get(name, name), value))
        explained.append(_explained("escalated", "not escalated", parts, []))
    return explained


def _part(kind: str, name: str, value: float) -> Found:
    return {"kind": kind, "name": name, "value": value}


def _explained(label: str, against: str | None, parts: list[Found], nearest: list[Found]) -> Found:
    return {"label": label, "against": against, "contributions": _closed(parts), "nearest": nearest}


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
