"""The scorer that a worker uses: a newer one is loaded beside it, and takes over between two batches."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from pipeline.errors import OutputError, StoreError, TriageError
from pipeline.serving.answers import Loaded
from pipeline.serving.loading import Held, Loader, settle_down
from pipeline.serving.stream.tally import Tally
from pipeline.serving.telling import Tell, place_of


@dataclass
class Renewing:
    """Looks for another scorer, and swaps it in when asked.

    Attributes
    ----------
    loader : Loader
    tally : Tally
    tell : callable
    look_every : float
        Seconds.
    """

    loader: Loader
    tally: Tally
    tell: Tell
    look_every: float = 3.0
    known: str = ""
    asked: bool = False
    _held: Held | None = None
    _coming: Future[tuple[str, Held | None]] | None = None
    _looked: float = 0.0
    _worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "loader"))

    def first(self) -> None:
        """Load the first scorer.

        Raises
        ------
        TriageError
        """
        self.known = self.loader.source.mark()
        self._serve(self.loader.load())

    @property
    def loaded(self) -> Loaded:
        """The scorer in use."""
        assert self._held is not None  # `first` comes first
        return self._held.loaded

    def look(self) -> None:
        """Between two batches: take a newer scorer that is ready; look for one from time to time."""
        if self._coming is not None:
            if self._coming.done():
                self._swap(self._coming)
        elif self.asked or time.monotonic() - self._looked >= self.look_every:
            self._coming = self._worker.submit(self._look, self.asked)
            self.asked, self._looked = False, time.monotonic()

    def close(self) -> None:
        """Let go of scorer and history."""
        self._worker.shutdown()
        came = self._coming.result()[1] if self._coming is not None and self._coming.exception() is None else None
        for held in (came, self._held):
            if held is not None:
                held.close()

    def _look(self, asked: bool) -> tuple[str, Held | None]:
        try:
            mark = self.loader.source.mark()
        except TriageError:  # a registry that is away for a moment changes nothing
            mark = ""
        if not asked and mark in ("", self.known):
            return self.known, None
        before, self.known = self.known, mark  # one that is refused isn't tried again until it changes
        try:
            return mark, self.loader.load()
        except (StoreError, OutputError):  # not its fault: a history or a registry is away
            self.known = before
            raise

    def _swap(self, coming: Future[tuple[str, Held | None]]) -> None:
        self._coming = None
        try:
            _, held = coming.result()
        except TriageError as error:
            self._refuse(error.what, error.where)
        except Exception as error:  # never the message: it may quote a ticket
            self._refuse(f"a fault in Triage itself: {type(error).__name__}", place_of(error.__traceback__))
        else:
            if held is not None:
                old = self._held
                self._serve(held)
                self.tally.reloads["in_service"] += 1
                self.tell("reloaded", scorer=held.loaded.version)
                if old is not None:
                    old.close()

    def _serve(self, held: Held) -> None:
        self._held = held
        self.tally.version = held.loaded.version
        settle_down()

    def _refuse(self, error: str, where: str) -> None:
        self.tally.reloads["refused"] += 1
        self.tell("refused", error=error, where=where)
