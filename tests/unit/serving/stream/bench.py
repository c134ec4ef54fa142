"""A worker over a broker in memory, with a real scorer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from made_stream import Dead, Inlet, Memory, Outlet

from pipeline.ledger import Journal, Spool, open_ledger
from pipeline.serving.loading import FolderSource, Loader
from pipeline.serving.stream.ageing import Ageing
from pipeline.serving.stream.renewing import Renewing
from pipeline.serving.stream.scoring import Scoring
from pipeline.serving.stream.tally import Tally
from pipeline.serving.stream.worker import Pace, Worker

NOW = pd.Timestamp("2026-11-23T12:00:00Z")


class Bench:
    """Makes workers over one broker, and keeps what they tell."""

    def __init__(self, scorer: Path, folder: Path) -> None:
        self.scorer, self.folder, self.broker = scorer, folder, Memory()
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.now = NOW

    def worker(
        self,
        *,
        history: str | None = None,
        ledger: bool = False,
        ages: tuple[pd.Timedelta, ...] = (),
        scorer: Path | None = None,
        **pace: Any,
    ) -> Worker:
        """A worker that ends when nothing is left."""
        journal = None
        if ledger:
            opened = open_ledger(f"sqlite:///{self.folder}/ledger.db", lazily=True)
            journal = Journal(opened, Spool(self.folder / "spool.jsonl"))
        tally = Tally()
        loader = Loader(FolderSource(scorer or self.scorer), history, None, lambda: self.now)
        return Worker(
            open_inlet=lambda: Inlet(self.broker),
            outlet=Outlet(self.broker),
            dead=Dead(self.broker),
            scoring=Scoring(journal, lambda: self.now),
            renewing=Renewing(loader, tally, self.tell, look_every=0.01),
            ageing=Ageing(ages) if ages else None,
            pace=Pace(**{"window": 0.01} | pace),
            tally=tally,
            tell=self.tell,
        )

    def tell(self, event: str, **values: Any) -> None:
        """Note an event."""
        self.told.append((event, values))

    def events(self) -> list[str]:
        """Names of what was told."""
        return [name for name, _ in self.told]
