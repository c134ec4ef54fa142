"""How a door writes: into the ledger, or, while that can't take it, onto the local disk."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pipeline.errors import OutputError, StoreError, ValueRefusedError
from pipeline.ledger.decisions import Decision
from pipeline.ledger.feedback import Feedback
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.spool import Replayed, Spool

RETRY_SECONDS = 5.0
"""After a fault the ledger is left alone for so long: a door that waited for it at every write would stand still."""


class Journal:
    """The ledger with its spool; threads may share one.

    Parameters
    ----------
    ledger : Ledger
        Best opened `lazily`, so that a door can start while the database is down.
    spool : Spool
        On a disk of the door's own.
    retry_seconds : float
        So long after a fault everything goes to the spool at once.

    Attributes
    ----------
    fault : StoreError or OutputError or None
        Why the last write didn't get into the ledger; None if it did.
    refused : int
        Decisions and pieces of feedback so far that the database refuses: they lie in `Spool.refused`.
    """

    def __init__(self, ledger: Ledger, spool: Spool, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self.ledger, self.spool, self.retry_seconds = ledger, spool, retry_seconds
        self.fault: StoreError | OutputError | None = None
        self.refused = 0
        self._not_before = 0.0

    def write(self, decisions: Sequence[Decision]) -> bool:
        """Whether the decisions are in the ledger or in the spool: either way, a crash loses none of them."""
        return self._take_in(decisions, ())

    def add_feedback(self, feedback: Sequence[Feedback]) -> bool:
        """The same of feedback."""
        return self._take_in((), feedback)

    def replay(self, *, at_once: bool = False) -> Replayed:
        """Put what waits in the spool into the ledger; cheap where nothing waits, or soon after a fault.

        Parameters
        ----------
        at_once : bool
            Try it however soon after a fault: for the last time before the end.

        Raises
        ------
        StoreError, OutputError
            The ledger still can't take it, or the spool can't be read; what waits goes on waiting.
        """
        if not self.spool.waiting or not (at_once or time.monotonic() >= self._not_before):
            return Replayed()
        try:
            told = self.spool.replay(self.ledger.take_in)
            self.refused += told.refused
            return told
        except StoreError:
            self._not_before = time.monotonic() + self.retry_seconds
            raise

    def _take_in(self, decisions: Sequence[Decision], feedback: Sequence[Feedback]) -> bool:
        if time.monotonic() >= self._not_before:
            try:
                self.ledger.take_in(decisions, feedback)
                self.fault = None
                return True
            except ValueRefusedError as error:  # it isn't away: the others go on, and `replay` finds which it is
                self.fault = error
            except StoreError as error:
                self.fault = error
                self._not_before = time.monotonic() + self.retry_seconds
        try:
            self.spool.append(decisions, feedback)
        except OutputError as error:
            self.fault = error
            return False
        return True
