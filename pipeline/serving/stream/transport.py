"""What the worker asks of a broker. A broker is one file: `SCHEMES` says which, and it offers four `open_` functions.

A message is delivered until it is `done`. Its result, its dead letter and its end are three writes in this order, and
each may be made again: a worker that dies between them makes them again, and what is there already is told apart by its
key or its position.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from socket import gethostname
from typing import Any, Protocol
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pipeline.errors import BrokerError, InputError

SCHEMES = {
    "redis": "redis_streams",
    "rediss": "redis_streams",
    "kafka": "kafka",
    "file": "lines",
    "pipe": "lines",
}
"""Scheme of a place → the module in this room that speaks to it."""

_HOST = r"(\[[0-9A-Fa-f:.]+\]|[^\s:,@\[\]]+)(:\d+)?"
_HOSTS = re.compile(f"({_HOST}(,{_HOST})*)?")


@dataclass(frozen=True, slots=True)
class Message:
    """One message, as it was sent.

    Attributes
    ----------
    partition : int
    at : str
        Where it stands in its partition: the broker's id, an offset, a line's first byte.
    value : bytes
    key : str or None
        The ticket's id, where the sender has said so beside the message.
    tries : int
        How often it was begun, this time included.
    """

    partition: int
    at: str
    value: bytes
    key: str | None = None
    tries: int = 1

    @property
    def position(self) -> str:
        """Where it stands in its stream."""
        return f"{self.partition}/{self.at}"


@dataclass(frozen=True, slots=True)
class Result:
    """One scored ticket on its way out.

    Attributes
    ----------
    partition : int
        Of its message.
    key : str
        The same for whatever must count once: a repeat is dropped by a sink that can.
    ticket_id : str or None
    value : bytes
        The record, as one JSON line without its end.
    """

    partition: int
    key: str
    ticket_id: str | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Written:
    """What came of some results: `new` ones, and `repeats` that the sink had already and dropped."""

    new: int = 0
    repeats: int = 0


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that can't be scored, kept whole, so that it can be looked at and tried again.

    Attributes
    ----------
    code : str
        Why: one of `ROW_CODES`.
    tries : int
        How often it was begun.
    position : str
        Where it stood: `PARTITION/AT`. There is one letter for a position.
    died_at : str
        ISO 8601.
    key : str or None
        See `Message.key`.
    value : bytes
        As it was sent: never in a log.
    id : str
        By which the dead letters' broker knows it; empty before it is there.
    """

    code: str
    tries: int
    position: str
    died_at: str
    key: str | None
    value: bytes
    id: str = ""


class FencedError(Exception):
    """Another worker owns the partition now: what this one still wanted to write is not written."""


class TakenError(BrokerError):
    """Another process has this place to itself; what only it can write should be its own to take."""


class Inlet(Protocol):
    """Where messages come from. Every method raises BrokerError while the broker can't be reached."""

    def tend(self) -> Mapping[int, int]:
        """Keep hold of a fair share of the partitions, and say which are owned now, each with its fencing token.

        The token of a partition grows with each change of its owner. A worker that doesn't come back here within its
        claim time loses what it has.
        """
        ...

    def take(self, most: int, seconds: float) -> list[Message]:
        """Messages of the owned partitions: either some that were never begun, or a single one that was.

        Waits at most `seconds` for the first, and no longer than that in all for `most` of them. Those of one partition
        come in its order, and before any that were begun is done, none after it comes. What was taken is to be done, or
        the inlet closed, before more is taken: else it counts as tried, and comes alone.
        """
        ...

    def begin(self, messages: Sequence[Message]) -> None:
        """Know, whatever happens to this process, that these are begun (nothing to do where the broker counts).

        Raises
        ------
        FencedError
            Another worker has them now.
        """
        ...

    def done(self, messages: Sequence[Message]) -> None:
        """Never deliver these again."""
        ...

    def lag(self) -> int | None:
        """How many messages of the owned partitions aren't done; None where nobody knows."""
        ...

    @property
    def partitions(self) -> int:
        """How many the stream has; known after the first `tend`."""
        ...

    @property
    def ended(self) -> bool:
        """Whether nothing will ever come any more (a pipe's end)."""
        ...

    def close(self) -> None:
        """Give the partitions back."""
        ...


class Outlet(Protocol):
    """Where results go. Every method raises BrokerError while the broker can't be reached."""

    def own(self, tokens: Mapping[int, int]) -> None:
        """From now on refuse, where the sink can, what workers with smaller tokens write of these partitions.

        These are all that are owned: what is written of another one raises FencedError.

        Raises
        ------
        TakenError
            There can be one writer only, and it is another process.
        """
        ...

    def write(self, results: Sequence[Result]) -> Written:
        """Write results, in their order; once it returns they are as durable as the broker can make them.

        Raises
        ------
        FencedError
            Nothing was written of a partition that another worker owns.
        """
        ...

    def close(self) -> None:
        """Let go."""
        ...


