"""The course of a ticket, number by number: a story that is told at some hours, and what is odd in other stories."""

from __future__ import annotations

import numpy as np
import pytest
from made_history import (
    LEVELS,
    LOOK,
    Event,
    Ticket,
    by_agent,
    by_customer,
    changed,
    given_to,
    history_of,
    moved,
    numbers,
    rows_of,
    time_of,
)

from pipeline.history.course import COURSE, PER_COLUMN, View, columns, course, ended_at, queue_at, spent
from pipeline.history.log import STATUSES, log_of, moments

NAN = np.nan
OPENED = Ticket(queue="first", fields={"product": "x"})
STORY = [
    Event("created", 0, actor="ann"),
    by_customer(1, mood=0.25),
    moved(2, "first"),
    by_agent(3),
    Event("status", 3, "open"),
    Event("note", 4, side="agent", actor="cleo"),
    by_customer(5, mood=-0.5, again=1, legal=2),
    Event("status", 6, "pending"),
    moved(6, "second"),
    changed(6, "product", "y"),
    changed(6, "size", "3"),
    Event("priority", 7, "low"),
    given_to(8, "bob"),
    Event("priority", 8, "high"),
    changed(8, "size", "3"),
    given_to(9, "cleo"),
    Event("status", 10, "resolved"),
    changed(11, "size", "5"),
    by_customer(12, mood=0.75, cancel=1),
    Event("status", 12, "open"),
    Event("escalated", 13, actor="bob"),
    Event("satisfaction", 14, "0.3"),
    Event("status", 20, "closed"),
    Event("updated", 20),
]
HOURS = (0.0, 6.0, 9.5, 15.0, 30.0)
TOLD = {
    "age_hours": (0, 6, 9.5, 15, 30),
    "quiet_hours": (0, 1, 0.5, 1, 10),
    "customer_quiet_hours": (0, 1, 4.5, 3, 18),
    "agent_quiet_hours": (NAN, 3, 6.5, 12, 27),
    "customer_spoke_last": (1, 1, 1, 1, 1),
    "customer_replies": (0, 2, 2, 3, 3),
    "agent_replies": (0, 1, 1, 1, 1),
    "notes": (0, 1, 1, 1, 1),
    "unanswered_replies": (0, 1, 1, 2, 2),
    "first_response_hours": (NAN, 3, 3, 3, 3),
    "updates": (0, 5, 9, 14, 15),
    "people": (0, 2, 2, 2, 2),
    "assignments": (0, 0, 1, 1, 1),
    "assignees": (0, 0, 2, 2, 2),
    "queues_visited": (1, 1, 2, 2, 2),
    "queue_hours": (0, 6, 3.5, 9, 24),
    "status": (0, 1, 2, 1, 5),
    "status_hours": (0, 3, 3.5, 3, 10),
    "status_changes": (0, 0, 1, 3, 4),
    "new_hours": (0, 3, 3, 3, 3),
    "open_hours": (0, 3, 3, 6, 11),
    "pending_hours": (0, 0, 3.5, 4, 4),
    "on_hold_hours": (0, 0, 0, 0, 0),
    "resolved_hours": (0, 0, 0, 2, 2),
    "closed_hours": (0, 0, 0, 0, 10),
    "reopened": (0, 0, 0, 1, 1),
    "priority_level": (NAN, NAN, 2, 2, 2),
    "priority_changes": (0, 0, 1, 1, 1),
    "priority_raised": (0, 0, 2, 2, 2),
    "escalations": (0, 0, 0, 1, 1),
    "satisfaction": (NAN, NAN, NAN, 0.3, 0.3),
    "mood_last": (NAN, -0.5, -0.5, 0.75, 0.75),
    "mood_lowest": (NAN, -0.5, -0.5, -0.5, -0.5),
    "again": (0, 1, 1, 1, 1),
    "legal": (0, 2, 2, 2, 2),
    "cancel": (0, 0, 0, 1, 1),
    "product.changes": (0, 0, 1, 1, 1),
    "product.quiet_hours": (NAN, NAN, 3.5, 9, 24),
    "size.number": (NAN, NAN, 3, 5, 5),
    "size.changes": (0, 0, 0, 1, 1),
    "size.quiet_hours": (NAN, NAN, NAN, 4, 19),
}


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    """The story, a row for each of `HOURS`."""
    return LOOK.look(rows_of([OPENED] * len(HOURS), HOURS), history_of([OPENED], STORY))


