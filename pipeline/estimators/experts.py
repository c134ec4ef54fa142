"""Experts: one fitted view of the blocks each, a log-probability for every class; candidates are made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import scipy.sparse as sp

from pipeline.artifact import State
from pipeline.calibration import Link
from pipeline.estimators.kernel import Kernel
from pipeline.estimators.linear import Linear, Matrix, fit_logistic, fit_margins
from pipeline.estimators.stacking import beside, chosen_columns
from pipeline.features.build import Blocks

View = Literal["words", "meaning", "kernel", "side_by_side"]

FIELD_SCALE = 0.5
"""Weight of a field's column beside an embedding of unit length."""

MEANING_SCALE = np.float32(2.0)
"""Length of an embedding beside words of unit length; on the inner folds of CLINC and banking77 2 beat 1."""


@dataclass(frozen=True)
class Settings:
    """What an expert is fitted with.

    Attributes
    ----------
    margins, logistic : float
        Inverse regularisation of margins and of logistic regression.
    evenness : float
        Rows of a class weigh (rows / classes / its rows) ** evenness in margins: 0 all alike, 1 all classes alike.
    width, ridge : float
        Of the kernel.
    """

    margins: float = 0.3
    evenness: float = 0.0
    logistic: float = 5.0
    width: float = 1.0
    ridge: float = 0.5

    def of(self, name: View) -> tuple[float, ...]:
        """Those that a view is fitted with."""
        own = {"kernel": (self.width, self.ridge), "meaning": (self.logistic,)}
        return own.get(name, (self.margins, self.evenness))


@dataclass(frozen=True)
class Expert:
    """A view, the model fitted on it, and the link that makes its scores log-probabilities.

    Attributes
    ----------
    columns : ndarray of int
        Columns of `one_hot` that tell something of the label.
    fields : ndarray of int
        The same for columns of `codes`.
    """

    view: View
    model: Linear | Kernel
    columns: np.ndarray
    fields: np.ndarray
    link: Link = field(default_factory=Link)

    @classmethod
    def fit(
        cls,
        name: View,
        blocks: Blocks,
        codes: np.ndarray,
        classes: int,
        *,
        settings: Settings,
        columns: np.ndarray,
        fields: np.ndarray,
        weights: np.ndarray | None,
        seed: int,
    ) -> Expert:
        """Fit on all rows of `blocks`; `codes` are classes 0 … classes - 1, each present."""
        model: Linear | Kernel
        if name == "kernel":
            model = Kernel.fit(
                blocks.meaning,
                blocks.codes[:, fields],
                codes,
                classes,
                width=settings.width,
                ridge=settings.ridge,
                weights=weights,
                seed=seed,
            )
        elif name == "meaning":
            model = fit_logistic(
                view(blocks, name, columns), codes, classes, strength=settings.logistic, weights=weights, seed=seed
            )
        else:
            even = _even_weights(codes, classes, settings.evenness, weights)
            matrix = view(blocks, name, columns)
            model = fit_margins(matrix, codes, classes, strength=settings.margins, weights=even, seed=seed)
        return cls(name, model, columns, fields)

    def scores(self, blocks: Blocks) -> np.ndarray:
        """Raw score of each class, shape (n, k)."""
        if isinstance(self.model, Kernel):
            return self.model.scores(blocks.meaning, blocks.codes[:, self.fields])
        return self.model.scores(view(blocks, self.view, self.columns))

    def log_probabilities(self, blocks: Blocks) -> np.ndarray:
        """Shape (n, k)."""
        return self.link.apply(self.scores(blocks))

    def contributions(self, row: Blocks, chosen: int, rival: int) -> tuple[np.ndarray, np.ndarray, float, float]:
        """Of one row: columns of [terms | one_hot], what each adds to chosen over rival, what meaning and base add.

        The link bends scores, so shares of the score are scaled by the slope of its secant between the two classes:
        they add up to the difference of log-probabilities, exactly.
        """
        scores = self.scores(row)
        bent = self.link.apply(scores)[0]
        gap, straight = float(bent[chosen] - bent[rival]), float(scores[0, chosen] - scores[0, rival])
        if isinstance(self.model, Kernel) or abs(straight) < 1e-12:
            return np.zeros(0, dtype=np.int64), np.zeros(0), gap, 0.0
        slope = gap / straight
        places, shares = self.model.contributions(view(row, self.view, self.columns), chosen, rival)
        terms = 0 if self.view == "meaning" else row.terms.shape[1]
        first_field = row.meaning.shape[1] if self.view == "meaning" else terms
        is_field = (places >= first_field) & (places < first_field + len(self.columns))
        named = is_field | (places < terms)
        target = np.where(
            is_field,
            row.terms.shape[1] + self.columns[np.clip(places - first_field, 0, max(len(self.columns) - 1, 0))]
            if len(self.columns)
            else 0,
            places,
        )
        meaning = float(shares[~named].sum()) * slope
        base = gap - float(shares[named].sum()) * slope - meaning  # the intercepts, and what float32 rounds off
        return target[named], shares[named] * slope, meaning, base

    def state(self) -> State:
        """What is stored."""
        kind = "kernel" if isinstance(self.model, Kernel) else "linear"
        own = {f"model/{k}": v for k, v in self.model.state().items()}
        return {
            "view": self.view,
            "kind": kind,
            "columns": self.columns,
            "field_codes": self.fields,
            "link": self.link.as_list(),
        } | own

    @classmethod
    def from_state(cls, state: State) -> Expert:
        """The stored one again."""
        own = {k.removeprefix("model/"): v for k, v in state.items() if k.startswith("model/")}
        model = Kernel.from_state(own) if state["kind"] == "kernel" else Linear.from_state(own)
        return cls(state["view"], model, state["columns"], state["field_codes"], Link(*state["link"]))


