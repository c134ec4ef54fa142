"""Answers that settled a ticket: accepted ones, those before its end, and those after which nobody wrote."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.config import History
from pipeline.history.answers import ACCEPTED, came_back, settling_answers
from pipeline.history.events import joined, make_events
from pipeline.tickets import schema

START = pd.Timestamp("2026-01-01", tz="UTC")


def tickets(*ids: str, customer: str = "ada", days: float = 0.0) -> pd.DataFrame:
    created = [START + pd.Timedelta(days=days * i) for i in range(len(ids))]
    return schema.conform(pd.DataFrame({"ticket_id": ids, "created_at": created, "customer_id": customer}), "tickets")


def event(kind: str, day: float, *, ticket: str = "1", side: str | None = "agent", **said: str) -> pd.DataFrame:
    at = pd.Series([START + pd.Timedelta(days=day)])
    given = {name: pd.Series([value], dtype="str") for name, value in said.items()}
    return make_events(
        kind, pd.Series([ticket]), occurred_at=at, received_at=at, seq=pd.Series([int(day * 100)], dtype="Int64"),
        side=pd.Series([side], dtype="str"), **given,
    )  # fmt: skip


def answered(*happened: pd.DataFrame, cut: float | None = 30) -> list[tuple[str, float]]:
    """Text and day of what settled the ticket."""
    moment = None if cut is None else START + pd.Timedelta(days=cut)
    found = settling_answers(tickets("1"), joined(list(happened)), cut=moment)
    return [(t, (k - START) / pd.Timedelta(days=1)) for t, k in zip(found["text"], found["known_at"], strict=True)]


def test_the_last_answer_before_the_end_settled_it() -> None:
    happened = [
        event("reply", 1, text="first"),
        event("reply", 2, text="second"),
        event("reply", 3, side="customer", text="thanks"),
        event("status", 4, value="resolved"),
    ]
    assert answered(*happened) == [("second", 4.0)]
    assert answered(*happened, cut=4) == []


def test_a_ticket_that_was_opened_again_was_not_settled() -> None:
    happened = [
        event("reply", 1, text="first"), event("status", 2, value="resolved"), event("reopened", 3, side="customer"),
    ]  # fmt: skip
    assert answered(*happened) == []
    assert answered(*happened, cut=2.5) == [("first", 2.0)]


def test_without_statuses_it_is_settled_when_nobody_wrote_for_a_week() -> None:
    assert answered(event("reply", 1, text="first")) == [("first", 8.0)]
    assert answered(event("reply", 1, text="first"), cut=7) == []
    assert answered(event("reply", 1, text="first"), event("reply", 5, side="customer", text="no")) == []


def test_an_accepted_answer_counts_once_everything_is_known() -> None:
    happened = [
        event("reply", 1, text="right", value=ACCEPTED),
        event("reply", 2, side="customer", text="thanks"),
        event("field", 5, field="is_solved", value="True"),
    ]
    assert answered(*happened) == [("right", 5.0)]
    assert answered(*happened, cut=4) == []


def test_nothing_settles_what_nobody_answered() -> None:
    assert answered(event("status", 2, value="resolved")) == []
    assert settling_answers(schema.empty("tickets"), schema.empty("events"), cut=None).empty


@pytest.mark.parametrize(("days", "back"), [(3, 1), (20, 0)])
def test_a_customer_came_back_within_a_week(days: float, back: int) -> None:
    happened = joined([event("reply", 1, text="first"), event("reply", 60, ticket="2", text="x")])
    found = came_back(tickets("1", "2", days=days), happened, customers=History(), cut=None)
    assert found.set_index("ticket_id")["value"]["1"] == back


def test_a_ticket_that_is_opened_again_came_back_too() -> None:
    happened = [
        event("reply", 1, text="first"), event("status", 2, value="resolved"), event("reopened", 3, side="customer"),
        event("reply", 60, text="x"),
    ]  # fmt: skip
    assert came_back(tickets("1"), joined(happened), customers=History(), cut=None)["value"].tolist() == [1]
    early = came_back(tickets("1"), joined(happened), customers=History(), cut=START + pd.Timedelta(days=2))
    assert early.empty