class TestStory:
    @pytest.mark.parametrize("name", TOLD)
    def test_each_number_as_of_some_hours(self, name: str, table: np.ndarray) -> None:
        found = table[:, LOOK.names.index(name)]
        np.testing.assert_allclose(found, np.array(TOLD[name], dtype=np.float32), rtol=1e-6)

    def test_no_number_is_left_untold(self) -> None:
        of_columns = [f"{column}.{name}" for column in LOOK.tracked for name in PER_COLUMN]
        assert set(TOLD) == {*COURSE, *of_columns, *(f"{column}.number" for column in LOOK.counted)}


class TestTalk:
    def test_a_customer_who_writes_again_waits_with_two_messages(self) -> None:
        found = numbers(9, [by_customer(1), by_agent(2), by_customer(3), by_customer(4)])
        assert (found["unanswered_replies"], found["customer_spoke_last"], found["customer_quiet_hours"]) == (2, 1, 5)

    def test_after_the_agents_answer_nobody_waits(self) -> None:
        found = numbers(9, [by_customer(1), by_customer(2), by_agent(3)])
        assert (found["unanswered_replies"], found["customer_spoke_last"], found["agent_quiet_hours"]) == (0, 0, 6)

    def test_a_customers_reply_that_was_received_late_is_counted_but_reopens_no_question(self) -> None:
        found = numbers(9, [by_customer(1), by_agent(5), by_customer(6, occurred=2, mood=-1.0)])
        assert found["customer_replies"] == 2
        assert (found["unanswered_replies"], found["customer_spoke_last"], found["customer_quiet_hours"]) == (0, 0, 7)

    def test_an_agents_reply_that_was_received_late_answers_nothing_newer(self) -> None:
        found = numbers(9, [by_customer(5), by_agent(6, occurred=2)])
        assert (found["agent_replies"], found["unanswered_replies"], found["customer_spoke_last"]) == (1, 1, 1)
        assert (found["agent_quiet_hours"], found["first_response_hours"]) == (7, 2)

    def test_an_older_reply_that_comes_late_does_not_lengthen_the_silence(self) -> None:
        found = numbers(9, [by_agent(6), by_agent(8, occurred=1)])
        assert (found["agent_quiet_hours"], found["quiet_hours"], found["first_response_hours"]) == (3, 3, 6)

    def test_a_reply_of_the_system_is_nobodys(self) -> None:
        found = numbers(9, [Event("reply", 2, side="system")])
        assert (found["customer_replies"], found["agent_replies"], found["people"], found["updates"]) == (0, 0, 0, 1)

    def test_what_is_written_at_once_is_one_update_and_the_creation_is_none(self) -> None:
        events = [Event("created", 0), by_agent(2), Event("status", 2, "open"), moved(2, "a"), Event("updated", 3)]
        assert numbers(9, events)["updates"] == 2

    def test_people_are_agents_by_name_whatever_they_did(self) -> None:
        events = [by_agent(1), by_agent(2), Event("status", 3, "open", actor="cleo"), Event("note", 4, side="agent"),
                  Event("note", 5, actor="ann")]  # fmt: skip
        assert numbers(9, events)["people"] == 2

    def test_the_mood_of_a_late_message_may_be_the_lowest_but_not_the_last(self) -> None:
        found = numbers(9, [by_customer(5, mood=0.5, again=1), by_customer(6, occurred=2, mood=-0.5, again=2)])
        assert (found["mood_last"], found["mood_lowest"], found["again"]) == (0.5, -0.5, 3)

    def test_a_message_without_a_known_mood_leaves_the_one_before(self) -> None:
        found = numbers(9, [by_customer(5, mood=0.5), by_customer(6, legal=1), by_customer(7)])
        assert (found["mood_last"], found["mood_lowest"], found["legal"]) == (0.5, 0.5, 1)


