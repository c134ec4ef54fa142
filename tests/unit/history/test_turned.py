"""When a ticket first looked as if it had escalated: often long before its last row says so for good."""

from __future__ import annotations

from typing import Any

import pandas as pd
from made_outcomes import at, log, made_tickets, replies

from pipeline.history.outcomes import derive, parse_definitions, turned
from pipeline.training.labels import attach, escalated_at

TICKETS = made_tickets([("never", 0, None), ("soon", 0, None), ("back", 0, None)])
LOG = log([
    ("never", 0, "true"), ("never", 9, "true"), ("soon", 0, "true"), ("soon", 5, "false"), ("soon", 40, "false"),
    ("back", 0, "true"), ("back", 3, "false"), ("back", 8, "true"),
])  # fmt: skip


def looked_so(raw: Any, events: pd.DataFrame = LOG) -> dict[str, pd.Timestamp]:
    return dict(turned(TICKETS, events, parse_definitions({"escalated": raw}, "test")["escalated"]))


def test_a_value_tells_from_its_first_row_on() -> None:
    found = looked_so({"column": "count", "equals": "false", "at": "last"})
    assert found == {"soon": at(5), "back": at(3)}
    assert looked_so({"column": "count"}, LOG.assign(value=LOG["value"].map({"true": "no", "false": "yes"}))) == found


def test_a_count_tells_when_it_is_reached_whatever_its_window() -> None:
    counted = log([("soon", 0, "0"), ("soon", 5, "1"), ("soon", 50, "2"), ("back", 7, "2")])
    found = looked_so({"column": "count", "at_least": 2, "within": "1d"}, counted)
    assert found == {"soon": at(50), "back": at(7)}


def test_where_no_column_tells_nothing_is_known_early() -> None:
    assert looked_so({"no_reply_within": "8h"}, replies([])) == {}
    assert turned(TICKETS, LOG, None).empty


def test_a_ticket_escalated_when_it_looked_so_or_else_when_that_was_known() -> None:
    definitions = parse_definitions({"escalated": {"column": "count", "equals": "false", "at": "last"}}, "test")
    outcomes = derive(TICKETS, LOG, definitions)
    labelled = attach(TICKETS, outcomes, cut=None, turned=turned(TICKETS, LOG, definitions["escalated"])).frame
    found = escalated_at(labelled).set_axis(labelled["ticket_id"])
    assert found["soon"] == at(5) and found["back"] == at(3) and pd.isna(found["never"])
    bare = escalated_at(attach(TICKETS, outcomes, cut=None).frame)
    assert bare.notna().tolist() == [False, True, False] and bare[1] == at(40)


def test_what_is_not_known_at_the_cut_is_not_known_early_either() -> None:
    definitions = parse_definitions({"escalated": {"column": "count", "equals": "false", "at": "last"}}, "test")
    early = turned(TICKETS, LOG, definitions["escalated"])
    labelled = attach(TICKETS, derive(TICKETS, LOG, definitions), cut=at(20), turned=early).frame
    assert labelled["label.escalated"].isna().tolist() == [False, True, False]
    assert labelled["turned.escalated"].isna().tolist() == [True, True, False]


def test_an_outcome_that_no_column_tells_is_attached_all_the_same() -> None:
    definitions = parse_definitions({"escalated": {"no_reply_within": "8h"}}, "test")
    said = replies([("soon", 1, "agent", "hello"), ("back", 90, "agent", "hello")])
    outcomes = derive(TICKETS, said, definitions)
    labelled = attach(TICKETS, outcomes, cut=None, turned=turned(TICKETS, said, definitions["escalated"])).frame
    assert labelled["turned.escalated"].isna().all()
    assert escalated_at(labelled).notna().tolist() == (labelled["label.escalated"] == "1").tolist()


def test_a_value_that_is_dated_by_another_column_tells_nothing_early() -> None:
    raw = {"column": "count", "equals": "false", "known_at": "closed"}
    assert looked_so(raw) == {}


def test_nobody_sees_it_before_it_was_received() -> None:
    late = LOG.assign(received_at=LOG["received_at"] + pd.Timedelta(hours=2))
    assert looked_so({"column": "count", "equals": "false", "at": "last"}, late) == {"soon": at(7), "back": at(5)}
