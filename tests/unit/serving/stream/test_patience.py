"""A batch has so long; the wait for a database doesn't count."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from pipeline.serving.stream.patience import hurried, unhurried


@pytest.fixture
def rung() -> Iterator[list[float]]:
    """When the alarm came; in a worker it ends the process."""
    came: list[float] = []
    before = signal.signal(signal.SIGALRM, lambda *_: came.append(time.monotonic()))
    yield came
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_who_takes_too_long_is_rung_for_and_who_is_back_in_time_is_not(rung: list[float]) -> None:
    with hurried(5):
        pass
    time.sleep(0.01)
    assert not rung and signal.getitimer(signal.ITIMER_REAL)[0] == 0
    with hurried(0.02):
        time.sleep(0.1)
    assert len(rung) == 1


def test_the_wait_for_a_database_does_not_count_and_the_rest_goes_on(rung: list[float]) -> None:
    with hurried(0.1):
        with unhurried():
            time.sleep(0.3)
        assert not rung
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 0.1
        time.sleep(0.2)
    assert len(rung) == 1


def test_without_a_clock_there_is_nothing_to_stop(rung: list[float]) -> None:
    with unhurried():
        pass
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0 and not rung
