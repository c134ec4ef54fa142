"""From what a scorer served, or from inner predictions, to the arrays that figures are made from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.estimators.priority import decide
from pipeline.history.definitions import OUT_OF_SCOPE
from pipeline.scorer import Scorer
from pipeline.training.labels import LABEL_PREFIX
from pipeline.training.looked import Context, Looked, Outside
from pipeline.training.prepare import known_rows
from pipeline.training.served import Served
from pipeline.training.train import Trained


def of_served(
    target: str, served: Served, frame: pd.DataFrame, scorer: Scorer, context: Context
) -> tuple[Looked, np.ndarray]:
    """One model's served word on the tickets whose outcome is known, and their positions in `frame`.

    Parameters
    ----------
    frame : DataFrame, n rows
        With `label.*`; the same rows as `served`.
    """
    rows, outside = known_rows(frame, target)
    scored = served.scored
    levels = scorer.levels if target == "priority" else ()
    if target == "priority":
        rows = rows[frame[LABEL_PREFIX + target].iloc[rows].isin(levels).to_numpy()]
    truth = frame[LABEL_PREFIX + target].iloc[rows].to_numpy(dtype=str)
    first_three = None
    if target == "escalated":
        guess, confidence = np.full(len(rows), "0"), scored["escalation_risk"].to_numpy(dtype=float)[rows]
    elif target == "queue":
        guess, confidence = served.proposed[rows].astype(str), served.confidence[rows]
    else:
        guess = scored[target].to_numpy(dtype=object)[rows].astype(str)
        confidence = scored[f"{target}_confidence"].to_numpy(dtype=float)[rows]
    if target == "topic":
        shown = scored["topic_candidates"].iloc[rows]
        first_three = np.array(
            [t in [c["label"] for c in row[:3]] for t, row in zip(truth, shown, strict=True)], dtype=bool
        )
    looked = Looked(
        target, truth, guess, confidence, context.take(rows),
        trained=scorer.about["models"][target]["counts"], first_three=first_three, levels=levels,
    )  # fmt: skip
    if target == "topic" and len(outside):
        score = scored["topic_oos_score"].to_numpy(dtype=float)
        looked = replace(looked, outside=Outside(score[rows], score[outside]))
    return looked, rows


def of_inner(model: Trained, frame: pd.DataFrame, scorer: Scorer, context: Context) -> tuple[Looked, np.ndarray]:
    """One model's word on inner rows, from fits that hadn't learned from them, and their positions in `frame`."""
    rows, probabilities = model.inner["rows"], model.inner["probabilities"]
    classes = np.array(model.about["classes"], dtype=str)
    truth = frame[LABEL_PREFIX + model.target].iloc[rows].to_numpy(dtype=str)
    first_three = None
    if model.target == "escalated":
        guess, confidence = np.full(len(rows), "0"), probabilities[:, 1]
    else:
        chosen = probabilities.argmax(axis=1)
        if model.target == "priority":
            chosen = decide(probabilities, model.about["chosen"]["decision"])
        guess, confidence = classes[chosen], probabilities[np.arange(len(rows)), chosen]
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :3]
        first_three = (classes[order] == truth[:, None]).any(axis=1) if model.target != "priority" else None
    looked = Looked(
        model.target, truth, guess, np.asarray(confidence, dtype=np.float64), context.take(rows),
        trained=model.about["counts"], first_three=first_three,
        levels=tuple(classes.tolist()) if model.target == "priority" else (),
    )  # fmt: skip
    return looked, rows


def outside_rows(frame: pd.DataFrame) -> np.ndarray:
    """Positions of the tickets that belong to no topic."""
    name = LABEL_PREFIX + "topic"
    if name not in frame:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero((frame[name] == OUT_OF_SCOPE).to_numpy(dtype=bool, na_value=False))
