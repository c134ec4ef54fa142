"""The promise: thresholds for all or for each queue, and what is said where it can't be kept."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.config import Promise
from pipeline.training.promise import FEWEST, Thresholds, find

EVERY = Promise(max_error=None, error_ratio=None)


def world(n: int = 2000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidences that mean what they say, what was wrong, and queues of which `hard` is hard."""
    draw = np.random.default_rng(seed)
    queue = np.where(draw.random(n) < 0.5, "easy", "hard")
    confidence = np.where(queue == "easy", draw.beta(12, 1, n), draw.beta(2, 2, n))
    return confidence, draw.random(n) > confidence, queue


def found(settings: Promise, n: int = 2000, possible: np.ndarray | None = None) -> Thresholds:
    confidence, wrong, queue = world(n)
    return find(confidence, wrong, queue, np.ones(n, dtype=bool) if possible is None else possible, settings)


def test_without_a_promise_everything_is_routed() -> None:
    all_of_it = found(EVERY)
    assert all_of_it.by_queue == {"*": 0.0} and all_of_it.max_error is None and all_of_it.routed == 1.0
    assert all_of_it.wrong == pytest.approx(all_of_it.error_if_all)
    assert "nothing was promised" in all_of_it.note


def test_a_promise_routes_what_keeps_it() -> None:
    kept = found(Promise(max_error=0.1))
    assert kept.wrong <= 0.1 < kept.error_if_all
    assert 0.3 < kept.routed < 0.9 and kept.note == ""


def test_a_ratio_asks_for_a_share_of_the_error_that_routing_everything_makes() -> None:
    half = found(Promise(max_error=None, error_ratio=0.5))
    assert half.max_error == pytest.approx(half.error_if_all / 2)
    assert half.wrong <= half.max_error


def test_a_share_wins_over_a_ratio() -> None:
    assert found(Promise(max_error=0.1, error_ratio=0.9)).max_error == 0.1


def test_each_queue_has_its_own_threshold_and_an_unknown_one_is_never_routed() -> None:
    each = found(Promise(max_error=0.15, per="queue"))
    assert set(each.by_queue) == {"easy", "hard", "*"}
    assert each.by_queue["easy"] < each.by_queue["hard"]
    assert each.by_queue["*"] == float("inf")


def test_a_promise_for_each_queue_is_kept_in_each() -> None:
    each = found(Promise(max_error=0.15, per="queue"))
    confidence, wrong, queue = world()
    for name in ("easy", "hard"):
        routed = (queue == name) & (confidence >= each.by_queue[name])
        assert wrong[routed].mean() <= 0.15 if routed.any() else True


def test_tickets_that_are_held_back_anyway_do_not_count() -> None:
    confidence, wrong, queue = world()
    possible = ~wrong
    free = find(confidence, wrong, queue, possible, Promise(max_error=0.05))
    assert free.wrong == 0.0
    assert free.routed == pytest.approx(possible.mean())


@pytest.mark.parametrize("n", [0, 1, FEWEST - 1])
def test_too_few_tickets_promise_nothing_and_route_nothing(n: int) -> None:
    few = found(Promise(max_error=0.5), n)
    assert few.by_queue == {"*": float("inf")} and few.routed == 0.0
    assert f"only {n} calibration tickets" in few.note
    assert found(EVERY, n).by_queue == {"*": 0.0}


def test_a_promise_that_no_threshold_keeps_routes_nothing_and_says_so() -> None:
    confidence, _, queue = world()
    none = find(confidence, np.ones(2000, dtype=bool), queue, np.ones(2000, dtype=bool), Promise(max_error=0.1))
    assert none.by_queue == {"*": float("inf")} and none.routed == 0.0 and none.wrong == 0.0
    assert "nothing is routed" in none.note


def test_nothing_possible_routes_nothing() -> None:
    assert found(Promise(max_error=0.2), possible=np.zeros(2000, dtype=bool)).routed == 0.0
