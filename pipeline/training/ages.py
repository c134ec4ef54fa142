"""What was said of tickets at fixed ages: by a served scorer on unseen tickets, or by inner fits of a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.estimators.escalation import EscalationModel
from pipeline.features.build import Blocks
from pipeline.history.log import moments
from pipeline.history.record import History
from pipeline.scorer import Scorer
from pipeline.training.labels import LABEL_PREFIX, escalated_at
from pipeline.training.served import BATCH
from pipeline.training.snapshots import Snapshots, snapshots
from pipeline.training.train import Trained
from pipeline.training.waiting import Waited

NO_CUT = np.iinfo(np.int64).max


def of_served(
    scorer: Scorer, frame: pd.DataFrame, history: History, *, say: Callable[[str], None] = lambda line: None
) -> Waited | None:
    """By the scorer's own parts, as `Scorer.score` uses them; each ticket is read once and looked at at every age.

    Parameters
    ----------
    frame : DataFrame
        Parsed tickets that the scorer wasn't trained on, with `label.escalated` and `known.escalated`.

    Returns
    -------
    Waited or None
        None where the scorer looks at no history, or no ticket has a moment.
    """
    model, as_of = scorer.models.escalation, scorer.builder.as_of
    if model is None or model.course is None or as_of is None or LABEL_PREFIX + "escalated" not in frame:
        return None
    seen = snapshots(frame, history, as_of, cut=NO_CUT)
    if not len(seen):
        return None
    risk, alone = np.empty(len(seen)), np.empty(len(seen))
    order = np.argsort(seen.rows, kind="stable")
    ordered = seen.rows[order]
    tickets = np.unique(ordered)
    for start in range(0, len(tickets), BATCH):
        rows = tickets[start : start + BATCH]
        begin, end = np.searchsorted(ordered, [rows[0], rows[-1] + 1])
        places = order[begin:end]
        blocks = scorer.builder.transform(frame.iloc[rows].reset_index(drop=True))
        risk[places], alone[places] = _risks(model, blocks, np.searchsorted(rows, seen.rows[places]), seen, places)
        if len(tickets) > BATCH:
            say(f"looked at {min(start + BATCH, len(tickets)):,} of {len(tickets):,} tickets as they wait")
    return _waited(frame, seen, np.arange(len(seen)), risk, alone)


def of_inner(model: Trained, frame: pd.DataFrame, seen: Snapshots | None) -> Waited | None:
    """By inner fits that hadn't learned from what they look at; None where there is no course."""
    if seen is None or "course_snapshots" not in model.inner:
        return None
    places = model.inner["course_snapshots"]
    return _waited(frame, seen, places, model.inner["course_risk"], model.inner["course_alone"])


def _risks(
    model: EscalationModel, blocks: Blocks, row: np.ndarray, seen: Snapshots, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    alone = model.risk(blocks)
    risk = np.empty(len(places))
    for age in np.unique(seen.age[places]):
        part = np.flatnonzero(seen.age[places] == age)
        risk[part] = model.risk(replace(blocks.take(row[part]), moment=seen.block[places[part]]))
    return risk, alone[row]


def _waited(frame: pd.DataFrame, seen: Snapshots, places: np.ndarray, risk: np.ndarray, alone: np.ndarray) -> Waited:
    rows, ticket = np.unique(seen.rows[places], return_inverse=True)
    happened = (frame[LABEL_PREFIX + "escalated"].iloc[rows] == "1").to_numpy(bool)
    known = moments(escalated_at(frame.iloc[rows]))
    return Waited(
        ticket, seen.age[places], seen.moments[places], risk, alone, happened[ticket].astype(np.int64),
        moments(frame["created_at"].iloc[rows]), np.where(happened, known, -1),
    )  # fmt: skip
