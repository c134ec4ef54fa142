"""Made-up feature blocks whose every part says something of a class: quick to fit, drawn from a seed."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from pipeline.features.build import Blocks
from pipeline.features.table import NUMBERS

FIELD_OF = [0] * 6 + [1] * 6
"""Column of `codes` for each column of `one_hot`: a field that tells the class, and one that tells nothing."""

WORDS_OF_A_CLASS = 5


def blocks(
    classes: np.ndarray,
    *,
    seed: int = 0,
    words: bool = True,
    meaning: bool = True,
    fields: bool = True,
    times: bool = True,
) -> Blocks:
    """Blocks of rows whose class (0 … 3) is known; parts that are switched off are empty, as without an encoder."""
    draw, n = np.random.default_rng(seed), len(classes)
    return Blocks(
        _terms(classes, draw) if words else sp.csr_matrix((n, 4 * WORDS_OF_A_CLASS), dtype=np.float32),
        _vectors(classes, draw) if meaning else np.zeros((n, 0), dtype=np.float32),
        *(_fields(classes, draw) if fields else (sp.csr_matrix((n, 0), dtype=np.float32), np.zeros((n, 0), "int32"))),
        _numbers(n, draw, times),
    )


def spread(n: int, count: int = 4, *, seed: int = 0) -> np.ndarray:
    """Classes of n rows, each of `count` as likely."""
    return np.random.default_rng(seed + 100).integers(0, count, n)


def _terms(classes: np.ndarray, draw: np.random.Generator) -> sp.csr_matrix:
    own = np.arange(4 * WORDS_OF_A_CLASS) // WORDS_OF_A_CLASS == classes[:, None]
    table = (draw.random(own.shape) < np.where(own, 0.5, 0.12)).astype(np.float32)
    length = np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1.0)
    return sp.csr_matrix(table / length, dtype=np.float32)


def _vectors(classes: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    centres = np.random.default_rng(7).normal(size=(4, 12))
    rows = centres[classes] + 1.5 * draw.normal(size=(len(classes), 12))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def _fields(classes: np.ndarray, draw: np.random.Generator) -> tuple[sp.csr_matrix, np.ndarray]:
    n = len(classes)
    telling = np.where(draw.random(n) < 0.8, classes, draw.integers(0, 4, n)) + 2
    codes = np.stack([telling, draw.integers(0, 4, n) + 2], axis=1).astype(np.int32)
    columns = (codes + np.array([0, 6])).ravel()
    one_hot = sp.csr_matrix((np.ones(2 * n, dtype=np.float32), (np.repeat(np.arange(n), 2), columns)), shape=(n, 12))
    return one_hot, codes


def _numbers(n: int, draw: np.random.Generator, times: bool) -> np.ndarray:
    table = draw.random((n, len(NUMBERS)))
    table[:, 0] = 20_000 + np.arange(n) / 24
    table[:, 1], table[:, 2] = np.arange(n) % 24, np.arange(n) // 24 % 7
    if not times:
        table[:, :3] = np.nan
    return table.astype(np.float32)
