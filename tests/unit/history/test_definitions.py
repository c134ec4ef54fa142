"""Outcome definitions: every form is read, every fault is named."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from pipeline.errors import ConfigError, MappingError
from pipeline.history.outcomes import parse_definitions, parse_duration, source_columns


def test_a_plain_column_is_a_value_at_the_last_row() -> None:
    definition = parse_definitions({"topic": "u_symptom"}, "here")["topic"]
    assert (definition.form, definition.column, definition.at) == ("value", "u_symptom", None)


def test_levels_keep_the_order_in_which_they_are_written() -> None:
    raw = {"priority": {"column": "p", "levels": {4: "low", "3": "medium", "2": "high", "1": "high"}}}
    definition = parse_definitions(raw, "here")["priority"]
    assert definition.levels == (("4", "low"), ("3", "medium"), ("2", "high"), ("1", "high"))
    assert definition.order == ("low", "medium", "high")


@pytest.mark.parametrize(
    ("raw", "form"),
    [
        ({"column": "made_sla", "equals": "false", "at": "last"}, "equals"),
        ({"column": "count", "at_least": 3, "within": "7d"}, "at_least"),
        ({"reply_matches": ["bug\\d+"]}, "reply_matches"),
        ({"no_reply_within": "72h"}, "no_reply_within"),
        ({"returns_within": "7d", "except": ["user-1"]}, "returns_within"),
        ({"returns_within": "7d", "same": "topic"}, "returns_within"),
        ({"never_answered": "30d"}, "never_answered"),
        ({"reopened_within": "14d"}, "reopened_within"),
        ({"kind": "escalated", "within": "14d"}, "kind"),
        ({"satisfaction_below": 0.5, "within": "30d"}, "satisfaction_below"),
        ("is_escalated", "value"),
    ],
)
def test_each_form_of_escalation_is_read(raw: Any, form: str) -> None:
    assert parse_definitions({"escalated": raw}, "here")["escalated"].form == form


def test_a_yaml_truth_value_is_the_word_in_the_table() -> None:
    raw = {"escalated": {"column": "made_sla", "equals": False}}
    assert parse_definitions(raw, "here")["escalated"].equals == ("false",)


def test_a_low_rating_is_an_event_of_satisfaction() -> None:
    definition = parse_definitions({"escalated": {"satisfaction_below": "0.5", "within": "30d"}}, "here")["escalated"]
    assert (definition.kind, definition.below, definition.window) == ("satisfaction", 0.5, pd.Timedelta(days=30))


def test_a_null_definition_drops_the_outcome() -> None:
    assert list(parse_definitions({"topic": None, "queue": "group"}, "here")) == ["queue"]


def test_articles_may_be_named_in_the_plural() -> None:
    assert list(parse_definitions({"articles": {"column": "kb", "separator": ";"}}, "here")) == ["article"]


def test_source_columns_are_the_column_and_its_date() -> None:
    raw = {"topic": {"column": "intent", "known_at": "closed_at"}}
    assert source_columns(parse_definitions(raw, "here")["topic"]) == {"intent", "closed_at"}


@pytest.mark.parametrize(
    "raw",
    [
        {"returns_within": "7d", "same": "product"},
        {"never_answered": "30d"},
        {"reopened_within": "14d"},
        {"kind": "escalated", "within": "14d"},
        {"satisfaction_below": 0.5, "within": "30d"},
    ],
)
def test_what_happens_later_is_given_away_by_no_column(raw: dict[str, Any]) -> None:
    assert source_columns(parse_definitions({"escalated": raw}, "here")["escalated"]) == set()


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ({"escalation": {"column": "x", "equals": "1"}}, "escalated"),
        ({"topic": {"colum": "x"}}, "column"),
        ({"topic": {"column": "x", "out_of_scop": ["y"]}}, "out_of_scope"),
        ({"topic": {"column": ["a", "b"]}}, "column"),
        ({"topic": {"column": "x", "at": "middle"}}, "last"),
        ({"topic": {"reply_matches": ["x"]}}, "column"),
        ({"queue": {"column": "x", "out_of_scope": ["y"]}}, "topic"),
        ({"priority": "p"}, "levels"),
        ({"priority": {"column": "p", "levels": ["a", "b"]}}, "levels"),
        ({"escalated": {"column": "x", "at_least": "many"}}, "at_least"),
        ({"escalated": {"column": "x", "at_least": 3, "within": "7 fortnights"}}, "7d"),
        ({"escalated": {"no_reply_within": "72"}}, "72h"),
        ({"escalated": {"reply_matches": ["(unclosed"]}}, "regular expression"),
        ({"escalated": {"equals": "1"}}, "column"),
        ({"escalated": {"reopend_within": "14d"}}, "reopened_within"),
        ({"escalated": {"reopened_within": "14"}}, "72h"),
        ({"escalated": {"never_answered": "long"}}, "72h"),
        ({"escalated": {"returns_within": "7d", "sme": "topic"}}, "same"),
        ({"escalated": {"returns_within": "7d", "same": ["topic"]}}, "same: NAME"),
        ({"escalated": {"kind": "escalatd", "within": "14d"}}, "'escalated'"),
        ({"escalated": {"kind": "created", "within": "14d"}}, "no kind of event"),
        ({"escalated": {"kind": None, "within": "14d"}}, "no kind of event"),
        ({"escalated": {"kind": "escalated"}}, "within: 14d"),
        ({"escalated": {"kind": "escalated", "withn": "14d"}}, "within"),
        ({"escalated": {"kind": "escalated", "within": None}}, "72h"),
        ({"escalated": {"satisfaction_below": "bad", "within": "30d"}}, "satisfaction_below: 0.5"),
        ({"escalated": {"satisfaction_below": 5, "within": "30d"}}, "from 0 to 1"),
        ({"escalated": {"satisfaction_below": None, "within": "30d"}}, "satisfaction_below: 0.5"),
        ({"escalated": {"satisfaction_below": 0.5}}, "within: 14d"),
        ({"queue": {"kind": "escalated", "within": "14d"}}, "column"),
        ({"article": {"reply_links": "no group"}}, "slug"),
        ({"article": "kb", "articles": "kb"}, "twice"),
        (["topic"], "outcomes by name"),
    ],
)
def test_a_wrong_definition_says_where_and_what_to_write(raw: Any, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_definitions(raw, "params.yaml: outcomes")
    assert "params.yaml: outcomes" in str(caught.value)
    assert named in str(caught.value)


def test_a_mapping_raises_its_own_kind_of_error() -> None:
    with pytest.raises(MappingError):
        parse_definitions({"topc": "x"}, "mapping.yaml", error=MappingError)


@pytest.mark.parametrize(
    ("text", "hours"), [("30m", 0.5), ("72h", 72), ("7d", 168), ("2w", 336), ("90s", 0.025), (" 1.5h ", 1.5)]
)
def test_durations_have_a_unit(text: str, hours: float) -> None:
    assert parse_duration(text) == pd.Timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-3h", "7 dd", "P7D", None])
def test_what_is_no_duration_is_none(text: Any) -> None:
    assert parse_duration(text) is None
