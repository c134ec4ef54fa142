"""What a run over files says goes into the ledger, chunk by chunk; while that is away, into a spool beside it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from pipeline.config import Params
from pipeline.errors import OutputError, StoreError
from pipeline.ledger import Journal, decisions_of, open_ledger, spool_of

Counts = dict[str, int]
"""`written`: decisions in the ledger; `spooled`: in the spool; `lost`: in neither."""

Keep = Callable[[pd.DataFrame, pd.DataFrame, datetime], Counts]
"""Given tickets, the scored rows and the moment of the run: keeps the decisions, and says where they are."""

DOOR = "batch"


def nowhere(tickets: pd.DataFrame, scored: pd.DataFrame, moment: datetime) -> Counts:
    """Keep nothing."""
    return {}


@dataclass(frozen=True)
class Ledgered:
    """A ledger as a run over files writes it.

    Attributes
    ----------
    journal : Journal
    settings : Params
        The scorer's: `ledger`, and who counts as one customer.
    history : bool
        Whether the tickets are looked up in a history.
    door : str
        Who asks: `batch` or `rescore`.
    """

    journal: Journal
    settings: Params
    history: bool
    door: str = DOOR

    def __call__(self, tickets: pd.DataFrame, scored: pd.DataFrame, moment: datetime) -> Counts:
        """Keep the decisions of a chunk, and what an earlier one had to leave in the spool."""
        made = decisions_of(
            tickets,
            scored,
            door=self.door,
            decided_at=moment,
            settings=self.settings.ledger,
            people=self.settings.history,
            history=self.history,
        )
        if not self.journal.write(made):
            return {"lost": len(made)}
        if self.journal.fault is not None:
            return {"spooled": len(made)}
        self.catch_up()
        return {"written": len(made)}

    def catch_up(self) -> None:
        """Put what waits in the spool into the ledger, if that can take it; else it goes on waiting."""
        with suppress(StoreError, OutputError):
            self.journal.replay()

    def close(self) -> None:
        """Let go of the database, after a last try to put the spool in."""
        with suppress(StoreError, OutputError):
            self.journal.replay(at_once=True)
        self.journal.ledger.close()

    @property
    def name(self) -> str:
        """Which ledger, without user and password."""
        return self.journal.ledger.place.name

    @property
    def waiting(self) -> bool:
        """Whether something waits in the spool."""
        return self.journal.spool.waiting

    @property
    def away(self) -> str:
        """Why the ledger didn't take the last chunk; empty where it did."""
        return "" if self.journal.fault is None else self.journal.fault.what


def open_ledgered(url: str, folder: Path, settings: Params, *, history: bool, door: str = DOOR) -> Ledgered:
    """The ledger of a run; one that is away for now is no error.

    Parameters
    ----------
    folder : Path
        Where the spool of a ledger on a server lies.

    Raises
    ------
    StoreError
        An unknown kind of URL, a folder that isn't there, an extra that isn't installed.
    """
    return Ledgered(Journal(open_ledger(url, lazily=True), spool_of(url, folder)), settings, history, door)
