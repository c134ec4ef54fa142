"""What is known as of a moment: the ticket's own words, its clock, its customer's other tickets, and the load."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_history import (
    LOOK,
    MANY,
    Event,
    Ticket,
    by_agent,
    by_customer,
    history_of,
    moved,
    numbers,
    rows_of,
    tickets_frame,
)

from pipeline.config import History as Settings
from pipeline.config import Sla
from pipeline.errors import ConfigError
from pipeline.history.as_of import CLOCK, CUSTOMER, LOAD, MESSAGE, SPANS, AsOf
from pipeline.history.course import COURSE
from pipeline.history.mood import moods, signals

NAN = np.nan
EMAIL, PHONE = "email:" + "e" * 16, "phone:" + "f" * 16
TEXT = "Broken again! I want a refund."


def named(table: np.ndarray, look: AsOf = LOOK) -> list[dict[str, float]]:
    return [dict(zip(look.names, row.tolist(), strict=True)) for row in table]


class TestMessage:
    def test_the_tickets_own_words_are_known_without_any_history(self) -> None:
        tickets = [Ticket(text=TEXT), Ticket(text="Guten Tag", language="de"), Ticket(text=None, created=None)]
        found = LOOK.look(rows_of(tickets, [None] * 3), None)
        expected = np.column_stack([moods([TEXT, "Guten Tag", None], ["en", "de", None]),
                                    signals([TEXT, "Guten Tag", None], ["en", "de", None])])  # fmt: skip
        np.testing.assert_array_equal(found[:, : len(MESSAGE)], expected.astype(np.float32))
        assert (MESSAGE, found[0, 1:4].tolist()) == (LOOK.names[:4], [1, 0, 1])

    def test_without_a_history_nothing_else_is_known(self) -> None:
        found = LOOK.look(rows_of([Ticket()], [5]), None)
        assert found.dtype == np.float32 and found.shape == (1, len(LOOK.names))
        assert np.isnan(found[:, len(MESSAGE) :]).all()


class TestClock:
    """The desk is open from 8 to 11 and from 12 to 16 UTC; a reply is due after 8 hours (high: 2), the end after 48."""

    @pytest.mark.parametrize(
        ("hour", "first", "resolution"), [(0, 8, 48), (10, 6, 46), (11.5, 5, 45), (24, 1, 41), (33, 0, 40)]
    )
    def test_business_hours_are_left_from_the_creation(self, hour: float, first: float, resolution: float) -> None:
        found = numbers(hour)
        assert [found[name] for name in CLOCK] == [first, resolution]

    def test_what_is_missed_is_below_zero_and_a_higher_level_is_due_sooner(self) -> None:
        assert numbers(11, [Event("priority", 1, "high")])["first_response_hours_left"] == -1
        assert numbers(11, [Event("priority", 1, "strange")])["first_response_hours_left"] == 5

    def test_an_answer_stops_the_first_clock_and_the_end_the_other(self) -> None:
        answered, ended = numbers(24, [by_agent(9)]), numbers(24, [Event("status", 9, "closed")])
        np.testing.assert_equal([answered[name] for name in CLOCK], [NAN, 41])
        np.testing.assert_equal([ended[name] for name in CLOCK], [1, NAN])
        assert numbers(24, [Event("status", 9, "closed"), Event("reopened", 10)])["resolution_hours_left"] == 41

    def test_the_resolution_clock_stands_still_in_paused_statuses(self) -> None:
        events = [Event("status", 9, "pending"), Event("status", 13, "open"), Event("status", 15, "on_hold")]
        assert numbers(24, events)["resolution_hours_left"] == 48 - 7 + 3 + 1
        assert numbers(10, events)["resolution_hours_left"] == 48 - 1

    def test_before_the_creation_nothing_has_passed(self) -> None:
        found = numbers(9, ticket=Ticket(created=10))
        assert [found[name] for name in CLOCK] == [8, 48]

    def test_without_a_creation_or_a_target_nothing_is_due(self) -> None:
        undated = numbers(9, ticket=Ticket(created=None))
        untold = numbers(9, look=replace(LOOK, sla=Sla()))
        only = numbers(9, look=replace(LOOK, sla=Sla(first_response={"high": "2h"}, resolution={"*": "1d"})))
        np.testing.assert_equal([f[name] for f in (undated, untold, only) for name in CLOCK], [NAN] * 5 + [15])

    def test_a_target_that_cannot_be_read_is_an_error(self) -> None:
        with pytest.raises(ConfigError, match="not a duration"):
            numbers(9, look=replace(LOOK, sla=Sla(resolution={"*": "soon"})))


class TestCustomer:
    OTHERS = (
        *(Ticket(f"o{n}", created=at) for n, at in enumerate((-24 * 400, -24 * 50, -24 * 3, -2, 3, 50), 1)),
        Ticket("b1", created=-1, customer="ben"),
        Ticket("n1", created=-1, customer=None),
    )
    EVENTS = (
        by_agent(-24 * 49, ticket="o2"), Event("status", -24 * 48, "closed", ticket="o2"),
        Event("status", -24 * 47, "open", ticket="o2"), Event("status", 8, "closed", ticket="o4"),
        Event("escalated", -5, ticket="o3"), Event("satisfaction", -4, "0.25", ticket="o3"),
        Event("satisfaction", 9, "1", ticket="o4"), by_agent(5, ticket="o5"), Event("escalated", 1, ticket="b1"),
        Event("satisfaction", 2, "0", ticket="t"), Event("escalated", 2, ticket="t"), by_agent(1, ticket="b1"),
    )  # fmt: skip
    TOLD = {
        "customer_tickets_1d": (1, 2), "customer_tickets_7d": (2, 3), "customer_tickets_30d": (2, 3),
        "customer_tickets_90d": (3, 4), "customer_tickets_365d": (3, 4), "customer_tickets": (4, 5),
        "customer_open": (4, 4), "customer_hours_since": (2, 12), "customer_escalated": (1, 2),
        "customer_reopened": (1, 1), "customer_unanswered": (3, 3), "customer_satisfaction": (0.25, 0.625),
        "customer_escalated_share": (1 / 4, 2 / 5), "customer_reopened_share": (1 / 4, 1 / 5),
        "customer_unanswered_share": (3 / 4, 3 / 5),
    }  # fmt: skip
    ESCALATED = (("o4", 7.0), ("t", 1.0), ("b1", 1.0), ("o6", 60.0))

    @pytest.mark.parametrize("name", TOLD)
    def test_each_number_at_the_creation_and_ten_hours_later(self, name: str) -> None:
        found = [numbers(at, self.EVENTS, others=self.OTHERS, escalated=self.ESCALATED)[name] for at in (0, 10)]
        assert found == pytest.approx(self.TOLD[name])

    def test_no_number_is_left_untold(self) -> None:
        assert set(self.TOLD) == set(CUSTOMER) and {f"customer_tickets_{days}d" for days in SPANS} < set(CUSTOMER)

    def test_of_an_unknown_customer_nothing_is_known_and_of_a_first_ticket_there_is_none(self) -> None:
        unknown = numbers(10, self.EVENTS, ticket=Ticket(customer=None), others=self.OTHERS)
        assert np.isnan([unknown[name] for name in CUSTOMER]).all()
        first = numbers(10, ticket=Ticket(customer="cleo"), others=self.OTHERS)
        without = ("customer_hours_since", "customer_satisfaction")
        expected = [NAN if name in without or name.endswith("_share") else 0 for name in CUSTOMER]
        np.testing.assert_equal([first[name] for name in CUSTOMER], expected)

    def test_a_customer_that_is_shared_is_unknown(self) -> None:
        shared = Settings(shared=("ann",))
        found = numbers(10, others=self.OTHERS, settings=shared, look=replace(LOOK, customers=shared))
        assert np.isnan(found["customer_tickets"])

    def test_tickets_of_the_very_same_moment_do_not_see_each_other_at_their_creation(self) -> None:
        found = numbers(0, others=[Ticket("o", created=0)])
        assert found["customer_tickets"] == 0 and np.isnan(found["customer_hours_since"])
        assert numbers(1, others=[Ticket("o", created=0)])["customer_tickets"] == 1

    def test_a_customer_is_one_across_channels_once_the_keys_have_met(self) -> None:
        others = [
            Ticket("mail", created=-9, customer=None, keys=(EMAIL,)),
            Ticket("call", created=-8, customer=None, keys=(PHONE,)),
            Ticket("form", created=4, customer=None, keys=(EMAIL, PHONE)),
        ]
        own = Ticket(customer="ann", keys=(EMAIL,))
        assert [numbers(at, ticket=own, others=others)["customer_tickets"] for at in (0, 4, 4.5)] == [1, 1, 3]
        undated = [others[0], others[1], replace(others[2], created=None)]
        assert numbers(0, ticket=own, others=undated)["customer_tickets"] == 2

    def test_the_tickets_own_keys_are_known_together_at_its_creation(self) -> None:
        others = [
            Ticket("mail", created=-9, customer=None, keys=(EMAIL,)),
            Ticket("call", created=-8, customer=None, keys=(PHONE,)),
        ]
        found = numbers(0, ticket=Ticket(customer=None, keys=(EMAIL, PHONE)), others=others)
        assert (found["customer_tickets"], found["customer_hours_since"]) == (2, 8)

    def test_an_address_of_too_many_accounts_is_nobodys(self) -> None:
        few = Settings(max_accounts_per_key=1)
        others = [
            Ticket("o", created=-9, customer="ben", keys=(EMAIL,)),
            Ticket("p", created=-8, customer="cleo", keys=(EMAIL,)),
        ]
        own = Ticket(customer=None, keys=(EMAIL,))
        look = replace(LOOK, customers=few)
        assert np.isnan(numbers(0, ticket=own, others=others, look=look, settings=few)["customer_tickets"])
        assert numbers(-8.5, ticket=own, others=others, look=look, settings=few)["customer_tickets"] == 1

    def test_without_a_creation_the_last_other_ticket_is_the_last_before_the_moment(self) -> None:
        found = numbers(9, ticket=Ticket(created=None), others=[Ticket("o", created=7)])
        assert (found["customer_tickets"], found["customer_hours_since"]) == (1, 2)


class TestLoad:
    OTHERS = (
        Ticket("a1", created=-24 * 8, queue="first"), Ticket("a2", created=-24 * 2, queue="first"),
        Ticket("a3", created=-3, queue="first", customer=None), Ticket("b1", created=-2, queue="second"),
        Ticket("b2", created=-1), Ticket("late", created=11, queue="first"),
    )  # fmt: skip
    EVENTS = (
        Event("status", 2, "resolved", ticket="a1"), by_agent(3, ticket="a2"), moved(4, "second", ticket="a2"),
        moved(5, "first", ticket="b1"), moved(6, "second", ticket="t"), by_agent(7, ticket="t"),
    )  # fmt: skip
    TOLD = {
        "queue_open": (3, 2, 1), "queue_tickets_1d": (1, 2, 2), "queue_tickets_7d": (2, 3, 2), "desk_open": (5, 4, 4),
        "desk_tickets_1d": (3, 3, 3), "desk_unanswered": (5, 4, 4), "desk_unanswered_7d": (4, 3, 3),
        "queue": (0, 0, 1),
    }  # fmt: skip

    @pytest.mark.parametrize("name", TOLD)
    def test_each_number_as_the_ticket_goes_to_the_second_queue(self, name: str) -> None:
        own = Ticket(queue="first")
        found = [numbers(at, self.EVENTS, ticket=own, others=self.OTHERS)[name] for at in (0, 5.5, 10)]
        assert found == list(self.TOLD[name])

    def test_no_number_is_left_untold(self) -> None:
        assert set(self.TOLD) == set(LOAD)

    def test_without_a_queue_its_load_is_not_known_even_if_one_is_called_none(self) -> None:
        found = numbers(9, ticket=Ticket(queue=None), others=[Ticket("o", queue="None"), Ticket("p")])
        np.testing.assert_equal([found[name] for name in LOAD], [NAN, NAN, NAN, NAN, 2, 2, 2, 2])

    def test_a_late_assignment_takes_the_ticket_nowhere(self) -> None:
        own = [moved(2, "first"), moved(6, "second"), moved(7, "first", occurred=3)]
        found = numbers(
            9, own, others=[Ticket("o", queue="second"), Ticket("p", queue="first"), Ticket("q", queue="first")]
        )
        assert found["queue_open"] == 1


class TestRows:
    def test_names_are_the_numbers_in_order(self) -> None:
        look = AsOf(tracked=("a", "b"), counted=("b",))
        own = ("b.number", "a.changes", "a.quiet_hours", "b.changes", "b.quiet_hours")
        assert look.names == (*MESSAGE, *CLOCK, *COURSE, *own, *CUSTOMER, *LOAD)
        assert look.look(rows_of([Ticket()], [1]), history_of([Ticket()], [])).shape == (1, len(look.names))

    def test_several_moments_of_one_ticket_are_looked_at_in_one_call(self) -> None:
        own, others = Ticket(queue="a"), [Ticket("o", created=2)]
        events = [by_customer(1, mood=0.5), by_agent(3), moved(4, "b"), Event("status", 5, "closed")]
        history = history_of([own, *others], events)
        table = LOOK.look(rows_of([own] * 5, [9, 0, 2.5, None, 3.5]), history)
        for row, at in enumerate([9, 0, 2.5, None, 3.5]):
            np.testing.assert_array_equal(table[row], LOOK.look(rows_of([own], [at]), history)[0])

    def test_without_a_moment_it_is_the_creation_and_without_both_only_the_words_are_known(self) -> None:
        history = history_of([Ticket(), Ticket("o", created=-1)], [by_agent(-0.5)])
        bare = tickets_frame([Ticket()])
        np.testing.assert_array_equal(LOOK.look(bare, history), LOOK.look(rows_of([Ticket()], [0]), history))
        found = LOOK.look(rows_of([Ticket(created=None, text=TEXT)], [None]), history)
        assert not np.isnan(found[0, 1:4]).any() and np.isnan(found[0, len(MESSAGE) :]).all()

    def test_what_a_row_lacks_is_taken_from_the_history(self) -> None:
        known = Ticket(keys=(EMAIL,), queue="first", created=1)
        history = history_of([known, Ticket("o", created=0), Ticket("p", created=0, queue="first")], [by_agent(2)])
        full = LOOK.look(rows_of([known], [9]), history)
        bare = rows_of([Ticket(customer=None, created=None, queue=None)], [9])
        np.testing.assert_array_equal(LOOK.look(bare, history), full)
        np.testing.assert_array_equal(LOOK.look(bare.drop(columns=["customer_keys", "fields.group"]), history), full)

    def test_what_a_row_says_goes_before_what_the_history_knows(self) -> None:
        history = history_of([Ticket(), Ticket("o", customer="ben")], [])
        found = named(LOOK.look(rows_of([Ticket(customer="ben", created=3)], [9]), history))[0]
        assert (found["customer_tickets"], found["age_hours"]) == (1, 6)

    def test_a_ticket_that_came_earlier_than_it_is_known_here_is_not_its_own_predecessor(self) -> None:
        history = history_of([Ticket(created=1)], [])
        found = named(LOOK.look(rows_of([Ticket(created=3)], [9]), history))[0]
        assert found["customer_tickets"] == 0 and np.isnan(found["customer_hours_since"])

    def test_a_ticket_that_the_history_does_not_know_has_surroundings_all_the_same(self) -> None:
        history = history_of([Ticket("o", created=1, queue="first")], [by_agent(2), by_agent(2, ticket="o")])
        found = named(LOOK.look(rows_of([Ticket("new", created=5, queue="first")], [None]), history))[0]
        assert (found["customer_tickets"], found["queue_open"], found["agent_replies"]) == (1, 1, 0)

    def test_rows_without_an_id_are_tickets_of_their_own(self) -> None:
        history = history_of([Ticket("o", created=1)], [by_agent(2, ticket="o")])
        rows = rows_of([Ticket(customer="ann", created=5), Ticket(customer=None, created=7), Ticket("o")], [9, 9, 9])
        rows["ticket_id"] = pd.Series([None, None, "o"], dtype="str")
        found = named(LOOK.look(rows, history))
        assert [f["age_hours"] for f in found] == [4, 2, 9] and [f["agent_replies"] for f in found] == [0, 0, 1]
        np.testing.assert_equal([f["customer_tickets"] for f in found], [1, NAN, 0])

    @pytest.mark.parametrize("history", [None, history_of([], []), history_of([Ticket()], [by_agent(1)])])
    def test_no_rows_and_empty_histories(self, history: object) -> None:
        assert LOOK.look(rows_of([], []), history).shape == (0, len(LOOK.names))  # type: ignore[arg-type]
        assert LOOK.look(rows_of([Ticket("x")], [3]), history).shape == (1, len(LOOK.names))  # type: ignore[arg-type]

    def test_in_an_empty_history_the_customer_is_new_and_the_desk_empty(self) -> None:
        found = named(LOOK.look(rows_of([Ticket(queue="a")], [3]), history_of([], [])))[0]
        assert (found["customer_tickets"], found["desk_open"], found["queue_open"], found["age_hours"]) == (0, 0, 0, 3)

    def test_nothing_that_it_is_given_is_changed(self) -> None:
        history = history_of(
            [Ticket(queue="a"), Ticket("o")], [by_customer(1, mood=0.5), moved(2, "b"), Event("reopened", 3)]
        )
        rows = rows_of([Ticket(customer=None), Ticket("o")], [9, 9])
        before = [f.copy(deep=True) for f in (rows, history.tickets, history.events, history.amounts, history.links)]
        LOOK.look(rows, history)
        for frame, old in zip(
            (rows, history.tickets, history.events, history.amounts, history.links), before, strict=True
        ):
            pd.testing.assert_frame_equal(frame, old)

    def test_other_settings_of_customers_are_those_of_the_look(self) -> None:
        history = history_of([Ticket(keys=(EMAIL,)), Ticket("o", created=-1, customer=None, keys=(EMAIL,))], [])
        row = rows_of([Ticket(keys=(EMAIL,))], [3])
        apart = replace(LOOK, customers=replace(MANY, unlink=(f"id:ann {EMAIL}",)))
        counts = [named(look.look(row, history))[0]["customer_tickets"] for look in (LOOK, apart)]
        assert counts == [1, 0]
