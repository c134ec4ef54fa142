"""Around every request: who may ask, safe headers, counts, and faults that never quote a ticket."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.serving.http.keys import KeyFile
from pipeline.serving.http.metrics import Metrics
from pipeline.serving.http.problems import ProblemError, fault
from pipeline.serving.telling import Tell, place_of

OPEN = ("/health/live", "/health/ready")
"""Paths that need no key."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")

_SAFE = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


class Guard:
    """An ASGI application around the service's own.

    Parameters
    ----------
    app : ASGI application
    keys : KeyFile or None
        None: whoever reaches the loopback address may ask, by its name.
    metrics : Metrics
    tell : callable
    draining : callable
        Whether connections are to be closed after their answer.
    """

    def __init__(
        self, app: ASGIApp, *, keys: KeyFile | None, metrics: Metrics, tell: Tell, draining: Callable[[], bool]
    ) -> None:
        self.app, self.keys, self.metrics, self.tell, self.draining = app, keys, metrics, tell, draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or refuse it."""
        if scope["type"] != "http":
            raise RuntimeError("only HTTP is served")
        begun, status = time.perf_counter(), 0

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_SAFE]
                if self.draining() or status in (408, 413, 415):
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        try:
            scope["key"] = self._who(scope)
            await self.app(scope, receive, guarded)
        except ProblemError as problem:
            await problem.response()(scope, receive, guarded)
        except Exception as error:
            await self._fault(error, status)(scope, receive, guarded)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            self.metrics.requests.labels(path, str(status)).inc()
            self.metrics.seconds.labels(path).observe(time.perf_counter() - begun)

    def _who(self, scope: Scope) -> str:
        """The name of the key that asks."""
        if scope["path"] in OPEN:
            return ""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if self.keys is None:
            host = headers.get(b"host", "").rpartition(":")[0] or headers.get(b"host", "")
            if host.strip("[]") not in LOOPBACK:  # a page in a browser may reach us by a name of its own
                do = "ask for 127.0.0.1 or localhost, or serve with --keys"
                raise ProblemError(403, "not the name of this machine's own address", where="Host", do=do)
            return ""
        kind, _, key = headers.get(b"authorization", "").partition(" ")
        name = self.keys.keys.name_of(key.strip()) if kind.lower() == "bearer" else None
        if name is None:
            do = "send `Authorization: Bearer KEY` with a key made by `triage keys new`"
            raise ProblemError(401, "no key, or one that isn't known", where="Authorization", do=do)
        return name

    def _fault(self, error: Exception, status: int) -> Any:
        kind, place = type(error).__name__, place_of(error.__traceback__)
        self.metrics.faults.labels(kind).inc()
        self.tell("fault", kind=kind, place=place)
        return fault(place).response() if not status else _nothing


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """The answer had begun: there is nothing left to say."""


__all__ = ["LOOPBACK", "Guard", "Response"]
