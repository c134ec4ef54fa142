"""The escalation model: a calibrated risk from words, meaning, fields and the past rates of fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp

from pipeline.artifact import State
from pipeline.calibration import Platt, sigmoid
from pipeline.estimators.linear import Linear
from pipeline.estimators.maturity import maturity_weights
from pipeline.estimators.past_rates import PastRates, as_of_rates, folded_rates
from pipeline.estimators.trees import MAX_CATEGORY, Trees
from pipeline.features.build import Blocks
from pipeline.features.table import NUMBERS

Member = Literal["words", "meaning", "values", "trees_0", "trees_1", "trees_2", "rates"]
Weighted = tuple[tuple[Member, float], ...]

_TABLE: Weighted = (("values", 1 / 4), ("trees_0", 1 / 6), ("trees_1", 1 / 6), ("trees_2", 1 / 6), ("rates", 1 / 4))


def _mixed(text: Weighted, share: float) -> Weighted:
    return (*((n, w * share) for n, w in text), *((n, w * (1 - share)) for n, w in _TABLE))


CANDIDATES: dict[str, Weighted] = {
    "words": (("words", 1.0),),
    "text": (("words", 0.5), ("meaning", 0.5)),
    "table": _TABLE,
    "mostly_text": _mixed((("words", 0.5), ("meaning", 0.5)), 0.75),
    "both": _mixed((("words", 0.5), ("meaning", 0.5)), 0.5),
    "mostly_table": _mixed((("words", 0.5), ("meaning", 0.5)), 0.25),
}
"""Candidate → members and their weights in the mean of log-odds. The table's own weights are those of the incidents' tuning slice."""

PERIODS = 6
"""The past is cut into so many periods of equally many tickets; a new ticket belongs to the newest."""

_DAY, _HOUR, _WEEKDAY = (NUMBERS.index(n) for n in ("day", "hour", "weekday"))

_TREES = {
    "learning_rate": 0.05,
    "max_iter": 200,
    "max_leaf_nodes": 31,
    "min_samples_leaf": 30,
    "l2_regularization": 20.0,
    "max_features": 0.3,
}
_RATES = {
    "learning_rate": 0.05,
    "max_iter": 150,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 100,
    "l2_regularization": 5.0,
    "max_features": 0.3,
}


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
    period_edges : ndarray, shape (PERIODS - 1,)
        Days at which periods of the past begin.
    platt : Platt
    """

    members: tuple[tuple[Member, float], ...]
    linear: dict[str, Linear]
    trees: dict[str, Trees]
    past: PastRates | None
    period_edges: np.ndarray
    platt: Platt

    @classmethod
    def fit(
        cls,
        members: Weighted,
        blocks: Blocks,
        outcome: np.ndarray,
        *,
        created: np.ndarray | None,
        known: np.ndarray | None,
        cut: int | None,
        seed: int,
    ) -> EscalationModel:
        """Fit the members, each on its own.

        Parameters
        ----------
        members : tuple of (name, weight)
            As `members_of` gives them.
        outcome : ndarray of 0 and 1, shape (n,)
        created, known : ndarray of int64, shape (n,), or None
            Moments; without them past rates come from other folds, and no row is too young.
        cut : int or None
            The moment from which nothing is known.
        """
        weights = (
            np.ones(len(outcome))
            if created is None or known is None or cut is None
            else maturity_weights(outcome, created, known, cut)
        )
        codes = _codes(blocks)
        rates = (
            folded_rates(codes, outcome)
            if created is None or known is None
            else as_of_rates(codes, outcome, created, known)
        )
        old = np.flatnonzero(weights > 0)
        part, target, weight = blocks.take(old), outcome[old], weights[old]
        edges = _period_edges(part)
        linear: dict[str, Linear] = {}
        trees: dict[str, Trees] = {}
        for name, _ in members:
            if name.startswith("trees"):
                table = _category_table(part, edges)
                own_seed = seed + int(name.removeprefix("trees_"))
                trees[name] = Trees.fit(
                    table, target, categorical=_categorical(part), weights=weight, seed=own_seed, **_TREES
                )
            elif name == "rates":
                table = np.hstack([rates[old], _numbers(part, edges)])
                trees[name] = Trees.fit(
                    table, target, categorical=np.zeros(table.shape[1], dtype=bool), weights=weight, seed=seed, **_RATES
                )
            else:
                linear[name] = _fit_linear(name, _matrix(name, part, edges), target, weight, seed)
        past = PastRates.fit(codes, outcome) if "rates" in trees else None
        return cls(members, linear, trees, past, edges, Platt())

    def raw_log_odds(self, blocks: Blocks) -> np.ndarray:
        """Before calibration, shape (n,)."""
        return weighted(self.member_log_odds(blocks), self.members)

    def member_log_odds(self, blocks: Blocks) -> dict[str, np.ndarray]:
        """Log-odds of each member, each of shape (n,)."""
        return {name: self._member(name, blocks) for name, _ in self.members}

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
            if name in self.trees:
                found, base = self.trees[name].contributions(self._tables(name, row))
                shares = found[0]
                fields = row.codes.shape[1]
                extra = (("hour", "weekday") if name == "rates" else ()) + NUMBERS
                for column, share in enumerate(shares):
                    key = f"field:{column}" if column < fields else extra[column - fields]
                    named[key] = named.get(key, 0.0) + scale * float(share)
            else:
                columns, parts = self.linear[name].contributions(_matrix(name, row, self.period_edges), 1, 0)
                halves, base = parts / 2, float(self.linear[name].intercepts[1])
                if name == "words":
                    np.add.at(by_column, columns, scale * halves)
                elif name == "meaning":
                    named["meaning"] = named.get("meaning", 0.0) + scale * float(halves.sum())
                else:
                    valued = columns < row.one_hot.shape[1]
                    np.add.at(by_column, row.terms.shape[1] + columns[valued], scale * halves[valued])
                    named["time"] = named.get("time", 0.0) + scale * float(halves[~valued].sum())
            named["base"] += scale * base
        columns = np.flatnonzero(by_column)
        return columns, by_column[columns], named

    def _member(self, name: str, blocks: Blocks) -> np.ndarray:
        if name in self.trees:
            return self.trees[name].log_odds(self._tables(name, blocks))
        return self.linear[name].scores(_matrix(name, blocks, self.period_edges))[:, 1]

    def _tables(self, name: str, blocks: Blocks) -> np.ndarray:
        if name != "rates" or self.past is None:
            return _category_table(blocks, self.period_edges)
        return np.hstack([self.past.transform(_codes(blocks)), _numbers(blocks, self.period_edges)])

    def state(self) -> State:
        """What is stored."""
        state: State = {
            "members": [list(m) for m in self.members],
            "linear": sorted(self.linear),
            "trees": sorted(self.trees),
            "period_edges": self.period_edges,
            "platt": [self.platt.slope, self.platt.shift],
            "past": self.past is not None,
        }
        for kind, parts in (
            ("linear", self.linear),
            ("trees", self.trees),
            ("past", {"past": self.past} if self.past else {}),
        ):
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
        return cls(members, linear, trees, past, state["period_edges"], Platt(*state["platt"]))  # type: ignore[arg-type]


