"""Labels: only what was known at the cut, of tickets that were there by then."""

from __future__ import annotations

import pandas as pd
from factories import NOON, outcomes, tickets

from pipeline.training.labels import attach

HOUR = pd.Timedelta(hours=1)


def dated(rows: list[tuple[str, str, str, int]]) -> pd.DataFrame:
    """Outcomes of (ticket, name, value, hours after noon)."""
    made = outcomes({"topic": ["x"]}, ["t0"]).iloc[:0]
    for ticket_id, name, value, hours in rows:
        one = outcomes({name: [value]}, [ticket_id])
        one["known_at"] = NOON + hours * HOUR
        made = pd.concat([made, one], ignore_index=True)
    return made


def values(column: pd.Series) -> list[str | None]:
    return [None if pd.isna(v) else v for v in column]


def test_an_outcome_known_at_the_cut_or_later_is_left_out_and_counted() -> None:
    known = dated([("t0", "topic", "a", 1), ("t1", "topic", "b", 4), ("t2", "topic", "c", 5)])
    found = attach(tickets(4), known, cut=NOON + 4 * HOUR)
    assert values(found.frame["label.topic"]) == ["a", None, None, None]
    assert found.frame["known.topic"].notna().tolist() == [True, False, False, False]
    assert found.counts == {"topic": {"known": 1, "not_known_yet": 2}}


def test_a_ticket_created_at_the_cut_or_later_is_left_out() -> None:
    found = attach(tickets(4), dated([("t3", "topic", "a", 0)]), cut=NOON + 3 * HOUR)
    assert list(found.frame["ticket_id"]) == ["t0", "t1", "t2"]
    assert found.counts == {"topic": {"known": 0, "not_known_yet": 0}}


def test_without_a_cut_everything_is_known() -> None:
    known = dated([("t0", "topic", "a", 100), ("t1", "escalated", "0", 900)])
    found = attach(tickets(2), known, cut=None)
    assert values(found.frame["label.topic"]) == ["a", None]
    assert values(found.frame["label.escalated"]) == [None, "0"]


def test_an_outcome_that_no_ticket_has_gives_no_column() -> None:
    found = attach(tickets(2), dated([("t0", "topic", "a", 0)]), cut=None)
    assert "label.priority" not in found.frame and "priority" not in found.counts


def test_an_outcome_of_another_ticket_is_nobodys() -> None:
    found = attach(tickets(2), dated([("t9", "topic", "a", 0)]), cut=NOON + HOUR)
    assert values(found.frame["label.topic"]) == [None]
    assert str(found.frame["known.topic"].dtype) == "datetime64[us, UTC]"


def test_an_outcome_without_a_moment_counts_as_known() -> None:
    known = dated([("t0", "topic", "a", 0)])
    known["known_at"] = pd.Series([pd.NaT], dtype="datetime64[us, UTC]")
    assert values(attach(tickets(1), known, cut=NOON + 9 * HOUR).frame["label.topic"]) == ["a"]


def test_of_two_values_the_last_counts() -> None:
    known = dated([("t0", "topic", "a", 0), ("t0", "topic", "b", 1)])
    assert values(attach(tickets(1), known, cut=None).frame["label.topic"]) == ["b"]


def test_the_tickets_that_were_given_stay_as_they_were() -> None:
    given = tickets(3)
    before = given.copy()
    attach(given, dated([("t0", "topic", "a", 0)]), cut=NOON + HOUR)
    pd.testing.assert_frame_equal(given, before)
