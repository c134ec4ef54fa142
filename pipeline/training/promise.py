"""The promise: at most x wrong among the tickets that the machine routes; where the thresholds come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.calibration import confidence_threshold
from pipeline.config import Promise

FEWEST = 30
"""With fewer calibration tickets nothing can be promised."""


@dataclass(frozen=True)
class Thresholds:
    """What was found on calibration data.

    Attributes
    ----------
    by_queue : dict
        Queue → least confidence; `*` for all others. `inf`: the machine doesn't route there.
    max_error : float or None
        Largest share wrong that is promised; None: nothing is promised, everything is routed.
    error_if_all : float
        Share wrong if every ticket were routed.
    routed, wrong : float
        Share routed on the calibration data, and share wrong among those.
    note : str
        What a reader must know.
    """

    by_queue: dict[str, float]
    max_error: float | None
    error_if_all: float
    routed: float
    wrong: float
    note: str


def find(
    confidence: np.ndarray, wrong: np.ndarray, queue: np.ndarray, possible: np.ndarray, settings: Promise
) -> Thresholds:
    """Thresholds that keep the promise with the certainty asked for.

    Parameters
    ----------
    confidence : ndarray, shape (n,)
        Of the proposed queue, from models that hadn't learned from the rows.
    wrong : ndarray of bool, shape (n,)
        Whether the proposed queue isn't the outcome.
    queue : ndarray of str, shape (n,)
        The proposed queue.
    possible : ndarray of bool, shape (n,)
        False where the ticket is held back anyway (out of scope by its score).
    """
    n = len(wrong)
    error_if_all = float(wrong.mean()) if n else 1.0
    asked = settings.max_error if settings.max_error is not None else None
    if asked is None and settings.error_ratio is not None:
        asked = settings.error_ratio * error_if_all
    if asked is None:
        return Thresholds(
            {"*": 0.0},
            None,
            error_if_all,
            float(possible.mean()) if n else 0.0,
            error_if_all,
            "nothing was promised: everything is routed",
        )
    if n < FEWEST:
        return Thresholds(
            {"*": float("inf")},
            asked,
            error_if_all,
            0.0,
            0.0,
            f"only {n} calibration tickets: nothing is routed by the machine",
        )
    if settings.per == "queue":
        by_queue = {
            str(q): confidence_threshold(confidence[rows], wrong[rows], asked, settings.certainty)
            for q in np.unique(queue)
            if (rows := (queue == q) & possible).any()
        } | {"*": float("inf")}
    else:
        by_queue = {"*": confidence_threshold(confidence[possible], wrong[possible], asked, settings.certainty)}
    least = np.array([by_queue.get(str(q), by_queue["*"]) for q in queue])
    routed = possible & (confidence >= least)
    share = float(wrong[routed].mean()) if routed.any() else 0.0
    note = ""
    if not routed.any():
        note = "no threshold keeps it on the calibration data: nothing is routed by the machine"
    return Thresholds(by_queue, asked, error_if_all, float(routed.mean()), share, note)
