"""Boosted trees as plain arrays: grown by scikit-learn, stored without pickles, explained exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pipeline.artifact import State

MAX_CATEGORY = 250
"""Codes at or above it share one category: scikit-learn's histograms hold 255 values."""

MAX_BINS = 255
"""So many values of a column a histogram tells apart."""

FEWEST_FOR_THREADS = 200_000
"""With fewer rows trees grow on one thread: others mostly wait for each other, and turn in circles while they do."""

_ARRAYS = ("feature", "threshold", "left", "right", "value", "mean", "missing_left", "category", "roots", "bitsets")


@dataclass(frozen=True)
class Trees:
    """A sum of decision trees.

    Attributes
    ----------
    feature, threshold, left, right, value, missing_left : ndarray, shape (nodes,)
        `left` is -1 at a leaf; `value` is a leaf's share of the log-odds.
    mean : ndarray, shape (nodes,)
        Mean of the leaves below, weighted by training rows: what a row is worth before the node asks.
    category : ndarray of int32, shape (nodes,)
        Row of `bitsets` for a categorical split, else -1.
    bitsets : ndarray of bool, shape (categorical splits, 256)
        Which codes go left.
    roots : ndarray of int32, shape (trees,)
    baseline : float
        Log-odds that everything starts from.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    mean: np.ndarray
    missing_left: np.ndarray
    category: np.ndarray
    roots: np.ndarray
    bitsets: np.ndarray
    baseline: float

    @classmethod
    def fit(
        cls,
        table: np.ndarray,
        outcome: np.ndarray,
        *,
        categorical: np.ndarray,
        weights: np.ndarray | None,
        seed: int,
        **options: Any,
    ) -> Trees:
        """Grow by histogram gradient boosting on a binary outcome.

        Parameters
        ----------
        table : ndarray, shape (n, f)
            Category codes below `MAX_CATEGORY + 1` where `categorical` is True; nan is missing.
        options
            Of `HistGradientBoostingClassifier`.
        """
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits

        # constant columns would only take the places of others where each split sees a share of the columns
        kept = np.flatnonzero([_varies(table[:, j]) for j in range(table.shape[1])])
        if len(kept) == 0 or len(np.unique(outcome)) < 2:
            return cls._constant(outcome)
        table, categorical = table[:, kept], categorical[kept]
        edges = {int(j): bin_edges(table[:, j]) for j in np.flatnonzero(~categorical)}
        table = binned(table, edges)
        model = HistGradientBoostingClassifier(
            categorical_features=categorical if categorical.any() else None,
            random_state=seed,
            early_stopping=False,
            **options,
        )
        # Codes are already whole numbers 0 … 250, which is what the model's own encoder would make of them; columns
        # whose codes have gaps are given a row for each code's place by that encoder, so places are kept here.
        with threadpool_limits(1 if len(table) < FEWEST_FOR_THREADS else None, user_api="openmp"):
            model.fit(table, outcome, sample_weight=weights)
        places = {int(kept[j]): codes for j, codes in _category_places(model, table, categorical).items()}
        return cls._from_model(model, places, kept, {int(kept[j]): e for j, e in edges.items()})

    @classmethod
    def _constant(cls, outcome: np.ndarray) -> Trees:
        """No trees: where nothing varies nothing is learned (of one outcome scikit-learn would make the other)."""
        whole, real, yes = np.zeros(0, dtype=np.int32), np.zeros(0), np.zeros(0, dtype=bool)
        bitsets, base = np.zeros((0, 256), dtype=bool), constant_log_odds(outcome)
        return cls(whole, real, whole, whole, real, real, yes, whole, whole, bitsets, base)

    @classmethod
    def _from_model(
        cls, model: Any, places: dict[int, np.ndarray], kept: np.ndarray, edges: dict[int, np.ndarray]
    ) -> Trees:
        columns: dict[str, list[np.ndarray]] = {n: [] for n in _ARRAYS}
        offset = bit_offset = 0
        order = kept[_column_order(model)]
        for (predictor,) in model._predictors:
            nodes, leaf = predictor.nodes, predictor.nodes["is_leaf"].astype(bool)
            count = len(nodes)
            columns["roots"].append(np.array([offset], dtype=np.int32))
            feature = order[nodes["feature_idx"].astype(int)].astype(np.int32)
            columns["feature"].append(feature)
            columns["threshold"].append(_in_units(nodes, feature, edges))
            columns["left"].append(np.where(leaf, -1, nodes["left"].astype(np.int32) + offset).astype(np.int32))
            columns["right"].append(np.where(leaf, -1, nodes["right"].astype(np.int32) + offset).astype(np.int32))
            columns["value"].append(np.where(leaf, nodes["value"], 0.0))
            columns["missing_left"].append(nodes["missing_go_to_left"].astype(bool))
            split = nodes["is_categorical"].astype(bool) & ~leaf
            columns["category"].append(
                np.where(split, nodes["bitset_idx"].astype(np.int32) + bit_offset, -1).astype(np.int32)
            )
            bits = _bits(predictor.raw_left_cat_bitsets)
            for node in np.flatnonzero(split):
                row = int(nodes["bitset_idx"][node])
                codes = places.get(int(order[int(nodes["feature_idx"][node])]))
                bits[row] = _unplaced(bits[row], codes, bool(nodes["missing_go_to_left"][node]))
            columns["bitsets"].append(bits)
            columns["mean"].append(_means(nodes, leaf))
            offset, bit_offset = offset + count, bit_offset + len(bits)
        joined = {n: np.concatenate(v) if v else np.zeros(0) for n, v in columns.items()}
        return cls(**joined, baseline=float(np.ravel(model._baseline_prediction)[0]))

    @classmethod
    def averaged(cls, forests: Sequence[Trees]) -> Trees:
        """One object for the mean of several: the same nodes, each worth its share."""
        nodes = np.cumsum([0] + [len(f.left) for f in forests])
        splits = np.cumsum([0] + [len(f.bitsets) for f in forests])
        moved: dict[str, list[np.ndarray]] = {n: [] for n in _ARRAYS}
        for forest, node, split in zip(forests, nodes, splits, strict=False):
            for name in _ARRAYS:
                values = getattr(forest, name)
                if name in ("left", "right", "category"):
                    values = np.where(values >= 0, values + (split if name == "category" else node), -1)
                elif name == "roots":
                    values = values + node
                elif name in ("value", "mean"):
                    values = values / len(forests)
                moved[name].append(values.astype(getattr(forest, name).dtype))
        joined = {n: np.concatenate(v) for n, v in moved.items()}
        return cls(**joined, baseline=float(np.mean([f.baseline for f in forests])))

    def log_odds(self, table: np.ndarray) -> np.ndarray:
        """Sum of the trees, shape (n,)."""
        total = np.full(len(table), self.baseline)
        feature, left, right, depth = self._paths
        for start in range(0, len(table), 256):  # rows × trees pointers at a time
            rows = np.ascontiguousarray(table[start : start + 256])
            first = np.arange(len(rows), dtype=np.intp)[:, None] * rows.shape[1]
            node = np.broadcast_to(self.roots.astype(np.intp), (len(rows), len(self.roots)))
            for _ in range(depth):
                values = rows.take(first + feature[node])
                node = np.where(self._goes_left(values, node), left[node], right[node])
            total[start : start + 256] += self.value[node].sum(axis=1)
        return total

    @cached_property
    def _paths(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        """Feature, left and right of each node, and the greatest depth; a leaf leads to itself, so that all walk on."""
        leaf, here = self.left < 0, np.arange(len(self.left), dtype=np.intp)
        left, right = np.where(leaf, here, self.left), np.where(leaf, here, self.right)
        node, depth = np.unique(self.roots).astype(np.intp), 0
        while len(node := node[~leaf[node]]):
            node, depth = np.concatenate([left[node], right[node]]), depth + 1
        return np.where(leaf, 0, self.feature).astype(np.intp), left, right, depth

    def contributions(self, table: np.ndarray) -> tuple[np.ndarray, float]:
        """What each column adds to each row's log-odds, shape (n, f), and the base; they add up exactly.

        Each split is credited with the change of the mean that it makes (Saabas, 2014).
        """
        shares = np.zeros(table.shape)
        node = np.broadcast_to(self.roots, (len(table), len(self.roots))).copy()
        while True:
            r, t = np.nonzero(self.left[node] >= 0)
            if len(r) == 0:
                break
            at = node[r, t]
            child = np.where(self._goes_left(table[r, self.feature[at]], at), self.left[at], self.right[at])
            np.add.at(shares, (r, self.feature[at]), self.mean[child] - self.mean[at])
            node[r, t] = child
        return shares, self.baseline + float(self.mean[self.roots].sum())

    def _goes_left(self, values: np.ndarray, nodes: np.ndarray) -> np.ndarray:
        missing = np.isnan(values)
        left = values <= self.threshold[nodes]
        if len(self.bitsets):
            split = self.category[nodes] >= 0
            code = np.clip(np.where(missing, 0.0, values)[split], 0, 255).astype(int)
            left[split] = self.bitsets[self.category[nodes[split]], code]
        if missing.any():
            left[missing] = self.missing_left[nodes[missing]]
        return np.asarray(left)

    def state(self) -> State:
        """What is stored."""
        return {n: getattr(self, n) for n in _ARRAYS} | {"baseline": self.baseline}

    @classmethod
    def from_state(cls, state: State) -> Trees:
        """The stored one again."""
        return cls(**{n: state[n] for n in _ARRAYS}, baseline=float(state["baseline"]))


def bin_edges(column: np.ndarray) -> np.ndarray:
    """At most 254 edges between a column's values: a histogram's bins hold equally many rows.

    scikit-learn would weigh its own bins by the rows' weights, which takes longer than growing the trees does.
    """
    values = np.unique(column[~np.isnan(column)])
    if len(values) > MAX_BINS:
        values = np.unique(np.quantile(column[~np.isnan(column)], np.linspace(0, 1, MAX_BINS), method="nearest"))
    return np.asarray((values[1:] + values[:-1]) / 2)


def binned(table: np.ndarray, edges: dict[int, np.ndarray]) -> np.ndarray:
    """The table with the number of the bin in place of each value of the columns that have edges; nan stays."""
    table = table.astype(np.float64)
    for j, between in edges.items():
        known = ~np.isnan(table[:, j])
        table[known, j] = np.searchsorted(between, table[known, j])
    return table


def _in_units(nodes: np.ndarray, feature: np.ndarray, edges: dict[int, np.ndarray]) -> np.ndarray:
    """Thresholds between bins as values of the column: bin ≤ i is value ≤ edge i."""
    threshold = nodes["num_threshold"].copy()
    for row in np.flatnonzero(~nodes["is_leaf"].astype(bool) & ~nodes["is_categorical"].astype(bool)):
        between = edges[int(feature[row])]
        place = int(np.floor(threshold[row])) if np.isfinite(threshold[row]) else len(between)
        threshold[row] = between[place] if place < len(between) else np.inf
    return np.asarray(threshold)


def _varies(column: np.ndarray) -> bool:
    known = column[~np.isnan(column)]
    return bool(len(known) and (len(known) < len(column) or known.min() < known.max()))


def constant_log_odds(outcome: np.ndarray) -> float:
    """Log-odds of the share of ones, half a row of each kind added."""
    return float(np.log((outcome.sum() + 0.5) / (len(outcome) - outcome.sum() + 0.5)))


def _bits(words: np.ndarray) -> np.ndarray:
    """Rows of 8 × 32 bits → rows of 256 booleans."""
    if len(words) == 0:
        return np.zeros((0, 256), dtype=bool)
    shifts = np.arange(32, dtype=np.uint32)
    return ((words[:, :, None] >> shifts) & 1).astype(bool).reshape(len(words), 256)


def _column_order(model: Any) -> np.ndarray:
    """Column that each of the model's features stands for: categorical ones are moved to the front inside it."""
    mask = model.is_categorical_
    if mask is None or getattr(model, "_preprocessor", None) is None:
        return np.arange(model.n_features_in_)
    original = np.asarray(model._triage_mask)
    return np.concatenate([np.flatnonzero(original), np.flatnonzero(~original)])


def _category_places(model: Any, table: np.ndarray, categorical: np.ndarray) -> dict[int, np.ndarray]:
    """Column → the codes that occur, rising: the model's own encoder numbers them 0, 1, 2 …"""
    model._triage_mask = categorical
    return {int(j): np.unique(table[~np.isnan(table[:, j]), j]).astype(int) for j in np.flatnonzero(categorical)}


def _unplaced(bits: np.ndarray, codes: np.ndarray | None, unseen_left: bool) -> np.ndarray:
    """A bitset over places as one over codes; a code that training never saw goes where a missing one goes."""
    if codes is None:
        return bits
    over_codes = np.full(256, unseen_left)
    over_codes[codes] = bits[: len(codes)]
    return over_codes


def _means(nodes: np.ndarray, leaf: np.ndarray) -> np.ndarray:
    mean = np.where(leaf, nodes["value"], 0.0)
    count = nodes["count"].astype(float)
    for node in range(len(nodes) - 1, -1, -1):  # children stand behind their parents
        if not leaf[node]:
            a, b = int(nodes["left"][node]), int(nodes["right"][node])
            mean[node] = (mean[a] * count[a] + mean[b] * count[b]) / max(count[a] + count[b], 1.0)
    return mean
