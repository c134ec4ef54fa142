"""Arrow types of the scored ticket's nested fields: fixed, so that every file of every night has the same ones."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

COMMON_LEVELS = ("low", "medium", "high", "urgent")
"""Members of `priority_probabilities` where the scorer has no priority model (Parquet knows no empty struct)."""


def _struct(**members: pa.DataType) -> pa.DataType:
    return pa.struct([pa.field(name, kind) for name, kind in members.items()])


_TEXT, _NUMBER = pa.string(), pa.float64()

_DECISION = _struct(
    label=_TEXT,
    against=_TEXT,
    contributions=pa.list_(_struct(kind=_TEXT, name=_TEXT, value=_NUMBER)),
    nearest=pa.list_(_struct(ticket_id=_TEXT, label=_TEXT, similarity=_NUMBER)),
)

_ARTICLE = _struct(
    article_id=_TEXT,
    passage=_TEXT,
    words=pa.list_(_TEXT),
    tickets=pa.list_(_struct(ticket_id=_TEXT, similarity=_NUMBER)),
    habit=_NUMBER,
)

_TYPES: dict[str, pa.DataType] = {
    "topic_candidates": pa.list_(_struct(label=_TEXT, probability=_NUMBER)),
    "articles": pa.list_(_struct(article_id=_TEXT, title=_TEXT, url=_TEXT, probability=_NUMBER)),
    "similar": pa.list_(_struct(ticket_id=_TEXT, probability=_NUMBER)),
    "reply": _struct(text=_TEXT, source=_TEXT, probability=_NUMBER),
    "changed": pa.list_(_TEXT),
    "auto_answer": _struct(article_id=_TEXT, probability=_NUMBER),
    "explanation": _struct(topic=_DECISION, priority=_DECISION, escalation=_DECISION, articles=pa.list_(_ARTICLE)),
}


def nested_type(name: str, levels: Sequence[str]) -> pa.DataType:
    """Type of one nested column; `levels` are the scorer's priority levels, least urgent first."""
    if name == "priority_probabilities":
        return _struct(**dict.fromkeys(levels or COMMON_LEVELS, _NUMBER))
    return _TYPES[name]
