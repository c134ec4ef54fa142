"""The backtest: closed forms, a slow oracle, what no order can change, and what a perfect index does."""

from __future__ import annotations

import time
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.training.simulate import Backtest, compare, simulate

HANDS = st.integers(1, 3)
TICKETS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 5), st.integers(0, 3), st.booleans()), min_size=1, max_size=14
)
Made = list[tuple[int, int, int, bool]]


def columns(made: Made) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Arrivals, handling, a number to order by, and what turned out urgent."""
    arrivals, handling, number, urgent = zip(*made, strict=True)
    return np.array(arrivals, float), np.array(handling, float), np.array(number, float), np.array(urgent)


def by_the_clock(arrivals: np.ndarray, handling: np.ndarray, number: np.ndarray, hands: int) -> np.ndarray:
    """Starts when hands and tickets are looked at hour by hour: the slow oracle, for whole hours."""
    starts = np.full(len(arrivals), np.nan)
    free = [0.0] * hands
    hour = 0.0
    while np.isnan(starts).any():
        for hand in range(hands):
            while free[hand] <= hour:
                waiting = [i for i in range(len(arrivals)) if np.isnan(starts[i]) and arrivals[i] <= hour]
                if not waiting:
                    break
                chosen = min(waiting, key=lambda i: (-number[i], arrivals[i], i))
                starts[chosen] = hour
                free[hand] = hour + handling[chosen]
        hour += 1.0
    return starts


def in_parts(made: Made, hands: int, **more: Any) -> Backtest:
    arrivals, handling, number, urgent = columns(made)
    return compare(arrivals, handling, hands=hands, predicted=number, urgent=urgent, **more)


# ── the simulation ───────────────────────────────────────────────────────────────────────────────────────────────────


@given(TICKETS, HANDS)
def test_any_fixed_order_is_that_of_the_slow_oracle(made: Made, hands: int) -> None:
    arrivals, handling, number, _ = columns(made)
    np.testing.assert_array_equal(
        simulate(arrivals, handling, hands, number), by_the_clock(arrivals, handling, number, hands)
    )
    np.testing.assert_array_equal(
        simulate(arrivals, handling, hands), by_the_clock(arrivals, handling, np.zeros(len(made)), hands)
    )


@given(TICKETS, HANDS)
def test_an_index_that_never_changes_is_a_fixed_order(made: Made, hands: int) -> None:
    arrivals, handling, number, _ = columns(made)
    asked = simulate(arrivals, handling, hands, lambda tickets, now: number[tickets])
    np.testing.assert_array_equal(asked, simulate(arrivals, handling, hands, number))


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 64)), min_size=1, max_size=60))
def test_first_come_with_one_hand_is_the_closed_form(made: list[tuple[int, int]]) -> None:
    arrivals = np.sort(np.array([a for a, _ in made]) / 8)
    handling = np.array([h for _, h in made]) / 8
    before = np.cumsum(handling) - handling
    # Lindley (1952): a start is the latest, over all earlier arrivals, of that arrival and all work since
    np.testing.assert_array_equal(simulate(arrivals, handling, 1), before + np.maximum.accumulate(arrivals - before))


def test_tickets_that_come_more_slowly_than_hands_work_never_wait() -> None:
    arrivals = np.arange(50.0)
    np.testing.assert_array_equal(simulate(arrivals, np.full(50, 3.0), 3), arrivals)
    assert (simulate(arrivals, np.full(50, 3.0), 2) > arrivals)[2:].all()


@given(TICKETS, HANDS)
def test_a_ticket_is_taken_once_it_is_there_and_no_more_at_once_than_there_are_hands(made: Made, hands: int) -> None:
    arrivals, handling, number, _ = columns(made)
    starts = simulate(arrivals, handling, hands, number)
    assert (starts >= arrivals).all()
    for moment in starts:
        assert ((starts <= moment) & (moment < starts + handling)).sum() <= hands


def test_the_index_is_asked_about_those_that_wait_at_that_moment_in_order_of_arrival() -> None:
    asked: list[tuple[list[int], float]] = []

    def index(tickets: np.ndarray, now: float) -> np.ndarray:
        asked.append((tickets.tolist(), now))
        tickets_age = now - np.array([3.0, 0.0, 1.0, 9.0])[tickets]
        return -tickets_age  # last come, first served

    starts = simulate([3.0, 0.0, 1.0, 9.0], np.full(4, 4.0), 1, index)
    assert asked == [([1], 0.0), ([2, 0], 4.0), ([2], 8.0), ([3], 12.0)]
    assert starts.tolist() == [4.0, 0.0, 8.0, 12.0]


def test_an_index_may_turn_the_order_round_as_tickets_age() -> None:
    def index(tickets: np.ndarray, now: float) -> np.ndarray:
        return np.where(tickets == 2, now >= 2.0, 0.5)  # the last one matters from the second hour on

    assert simulate(np.zeros(3), [1.0, 1.0, 1.0], 1, index).tolist() == [0.0, 1.0, 2.0]
    assert simulate(np.zeros(3), [2.0, 1.0, 1.0], 1, index).tolist() == [0.0, 3.0, 2.0]


def test_a_number_that_is_not_known_is_taken_last() -> None:
    numbers = np.array([np.nan, -np.inf, -5.0, np.nan])
    for choose in (numbers, lambda tickets, now: numbers[tickets]):
        starts = simulate(np.zeros(4), np.ones(4), 1, choose)
        assert starts[2] == 0.0 and starts[0] < starts[3]


@given(TICKETS, HANDS)
def test_the_inputs_are_left_alone(made: Made, hands: int) -> None:
    arrays = columns(made)
    for array in arrays:
        array.setflags(write=False)
    arrivals, handling, number, urgent = arrays

    def index(tickets: np.ndarray, now: float) -> np.ndarray:
        found = number[tickets]
        tickets[:] = -1  # what the index is given is its own
        return found

    first = compare(arrivals, handling, hands=hands, predicted=index, urgent=urgent)
    assert repr(first) == repr(compare(arrivals, handling, hands=hands, predicted=number, urgent=urgent))


# ── what no order can change ─────────────────────────────────────────────────────────────────────────────────────────


@given(TICKETS)
def test_with_one_hand_waits_weighted_by_handling_add_up_to_the_same(made: Made) -> None:
    arrivals, handling, number, _ = columns(made)
    sums = {float(((simulate(arrivals, handling, 1, n) - arrivals) * handling).sum()) for n in (None, number, -number)}
    assert len(sums) == 1  # Kleinrock's conservation law (1965), of each run and not just on average


@given(TICKETS, HANDS, st.integers(1, 5))
def test_where_all_take_equally_long_the_times_of_starting_are_the_same(made: Made, hands: int, hours: int) -> None:
    arrivals, _, number, _ = columns(made)
    handling = np.full(len(made), float(hours))
    first = np.sort(simulate(arrivals, handling, hands))
    np.testing.assert_array_equal(first, np.sort(simulate(arrivals, handling, hands, number)))
    found = compare(arrivals, handling, hands=hands, predicted=number, urgent=np.zeros(len(made)))
    assert found.first_come.handled == found.predicted.handled
    assert found.first_come.rest.mean == pytest.approx(found.predicted.rest.mean)


# ── a perfect index ──────────────────────────────────────────────────────────────────────────────────────────────────


@given(TICKETS, HANDS)
def test_an_urgent_ticket_never_waits_behind_one_that_is_not_and_has_not_started(made: Made, hands: int) -> None:
    arrivals, handling, _, urgent = columns(made)
    starts = simulate(arrivals, handling, hands, urgent.astype(float))
    for u in np.flatnonzero(urgent):
        not_started = ~urgent & (starts >= arrivals[u])
        assert (starts[u] <= starts[not_started]).all()


@given(TICKETS, HANDS, st.integers(1, 5))
def test_where_all_take_equally_long_no_order_serves_the_urgent_better(made: Made, hands: int, hours: int) -> None:
    arrivals, _, number, urgent = columns(made)
    handling = np.full(len(made), hours)
    found = compare(arrivals, handling, hands=hands, predicted=number, urgent=urgent)
    if urgent.any():
        assert found.oracle.urgent.mean <= min(found.predicted.urgent.mean, found.first_come.urgent.mean) + 1e-9


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=5), HANDS)
def test_the_oracle_is_the_best_of_all_orders(made: list[tuple[int, bool]], hands: int) -> None:
    arrivals, urgent = np.array([a for a, _ in made], float), np.array([u for _, u in made])
    handling = np.full(len(made), 2.0)

    def waited(numbers: np.ndarray) -> float:
        return float((simulate(arrivals, handling, hands, numbers) - arrivals)[urgent].sum())

    best = min(waited(np.array(p, float)) for p in permutations(range(len(made))))
    assert waited(urgent.astype(float)) == best


# ── what is compared ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_figures_of_a_small_desk_are_those_by_hand() -> None:
    # one hand, two hours each: first come starts 0 2 4 6; urgent first 0 4 2 6
    found = compare(
        [0.0, 1.0, 1.5, 6.0],
        [2.0] * 4,
        hands=1,
        predicted=np.array([0.0, 0.0, 1.0, 0.0]),
        urgent=[False, False, True, True],
        deadline_hours=[np.nan, 4.0, 3.0, 6.0],
    )
    first, wanted = found.first_come, found.predicted
    assert (first.urgent.tickets, first.urgent.median, first.urgent.mean) == (2, 1.25, 1.25)
    assert first.urgent.p90 == pytest.approx(2.25)
    assert (first.rest.tickets, first.rest.mean) == (2, 0.5)
    assert first.sla_missed == pytest.approx(1 / 3)
    assert (first.handled, first.mean_queue) == (3, pytest.approx((0.0 + 1.0 + 2.5 + 0.0) / 6))
    assert (wanted.urgent.mean, wanted.rest.mean, wanted.sla_missed) == (0.25, 1.5, 0.0)
    assert (wanted.handled, wanted.mean_queue) == (3, pytest.approx(first.mean_queue))
    assert found.oracle == wanted
    assert found.load == pytest.approx(8 / 6)


def test_a_start_at_the_deadline_is_in_time() -> None:
    late = compare([0.0, 0.0], [1.0, 1.0], hands=1, predicted=None, urgent=[0, 0], deadline_hours=[0.0, 0.999])
    assert late.first_come.sla_missed == 0.5


@given(TICKETS, HANDS)
def test_the_mean_queue_is_counted_by_looking(made: Made, hands: int) -> None:
    arrivals, handling, number, _ = columns(made)
    starts, last = simulate(arrivals, handling, hands, number), int(arrivals.max())
    found = in_parts(made, hands).predicted
    looks = [((arrivals <= t) & (t < starts)).sum() for t in range(int(arrivals.min()), last)]
    assert found.handled == (starts + handling <= last).sum()
    if looks:
        assert found.mean_queue == pytest.approx(np.mean(looks))
    else:
        assert np.isnan(found.mean_queue) and np.isnan(in_parts(made, hands).load)


def test_the_same_order_gives_the_same_figures() -> None:
    made = [(0, 2, 0, True), (0, 1, 0, False), (1, 3, 0, True), (2, 1, 0, False)]
    found = in_parts(made, 1, deadline_hours=[1.0, 1.0, np.nan, 9.0])
    assert found.first_come == found.predicted != found.oracle


def test_unknown_tickets_are_handled_but_stand_in_neither_group() -> None:
    found = compare([0.0, 0.0, 0.0], [1.0] * 3, hands=1, predicted=None, urgent=[np.nan, 1.0, 0.0])
    assert (found.first_come.urgent.mean, found.first_come.rest.mean) == (1.0, 2.0)
    assert (found.oracle.urgent.mean, found.oracle.rest.mean) == (0.0, 2.0)
    assert any("What became of 1 tickets" in sentence for sentence in found.assumptions)


def test_tickets_that_only_fill_the_queue_stand_in_neither_group_and_miss_no_deadline() -> None:
    made = [(0, 4, 0, True), (1, 2, 0, True), (2, 2, 0, False)]
    found = in_parts(made, 1, deadline_hours=[-1.0, 9.0, 9.0], counted_from_hours=1.0)
    assert (found.first_come.urgent.tickets, found.first_come.rest.tickets) == (1, 1)
    assert found.first_come.urgent.mean == 3.0  # behind the first one, which isn't counted
    assert found.first_come.sla_missed == 0.0
    assert not any("isn't known" in sentence for sentence in found.assumptions)


def test_the_curve_is_the_share_taken_within_so_many_hours() -> None:
    found = in_parts([(0, 2, 0, True), (0, 2, 0, True), (0, 2, 0, True), (0, 2, 0, True)], 2).first_come.urgent
    assert found.curve == ((0.0, 0.25), (0.0, 0.5), (2.0, 0.75), (2.0, 1.0))


def test_the_assumptions_say_how_many_hands_and_what_handling_takes() -> None:
    said = in_parts([(0, 2, 0, True), (1, 2, 0, False)], 3, stated=("Hours are office hours.",)).assumptions
    assert "2 tickets" in said[0] and "3 hands take" in said[0]
    assert said[1] == "Every ticket takes 2 hours of handling."
    assert said[-1] == "Hours are office hours."
    mixed = in_parts([(0, 1, 0, True), (1, 2, 0, False), (1, 5, 0, False)], 1).assumptions
    assert "1 hand takes" in mixed[0]
    assert "1 to 5 hours of handling, 2 at the median" in mixed[1]
    assert not any("What became of" in sentence for sentence in mixed)


def test_without_tickets_there_is_nothing_to_compare() -> None:
    found = compare([], [], hands=2, predicted=None, urgent=[])
    assert found.first_come.handled == found.first_come.urgent.tickets == 0
    undefined = (found.load, found.first_come.mean_queue, found.first_come.sla_missed, found.oracle.urgent.p90)
    assert np.isnan(undefined).all()
    assert simulate([], [], 1, lambda tickets, now: tickets).shape == (0,)


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"arrivals_hours": [0.0, np.nan]}, "arrivals_hours"),
        ({"handling_hours": [1.0, -1.0]}, "handling_hours"),
        ({"handling_hours": [1.0, np.inf]}, "handling_hours"),
        ({"handling_hours": 1.0}, "handling_hours"),
        ({"hands": 0}, "hands"),
        ({"urgent": [1.0]}, "urgent"),
        ({"deadline_hours": [1.0]}, "deadline_hours"),
        ({"predicted": np.zeros(3)}, "choose"),
        ({"predicted": lambda tickets, now: 1.0}, "the index gives"),
    ],
)
def test_what_can_not_be_replayed_is_named(wrong: dict[str, Any], named: str) -> None:
    usual = {
        "arrivals_hours": [0.0, 1.0],
        "handling_hours": [1.0, 1.0],
        "hands": 1,
        "predicted": None,
        "urgent": [0, 1],
    }
    with pytest.raises(InputError, match=named):
        compare(**(usual | wrong))


def test_a_hundred_thousand_tickets_are_replayed_in_seconds() -> None:
    draw = np.random.default_rng(0)
    arrivals, number = np.cumsum(draw.exponential(0.1, 100_000)), draw.random(100_000)
    began = time.process_time()
    simulate(arrivals, np.full(100_000, 0.97), 10)
    simulate(arrivals, np.full(100_000, 0.97), 10, lambda tickets, now: number[tickets])
    assert time.process_time() - began < 20
