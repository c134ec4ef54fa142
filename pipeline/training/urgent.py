"""What turned out urgent: tickets that escalated, else those of the most urgent level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.errors import InputError
from pipeline.training.curves import Floats
from pipeline.training.labels import LABEL_PREFIX


@dataclass(frozen=True)
class Urgent:
    """The truth about some tickets.

    Attributes
    ----------
    truth : array of float, shape (n,)
        1 urgent, 0 not, nan unknown.
    words : str
        What counts as urgent: "it escalated", "its priority turned out to be urgent".
    priority : array of object, shape (n,)
        The level that each turned out to have; None where unknown.
    """

    truth: Floats
    words: str
    priority: np.ndarray


def urgent_of(tickets: pd.DataFrame, levels: Sequence[str], *, counted: np.ndarray) -> Urgent:
    """What became of tickets.

    Parameters
    ----------
    tickets : DataFrame, n rows
        With `label.escalated` or `label.priority`.
    levels : sequence of str
        Priority levels, least urgent first.
    counted : array of bool, shape (n,)
        Tickets that are looked at; the others only fill the queue.

    Raises
    ------
    InputError
        None of the counted tickets escalated, and none is of the most urgent level.
    """
    priority = _labels(tickets, "priority")
    kinds = [(_labels(tickets, "escalated"), "1", "it escalated")]
    if levels:
        kinds.append((priority, levels[-1], f"its priority turned out to be {levels[-1]}"))
    for labels, wanted, words in kinds:
        truth = np.array([np.nan if v is None else float(v == wanted) for v in labels.tolist()])
        if (truth[counted] == 1).any():
            return Urgent(truth, words, priority)
    raise InputError(
        "nothing turned out urgent",
        where="outcomes of the window, without its beginning, which only fills the queue",
        got=f"{int(counted.sum()):,} tickets: none escalated, and none is known to be of the most urgent level",
        do="widen the window (--from, --to), or map `escalated` or `priority` and import again",
    )


def _labels(tickets: pd.DataFrame, outcome: str) -> np.ndarray:
    name = LABEL_PREFIX + outcome
    found = tickets[name].tolist() if name in tickets else [None] * len(tickets)
    return np.array([v if isinstance(v, str) else None for v in found] or [], dtype=object)
