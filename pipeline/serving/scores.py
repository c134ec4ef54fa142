"""What a door needs of a scorer."""

from __future__ import annotations

from typing import Any, Protocol

import pandas as pd


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
