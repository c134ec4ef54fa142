"""The priority model: ordered levels, monotone cumulative probabilities, and the level that costs least to miss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import scipy.sparse as sp

from pipeline.artifact import State
from pipeline.calibration import sigmoid, softmax
from pipeline.estimators.linear import Linear, Matrix, fit_logistic, fit_margins
from pipeline.estimators.stacking import beside
from pipeline.features.build import Blocks

View = Literal["words", "meaning", "both"]

DECISIONS = ("likeliest", "median", "mixed")
"""How a level is chosen: the likeliest; the median (least expected error in levels); half of each kind of cost."""

STRENGTH, MARGIN_STRENGTH = 1.0, 0.3
"""Inverse regularisation of the logistic members and of the margins; on Mozilla's inner slices best among 0.3 … 10."""

MARGIN_SLOPE = 2.0
"""Margins of one against the rest times this are scores of a softmax."""


@dataclass(frozen=True)
class PriorityModel:
    """Mean of three models on the same view: multinomial logistic, cumulative logistic, and margins.

    The first knows no order, the second nothing else, and margins are the strongest on sparse text.

    Attributes
    ----------
    levels : tuple of str
        Least urgent first.
    view : {'words', 'meaning', 'both'}
    multinomial : Linear
        Score of each level.
    cumulative : Linear
        One row a boundary: log-odds of being above level j, j = 0 … L - 2.
    margins : Linear
        Margin of each level against the rest.
    temperature : float
        Of the mean of both, fitted on a later slice.
    decision : str
        One of `DECISIONS`.
    """

    levels: tuple[str, ...]
    view: View
    multinomial: Linear
    cumulative: Linear
    margins: Linear
    temperature: float = 1.0
    decision: str = "mixed"

    @classmethod
    def fit(
        cls,
        levels: tuple[str, ...],
        name: View,
        blocks: Blocks,
        codes: np.ndarray,
        *,
        seed: int,
        weights: np.ndarray | None = None,
    ) -> PriorityModel:
        """Fit on rows whose level is known.

        Parameters
        ----------
        codes : ndarray of int, shape (n,)
            Position of each row's level; a level may be absent, and is then never likely.
        weights : ndarray, shape (n,), optional
            How much each row weighs; all alike without them.
        """
        matrix = view(blocks, name)
        present, places = np.unique(codes, return_inverse=True)
        one = fit_logistic(matrix, places, len(present), strength=STRENGTH, weights=weights, seed=seed, tolerance=1e-2)
        other = fit_margins(matrix, places, len(present), strength=MARGIN_STRENGTH, weights=weights, seed=seed)
        edges = [_boundary(matrix, codes > level, seed, weights) for level in range(len(levels) - 1)]
        cumulative = Linear(
            np.stack([e.coefficients[1] for e in edges]) if edges else np.zeros((0, matrix.shape[1])),
            np.array([e.intercepts[1] for e in edges]),
        )
        size = len(levels)
        return cls(levels, name, _spread(one, present, size), cumulative, _spread(other, present, size))

    def probabilities(self, blocks: Blocks) -> np.ndarray:
        """Calibrated probability of each level, shape (n, L)."""
        return softmax(np.log(np.maximum(self.raw(blocks), 1e-9)) / self.temperature)

    def raw(self, blocks: Blocks) -> np.ndarray:
        """Before calibration, shape (n, L): the mean of the members."""
        matrix = view(blocks, self.view)
        above = np.minimum.accumulate(
            sigmoid(self.cumulative.scores(matrix)), axis=1
        )  # being above never gets likelier upwards
        edges = np.hstack([np.ones((len(above), 1)), above, np.zeros((len(above), 1))])
        margins = softmax(MARGIN_SLOPE * self.margins.scores(matrix))
        return np.asarray((softmax(self.multinomial.scores(matrix)) - np.diff(edges, axis=1) + margins) / 3)

    def contributions(self, row: Blocks, chosen: int, rival: int) -> tuple[np.ndarray, np.ndarray, float]:
        """Of one row: columns, what each adds to `chosen` over `rival`, and the base; in the mean of the log-odds.

        The members that score each level by itself; the cumulative one scores boundaries.
        """
        matrix = view(row, self.view)
        columns, shares = self.multinomial.contributions(matrix, chosen, rival)
        _, more = self.margins.contributions(matrix, chosen, rival)
        base = [m.intercepts[chosen] - m.intercepts[rival] for m in (self.multinomial, self.margins)]
        return columns, (shares + MARGIN_SLOPE * more) / 2, float(base[0] + MARGIN_SLOPE * base[1]) / 2

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Position of the chosen level, shape (n,)."""
        return decide(probabilities, self.decision)

    def with_calibration(self, temperature: float, decision: str) -> PriorityModel:
        """The same, calibrated."""
        return replace(self, temperature=temperature, decision=decision)

    def state(self) -> State:
        """What is stored."""
        head = {
            "levels": list(self.levels),
            "view": self.view,
            "temperature": self.temperature,
            "decision": self.decision,
        }
        parts = {"multinomial": self.multinomial, "cumulative": self.cumulative, "margins": self.margins}
        return head | {f"{n}/{k}": v for n, p in parts.items() for k, v in p.state().items()}

    @classmethod
    def from_state(cls, state: State) -> PriorityModel:
        """The stored one again."""
        names = ("multinomial", "cumulative", "margins")
        parts = [
            Linear.from_state({k.removeprefix(f"{n}/"): v for k, v in state.items() if k.startswith(f"{n}/")})
            for n in names
        ]
        levels, temperature = tuple(state["levels"]), float(state["temperature"])
        return cls(levels, state["view"], parts[0], parts[1], parts[2], temperature, state["decision"])


def _boundary(matrix: Matrix, above: np.ndarray, seed: int, weights: np.ndarray | None) -> Linear:
    """Being above a level; LIBLINEAR's dual, which is quick where there are more columns than rows."""
    from sklearn.linear_model import LogisticRegression

    if above.all() or not above.any():
        base = 10.0 if above.all() else -10.0
        return Linear(np.zeros((2, matrix.shape[1]), dtype=np.float32), np.array([-base, base]))
    model = LogisticRegression(C=STRENGTH, solver="liblinear", dual=True, tol=1e-2, max_iter=200, random_state=seed)
    row, base = model.fit(matrix, above, sample_weight=weights).coef_[0], float(model.intercept_[0])
    return Linear(np.stack([-row, row]).astype(np.float32), np.array([-base, base]))


