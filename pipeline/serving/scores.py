"""What a door needs of a scorer."""

from __future__ import annotations

from typing import Any, Protocol

import pandas as pd

from pipeline.history.record import DatedFacts


class Scores(Protocol):
    """A loaded scorer, as far as the doors know it (`pipeline.scorer.Scorer` is one)."""

    @property
    def version(self) -> str:
        """Which scorer this is: it stands in every row, and a resumed run checks it."""
        ...

    @property
    def reference(self) -> dict[str, Any]:
        """Counts of the training data (`features.drift.summarise`)."""
        ...

    @property
    def levels(self) -> tuple[str, ...]:
        """Priority levels, least urgent first; empty without a priority model."""
        ...

    def score(self, tickets: pd.DataFrame, *, explain: bool = False) -> pd.DataFrame:
        """One scored row for each ticket, in order."""
        ...


class AsOfScores(Protocol):
    """A loaded scorer that is given the history with the tickets (`pipeline.scorer.Scorer` is one)."""

    @property
    def version(self) -> str:
        """Which scorer this is."""
        ...

    @property
    def levels(self) -> tuple[str, ...]:
        """Priority levels, least urgent first; empty without a priority model."""
        ...

    @property
    def queue_column(self) -> str | None:
        """Column of tickets that names their first queue: the history is asked for that queue."""
        ...

    @property
    def reason_column(self) -> str | None:
        """Column of tickets that says their contact reason: the history is asked for that reason."""
        ...

    def score(self, tickets: pd.DataFrame, *, history: DatedFacts | None = None, explain: bool = False) -> pd.DataFrame:
        """One scored row for each ticket, in order."""
        ...
