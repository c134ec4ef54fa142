"""A promise against what happened: the share wrong among the tickets that the machine routed, with exact bounds."""

from __future__ import annotations

import hashlib
from typing import Any

import pandas as pd
from scipy.stats import beta


def clopper_pearson(wrong: int, routed: int, certainty: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a share (Clopper and Pearson, 1934).

    Examples
    --------
    >>> [round(x, 4) for x in clopper_pearson(5, 100)]
    [0.0164, 0.1128]
    """
    half = (1 - certainty) / 2
    low = 0.0 if wrong == 0 else float(beta.ppf(half, wrong, routed - wrong + 1))
    high = 1.0 if wrong == routed else float(beta.ppf(1 - half, wrong + 1, routed - wrong))
    return low, high


def realised(scored: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """One row a ticket of the truth: was it routed by the model, would it and did it go wrong, and when was it."""
    both = truth.merge(scored, on="ticket_id", how="left", suffixes=("_true", ""), validate="one_to_one")
    if both["queue"].isna().any():
        raise ValueError("a ticket of the truth wasn't scored")
    return pd.DataFrame(
        {
            "routed": both["queue_reason"] == "model",
            "wrong": both["queue"] != both["topic_true"],
            "wrong_if_all": both["topic"] != both["topic_true"],
            "at": both["as_of"],
            "key": both["ticket_id"].astype(str),
        }
    )


def judged(rows: pd.DataFrame, asked: float | None, by: str) -> dict[str, Any]:
    """Realised error over all, and by month or by fifths.

    Parameters
    ----------
    rows : DataFrame
        By `realised`.
    asked : float or None
        The largest share wrong that was promised; None: nothing was.
    by : str
        `month`, or `fifth`: a stable hash of the id, where there are no dates.
    """
    whole = one(rows)
    kept = None if asked is None or whole["routed"] == 0 else bool(whole["low"] <= asked)
    group = rows["at"].dt.strftime("%Y-%m") if by == "month" else rows["key"].map(_fifth)
    parts = {str(name): one(part) for name, part in rows.groupby(group)}
    return {"asked": asked, "kept": kept, "whole": whole, "by": by, "parts": parts}


def one(rows: pd.DataFrame) -> dict[str, Any]:
    """Counts of some tickets, and the bounds of their error."""
    routed = rows[rows["routed"]]
    n, wrong = len(routed), int(routed["wrong"].sum())
    low, high = clopper_pearson(wrong, n) if n else (0.0, 1.0)
    return {
        "tickets": len(rows),
        "routed": n,
        "wrong": wrong,
        "error": round(wrong / n, 6) if n else None,
        "low": round(low, 6),
        "high": round(high, 6),
        "error_if_all": round(float(rows["wrong_if_all"].mean()), 6),
    }


def _fifth(key: str) -> str:
    return f"fifth {int(hashlib.sha256(key.encode()).hexdigest(), 16) % 5 + 1}"
