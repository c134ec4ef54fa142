"""The promise against what happened."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config import Routing
from pipeline.history.definitions import OUT_OF_SCOPE
from pipeline.pages.figures import Promise
from pipeline.routing import RoutingPolicy
from pipeline.training.realised import Routed, realised, right_queue, routed, threshold_words, working_point

POLICY = RoutingPolicy(Routing(), {"*": 0.7})


def made(n: int, wrong: int, *, people: int = 0, months: bool = True) -> Routed:
    """`n` tickets routed by the machine, the first `wrong` of them wrongly, and some left to people."""
    size = n + people
    by_model = np.arange(size) < n
    month = np.array([f"2025-{1 + 4 * i // size:02d}" if months else "" for i in range(size)])
    return Routed(np.where(by_model, "a", "triage"), by_model, np.arange(size) < wrong, month)


def verdict(found: Routed, asked: float | None, **more: Any) -> Promise:
    promise = realised(found, {"max_error": asked, "error_if_all": 0.4, "note": more.pop("note", "")}, POLICY, **more)
    assert promise is not None
    return promise


@pytest.mark.parametrize(
    ("n", "wrong", "asked", "expected"),
    [
        (1_000, 50, 0.05, "kept"),
        (1_000, 60, 0.05, "kept"),  # its lower bound, 4.8 %, is below
        (1_000, 75, 0.05, "broken"),
        (20, 2, 0.05, "kept"),
        (1_000, 0, 0.0001, "kept"),
    ],
)
def test_kept_means_that_the_lower_bound_is_at_most_what_was_asked(
    n: int, wrong: int, asked: float, expected: str
) -> None:
    assert verdict(made(n, wrong), asked).verdict == expected


def test_nothing_routed_is_withdrawn_with_the_reason() -> None:
    found = verdict(made(0, 0, people=50), 0.05, note="no threshold keeps it")
    assert (found.verdict, found.reason) == ("withdrawn", "no threshold keeps it")
    assert found.whole is not None and found.whole.error.value is None
    assert "sure enough" in verdict(made(0, 0, people=50), 0.05).reason


def test_another_world_withdraws_it_whatever_the_figures() -> None:
    found = verdict(made(1_000, 0), 0.05, changed="in priority, these tickets are another world")
    assert found.verdict == "withdrawn" and "another world" in found.reason


def test_nothing_asked_is_no_promise() -> None:
    assert verdict(made(10, 1), None).verdict == "not asked"
    assert realised(made(10, 1), None, POLICY) is None


def test_months_and_queues_add_up_to_the_whole() -> None:
    found = verdict(made(400, 20, people=100), 0.1)
    assert found.whole is not None
    assert [p.name for p in found.periods] == ["2025-01", "2025-02", "2025-03", "2025-04"]
    for part in ("tickets", "routed", "wrong"):
        assert sum(getattr(p, part) for p in found.periods) == getattr(found.whole, part)
    assert [(q.name, q.routed, q.wrong) for q in found.queues] == [("a", 400, 20)]


def test_without_dates_fifths_stand_for_months() -> None:
    names = [p.name for p in verdict(made(50, 1, months=False), 0.1).periods]
    assert names == [f"{i}/5" for i in range(1, 6)]


def test_the_right_queue_is_the_outcome_else_that_of_the_topic() -> None:
    frame = pd.DataFrame(
        {"label.topic": ["mail", "mail", OUT_OF_SCOPE, None, OUT_OF_SCOPE], "label.queue": [None, "b", None, None, "b"]}
    )
    assert right_queue(frame, {"mail": "a"}.get).tolist() == ["a", "b", OUT_OF_SCOPE, None, "b"]  # type: ignore[arg-type]


def test_rule_routed_tickets_dont_count_and_unknown_ones_are_left_out() -> None:
    queue = np.array(["a", "a", "b", "triage", "a"], dtype=object)
    reason = np.array(["model", "rule:x", "model", "abstained", "model"], dtype=object)
    right = np.array(["a", "b", "a", "a", None], dtype=object)
    found = routed(queue, reason, right, np.full(5, ""))
    whole = verdict(found, 0.5).whole
    assert whole is not None and (whole.tickets, whole.routed, whole.wrong) == (4, 2, 1)
    assert working_point(found) == (0.5, 0.5)
    assert working_point(made(0, 0, people=3)) is None


@pytest.mark.parametrize(
    ("thresholds", "words"),
    [
        ({"*": 0.714}, "0.71"),
        ({"*": float("inf")}, "never"),
        ({"a": 0.4, "b": 0.9, "c": float("inf"), "*": float("inf")}, "0.40 to 0.90, by queue; never for 1 of 3 queues"),
    ],
)
def test_thresholds_in_words(thresholds: dict[str, float], words: str) -> None:
    assert threshold_words(thresholds) == words
