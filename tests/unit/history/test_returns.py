"""Escalations by customers who come back: across channels, and about the same."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_outcomes import DAY, column, log, made_tickets

from pipeline.config import History
from pipeline.errors import ConfigError
from pipeline.history.events import joined
from pipeline.history.keys import key
from pipeline.history.outcomes import OUT_OF_SCOPE, check_values, derive, parse_definitions
from pipeline.tickets.schema import empty

Rows = list[tuple[str, float | None, str | None]]
WEEK: dict[str, Any] = {"returns_within": "7d"}
SAME_TOPIC = WEEK | {"same": "topic"}
MAIL, PHONE = (key("email", "ann@example.org"), key("phone", "+49 30 1234567"))


def escalated(
    frame: pd.DataFrame, events: pd.DataFrame, raw: dict[str, Any], topic: Any = None, customers: History | None = None
) -> dict[str, tuple[str, float]]:
    """By ticket but the last, which holds the end of the data: (value, hours until it was known)."""
    definitions = parse_definitions({"escalated": raw, "topic": topic}, "test")
    found = derive(frame, events, definitions, customers=customers)
    found = found[(found["outcome"] == "escalated").to_numpy(bool)]
    hours = ((found["known_at"] - DAY) / pd.Timedelta(hours=1)).tolist()
    return dict(zip(found["ticket_id"], zip(found["value"], hours, strict=True), strict=True))


def visits(rows: list[tuple[float, str | None, str | None]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tickets 0, 1, … (hours, customer, topic, which is known at once) and a last one, `end`, at hour 1,000."""
    frame = made_tickets([*((str(i), r[0], r[1]) for i, r in enumerate(rows)), ("end", 1000, "z")])
    return frame, column(frame, topic=[*(r[2] for r in rows), None])


class TestSameTopic:
    def test_the_next_ticket_about_the_same_counts_and_others_do_not(self) -> None:
        frame, events = visits([(0, "x", "pay"), (5, "x", "login"), (9, "x", "pay"), (99, "y", "pay")])
        found = escalated(frame, events, SAME_TOPIC, "topic")
        assert found == {"0": ("1", 9.0), "1": ("0", 173.0), "2": ("0", 177.0), "3": ("0", 267.0)}

    def test_a_return_after_the_window_is_a_no_and_at_its_last_moment_a_yes(self) -> None:
        frame, events = visits([(0, "x", "pay"), (169, "x", "pay"), (0, "y", "pay"), (168, "y", "pay")])
        found = escalated(frame, events, SAME_TOPIC, "topic")
        assert (found["0"], found["2"]) == (("0", 168.0), ("1", 168.0))

    def test_a_ticket_whose_topic_is_unknown_has_no_outcome(self) -> None:
        frame, events = visits([(0, "x", None), (5, "x", "pay")])
        assert escalated(frame, events, SAME_TOPIC, "topic") == {"1": ("0", 173.0)}

    def test_a_return_about_nobody_knows_what_leaves_the_outcome_unknown_but_for_another_about_the_same(self) -> None:
        frame, events = visits([(0, "x", "pay"), (5, "x", None), (0, "y", "pay"), (5, "y", None), (6, "y", "pay")])
        assert escalated(frame, events, SAME_TOPIC, "topic") == {"2": ("1", 6.0), "4": ("0", 174.0)}

    def test_what_is_out_of_scope_is_the_same_as_nothing(self) -> None:
        frame, events = visits([(0, "x", "oos"), (5, "x", "oos"), (0, "y", "pay"), (5, "y", "oos")])
        raw = {"column": "topic", "out_of_scope": ["oos"]}
        assert escalated(frame, events, SAME_TOPIC, raw) == {"2": ("0", 168.0)}
        assert OUT_OF_SCOPE in set(derive(frame, events, parse_definitions({"topic": raw}, "t"))["value"])

    def test_a_yes_is_known_once_both_topics_are(self) -> None:
        frame = made_tickets([("a", 0, "x"), ("b", 9, "x"), ("c", 0, "y"), ("d", 9, "y"), ("end", 1000, "z")])
        events = log([("a", 0, "p"), ("b", 9, "p"), ("b", 300, "p"), ("c", 0, "p"), ("c", 400, "p"), ("d", 9, "p")])
        found = escalated(frame, events, SAME_TOPIC, "count")
        assert (found["a"], found["c"]) == (("1", 300.0), ("1", 400.0))

    def test_a_no_is_known_once_it_is_known_what_the_tickets_in_its_window_were_about(self) -> None:
        frame = made_tickets([("a", 0, "x"), ("b", 9, "x"), ("c", 500, "x"), ("end", 1000, "z")])
        events = log([("a", 0, "p"), ("b", 9, "q"), ("b", 300, "q"), ("c", 500, "q"), ("c", 900, "q")])
        assert escalated(frame, events, SAME_TOPIC, "count")["a"] == ("0", 300.0)

    def test_an_open_window_leaves_yes_and_no_out(self) -> None:
        frame, events = visits([(900, "x", "pay"), (901, "x", "pay"), (900, "y", "pay")])
        assert escalated(frame, events, SAME_TOPIC, "topic") == {}

    def test_without_a_topic_it_is_refused(self) -> None:
        frame, events = visits([(0, "x", "pay")])
        with pytest.raises(ConfigError, match="define `topic`"):
            check_values(frame, events, parse_definitions({"escalated": SAME_TOPIC}, "t"), where="t")


