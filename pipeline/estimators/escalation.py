"""The escalation model: a calibrated risk from words, meaning, fields and the past rates of fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp

from pipeline.artifact import State
from pipeline.calibration import Platt, logit, sigmoid
from pipeline.estimators.linear import Linear
from pipeline.estimators.maturity import maturity_weights
from pipeline.estimators.trees import MAX_CATEGORY, Trees
from pipeline.features.build import Blocks
from pipeline.features.past_rates import PastRates, as_of_rates, folded_rates
from pipeline.features.table import NUMBERS

Member = Literal["words", "meaning", "values", "trees", "rates"]

CANDIDATES: dict[str, tuple[tuple[Member, float], ...]] = {
    "words": (("words", 1.0),),
    "text": (("words", 0.5), ("meaning", 0.5)),
    "table": (("values", 0.25), ("trees", 0.5), ("rates", 0.25)),
    "both": (("words", 0.3), ("meaning", 0.2), ("values", 0.125), ("trees", 0.25), ("rates", 0.125)),
}
"""Candidate → members and their weights in the mean of log-odds. Weights of `table` are those of the incidents' tuning slice."""

HOUR_BINS = 6

_TREES = {"learning_rate": 0.05, "max_iter": 200, "max_leaf_nodes": 31, "min_samples_leaf": 30, "l2_regularization": 20.0, "max_features": 0.3}
_RATES = {"learning_rate": 0.05, "max_iter": 150, "max_leaf_nodes": 15, "min_samples_leaf": 100, "l2_regularization": 5.0, "max_features": 0.3}


@dataclass(frozen=True)
class EscalationModel:
    """Weighted mean of the members' log-odds, put on a straight line by a later slice.

    Attributes
    ----------
    members : tuple of (name, weight)
    linear : dict
        `words`, `meaning`, `values` → Linear with two classes.
    trees : dict
        `trees`, `rates` → Trees.
    past : PastRates or None
    hour_edges : ndarray
        Edges of the bins of the hour.
    platt : Platt
    """

    members: tuple[tuple[Member, float], ...]
    linear: dict[str, Linear]
    trees: dict[str, Trees]
    past: PastRates | None
    hour_edges: np.ndarray
    platt: Platt

    @classmethod
    def fit(
        cls, candidate: str, blocks: Blocks, outcome: np.ndarray, *, created: np.ndarray | None, known: np.ndarray | None,
        cut: int | None, seed: int,
    ) -> EscalationModel:
        """Fit one of `CANDIDATES`.

        Parameters
        ----------
        outcome : ndarray of 0 and 1, shape (n,)
        created, known : ndarray of int64, shape (n,), or None
            Moments; without them past rates come from other folds, and no row is too young.
        cut : int or None
            The moment from which nothing is known.
        """
        weights = np.ones(len(outcome)) if created is None or known is None or cut is None else maturity_weights(outcome, created, known, cut)
        rates = folded_rates(blocks.codes, outcome) if created is None or known is None else as_of_rates(blocks.codes, outcome, created, known)
        old = np.flatnonzero(weights > 0)
        part, target, weight = blocks.take(old), outcome[old], weights[old]
        members = _possible(CANDIDATES[candidate], blocks)
        edges = _hour_edges(part)
        linear: dict[str, Linear] = {}
        trees: dict[str, Trees] = {}
        for name, _ in members:
            if name == "trees":
                table = _category_table(part)
                trees[name] = Trees.fit(table, target, categorical=_categorical(part), weights=weight, seed=seed, **_TREES)
            elif name == "rates":
                table = np.hstack([rates[old], _numbers(part)])
                trees[name] = Trees.fit(table, target, categorical=np.zeros(table.shape[1], dtype=bool), weights=weight, seed=seed, **_RATES)
            else:
                linear[name] = _fit_linear(name, _matrix(name, part, edges), target, weight, seed)
        past = PastRates.fit(blocks.codes, outcome) if "rates" in trees else None
        return cls(members, linear, trees, past, edges, Platt())

    def raw_log_odds(self, blocks: Blocks) -> np.ndarray:
        """Before calibration, shape (n,)."""
        total = np.zeros(len(blocks))
        for name, weight in self.members:
            total += weight * self._member(name, blocks)
        return total

    def risk(self, blocks: Blocks) -> np.ndarray:
        """P(escalated), shape (n,)."""
        return self.platt.apply(sigmoid(self.raw_log_odds(blocks)))

    def contributions(self, row: Blocks) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
        """Of one row, in log-odds: (columns of [terms | one_hot], their shares, shares of everything else by name).

        All shares add up to the log-odds of the risk, exactly (`base` among the names).
        """
        width = row.terms.shape[1] + row.one_hot.shape[1]
        by_column, named = np.zeros(width), {"base": self.platt.shift}
        for name, weight in self.members:
            scale = weight * self.platt.slope
            if name in ("trees", "rates"):
                shares, base = self.trees[name].contributions(self._tables(name, row)[0])
                for column, share in enumerate(shares):
                    key = f"field:{column}" if column < row.codes.shape[1] else NUMBERS[column - row.codes.shape[1]]
                    named[key] = named.get(key, 0.0) + scale * float(share)
            else:
                columns, parts = self.linear[name].contributions(_matrix(name, row, self.hour_edges), 1, 0)
                halves, base = parts / 2, float(self.linear[name].intercepts[1])
                if name == "words":
                    np.add.at(by_column, columns, scale * halves)
                elif name == "meaning":
                    named["meaning"] = named.get("meaning", 0.0) + scale * float(halves.sum())
                else:
                    fields = columns < row.one_hot.shape[1]
                    np.add.at(by_column, row.terms.shape[1] + columns[fields], scale * halves[fields])
                    named["hour"] = named.get("hour", 0.0) + scale * float(halves[~fields].sum())
            named["base"] += scale * base
        columns = np.flatnonzero(by_column)
        return columns, by_column[columns], named

    def _member(self, name: str, blocks: Blocks) -> np.ndarray:
        if name in self.trees:
            return self.trees[name].log_odds(self._tables(name, blocks))
        return self.linear[name].scores(_matrix(name, blocks, self.hour_edges))[:, 1]

    def _tables(self, name: str, blocks: Blocks) -> np.ndarray:
        if name == "trees":
            return _category_table(blocks)
        assert self.past is not None
        return np.hstack([self.past.transform(blocks.codes), _numbers(blocks)])

    def state(self) -> State:
        """What is stored."""
        state: State = {
            "members": [list(m) for m in self.members], "linear": sorted(self.linear), "trees": sorted(self.trees),
            "hour_edges": self.hour_edges, "platt": [self.platt.slope, self.platt.shift], "past": self.past is not None,
        }
        for kind, parts in (("linear", self.linear), ("trees", self.trees), ("past", {"past": self.past} if self.past else {})):
            for name, part in parts.items():  # type: ignore[attr-defined]
                state |= {f"{kind}/{name}/{k}": v for k, v in part.state().items()}
        return state

    @classmethod
    def from_state(cls, state: State) -> EscalationModel:
        """The stored one again."""
        linear = {n: Linear.from_state(_under(state, f"linear/{n}/")) for n in state["linear"]}
        trees = {n: Trees.from_state(_under(state, f"trees/{n}/")) for n in state["trees"]}
        past = PastRates.from_state(_under(state, "past/past/")) if state["past"] else None
        members = tuple((str(n), float(w)) for n, w in state["members"])
        return cls(members, linear, trees, past, state["hour_edges"], Platt(*state["platt"]))  # type: ignore[arg-type]


