"""The process: a socket, the scorer, signals; it begins to serve when it is warm, and ends when all are answered."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import socket
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import uvicorn

from pipeline.errors import InputError
from pipeline.ledger import Journal, open_ledger, spool_of
from pipeline.serving.http.app import make_app
from pipeline.serving.http.guard import LOOPBACK, Guard
from pipeline.serving.http.keeping import LOCK_SECONDS, Keeper
from pipeline.serving.http.keys import KeyFile
from pipeline.serving.http.limits import Limits, Room
from pipeline.serving.http.metrics import Metrics
from pipeline.serving.http.protocol import HEADER_SECONDS, Patient
from pipeline.serving.http.replacing import Replacer
from pipeline.serving.http.service import Service
from pipeline.serving.loading import Loader
from pipeline.serving.telling import Tell

DRAIN_SECONDS = 1.0
"""After SIGTERM requests are still taken for so long, with answers that close their connections."""

KEEP_ALIVE_SECONDS = 75
"""Longer than the proxies in front of it keep theirs, so that they close first."""

_SPARE_FILES = 100
_BACKLOG = 2048


@dataclass(frozen=True)
class Settings:
    """How the service runs.

    Attributes
    ----------
    host : str
    port : int
        0: a free one.
    keys : KeyFile or None
        Without them only the loopback address may be served.
    ledger : str or None
        URL of the ledger of decisions and feedback.
    limits : Limits
    look_every : float
        Seconds after which the scorer's place and the keys are looked at again.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    keys: KeyFile | None = None
    ledger: str | None = None
    limits: Limits = field(default_factory=Limits)
    look_every: float = 3.0


def serve(settings: Settings, loader: Loader, tell: Tell, clock: Callable[[], pd.Timestamp]) -> None:
    """Serve until SIGTERM or SIGINT; returns when every accepted request is answered.

    Raises
    ------
    InputError
        An address that can't be served, or must not be without keys.
    TriageError
        The scorer or its history can't be used.
    """
    if settings.keys is None and settings.host not in LOOPBACK:
        do = "make a key with `triage keys new --file keys.json`, and serve with --keys keys.json"
        raise InputError("without keys only this machine may ask", where="--host", got=settings.host, do=do)
    with _bound(settings.host, settings.port) as listening:
        runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        with runner:
            runner.run(_Process(settings, loader, tell, clock).run(listening))


class _Process:
    def __init__(self, settings: Settings, loader: Loader, tell: Tell, clock: Callable[[], pd.Timestamp]) -> None:
        self.tell, self.loader = tell, loader
        room = Room(settings.limits, shared=settings.keys is not None)
        metrics = Metrics()
        keeper = None if settings.ledger is None else Keeper(_journal(settings.ledger), metrics, clock)
        self.service = service = Service(settings.limits, room, loader.mapping, tell, clock, metrics, keeper)
        self.replacer = Replacer(service, loader, settings.keys, settings.look_every)
        guarded = Guard(
            make_app(service),
            keys=settings.keys,
            metrics=service.metrics,
            tell=tell,
            draining=lambda: service.draining,
        )
        Patient.most, Patient.seconds = _most_connections(), min(HEADER_SECONDS, settings.limits.seconds)
        self.server = _Server(
            uvicorn.Config(
                guarded,
                http=Patient,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=_BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=int(settings.limits.seconds) + 5,
            )
        )

    async def run(self, listening: socket.socket) -> None:
        """From the first byte to the last."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._fault)
        serving = asyncio.create_task(self.server.serve(sockets=[listening]))
        helpers: list[asyncio.Task[Any]] = []
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._drain)
            loop.add_signal_handler(signal.SIGHUP, self.replacer.ask)
            host, port = listening.getsockname()[:2]
            self.tell("listening", host=host, port=port)
            await self.replacer.first()
            helpers = [asyncio.create_task(self.service.batcher.run()), asyncio.create_task(self.replacer.run())]
            if self.service.keeper is not None:
                helpers.append(asyncio.create_task(self.service.keeper.replay()))
            assert self.service.held is not None
            self.tell("ready", scorer=self.service.held.loaded.version)
            await serving
        finally:
            self.server.should_exit = True
            await serving
            for helper in helpers:
                helper.cancel()
            self._close()
        self.tell("stopped")

    def _drain(self) -> None:
        """Say that no more should come, answer what comes all the same for a moment, then end."""
        if self.service.draining:
            return
        self.service.draining = True
        self.service.metrics.ready.set(0)
        self.tell("draining", tickets=self.service.room.all_items)
        asyncio.get_running_loop().call_later(DRAIN_SECONDS, setattr, self.server, "should_exit", True)

    def _close(self) -> None:
        self.service.worker.shutdown()
        self.service.reader.shutdown()
        self.service.putter.shutdown()
        if self.service.keeper is not None:
            self.service.keeper.close()
        if self.service.held is not None:
            self.service.held.close()

    def _fault(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What asyncio would log with values that may quote a ticket."""
        kind = type(context.get("exception")).__name__
        self.service.metrics.faults.labels(kind).inc()
        self.tell("fault", kind=kind, place="event loop")


def _journal(url: str) -> Journal:
    """The ledger and its spool; the database may be away for now.

    Raises
    ------
    StoreError
        An unknown kind of URL.
    """
    return Journal(open_ledger(url, lazily=True, timeout_seconds=LOCK_SECONDS), spool_of(url, Path.cwd()))


class _Server(uvicorn.Server):
    """uvicorn's server, whose signals are ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@contextlib.contextmanager
def _bound(host: str, port: int) -> Generator[socket.socket, None, None]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((host, port))
        except OSError as error:
            do = "choose another --port or --host"
            raise InputError(
                "the address can't be served", where=f"{host}:{port}", got=error.strerror or "", do=do
            ) from None
        yield made


def _most_connections() -> int:
    """As many as the system lets this process have open, less some files of its own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        wanted = min(hard, 65_536) if hard != resource.RLIM_INFINITY else 65_536
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
        soft = max(soft, wanted)
    return max(soft - _SPARE_FILES, 16)
