"""Kernel ridge regression on embeddings: a smooth vote of near tickets, exact for few rows, by landmarks for many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.artifact import State

EXACT_ROWS = 12_000
"""Up to so many rows each is a landmark; the cost is cubic in landmarks."""

LANDMARKS = 4_000
"""Beyond that, so many rows drawn by the seed (Nyström; Williams and Seeger, 2001)."""

GRID: tuple[tuple[float, float], ...] = ((1.0, 0.5), (2.0, 0.1))
"""(width, ridge): best on Thunderbird's and on banking77's inner slices."""

FIELD_FACTOR = 0.5
"""Similarity is halved for each field whose value differs."""


@dataclass(frozen=True)
class Kernel:
    """score = K duals + base, K(a, b) = exp(width (cos(a, b) - 1)) · 0.5^(fields that differ), of centred embeddings.

    Attributes
    ----------
    centre : ndarray, shape (d,)
        Mean embedding of the training rows.
    landmarks : ndarray of float32, shape (l, d)
        Centred embeddings of unit length.
    fields : ndarray of int32, shape (l, g)
        Codes of the fields that tell something of the label; g = 0 without.
    duals : ndarray of float32, shape (l, k)
    base : ndarray, shape (k,)
        Shares of the classes.
    width : float
    """

    centre: np.ndarray
    landmarks: np.ndarray
    fields: np.ndarray
    duals: np.ndarray
    base: np.ndarray
    width: float

    @classmethod
    def fit(
        cls,
        vectors: np.ndarray,
        fields: np.ndarray,
        codes: np.ndarray,
        classes: int,
        *,
        width: float,
        ridge: float,
        weights: np.ndarray | None,
        seed: int,
    ) -> Kernel:
        """Regularised least squares onto class indicators (Rifkin and Klautau, 2004)."""
        from scipy.linalg import cho_factor, cho_solve

        n, centre = len(codes), vectors.mean(axis=0)
        unit = _unit(vectors, centre)
        weight = np.ones(n) if weights is None else np.maximum(weights, 1e-6)
        base = np.bincount(codes, weight, minlength=classes) / weight.sum()
        targets = np.tile(-base, (n, 1))
        targets[np.arange(n), codes] += 1.0
        if n <= EXACT_ROWS:
            gram = _similarity(unit, fields, unit, fields, width).astype(np.float64)
            gram[np.diag_indices(n)] += ridge / weight
            duals = cho_solve(cho_factor(gram, overwrite_a=True, check_finite=False), targets, check_finite=False)
            return cls(centre, unit, fields, duals.astype(np.float32), base, width)
        chosen = np.sort(np.random.default_rng(seed).choice(n, LANDMARKS, replace=False))
        landmarks, marks = unit[chosen], fields[chosen]
        gram, right = np.zeros((LANDMARKS, LANDMARKS)), np.zeros((LANDMARKS, classes))
        for start in range(0, n, 4096):
            rows = slice(start, start + 4096)
            part = _similarity(unit[rows], fields[rows], landmarks, marks, width)
            gram += part.T @ (part * weight[rows, None].astype(np.float32))
            right += part.T @ (targets[rows] * weight[rows, None])
        gram += ridge * _similarity(landmarks, marks, landmarks, marks, width)
        gram[np.diag_indices(LANDMARKS)] += 1e-5 * np.trace(gram) / LANDMARKS
        duals = cho_solve(cho_factor(gram, overwrite_a=True, check_finite=False), right, check_finite=False)
        return cls(centre, landmarks, marks, duals.astype(np.float32), base, width)

    def scores(self, vectors: np.ndarray, fields: np.ndarray) -> np.ndarray:
        """Estimated class shares, shape (n, k)."""
        unit = _unit(vectors, self.centre)
        parts = [
            _similarity(unit[i : i + 2048], fields[i : i + 2048], self.landmarks, self.fields, self.width) @ self.duals
            for i in range(0, len(unit), 2048)
        ]
        found = np.concatenate(parts) if parts else np.zeros((0, len(self.base)))
        return np.asarray(np.asarray(found, dtype=np.float64) + self.base)

    def state(self) -> State:
        """What is stored."""
        return {
            "centre": self.centre,
            "landmarks": self.landmarks,
            "fields": self.fields,
            "duals": self.duals,
            "base": self.base,
            "width": self.width,
        }

    @classmethod
    def from_state(cls, state: State) -> Kernel:
        """The stored one again."""
        arrays = {k: state[k] for k in ("centre", "landmarks", "fields", "duals", "base")}
        return cls(**arrays, width=float(state["width"]))


def _unit(vectors: np.ndarray, centre: np.ndarray) -> np.ndarray:
    rows = (vectors - centre).astype(np.float32)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))


def _similarity(a: np.ndarray, fields_a: np.ndarray, b: np.ndarray, fields_b: np.ndarray, width: float) -> np.ndarray:
    found = a @ b.T
    found -= 1.0
    found *= np.float32(width)
    np.exp(found, out=found)
    for j in range(fields_a.shape[1]):
        found *= np.where(fields_a[:, j, None] == fields_b[None, :, j], np.float32(1.0), np.float32(FIELD_FACTOR))
    return np.asarray(found)
