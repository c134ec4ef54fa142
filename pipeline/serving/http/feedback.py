"""POST /v1/feedback: what a person says of a ticket, as the ledger keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from pipeline.ledger import KINDS, Feedback, Kind
from pipeline.ledger.feedback import VALUELESS
from pipeline.sources.rows import id_code
from pipeline.tickets.json_records import text_of_json
from pipeline.tickets.times import read_times

_MOST_CHARACTERS = 200
"""Of a label or an id."""


def read_feedback(items: Sequence[Any], *, now: pd.Timestamp) -> tuple[list[Feedback], list[str | None]]:
    """What is said, and for each item a code of `ROW_CODES` or None.

    Parameters
    ----------
    items : sequence
        Each names a `ticket_id`, and one or more of `ledger.KINDS` with its value (`none_fits` with true), or one as
        `kind` and `value` as in a file of `triage feedback import`; `by` and `given_at` are optional.
    now : Timestamp
        When it is said, where an item doesn't tell.
    """
    found, codes = list[Feedback](), list[str | None]()
    for item in items:
        said = _said(item, now)
        codes.append(said if isinstance(said, str) else None)
        found += said if isinstance(said, list) else []
    return found, codes


def _said(item: Any, now: pd.Timestamp) -> list[Feedback] | str:
    """What one item says, or why it says nothing."""
    if not isinstance(item, dict):
        return "not_an_object"
    ticket_id, by = _text(item.get("ticket_id")), _text(item.get("by"))
    if code := id_code(ticket_id):
        return code
    given = _moment(item.get("given_at"), now)
    if isinstance(given, str):
        return given
    values = {kind: _value(value, kind) for kind, value in _kinds(item).items()}
    if not values:
        return "unknown_kind"
    if any(value is None and kind not in VALUELESS for kind, value in values.items()):
        return "missing_value"
    return [Feedback(ticket_id, given, kind, value, by=by, source="http") for kind, value in values.items()]


def _kinds(item: dict[str, Any]) -> dict[Kind, Any]:
    named = item.get("kind")
    if named is not None:
        return {kind: item.get("value") for kind in KINDS if kind == named}
    return {kind: item[kind] for kind in KINDS if item.get(kind) not in (None, False, "")}


def _value(value: Any, kind: Kind) -> str | None:
    """A label or an id; None for what can't be one."""
    if kind in VALUELESS or isinstance(value, dict | list | bool):
        return None
    text = _text(value)
    return text if text and len(text) <= _MOST_CHARACTERS else None


def _moment(value: Any, now: pd.Timestamp) -> datetime | str:
    if value is None or value == "":
        return now.to_pydatetime()
    times, codes, _ = read_times(pd.Series([_text(value)], dtype="str"), now=now)
    code = codes.iloc[0]
    if isinstance(code, str):
        return code
    return "bad_time" if pd.isna(times.iloc[0]) else times.iloc[0].to_pydatetime()


def _text(value: Any) -> str | None:
    try:
        text = text_of_json(value)
    except (ValueError, RecursionError):
        return None
    return text.encode("utf-8", "replace").decode() if text else None
