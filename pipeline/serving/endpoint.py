"""An OpenAI-compatible endpoint: one question, one answer, or None; patient with a busy server, never for ever."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import urllib3

from pipeline import __version__
from pipeline.errors import ConfigError, InputError

CHAT = "/chat/completions"

_BUSY = (408, 409, 425, 429, 500, 502, 503, 504, 529)
_WRONG = (401, 403, 404, 405)
"""Answers that the next ticket would get too."""

_LARGEST = 1_000_000
_GIVEN_UP = 5
"""After so many failures in a row nothing more is sent."""


@dataclass(frozen=True)
class Endpoint:
    """Where it is and how it is asked.

    Attributes
    ----------
    url : str
        With or without `/v1/chat/completions`.
    model : str
        As the endpoint calls it.
    key : str or None
        Sent as a bearer token.
    timeout_seconds : float
        For a whole answer.
    tries : int
        Per question.
    backoff_seconds : float
        Wait before the second try; doubled each time, unless the server says how long.
    most_tokens : int
        Of an answer.
    """

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    timeout_seconds: float = 60.0
    tries: int = 3
    backoff_seconds: float = 1.0
    most_tokens: int = 600

    @property
    def address(self) -> str:
        """The whole address of the chat completions.

        Raises
        ------
        ConfigError
            It is no web address.
        """
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            do = "write it like https://HOST/v1; a key goes into the variable that --key-env names"
            raise ConfigError("not an endpoint's address", where="--endpoint", do=do)
        base = self.url.rstrip("/")
        if base.endswith(CHAT):
            return base
        return base + CHAT if base.rsplit("/", 1)[-1].startswith("v") else f"{base}/v1{CHAT}"


@dataclass(frozen=True)
class Answered:
    """What the model wrote, and whether it was cut off."""

    text: str
    cut: bool


class Client:
    """Asks one endpoint, from several threads if need be."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint, self._address = endpoint, endpoint.address
        self._pool = urllib3.PoolManager(maxsize=16, retries=False)
        self._lock, self._failed = threading.Lock(), 0

    def ask(self, messages: list[dict[str, str]]) -> Answered | None:
        """The answer; None where there was none after all tries, or after too many failures in a row before.

        Raises
        ------
        InputError
            The endpoint refuses everybody: a wrong address or key.
        """
        if self._failed >= _GIVEN_UP:
            return None
        found = self._tried(messages)
        with self._lock:
            self._failed = 0 if found is not None else self._failed + 1
        return found

    def _tried(self, messages: list[dict[str, str]]) -> Answered | None:
        for attempt in range(self._endpoint.tries):
            status, body, wait = self._once(messages)
            if status in _WRONG:
                do = "check --endpoint and the key that --key-env names"
                raise InputError("the endpoint refuses", where="--endpoint", got=f"status {status}", do=do)
            if status == 200:
                return _read(body)
            if status is not None and status not in _BUSY:
                return None
            if attempt + 1 < self._endpoint.tries:
                time.sleep(min(wait or self._endpoint.backoff_seconds * 2**attempt, 60.0))
        return None

    def _once(self, messages: list[dict[str, str]]) -> tuple[int | None, bytes, float | None]:
        """Status (None: nobody answered in time), body, and how long the server asks to wait."""
        said = {"model": self._endpoint.model, "messages": messages, "temperature": 0, "stream": False}
        body = json.dumps(said | {"max_tokens": self._endpoint.most_tokens}).encode()
        headers = {"Content-Type": "application/json", "User-Agent": f"triage/{__version__}"}
        if self._endpoint.key:
            headers["Authorization"] = f"Bearer {self._endpoint.key}"
        timeout = urllib3.Timeout(
            connect=min(self._endpoint.timeout_seconds, 10.0), read=self._endpoint.timeout_seconds
        )
        try:
            with self._pool.request(
                "POST",
                self._address,
                body=body,
                headers=headers,
                timeout=timeout,
                redirect=False,
                preload_content=False,
            ) as response:
                return response.status, self._body(response), _seconds(response.headers.get("Retry-After"))
        except (urllib3.exceptions.HTTPError, OSError):
            return None, b"", None

    def _body(self, response: urllib3.BaseHTTPResponse) -> bytes:
        """The body as far as it came in time; a server that trickles is given up."""
        deadline, parts, size = time.monotonic() + self._endpoint.timeout_seconds, list[bytes](), 0
        while size <= _LARGEST and (part := response.read1(65_536)):
            parts.append(part)
            size += len(part)
            if time.monotonic() > deadline:
                raise TimeoutError
        return b"".join(parts)


def _read(body: bytes) -> Answered | None:
    """What stands in an answer; None where it isn't one."""
    try:
        found: Any = json.loads(body) if len(body) <= _LARGEST else None
        choice = found["choices"][0]
        text, ended = choice["message"]["content"], choice.get("finish_reason")
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return None
    return Answered(text, ended == "length") if isinstance(text, str) else None


def _seconds(said: str | None) -> float | None:
    return float(said) if said is not None and said.isdigit() else None