class TestSameColumn:
    RAW = WEEK | {"same": "product"}

    def test_the_tickets_own_field_counts_as_it_was_at_creation(self) -> None:
        products: list[str | None] = ["Mail", "Mail", "Chat", None, "Chat"]
        rows: Rows = [("a", 0, "x"), ("b", 5, "x"), ("c", 9, "x"), ("d", 200, "x"), ("end", 1000, "z")]
        frame = made_tickets(rows, **{"fields.product": products})
        changed = log([("c", 10, "Mail")], "product")
        assert escalated(frame, changed, self.RAW) == {"a": ("1", 5.0), "b": ("0", 173.0), "c": ("0", 177.0)}

    def test_a_tracked_column_counts_by_its_first_value(self) -> None:
        frame = made_tickets([("a", 0, "x"), ("b", 9, "x"), ("end", 1000, "z")])
        events = log([("a", 0, "p"), ("a", 2, "q"), ("b", 9, "p"), ("b", 10, "r")], "product")
        assert escalated(frame, events, self.RAW)["a"] == ("1", 9.0)

    def test_a_column_of_which_nothing_was_kept_is_refused_and_the_nearest_named(self) -> None:
        frame = made_tickets([("a", 0, "x")], **{"fields.product": ["Mail"]})
        with pytest.raises(ConfigError, match="did you mean 'product'"):
            definitions = parse_definitions({"escalated": WEEK | {"same": "produkt"}}, "t")
            check_values(frame, empty("events"), definitions, where="t")
        check_values(frame, empty("events"), parse_definitions({"escalated": self.RAW}, "t"), where="t")