def _even_weights(codes: np.ndarray, classes: int, evenness: float, weights: np.ndarray | None) -> np.ndarray | None:
    if evenness == 0.0:
        return weights
    counts = np.maximum(np.bincount(codes, minlength=classes), 1)
    even = (len(codes) / classes / counts[codes]) ** evenness
    return np.asarray(even if weights is None else even * weights)


def view(blocks: Blocks, name: View, columns: np.ndarray) -> Matrix:
    """The matrix that a linear expert sees: [terms | fields (| meaning)], or [meaning | fields]."""
    fields = chosen_columns(blocks.one_hot, columns)
    if name == "meaning":
        return np.hstack([blocks.meaning, FIELD_SCALE * fields.toarray()]).astype(np.float32)
    if name == "side_by_side":
        return beside(blocks.terms, fields, sp.csr_matrix(MEANING_SCALE * blocks.meaning))
    return beside(blocks.terms, fields)


def telling_columns(blocks: Blocks, codes: np.ndarray, field_of: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Columns of `one_hot` that say something of the label, and the fields with such a column.

    Chi-squared of column against label, Bonferroni over columns, and at least 0.002 bits of information: with enough
    rows everything is significant, and a kernel that is halved for every differing field can't afford idle ones.

    Parameters
    ----------
    field_of : list of int
        Column of `codes` that each column of `one_hot` belongs to.
    """
    from scipy.stats import chi2

    n, width = blocks.one_hot.shape
    if width == 0 or n == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    classes = int(codes.max()) + 1
    indicator = sp.csr_matrix((np.ones(n), (np.arange(n), codes)), shape=(n, classes))
    inside = np.asarray((blocks.one_hot.T @ indicator).todense())
    bits, statistic = _information(inside, np.bincount(codes, minlength=classes), n)
    telling = (chi2.sf(statistic, max(classes - 1, 1)) < 0.001 / width) & (bits >= 0.002)
    columns = np.flatnonzero(telling)
    return columns, np.unique(np.array(field_of)[columns]).astype(np.int64) if len(columns) else np.zeros(
        0, dtype=np.int64
    )


def _information(inside: np.ndarray, totals: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Mutual information (bits) of each column's yes/no with the label; likelihood-ratio statistic 2 n ln 2 · bits."""
    size = inside.sum(axis=1, keepdims=True)
    bits = np.zeros(len(inside))
    for part, share in ((inside, size / n), (totals - inside, 1 - size / n)):
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(part > 0, part / n * np.log2((part / n) / (share * (totals / n))), 0.0)
        bits += np.nan_to_num(ratio).sum(axis=1)
    return bits, 2 * n * np.log(2) * bits
