"""Whether two scored frames say the same."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp


def same(one: pd.DataFrame, other: pd.DataFrame, tolerance: float = 1e-9) -> None:
    """Frames hold the same, numbers within a tolerance."""
    assert list(one.columns) == list(other.columns)
    assert len(one) == len(other)
    for name in one.columns:
        for a, b in zip(one[name], other[name], strict=True):
            assert close(a, b, tolerance), name


def close(a: Any, b: Any, tolerance: float) -> bool:
    """Equal values, with numbers inside nested ones compared within the tolerance."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[k], b[k], tolerance) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(close(x, y, tolerance) for x, y in zip(a, b, strict=True))
    if a is None or b is None or a is pd.NaT or b is pd.NaT:
        return bool((a is None or a is pd.NaT or a != a) and (b is None or b is pd.NaT or b != b))
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or abs(a - b) <= tolerance
    return bool(a == b)


def same_parts(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Stored parts are equal bit by bit."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        theirs = other[name]
        if sp.issparse(value):
            assert value.shape == theirs.shape and (value != theirs).nnz == 0, name
        elif isinstance(value, np.ndarray):
            assert np.array_equal(value, theirs, equal_nan=value.dtype.kind == "f"), name
        else:
            assert value == theirs, name
