"""Escalations by what happened to a ticket in time: opened again, never answered, an event of a kind."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from made_outcomes import happenings, made_tickets, outcome, replies, statuses

from pipeline.history.definitions import HAPPENINGS
from pipeline.history.events import joined
from pipeline.history.log import KINDS


def tickets(*ids: str) -> pd.DataFrame:
    """Tickets by x of hour 0, and one that holds the end of the data at hour 1,000."""
    return made_tickets([*((name, 0.0, "x") for name in ids), ("end", 1000.0, "z")])


def escalated(frame: pd.DataFrame, events: pd.DataFrame, raw: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    return outcome(frame, events, "escalated", raw)


class TestReopenedWithin:
    RAW: dict[str, Any] = {"reopened_within": "2d"}

    @pytest.mark.parametrize("ended", ["resolved", "closed"])
    @pytest.mark.parametrize("again", ["new", "open", "pending", "on_hold"])
    def test_any_living_status_after_any_ending_is_a_yes_known_at_the_reopening(self, ended: str, again: str) -> None:
        events = statuses([("a", 0, "open"), ("a", 10, ended), ("a", 30, again)])
        assert escalated(tickets("a"), events, self.RAW) == {"a": ("1", 30.0)}

    def test_an_event_of_reopening_is_one_too(self) -> None:
        events = happenings([("a", 10, "status", "closed"), ("a", 30, "reopened", None)])
        assert escalated(tickets("a"), events, self.RAW) == {"a": ("1", 30.0)}

    def test_a_ticket_that_stays_ended_is_a_no_known_at_the_windows_end(self) -> None:
        events = statuses([("a", 0, "new"), ("a", 10, "resolved")])
        assert escalated(tickets("a"), events, self.RAW) == {"a": ("0", 58.0)}

    def test_a_ticket_that_was_never_resolved_has_no_outcome(self) -> None:
        events = happenings([("a", 0, "status", "new"), ("a", 9, "status", "open"), ("b", 5, "reopened", None)])
        assert escalated(tickets("a", "b", "c"), events, self.RAW) == {}

    def test_the_clock_starts_again_when_a_resolved_ticket_is_closed(self) -> None:
        events = statuses([("a", 10, "resolved"), ("a", 100, "closed"), ("a", 120, "open")])
        assert escalated(tickets("a"), events, self.RAW) == {"a": ("1", 120.0)}

    def test_a_status_that_is_said_twice_starts_no_clock(self) -> None:
        events = statuses([("a", 10, "closed"), ("a", 50, "closed"), ("a", 90, "open")])
        assert escalated(tickets("a"), events, self.RAW) == {"a": ("0", 58.0)}

    def test_a_reopening_at_the_windows_last_moment_is_in_time_and_a_later_one_is_not(self) -> None:
        events = statuses([("a", 10, "closed"), ("a", 58, "open"), ("b", 10, "closed"), ("b", 59, "open")])
        assert escalated(tickets("a", "b"), events, self.RAW) == {"a": ("1", 58.0), "b": ("0", 58.0)}

    def test_of_two_reopenings_the_first_counts_if_both_are_in_time(self) -> None:
        rows = [("a", 1, "closed"), ("a", 9, "open"), ("a", 20, "closed"), ("a", 29, "open"), ("a", 40, "closed")]
        assert escalated(tickets("a"), statuses(rows), self.RAW) == {"a": ("1", 9.0)}

    def test_a_late_reopening_and_one_in_time_make_a_yes_at_the_second(self) -> None:
        rows = [("a", 0, "closed"), ("a", 100, "open"), ("a", 200, "resolved"), ("a", 210, "open")]
        assert escalated(tickets("a"), statuses(rows), self.RAW) == {"a": ("1", 210.0)}

    def test_after_a_late_reopening_a_no_is_known_when_the_last_window_closed(self) -> None:
        rows = [("a", 0, "closed"), ("a", 100, "open"), ("a", 200, "resolved")]
        assert escalated(tickets("a"), statuses(rows), self.RAW) == {"a": ("0", 248.0)}

    def test_an_open_window_leaves_yes_and_no_out_but_not_a_yes_of_an_earlier_window(self) -> None:
        rows = [
            ("yes", 990, "closed"), ("yes", 995, "open"),
            ("no", 990, "closed"),
            ("late", 0, "closed"), ("late", 900, "open"), ("late", 990, "closed"),
            ("old", 0, "closed"), ("old", 5, "open"), ("old", 990, "closed"),
        ]  # fmt: skip
        assert escalated(tickets("yes", "no", "late", "old"), statuses(rows), self.RAW) == {"old": ("1", 5.0)}

    def test_events_of_one_moment_are_taken_in_the_sources_order(self) -> None:
        rows = [("a", 5, "resolved"), ("a", 5, "open"), ("b", 5, "open"), ("b", 5, "resolved")]
        assert escalated(tickets("a", "b"), statuses(rows), self.RAW) == {"a": ("1", 5.0), "b": ("0", 53.0)}

    def test_a_reopening_that_was_received_later_is_known_then(self) -> None:
        events = happenings([("a", 5, "status", "resolved"), ("a", 9, "status", "open")], received=300)
        assert escalated(tickets("a"), events, self.RAW) == {"a": ("1", 300.0)}

    def test_unknown_words_and_undated_events_change_nothing(self) -> None:
        rows = [("a", 5.0, "status", "resolved"), ("a", 6.0, "status", "parked"), ("a", None, "reopened", None)]
        assert escalated(tickets("a"), happenings(rows), self.RAW) == {"a": ("0", 53.0)}


class TestNeverAnswered:
    RAW: dict[str, Any] = {"never_answered": "2d"}

    def test_without_a_reply_by_another_it_is_a_yes_at_the_windows_end(self) -> None:
        events = replies([("own", 1, "x", "me again"), ("late", 49, "h", "sorry"), ("just", 48, "h", "hi")])
        found = escalated(tickets("own", "late", "just", "none"), events, self.RAW)
        assert found == {"own": ("1", 48.0), "late": ("1", 48.0), "just": ("0", 48.0), "none": ("1", 48.0)}

    def test_the_first_reply_by_another_is_a_no_known_then(self) -> None:
        events = replies([("a", 5, "h", "hi"), ("a", 3, "g", "hi"), ("a", 1, "x", "hurry")])
        assert escalated(tickets("a"), events, self.RAW) == {"a": ("0", 3.0)}

    @pytest.mark.parametrize("ended", ["resolved", "closed"])
    def test_an_ending_without_a_reply_is_a_yes_known_then_whatever_is_replied_later(self, ended: str) -> None:
        events = joined([statuses([("a", 10, ended), ("b", 10, ended)]), replies([("b", 20, "h", "you are welcome")])])
        assert escalated(tickets("a", "b"), events, self.RAW) == {"a": ("1", 10.0), "b": ("1", 10.0)}

    def test_a_reply_at_the_moment_of_the_ending_or_before_it_is_in_time(self) -> None:
        events = joined(
            [statuses([("a", 10, "resolved"), ("b", 10, "closed")]), replies([("a", 10, "h", ""), ("b", 9, "h", "")])]
        )
        assert escalated(tickets("a", "b"), events, self.RAW) == {"a": ("0", 10.0), "b": ("0", 9.0)}

    def test_the_first_ending_counts_also_where_the_ticket_was_opened_again(self) -> None:
        events = joined([statuses([("a", 10, "closed"), ("a", 11, "open")]), replies([("a", 12, "h", "hi")])])
        assert escalated(tickets("a"), events, self.RAW) == {"a": ("1", 10.0)}

    def test_an_ending_after_the_window_changes_nothing(self) -> None:
        events = joined([statuses([("a", 60, "closed")]), replies([("a", 50, "h", "hi")])])
        assert escalated(tickets("a"), events, self.RAW) == {"a": ("1", 48.0)}

    def test_an_open_window_leaves_yes_and_no_out(self) -> None:
        frame = made_tickets([("yes", 960, "x"), ("no", 960, "x"), ("end", 1000, "z")])
        events = joined([statuses([("yes", 961, "closed")]), replies([("no", 962, "h", "hi")])])
        assert escalated(frame, events, self.RAW) == {}

    def test_without_a_time_or_in_data_without_replies_nothing_is_known(self) -> None:
        undated = made_tickets([("a", None, "x"), ("end", 1000, "z")])
        assert escalated(undated, replies([("a", 3, "h", "hi")]), self.RAW) == {}
        assert escalated(tickets("a"), statuses([("a", 5, "closed")]), self.RAW) == {}

    def test_what_an_automaton_says_is_no_answer(self) -> None:
        events = replies([("a", 3, "robot", "we got it"), ("b", 3, "h", "hi")])
        events["side"] = pd.Series(["system", "agent"], dtype="str")
        assert escalated(tickets("a", "b"), events, self.RAW) == {"a": ("1", 48.0), "b": ("0", 3.0)}


class TestAnEventOfAKind:
    RAW: dict[str, Any] = {"kind": "escalated", "within": "2d"}

    def test_it_is_a_yes_known_then_and_a_no_known_at_the_windows_end(self) -> None:
        rows = [("a", 7, "escalated", None), ("a", 5, "escalated", "2"), ("b", 49, "escalated", None)]
        found = escalated(tickets("a", "b", "c"), happenings(rows), self.RAW)
        assert found == {"a": ("1", 5.0), "b": ("0", 48.0), "c": ("0", 48.0)}

    def test_an_event_at_the_windows_last_moment_is_in_time_and_one_received_later_is_known_then(self) -> None:
        events = joined([happenings([("a", 48, "escalated", None)]), happenings([("b", 5, "escalated", None)], 90)])
        assert escalated(tickets("a", "b"), events, self.RAW) == {"a": ("1", 48.0), "b": ("1", 90.0)}

    def test_an_open_window_leaves_yes_and_no_out(self) -> None:
        frame = made_tickets([("yes", 960, "x"), ("no", 960, "x"), ("end", 1000, "z")])
        assert escalated(frame, happenings([("yes", 961, "escalated", None)]), self.RAW) == {}

    def test_without_a_time_or_in_data_without_such_an_event_nothing_is_known(self) -> None:
        undated = made_tickets([("a", None, "x"), ("end", 1000, "z")])
        assert escalated(undated, happenings([("a", 3, "escalated", None)]), self.RAW) == {}
        assert escalated(tickets("a"), happenings([("a", 3, "note", None)]), self.RAW) == {}

    def test_every_kind_that_a_condition_may_name_is_a_kind_of_event(self) -> None:
        assert set(HAPPENINGS) < set(KINDS)


class TestSatisfactionBelow:
    RAW: dict[str, Any] = {"satisfaction_below": 0.5, "within": "2d"}

    def test_the_first_low_rating_in_time_is_a_yes_and_anything_else_a_no_at_the_windows_end(self) -> None:
        rows = [
            ("low", 3, "satisfaction", "1"), ("low", 5, "satisfaction", "0.25"), ("low", 6, "satisfaction", "0"),
            ("edge", 3, "satisfaction", "0.5"),
            ("late", 49, "satisfaction", "0"),
        ]  # fmt: skip
        found = escalated(tickets("low", "edge", "late", "none"), happenings(rows), self.RAW)
        assert found == {"low": ("1", 5.0), "edge": ("0", 48.0), "late": ("0", 48.0), "none": ("0", 48.0)}

    @pytest.mark.parametrize("value", ["bad", "-1", "nan", None])
    def test_what_is_no_rating_is_never_low(self, value: str | None) -> None:
        assert escalated(tickets("a"), happenings([("a", 3, "satisfaction", value)]), self.RAW) == {"a": ("0", 48.0)}

    def test_an_open_window_or_data_without_ratings_leave_everything_out(self) -> None:
        frame = made_tickets([("a", 960, "x"), ("end", 1000, "z")])
        assert escalated(frame, happenings([("a", 961, "satisfaction", "0")]), self.RAW) == {}
        assert escalated(tickets("a"), happenings([("a", 1, "escalated", None)]), self.RAW) == {}