class TestMoves:
    def test_the_first_queue_only_says_where_it_began_unless_the_ticket_named_another(self) -> None:
        began = numbers(9, [moved(2, "first")], ticket=Ticket(queue=None))
        same = numbers(9, [moved(2, "first")], ticket=Ticket(queue="first"))
        other = numbers(9, [moved(2, "second")], ticket=Ticket(queue="first"))
        assert [f["assignments"] for f in (began, same, other)] == [0, 0, 1]
        assert [f["queues_visited"] for f in (began, same, other)] == [1, 1, 2]
        assert [f["queue_hours"] for f in (began, same, other)] == [7, 9, 7]

    def test_without_any_queue_there_are_no_hours_in_one(self) -> None:
        found = numbers(9, [], ticket=Ticket(queue=None))
        assert np.isnan(found["queue_hours"]) and found["queues_visited"] == 0

    def test_no_queue_and_nobody_are_not_counted_as_one(self) -> None:
        found = numbers(9, [moved(2, "a"), moved(3, None), moved(4, "a"), given_to(2, "bob"), given_to(3, None)])
        assert (found["queues_visited"], found["assignees"], found["assignments"]) == (1, 1, 2)

    def test_a_late_assignment_was_a_visit_but_moves_nothing(self) -> None:
        events = [moved(2, "a"), moved(5, "b"), moved(6, "c", occurred=3)]
        found = numbers(9, events)
        assert (found["queues_visited"], found["assignments"], found["queue_hours"]) == (3, 1, 4)
        history = history_of([Ticket()], events)
        view = View.of(log_of(history.tickets, history.events), np.zeros(1, dtype=np.int64), moments(at(9)))
        assert queue_at(view).tolist() == ["b"]


