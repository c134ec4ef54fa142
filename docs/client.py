"""A small typed client of `triage serve`: copy it, and change what you like. It needs nothing but Python 3.11."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict


class Scored(TypedDict):
    """The fields that most helpdesks use; docs/reference/columns.md has all of them."""

    ticket_id: str | None
    topic: str | None
    topic_confidence: float | None
    queue: str
    queue_reason: str
    priority: str | None
    escalation_risk: float | None
    articles: list[dict[str, Any]] | None
    error: str | None
    scorer_version: str
    logged: bool | None
    shown: bool | None


class RefusedError(Exception):
    """The service didn't answer as asked: what is wrong, where, and what to do."""

    def __init__(self, status: int, error: str, where: str, do: str) -> None:
        super().__init__(f"{status}: {error} ({where}); {do}")
        self.status = status


@dataclass(frozen=True)
class Triage:
    """A service at an address.

    Attributes
    ----------
    url : str
        Such as `http://127.0.0.1:8000`.
    key : str
        Of `triage keys new`; empty where the service has none.
    attempts : int
        How often a request is sent that finds no room (429, 503) or no answer.
    """

    url: str
    key: str = ""
    attempts: int = 4
    seconds: float = 40.0

    def score(self, ticket: Mapping[str, Any]) -> Scored:
        """One ticket."""
        scored: Scored = self._ask("POST", "/v1/score", ticket)
        return scored

    def score_all(self, tickets: Sequence[Mapping[str, Any]], *, explain: bool = False) -> list[Scored]:
        """Some tickets, 1,000 at most: same length and order back."""
        scored: list[Scored] = self._ask("POST", f"/v1/score?explain={str(explain).lower()}", list(tickets))
        return scored

    def tell(self, ticket_id: str, **said: str | bool) -> int:
        """What a person says of a ticket: `topic`, `priority`, `queue`, `article_attached`, `none_fits`, `by`, …"""
        told = self._ask("POST", "/v1/feedback", {"ticket_id": ticket_id, **said})
        if told["errors"] != [None]:
            raise RefusedError(200, str(told["errors"][0]), "feedback", "mend it")
        return int(told["taken"])

    def log(self, ticket_id: str) -> dict[str, Any]:
        """The last scored record of a ticket, every decision on it, and what people said."""
        found: dict[str, Any] = self._ask("GET", f"/v1/tickets/{urllib.parse.quote(ticket_id, safe='')}")
        return found

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        data = None if body is None else json.dumps(body).encode()
        for attempt in range(self.attempts):
            request = urllib.request.Request(self.url + path, data, headers, method=method)
            last = attempt + 1 == self.attempts
            try:
                with urllib.request.urlopen(request, timeout=self.seconds) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as refused:
                if refused.code not in (429, 503) or last:
                    raise RefusedError(refused.code, **json.load(refused)) from None
                pause = float(refused.headers.get("Retry-After", 1))
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                if last:
                    raise
                pause = 2.0**attempt
            time.sleep(pause)
        raise AssertionError("attempts is at least 1")
