"""Snapshots: a ticket is looked at while it is open and nobody knows how it ends."""

from __future__ import annotations

import numpy as np
import pandas as pd
from made_history import LOOK, Event, Ticket, by_agent, history_of, tickets_frame, time_of

from pipeline.estimators.course import AGES
from pipeline.history.log import moments
from pipeline.training.snapshots import Snapshots, snapshots
from pipeline.training.split import Fold

CUT = int(moments(pd.Series([time_of(400.0)]))[0])


def looked(
    tickets: list[Ticket], known: dict[str, tuple[str, float]], events: list[Event] | None = None
) -> tuple[Snapshots, dict[str, list[float]]]:
    """Snapshots of tickets whose outcome and its hour are given, and the ages at which each was looked at."""
    frame = tickets_frame(tickets)
    frame["label.escalated"] = pd.Series([known.get(t.id, (None, 0.0))[0] for t in tickets], dtype="str")
    frame["known.escalated"] = pd.Series([time_of(known.get(t.id, ("", None))[1]) for t in tickets]).astype(
        "datetime64[us, UTC]"
    )
    found = snapshots(frame, history_of(tickets, events or []), LOOK, cut=CUT)
    ages = {
        t.id: [AGES[a] for r, a in zip(found.rows, found.age, strict=True) if r == i] for i, t in enumerate(tickets)
    }
    return found, ages


def test_a_ticket_is_looked_at_until_it_is_resolved() -> None:
    solved = [Event("status", 2.0, "resolved", ticket="a"), Event("status", 30.0, "open", ticket="a")]
    _, ages = looked([Ticket("a")], {"a": ("0", 300.0)}, solved)
    assert ages["a"] == [0.0, 1.0, 72.0, 168.0]  # it was open again from hour 30 on


def test_a_ticket_is_looked_at_until_it_escalates() -> None:
    _, ages = looked([Ticket("a"), Ticket("b")], {"a": ("1", 30.0), "b": ("1", 0.5)})
    assert ages == {"a": [0.0, 1.0, 4.0, 24.0], "b": [0.0]}


def test_a_ticket_whose_outcome_isnt_known_is_censored() -> None:
    _, ages = looked([Ticket("a"), Ticket("b")], {"a": ("0", 300.0)})
    assert ages["b"] == []


def test_nothing_is_looked_at_from_the_cut_on() -> None:
    _, ages = looked([Ticket("a", created=390.0)], {"a": ("0", 399.0)})
    assert ages["a"] == [0.0, 1.0, 4.0]


def test_each_snapshot_sees_what_was_there_at_its_age() -> None:
    found, _ = looked([Ticket("a")], {"a": ("0", 300.0)}, [by_agent(3.0, ticket="a"), by_agent(20.0, ticket="a")])
    replies = found.block[:, LOOK.names.index("agent_replies")]
    assert dict(zip(found.age.tolist(), replies.tolist(), strict=True)) == {0: 0, 1: 0, 2: 1, 3: 2, 4: 2, 5: 2}


def test_a_fold_learns_only_from_what_was_seen_and_came_true_before_it_looks() -> None:
    hour = 3_600_000_000
    rows, age = np.array([0, 0, 1, 1, 2]), np.array([0, 3, 0, 3, 0])
    made = Snapshots(rows, age, np.array([0, 24, 50, 74, 60]) * hour, np.zeros((5, 1), dtype=np.float32))
    known = np.array([30, 40, 55]) * hour
    fold = made.fold(Fold(np.array([0, 2]), np.array([1])), known)
    np.testing.assert_array_equal(fold.look, [2, 3])
    np.testing.assert_array_equal(fold.fit, [0, 1])  # ticket 2 came after the first look
    late = made.fold(Fold(np.array([0]), np.array([1])), np.array([51, 40, 55]) * hour)
    assert len(late.fit) == 0
