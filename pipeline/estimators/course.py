"""Risk as of a moment: trees that see a ticket's course and surroundings, joined with the risk at its creation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from pipeline.artifact import State
from pipeline.calibration import sigmoid
from pipeline.estimators.members import categorical, category_table, numbers_of, value_codes
from pipeline.estimators.past_rates import PastRates
from pipeline.estimators.trees import Trees
from pipeline.features.build import Blocks
from pipeline.features.table import NUMBERS

AGES = (0.0, 1.0, 4.0, 24.0, 72.0, 168.0)
"""Hours after creation at which training looks at each ticket; between them joints are interpolated."""

GROWN = {
    "fields": {"max_iter": 120, "max_leaf_nodes": 31, "min_samples_leaf": 30, "l2_regularization": 20.0},
    "rates": {"max_iter": 100, "max_leaf_nodes": 15, "min_samples_leaf": 100, "l2_regularization": 5.0},
}
"""What each member sees beside the course (codes of fields; their past rates) → how its trees grow."""

OWN_TREES = 50
"""So many trees a member has for one age alone, which has a part of the rows."""

FEWEST_OWN, FEWEST_OWN_EVENTS = 500, 50
"""With fewer snapshots of an age, or fewer of either outcome, it has no trees of its own."""

_ALWAYS = {"learning_rate": 0.08, "max_features": 0.3}

PULL = 50.0
"""A joint is drawn to `USUAL` as strongly as by so many tickets: few tickets bend it little."""

USUAL = np.array([[0.75, 0.25, 0.0], *[[0.0, 1.0, 0.0]] * (len(AGES) - 1)])
"""Joints where nothing better is known: at creation mostly the model that was made for it, later the trees, which know
the creation's fields too."""


