"""What one model said of tickets whose outcome is known: the arrays that every figure of a report is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from pipeline.pages.report import ModelName

MODEL_NAMES: dict[str, ModelName] = {
    "topic": "topic",
    "queue": "queue",
    "priority": "priority",
    "escalated": "escalation",
}
"""Outcome → the name of its model on the page."""

METRICS = {
    "topic": ("accuracy", "macro_f1"),
    "queue": ("accuracy", "macro_f1"),
    "priority": ("quadratic_kappa",),
    "escalated": ("average_precision",),
}
"""Outcome → the metrics that its gate looks at."""

UNKNOWN_MONTH = ""


@dataclass(frozen=True)
class Context:
    """What is known of the tickets beside their text; arrays of shape (n,).

    Attributes
    ----------
    ids : ndarray of str
        Ticket ids.
    months : ndarray of str
        "2025-04"; "" where the ticket has no time.
    days : ndarray of str
        "2025-04-01", or "".
    languages, channels : ndarray of str
        "" where unknown.
    words : ndarray of int
        Length of the clean text.
    """

    ids: np.ndarray
    months: np.ndarray
    days: np.ndarray
    languages: np.ndarray
    channels: np.ndarray
    words: np.ndarray

    @classmethod
    def of(cls, parsed: pd.DataFrame) -> Context:
        """From parsed tickets (`tickets.parse`)."""
        days = parsed["created_at"].dt.strftime("%Y-%m-%d").astype(object).where(parsed["created_at"].notna(), "")
        found = np.array(days.tolist(), dtype=str)
        return cls(
            _words_of(parsed["ticket_id"]),
            np.array([d[:7] for d in found.tolist()], dtype=str),
            found,
            _words_of(parsed["language"]),
            _words_of(parsed["channel"]),
            np.array([len(t.split()) for t in parsed["text"].fillna("").astype(str).tolist()], dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: np.ndarray) -> Context:
        """The same of some rows."""
        return Context(
            self.ids[rows],
            self.months[rows],
            self.days[rows],
            self.languages[rows],
            self.channels[rows],
            self.words[rows],
        )


@dataclass(frozen=True)
class Rival:
    """What a simple baseline says of the same tickets.

    Attributes
    ----------
    guess : ndarray of str, shape (n,)
        Its label; for an escalation unused.
    confidence : ndarray of float, shape (n,)
        Probability of that label; for an escalation the risk. NaN where it has none to offer.
    first_three : ndarray of bool or None
        Whether the truth is among its first three.
    """

    name: str
    guess: np.ndarray
    confidence: np.ndarray
    first_three: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> Rival:
        """The same of some rows."""
        first = None if self.first_three is None else self.first_three[rows]
        return replace(self, guess=self.guess[rows], confidence=self.confidence[rows], first_three=first)


@dataclass(frozen=True)
class Outside:
    """Out-of-scope scores: of tickets that belong to a topic, and of those known to belong to none."""

    inside: np.ndarray
    outside: np.ndarray


@dataclass(frozen=True)
class Looked:
    """One model's word on n tickets beside the truth.

    Attributes
    ----------
    target : str
        The outcome.
    truth, guess : ndarray of str, shape (n,)
        Labels; for an escalation "0" or "1", and `guess` is unused.
    confidence : ndarray of float, shape (n,)
        Probability that `guess` is right; for an escalation the risk.
    first_three : ndarray of bool or None
        Whether the truth is among the first three candidates.
    trained : dict
        Label → tickets that the model learned it from.
    levels : tuple of str
        Of a priority, least urgent first.
    working_point : (float, float) or None
        Share routed and share wrong at which the scorer works.
    """

    target: str
    truth: np.ndarray
    guess: np.ndarray
    confidence: np.ndarray
    context: Context
    trained: Mapping[str, int] = field(default_factory=dict)
    first_three: np.ndarray | None = None
    rivals: tuple[Rival, ...] = ()
    levels: tuple[str, ...] = ()
    outside: Outside | None = None
    working_point: tuple[float, float] | None = None

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def happened(self) -> np.ndarray:
        """Of an escalation: 1.0 where it came to one."""
        return np.asarray(self.truth == "1", dtype=np.float64)

    def with_rivals(self, rivals: tuple[Rival, ...]) -> Looked:
        """The same beside its baselines."""
        return replace(self, rivals=rivals)


def _words_of(values: pd.Series) -> np.ndarray:
    return np.array(values.fillna("").astype(str).tolist(), dtype=str)
