"""A new scorer takes over while the old one serves; one that fails its checks is refused, and the old one stays."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from pipeline.errors import OutputError, StoreError, TriageError
from pipeline.serving.http.keys import KeyFile
from pipeline.serving.http.service import Service
from pipeline.serving.loading import Held, Loader
from pipeline.serving.telling import place_of


@dataclass
class Replacer:
    """Looks for another scorer, and puts it into service.

    Attributes
    ----------
    service : Service
    loader : Loader
    keys : KeyFile or None
        Looked at as well.
    look_every : float
        Seconds.
    """

    service: Service
    loader: Loader
    keys: KeyFile | None = None
    look_every: float = 3.0
    known: str = ""
    _asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def first(self) -> None:
        """Load the first scorer.

        Raises
        ------
        TriageError
        """
        self.known = await asyncio.to_thread(self.loader.source.mark)
        self.service.swap(await asyncio.to_thread(self.loader.load))

    def ask(self) -> None:
        """Look now, and load again even what seems to be the same (SIGHUP)."""
        self._asked.set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), self.look_every)
            asked = self._asked.is_set()
            self._asked.clear()
            self._look_at_keys()
            mark = await self._mark()
            if asked or mark not in ("", self.known):
                before, self.known = self.known, mark  # one that is refused isn't tried again until it changes
                if not await self._replace():
                    self.known = before

    def _look_at_keys(self) -> None:
        try:
            if self.keys is not None:
                self.keys.look()
        except TriageError as error:
            self.service.tell("keys_refused", error=error.what, where=error.where)

    async def _mark(self) -> str:
        try:
            return await asyncio.to_thread(self.loader.source.mark)
        except TriageError:  # a registry that is away for a moment changes nothing
            return ""

    async def _replace(self) -> bool:
        """False where nothing is wrong with the new scorer: a history or a registry is away, and it is tried again."""
        service = self.service
        try:
            held: Held = await asyncio.to_thread(self.loader.load)
        except (StoreError, OutputError) as error:
            self._refuse(error.what, error.where)
            return False
        except TriageError as error:
            self._refuse(error.what, error.where)
        except Exception as error:  # never the message: it may quote a ticket
            self._refuse(f"a fault in Triage itself: {type(error).__name__}", place_of(error.__traceback__))
        else:
            service.swap(held)
            service.metrics.reloads.labels("in_service").inc()
            service.tell("reloaded", scorer=held.loaded.version)
        return True

    def _refuse(self, error: str, where: str) -> None:
        service = self.service
        service.refused = {"error": error, "where": where, "at": service.clock().isoformat(timespec="seconds")}
        service.metrics.reloads.labels("refused").inc()
        service.tell("refused", error=error, where=where)
