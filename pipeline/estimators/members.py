"""Members of the escalation model: which there are, how much each weighs in a candidate, and what each sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import scipy.sparse as sp

from pipeline.estimators.linear import Linear, Matrix
from pipeline.estimators.stacking import beside
from pipeline.estimators.trees import MAX_CATEGORY, constant_log_odds
from pipeline.features.build import Blocks
from pipeline.features.table import NUMBERS

Member = Literal["words", "meaning", "values", "trees", "rates"]
Weighted = tuple[tuple[Member, float], ...]

_TABLE: Weighted = (("values", 1 / 4), ("trees", 1 / 2), ("rates", 1 / 4))


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
"""Candidate → members and their weights in the mean of log-odds; the table's own are of the incidents' inner slice."""

PERIODS = 6
"""The past is cut into so many periods of equally many tickets; a new ticket belongs to the newest."""

_DAY, _HOUR, _WEEKDAY = (NUMBERS.index(n) for n in ("day", "hour", "weekday"))


def weighted(log_odds: dict[str, np.ndarray], members: Weighted) -> np.ndarray:
    """Weighted sum of the members' log-odds, shape (n,)."""
    total = np.zeros_like(log_odds[members[0][0]])
    for name, weight in members:
        total += weight * log_odds[name]
    return total


def possible(blocks: Blocks, wanted: Sequence[str]) -> dict[str, Weighted]:
    """Members of the candidates, of those wanted, whose blocks aren't empty; two that come to the same are one."""
    found: dict[Weighted, tuple[str, Weighted]] = {}
    for name in wanted:
        members = _possible(CANDIDATES[name], blocks)
        if members:
            found.setdefault(tuple((n, round(w, 9)) for n, w in members), (name, members))
    return dict(found.values())


def _possible(members: Weighted, blocks: Blocks) -> Weighted:
    there = {"words": blocks.terms.nnz > 0, "meaning": blocks.meaning.shape[1] > 0}
    fields = blocks.codes.shape[1] > 0
    kept = [(n, w) for n, w in members if there.get(n, fields)]
    total = sum(w for _, w in kept)
    return tuple((n, w / total) for n, w in kept)


def matrix_of(name: str, blocks: Blocks, edges: np.ndarray) -> Matrix:
    """What a linear member sees: words, meaning, or columns of fields, hours, weekdays and periods."""
    if name == "meaning":
        return blocks.meaning
    if name == "words":  # columns of fields beside them made rare risks worse; fields have members of their own
        return blocks.terms
    moments = _time_codes(blocks)
    period = _period(blocks, edges)
    parts = [
        blocks.one_hot,
        _indicator(moments[:, 0], 10),
        _indicator(moments[:, 1], 9),
        _indicator(period, PERIODS + 1),
    ]
    return beside(*parts)


def _indicator(place: np.ndarray, width: int) -> sp.csr_matrix:
    n = len(place)
    return sp.csr_matrix((np.ones(n, dtype=np.float32), place.astype(np.int32), np.arange(n + 1)), shape=(n, width))


def _time_codes(blocks: Blocks) -> np.ndarray:
    """Third of the day's hours (2 … 9) and weekday (2 … 8), 0 without a time: fields like any other, shape (n, 2)."""
    hour, weekday = blocks.numbers[:, _HOUR], blocks.numbers[:, _WEEKDAY]
    unknown = np.isnan(hour)
    codes = np.stack([2 + np.nan_to_num(hour) // 3, 2 + np.nan_to_num(weekday)], axis=1)
    codes[unknown] = 0
    return np.asarray(codes.astype(np.int32))


def value_codes(blocks: Blocks) -> np.ndarray:
    """Codes of the fields, the hour and the weekday."""
    return np.hstack([blocks.codes, _time_codes(blocks)])


def period_edges(blocks: Blocks) -> np.ndarray:
    """Days at which periods of the past begin, shape (PERIODS - 1,); none without times."""
    day = blocks.numbers[:, _DAY]
    day = day[~np.isnan(day)]
    return np.quantile(day, np.arange(1, PERIODS) / PERIODS) if len(day) else np.zeros(0)


def _period(blocks: Blocks, edges: np.ndarray) -> np.ndarray:
    day = blocks.numbers[:, _DAY]
    return np.where(np.isnan(day), PERIODS, np.searchsorted(edges, np.nan_to_num(day), side="right"))


def fit_linear(name: str, matrix: Matrix, target: np.ndarray, weight: np.ndarray, seed: int) -> Linear:
    """One of the linear members; of its two classes the second is "escalated"."""
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(target)) < 2:  # a rare outcome may be absent from the older rows that an inner fold learns from
        base = constant_log_odds(target)
        return Linear(np.zeros((2, matrix.shape[1]), dtype=np.float32), np.array([-base, base]))
    strength = {"words": 0.3, "meaning": 1.0, "values": 0.3}[name]
    solver = "lbfgs" if name == "meaning" else "liblinear"
    model = LogisticRegression(C=strength, solver=solver, max_iter=300, random_state=seed).fit(
        matrix, target, sample_weight=weight
    )
    row, base = np.asarray(model.coef_[0], dtype=np.float32), float(model.intercept_[0])
    return Linear(np.vstack([-row, row]), np.array([-base, base]))


def category_table(blocks: Blocks, edges: np.ndarray) -> np.ndarray:
    """What boosted trees see: codes of fields, then numbers."""
    codes = np.minimum(blocks.codes, MAX_CATEGORY).astype(np.float64)
    return np.asarray(np.hstack([codes, numbers_of(blocks, edges)]))


def categorical(blocks: Blocks) -> np.ndarray:
    """Which columns of `category_table` are codes."""
    return np.asarray(np.arange(blocks.codes.shape[1] + len(NUMBERS)) < blocks.codes.shape[1])


def numbers_of(blocks: Blocks, edges: np.ndarray) -> np.ndarray:
    """The numbers, the day as its period: a tree must not learn a date that never comes again."""
    table = blocks.numbers.astype(np.float64)
    table[:, _DAY] = _period(blocks, edges)
    return table
