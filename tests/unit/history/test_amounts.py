"""Amounts: what each ticket adds to customers, queues and the desk, and sums of them as of any moment."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_history import MONDAY, Event, Ticket, by_agent, by_customer, history_of, moved

from pipeline.history.amounts import COLUMNS, FACTS, Others, Tallies, amounts_of, no_amounts, outcome_amounts
from pipeline.history.log import DAY, NEVER, log_of, moments, objects

HOUR = 3_600_000_000
ZERO = int(moments(pd.Series([MONDAY]))[0])
Amount = tuple[str, str, float, float]


def made(events: list[Event], *tickets: Ticket) -> list[Amount]:
    """(key, fact, hour, amount) of each amount, sorted."""
    history = history_of(list(tickets) or [Ticket()], events)
    log = log_of(history.tickets, history.events)
    ids, customers = objects(history.tickets["ticket_id"]), objects(history.tickets["customer_id"])
    return told(amounts_of(log, ids, customers))


def told(amounts: pd.DataFrame) -> list[Amount]:
    rows = zip(*(amounts[name].tolist() for name in COLUMNS), strict=True)
    return sorted((key, FACTS[fact], (at - ZERO) / HOUR, amount) for key, fact, at, _, amount in rows)


def of(amounts: list[Amount], key: str, fact: str) -> list[tuple[float, float]]:
    return [(at, amount) for k, f, at, amount in amounts if (k, f) == (key, fact)]


class TestWhatATicketAdds:
    def test_a_ticket_that_came(self) -> None:
        assert made([]) == [
            ("customer:ann", "open", 0, 1), ("customer:ann", "tickets", 0, 1), ("desk", "open", 0, 1),
            ("desk", "tickets", 0, 1),
        ]  # fmt: skip

    def test_of_nobody_only_the_desk_and_the_queue_know(self) -> None:
        found = made([Event("escalated", 1), Event("satisfaction", 2, "1")], Ticket(customer=None, queue="a"))
        assert {key for key, *_ in found} == {"desk", "queue:a"}

    def test_it_is_open_until_it_ends_and_again_from_when_it_was_known_to_be_taken_up(self) -> None:
        told = ((2, "resolved"), (3, "closed"), (5, "pending"), (6, "closed"))
        events = [*(Event("status", at, status) for at, status in told), Event("reopened", 8)]
        found = made(events, Ticket(queue="a"))
        for key in ("desk", "customer:ann", "queue:a"):
            assert of(found, key, "open") == [(0, 1), (2, -1), (5, 1), (6, -1), (8, 1)]
        assert of(found, "customer:ann", "reopened") == [(5, 1), (8, 1)]

    def test_a_late_status_opens_and_ends_nothing(self) -> None:
        found = made([Event("status", 3, "open"), Event("status", 5, "closed", occurred=2)])
        assert of(found, "desk", "open") == [(0, 1)]

    def test_it_leaves_one_queue_for_the_other_and_a_return_is_an_arrival(self) -> None:
        found = made([moved(2, "a"), moved(4, "b"), moved(6, "a"), moved(7, None)], Ticket(queue="a"))
        assert of(found, "queue:a", "open") == [(0, 1), (4, -1), (6, 1), (7, -1)]
        assert of(found, "queue:b", "open") == [(4, 1), (6, -1)]
        assert of(found, "queue:a", "tickets") == [(0, 1), (6, 1)]
        assert of(found, "queue:b", "tickets") == [(4, 1)]

    def test_a_closed_ticket_lies_in_no_queue_and_comes_to_none(self) -> None:
        found = made([Event("status", 2, "closed"), moved(3, "b"), Event("status", 5, "open")], Ticket(queue="a"))
        assert of(found, "queue:a", "open") == [(0, 1), (2, -1)]
        assert (of(found, "queue:b", "open"), of(found, "queue:b", "tickets")) == ([(5, 1)], [])

    def test_what_was_received_before_a_ticket_came_is_known_when_it_comes(self) -> None:
        found = made([moved(1, "a"), by_agent(2), Event("status", 3, "closed")], Ticket(created=5))
        assert of(found, "queue:a", "open") == [(5, -1), (5, 1)]
        assert of(found, "desk", "answered") == [(5, 1)] and of(found, "desk", "tickets") == [(5, 1)]
        assert sum(amount for _, amount in of(found, "desk", "open")) == 0

    def test_an_undated_ticket_never_came_but_its_escalations_happened(self) -> None:
        events = [by_agent(1), Event("status", 2, "closed"), Event("escalated", 3), Event("satisfaction", 4, "0.5")]
        found = made(events, Ticket(created=None, queue="a"))
        assert found == [
            ("customer:ann", "escalated", 3, 1),
            ("customer:ann", "rated", 4, 1),
            ("customer:ann", "satisfaction", 4, 0.5),
        ]

    def test_only_the_first_reply_of_an_agent_answers(self) -> None:
        found = made([by_customer(1), by_agent(3), by_agent(4)])
        assert of(found, "desk", "answered") == of(found, "customer:ann", "answered") == [(3, 1)]

    def test_ratings_that_say_nothing_are_not_counted(self) -> None:
        found = made([Event("satisfaction", n, v) for n, v in enumerate(["0.25", "inf", "-1", "nan", "good", None])])
        assert of(found, "customer:ann", "rated") == [(0, 1)]
        assert of(found, "customer:ann", "satisfaction") == [(0, 0.25)]

    def test_no_tickets_add_nothing(self) -> None:
        history = history_of([], [])
        none = np.zeros(0, dtype=object)
        found = amounts_of(log_of(history.tickets, history.events), none, none)
        assert found.empty and list(found.columns) == list(COLUMNS) == list(no_amounts().columns)
        assert found.dtypes.equals(no_amounts().dtypes)


class TestOutcomes:
    def test_each_ticket_is_escalated_once_from_when_it_was_first_known(self) -> None:
        ids, customers = (np.array(v, dtype=object) for v in (["a", "b", "a", "c", "d"], ["x", "x", "x", None, "x"]))
        at = np.array([ZERO + 5 * HOUR, ZERO, ZERO + HOUR, ZERO, NEVER])
        assert told(outcome_amounts(ids, customers, at)) == [
            ("customer:x", "escalated", 0, 1),
            ("customer:x", "escalated", 1, 1),
        ]

    def test_none(self) -> None:
        none = np.zeros(0, dtype=object)
        assert outcome_amounts(none, none, np.zeros(0, dtype=np.int64)).empty


def frame(rows: list[tuple[str, str, float, str, float]]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=list(COLUMNS))
    made["fact"] = [FACTS.index(f) for f in made["fact"]]
    made["at"] = [round(ZERO + h * HOUR) for h in made["at"]]
    return made.astype({"fact": "int8", "at": "int64", "amount": "float64", "key": "str", "ticket_id": "str"})


def hours(*at: float) -> Any:
    return np.array([round(ZERO + h * HOUR) for h in at], dtype=np.int64)


class TestSums:
    ROWS = [
        ("x", "tickets", 1, "a", 1.0), ("x", "tickets", 5, "b", 1.0), ("x", "tickets", 5, "c", 1.0),
        ("x", "open", 1, "a", 1.0), ("x", "open", 9, "a", -1.0), ("y", "tickets", 30, "d", 1.0),
    ]  # fmt: skip

    def test_only_what_is_strictly_before_a_moment_is_summed(self) -> None:
        tallies = Tallies.of(frame(self.ROWS))
        x = tallies.codes(["x"] * 5)
        assert tallies.total(x, "tickets", hours(1, 2, 5, 6, 99)).tolist() == [0, 1, 1, 3, 3]
        assert tallies.total(x, "open", hours(1, 2, 9, 10, 99)).tolist() == [0, 1, 1, 0, 0]

    def test_a_span_holds_its_beginning_and_not_its_end(self) -> None:
        tallies = Tallies.of(frame(self.ROWS))
        x = tallies.codes(["x"] * 4)
        assert tallies.within(x, "tickets", hours(5, 6, 9, 9.5), 4 * HOUR).tolist() == [1, 2, 2, 0]

    def test_the_last_before_a_moment(self) -> None:
        tallies = Tallies.of(frame(self.ROWS))
        found = tallies.latest(tallies.codes(["x", "x", "x", "y", "z"]), "tickets", hours(1, 5, 6, 30, 99))
        np.testing.assert_equal(found, [np.nan, *hours(1, 5), np.nan, np.nan])

    def test_of_unknown_keys_and_facts_nothing_is_known(self) -> None:
        tallies = Tallies.of(frame(self.ROWS))
        assert tallies.codes(["z", "x"])[0] == -1
        assert tallies.total(tallies.codes(["z", "y"]), "open", hours(99, 99)).tolist() == [0, 0]
        empty = Tallies.of(no_amounts())
        assert empty.total(empty.codes(["x"]), "tickets", hours(9)).tolist() == [0]
        assert np.isnan(empty.latest(empty.codes(["x"]), "tickets", hours(9)))

    @pytest.mark.parametrize("seed", range(5))
    def test_sums_of_ratings_are_exact_in_any_company_and_order(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        tickets = [Ticket("o", customer="ben"), Ticket()]
        events = [Event("satisfaction", n, repr(v), ticket="to"[n % 2]) for n, v in enumerate(random.random(80))]
        history = history_of(tickets, events)
        ids, customers = objects(history.tickets["ticket_id"]), objects(history.tickets["customer_id"])
        amounts = amounts_of(log_of(history.tickets, history.events), ids, customers)
        found = set()
        for some in (amounts, amounts.iloc[random.permutation(len(amounts))], amounts[amounts["ticket_id"] == "t"]):
            tallies = Tallies.of(some)
            found.add(float(tallies.total(tallies.codes(["customer:ann"]), "satisfaction", hours(99))[0]))
        assert len(found) == 1

    def test_no_ticket_is_among_its_others(self) -> None:
        others = Others.of(frame(self.ROWS), np.array(["a", "b", "stranger"], dtype=object))
        keys, rows = np.array(["x"] * 3, dtype=object), np.arange(3)
        assert others.sums(keys, rows, "tickets", hours(9.5, 9.5, 9.5)).tolist() == [2, 2, 3]
        assert others.sums(keys, rows, "open", hours(2, 2, 2)).tolist() == [0, 1, 1]
        assert others.sums(keys, rows, "tickets", hours(24 + 3, 24 + 3, 24 + 5.5), 1).tolist() == [2, 1, 0]

    def test_a_ticket_may_be_asked_for_on_several_keys(self) -> None:
        others = Others.of(frame(self.ROWS), np.array(["d"], dtype=object))
        keys = np.array(["x", "y", "z"], dtype=object)
        assert others.sums(keys, np.zeros(3, dtype=np.int64), "tickets", hours(99, 99, 99)).tolist() == [3, 0, 0]


def test_a_customer_of_a_hundred_thousand_tickets_takes_seconds_and_some_hundred_megabytes() -> None:
    count = 100_000
    ids = np.array([f"t{n}" for n in range(count)], dtype=object)
    created = pd.Series(pd.to_datetime(ZERO + np.arange(count) * 60_000_000, unit="us", utc=True))
    tickets = pd.DataFrame({"ticket_id": ids, "created_at": created, "customer_id": "ann", "queue": "a"})
    history = history_of([Ticket()], [])
    tracemalloc.start()
    start = time.perf_counter()
    log = log_of(tickets, history.events)
    amounts = amounts_of(log, ids, np.full(count, "ann", dtype=object))
    others = Others.of(amounts, ids)
    at = moments(created)
    codes = others.codes(np.full(count, "customer:ann", dtype=object), np.arange(count))
    assert others.total(codes, "tickets", at).tolist() == list(range(count))
    assert others.total(codes, "tickets", at, 1).max() == DAY // 60_000_000
    took, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert took < 60 and peak < 1e9
