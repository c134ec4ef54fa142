"""The scored ticket in the making: columns that the models fill row by row, and the frame that they become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pipeline.tickets.schema import SCORED


@dataclass
class Answer:
    """Columns of n scored tickets; empty where nothing was said.

    Attributes
    ----------
    size : int
        n
    columns : dict
        By name: floats are nan, everything else None until it is put.
    queue_confidence : ndarray, shape (n,)
        Of the queue that a model proposed.
    """

    size: int
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    queue_confidence: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        for column in SCORED:
            number = column.kind == "number"
            self.columns[column.name] = np.full(self.size, np.nan) if number else np.full(self.size, None, dtype=object)
        self.queue_confidence = np.zeros(self.size)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def put(self, name: str, rows: np.ndarray, values: Sequence[Any] | np.ndarray) -> None:
        """Set some rows of a column."""
        target = self.columns[name]
        if target.dtype != object:
            target[rows] = values
            return
        for row, value in zip(rows, values, strict=True):
            target[row] = value

    def put_labels(self, rows: np.ndarray, classes: Sequence[str], probabilities: np.ndarray, shown: int) -> None:
        """Topic, confidence and the best candidates of some rows."""
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :shown]
        best = np.take_along_axis(probabilities, order, axis=1)
        self.put("topic", rows, [classes[i] for i in order[:, 0]])
        self.put("topic_confidence", rows, best[:, 0])
        candidates = [
            [{"label": classes[i], "probability": p} for i, p in zip(labels, values, strict=True)]
            for labels, values in zip(order.tolist(), best.tolist(), strict=True)
        ]
        self.put("topic_candidates", rows, candidates)

    def put_levels(
        self, rows: np.ndarray, levels: Sequence[str], probabilities: np.ndarray, chosen: np.ndarray
    ) -> None:
        """Priority, its confidence and the probability of every level of some rows."""
        self.put("priority", rows, [levels[i] for i in chosen])
        self.put("priority_confidence", rows, probabilities[np.arange(len(rows)), chosen])
        self.put(
            "priority_probabilities", rows, [dict(zip(levels, row, strict=True)) for row in probabilities.tolist()]
        )

    def frame(self, as_of: pd.Series, index: pd.Index) -> pd.DataFrame:
        """The columns of `schema.SCORED`, with the index of the tickets."""
        values: dict[str, Any] = dict(self.columns)
        values["as_of"] = as_of.array
        return pd.DataFrame(values, index=index, copy=False)
