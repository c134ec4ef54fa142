"""The clock: tickets that are off by whole hours are found, and nothing is said of any other disorder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_desk import QUICK, quiet

from pipeline.pages.findings import ClockShift
from pipeline.sources.raw import Part, add
from pipeline.sources.sample import generate
from pipeline.sources.sample.tables import OUTCOMES
from pipeline.training.audit_run import audit_raw, tables, write_json
from pipeline.training.clock import clock_shifts

START = pd.Timestamp("2026-01-05", tz="UTC")


def tickets(hours: np.ndarray, numbering: str = "Q-") -> pd.DataFrame:
    """Tickets numbered in this order, so many hours after the start."""
    ids = [f"{numbering}{1000 + i}" for i in range(len(hours))]
    when = (START + pd.to_timedelta(np.round(hours * 3600), unit="s")).astype("datetime64[us, UTC]")
    return pd.DataFrame({"ticket_id": pd.Series(ids, dtype="str"), "created_at": when})


def arrivals(n: int = 600, gap: float = 0.5, seed: int = 0) -> np.ndarray:
    """Hours at which tickets come, at any time of the day alike."""
    return np.cumsum(np.random.default_rng(seed).exponential(gap, n))


def by_day(days: int = 60, seed: int = 0) -> np.ndarray:
    """Hours at which tickets come by day and hardly at night."""
    draw = np.random.default_rng(seed)
    hours = np.concatenate([24 * d + draw.normal(12, 3, 20) for d in range(days)])
    return np.sort(hours[hours > 0])


@pytest.mark.parametrize("hours", [1, 2, 5, 7, 12, -3, -8])
def test_half_of_the_tickets_shifted_by_whole_hours_are_said(hours: int) -> None:
    came = arrivals(gap=0.1)
    half = np.random.default_rng(1).random(len(came)) < 0.5
    (found,) = clock_shifts(tickets(np.where(half, came + hours, came)))
    assert (found.seen_by, found.hours, found.n) == ("ids Q-…", (abs(hours),), 600)
    assert found.tickets > 100
    assert "h later than Q-1" in found.evidence


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("gap", [0.02, 0.1, 0.5, 2.0, 10.0])
def test_tickets_that_came_one_after_the_other_are_not_said(gap: float, seed: int) -> None:
    assert clock_shifts(tickets(arrivals(gap=gap, seed=seed))) == ()


@pytest.mark.parametrize("hours", [-7, 7])
def test_a_time_zone_that_was_switched_half_way_is_said_whichever_way(hours: int) -> None:
    came = by_day()
    switched = np.arange(len(came)) >= len(came) // 2
    found = clock_shifts(tickets(np.where(switched, came + hours, came)))
    (moved,) = [f for f in found if f.seen_by == "hours of the day"]
    assert moved.hours == (7,)
    assert ("later" if hours > 0 else "earlier") in moved.evidence
    assert "2026-02-0" in moved.evidence
    assert clock_shifts(tickets(came)) == ()


def test_local_time_beside_utc_is_said_with_both_hours_of_the_year() -> None:
    came = arrivals(6000)
    frame = tickets(came).iloc[::-1]
    local = frame["created_at"].dt.tz_convert("America/Los_Angeles").dt.tz_localize(None).dt.tz_localize("UTC")
    half = np.arange(len(frame)) % 2 == 0
    (found,) = clock_shifts(frame.assign(created_at=frame["created_at"].where(half, local)))
    assert found.hours == (7, 8)


def disorder(kind: str, came: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Times that don't rise with the ids, for other reasons than a clock."""
    some = draw.random(len(came)) < 0.2
    if kind == "mails that were fetched late":
        return came - some * draw.exponential(1.5, len(came))
    if kind == "times rounded to the day":
        return np.floor(came / 24) * 24
    if kind == "numbers handed out in blocks":
        return came[np.argsort(np.arange(len(came)) // 40 + draw.integers(0, 2, len(came)), kind="stable")]
    if kind == "a wrong year now and then":
        return came + (draw.random(len(came)) < 0.01) * 8760
    return draw.permutation(came)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "kind",
    [
        "mails that were fetched late", "times rounded to the day", "numbers handed out in blocks",
        "a wrong year now and then", "ids by lot",
    ],
)  # fmt: skip
def test_another_disorder_is_not_said(kind: str, seed: int) -> None:
    assert clock_shifts(tickets(disorder(kind, arrivals(seed=seed), np.random.default_rng(seed)))) == ()


def test_two_numberings_are_looked_at_apart() -> None:
    one, other = tickets(arrivals(), "A-"), tickets(arrivals(seed=2) + 7, "B-")
    assert clock_shifts(pd.concat([one, other])) == ()


def test_few_tickets_names_for_ids_and_no_times_say_nothing() -> None:
    half = np.arange(49) % 2 * 7.0
    assert clock_shifts(tickets(arrivals(49) + half)) == ()
    named = tickets(arrivals(60)).assign(ticket_id=[f"ticket {chr(97 + i % 26)}" for i in range(60)])
    assert clock_shifts(named) == ()
    undated = tickets(arrivals(60)).assign(created_at=pd.Series(pd.NaT, index=range(60), dtype="datetime64[us, UTC]"))
    assert clock_shifts(undated) == ()
    assert clock_shifts(undated.iloc[:0]) == ()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.05, 0.3, 1.0]))
def test_the_order_of_the_rows_does_not_matter(seed: int, gap: float) -> None:
    came = arrivals(120, gap, seed)
    frame = tickets(np.where(np.arange(120) % 2 == 0, came, came + 7))
    shuffled = frame.iloc[np.random.default_rng(seed).permutation(120)]
    assert clock_shifts(shuffled) == clock_shifts(frame)


def test_the_audit_prints_and_writes_a_clock_that_is_off(tmp_path: Path) -> None:
    made = generate(seed=4, tickets=600, days=30)
    record = {"kind": "sample", "tracked": ["escalation_level", "priority", "queue", "topic"]}
    add(tmp_path / "right", Part(made.tickets, made.events, outcomes=OUTCOMES, record=record))
    half = made.tickets["ticket_id"].str[-1].isin(list("13579"))
    shifted = made.tickets["created_at"].mask(half, made.tickets["created_at"] + pd.Timedelta(hours=7))
    tickets = made.tickets.assign(created_at=shifted)
    add(tmp_path / "wrong", Part(tickets, made.events, outcomes=OUTCOMES, record=record))
    right, wrong = (audit_raw(tmp_path / name, QUICK, say=quiet) for name in ("right", "wrong"))
    assert right.clock == ()
    assert [(c.seen_by, c.hours) for c in wrong.clock] == [("ids Q-…", (7,))]
    assert not [title for title, _ in tables(right) if title.startswith("clock")]
    title, table = tables(wrong)[0]
    assert title.startswith("clock: a part of the tickets") and "Q-…" in table
    write_json(wrong, tmp_path / "audit.json")
    said = json.loads((tmp_path / "audit.json").read_text("utf-8"))
    assert ClockShift(**{**said["clock"][0], "hours": tuple(said["clock"][0]["hours"])}) == wrong.clock[0]
    assert set(said) == {"clock", "topic", "queue", "priority", "escalated"}
