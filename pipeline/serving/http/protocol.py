"""uvicorn's connection with patience: slow, endless and too many callers are let go before they cost anything."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 10.0
"""So long the headers of a request may take, and what comes after an answer that was given early."""

HEADER_BYTES = 64 * 1024

SPILLED_BYTES = 16 * 1024 * 1024
"""So much of a refused body is read past, so that its sender sees the answer."""


class Patient(HttpToolsProtocol):
    """Closes a connection that takes too long to say what it wants."""

    most = 10_000
    """Connections; a further one is closed at once. `server.py` sets it by what the system allows."""

    seconds = HEADER_SECONDS

    _timer: asyncio.TimerHandle | None = None
    _head = 0
    _spilled = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for headers."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
            return
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for any more."""
        self._stop()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Another request begins."""
        self._head = self._spilled = 0
        self._wait()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count it as part of the head."""
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count it as part of the head."""
        self._count(name + value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """From here on the application waits."""
        self._stop()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Read past what nobody wants, but not for ever."""
        if self.cycle.response_complete:
            self._spilled += len(body)
            if self._spilled > SPILLED_BYTES:
                self.transport.close()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is there."""
        self._stop()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer before the end of the body: the rest may not take for ever."""
        if self.cycle.more_body:
            self._wait()
        super().on_response_complete()

    def _count(self, part: bytes) -> None:
        self._head += len(part)
        if self._head > HEADER_BYTES:
            raise ValueError("the headers are too long")  # httptools turns it into a 400

    def _wait(self) -> None:
        self._stop()
        self._timer = self.loop.call_later(self.seconds, self._late)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        cast(Any, self.transport).close()
