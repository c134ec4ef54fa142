"""A Redis server of one's own for tests: real, on a free port, with an append-only file, gone when they end."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from ports import free_port

PASSWORD = "never-shown"


@dataclass
class RedisServer:
    """A server, running or not."""

    binary: str
    folder: Path
    port: int
    options: tuple[str, ...] = ()
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Let it run, with what its append-only file holds."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""]
        options += ["--appendonly", "yes", "--appendfsync", "always", "--requirepass", PASSWORD, *self.options]
        import redis

        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([self.binary, *options], stdout=log, stderr=log)
        client, until = self.client(), time.monotonic() + 30
        while True:
            try:
                client.ping()
                break
            except redis.RedisError:
                if time.monotonic() > until or self._process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text("utf-8")[-2000:]) from None
                time.sleep(0.02)
        client.close()

    def crash(self) -> None:
        """End it at once, without any clearing up."""
        self._signal(signal.SIGKILL)
        if self._process:
            self._process.wait()
        self._process = None

    def freeze(self) -> None:
        """Let it stand still, its connections open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def forget(self) -> None:
        """Lose what it has kept; it mustn't run."""
        shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)

    def url(self, stream: str, *options: str, password: str = PASSWORD) -> str:
        """Address of a stream."""
        return f"redis://:{password}@127.0.0.1:{self.port}/0?" + "&".join((f"stream={stream}", *options))

    def client(self) -> Any:
        """A plain client, to look at what is there."""
        import redis

        return redis.Redis(port=self.port, password=PASSWORD, socket_timeout=10)

    def _signal(self, number: int) -> None:
        if self._process:
            self._process.send_signal(number)


@contextmanager
def running_redis(*options: str) -> Iterator[RedisServer]:
    """Start a server, and stop it at the end; skip the test, with the reason, where none is installed."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("no redis-server is installed")
    if find_spec("redis") is None:
        pytest.skip("the extra `stream` isn't installed")
    folder = Path(tempfile.mkdtemp(prefix="triage-redis-"))
    server = RedisServer(binary, folder, free_port(), options)
    try:
        server.start()
        yield server
    finally:
        server.crash()
        shutil.rmtree(folder, ignore_errors=True)