class TestStatus:
    def test_a_ticket_is_new_until_a_status_is_named(self) -> None:
        found = numbers(9, [by_agent(2)])
        assert (found["status"], found["status_hours"], found["new_hours"]) == (0, 9, 9)

    def test_a_first_word_that_says_new_changes_nothing(self) -> None:
        found = numbers(9, [Event("status", 2, "new"), Event("status", 4, "new")])
        assert (found["status_hours"], found["new_hours"], found["status_changes"]) == (9, 9, 0)

    def test_a_status_that_is_not_known_says_nothing(self) -> None:
        found = numbers(9, [Event("status", 2, "open"), Event("status", 4, "strange"), Event("status", 5, None)])
        assert (found["status"], found["open_hours"], found["status_changes"], found["updates"]) == (1, 7, 0, 3)

    def test_a_late_status_changes_nothing_and_no_hours(self) -> None:
        events = [Event("status", 2, "open"), Event("status", 6, "closed"), Event("status", 8, "pending", occurred=3)]
        found = numbers(9, events)
        assert (found["status"], found["status_changes"], found["pending_hours"]) == (5, 1, 0)
        assert (found["open_hours"], found["closed_hours"], found["reopened"]) == (4, 3, 0)

    def test_hours_count_from_the_occurrence_but_only_once_it_is_known(self) -> None:
        events = [Event("status", 6, "open", occurred=2)]
        assert numbers(6, events)["open_hours"] == 0
        assert numbers(7, events)["open_hours"] == 5 and numbers(7, events)["new_hours"] == 2

    def test_what_occurred_before_the_creation_counts_from_the_creation(self) -> None:
        events = [Event("status", 1, "open", occurred=-3), by_agent(1, occurred=-2), moved(1, "a", occurred=-1)]
        found = numbers(9, events)
        assert (found["open_hours"], found["new_hours"], found["status_hours"], found["queue_hours"]) == (9, 0, 9, 9)
        assert (found["first_response_hours"], found["agent_quiet_hours"]) == (0, 9)

    def test_before_the_creation_there_are_no_hours_yet(self) -> None:
        found = numbers(-2, [by_agent(-4), Event("status", -3, "open")])
        assert (found["age_hours"], found["agent_quiet_hours"], found["open_hours"], found["agent_replies"]) == (
            0,
            0,
            0,
            1,
        )

    def test_a_clock_an_hour_fast_adds_no_hour(self) -> None:
        events = [Event("status", 2, "open", occurred=3), Event("status", 2.5, "pending")]
        found = numbers(9, events)
        assert (found["new_hours"], found["open_hours"], found["pending_hours"]) == (2, 0.5, 6.5)

    def test_a_clock_an_hour_slow_is_late_once(self) -> None:
        events = [
            Event("status", 2, "open"),
            Event("status", 2.5, "pending", occurred=1.5),
            Event("status", 4, "closed"),
        ]
        found = numbers(9, events)
        assert (found["open_hours"], found["pending_hours"], found["closed_hours"]) == (2, 0, 5)

    def test_without_a_creation_only_named_statuses_have_hours(self) -> None:
        found = numbers(9, [Event("status", 2, "open"), by_customer(3)], ticket=Ticket(created=None))
        assert np.isnan(found["age_hours"]) and (found["new_hours"], found["open_hours"]) == (0, 7)
        assert (found["customer_quiet_hours"], found["quiet_hours"]) == (6, 6)

    @pytest.mark.parametrize("hour", [0.0, 2.5, 7.0, 50.0])
    def test_the_hours_of_all_statuses_are_the_tickets_age(self, hour: float) -> None:
        found = numbers(hour, [*STORY, Event("status", 21, "on_hold", occurred=9), Event("status", 22, "open")])
        assert sum(found[f"{name}_hours"] for name in STATUSES) == pytest.approx(hour, rel=1e-6)


class TestReopened:
    ENDED = [Event("status", 2, "open"), Event("status", 3, "closed")]

    @pytest.mark.parametrize(
        ("more", "times"),
        [
            ([], 0),
            ([Event("status", 5, "open")], 1),
            ([Event("reopened", 5)], 1),
            ([Event("reopened", 5, seq=1), Event("status", 5, "open", seq=2)], 1),
            ([Event("status", 5, "open", seq=1), Event("reopened", 5, seq=2)], 1),
            ([Event("reopened", 5), Event("status", 6, "closed"), Event("reopened", 7)], 2),
            ([Event("status", 5, "resolved")], 0),
            ([Event("status", 5, "open", occurred=2.5)], 0),
            ([Event("reopened", 5, occurred=2.5)], 1),
        ],
    )
    def test_a_ticket_is_taken_up_again_once_however_it_is_told(self, more: list[Event], times: int) -> None:
        assert numbers(9, [*self.ENDED, *more])["reopened"] == times

    def test_without_statuses_each_reopening_counts(self) -> None:
        assert numbers(9, [Event("reopened", 2), Event("reopened", 5)])["reopened"] == 2

    def test_a_reopened_ticket_is_open(self) -> None:
        found = numbers(9, [*self.ENDED, Event("reopened", 5)])
        assert (found["status"], found["status_hours"], found["closed_hours"]) == (1, 4, 2)


