"""The service described for machines: OpenAPI, made from the one schema, with examples."""

from __future__ import annotations

from typing import Any

from pipeline import __version__
from pipeline.history.log import KINDS as EVENT_KINDS
from pipeline.history.log import SIDES
from pipeline.ledger import KINDS
from pipeline.serving.happenings import NAMES
from pipeline.serving.http import examples
from pipeline.tickets import schema
from pipeline.tickets.schema import Column

Spec = dict[str, Any]

_TEXT = {"type": ["string", "number", "null"]}
_SHARE: Spec = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_LABELLED = {"type": "object", "properties": {"label": {"type": "string"}, "probability": {"type": "number"}}}
_NESTED: dict[str, Spec] = {
    "topic_candidates": {"type": ["array", "null"], "items": _LABELLED},
    "priority_probabilities": {"type": ["object", "null"], "additionalProperties": {"type": "number"}},
    "articles": {"type": ["array", "null"], "items": {"type": "object"}},
    "similar": {"type": ["array", "null"], "items": {"type": "object"}},
}
_ANSWERS = {
    400: "the body can't be read as JSON",
    401: "no key, or one that isn't known",
    403: "another name than that of this machine's own address, without keys",
    404: "nothing is known of it, or it isn't kept here",
    408: "the body didn't come in time",
    413: "the body is too long, or has too many items",
    415: "the body isn't said to be JSON, or is packed",
    422: "the body or the query asks for what can't be",
    429: "this key has its share in flight; Retry-After says when to come again",
    503: "no room, not ready, or a database is away; Retry-After says when to come again",
    504: "the answer took too long",
}
_TAKES_BODY = (400, 401, 403, 408, 413, 415, 422, 429, 503, 504)


def spec() -> Spec:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Triage",
            "version": __version__,
            "description": "Reads support tickets, says what each is about, how urgent it is, and where it should go.",
        },
        "security": [{"key": []}, {}],
        "paths": {
            "/v1/score": {"post": _score()},
            "/v1/feedback": {"post": _feedback()},
            "/v1/events": {"post": _events()},
            "/v1/tickets/{ticket_id}": {"get": _ticket()},
            "/v1/model": {"get": _get("What is in service: version, data, metrics, gates", "Model", 401, 403, 503)},
            "/health/live": {"get": _get("Whether the process runs", "Live")},
            "/health/ready": {"get": _ready()},
        },
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }


def _score() -> Spec:
    one, many = {"$ref": "#/components/schemas/Ticket"}, {"type": "array", "items": {}}
    asked = {
        "type": "object",
        "required": ["tickets"],
        "additionalProperties": False,
        "properties": {"tickets": many, "explain": {"type": "boolean"}, "as_of": {"type": ["string", "null"]}},
    }
    scored = {"$ref": "#/components/schemas/Scored"}
    ok = _json({"anyOf": [scored, {"type": "array", "items": scored}]}, examples.SCORED)
    ok["headers"] = {"X-Scorer-Version": {"schema": {"type": "string"}, "description": "the scorer of the answer"}}
    return {
        "summary": "Score one ticket, or a list of them",
        "description": "An object gives an object, a list a list of the same length and order. A ticket that can't be "
        "scored has its `error` and goes to the triage queue: it is answered with 200 like the others.",
        "parameters": [
            _query("explain", {"type": "boolean"}, "fill `explanation`"),
            _query("as_of", {"type": "string"}, "a moment, an age such as +24h, or now: as of when the world is seen"),
        ],
        "requestBody": {"required": True} | _json({"anyOf": [one, many, asked]}, examples.TICKET),
        "responses": {"200": {"description": "scored tickets"} | ok} | _problems(*_TAKES_BODY),
    }


def _feedback() -> Spec:
    return {
        "summary": "Keep what a person says of one ticket, or of several",
        "requestBody": {"required": True} | _json(_one_or_many("Feedback"), examples.FEEDBACK),
        "responses": {"200": {"description": "what was kept"} | _json(_schema("Taken"), {"taken": 2, "errors": [None]})}
        | _problems(404, *_TAKES_BODY),
    }


def _events() -> Spec:
    both = {
        "type": "object",
        "additionalProperties": False,
        "minProperties": 1,
        "properties": {"tickets": {"type": "array", "items": {}}, "events": {"type": "array", "items": {}}},
    }
    body = {"anyOf": [*_one_or_many("Event")["anyOf"], both]}
    put = {"tickets_new": 1, "tickets_changed": 0, "events_new": 2, "events_repeated": 0}
    told = put | {"ticket_errors": [None], "event_errors": [None, None]}
    return {
        "summary": "Put what happened to tickets into the history store",
        "description": "Safe once it is answered, and once each, however often it is sent. Without `received_at` an "
        "event was received when it occurred.",
        "requestBody": {"required": True} | _json(body, examples.EVENTS),
        "responses": {"200": {"description": "what was put in"} | _json(_schema("Put"), told)}
        | _problems(404, *_TAKES_BODY),
    }


