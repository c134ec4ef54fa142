"""Why a request isn't answered: a status, and a body that says what, where, and what to do. Never a ticket's words."""

from __future__ import annotations

import json

from starlette.responses import Response

from pipeline.errors import TriageError

JSON = "application/json"


class ProblemError(Exception):
    """A request that isn't answered as it asked.

    Parameters
    ----------
    status : int
        Of HTTP: 4xx, 500, 503 or 504.
    error : str
        What is wrong, in one clause.
    where : str
        Header, field or limit.
    do : str
        What the caller can do.
    retry_after : int, optional
        Seconds after which the same request may be answered.
    """

    def __init__(
        self, status: int, error: str, *, where: str = "", do: str = "", retry_after: int | None = None
    ) -> None:
        super().__init__(error)
        self.status, self.error, self.where, self.do, self.retry_after = status, error, where, do, retry_after

    @classmethod
    def of(cls, error: TriageError, status: int = 503) -> ProblemError:
        """The same fault for somebody who asks from outside: what was got stays here, it may name a machine."""
        return cls(status, error.what, do=error.do, retry_after=5 if status == 503 else None)

    def response(self) -> Response:
        """As it is sent."""
        body = json.dumps({"error": self.error, "where": self.where, "do": self.do}).encode()
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return Response(body, self.status, headers, JSON)


def fault(place: str) -> ProblemError:
    """A fault in Triage itself; the log names the same place."""
    return ProblemError(500, "a fault in Triage itself", where=place, do="report it; the log has the same place")
