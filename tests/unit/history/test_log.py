"""The log: what of a ticket's events is seen, in which order, what stands, and what it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_history import (
    LEVELS,
    MONDAY,
    Event,
    Ticket,
    by_agent,
    by_customer,
    changed,
    events_frame,
    given_to,
    history_of,
    moved,
    time_of,
)

from pipeline.history.log import (
    ASSIGNEE,
    KINDS,
    NEVER,
    PRIORITY,
    QUEUE,
    SIDES,
    STATUS,
    Log,
    event_keys,
    is_named,
    log_of,
    moments,
    objects,
)

HOUR = 3_600_000_000


def log(events: list[Event], tickets: list[Ticket] | None = None) -> Log:
    history = history_of(tickets or [Ticket()], events)
    return log_of(history.tickets, history.events, tuple(LEVELS.values()))


def hours(times: np.ndarray) -> list[float]:
    return ((times - moments(pd.Series([MONDAY]))) / HOUR).tolist()


def value_of(made: Log, name: str) -> Any:
    return getattr(made, name)[0]


class TestWhatIsSeen:
    def test_events_stand_by_ticket_and_by_receipt_whatever_the_order_of_rows(self) -> None:
        made = log(
            [by_agent(5, ticket="b"), by_agent(3), by_agent(1, ticket="b"), by_agent(2)],
            [Ticket("t"), Ticket("b"), Ticket("c")],
        )
        assert made.ticket.tolist() == [0, 0, 1, 1] and hours(made.received) == [2, 3, 1, 5]
        assert made.start.tolist() == [0, 2, 4, 4] and (made.size, len(made)) == (3, 4)

    def test_of_one_moment_the_earlier_occurrence_comes_first_then_the_order_of_the_source(self) -> None:
        made = log(
            [
                by_agent(5, actor="third", seq=2),
                by_agent(5, actor="second", seq=1),
                by_agent(5, actor="last"),
                by_agent(5, actor="first", occurred=4, seq=3),
            ]
        )
        assert made.actor.tolist() == ["first", "second", "third", "last"]

    def test_events_of_other_tickets_of_unknown_kinds_and_without_a_receipt_are_left_out(self) -> None:
        made = log([by_agent(1, ticket="other"), Event("strange", 1), by_agent(None, occurred=1), by_agent(2)])
        assert hours(made.received) == [2]

    def test_an_event_that_stands_there_twice_counts_once_whatever_its_seq(self) -> None:
        made = log([by_agent(1, seq=7), by_agent(1, seq=3), by_agent(1, actor="cleo", seq=5)])
        assert made.actor.tolist() == ["bob", "cleo"]

    def test_an_event_without_an_occurrence_occurred_when_it_was_received_and_none_after_it(self) -> None:
        made = log([by_agent(1, occurred=None), by_agent(2, occurred=1.5), by_agent(3, occurred=4)])
        assert hours(made.occurred) == [1, 1.5, 3]

    def test_only_what_was_received_strictly_before_a_moment_is_seen(self) -> None:
        made = log(
            [by_agent(1), by_agent(2), by_agent(2, actor="cleo"), by_agent(1, ticket="b")], [Ticket(), Ticket("b")]
        )
        asked = moments(pd.Series([time_of(h) for h in (1, 1.5, 2, 2.5, 9)]))
        assert made.upto(np.zeros(5, dtype=np.int64), asked).tolist() == [0, 1, 1, 3, 3]
        assert made.upto(np.ones(5, dtype=np.int64), asked).tolist() == [3, 4, 4, 4, 4]

    def test_at_no_moment_nothing_is_seen(self) -> None:
        assert log([by_agent(1)]).upto(np.array([0]), np.array([NEVER])).tolist() == [0]

    def test_a_ticket_without_an_id_has_no_events(self) -> None:
        history = history_of([Ticket()], [by_agent(1)])
        nobody = history.tickets.assign(ticket_id=pd.Series([None], dtype="str"))
        assert len(log_of(nobody, history.events.assign(ticket_id=pd.Series([None], dtype="str")))) == 0

    def test_nothing_gives_an_empty_log(self) -> None:
        made = log([])
        assert len(made) == 0 and made.words.shape == (0, 4) and made.start.tolist() == [0, 0]
        assert made.upto(np.array([0]), np.array([5])).tolist() == [0]
        assert made.last(np.zeros(0, dtype=bool), np.array([0]), np.array([0])).tolist() == [-1]


class TestWhatStands:
    def test_the_newest_by_occurrence_stands_and_a_late_one_changes_nothing(self) -> None:
        made = log([moved(1, "a"), moved(5, "b"), moved(6, "late", occurred=3), moved(7, "c")])
        assert made.value[made.standing(QUEUE)].tolist() == ["a", "b", "c"]

    def test_a_late_word_on_one_thing_is_not_late_on_another(self) -> None:
        made = log([moved(5, "b"), given_to(6, "bob", occurred=3), Event("status", 7, "open", occurred=2)])
        assert [made.standing(track).sum() for track in (QUEUE, ASSIGNEE, STATUS, PRIORITY)] == [1, 1, 1, 0]

    def test_of_two_that_occurred_at_once_the_later_received_stands(self) -> None:
        made = log([moved(5, "a", occurred=2), moved(6, "b", occurred=2)])
        assert made.value[made.standing(QUEUE)].tolist() == ["a", "b"]

    def test_a_clock_that_goes_an_hour_fast_does_not_silence_the_next_word(self) -> None:
        made = log([Event("status", 3, "open", occurred=4), Event("status", 3.5, "pending")])
        assert made.value[made.standing(STATUS)].tolist() == ["open", "pending"]

    def test_tickets_do_not_age_each_other(self) -> None:
        made = log([moved(9, "a"), moved(1, "b", ticket="b")], [Ticket(), Ticket("b")])
        assert made.standing(QUEUE).all()


class TestWhatIsSaid:
    @pytest.mark.parametrize(
        ("event", "track", "number"),
        [
            (Event("status", 1, "on_hold"), STATUS, 3.0),
            (Event("status", 1, "strange"), None, np.nan),
            (Event("status", 1, None), None, np.nan),
            (Event("reopened", 1, "anything"), STATUS, 1.0),
            (moved(1, "a"), QUEUE, np.nan),
            (moved(1, "a", as_field=True), QUEUE, np.nan),
            (given_to(1, "bob"), ASSIGNEE, np.nan),
            (given_to(1, "bob", as_field=True), ASSIGNEE, np.nan),
            (Event("priority", 1, "high"), PRIORITY, 2.0),
            (Event("priority", 1, "high", as_field=True), PRIORITY, 2.0),
            (Event("priority", 1, "strange"), PRIORITY, np.nan),
            (changed(1, "size", "2.5"), "size", 2.5),
            (changed(1, "size", "many"), "size", np.nan),
            (changed(1, "size", "1e999"), "size", np.nan),
            (changed(1, "size", "-inf"), "size", np.nan),
            (changed(1, "size", None), "size", np.nan),
            (Event("satisfaction", 1, "0.3"), None, 0.3),
            (Event("satisfaction", 1, "1.5"), None, np.nan),
            (Event("satisfaction", 1, "-0.1"), None, np.nan),
            (Event("satisfaction", 1, "good"), None, np.nan),
            (Event("note", 1, "5"), None, np.nan),
        ],
    )
    def test_what_an_event_changes_and_its_number(self, event: Event, track: str | None, number: float) -> None:
        made = log([event])
        assert value_of(made, "track") == track
        np.testing.assert_equal(value_of(made, "number"), number)

    @pytest.mark.parametrize(
        ("event", "side"),
        [
            (Event("reply", 1, actor="ann"), "customer"),
            (Event("reply", 1, actor="bob"), "agent"),
            (Event("reply", 1), "system"),
            (Event("created", 1), "customer"),
            (Event("created", 1, actor="bob"), "customer"),
            (Event("reply", 1, actor="ann", side="agent"), "agent"),
            (Event("created", 1, side="system"), "system"),
            (Event("reply", 1, actor="bob", side="strange"), "agent"),
        ],
    )
    def test_whose_an_event_is(self, event: Event, side: str) -> None:
        assert SIDES[value_of(log([event]), "side")] == side

    def test_of_an_unknown_customer_everybody_is_an_agent(self) -> None:
        made = log([Event("reply", 1, actor="ann"), Event("reply", 2)], [Ticket(customer=None)])
        assert [SIDES[s] for s in made.side] == ["agent", "system"]

    def test_only_a_customers_words_are_kept(self) -> None:
        words = (0.5, 1.0, 0.0, 2.0)
        made = log(
            [by_customer(1, mood=0.5, again=1, cancel=2), by_agent(2, words=words), Event("reply", 3, words=words)]
        )
        assert made.words[0].tolist() == list(words) and np.isnan(made.words[1:]).all()

    def test_kinds_are_those_of_the_schema(self) -> None:
        made = log([Event(kind, n, "open") for n, kind in enumerate(KINDS)])
        assert [KINDS[code] for code in made.kind] == list(KINDS)


class TestSums:
    def test_a_tickets_sums_do_not_depend_on_the_company_it_is_in(self) -> None:
        made = log([by_agent(n, ticket="b") for n in range(5)] + [by_agent(1)], [Ticket("b"), Ticket()])
        sizes = np.array([3, 10**16, 7, 10**16 + 1, 1, 5])
        assert made.total(sizes, np.array([0, 1]), np.array([5, 6])).tolist() == [float(sizes[:5].sum()), 5.0]

    def test_a_value_is_new_once_and_nothing_is_no_value(self) -> None:
        made = log([moved(n, q) for n, q in enumerate(["a", None, "a", "b", None])] + [moved(9, "a", ticket="b")],
                   [Ticket(), Ticket("b")])  # fmt: skip
        assert made.first_of_its_kind(made.track == QUEUE, made.value).tolist() == [
            True,
            False,
            False,
            True,
            False,
            True,
        ]
        assert not made.first_of_its_kind(made.track == STATUS, made.value).any()


class TestKeys:
    def test_equal_events_have_equal_keys_wherever_they_stand(self) -> None:
        one, two = by_agent(1), by_agent(1, actor=None)
        alone, among = event_keys(events_frame([one])), event_keys(events_frame([two, one, two]))
        assert alone[0] == among[1] and among[0] == among[2] != among[1]

    @pytest.mark.parametrize(
        "other",
        [
            by_agent(2),
            by_agent(1, occurred=0.5),
            by_agent(1, occurred=None),
            by_agent(1, actor="x"),
            by_agent(1, ticket="x"),
            by_agent(1, value="x"),
            by_agent(1, field="x"),
            by_agent(1, words=(0.0, 0.0, 0.0, 0.0)),
            Event("note", 1, side="agent", actor="bob"),
            Event("reply", 1, actor="bob"),
        ],
    )
    def test_any_difference_but_the_seq_makes_another_key(self, other: Event) -> None:
        first, second = event_keys(events_frame([by_agent(1, seq=1), other]))
        assert first != second
        same, numbered = event_keys(events_frame([by_agent(1), by_agent(1, seq=4)]))
        assert same == numbered == first

    def test_nothing_and_empty_text_differ(self) -> None:
        one, two = event_keys(events_frame([by_agent(1, value=None), by_agent(1, value="")]))
        assert one != two

    def test_columns_give_the_keys_of_their_frame_also_where_some_are_absent(self) -> None:
        frame = events_frame([by_agent(1), by_agent(2, occurred=None), by_agent(3)]).drop(columns=["field", "text"])
        said, times = ("ticket_id", "kind", "side", "actor", "value"), ("occurred_at", "received_at")
        columns = {name: objects(frame[name]).tolist() for name in said}
        columns |= {name: moments(frame[name]).tolist() for name in times}
        assert event_keys(columns).tolist() == event_keys(frame).tolist()

    def test_keys_that_are_there_are_kept(self) -> None:
        assert event_keys(events_frame([by_agent(1)]).assign(key=np.array([7], dtype=np.uint64))).tolist() == [7]


class TestColumns:
    def test_times_of_any_unit_are_microseconds_and_null_is_never(self) -> None:
        times = pd.Series([MONDAY, None], dtype="datetime64[ns, UTC]")
        for unit in ("s", "us", "ns"):
            assert moments(times.astype(f"datetime64[{unit}, UTC]")).tolist() == [1_772_409_600_000_000, NEVER]
        assert moments(pd.Series([None], dtype="object")).tolist() == [NEVER]

    def test_texts_are_strings_or_none_and_a_copy(self) -> None:
        for dtype in ("str", "object"):
            values = pd.Series(["a", None], dtype=dtype)
            found = objects(values)
            assert found.tolist() == ["a", None] and is_named(found).tolist() == [True, False]
            found[0] = "b"
            assert values[0] == "a"
