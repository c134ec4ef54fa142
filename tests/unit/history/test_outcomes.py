"""Outcomes as dated facts, on made event logs and threads."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from made_outcomes import at, column, log, made_tickets, outcome, replies

from pipeline.errors import ConfigError
from pipeline.history.events import joined
from pipeline.history.outcomes import OUT_OF_SCOPE, check_values, derive, outside_levels, parse_definitions
from pipeline.tickets.schema import conform, empty


class TestValues:
    def test_a_tables_value_is_known_at_creation_and_an_empty_one_is_unknown(self) -> None:
        tickets = made_tickets([("a", 1, None), ("b", 2, None)])
        found = outcome(tickets, column(tickets, topic=["login", None]), "topic", "topic")
        assert found == {"a": ("login", 1.0)}

    def test_without_times_values_are_known_with_no_date(self) -> None:
        tickets = made_tickets([("a", None, None)])
        assert outcome(tickets, column(tickets, topic=["login"]), "topic", "topic") == {"a": ("login", None)}

    def test_in_a_log_the_last_row_counts_and_dates_it(self) -> None:
        tickets = made_tickets([("a", 0, None)])
        events = log([("a", 0, "x"), ("a", 5, "y"), ("a", 9, "y")])
        assert outcome(tickets, events, "queue", "count") == {"a": ("y", 9.0)}
        assert outcome(tickets, events, "queue", {"column": "count", "at": "first"}) == {"a": ("x", 0.0)}

    def test_a_last_row_that_is_empty_leaves_the_outcome_unknown(self) -> None:
        tickets = made_tickets([("a", 0, None)])
        assert outcome(tickets, log([("a", 0, "x"), ("a", 5, None)]), "queue", "count") == {}

    def test_a_first_row_that_is_empty_leaves_the_first_value_unknown(self) -> None:
        tickets = made_tickets([("a", 0, None)])
        events = log([("a", 0, None), ("a", 5, "x")])
        assert outcome(tickets, events, "queue", {"column": "count", "at": "first"}) == {}

    def test_out_of_scope_values_become_the_reserved_topic(self) -> None:
        tickets = made_tickets([("a", 0, None), ("b", 0, None)])
        found = outcome(
            tickets, column(tickets, intent=["oos", "pay"]), "topic", {"column": "intent", "out_of_scope": ["oos"]}
        )
        assert {k: v for k, (v, _) in found.items()} == {"a": OUT_OF_SCOPE, "b": "pay"}

    def test_a_value_outside_the_levels_is_unknown_and_counted(self) -> None:
        tickets = made_tickets([("a", 0, None), ("b", 0, None), ("c", 0, None)])
        events = column(tickets, pr=["1", "2", "--"])
        raw = {"column": "pr", "levels": {"2": "low", "1": "high"}}
        assert {k: v for k, (v, _) in outcome(tickets, events, "priority", raw).items()} == {"a": "high", "b": "low"}
        assert outside_levels(tickets, events, parse_definitions({"priority": raw}, "t")) == {"priority": {"--": 1}}

    def test_a_ticket_whose_date_column_is_empty_has_no_outcome_yet(self) -> None:
        tickets = made_tickets([("a", 0, None), ("b", 0, None)])
        events = column(tickets, intent=["x", "y"], closed=["2026-03-04T00:00:00Z", None])
        found = outcome(tickets, events, "topic", {"column": "intent", "known_at": "closed"})
        assert found == {"a": ("x", 48.0)}

    def test_several_articles_in_one_value_become_several_rows(self) -> None:
        tickets = made_tickets([("a", 0, None)])
        events = column(tickets, kb=["12; 7;12"])
        frame = derive(tickets, events, parse_definitions({"article": {"column": "kb", "separator": ";"}}, "t"))
        assert frame["value"].tolist() == ["12", "7"]

    def test_a_field_of_the_ticket_is_a_fact_too(self) -> None:
        tickets = made_tickets([("a", 3, None)], **{"fields.product": ["Mail"]})
        assert outcome(tickets, empty("events"), "queue", "product") == {"a": ("Mail", 3.0)}

    def test_words_for_yes_and_no_are_read_as_a_risk(self) -> None:
        tickets = made_tickets([("a", 0, None), ("b", 0, None), ("c", 0, None)])
        found = outcome(tickets, column(tickets, esc=["Yes", "0", "maybe"]), "escalated", "esc")
        assert {k: v for k, (v, _) in found.items()} == {"a": "1", "b": "0"}


class TestConditions:
    def test_equals_is_known_when_it_became_true_or_at_the_last_row(self) -> None:
        tickets = made_tickets([("a", 0, None), ("b", 0, None)])
        events = log([("a", 0, "true"), ("a", 5, "false"), ("a", 9, "false"), ("b", 1, "true"), ("b", 7, "true")])
        raw = {"column": "count", "equals": "false"}
        assert outcome(tickets, events, "escalated", raw) == {"a": ("1", 5.0), "b": ("0", 7.0)}
        assert outcome(tickets, events, "escalated", raw | {"at": "last"}) == {"a": ("1", 9.0), "b": ("0", 7.0)}

    def test_equals_takes_truth_values_in_any_case(self) -> None:
        tickets = made_tickets([("a", 0, None), ("b", 0, None)])
        raw = {"column": "sla", "equals": False}
        found = outcome(tickets, column(tickets, sla=["False", "TRUE"]), "escalated", raw)
        assert {k: v for k, (v, _) in found.items()} == {"a": "1", "b": "0"}

    def test_a_count_is_known_at_the_row_that_reached_it(self) -> None:
        tickets = made_tickets([("a", 0, None), ("b", 0, None)])
        events = log([("a", 0, "0"), ("a", 4, "3"), ("a", 6, "5"), ("b", 0, "0"), ("b", 8, "2")])
        found = outcome(tickets, events, "escalated", {"column": "count", "at_least": 3})
        assert found == {"a": ("1", 4.0), "b": ("0", 8.0)}

    def test_a_count_that_is_reached_after_its_window_is_a_no_known_at_the_windows_end(self) -> None:
        tickets = made_tickets([("a", 0, None), ("late", 0, None), ("end", 500, None)])
        events = log([("a", 0, "0"), ("a", 168, "3"), ("late", 0, "0"), ("late", 169, "3"), ("end", 500, "0")])
        found = outcome(tickets, events, "escalated", {"column": "count", "at_least": 3, "within": "7d"})
        assert found == {"a": ("1", 168.0), "late": ("0", 168.0)}

    def test_a_window_that_is_open_at_the_end_of_the_data_leaves_yes_and_no_out(self) -> None:
        tickets = made_tickets([("old", 0, None), ("yes", 300, None), ("no", 300, None)])
        events = log([("old", 0, "0"), ("yes", 300, "0"), ("yes", 301, "3"), ("no", 300, "0")])
        found = outcome(tickets, events, "escalated", {"column": "count", "at_least": 3, "within": "7d"})
        assert list(found) == ["old"]

    def test_a_count_that_is_always_empty_is_unknown(self) -> None:
        tickets = made_tickets([("a", 0, None)])
        found = outcome(tickets, log([("a", 0, None), ("a", 1, None)]), "escalated", {"column": "count", "at_least": 1})
        assert found == {}

    def test_without_times_a_window_is_never_closed(self) -> None:
        tickets = made_tickets([("a", None, None)])
        raw = {"column": "n", "at_least": 1, "within": "1d"}
        assert outcome(tickets, column(tickets, n=["3"]), "escalated", raw) == {}


class TestReplies:
    def test_a_pattern_counts_in_a_reply_by_another_person_only(self) -> None:
        tickets = made_tickets([("a", 0, "ann"), ("b", 0, "bob"), ("c", 0, "cy")])
        events = replies(
            [
                ("a", 1, "ann", "see BUG 1234567"),
                ("b", 2, "helper", "hello"),
                ("b", 3, "helper", "this is <b>Bug 1234567</b>"),
                ("b", 9, "helper", "bug 7654321 again"),
                ("c", 4, None, "bug 1234567, from nobody"),
            ]
        )
        found = outcome(tickets, events, "escalated", {"reply_matches": [r"\bbug\s*\d{6,7}\b"]})
        assert found == {"a": ("0", 1.0), "b": ("1", 3.0), "c": ("0", 4.0)}

    def test_no_reply_is_known_when_the_window_closes_and_a_reply_when_it_came(self) -> None:
        tickets = made_tickets(
            [("none", 0, "x"), ("own", 0, "x"), ("quick", 0, "x"), ("slow", 0, "x"), ("new", 90, "x")]
        )
        events = replies(
            [("own", 1, "x", "me again"), ("quick", 2, "h", "hi"), ("slow", 73, "h", "sorry"), ("new", 91, "h", "")]
        )
        found = outcome(tickets, events, "escalated", {"no_reply_within": "72h"})
        assert found == {"none": ("1", 72.0), "own": ("1", 72.0), "quick": ("0", 2.0), "slow": ("1", 72.0)}

    def test_a_reply_at_the_windows_last_moment_is_in_time(self) -> None:
        tickets = made_tickets([("a", 0, "x")])
        found = outcome(tickets, replies([("a", 72, "h", "hi")]), "escalated", {"no_reply_within": "72h"})
        assert found == {"a": ("0", 72.0)}

    def test_a_customer_who_returns_is_known_at_the_second_ticket(self) -> None:
        rows = [
            ("a", 0, "x"),
            ("b", 100, "x"),
            ("c", 0, "shared"),
            ("d", 1, "shared"),
            ("e", 0, None),
            ("end", 999, "z"),
        ]
        found = outcome(
            made_tickets(rows), empty("events"), "escalated", {"returns_within": "7d", "except": ["shared"]}
        )
        assert found == {"a": ("1", 100.0), "b": ("0", 268.0), "c": ("0", 168.0), "d": ("0", 169.0)}

    def test_an_excepted_customer_may_be_named_by_an_address(self) -> None:
        from pipeline.history.identity import pseudonyms

        shared = pseudonyms(pd.Series(["info@example.org"], dtype="str")).iloc[0]
        assert shared.startswith("person-")
        tickets = made_tickets([("a", 0, shared), ("b", 1, shared), ("end", 999, "z")])
        raw = {"returns_within": "7d", "except": ["info@example.org"]}
        assert outcome(tickets, empty("events"), "escalated", raw)["a"] == ("0", 168.0)

    def test_cited_articles_are_pairs_dated_by_the_first_reply_and_not_those_the_customer_linked(self) -> None:
        tickets = made_tickets([("a", 0, "ann"), ("b", 0, "bob")], body=[None, "I read /kb/reset already"])
        events = replies(
            [
                ("a", 5, "h", "see /kb/Reset and /kb/unknown"),
                ("a", 3, "g", 'see <a href="/kb/reset">this</a> or /kb/move'),
                ("b", 1, "h", "see /kb/reset"),
            ]
        )
        articles = conform(pd.DataFrame({"article_id": ["1", "2"], "slug": ["reset", "move"]}), "articles")
        raw = {"reply_links": r"/kb/([\w-]+)"}
        frame = derive(tickets, events, parse_definitions({"article": raw}, "t"), articles=articles)
        assert list(zip(frame["ticket_id"], frame["value"], frame["known_at"], strict=True)) == [
            ("a", "1", at(3)),
            ("a", "2", at(3)),
            ("a", "unknown", at(5)),
        ]
        assert derive(tickets, events, parse_definitions({"article": raw}, "t")).empty


class TestChecks:
    def test_an_equals_that_never_occurs_lists_the_values_seen(self) -> None:
        tickets = made_tickets([("a", 0, None), ("b", 0, None)])
        events = column(tickets, state=["open", "closed"])
        definitions = parse_definitions({"escalated": {"column": "state", "equals": "Closed!"}}, "t")
        with pytest.raises(ConfigError, match="'closed'"):
            check_values(tickets, events, definitions, where="mapping.yaml")

    def test_levels_of_which_none_occurs_are_refused_and_a_single_missing_one_is_not(self) -> None:
        tickets = made_tickets([("a", 0, None)])
        events = column(tickets, pr=["P1"])
        good = parse_definitions({"priority": {"column": "pr", "levels": {"P2": "low", "P1": "high"}}}, "t")
        check_values(tickets, events, good, where="t")
        bad = parse_definitions({"priority": {"column": "pr", "levels": {"2": "low", "1": "high"}}}, "t")
        with pytest.raises(ConfigError, match="'P1'"):
            check_values(tickets, events, bad, where="t")

    def test_at_most_twenty_values_are_listed(self) -> None:
        tickets = made_tickets([(f"t{i}", 0, None) for i in range(50)])
        events = column(tickets, c=[f"v{i}" for i in range(50)])
        definitions = parse_definitions({"escalated": {"column": "c", "equals": "x"}}, "t")
        with pytest.raises(ConfigError) as caught:
            check_values(tickets, events, definitions, where="t")
        assert str(caught.value).count("'v") == 20
        assert "50 values" in str(caught.value)


def test_no_tickets_give_no_outcomes() -> None:
    definitions = parse_definitions(
        {
            "topic": "a",
            "priority": {"column": "b", "levels": {"1": "x"}},
            "escalated": {"no_reply_within": "1h"},
            "article": {"reply_links": "(x)"},
        },
        "t",
    )
    frame = derive(empty("tickets"), empty("events"), definitions, articles=empty("articles"))
    assert frame.empty
    assert list(frame.columns) == ["ticket_id", "outcome", "value", "known_at"]


@pytest.mark.parametrize(
    "raw",
    [
        {"column": "n", "at_least": 1},
        {"column": "n", "equals": "1"},
        {"reply_matches": ["x"]},
        {"no_reply_within": "1h"},
        {"returns_within": "1d"},
        {"returns_within": "1d", "same": "topic"},
        {"returns_within": "1d", "same": "product"},
        {"never_answered": "1d"},
        {"reopened_within": "1d"},
        {"kind": "escalated", "within": "1d"},
        {"satisfaction_below": 0.5, "within": "1d"},
    ],
)
def test_every_form_of_escalation_bears_tickets_without_anything(raw: dict[str, Any]) -> None:
    tickets = made_tickets([("a", None, None), ("b", 0, None)])
    frame = derive(tickets, empty("events"), parse_definitions({"escalated": raw}, "t"))
    assert set(frame["value"]) <= {"0"}


def test_events_in_any_order_of_rows_give_the_same_outcomes() -> None:
    tickets = made_tickets([("a", 0, "x"), ("b", 1, "y")])
    events = joined([log([("a", 0, "0"), ("a", 4, "3"), ("b", 1, "0")]), replies([("a", 2, "h", "bug 123456")])])
    definitions = parse_definitions({"escalated": {"column": "count", "at_least": 3}, "topic": "count"}, "t")
    shuffled = events.sample(frac=1, random_state=3).reset_index(drop=True)
    pd.testing.assert_frame_equal(derive(tickets, events, definitions), derive(tickets, shuffled, definitions))