def weighted(log_odds: dict[str, np.ndarray], members: Weighted) -> np.ndarray:
    """Weighted sum of the members' log-odds, shape (n,)."""
    total = np.zeros_like(log_odds[members[0][0]])
    for name, weight in members:
        total += weight * log_odds[name]
    return total


def possible(blocks: Blocks, wanted: Sequence[str]) -> dict[str, Weighted]:
    """Members of the candidates, of those wanted, whose blocks aren't empty; two that come to the same are one."""
    found: dict[Weighted, str] = {}
    for name in wanted:
        members = _possible(CANDIDATES[name], blocks)
        if members:
            found.setdefault(members, name)
    return {name: members for members, name in found.items()}


def _possible(members: Weighted, blocks: Blocks) -> Weighted:
    there = {"words": blocks.terms.nnz > 0, "meaning": blocks.meaning.shape[1] > 0}
    fields = blocks.codes.shape[1] > 0
    kept = [(n, w) for n, w in members if there.get(n, fields)]
    total = sum(w for _, w in kept)
    return tuple((n, w / total) for n, w in kept)


def _matrix(name: str, blocks: Blocks, edges: np.ndarray) -> sp.csr_matrix | np.ndarray:
    if name == "meaning":
        return blocks.meaning
    if name == "words":
        return (
            blocks.terms
        )  # columns of fields beside the words made rare risks worse; fields have members of their own
    moments = _time_codes(blocks)
    period = _period(blocks, edges)
    parts = [
        blocks.one_hot,
        _indicator(moments[:, 0], 10),
        _indicator(moments[:, 1], 9),
        _indicator(period, PERIODS + 1),
    ]
    return sp.hstack(parts, format="csr", dtype=np.float32)


