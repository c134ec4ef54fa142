"""Blocks are put side by side, and columns chosen, exactly as SciPy does it."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from pipeline.estimators.stacking import beside, chosen_columns

DRAW = np.random.default_rng(5)


def block(rows: int, width: int) -> sp.csr_matrix:
    return sp.random(rows, width, 0.3, format="csr", dtype=np.float32, random_state=DRAW)


def alike(one: sp.csr_matrix, other: sp.csr_matrix) -> bool:
    same_parts = all(np.array_equal(getattr(one, p), getattr(other, p)) for p in ("data", "indices", "indptr"))
    return one.shape == other.shape and same_parts


@pytest.mark.parametrize("rows", [0, 1, 7])
@pytest.mark.parametrize("widths", [(5,), (40, 3), (40, 0, 12), (0, 6)])
def test_blocks_stand_side_by_side(rows: int, widths: tuple[int, ...]) -> None:
    blocks = [block(rows, width) for width in widths]
    assert alike(beside(*blocks), sp.hstack(blocks, format="csr", dtype=np.float32))


@pytest.mark.parametrize("rows", [0, 1, 7])
@pytest.mark.parametrize("columns", [[], [0], [2, 3, 9], list(range(12))])
def test_some_columns_of_a_block(rows: int, columns: list[int]) -> None:
    whole, chosen = block(rows, 12), np.array(columns, dtype=np.int64)
    assert alike(chosen_columns(whole, chosen), whole[:, chosen])
