"""Open tickets for tests: a store with a history in hours, a file of tickets, and an obedient scorer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from made_history import MANY, Event, Ticket, time_of
from made_store import put
from unit.serving.standin import StandIn

from pipeline.history.record import DatedFacts
from pipeline.history.store import open_store
from pipeline.serving.past import StorePast
from pipeline.tickets.schema import conform

NOW = datetime(2026, 3, 20, tzinfo=UTC)


@dataclass
class Told(StandIn):
    """Says what `says` holds of a ticket (id → columns), else what the stand-in says; remembers what it was asked."""

    says: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        StandIn.__init__(self)

    def score(  # type: ignore[override]
        self, tickets: pd.DataFrame, *, history: DatedFacts | None = None, explain: bool = False
    ) -> pd.DataFrame:
        assert history is not None
        self.asked += zip(tickets["ticket_id"], tickets["as_of"].astype("str"), strict=True)
        rows = super().score(tickets, explain=explain).to_dict("records")
        told = [row | self.says.get(str(row["ticket_id"]), {}) for row in rows]
        scored = pd.DataFrame(told, index=tickets.index).assign(as_of=tickets["as_of"])
        return conform(scored, "scored")


@dataclass(frozen=True)
class Open:
    """A folder with a store, and the tickets in it."""

    folder: Path
    tickets: tuple[Ticket, ...]
    past: StorePast

    @property
    def file(self) -> Path:
        """The tickets as a file in our own schema."""
        path = self.folder / "tickets.jsonl"
        rows = [{"ticket_id": t.id, "created_at": str(time_of(t.created)), "subject": "made"} for t in self.tickets]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def scored(self, scorer: Told, at: float) -> pd.DataFrame:
        """All tickets scored as of an hour."""
        frame = pd.DataFrame({"ticket_id": [t.id for t in self.tickets]}).assign(subject="made", error=None)
        frame = conform(frame.assign(as_of=time_of(at)), "tickets").assign(error=None)
        return replace(scorer).score(frame, history=self.past.read(frame))


@contextmanager
def opened(folder: Path, tickets: Sequence[Ticket], events: Sequence[Event] = ()) -> Iterator[Open]:
    """A store of these tickets and events."""
    with open_store(f"sqlite:///{folder}/store.db", MANY) as store:
        put(store, tickets, events)
        yield Open(folder, tuple(tickets), StorePast(store, "made"))
