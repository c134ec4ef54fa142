"""MAPPING.yaml of events: every key is read, every fault says what to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.errors import MappingError
from pipeline.sources.event_mapping import Words, load_event_mapping, parse_event_mapping
from pipeline.sources.mapping_values import TimeColumn

FULL = """
ticket_id: ticket
occurred_at: {column: happened, dayfirst: true, timezone: Europe/Berlin}
received_at: synced
kind: {column: type, levels: {comment: reply, "note to self": note, 7: status, viewed: null}}
side: {column: author_type, levels: {end-user: customer, agent: agent, true: system}}
actor: author
value: {column: value, levels: {Solved: resolved, good: 1, bad: 0}}
field: {always: assignee}
text: body
missing: ["?"]
encoding: windows-1252
"""
LEAST: dict[str, Any] = {"ticket_id": "t", "occurred_at": "at", "kind": {"always": "reply"}}


def test_every_key_of_a_mapping_of_events_is_read(tmp_path: Path) -> None:
    (tmp_path / "events.yaml").write_text(FULL, "utf-8")
    mapping = load_event_mapping(tmp_path / "events.yaml")
    assert mapping.occurred_at == TimeColumn("happened", True, "Europe/Berlin")
    assert mapping.received_at == TimeColumn("synced", True, "Europe/Berlin")
    assert mapping.kind == Words("type", {"comment": "reply", "note to self": "note", "7": "status"}, ("viewed",))
    assert mapping.side == Words("author_type", {"end-user": "customer", "agent": "agent", "true": "system"})
    assert mapping.value == Words("value", {"Solved": "resolved", "good": "1", "bad": "0"})
    assert (mapping.field, mapping.actor, mapping.text) == (Words(always="assignee"), "author", "body")
    assert (mapping.missing, mapping.encoding, mapping.where) == (("?",), "windows-1252", "events.yaml")
    assert mapping.columns() == ("ticket", "happened", "synced", "type", "author_type", "author", "value", "body")


def test_a_column_may_hold_our_own_words() -> None:
    mapping = parse_event_mapping(LEAST | {"kind": "what", "side": "who", "value": "now"})
    assert (mapping.kind, mapping.side, mapping.value) == (Words("what"), Words("who"), Words("now"))


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (LEAST | {"ticket": "t"}, "'ticket_id'"),
        (LEAST | {"occured_at": "t"}, "'occurred_at'"),
        ({k: v for k, v in LEAST.items() if k != "ticket_id"}, "ticket_id: COLUMN"),
        ({k: v for k, v in LEAST.items() if k != "occurred_at"}, "without a time"),
        ({k: v for k, v in LEAST.items() if k != "kind"}, "always: reply"),
        (LEAST | {"kind": {"always": "replay"}}, "'reply'"),
        (LEAST | {"kind": {"column": "c", "levels": {"x": "statsu"}}}, "'status'"),
        (LEAST | {"kind": {"column": "c", "level": {}}}, "'levels'"),
        (LEAST | {"kind": {"column": "c", "levels": ["x"]}}, "VALUE: MEANING"),
        (LEAST | {"kind": {"column": "c", "always": "reply"}}, "one word for every row"),
        (LEAST | {"kind": {"always": "reply", "levels": {}}}, "one word for every row"),
        (LEAST | {"kind": {}}, "one word for every row"),
        (LEAST | {"kind": ["c"]}, "column"),
        (LEAST | {"kind": {"always": "field"}}, "field: COLUMN"),
        (LEAST | {"kind": {"column": "c", "levels": {"Change": "field"}}}, "field: COLUMN"),
        (LEAST | {"side": {"column": "c", "levels": {"x": "costumer"}}}, "'customer'"),
        (LEAST | {"side": {"column": "c", "levels": {"x": None}}}, "customer"),
        (LEAST | {"kind": {"always": "status"}, "value": {"column": "c", "levels": {"x": "solved"}}}, "'resolved'"),
        (LEAST | {"occurred_at": {"column": "t", "timezone": "Mars/Base"}}, "Europe/Berlin"),
        (LEAST | {"text": {"a": "b"}}, "text: NAME"),
        ([], "key: column"),
        (None, "key: column"),
    ],
)
def test_a_wrong_mapping_of_events_says_what_to_write(raw: Any, named: str) -> None:
    with pytest.raises(MappingError) as caught:
        parse_event_mapping(raw, where="events.yaml")
    assert "events.yaml" in str(caught.value)
    assert named in str(caught.value)


def test_a_mapping_of_tickets_is_no_mapping_of_events() -> None:
    with pytest.raises(MappingError, match="created_at"):
        parse_event_mapping(yaml.safe_load("{ticket_id: id, created_at: opened, subject: title}"))
