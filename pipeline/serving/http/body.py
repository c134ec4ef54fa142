"""The body of a request: read within its limits, and made into records by the rules of JSON Lines."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from pipeline.errors import ConfigError
from pipeline.serving.answers import Ask, is_field, wanted
from pipeline.serving.http.limits import Limits, Place
from pipeline.serving.http.problems import ProblemError
from pipeline.serving.past import Moment
from pipeline.sources.mapping import Mapping
from pipeline.tickets.json_records import record_of
from pipeline.tickets.records import Record

_OPTIONS = frozenset({"tickets", "explain", "as_of"})
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no", "")
_BODY = "body"


@dataclass(frozen=True)
class Options:
    """What is asked for besides the tickets: by the query, or by the body.

    Attributes
    ----------
    explain : bool
    as_of : str or None
    """

    explain: bool = False
    as_of: str | None = None


async def read_body(request: Request, place: Place, limits: Limits) -> bytes:
    """The bytes, refused as soon as they are too many.

    Raises
    ------
    ProblemError
        413, 415, or where there is no room.
    ClientDisconnect
    """
    _check_headers(request, limits)
    body = bytearray()
    async for chunk in request.stream():
        if len(body) + len(chunk) > limits.body_bytes:
            raise _too_long(limits)
        place.take(size=len(chunk))
        body += chunk
    return bytes(body)


def parse_json(body: bytes) -> Any:
    """The JSON value of a body.

    Raises
    ------
    ProblemError
        400: not UTF-8, no JSON, or nested too deeply.
    """
    try:
        return json.loads(body.decode("utf-8").removeprefix("\ufeff"))
    except UnicodeDecodeError:
        raise ProblemError(400, "the body isn't UTF-8", where=_BODY, do="send JSON in UTF-8") from None
    except (ValueError, RecursionError):
        do = "send one JSON object, or a list of them"
        raise ProblemError(400, "the body can't be read as JSON", where=_BODY, do=do) from None


def items_of(value: Any, limits: Limits) -> list[Any]:
    """The items of a list, or an object as the only one.

    Raises
    ------
    ProblemError
        422 for anything else, 413 for too many.
    """
    if not isinstance(value, dict | list):
        raise ProblemError(
            422, "neither an object nor a list", where=_BODY, do="send one JSON object, or a list of them"
        )
    items = value if isinstance(value, list) else [value]
    if len(items) > limits.items:
        do = f"send at most {limits.items:,} at a time, or score files with `triage score`"
        raise ProblemError(413, "too many items in one request", where=_BODY, do=do)
    return items


@dataclass(frozen=True)
class Asked:
    """What is asked.

    Attributes
    ----------
    ask : Ask
    single : bool
        Whether it was one ticket rather than a list.
    """

    ask: Ask
    single: bool


def options_of(request: Request) -> Options:
    """What the query asks for.

    Raises
    ------
    ProblemError
        422
    """
    given = request.query_params.get("explain", "").lower()
    if given not in (*_TRUE, *_FALSE):
        do = "write explain=true, or leave it out"
        raise ProblemError(422, "`explain` is neither true nor false", where="query: explain", do=do)
    return Options(given in _TRUE, request.query_params.get("as_of"))


def as_asked(body: bytes, options: Options, mapping: Mapping | None, limits: Limits, *, now: Any) -> Asked:
    """The tickets of a body, and what is asked of them.

    Raises
    ------
    ProblemError
        See `parse_json` and `items_of`; 422 for options that can't be read and for too many different fields.
    """
    value = parse_json(body)
    if isinstance(value, dict) and isinstance(value.get("tickets"), list) and value.keys() <= _OPTIONS:
        options = _from_body(value, options)
        value = value["tickets"]
    items = items_of(value, limits)
    size = len(body) // max(len(items), 1)
    ask = Ask(ticket_records(items, size, mapping, limits), options.explain, _moment(options, now))
    return Asked(ask, isinstance(value, dict))


def ticket_records(items: list[Any], size: int, mapping: Mapping | None, limits: Limits) -> tuple[Record, ...]:
    """Tickets as JSON Lines would hold them, without what nobody reads.

    Parameters
    ----------
    size : int
        Characters of one, more or less.

    Raises
    ------
    ProblemError
        422 for too many different fields.
    """
    names, fields = wanted(mapping), set[str]()
    found = []
    for item in items:
        record = record_of(item, size)
        if isinstance(record.values, dict):
            kept = {n: v for n, v in record.values.items() if n in names or is_field(n, mapping)}
            fields.update(n for n in kept if is_field(n, mapping))
            record = Record(kept, None, size)
        found.append(record)
    if len(fields) > limits.fields:
        do = f"send at most {limits.fields} different fields.NAME at a time"
        raise ProblemError(422, "too many different fields", where=_BODY, do=do)
    return tuple(found)


def _from_body(value: dict[str, Any], options: Options) -> Options:
    explain, as_of = value.get("explain", options.explain), value.get("as_of", options.as_of)
    if not isinstance(explain, bool):
        raise ProblemError(
            422, "`explain` is neither true nor false", where="body: explain", do="leave it out, or mend it"
        )
    if as_of is not None and not isinstance(as_of, str):
        raise ProblemError(
            422, "`as_of` isn't text", where="body: as_of", do="write it like 2026-04-01T12:00:00Z, or now"
        )
    return Options(explain, as_of)


def _moment(options: Options, now: Any) -> Moment:
    try:
        return Moment.of(options.as_of or None, now=now)
    except ConfigError as error:
        raise ProblemError(422, error.what, where="as_of", do=error.do) from None


def _check_headers(request: Request, limits: Limits) -> None:
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        do = "send the body as it is"
        raise ProblemError(415, "packed bodies aren't taken", where="Content-Encoding", do=do)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise ProblemError(415, "the body isn't said to be JSON", where="Content-Type", do="send application/json")
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > limits.body_bytes:
        raise _too_long(limits)


def _too_long(limits: Limits) -> ProblemError:
    do = f"send at most {limits.body_bytes:,} bytes at a time, or score files with `triage score`"
    return ProblemError(413, "the body is too long", where=_BODY, do=do)