def possible(blocks: Blocks, wanted: Sequence[str]) -> list[str]:
    """The candidates, of those wanted, whose blocks aren't empty; two that come to the same are one."""
    found: dict[tuple[tuple[Member, float], ...], str] = {}
    for name in wanted:
        members = _possible(CANDIDATES[name], blocks)
        if members:
            found.setdefault(members, name)
    return list(found.values())


def _possible(members: tuple[tuple[Member, float], ...], blocks: Blocks) -> tuple[tuple[Member, float], ...]:
    there = {
        "words": blocks.terms.nnz > 0,
        "meaning": blocks.meaning.shape[1] > 0,
        "values": blocks.one_hot.shape[1] > 0,
        "trees": blocks.codes.shape[1] > 0,
        "rates": blocks.codes.shape[1] > 0,
    }
    kept = [(n, w) for n, w in members if there[n]]
    total = sum(w for _, w in kept)
    return tuple((n, w / total) for n, w in kept)


def _matrix(name: str, blocks: Blocks, edges: np.ndarray) -> sp.csr_matrix | np.ndarray:
    if name == "meaning":
        return blocks.meaning
    if name == "words":
        return sp.hstack([blocks.terms, blocks.one_hot], format="csr", dtype=np.float32)
    hour = blocks.numbers[:, 0]
    place = np.where(np.isnan(hour), HOUR_BINS, np.searchsorted(edges, np.nan_to_num(hour), side="right"))
    hours = sp.csr_matrix((np.ones(len(hour), dtype=np.float32), (np.arange(len(hour)), place)), shape=(len(hour), HOUR_BINS + 1))
    return sp.hstack([blocks.one_hot, hours], format="csr", dtype=np.float32)


def _fit_linear(name: str, matrix: sp.csr_matrix | np.ndarray, target: np.ndarray, weight: np.ndarray, seed: int) -> Linear:
    from sklearn.linear_model import LogisticRegression

    strength = {"words": 1.0, "meaning": 1.0, "values": 0.3}[name]
    solver = "lbfgs" if name == "meaning" else "liblinear"
    model = LogisticRegression(C=strength, solver=solver, max_iter=300, random_state=seed).fit(matrix, target, sample_weight=weight)
    row, base = np.asarray(model.coef_[0], dtype=np.float32), float(model.intercept_[0])
    return Linear(np.vstack([-row, row]), np.array([-base, base]))


def _hour_edges(blocks: Blocks) -> np.ndarray:
    """Edges of `HOUR_BINS` bins of equal mass."""
    hour = blocks.numbers[:, 0]
    hour = hour[~np.isnan(hour)]
    if len(hour) == 0:
        return np.arange(1, HOUR_BINS) * 24.0 / HOUR_BINS
    return np.quantile(hour, np.arange(1, HOUR_BINS) / HOUR_BINS)


def _category_table(blocks: Blocks) -> np.ndarray:
    return np.hstack([np.minimum(blocks.codes, MAX_CATEGORY).astype(np.float64), _numbers(blocks)])


def _categorical(blocks: Blocks) -> np.ndarray:
    return np.arange(blocks.codes.shape[1] + len(NUMBERS)) < blocks.codes.shape[1]


def _numbers(blocks: Blocks) -> np.ndarray:
    return blocks.numbers.astype(np.float64)


def _under(state: State, prefix: str) -> State:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
