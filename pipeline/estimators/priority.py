"""The priority model: ordered levels, monotone cumulative probabilities, and the level that costs least to miss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import scipy.sparse as sp

from pipeline.artifact import State
from pipeline.calibration import sigmoid, softmax
from pipeline.estimators.linear import Linear, Matrix
from pipeline.features.build import Blocks

View = Literal["words", "meaning", "both"]

DECISIONS = ("likeliest", "median", "mixed")
"""How a level is chosen: the likeliest; the median (least expected error in levels); half of each kind of cost."""

STRENGTHS = (3.0,)


@dataclass(frozen=True)
class PriorityModel:
    """Mean of a multinomial and a cumulative logistic model on the same view.

    Attributes
    ----------
    levels : tuple of str
        Least urgent first.
    view : {'words', 'meaning', 'both'}
    multinomial : Linear
        Score of each level.
    cumulative : Linear
        One row a boundary: log-odds of being above level j, j = 0 … L - 2.
    temperature : float
        Of the mean of both, fitted on a later slice.
    decision : str
        One of `DECISIONS`.
    """

    levels: tuple[str, ...]
    view: View
    multinomial: Linear
    cumulative: Linear
    temperature: float = 1.0
    decision: str = "mixed"

    @classmethod
    def fit(
        cls, levels: tuple[str, ...], name: View, blocks: Blocks, codes: np.ndarray, *, strength: float, seed: int
    ) -> PriorityModel:
        """Fit on rows whose level is known.

        Parameters
        ----------
        codes : ndarray of int, shape (n,)
            Position of each row's level; a level may be absent, and is then never likely.
        """
        from sklearn.linear_model import LogisticRegression

        matrix = view(blocks, name)
        present = np.unique(codes)
        coefficients, intercepts = (
            np.zeros((len(levels), matrix.shape[1]), dtype=np.float32),
            np.full(len(levels), -20.0),
        )
        model = LogisticRegression(C=strength, max_iter=200, tol=1e-3, random_state=seed)
        if len(present) > 1:
            model.fit(matrix, codes)
            rows, base = np.asarray(model.coef_), np.asarray(model.intercept_)
            if len(present) == 2:
                rows, base = np.vstack([-rows / 2, rows / 2]), np.array([-base[0] / 2, base[0] / 2])
            coefficients[present], intercepts[present] = rows, base
        else:
            intercepts[present] = 0.0
        above, edges = [], []
        for level in range(len(levels) - 1):
            target = codes > level
            if target.all() or not target.any():
                above.append(np.zeros(matrix.shape[1]))
                edges.append(20.0 if target.all() else -20.0)
                continue
            binary = LogisticRegression(C=strength, solver="liblinear", max_iter=200, random_state=seed).fit(
                matrix, target
            )
            above.append(binary.coef_[0])
            edges.append(float(binary.intercept_[0]))
        cumulative = Linear(
            np.array(above, dtype=np.float32).reshape(len(levels) - 1, matrix.shape[1]), np.array(edges)
        )
        return cls(levels, name, Linear(coefficients, intercepts), cumulative)

    def probabilities(self, blocks: Blocks) -> np.ndarray:
        """Calibrated probability of each level, shape (n, L)."""
        return softmax(np.log(np.maximum(self.raw(blocks), 1e-9)) / self.temperature)

    def raw(self, blocks: Blocks) -> np.ndarray:
        """Before calibration, shape (n, L): the mean of both members."""
        matrix = view(blocks, self.view)
        above = np.minimum.accumulate(
            sigmoid(self.cumulative.scores(matrix)), axis=1
        )  # being above never gets likelier upwards
        edges = np.hstack([np.ones((len(above), 1)), above, np.zeros((len(above), 1))])
        return np.asarray((softmax(self.multinomial.scores(matrix)) - np.diff(edges, axis=1)) / 2)

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
        parts = {"multinomial": self.multinomial, "cumulative": self.cumulative}
        return head | {f"{n}/{k}": v for n, p in parts.items() for k, v in p.state().items()}

    @classmethod
    def from_state(cls, state: State) -> PriorityModel:
        """The stored one again."""
        parts = [
            Linear.from_state({k.removeprefix(f"{n}/"): v for k, v in state.items() if k.startswith(f"{n}/")})
            for n in ("multinomial", "cumulative")
        ]
        return cls(
            tuple(state["levels"]), state["view"], parts[0], parts[1], float(state["temperature"]), state["decision"]
        )


def decide(probabilities: np.ndarray, decision: str) -> np.ndarray:
    """The level with the least expected cost: 1 for any error, its distance in levels, or half of each."""
    size = probabilities.shape[1]
    distance = np.abs(np.arange(size)[:, None] - np.arange(size)[None, :]).astype(float)
    miss = (distance > 0).astype(float)
    cost = {"likeliest": miss, "median": distance, "mixed": (miss + distance) / 2}[decision]
    return np.asarray((probabilities @ cost).argmin(axis=1))


def view(blocks: Blocks, name: View) -> Matrix:
    """The matrix that both members see."""
    if name == "meaning":
        return blocks.meaning if blocks.one_hot.shape[1] == 0 else np.hstack([blocks.meaning, blocks.one_hot.toarray()])
    parts = [blocks.terms, blocks.one_hot] + ([sp.csr_matrix(blocks.meaning)] if name == "both" else [])
    return sp.hstack(parts, format="csr", dtype=np.float32)
