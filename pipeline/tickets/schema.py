"""The one schema: every column of tickets, events, outcomes, articles and scored tickets, and when it is known."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pandas as pd
import pyarrow as pa

Kind = Literal["string", "time", "integer", "number", "json"]
Known = Literal["at creation", "when it happened", "later", "by the scorer"]

FIELD_PREFIX = "fields."
"""A column `fields.NAME` holds what a form or a system knew at creation; NAME is the source's own column name."""

UNDETERMINED = "und"
"""Language of a text that is too short or too mixed to tell (ISO 639-3 code)."""


@dataclass(frozen=True)
class Column:
    """One column of a frame.

    Attributes
    ----------
    name : str
        Its name in every frame and file.
    kind : {'string', 'time', 'integer', 'number', 'json'}
        Times are UTC with microseconds. 'json' is a nested value: lists and structs in Parquet, JSON text in CSV.
    meaning : str
        What it holds, with its unit.
    known : {'at creation', 'when it happened', 'later', 'by the scorer'}
        When the value exists. Only 'at creation' may be a feature of the ticket itself.
    required : bool
        Whether it may never be null.
    """

    name: str
    kind: Kind
    meaning: str
    known: Known
    required: bool = False


TICKETS: tuple[Column, ...] = (
    Column("ticket_id", "string", "the helpdesk's own id, unique", "at creation", required=True),
    Column("created_at", "time", "when the ticket arrived; null where the source has no times", "at creation"),
    Column("subject", "string", "its first line, personal data redacted", "at creation"),
    Column("body", "string", "the first message as it was written (HTML kept), personal data redacted", "at creation"),
    Column("customer_id", "string", "who asks, as the source names them", "at creation"),
    Column(
        "customer_keys",
        "string",
        "keys of the customer's other addresses: email, phone, account, handle; hashed",
        "at creation",
    ),
    Column("channel", "string", "email, chat, phone, web, social, or the source's own word", "at creation"),
    Column("language", "string", "ISO 639-1 code; `und` when unsure; null: to be identified", "at creation"),
    Column("source", "string", "FILE:row-N that it was read from", "at creation"),
)

EVENTS: tuple[Column, ...] = (
    Column("ticket_id", "string", "the ticket that it happened to", "when it happened", required=True),
    Column("occurred_at", "time", "when it happened; null where the source has no times", "when it happened"),
    Column("received_at", "time", "when the helpdesk knew of it", "when it happened"),
    Column("seq", "integer", "position in the source, which orders events of the same moment", "when it happened"),
    Column(
        "kind",
        "string",
        "created, reply, note, status, assignment, priority, reopened, escalated, satisfaction, field (a column's new "
        "value), or updated (last row of a log)",
        "when it happened",
        True,
    ),
    Column(
        "side",
        "string",
        "customer, agent or system; null: the customer where `actor` is the ticket's, an agent where it is another",
        "when it happened",
    ),
    Column("actor", "string", "who did it, as the source names them", "when it happened"),
    Column(
        "field",
        "string",
        "of a `field`: the source's column name; of an assignment to a person: assignee",
        "when it happened",
    ),
    Column(
        "value",
        "string",
        "the new value; of a status: new, open, pending, on_hold, resolved, closed; of satisfaction: 0 to 1; of a "
        "reply that the customer marked as the solution: accepted",
        "when it happened",
    ),
    Column("text", "string", "of a reply: what was written (HTML kept), personal data redacted", "when it happened"),
)

OUTCOMES: tuple[Column, ...] = (
    Column("ticket_id", "string", "the ticket whose outcome it is", "later", required=True),
    Column("outcome", "string", "topic, queue, priority, escalated or article", "later", required=True),
    Column(
        "value",
        "string",
        "label; for `escalated` 0 or 1; for `article` an article_id, or the name in a link that no article has",
        "later",
        required=True,
    ),
    Column("known_at", "time", "when it was known; null where the source has no times", "later"),
)

ARTICLES: tuple[Column, ...] = (
    Column("article_id", "string", "the knowledge base's own id, unique", "at creation", required=True),
    Column("title", "string", "its title", "at creation"),
    Column("slug", "string", "the name in its address", "at creation"),
    Column("url", "string", "where a customer finds it", "at creation"),
    Column("language", "string", "ISO 639-1 code", "at creation"),
    Column("product", "string", "what it is about, as the source names it", "at creation"),
    Column("text", "string", "the page as the source holds it (HTML kept)", "at creation"),
)

MACROS: tuple[Column, ...] = (
    Column("macro_id", "string", "the helpdesk's own id, unique", "at creation", required=True),
    Column("title", "string", "what agents see in their list", "at creation"),
    Column("language", "string", "ISO 639-1 code", "at creation"),
    Column("text", "string", "what it sends (HTML and places to fill in kept)", "at creation"),
)

