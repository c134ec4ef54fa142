"""The order of open tickets: the formula, what is unknown, what changes nothing, and that no other order costs less."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from factories import NOON
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Ordering, load_params
from pipeline.errors import ConfigError, InputError
from pipeline.ordering import LEAST_HOURS, check_levels, deadline_risk, order, parts, wait_per_hour

DESK = Ordering(wait={"low": 1.0, "urgent": 5.0, "*": 2.0}, escalation=100.0, sla_missed=50.0, horizon_hours=10.0)
LATER = NOON + pd.Timedelta(days=30)


def queue(**columns: Any) -> pd.DataFrame:
    """Open tickets `a`, `b`, … an hour apart; a keyword sets a column, row by row."""
    count = len(next(iter(columns.values())))
    usual = {
        "ticket_id": list("abcdefghij"[:count]),
        "created_at": [NOON + pd.Timedelta(hours=i) for i in range(count)],
    }
    return pd.DataFrame(usual | columns)


def ids(tickets: pd.DataFrame, settings: Ordering = DESK, as_of: pd.Timestamp = LATER) -> list[str]:
    return list(order(tickets, settings, as_of=as_of)["ticket_id"])


def part(name: str, **columns: Any) -> list[float]:
    return list(parts(queue(**columns), DESK)[name])


# ── the formula ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_index_is_the_cost_avoided_by_an_hour_of_handling() -> None:
    tickets = queue(
        priority_probabilities=[{"low": 0.5, "urgent": 0.5}],
        escalation_risk=[0.2],
        sla_hours_left=[10.0],
        handling_hours=[2.0],
    )
    found = order(tickets, DESK, as_of=LATER)
    assert list(found.columns) == ["ticket_id", "rank", "cost", "reasons"]
    wait, escalation, sla = 10.0 * 3.0, 100.0 * 0.2, 50.0 * np.exp(-1.0)
    assert found["cost"][0] == pytest.approx((wait + escalation + sla) / 2.0)
    assert found["reasons"][0] == pytest.approx(
        {"wait": wait, "escalation": escalation, "sla": sla, "handling_hours": 2.0}
    )


def test_ranks_start_at_1_with_the_largest_cost() -> None:
    found = order(queue(escalation_risk=[0.1, 0.9, 0.5]), DESK, as_of=LATER)
    assert list(found["ticket_id"]) == ["b", "c", "a"]
    assert list(found["rank"]) == [1, 2, 3]
    assert found["cost"].is_monotonic_decreasing


def test_probabilities_win_over_the_level_that_is_shown() -> None:
    assert part("wait", priority=["low"], priority_probabilities=[{"urgent": 1.0}]) == [50.0]
    assert part("wait", priority=["urgent", "low", "odd"]) == [50.0, 10.0, 20.0]


def test_a_risk_that_rises_counts_by_its_rise_and_one_that_falls_does_not_count() -> None:
    found = part("escalation", escalation_risk=[0.2, 0.5, 0.2, None], escalation_risk_later=[0.5, 0.2, None, 0.9])
    assert found == pytest.approx([30.0, 0.0, 0.0, 0.0])


def test_a_nearer_deadline_costs_more_until_it_has_passed() -> None:
    sla = part("sla", sla_hours_left=[-0.1, 0.0, 5.0, 50.0, np.inf, None, -np.inf])
    assert sla[0] == sla[4] == sla[5] == sla[6] == 0.0
    assert sla[1] == 50.0 > sla[2] > sla[3] > 0.0


def test_the_deadline_risk_is_that_of_a_look_at_a_random_time() -> None:
    looks = np.random.default_rng(0).exponential(24.0, 200_000)
    hours = np.array([0.0, 3.0, 24.0, 60.0])
    assert deadline_risk(hours, 24.0) == pytest.approx([(looks > h).mean() for h in hours], abs=0.005)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=5),
)
def test_where_costs_grow_evenly_no_other_order_costs_less(made: list[tuple[int, int]]) -> None:
    levels = [str(rate) for rate, _ in made]
    settings = Ordering(wait={str(r): float(r) for r in range(10)}, horizon_hours=3.0)
    hours = {i: h for i, (_, h) in zip("abcde", made, strict=False)}
    rates = {i: r for i, (r, _) in zip("abcde", made, strict=False)}

    def total(sequence: tuple[str, ...]) -> int:
        clock = cost = 0
        for ticket in sequence:
            cost += rates[ticket] * clock
            clock += hours[ticket]
        return cost

    chosen = tuple(ids(queue(priority=levels, handling_hours=[h for _, h in made]), settings))
    assert total(chosen) == min(total(p) for p in permutations(hours))


# ── what is unknown ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_unknown_costs_nothing_and_a_level_that_is_not_known_costs_what_any_other_does() -> None:
    bare = order(queue(ticket_id=["a"])[["ticket_id"]], DESK, as_of=LATER)
    assert bare["reasons"][0] == {"wait": 20.0, "escalation": 0.0, "sla": 0.0, "handling_hours": 1.0}
    no_other = Ordering(wait={"urgent": 5.0})
    assert list(wait_per_hour(queue(priority=["urgent", "low", None]), no_other)) == [5.0, 0.0, 0.0]


@pytest.mark.parametrize("odd", [None, np.nan, "{}", [], {}, {"low": None}, {"low": np.nan, "urgent": -1.0}, 7])
def test_probabilities_that_say_nothing_leave_the_level(odd: object) -> None:
    assert part("wait", priority_probabilities=[odd], priority=["urgent"]) == [50.0]
    assert part("wait", priority_probabilities=[odd], priority=[None]) == [20.0]


def test_a_level_without_a_value_in_a_struct_is_left_out() -> None:
    said = {"low": np.float32(0.5), "urgent": None, "other": np.float64(0.5)}
    assert part("wait", priority_probabilities=[said]) == pytest.approx([15.0])


@pytest.mark.parametrize("odd", [None, "high", np.inf, -np.inf, -3.0, 7.0])
def test_an_odd_risk_stays_between_none_and_the_whole(odd: object) -> None:
    tickets = queue(escalation_risk=pd.Series([odd, 0.5], dtype=object))
    costs = list(parts(tickets, DESK)["escalation"])
    assert costs[1] == 50.0 and costs[0] in (0.0, 100.0)


def test_unknown_handling_takes_the_median_of_the_known_and_nothing_takes_less_than_a_minute() -> None:
    found = part("handling_hours", handling_hours=[9.0, None, 2.0, np.inf, -1.0, 0.0, 1e-300])
    usual = 2.0  # of 9, 2 and next to nothing
    assert found == pytest.approx([9.0, usual, 2.0, usual, usual, usual, LEAST_HOURS], abs=1e-9)


def test_no_open_tickets_have_an_empty_order() -> None:
    found = order(queue(ticket_id=[]), DESK, as_of=LATER)
    assert found.empty and list(found.columns) == ["ticket_id", "rank", "cost", "reasons"]


# ── what changes nothing ─────────────────────────────────────────────────────────────────────────────────────────────


def test_equal_costs_are_in_order_of_arrival_then_of_id_and_an_unknown_arrival_is_last() -> None:
    moments = [None, NOON, NOON, NOON - pd.Timedelta(hours=1)]
    assert ids(queue(ticket_id=["a", "d", "c", "b"], created_at=moments)) == ["b", "c", "d", "a"]


def test_rows_that_agree_in_cost_arrival_and_id_are_in_order_of_their_parts() -> None:
    even = Ordering(wait={"low": 1.0, "urgent": 3.0}, escalation=40.0, horizon_hours=10.0)
    twice = queue(ticket_id=["a", "a"], created_at=[NOON, NOON], priority=["low", "urgent"], escalation_risk=[0.5, 0.0])
    found = order(twice, even, as_of=LATER)
    assert [r["wait"] for r in found["reasons"]] == [30.0, 10.0] and found["cost"].nunique() == 1
    pd.testing.assert_frame_equal(found, order(twice[::-1], even, as_of=LATER))


def test_levels_in_any_order_cost_the_same_to_the_last_bit() -> None:
    settings = Ordering(wait={"low": 1.0, "normal": 1.0, "urgent": 1.0})
    said = [("low", 0.1), ("normal", 0.2), ("urgent", 0.3)]
    costs = wait_per_hour(queue(priority_probabilities=[dict(p) for p in permutations(said)]), settings)
    assert len(set(costs)) == 1


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "ticket_id": st.sampled_from(["a", "b", "c", None]),
            "created_at": st.sampled_from([None, NOON, NOON + pd.Timedelta(hours=1), LATER + pd.Timedelta(hours=1)]),
            "priority": st.sampled_from([None, "low", "urgent", "odd"]),
            "priority_probabilities": st.sampled_from([None, {"low": 0.3, "urgent": 0.7}, {"low": 1.0}]),
            "escalation_risk": st.sampled_from([None, 0.0, 0.2, 0.7]),
            "sla_hours_left": st.sampled_from([None, -1.0, 0.0, 3.0]),
            "handling_hours": st.sampled_from([None, 0.1, 0.3, 0.7, 2.0]),
        }
    ),
    min_size=1,
    max_size=8,
)


@given(ROWS, st.randoms(use_true_random=False))
def test_rows_and_columns_in_any_order_give_the_same(rows: list[dict[str, Any]], chance: Any) -> None:
    tickets = pd.DataFrame(rows)
    mixed = tickets.iloc[chance.sample(range(len(rows)), len(rows))]
    mixed = mixed[chance.sample(list(mixed.columns), mixed.shape[1])].assign(unknown_column="x")
    before = mixed.copy(deep=True)
    found = order(tickets, DESK, as_of=LATER)
    pd.testing.assert_frame_equal(found, order(mixed, DESK, as_of=LATER))
    pd.testing.assert_frame_equal(mixed, before)
    there = [r for r in rows if r["created_at"] is None or r["created_at"] <= LATER]
    assert len(found) == len(there)
    assert list(found["rank"]) == list(range(1, len(there) + 1))
    assert np.isfinite(found["cost"]).all() and found["cost"].is_monotonic_decreasing


@given(ROWS)
def test_tickets_that_arrive_later_change_nothing(rows: list[dict[str, Any]]) -> None:
    everything = pd.DataFrame(rows)
    there = pd.DataFrame([r for r in rows if r["created_at"] is None or r["created_at"] <= LATER], columns=[*rows[0]])
    pd.testing.assert_frame_equal(order(everything, DESK, as_of=LATER), order(there, DESK, as_of=LATER))


@given(ROWS, st.floats(0.0, 0.3))
def test_a_higher_risk_never_ranks_lower(rows: list[dict[str, Any]], more: float) -> None:
    tickets = pd.DataFrame(rows).assign(ticket_id=[f"t{i}" for i in range(len(rows))], created_at=NOON)
    tickets["escalation_risk"] = tickets["escalation_risk"].astype(float).fillna(0.0)
    riskier = tickets.copy()
    riskier.loc[0, "escalation_risk"] += more
    assert ids(riskier).index("t0") <= ids(tickets).index("t0")


def test_a_ticket_that_arrives_at_the_moment_is_there() -> None:
    assert ids(queue(ticket_id=["a", "b"]), as_of=NOON) == ["a"]


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_tickets_without_ids_and_a_moment_without_a_zone_are_refused() -> None:
    with pytest.raises(InputError, match="no ticket_id"):
        order(queue(ticket_id=["a"]).drop(columns="ticket_id"), DESK, as_of=LATER)
    with pytest.raises(InputError, match="without a zone"):
        order(queue(ticket_id=["a"]), DESK, as_of=pd.Timestamp("2026-03-02"))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("ordering: {wait: {urgent: -1}}", "ordering.wait: urgent"),
        ("ordering: {wait: {'*': .nan}}", r"ordering.wait: \*"),
        ("ordering: {escalation: -0.1}", "ordering.escalation"),
        ("ordering: {sla_missed: .inf}", "ordering.sla_missed"),
        ("ordering: {horizon_hours: 0}", "ordering.horizon_hours"),
    ],
)
def test_a_cost_out_of_its_range_is_named(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "params.yaml").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=named):
        load_params(tmp_path / "params.yaml")


def test_a_level_that_is_not_there_is_named_with_the_nearest() -> None:
    check_levels(DESK, ["low", "normal", "urgent"])
    with pytest.raises(ConfigError, match="did you mean urgent"):
        check_levels(Ordering(wait={"urgnt": 2.0}), ["low", "urgent"])
    with pytest.raises(ConfigError, match="known: none"):
        check_levels(Ordering(wait={"urgent": 2.0}), [])


def test_the_same_cost_for_all_tickets_is_first_come_first_served() -> None:
    assert ids(queue(created_at=[NOON + pd.Timedelta(hours=h) for h in (3, 1, 2)]), Ordering()) == ["b", "c", "a"]
