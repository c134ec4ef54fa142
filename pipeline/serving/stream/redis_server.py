"""A Redis server as the stream's door sees it: an address with options, scripts, and faults told without secrets."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any
from urllib.parse import unquote, urlsplit

from pipeline.errors import BrokerError, InputError
from pipeline.serving.stream.transport import Place

Arg = str | bytes | int
"""What a script is given."""

TIMEOUT_SECONDS = 10.0
"""How long an answer is waited for. A server may stand still for seconds while it forks or the disk is busy."""

_CODE = re.compile(r"[A-Z]{3,}\b")

_TOLD = {
    "OOM": ("the broker's memory is full", "give it more (maxmemory), or trim its streams"),
    "READONLY": ("the broker is a replica, which can only be read", "name the primary"),
    "MASTERDOWN": ("the broker is a replica that has lost its primary", "name the primary, or wait"),
    "LOADING": ("the broker is still loading its data", "wait"),
    "BUSY": ("the broker is busy with somebody's long script", "wait, or end it: SCRIPT KILL"),
    "MISCONF": ("the broker can't write to its disk, and takes nothing", "look at its log and its disk"),
    "NOREPLICAS": ("the broker has too few replicas, and takes nothing", "look at its replicas"),
    "NOPERM": ("the broker's user may not do this", "allow it the keys of the stream, scripts and stream commands"),
    "AUTH": ("the broker refuses the name or the password", "check them in the URL; % @ : / in them are escaped"),
    "WRONGTYPE": ("a key of the stream holds something else", "name another stream, or delete the key"),
    "CLUSTER": ("the broker is a Redis Cluster", "name a single server: the partitions' scripts need all keys at once"),
    "TIMEOUT": ("the broker doesn't answer in time", "see that it runs, or raise timeout_seconds in the URL"),
    "CONNECTION": (
        "the broker can't be reached",
        "see that it runs at this address, and with rediss that its certificate is trusted",
    ),
}
"""Code of a fault → what is said, and what to do. The server's own words may hold what was sent: they aren't shown."""

_KINDS = (
    ("AuthenticationError", "AUTH"),
    ("NoPermissionError", "NOPERM"),
    ("BusyLoadingError", "LOADING"),
    ("ReadOnlyError", "READONLY"),
    ("OutOfMemoryError", "OOM"),
    ("MasterDownError", "MASTERDOWN"),
    ("ClusterError", "CLUSTER"),
    ("MovedError", "CLUSTER"),
    ("AskError", "CLUSTER"),
    ("ClusterCrossSlotError", "CLUSTER"),
    ("TimeoutError", "TIMEOUT"),
    ("ConnectionError", "CONNECTION"),
)


class Options:
    """What follows the question mark of a Redis place.

    Raises
    ------
    InputError
        An unknown option.
    """

    def __init__(self, place: Place, known: Sequence[str], stream: str) -> None:
        self._place = place
        for name in place.options:
            if name not in known:
                raise self.wrong("an unknown option of a stream", name, f"known are {', '.join(known)}")
        self.stream = place.options.get("stream", stream)
        if not self.stream:
            raise self.wrong("a stream without a name", "stream=", "write stream=NAME, or leave it out")
        self.timeout_seconds = self.number("timeout_seconds", 0.1, 3600.0) or TIMEOUT_SECONDS

    def number(self, name: str, least: float, most: float) -> float | None:
        """A number from `least` to `most`; None where it isn't there. Raises InputError."""
        text = self._place.options.get(name)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise self.wrong(f"{name} isn't a number in its range", text, f"write one from {least:g} to {most:g}")
        return value

    def whole(self, name: str, most: int) -> int | None:
        """A whole number from 1 to `most`; None where it isn't there. Raises InputError."""
        value = self.number(name, 1, most)
        if value is not None and value != int(value):
            raise self.wrong(f"{name} isn't a whole number", self._place.options[name], f"write one from 1 to {most}")
        return None if value is None else int(value)

    def wrong(self, what: str, got: str, do: str) -> InputError:
        """An error about this place."""
        return InputError(what, where=self._place.shown, got=got, do=do)


class Server:
    """A Redis server, reached when it is first asked for something, and again after each fault.

    Nothing is sent twice by itself: a script that was sent may have worked, and only its answer is lost.

    Parameters
    ----------
    place : Place
    timeout_seconds : float
        How long to wait for a connection, and for an answer.

    Raises
    ------
    InputError
        The extra `stream` isn't installed, or the database isn't a number.
    """

    def __init__(self, place: Place, timeout_seconds: float) -> None:
        self._place, self._timeout_seconds = place, timeout_seconds
        try:
            self._redis: Any = import_module("redis")
        except ImportError as error:
            do = "pip install 'triage-tickets[stream]'"
            raise InputError("a stream on Redis needs the extra `stream`", got="no redis", do=do) from error
        parts = urlsplit(place.text)
        if not (database := place.path or "0").isdecimal():
            do = "write redis://HOST:PORT/DB?stream=NAME, DB being 0 as a rule"
            raise InputError("the database isn't a number", where=place.shown, got=database, do=do)
        retry, backoff = import_module("redis.retry"), import_module("redis.backoff")
        self._client = self._redis.Redis(
            host=parts.hostname or "localhost",
            port=parts.port or 6379,
            db=int(database),
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            ssl=place.scheme == "rediss",
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            socket_keepalive=True,
            retry=retry.Retry(backoff.NoBackoff(), 0),
            protocol=2,  # answers of scripts look the same from every server
            decode_responses=False,
        )
        self._scripts: dict[str, Any] = {}

    def run(self, script: str, keys: Sequence[str], args: Sequence[Arg]) -> Any:
        """What a script of `redis_scripts` gives; one that the server has forgotten is sent anew.

        Raises
        ------
        BrokerError
        """
        if script not in self._scripts:
            self._scripts[script] = self._client.register_script(script)
        return self._ask(self._scripts[script], keys=keys, args=args)

    def wait(self, stands: Mapping[str, str], seconds: float) -> None:
        """Until a stream has something after where it stands, or the time is over. Raises BrokerError."""
        seconds = min(seconds, self._timeout_seconds / 2)  # the answer has to come before the socket gives up
        self._ask(self._client.xread, dict(stands), count=1, block=max(1, int(seconds * 1000)))

    def page(self, stream: str, after: str, count: int) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """At most `count` entries of a stream after an id. Raises BrokerError."""
        found: list[tuple[bytes, dict[bytes, bytes]]] = self._ask(
            self._client.xrange, stream, min=f"({after}", count=count
        )
        return found

    def close(self) -> None:
        """Let go of all connections."""
        self._client.close()

    def _ask(self, call: Callable[..., Any], *args: Any, **named: Any) -> Any:
        try:
            return call(*args, **named)
        except (self._redis.RedisError, OSError) as error:
            raise self._told(error) from None  # the error may quote what was sent

    def _told(self, error: Exception) -> BrokerError:
        names = {kind.__name__ for kind in type(error).__mro__}
        code = next((code for name, code in _KINDS if name in names), "")
        if not code and "unauthenticated" in str(error):  # a long command from somebody without a password
            code = "AUTH"
        if not code and (found := _CODE.match(str(error))):
            code = found.group()
        what, do = _TOLD.get(code, ("the broker refuses", "look at its log; it must be Redis 7 or newer"))
        return BrokerError(what, where=self._place.shown, got=code or type(error).__name__, do=do)
