"""The endpoints: each reads a request, asks the service, and writes the answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from pipeline import __version__
from pipeline.serving.http.answers import Said
from pipeline.serving.http.body import Options, parse_tickets, read_body
from pipeline.serving.http.limits import Place
from pipeline.serving.http.metrics import CONTENT_TYPE
from pipeline.serving.http.problems import JSON, ProblemError
from pipeline.serving.http.service import GoneError, Service

VERSION = "X-Scorer-Version"
"""Header that names the scorer of an answer."""

_INLINE_BYTES = 64 * 1024
"""Longer bodies are parsed beside the event loop, one at a time."""

_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no", "")


def make_app(service: Service) -> FastAPI:
    """The application; `guard.Guard` belongs around it."""
    app = FastAPI(title="Triage", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    endpoints = Endpoints(service)
    app.add_exception_handler(HTTPException, _unknown)
    app.add_exception_handler(ProblemError, _problem)
    for path, call, method in (
        ("/v1/score", endpoints.score, "POST"),
        ("/v1/model", endpoints.model, "GET"),
        ("/health/live", endpoints.live, "GET"),
        ("/health/ready", endpoints.ready, "GET"),
        ("/metrics", endpoints.metrics, "GET"),
    ):
        app.add_api_route(path, call, methods=[method], response_model=None)
    return app


class Endpoints:
    """One method an endpoint."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def score(self, request: Request) -> Response:
        """Score one ticket, or a list of them."""
        service, reading = self.service, True
        options = _options(request)
        try:
            async with asyncio.timeout(service.limits.seconds):
                with service.room.place(request.scope["key"]) as place:
                    service.in_service()
                    ask, single = await self._ask(request, place, options)
                    reading = False
                    said, logged = await service.answer(ask, request.receive)
        except TimeoutError:
            raise _late(reading) from None
        except (ClientDisconnect, GoneError):
            service.metrics.cancelled.inc()
            return Response(status_code=499)  # nobody reads it; the metrics do
        return Response(_body(said, logged, single), headers={VERSION: said.version}, media_type=JSON)

    async def _ask(self, request: Request, place: Place, options: Options) -> Any:
        service = self.service
        body = await read_body(request, place, service.limits)
        given = (body, options, service.mapping, service.limits)
        if len(body) <= _INLINE_BYTES:
            ask, single = parse_tickets(*given, now=service.clock())
        else:
            loop = asyncio.get_running_loop()
            ask, single = await loop.run_in_executor(service.reader, lambda: parse_tickets(*given, now=service.clock()))
        place.take(items=max(ask.items, 1))
        return ask, single

    async def model(self, request: Request) -> Response:
        """What is in service: version, data, metrics, gates."""
        scorer = self.service.in_service().loaded.scorer
        about = scorer.about
        shown = {
            "scorer_version": scorer.version,
            "triage_version": __version__,
            "trained": {name: value for name, value in about.get("trained", {}).items() if name != "ids"},
            "synthetic": bool(about.get("synthetic", False)),
            "encoder": about.get("encoder", "none"),
            "models": about.get("models", {}),
            "promise": about.get("promise", {}),
            "levels": list(scorer.levels),
        }
        return _json(shown, headers={VERSION: scorer.version})

    async def live(self, request: Request) -> Response:
        """Whether the process runs."""
        return _json({"live": True})

    async def ready(self, request: Request) -> Response:
        """Whether tickets are taken: a scorer is loaded and warm, and the service isn't about to end."""
        service = self.service
        version = service.held.loaded.version if service.held else None
        told = {"ready": service.ready, "scorer_version": version, "draining": service.draining}
        return _json(told | {"refused": service.refused}, 200 if service.ready else 503)

    async def metrics(self, request: Request) -> Response:
        """Counts for Prometheus."""
        return Response(self.service.metrics.page(), headers={"Content-Type": CONTENT_TYPE})


def _options(request: Request) -> Options:
    given = request.query_params.get("explain", "").lower()
    if given not in (*_TRUE, *_FALSE):
        do = "write explain=true, or leave it out"
        raise ProblemError(422, "`explain` is neither true nor false", where="query: explain", do=do)
    return Options(given in _TRUE, request.query_params.get("as_of"))


def _body(said: Said, logged: bool | None, single: bool) -> bytes:
    """The scored tickets as they stand in JSON Lines, each with whether its decision is safe."""
    ending = f',"logged":{json.dumps(logged)}}}'
    lines = [line[:-1] + ending for line in said.lines]
    return (lines[0] if single else f"[{','.join(lines)}]").encode("utf-8", "replace")


def _late(reading: bool) -> ProblemError:
    if reading:
        return ProblemError(408, "the body didn't come in time", where="body", do="send it again")
    return ProblemError(504, "the answer took too long", where="time-out", do="send fewer at a time, or ask later")


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(value, ensure_ascii=False).encode(), status, headers, JSON)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return error.response()


async def _unknown(request: Request, error: Exception) -> Response:
    """404 and 405, in the form of all problems."""
    assert isinstance(error, HTTPException)
    return ProblemError(
        error.status_code, str(error.detail).lower(), where="path or method", do="see /openapi.json"
    ).response()