def _spread(model: Linear, present: np.ndarray, size: int) -> Linear:
    """A model of the levels that occur as one of all levels; one that is absent is never likely."""
    coefficients = np.zeros((size, model.coefficients.shape[1]), dtype=np.float32)
    intercepts = np.full(size, -20.0)
    coefficients[present], intercepts[present] = model.coefficients, model.intercepts
    return Linear(coefficients, intercepts)


def decide(probabilities: np.ndarray, decision: str) -> np.ndarray:
    """The level with the least expected cost: 1 for any error, its distance in levels, or half of each."""
    size = probabilities.shape[1]
    distance = np.abs(np.arange(size)[:, None] - np.arange(size)[None, :]).astype(float)
    miss = (distance > 0).astype(float)
    cost = {"likeliest": miss, "median": distance, "mixed": (miss + distance) / 2}[decision]
    return np.asarray((probabilities @ cost).argmin(axis=1))


def view(blocks: Blocks, name: View) -> Matrix:
    """The matrix that all members see."""
    if name == "meaning":
        return blocks.meaning if blocks.one_hot.shape[1] == 0 else np.hstack([blocks.meaning, blocks.one_hot.toarray()])
    return beside(blocks.terms, blocks.one_hot, *([sp.csr_matrix(blocks.meaning)] if name == "both" else []))