class TestPriority:
    def test_raised_is_the_sum_of_the_steps(self) -> None:
        levels = ["low", "high", "medium", "medium"]
        found = numbers(9, [Event("priority", n + 1, level) for n, level in enumerate(levels)])
        assert (found["priority_level"], found["priority_changes"], found["priority_raised"]) == (1, 2, 1)

    def test_a_level_that_is_not_known_has_no_rank(self) -> None:
        found = numbers(9, [Event("priority", 1, "low"), Event("priority", 2, "strange"), Event("priority", 3, "high")])
        assert (found["priority_level"], found["priority_changes"], found["priority_raised"]) == (2, 2, 0)
        assert np.isnan(numbers(2.5, [Event("priority", 1, "low"), Event("priority", 2, "strange")])["priority_level"])

    def test_a_late_level_changes_nothing(self) -> None:
        found = numbers(9, [Event("priority", 5, "low"), Event("priority", 6, "high", occurred=2)])
        assert (found["priority_level"], found["priority_changes"]) == (0, 0)


class TestSatisfaction:
    def test_the_newest_rating_stands_and_one_out_of_range_says_nothing(self) -> None:
        events = [
            Event("satisfaction", 5, "0.7"),
            Event("satisfaction", 6, "0.2", occurred=3),
            Event("satisfaction", 7, "9"),
        ]
        assert numbers(9, events)["satisfaction"] == pytest.approx(0.7)


class TestColumns:
    def test_the_first_value_is_a_change_where_the_ticket_itself_said_another(self) -> None:
        event = [changed(2, "product", "y")]
        said = [numbers(9, event, ticket=Ticket(fields=f)) for f in ({"product": "x"}, {"product": "y"}, {})]
        assert [f["product.changes"] for f in said] == [1, 0, 0]
        np.testing.assert_equal([f["product.quiet_hours"] for f in said], [7, NAN, NAN])

    def test_emptying_is_a_change_and_a_late_value_is_none(self) -> None:
        events = [changed(2, "product", "x"), changed(4, "product", None), changed(6, "product", "z", occurred=3)]
        found = numbers(9, events)
        assert (found["product.changes"], found["product.quiet_hours"]) == (1, 5)

    def test_a_count_that_is_no_number_is_not_known(self) -> None:
        assert np.isnan(numbers(9, [changed(2, "size", "3"), changed(4, "size", "many")])["size.number"])

    def test_columns_that_nobody_changed(self) -> None:
        history = history_of([Ticket()], [])
        view = View.of(log_of(history.tickets, history.events), np.zeros(1, dtype=np.int64), moments(at(9)))
        assert columns(view, ["a"], []) == {
            "a.changes": np.array([0.0]),
            "a.quiet_hours": pytest.approx(NAN, nan_ok=True),
        }


class TestViews:
    def test_hours_in_some_statuses_add_up_and_go_by_any_clock(self) -> None:
        history = history_of([Ticket()], STORY)
        view = View.of(log_of(history.tickets, history.events, tuple(LEVELS.values())), np.zeros(1, dtype=np.int64),
                       moments(at(15)))  # fmt: skip
        assert spent(view, ["new", "open", "pending"]).tolist() == [13.0]
        assert spent(view, []).tolist() == [0.0]
        assert spent(view, ["open"], lambda start, end: (end - start) / 7_200_000_000).tolist() == [3.0]

    def test_resolved_and_closed_tickets_have_ended(self) -> None:
        history = history_of([Ticket()], STORY)
        log = log_of(history.tickets, history.events)
        view = View.of(log, np.zeros(4, dtype=np.int64), moments(at(0, 11, 13, 21)))
        assert ended_at(view).tolist() == [False, True, False, True]

    def test_no_rows_have_no_numbers(self) -> None:
        history = history_of([Ticket()], STORY)
        none = np.zeros(0, dtype=np.int64)
        found = course(View.of(log_of(history.tickets, history.events), none, none))
        assert list(found) == list(COURSE) and all(values.shape == (0,) for values in found.values())


def at(*hours: float) -> object:
    return rows_of([Ticket()] * len(hours), hours)["as_of"] if hours else time_of(None)
