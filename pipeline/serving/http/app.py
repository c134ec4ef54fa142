"""The application: which path is which endpoint, and every refusal in one form."""

from __future__ import annotations

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pipeline import __version__
from pipeline.errors import StoreError
from pipeline.serving.http.endpoints import Endpoints
from pipeline.serving.http.problems import ProblemError
from pipeline.serving.http.service import Service


def make_app(service: Service) -> FastAPI:
    """The application; `guard.Guard` belongs around it."""
    app = FastAPI(
        title="Triage", version=__version__, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False
    )
    endpoints = Endpoints(service)
    app.add_exception_handler(HTTPException, _unknown)
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(StoreError, _away)
    for path, call, method in (
        ("/v1/score", endpoints.score, "POST"),
        ("/v1/feedback", endpoints.feedback, "POST"),
        ("/v1/events", endpoints.events, "POST"),
        ("/v1/tickets/{ticket_id:path}", endpoints.ticket, "GET"),
        ("/v1/model", endpoints.model, "GET"),
        ("/health/live", endpoints.live, "GET"),
        ("/health/ready", endpoints.ready, "GET"),
        ("/metrics", endpoints.metrics, "GET"),
        ("/openapi.json", endpoints.openapi, "GET"),
    ):
        app.add_api_route(path, call, methods=[method], response_model=None)
    return app


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return error.response()


async def _away(request: Request, error: Exception) -> Response:
    """The ledger or the history can't be read at the moment."""
    assert isinstance(error, StoreError)
    return ProblemError.of(error).response()


async def _unknown(request: Request, error: Exception) -> Response:
    """404 and 405, in the form of all problems."""
    assert isinstance(error, HTTPException)
    told = ProblemError(
        error.status_code, str(error.detail).lower(), where="path or method", do="see /openapi.json"
    ).response()
    told.headers.update(error.headers or {})
    return told
