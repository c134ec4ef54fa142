"""MAPPING.yaml: every key is read, every fault names the nearest right thing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import MappingError
from pipeline.sources.mapping import TimeColumn, check, load_mapping, parse_mapping

FULL = """
ticket_id: number
created_at: {column: opened_at, dayfirst: true, timezone: Europe/Berlin}
subject: short_description
body: [description, comments]
customer_id: caller_id
customer: {email: caller.mail, phone: [caller.phone, caller.mobile]}
channel: contact_type
language: locale
fields: [category, category.1, location]
missing: ["?", -1]
events: {time: sys_updated_at, track: [assignment_group, made_sla], actor: sys_updated_by}
status: {column: ident_state, levels: {New: new, "Awaiting User Info": pending}}
outcomes:
  topic: u_symptom
  queue: {column: assignment_group, at: last}
  priority: {column: priority, levels: {"4": low, "3": medium, "2": high, "1": urgent}}
  escalated: {column: reassignment_count, at_least: 3, within: 7d}
"""


@pytest.fixture
def full(tmp_path: Path) -> Path:
    path = tmp_path / "mapping.yaml"
    path.write_text(FULL, "utf-8")
    return path


def test_every_key_of_a_mapping_is_read(full: Path) -> None:
    mapping = load_mapping(full)
    assert mapping.is_event_log
    assert mapping.body == ("description", "comments")
    assert mapping.missing == ("?", "-1")
    assert mapping.events.actor == "sys_updated_by"
    assert mapping.customer == {"email": ("caller.mail",), "phone": ("caller.phone", "caller.mobile")}
    assert mapping.status is not None
    assert mapping.status.levels["Awaiting User Info"] == "pending"
    assert sorted(mapping.definitions) == ["escalated", "priority", "queue", "topic"]
    assert mapping.fact_columns() == (
        "assignment_group",
        "made_sla",
        "u_symptom",
        "priority",
        "reassignment_count",
    )


def test_an_event_time_is_written_like_the_creation_time_unless_it_says_otherwise(full: Path) -> None:
    assert load_mapping(full).events.time == TimeColumn("sys_updated_at", True, "Europe/Berlin")
    raw = {"ticket_id": "n", "subject": "s", "created_at": {"column": "c", "dayfirst": True}}
    own = parse_mapping(raw | {"events": {"time": {"column": "t", "dayfirst": False, "timezone": "Asia/Tokyo"}}})
    assert own.events.time == TimeColumn("t", False, "Asia/Tokyo")


def test_a_name_may_stand_for_a_list_and_a_number_for_a_name() -> None:
    mapping = parse_mapping({"subject": 7, "body": "text", "fields": 2024})
    assert (mapping.subject, mapping.body, mapping.fields) == ("7", ("text",), ("2024",))


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ({"subjct": "s"}, "'subject'"),
        ({"subject": "s", "evnts": {}}, "'events'"),
        ({"subject": ["a", "b"]}, "subject"),
        ({"subject": "s", "body": {"a": "b"}}, "body"),
        ({"ticket_id": "n"}, "subject, body or fields"),
        ({"subject": "s", "created_at": {"colum": "c"}}, "'column'"),
        ({"subject": "s", "created_at": {"dayfirst": True}}, "column"),
        ({"subject": "s", "created_at": {"column": "c", "dayfirst": "yes please"}}, "dayfirst: true"),
        ({"subject": "s", "created_at": {"column": "c", "timezone": "Mars/Base"}}, "Europe/Berlin"),
        ({"subject": "s", "events": {"time": "t"}}, "ticket_id"),
        ({"subject": "s", "events": "t"}, "time"),
        ({"subject": "s", "events": {"tim": "t"}}, "'time'"),
        ({"subject": "s", "events": {"actor": "a"}}, "name the `time`"),
        ({"subject": "s", "status": {"column": "c", "levels": {"New": "fresh"}}}, "new, open, pending"),
        ({"subject": "s", "status": {"column": "c"}}, "levels"),
        ({"subject": "s", "customer": {"emial": "c"}}, "'email'"),
        ({"subject": "s", "customer": {"name": "c"}}, "email, phone, account, handle"),
        ({"subject": "s", "customer": {"phone": {"a": "b"}}}, "customer: phone"),
        ({"subject": "s", "customer": "c"}, "customer_id: COLUMN"),
        ({"subject": "s", "custmer": {"email": "c"}}, "'customer'"),
        ({"subject": "s", "outcomes": {"topics": "x"}}, "'topic'"),
        (["subject"], "key: column"),
        (None, "key: column"),
    ],
)
def test_a_wrong_mapping_says_what_to_write(raw: Any, named: str) -> None:
    with pytest.raises(MappingError) as caught:
        parse_mapping(raw, where="mapping.yaml")
    assert "mapping.yaml" in str(caught.value)
    assert named in str(caught.value)


def test_a_file_that_is_no_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text("subject: s\nbody: [a\nfields: b\n", "utf-8")
    with pytest.raises(MappingError, match="line"):
        load_mapping(path)
    with pytest.raises(MappingError, match=r"absent\.yaml"):
        load_mapping(tmp_path / "absent.yaml")


def test_each_missing_column_is_named_with_the_nearest_ones(full: Path) -> None:
    columns = [
        "Number",
        "opened_at",
        "short description",
        "description",
        "comments",
        "caller",
        "contact_type",
        "locale",
    ]
    with pytest.raises(MappingError) as caught:
        check(load_mapping(full), [*columns, "category", "category.1", "location"], where="export.csv", history=False)
    message = str(caught.value)
    assert "'caller.mail': did you mean" in message
    assert "'number': did you mean 'Number'?" in message
    assert "'short_description': did you mean 'short description'" in message
    assert "'caller_id': did you mean 'caller'" in message
    assert "export.csv" in message
    assert "sys_updated_at" not in message


def test_an_import_needs_event_and_outcome_columns_and_scoring_does_not(full: Path) -> None:
    mapping = load_mapping(full)
    check(mapping, mapping.ticket_columns(), where="new.csv", history=False)
    with pytest.raises(MappingError) as caught:
        check(mapping, mapping.ticket_columns(), where="export.csv")
    assert "'ident_state'" in str(caught.value) and "'sys_updated_by'" in str(caught.value)


def test_ten_thousand_columns_are_not_all_listed(full: Path) -> None:
    with pytest.raises(MappingError) as caught:
        check(load_mapping(full), [f"c{i}" for i in range(10_000)], where="wide.csv")
    assert "9970 more" in str(caught.value)
    assert len(str(caught.value)) < 5_000
