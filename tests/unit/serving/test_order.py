"""The order of the open tickets: what the history adds to the scored lines, and the reasons in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_history import MANY, Event, Ticket, by_agent, time_of
from unit.serving.made_open import Told, opened

from pipeline.config import Ordering, Params, Sla
from pipeline.errors import ConfigError, OutputError
from pipeline.history.as_of import AsOf
from pipeline.serving.order import COLUMNS, Ordered, hours_left, in_words, order_open
from pipeline.serving.order_file import check_target, write_order

LEVELS = ("low", "medium", "high")
SCORED = Path("scored.parquet")
DESK = replace(
    Params(),
    ordering=Ordering(wait={"high": 5.0, "*": 1.0}, escalation=100.0, sla_missed=50.0, horizon_hours=10.0),
    sla=Sla(first_response={"*": "8h"}, resolution={"high": "20h"}),
    history=MANY,
)
SAYS = {"priority": "low", "priority_probabilities": {"low": 1.0, "high": 0.0}, "escalation_risk": 0.1}
TICKETS = [Ticket(id=name, created=float(i)) for i, name in enumerate(("old", "new", "risky", "raised", "done"))]
EVENTS = [
    Event("status", 1.0, "closed", ticket="done"),
    Event("priority", 4.0, "high", ticket="raised", side="agent", actor="bob"),
    by_agent(4.0, ticket="raised"),
]


def ordered(tmp_path: Path, *, says: dict[str, Any] | None = None, settings: Params = DESK, at: float = 6.0) -> Ordered:
    moment = time_of(at)
    assert moment is not None
    told = Told(says={t.id: SAYS for t in TICKETS} | (says or {"risky": SAYS | {"escalation_risk": 0.9}}))
    clock = AsOf(levels=LEVELS, sla=settings.sla, customers=settings.history)
    with opened(tmp_path, TICKETS, EVENTS) as desk:
        return order_open(desk.scored(told, 5.0), desk.past, moment=moment, settings=settings, clock=clock)


def test_open_tickets_stand_in_order_of_what_waiting_costs(tmp_path: Path) -> None:
    found = ordered(tmp_path)
    table = found.tickets.set_index("ticket_id")
    assert list(found.tickets) == list(COLUMNS) and "done" not in table.index and found.unscored == 0
    assert found.tickets["rank"].tolist() == [1, 2, 3, 4] and found.tickets["cost"].is_monotonic_decreasing
    cost = {
        "risky": 10 * 1 + 100 * 0.9 + 50 * np.exp(-4 / 10),
        "raised": 10 * 5 + 100 * 0.1 + 50 * np.exp(-17 / 10),
        "old": 10 * 1 + 100 * 0.1 + 50 * np.exp(-2 / 10),
        "new": 10 * 1 + 100 * 0.1 + 50 * np.exp(-3 / 10),
    }
    assert table["cost"].to_dict() == pytest.approx(cost)
    assert table["sla_hours_left"].to_dict() == pytest.approx({"risky": 4, "raised": 17, "old": 2, "new": 3})


def test_a_priority_that_a_person_set_is_certain_and_said_so(tmp_path: Path) -> None:
    row = ordered(tmp_path).tickets.set_index("ticket_id").loc["raised"]
    assert row["priority"] == "high"
    assert row["reasons"] == "waiting 50.0 (high, set by a person), escalation 10.0 (risk 10 %), " \
        "deadline 9.1 (in 17.0 business hours)"  # fmt: skip
    row = ordered(tmp_path, settings=replace(DESK, rescore=replace(DESK.rescore, machines=("bob",)))).tickets
    assert row.set_index("ticket_id").loc["raised", "priority"] == "low"


def test_without_targets_nothing_is_said_of_deadlines(tmp_path: Path) -> None:
    found = ordered(tmp_path, settings=replace(DESK, sla=Sla())).tickets
    assert found["sla_hours_left"].isna().all() and not found["reasons"].str.contains("deadline").any()


def test_lines_that_were_not_there_yet_and_tickets_without_a_line_stand_in_no_order(tmp_path: Path) -> None:
    found = ordered(tmp_path, at=4.5)
    assert (len(found.tickets), found.unscored) == (0, 4)
    assert list(found.tickets) == list(COLUMNS)


def test_a_level_that_is_misspelt_in_the_costs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean high"):
        ordered(tmp_path, settings=replace(DESK, ordering=Ordering(wait={"hihg": 2.0})))


def test_reasons_are_the_parts_largest_first_and_a_missed_deadline_is_named() -> None:
    ticket = {"priority": None, "by_person": False, "escalation_risk": float("nan"), "sla_hours_left": -2.0}
    parts = {"wait": 3.0, "escalation": 0.0, "sla": 0.0, "handling_hours": 1.0}
    words = "waiting 3.0 (no priority known), deadline missed 2.0 business hours ago"
    assert in_words(parts, ticket, Ordering()) == words
    assert in_words(parts | {"wait": 0.0}, ticket | {"sla_hours_left": np.nan}, Ordering()) == "costs nothing"


def test_the_next_deadline_that_can_be_met_counts_else_the_last_that_was_missed() -> None:
    nan = np.nan
    first, resolution = np.array([2.0, -1.0, -5.0, nan, nan]), np.array([9.0, 7.0, -3.0, 4.0, nan])
    assert hours_left(first, resolution).tolist()[:4] == [2.0, 7.0, -3.0, 4.0]
    assert np.isnan(hours_left(first, resolution)[4])


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "csv.gz", "jsonl.gz"])
def test_the_order_is_written_as_a_file(tmp_path: Path, suffix: str) -> None:
    out, found = tmp_path / f"order.{suffix}", ordered(tmp_path).tickets
    check_target(out, SCORED, force=False)
    write_order(found, out)
    read = {"csv": pd.read_csv, "jsonl": lambda path: pd.read_json(path, lines=True), "parquet": pd.read_parquet}
    again = read[suffix.partition(".")[0]](out)
    assert again["ticket_id"].tolist() == found["ticket_id"].tolist()
    assert again["cost"].tolist() == pytest.approx(found["cost"].tolist())
    with pytest.raises(OutputError, match="already there"):
        check_target(out, SCORED, force=False)
    check_target(out, SCORED, force=True)
    with pytest.raises(OutputError, match="folder doesn't exist"):
        check_target(tmp_path / "none" / "order.csv", SCORED, force=False)


def test_the_order_never_takes_the_place_of_what_is_ordered(tmp_path: Path) -> None:
    scored = tmp_path / "scored.csv"
    scored.write_text("kept")
    (tmp_path / "link.csv").symlink_to(scored)
    for out in (scored, tmp_path / "link.csv", tmp_path / "." / "scored.csv"):
        with pytest.raises(OutputError, match="the same file"):
            check_target(out, scored, force=True)
    assert scored.read_text() == "kept"
