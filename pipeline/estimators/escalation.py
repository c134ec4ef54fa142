"""The escalation model: a calibrated risk from words, meaning, fields and their past rates, and from the history."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.artifact import State
from pipeline.calibration import Platt, sigmoid
from pipeline.estimators.course import CourseModel
from pipeline.estimators.linear import Linear
from pipeline.estimators.maturity import maturity_weights
from pipeline.estimators.members import (
    Member,
    Weighted,
    categorical,
    category_table,
    fit_linear,
    matrix_of,
    numbers_of,
    period_edges,
    value_codes,
    weighted,
)
from pipeline.estimators.past_rates import PastRates, as_of_rates, folded_rates
from pipeline.estimators.trees import Trees
from pipeline.features.build import Blocks
from pipeline.features.table import NUMBERS

FORESTS = 3
"""Trees on values are grown so many times with other seeds, and averaged."""

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
    """Weighted mean of the members' log-odds, put on a straight line by a later slice; joined with the course.

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
        Of the ticket at its creation, by itself.
    course : CourseModel or None
        Joined with it where a history is given; None where no history was learned from.
    """

    members: tuple[tuple[Member, float], ...]
    linear: dict[str, Linear]
    trees: dict[str, Trees]
    past: PastRates | None
    period_edges: np.ndarray
    platt: Platt
    course: CourseModel | None = None

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
        codes = value_codes(blocks)
        rates = (
            folded_rates(codes, outcome)
            if created is None or known is None
            else as_of_rates(codes, outcome, created, known)
        )
        old = np.flatnonzero(weights > 0)
        part, target, weight = blocks.take(old), outcome[old], weights[old]
        edges = period_edges(part)
        linear: dict[str, Linear] = {}
        trees: dict[str, Trees] = {}
        for name, _ in members:
            if name == "trees":
                table, kinds = category_table(part, edges), categorical(part)
                trees[name] = Trees.averaged(
                    [
                        Trees.fit(table, target, categorical=kinds, weights=weight, seed=seed + i, **_TREES)
                        for i in range(FORESTS)
                    ]
                )
            elif name == "rates":
                table = np.hstack([rates[old], numbers_of(part, edges)])
                trees[name] = Trees.fit(
                    table, target, categorical=np.zeros(table.shape[1], dtype=bool), weights=weight, seed=seed, **_RATES
                )
            else:
                linear[name] = fit_linear(name, matrix_of(name, part, edges), target, weight, seed)
        past = PastRates.fit(codes, outcome) if "rates" in trees else None
        return cls(members, linear, trees, past, edges, Platt())

    def raw_log_odds(self, blocks: Blocks) -> np.ndarray:
        """Before calibration, shape (n,)."""
        return weighted(self.member_log_odds(blocks), self.members)

    def member_log_odds(self, blocks: Blocks) -> dict[str, np.ndarray]:
        """Log-odds of each member, each of shape (n,)."""
        return {name: self._member(name, blocks) for name, _ in self.members}

    def risk(self, blocks: Blocks) -> np.ndarray:
        """P(escalated), shape (n,): as of the blocks' moments where a history was looked at, else at creation."""
        own = self.raw_log_odds(blocks)
        if self.course is None or blocks.moment is None:
            return self.platt.apply(sigmoid(own))
        seen = self.course.log_odds(blocks, blocks.moment)
        return sigmoid(self.course.join(own, seen, self.course.age_hours(blocks.moment)))

    def contributions(self, row: Blocks) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
        """Of one row, in log-odds: (columns of [terms | one_hot], their shares, shares of everything else by name).

        All shares add up to the log-odds of the risk, exactly (`base` among the names); `moment:J` is a number of the
        history.
        """
        width = row.terms.shape[1] + row.one_hot.shape[1]
        own, named = self.platt.slope, {"base": self.platt.shift}
        if self.course is not None and row.moment is not None:
            own, seen, shift = self.course.joints_at(self.course.age_hours(row.moment))[0].tolist()
            by_number, base = self.course.contributions(row, row.moment)
            named = {"base": shift + seen * base}
            for key, value in by_number.items():
                kind, _, place = key.partition(":")
                name = NUMBERS[int(place)] if kind == "number" else key
                named[name] = named.get(name, 0.0) + seen * value
        by_column = np.zeros(width)
        for name, weight in self.members:
            scale = weight * own
            if name in self.trees:
                found, base = self.trees[name].contributions(self._tables(name, row))
                shares = found[0]
                fields = row.codes.shape[1]
                extra = (("hour", "weekday") if name == "rates" else ()) + NUMBERS
                for column, share in enumerate(shares):
                    key = f"field:{column}" if column < fields else extra[column - fields]
                    named[key] = named.get(key, 0.0) + scale * float(share)
            else:
                columns, parts = self.linear[name].contributions(matrix_of(name, row, self.period_edges), 1, 0)
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
        return self.linear[name].scores(matrix_of(name, blocks, self.period_edges))[:, 1]

    def _tables(self, name: str, blocks: Blocks) -> np.ndarray:
        if name != "rates" or self.past is None:
            return category_table(blocks, self.period_edges)
        return np.hstack([self.past.transform(value_codes(blocks)), numbers_of(blocks, self.period_edges)])

    def state(self) -> State:
        """What is stored."""
        state: State = {
            "members": [list(m) for m in self.members],
            "linear": sorted(self.linear),
            "trees": sorted(self.trees),
            "period_edges": self.period_edges,
            "platt": [self.platt.slope, self.platt.shift],
            "past": self.past is not None,
            "course": self.course is not None,
        }
        stored = [(f"linear/{n}", p.state()) for n, p in self.linear.items()]
        stored += [(f"trees/{n}", p.state()) for n, p in self.trees.items()]
        stored += [("past/past", self.past.state())] if self.past is not None else []
        stored += [("course", self.course.state())] if self.course is not None else []
        for place, part in stored:
            state |= {f"{place}/{k}": v for k, v in part.items()}
        return state

    @classmethod
    def from_state(cls, state: State) -> EscalationModel:
        """The stored one again."""
        linear = {n: Linear.from_state(_under(state, f"linear/{n}/")) for n in state["linear"]}
        trees = {n: Trees.from_state(_under(state, f"trees/{n}/")) for n in state["trees"]}
        past = PastRates.from_state(_under(state, "past/past/")) if state["past"] else None
        members = tuple((str(n), float(w)) for n, w in state["members"])
        course = CourseModel.from_state(_under(state, "course/")) if state["course"] else None
        platt = Platt(*state["platt"])
        return cls(members, linear, trees, past, state["period_edges"], platt, course)  # type: ignore[arg-type]


def _under(state: State, prefix: str) -> State:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
