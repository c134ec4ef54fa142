"""Events from logs, and events of two imports together."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from pipeline.history.events import log_events, make_events, merge_events
from pipeline.tickets.schema import empty

START = pd.Timestamp("2026-03-02", tz="UTC")


def made_log(rows: list[tuple[str, str | None]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "ticket_id": pd.Series([r[0] for r in rows], dtype="str"),
            "occurred_at": pd.Series(
                [START + pd.Timedelta(minutes=i) for i in range(len(rows))], dtype="datetime64[us, UTC]"
            ),
            "seq": pd.Series(range(len(rows)), dtype="Int64"),
            "group": pd.Series([r[1] for r in rows], dtype="str"),
        }
    )


def values(events: pd.DataFrame, kind: str = "field") -> list[tuple[str, object]]:
    chosen = events[events["kind"] == kind]
    return [(t, None if pd.isna(v) else v) for t, v in zip(chosen["ticket_id"], chosen["value"], strict=True)]


def test_a_tracked_column_gives_its_first_value_and_every_change() -> None:
    log = made_log([("a", "x"), ("b", "x"), ("a", "x"), ("a", "y"), ("a", None), ("a", None), ("a", "x")])
    events = log_events(log, tracked=["group"])
    assert values(events) == [("a", "x"), ("b", "x"), ("a", "y"), ("a", None), ("a", "x")]


def test_a_column_that_the_ticket_carries_gives_changes_only() -> None:
    log = made_log([("a", "x"), ("a", "y"), ("b", "x")])
    assert values(log_events(log, changes=["group"])) == [("a", "y")]


def test_the_first_row_of_a_ticket_that_was_there_before_is_a_change() -> None:
    log = made_log([("a", "x"), ("a", "y"), ("b", "x")])
    assert values(log_events(log, changes=["group"], known=["a"])) == [("a", "x"), ("a", "y")]


def test_each_tickets_last_row_is_marked() -> None:
    events = log_events(made_log([("a", "x"), ("b", "x"), ("a", "x")]))
    marks = events[events["kind"] == "updated"]
    assert dict(zip(marks["ticket_id"], marks["seq"], strict=True)) == {"b": 1, "a": 2}


def test_states_without_a_word_of_ours_are_skipped() -> None:
    log = made_log([("a", "new"), ("a", None), ("a", "new"), ("a", "closed")])
    assert values(log_events(log, status="group"), "status") == [("a", "new"), ("a", "closed")]


def some_events(letters: list[str]) -> pd.DataFrame:
    when = pd.Series([START] * len(letters), dtype="datetime64[us, UTC]")
    return make_events(
        "field",
        pd.Series(["t"] * len(letters), dtype="str"),
        occurred_at=when,
        received_at=when,
        seq=pd.Series(range(len(letters)), dtype="Int64"),
        field="f",
        value=pd.Series(letters, dtype="str"),
    )


def test_merging_the_same_events_twice_changes_nothing() -> None:
    events = some_events(["a", "b", "a"])
    pd.testing.assert_frame_equal(merge_events(events, events), events)


def test_events_of_the_same_moment_that_are_alike_count() -> None:
    merged = merge_events(some_events(["a", "b"]), some_events(["a", "b", "a"]))
    assert merged["value"].tolist() == ["a", "b", "a"]
    assert merged["seq"].is_unique


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), max_size=8))
def test_merged_events_hold_each_as_often_as_the_fuller_side(old: list[str], new: list[str]) -> None:
    merged = merge_events(some_events(old), some_events(new))["value"].tolist()
    assert {v: merged.count(v) for v in "abc"} == {v: max(old.count(v), new.count(v)) for v in "abc"}


def test_nothing_and_something_is_something() -> None:
    events = some_events(["a"])
    assert len(merge_events(empty("events"), events)) == len(merge_events(events, empty("events"))) == 1