@dataclass(frozen=True)
class Sight:
    """Which numbers of a moment the trees see.

    Attributes
    ----------
    columns : ndarray of int
        Their places among `AsOf.names`.
    age : int
        Place of the age in hours.
    queue : int
        Place of the queue, which is a code.
    """

    columns: np.ndarray
    age: int
    queue: int

    def table(
        self, name: str, blocks: Blocks, moment: np.ndarray, rates: np.ndarray, edges: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What a member sees, and which of its columns are codes."""
        seen, coded = moment[:, self.columns].astype(np.float64), self.columns == self.queue
        if name == "fields":
            return np.hstack([category_table(blocks, edges), seen]), np.append(categorical(blocks), coded)
        plain = np.hstack([rates, numbers_of(blocks, edges)])
        return np.hstack([plain, seen]), np.append(np.zeros(plain.shape[1], dtype=bool), coded)

    def columns_of(self, name: str, row: Blocks, rates: np.ndarray) -> list[str]:
        """Name of each column of a member's table."""
        seen = [f"moment:{j}" for j in self.columns]
        numbers = [f"number:{j}" for j in range(row.numbers.shape[1])]
        fields = [f"field:{j}" for j in range(row.codes.shape[1])]
        if name == "fields":
            return [*fields, *numbers, *seen]
        # value_codes: the fields, then hour and weekday, which stand among the numbers too
        times = [f"number:{NUMBERS.index(n)}" for n in ("hour", "weekday")]
        rated = [*fields, *times][: rates.shape[1] // 2]
        return [*rated, *rated, *numbers, *seen]


@dataclass(frozen=True)
class CourseModel:
    """log-odds = slope · those at creation + slope · mean of the trees' + shift; the three numbers depend on the age.

    Attributes
    ----------
    trees : dict
        `fields`, `rates` → Trees, grown on snapshots of all ages.
    own : tuple of dict, one for each of AGES
        The same, grown on the snapshots of that age alone; empty where it has too few, and those of all ages stand in.
        Trees of all ages rarely ask for the age first, and then for what matters at it: the weekday says little of a
        new ticket, and much of one that has lain there since Friday.
    past : tuple of PastRates
        Of all tickets, then one for each of AGES, of the tickets that were open at that age: among those that stay open
        for days, other values are bad signs.
    period_edges : ndarray
        See `members.period_edges`.
    joints : ndarray, shape (len(AGES), 3)
        Slope of the creation's log-odds, slope of the trees', shift.
    sight : Sight
    """

    trees: dict[str, Trees]
    own: tuple[dict[str, Trees], ...]
    past: tuple[PastRates, ...]
    period_edges: np.ndarray
    joints: np.ndarray
    sight: Sight

    @classmethod
    def fit(
        cls,
        blocks: Blocks,
        moment: np.ndarray,
        outcome: np.ndarray,
        *,
        rates: np.ndarray,
        past: tuple[PastRates, ...],
        edges: np.ndarray,
        weights: np.ndarray,
        sight: Sight,
        seed: int,
    ) -> CourseModel:
        """Grow the trees on snapshots of tickets; joints are fitted later, on snapshots not learned from.

        Parameters
        ----------
        blocks : Blocks, n rows
            Of each snapshot's ticket.
        moment : ndarray, shape (n, h)
            What was known as of each snapshot (`AsOf.look`).
        outcome : ndarray of 0 and 1, shape (n,)
        rates : ndarray, shape (n, 2f)
            Past rates of the ticket's values, among all tickets and among those of its age, as known at its creation.
        """
        tables = {name: sight.table(name, blocks, moment, rates, edges) for name in GROWN}

        def grown(rows: np.ndarray, **fewer: int) -> dict[str, Trees]:
            return {
                name: Trees.fit(
                    table[rows], outcome[rows], categorical=kinds, weights=weights[rows], seed=seed,
                    **_ALWAYS, **(GROWN[name] | fewer),
                )
                for name, (table, kinds) in tables.items()
            }  # fmt: skip

        own: list[dict[str, Trees]] = []
        reached = _reached(moment[:, sight.age])
        for place in range(len(AGES)):
            rows = np.flatnonzero(reached == place)
            happened = int(outcome[rows].sum())
            enough = len(rows) >= FEWEST_OWN and FEWEST_OWN_EVENTS <= happened <= len(rows) - FEWEST_OWN_EVENTS
            own.append(grown(rows, max_iter=OWN_TREES) if enough else {})
        return cls(grown(np.arange(len(outcome))), tuple(own), past, edges, USUAL, sight)

    def log_odds(self, blocks: Blocks, moment: np.ndarray) -> np.ndarray:
        """Mean of the log-odds of all members, of all ages and of the last of `AGES` that each ticket has reached."""
        rates, place = self.rates(blocks, moment), _reached(self.age_hours(moment))
        total = np.zeros(len(moment))
        for name, trees in self.trees.items():
            table = self.sight.table(name, blocks, moment, rates, self.period_edges)[0]
            always = trees.log_odds(table)
            total += always
            for age in np.unique(place):
                rows = place == age
                own = self.own[age].get(name)
                total[rows] += always[rows] if own is None else own.log_odds(table[rows])
        return np.asarray(total / (2 * len(self.trees)))

    def rates(self, blocks: Blocks, moment: np.ndarray) -> np.ndarray:
        """Past rates of each ticket's values, shape (n, 2f): of all, and of the last of `AGES` that it has reached."""
        codes, place = value_codes(blocks), _reached(self.age_hours(moment))
        found = np.zeros(codes.shape)
        for age in np.unique(place):
            found[place == age] = self.past[1 + age].transform(codes[place == age])
        return np.hstack([self.past[0].transform(codes), found])

    def age_hours(self, moment: np.ndarray) -> np.ndarray:
        """Age of each ticket at its moment, shape (n,)."""
        return np.asarray(moment[:, self.sight.age], dtype=np.float64)

    def join(self, creation: np.ndarray, course: np.ndarray, age_hours: np.ndarray) -> np.ndarray:
        """Calibrated log-odds from those at creation and those of the trees, shape (n,)."""
        own, seen, shift = self.joints_at(age_hours).T
        return np.asarray(own * creation + seen * course + shift)

    def joints_at(self, age_hours: np.ndarray) -> np.ndarray:
        """Joint of each age, interpolated in the logarithm of the age, shape (n, 3)."""
        age = np.log1p(np.nan_to_num(np.maximum(age_hours, 0.0)))
        return np.column_stack([np.interp(age, np.log1p(AGES), self.joints[:, j]) for j in range(3)])

    def contributions(self, row: Blocks, moment: np.ndarray) -> tuple[dict[str, float], float]:
        """Of one row, in log-odds of the trees' mean: what each column adds, and the base; they add up exactly.

        Columns are `field:J` (codes), `number:J`, `moment:J`; a past rate counts as its field.
        """
        rates, age = self.rates(row, moment), int(_reached(self.age_hours(moment))[0])
        shares: dict[str, float] = {}
        total, each = 0.0, 1 / (2 * len(self.trees))
        for name, always in self.trees.items():
            table = self.sight.table(name, row, moment, rates, self.period_edges)[0]
            for trees in (always, self.own[age].get(name, always)):
                found, base = trees.contributions(table)
                total += each * base
                for key, share in zip(self.sight.columns_of(name, row, rates), found[0].tolist(), strict=True):
                    shares[key] = shares.get(key, 0.0) + each * share
        return shares, total

    def state(self) -> State:
        """What is stored."""
        state: State = {"names": sorted(self.trees), "period_edges": self.period_edges, "joints": self.joints}
        state |= {"columns": self.sight.columns, "age": self.sight.age, "queue": self.sight.queue}
        state |= {"own": [sorted(own) for own in self.own]}
        parts = [(f"trees/{n}", t.state()) for n, t in self.trees.items()]
        parts += [(f"own/{i}/{n}", t.state()) for i, own in enumerate(self.own) for n, t in own.items()]
        parts += [(f"past/{i}", rates.state()) for i, rates in enumerate(self.past)]
        for place, part in parts:
            state |= {f"{place}/{k}": v for k, v in part.items()}
        return state

    @classmethod
    def from_state(cls, state: State) -> CourseModel:
        """The stored one again."""

        def under(prefix: str) -> State:
            return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}

        trees = {n: Trees.from_state(under(f"trees/{n}/")) for n in state["names"]}
        own = tuple(
            {n: Trees.from_state(under(f"own/{i}/{n}/")) for n in names} for i, names in enumerate(state["own"])
        )
        past = tuple(PastRates.from_state(under(f"past/{i}/")) for i in range(1 + len(AGES)))
        sight = Sight(state["columns"], int(state["age"]), int(state["queue"]))
        return cls(trees, own, past, state["period_edges"], state["joints"], sight)


def _reached(age_hours: np.ndarray) -> np.ndarray:
    """Position of the last of `AGES` that each ticket has reached, shape (n,)."""
    hours = np.nan_to_num(np.asarray(age_hours, dtype=np.float64)) * (1 + 1e-6)  # ages are float32
    return np.asarray(np.maximum(np.searchsorted(AGES, hours, side="right") - 1, 0))


def fit_joints(
    creation: np.ndarray, course: np.ndarray, outcome: np.ndarray, age: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Joint of each of `AGES`, by likelihood on snapshots not learned from, drawn to `USUAL`; shape (len(AGES), 3).

    Slopes are never negative.

    Parameters
    ----------
    age : ndarray of int, shape (n,)
        Position of each snapshot's age in `AGES`.
    """
    columns, joints = np.column_stack([creation, course, np.ones(len(creation))]), USUAL.copy()
    for place, usual in enumerate(USUAL):
        rows = age == place
        if rows.any():
            joints[place] = _likeliest(columns[rows], outcome[rows], weights[rows], usual)
    return joints


def _likeliest(columns: np.ndarray, outcome: np.ndarray, weights: np.ndarray, drawn_to: np.ndarray) -> np.ndarray:
    scale = np.array([1.0, 1.0, 0.5])

    def loss(joint: np.ndarray) -> tuple[float, np.ndarray]:
        score, away = columns @ joint, (joint - drawn_to) * scale
        likelihood = weights @ (np.logaddexp(0.0, score) - outcome * score)
        slope = columns.T @ (weights * (sigmoid(score) - outcome)) + PULL * away * scale
        return float(likelihood + PULL / 2 * away @ away), slope

    found = minimize(loss, drawn_to, jac=True, method="L-BFGS-B", bounds=[(0.0, None), (0.0, None), (None, None)])
    return np.asarray(found.x)