class TestAcrossChannels:
    def test_an_address_that_a_ticket_links_makes_one_customer_from_then_on(self) -> None:
        both = f"{MAIL} {PHONE}"
        rows: Rows = [("mail", 0, None), ("phone", 1, None), ("both", 2, None), ("call", 3, None), ("end", 1000, "z")]
        frame = made_tickets(rows, customer_keys=[MAIL, PHONE, both, PHONE, None])
        found = escalated(frame, empty("events"), WEEK)
        assert found == {"mail": ("1", 2.0), "phone": ("1", 2.0), "both": ("1", 3.0), "call": ("0", 171.0)}

    def test_a_link_that_is_only_seen_later_brings_nobody_back(self) -> None:
        rows: Rows = [("mail", 0, None), ("phone", 1, None), ("both", 300, None), ("end", 1000, "z")]
        frame = made_tickets(rows, customer_keys=[MAIL, PHONE, f"{MAIL} {PHONE}", None])
        assert escalated(frame, empty("events"), WEEK)["mail"] == ("0", 168.0)

    def test_the_settings_say_who_is_nobody_and_which_link_is_taken_back(self) -> None:
        rows: Rows = [("a", 0, "1"), ("b", 1, "2"), ("end", 1000, "z")]
        frame = made_tickets(rows, customer_keys=[MAIL, MAIL, None])
        assert escalated(frame, empty("events"), WEEK)["a"] == ("1", 1.0)
        shared = escalated(frame, empty("events"), WEEK, customers=History(shared=("ann@example.org",)))
        assert shared["a"] == ("0", 168.0)
        kept_apart = History(unlink=(f"id:2 {MAIL}",))
        assert escalated(frame, empty("events"), WEEK, customers=kept_apart)["a"] == ("0", 168.0)

    def test_an_excepted_address_never_counts_and_a_ticket_of_nobody_has_no_outcome(self) -> None:
        rows: Rows = [("a", 0, "1"), ("b", 1, "1"), ("c", 2, "2"), ("d", 3, "2"), ("e", 4, None), ("end", 1000, "z")]
        frame = made_tickets(rows, customer_keys=[MAIL, None, None, None, None, None])
        found = escalated(frame, empty("events"), WEEK | {"except": ["ann@example.org"]})
        assert found == {"a": ("0", 168.0), "b": ("0", 169.0), "c": ("1", 3.0), "d": ("0", 171.0)}

    def test_keys_and_topics_count_together(self) -> None:
        rows: Rows = [("a", 0, "1"), ("b", 1, "2"), ("c", 2, "3"), ("end", 1000, "z")]
        frame = made_tickets(rows, customer_keys=[MAIL, MAIL, MAIL, None])
        events = column(frame, topic=["pay", "login", "pay", None])
        assert escalated(frame, events, SAME_TOPIC, "topic")["a"] == ("1", 2.0)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 400),
            st.sampled_from(["x", "y", None]),
            st.sampled_from(["p", "q", None]),
            st.integers(0, 300),
        ),
        max_size=9,
    ),
    st.sampled_from([WEEK, SAME_TOPIC, WEEK | {"except": ["y"]}, SAME_TOPIC | {"except": ["y"]}]),
)
def test_it_is_what_a_reader_of_the_definition_finds(
    rows: list[tuple[int, Any, Any, int]], raw: dict[str, Any]
) -> None:
    frame = made_tickets([*((str(i), r[0], r[1]) for i, r in enumerate(rows)), ("end", 600, "z")])
    facts = [log([(str(i), r[0], r[2]), (str(i), r[0] + r[3], r[2])], "topic") for i, r in enumerate(rows)]
    events = joined([empty("events"), *(f.assign(seq=f["seq"] + 2 * i) for i, f in enumerate(facts))])
    found = escalated(frame, events, raw, "topic")
    found.pop("end", None)
    end = max([600, *(r[0] + r[3] for r in rows)])
    assert found == {k: v for k, v in ((str(i), expected(rows, i, raw, end)) for i in range(len(rows))) if v}


def expected(
    rows: list[tuple[int, Any, Any, int]], own: int, raw: dict[str, Any], end: int
) -> tuple[str, float] | None:
    """By the definition, pair by pair."""
    created, customer, topic, lag = rows[own]
    same = "same" in raw
    if customer is None or created + 168 > end or (same and topic is None):
        return None
    later = sorted((r[0], i) for i, r in enumerate(rows) if (r[0], i) > (created, own) and r[0] <= created + 168)
    back = [rows[i] for _, i in later if rows[i][1] == customer and customer not in raw.get("except", ())]
    alike = [r for r in back if not same or r[2] == topic]
    own_known = created + lag if same else created
    if alike:
        return "1", float(max(own_known, alike[0][0] + (alike[0][3] if same else 0)))
    if any(r[2] is None for r in back):
        return None
    return "0", float(max([created + 168, own_known, *(r[0] + r[3] for r in back)]))