def _ticket() -> Spec:
    parameter = {"name": "ticket_id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    return {
        "summary": "The last scored record of a ticket, every decision on it, and what people said",
        "parameters": [parameter],
        "responses": {"200": {"description": "its log"} | _json(_schema("TicketLog"), examples.TICKET_LOG)}
        | _problems(401, 403, 404, 429, 503),
    }


def _ready() -> Spec:
    described = _get("Whether tickets are taken", "Ready")
    described["responses"]["503"] = {"description": "not yet, or not any more"} | _json(_schema("Ready"))
    return described


def _get(summary: str, name: str, *statuses: int) -> Spec:
    ok = {"200": {"description": summary.lower()} | _json(_schema(name))}
    return {"summary": summary, "responses": ok | _problems(*statuses)}


def _schemas() -> Spec:
    tickets = {c.name: _TEXT | {"description": c.meaning} for c in schema.TICKETS if c.name != "source"}
    tickets["as_of"] = _TEXT | {"description": "the moment from which the world is seen; default: created_at"}
    answered = {c.name: _answered(c) | {"description": c.meaning} for c in schema.SCORED}
    answered["logged"] = _yes("whether the decision is safe in the ledger; null without one")
    answered["shown"] = _yes("whether it may be shown as a suggestion: a share is held out; null without a ledger")
    said = {kind: _TEXT for kind in KINDS if kind != "none_fits"} | {"none_fits": {"type": ["boolean", "null"]}}
    events: Spec = dict.fromkeys(NAMES, _TEXT) | {"kind": {"enum": list(EVENT_KINDS)}, "side": {"enum": [*SIDES, None]}}
    texts, codes = {"type": "string"}, {"type": "array", "items": {"type": ["string", "null"]}}
    counts = ("tickets_new", "tickets_changed", "events_new", "events_repeated")
    return {
        "Ticket": _object(tickets, "ticket_id")
        | {"description": "What the helpdesk knew at creation; `fields.NAME` are its own. Unknown names are ignored."},
        "Scored": _object(answered, *answered),
        "Feedback": _object({"ticket_id": _TEXT, "by": _TEXT, "given_at": _TEXT} | said, "ticket_id"),
        "Taken": _object({"taken": {"type": "integer"}, "errors": codes}, "taken", "errors"),
        "Event": _object(events, "ticket_id", "kind", "occurred_at"),
        "Put": _object(
            {name: {"type": "integer"} for name in counts} | {"ticket_errors": codes, "event_errors": codes}, *counts
        ),
        "TicketLog": _object(
            {
                "ticket_id": texts,
                "scored": {"type": ["object", "null"]},
                "decisions": {"type": "array", "items": {"type": "object"}},
                "feedback": {"type": "array", "items": {"type": "object"}},
            },
            "scored", "decisions", "feedback",
        ),
        "Model": _object({"scorer_version": texts, "trained": {"type": "object"}}, "scorer_version", "models"),
        "Live": _object({"live": {"const": True}}, "live"),
        "Ready": _object({"ready": {"type": "boolean"}, "scorer_version": {"type": ["string", "null"]}}, "ready"),
        "Problem": _object({"error": texts, "where": texts, "do": texts}, "error", "where", "do"),
    }  # fmt: skip


def _answered(column: Column) -> Spec:
    if column.kind == "json":
        return _NESTED.get(column.name, {"type": ["object", "null"]})
    return _SHARE if column.kind == "number" else {"type": ["string", "null"]}


def _problems(*statuses: int) -> Spec:
    return {str(s): {"description": _ANSWERS[s]} | _json(_schema("Problem")) for s in sorted(statuses)}


def _one_or_many(name: str) -> Spec:
    return {"anyOf": [_schema(name), {"type": "array", "items": {}}]}


def _schema(name: str) -> Spec:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: Spec, *required: str) -> Spec:
    return {"type": "object", "properties": properties, "required": list(required)}


def _yes(meaning: str) -> Spec:
    return {"type": ["boolean", "null"], "description": meaning}


def _query(name: str, kind: Spec, meaning: str) -> Spec:
    return {"name": name, "in": "query", "required": False, "schema": kind, "description": meaning}


def _json(form: Spec, example: Any = None) -> Spec:
    shown = {} if example is None else {"example": example}
    return {"content": {"application/json": {"schema": form} | shown}}
