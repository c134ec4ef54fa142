"""Requests that come together are scored together: gathered by tickets and length, one batch at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field

from pipeline.serving.answers import Ask, Said

MOST_ITEMS = 256
MOST_CHARACTERS = 2_000_000
"""A batch ends before either is passed; a request that passes them by itself is a batch of its own."""

WAIT_SECONDS = 0.005
"""So long a batch waits for the requests that are likely to come."""

KEEPING_SECONDS = 0.02
"""So long it waits while answers are being logged, whose callers are likely to come again: two halves cost more."""

RECENT_SECONDS = 0.05
"""Where several came together so short a time ago, several are likely to come again. Else nobody waits."""

Work = Callable[[Sequence[Ask]], Sequence[Said | Exception]]
"""Answers several requests; runs in the worker thread."""

Keep = Callable[[Sequence[Said | Exception]], Awaitable[Sequence[bool | None]]]
"""Logs what was said, and says whether each is safe; None for what isn't logged."""


@dataclass(eq=False)
class Job:
    """One request that waits."""

    ask: Ask
    answer: asyncio.Future[tuple[Said, bool | None]]


@dataclass
class Batcher:
    """Gathers requests while the one before is scored, and hands them to one thread.

    Attributes
    ----------
    work : callable
        Scores; called by one batch at a time.
    keep : callable or None
        Logs while the next batch is scored; None: nothing is logged.
    worker : Executor
        Of one thread.
    """

    work: Work
    keep: Keep | None
    worker: Executor
    waiting: dict[int, Job] = field(default_factory=dict)
    _some: asyncio.Event = field(default_factory=asyncio.Event)
    _enough: asyncio.Event = field(default_factory=asyncio.Event)
    _keeping: set[asyncio.Task[None]] = field(default_factory=set)
    _together: int = 1
    _ended: float = 0.0
    _kept: int = 0

    def put(self, ask: Ask) -> asyncio.Future[tuple[Said, bool | None]]:
        """The answer to come, and whether it was logged; once it is cancelled, the request has left the queue."""
        job = Job(ask, asyncio.get_running_loop().create_future())
        self.waiting[id(job)] = job
        job.answer.add_done_callback(lambda _: self.waiting.pop(id(job), None))
        self._some.set()
        if len(self.waiting) >= self._together:
            self._enough.set()
        return job.answer

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            await self._some.wait()
            await self._gather()
            jobs = self._take()
            if not self.waiting:
                self._some.clear()
            if jobs:
                await self._answer(jobs)

    async def _gather(self) -> None:
        """Wait a little for those who came together the last time; one alone is never kept waiting."""
        recent = asyncio.get_running_loop().time() - self._ended < RECENT_SECONDS
        if not recent or len(self.waiting) >= self._together:
            return
        self._enough.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(KEEPING_SECONDS if self._kept else WAIT_SECONDS):
                await self._enough.wait()

    def _take(self) -> list[Job]:
        jobs: list[Job] = []
        items = characters = 0
        for key, job in [*self.waiting.items()]:
            items, characters = items + job.ask.items, characters + job.ask.characters
            if jobs and (items > MOST_ITEMS or characters > MOST_CHARACTERS):
                break
            jobs.append(self.waiting.pop(key))
        return [job for job in jobs if not job.answer.done()]

    async def _answer(self, jobs: list[Job]) -> None:
        loop = asyncio.get_running_loop()
        said = await loop.run_in_executor(self.worker, self.work, [job.ask for job in jobs])
        self._together = min(len(jobs) + len(self.waiting) + self._kept, MOST_ITEMS)
        self._ended = loop.time()
        if self.keep is None:
            self._tell(jobs, said, [None] * len(jobs))
            return
        self._kept += len(jobs)
        task = asyncio.create_task(self._settle(self.keep, jobs, said))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _settle(self, keep: Keep, jobs: list[Job], said: Sequence[Said | Exception]) -> None:
        try:
            self._tell(jobs, said, await keep(said))
        finally:
            self._kept -= len(jobs)

    def _tell(self, jobs: list[Job], said: Sequence[Said | Exception], logged: Sequence[bool | None]) -> None:
        for job, answer, safe in zip(jobs, said, logged, strict=True):
            if job.answer.done():  # its client has gone
                continue
            if isinstance(answer, Exception):
                job.answer.set_exception(answer)
            else:
                job.answer.set_result((answer, safe))