SCORED: tuple[Column, ...] = (
    Column("ticket_id", "string", "as it came in; null for a record without one", "by the scorer"),
    Column("as_of", "time", "the moment from which the world is seen; default: created_at", "by the scorer"),
    Column("language", "string", "ISO 639-1 code, or `und`", "by the scorer"),
    Column("topic", "string", "the best living label, also when the scorer abstains", "by the scorer"),
    Column("topic_confidence", "number", "calibrated probability that `topic` is right", "by the scorer"),
    Column("topic_candidates", "json", "the best labels: [{label, probability}]", "by the scorer"),
    Column("topic_oos_score", "number", "0..1, higher is further from every known topic", "by the scorer"),
    Column("queue", "string", "where the ticket goes; the triage queue when a person decides", "by the scorer"),
    Column("queue_reason", "string", "model, rule:NAME, abstained, person, or fallback:CODE", "by the scorer"),
    Column("priority", "string", "the level that costs least to be wrong about", "by the scorer"),
    Column("priority_confidence", "number", "calibrated probability of that level", "by the scorer"),
    Column("priority_probabilities", "json", "{level: probability}, least urgent first", "by the scorer"),
    Column("escalation_risk", "number", "P(escalated), calibrated", "by the scorer"),
    Column("articles", "json", "[{article_id, title, url, probability}]; empty when none fits", "by the scorer"),
    Column("similar", "json", "earlier tickets that were settled: [{ticket_id, probability}]", "by the scorer"),
    Column("reply", "json", "of an earlier answer: {text, source, probability}; null when unsure", "by the scorer"),
    Column(
        "summary",
        "string",
        "at most four sentences of the ticket, a line each; from its events, who waits for whom; or null",
        "by the scorer",
    ),
    Column(
        "auto_answer",
        "json",
        "an article nearly sure to answer, and the share of customers who don't come back: {article_id, probability}",
        "by the scorer",
    ),
    Column("explanation", "json", "{topic, priority, escalation, articles}, on request", "by the scorer"),
    Column("error", "string", "code of a row that can't be scored, or null", "by the scorer"),
    Column("scorer_version", "string", "which scorer said so", "by the scorer"),
)

FRAMES: dict[str, tuple[Column, ...]] = {
    "tickets": TICKETS,
    "events": EVENTS,
    "outcomes": OUTCOMES,
    "articles": ARTICLES,
    "macros": MACROS,
    "scored": SCORED,
}

_PANDAS: dict[str, Any] = {
    "string": "str",
    "time": "datetime64[us, UTC]",
    "integer": "Int64",
    "number": "float64",
    "json": "object",
}
_ARROW = {
    "string": pa.string(),
    "time": pa.timestamp("us", tz="UTC"),
    "integer": pa.int64(),
    "number": pa.float64(),
}


def names(frame: str) -> list[str]:
    """Column names of one of `FRAMES`, in order."""
    return [c.name for c in FRAMES[frame]]


def arrow_type(column: Column) -> pa.DataType:
    """Arrow type of a flat column (nested ones are typed where they are written)."""
    return _ARROW[column.kind]


def empty(frame: str) -> pd.DataFrame:
    """A frame of no rows with all columns of one of `FRAMES`, rightly typed."""
    return pd.DataFrame({c.name: pd.Series(dtype=_PANDAS[c.kind]) for c in FRAMES[frame]})


def conform(table: pd.DataFrame, frame: str) -> pd.DataFrame:
    """A copy with every column of the schema, typed and in order; `fields.*` and `as_of` stay, the rest goes.

    Absent columns become null. Values are not checked here: that is `tickets.validate`.
    """
    columns: dict[str, pd.Series] = {}
    for column in FRAMES[frame]:
        if column.name in table:
            columns[column.name] = _typed(table[column.name], column)
        else:
            columns[column.name] = pd.Series([None] * len(table), index=table.index, dtype=_PANDAS[column.kind])
    if frame == "tickets":
        if "as_of" in table:
            columns["as_of"] = _typed(table["as_of"], Column("as_of", "time", "", "at creation"))
        for name in sorted(str(n) for n in table.columns if str(n).startswith(FIELD_PREFIX)):
            columns[name] = table[name].astype("str")
    return pd.DataFrame(columns, index=table.index)


def _typed(values: pd.Series, column: Column) -> pd.Series:
    if column.kind == "time":
        return pd.to_datetime(values, utc=True, errors="coerce", format="ISO8601" if _is_text(values) else None).astype(
            "datetime64[us, UTC]"
        )
    if column.kind == "json":
        return values.astype("object")
    typed: pd.Series = values.astype(_PANDAS[column.kind])
    return typed


def _is_text(values: pd.Series) -> bool:
    return bool(pd.api.types.is_string_dtype(values) or values.dtype == object)


def schema_hash() -> str:
    """SHA-256 of every column's name, kind and rules: part of a scorer's manifest, checked at load."""
    rows = {frame: [asdict(c) | {"meaning": ""} for c in columns] for frame, columns in FRAMES.items()}
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()