class DeadLetters(Protocol):
    """The dead letters of a stream."""

    def add(self, letters: Sequence[Letter]) -> None:
        """Keep letters; one whose position is there already is the same one."""
        ...

    def letters(self) -> Iterator[Letter]:
        """All, the oldest first."""
        ...

    def retry(self, letter: Letter) -> None:
        """Send its message again, last in its partition, and strike the letter off."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class Feed(Protocol):
    """The way into a stream: for `triage stream play`, and for tests."""

    def put(self, messages: Sequence[tuple[str | None, bytes]]) -> None:
        """Send messages, each with its ticket's id: those of one ticket go to one partition, in order."""
        ...

    def close(self) -> None:
        """Wait until all of it is safe."""
        ...


@dataclass(frozen=True)
class Place:
    """A stream's address.

    Attributes
    ----------
    scheme : str
        A key of `SCHEMES`.
    text : str
        As it was written: it may hold a password, and is never shown.
    shown : str
        The same without secrets.
    path : str
        What follows host and port, without the leading slash; of a file the whole path.
    options : mapping of str to str
        What follows the question mark.
    """

    scheme: str
    text: str
    shown: str
    path: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Holding:
    """Who takes, and for how long.

    Attributes
    ----------
    group : str
        Workers of one group share a stream; each group gets all of it.
    worker : str
        This one's name: the same after a restart, so that it takes up what it had.
    claim_seconds : float
        A worker that shows no sign of life for so long loses its partitions.
    """

    group: str = "triage"
    worker: str = "worker"
    claim_seconds: float = 90.0

    def source(self, place: Place) -> str:
        """The name of what is taken from a place by this group: see `open_outlet`.

        A file of the same name on another machine is another one, and so is each pipe: they don't fence each other.
        """
        told = {"file": f"{gethostname()}:{Path(place.path).resolve()}", "pipe": f"pipe of {self.worker}"}
        return f"{told.get(place.scheme, place.shown)} {self.group}"


def same_place(source: Place, target: Place) -> bool:
    """Whether results would be read as messages. On Redis a stream's partitions have names of their own."""
    if source.scheme == target.scheme == "file":
        return Path(source.path).resolve() == Path(target.path).resolve()
    return source.scheme == target.scheme == "kafka" and source.shown == target.shown


def parse_place(text: str, where: str) -> Place:
    """The place that a text names: `redis://…`, `kafka://…`, a file, or `-` for a pipe.

    Raises
    ------
    InputError
        An unknown scheme.
    """
    if text == "-":
        return Place("pipe", text, "-", "-")
    if "://" not in text:
        return Place("file", text, text, text)
    parts = _split(text, where)
    if parts.scheme not in SCHEMES or parts.scheme == "pipe":
        do = "write redis://HOST:PORT/DB?stream=NAME, kafka://HOST:PORT/TOPIC, a file, or -"
        raise InputError("not a stream", where=where, got=f"{parts.scheme}://", do=do)
    host = parts.netloc.rpartition("@")[2]  # of a cluster several, with commas between
    path = unquote(parts.path)
    if not _HOSTS.fullmatch(host) or (parts.scheme != "file" and "@" in parts.path):
        # What seems to be a host may be half a password: it isn't shown.
        do = "write HOST:PORT, and in a password %2F for /, %3F for ?, %23 for #, %40 for @"
        raise InputError("not an address", where=where, got=f"{parts.scheme}://…", do=do)
    shown = f"{parts.scheme}://{host}{path}"
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if name := options.get("stream"):
        shown += f"?stream={name}"
    return Place(parts.scheme, text, shown, path if parts.scheme == "file" else path.lstrip("/"), options)


def _split(text: str, where: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        if "," not in parts.netloc:  # several brokers have a port each
            _ = parts.port
    except ValueError:
        do = "write HOST:PORT with a port up to 65535"
        raise InputError("not an address", where=where, got=text.partition("://")[0] + "://…", do=do) from None
    return parts


def open_inlet(place: Place, holding: Holding) -> Inlet:
    """Where messages are taken from; the broker may be away for now.

    Raises
    ------
    TriageError
        A place that can never work: a wrong option, an extra that isn't installed.
    """
    made: Inlet = _broker(place).open_inlet(place, holding)
    return made


def open_outlet(place: Place, source: str = "") -> Outlet:
    """Where results go. Raises as `open_inlet`.

    Parameters
    ----------
    source : str
        Names the stream and the group whose partitions are written: tokens of others don't count against them.
    """
    made: Outlet = _broker(place).open_outlet(place, source)
    return made


def open_dead(place: Place) -> DeadLetters:
    """The dead letters of the stream that messages are taken from. Raises as `open_inlet`."""
    made: DeadLetters = _broker(place).open_dead(place)
    return made


def open_feed(place: Place) -> Feed:
    """The way into a stream. Raises as `open_inlet`."""
    made: Feed = _broker(place).open_feed(place)
    return made


def _broker(place: Place) -> Any:
    return import_module(f"pipeline.serving.stream.{SCHEMES[place.scheme]}")