def _indicator(place: np.ndarray, width: int) -> sp.csr_matrix:
    n = len(place)
    return sp.csr_matrix((np.ones(n, dtype=np.float32), (np.arange(n), place.astype(int))), shape=(n, width))


def _time_codes(blocks: Blocks) -> np.ndarray:
    """Third of the day's hours (2 … 9) and weekday (2 … 8), 0 without a time: fields like any other, shape (n, 2)."""
    hour, weekday = blocks.numbers[:, _HOUR], blocks.numbers[:, _WEEKDAY]
    unknown = np.isnan(hour)
    codes = np.stack([2 + np.nan_to_num(hour) // 3, 2 + np.nan_to_num(weekday)], axis=1)
    codes[unknown] = 0
    return np.asarray(codes.astype(np.int32))


def _codes(blocks: Blocks) -> np.ndarray:
    """Codes of the fields, the hour and the weekday."""
    return np.hstack([blocks.codes, _time_codes(blocks)])


def _period_edges(blocks: Blocks) -> np.ndarray:
    day = blocks.numbers[:, _DAY]
    day = day[~np.isnan(day)]
    return np.quantile(day, np.arange(1, PERIODS) / PERIODS) if len(day) else np.zeros(0)


def _period(blocks: Blocks, edges: np.ndarray) -> np.ndarray:
    day = blocks.numbers[:, _DAY]
    return np.where(np.isnan(day), PERIODS, np.searchsorted(edges, np.nan_to_num(day), side="right"))


def _fit_linear(
    name: str, matrix: sp.csr_matrix | np.ndarray, target: np.ndarray, weight: np.ndarray, seed: int
) -> Linear:
    from sklearn.linear_model import LogisticRegression

    strength = {"words": 0.3, "meaning": 1.0, "values": 0.3}[name]
    solver = "lbfgs" if name == "meaning" else "liblinear"
    model = LogisticRegression(C=strength, solver=solver, max_iter=300, random_state=seed).fit(
        matrix, target, sample_weight=weight
    )
    row, base = np.asarray(model.coef_[0], dtype=np.float32), float(model.intercept_[0])
    return Linear(np.vstack([-row, row]), np.array([-base, base]))


def _category_table(blocks: Blocks, edges: np.ndarray) -> np.ndarray:
    return np.hstack([np.minimum(blocks.codes, MAX_CATEGORY).astype(np.float64), _numbers(blocks, edges)])


def _categorical(blocks: Blocks) -> np.ndarray:
    return np.arange(blocks.codes.shape[1] + len(NUMBERS)) < blocks.codes.shape[1]


def _numbers(blocks: Blocks, edges: np.ndarray) -> np.ndarray:
    """The numbers, the day as its period: a tree must not learn a date that never comes again."""
    table = blocks.numbers.astype(np.float64)
    table[:, _DAY] = _period(blocks, edges)
    return table


def _under(state: State, prefix: str) -> State:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
