"""The endpoints: each reads a request, asks the service, and writes the answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from pipeline import __version__
from pipeline.serving.answers import Said
from pipeline.serving.http.body import Options, as_asked, items_of, options_of, parse_json, read_body
from pipeline.serving.http.feedback import read_feedback
from pipeline.serving.http.happenings import read_happenings
from pipeline.serving.http.keeping import Keeper, shown
from pipeline.serving.http.limits import Place
from pipeline.serving.http.metrics import CONTENT_TYPE
from pipeline.serving.http.openapi import spec
from pipeline.serving.http.problems import JSON, ProblemError
from pipeline.serving.http.service import GoneError, Service

VERSION = "X-Scorer-Version"
"""Header that names the scorer of an answer."""

INLINE_BYTES = 64 * 1024
"""Longer bodies are parsed beside the event loop, one at a time."""

Handle = Callable[[bytes, Place], Awaitable[Response]]
T = TypeVar("T")


class Endpoints:
    """One method an endpoint."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def score(self, request: Request) -> Response:
        """Score one ticket, or a list of them."""
        service = self.service
        service.in_service()
        options = options_of(request)

        async def handle(body: bytes, place: Place) -> Response:
            asked = await self._read(body, lambda: self._asked(body, options))
            place.take(items=max(asked.ask.items, 1))
            said, logged = await service.answer(asked.ask, request.receive)
            answer = _answer(said, logged, single=asked.single)
            return Response(answer, headers={VERSION: said.version}, media_type=JSON)

        return await self._within(request, handle)

    async def feedback(self, request: Request) -> Response:
        """Keep what a person says of one ticket or several."""
        keeper = self._keeper()

        async def handle(body: bytes, place: Place) -> Response:
            items = items_of(await self._read(body, lambda: parse_json(body)), self.service.limits)
            place.take(items=max(len(items), 1))
            found, codes = read_feedback(items, now=self.service.clock())
            if found and not await keeper.add_feedback(found):
                do = "send it again later; the log says what is wrong with the ledger"
                raise ProblemError(503, "the feedback couldn't be kept", where="ledger", do=do, retry_after=30)
            return _json({"taken": len(found), "errors": codes})

        return await self._within(request, handle)

    async def events(self, request: Request) -> Response:
        """Put what happened to tickets into the history store."""
        service = self.service
        service.store()

        async def handle(body: bytes, place: Place) -> Response:
            happened = await self._read(body, lambda: read_happenings(body, service.mapping, service.limits))
            place.take(items=max(happened.size, 1))
            taken = await service.put_in(happened)
            return _json(taken)

        return await self._within(request, handle)

    async def ticket(self, request: Request, ticket_id: str) -> Response:
        """The last scored record of a ticket, every decision on it, and what people said."""
        with self.service.room.place(request.scope["key"]) as place:
            place.take(items=1)
            found = await self._keeper().look_up(ticket_id)
        if found is None:
            do = "score it first; what was said a moment ago may still be on its way into the ledger"
            raise ProblemError(404, "nothing is known of this ticket", where="ticket_id", do=do)
        return _json(found)

    async def model(self, request: Request) -> Response:
        """What is in service: version, data, metrics, gates."""
        scorer = self.service.in_service().loaded.scorer
        about = scorer.about
        told = {
            "scorer_version": scorer.version,
            "triage_version": __version__,
            "trained": {name: value for name, value in about.get("trained", {}).items() if name != "ids"},
            "synthetic": bool(about.get("synthetic", False)),
            "encoder": about.get("encoder", "none"),
            "models": about.get("models", {}),
            "promise": about.get("promise", {}),
            "levels": list(scorer.levels),
        }
        return _json(told, headers={VERSION: scorer.version})

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

    async def openapi(self, request: Request) -> Response:
        """The service described for machines."""
        return _json(spec())

    def _keeper(self) -> Keeper:
        if self.service.keeper is None:
            raise ProblemError(404, "no ledger is kept", where="ledger", do="serve with --ledger URL")
        return self.service.keeper

    async def _within(self, request: Request, handle: Handle) -> Response:
        """Read the body and handle it: within the limits of time and room, as long as somebody waits."""
        service, reading = self.service, True
        try:
            async with asyncio.timeout(service.limits.seconds):
                with service.room.place(request.scope["key"]) as place:
                    body = await read_body(request, place, service.limits)
                    reading = False
                    return await handle(body, place)
        except TimeoutError:
            raise _late(reading) from None
        except (ClientDisconnect, GoneError):
            service.metrics.cancelled.inc()
            return Response(status_code=499)  # nobody reads it; the metrics do

    async def _read(self, body: bytes, parse: Callable[[], T]) -> T:
        if len(body) <= INLINE_BYTES:
            return parse()
        return await asyncio.get_running_loop().run_in_executor(self.service.reader, parse)

    def _asked(self, body: bytes, options: Options) -> Any:
        return as_asked(body, options, self.service.mapping, self.service.limits, now=self.service.clock())


def _answer(said: Said, logged: bool | None, *, single: bool) -> bytes:
    """The scored tickets as they stand in JSON Lines, each with whether its decision is safe and may be shown."""
    share = said.of.by.scorer.settings.ledger.held_out_share
    endings = [{"logged": logged, "shown": None if logged is None else shown(record, share)} for record in said.records]
    lines = [said.line(row, ending) for row, ending in enumerate(endings)]
    return (lines[0] if single else f"[{','.join(lines)}]").encode("utf-8", "replace")


def _late(reading: bool) -> ProblemError:
    if reading:
        return ProblemError(408, "the body didn't come in time", where="body", do="send it again")
    do = "send fewer at a time, or ask later"
    return ProblemError(504, "the answer took too long", where="time-out", do=do, retry_after=5)


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"), status, headers, JSON)
