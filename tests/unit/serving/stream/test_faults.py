"""Workers of real streams are killed at named and at seeded random moments; an oracle says what came of it.

By the driver of `python benchmarks/faults.py`, which does the same at 200 moments, and much else.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from random import Random

import pytest
from nursery import nursery

from pipeline.scorer import Scorer

sys.path.append(str(Path(__file__).resolve().parents[4] / "benchmarks"))

from fault_changes import AGE_POINTS, ages, swaps
from fault_scenarios import FILE_POINTS, POINTS, Row, Stage, file_kills, redis_kills
from fault_tickets import Desk

pytestmark = pytest.mark.slow


@pytest.fixture
def stage(desk: Path, scorer: Path, tmp_path: Path) -> Stage:
    """A small helpdesk, and seeded chance."""
    return Stage(Desk(desk, scorer, tmp_path / "faults", nursery()), Random(1), kills=10)


def _nothing_is_wrong(row: Row) -> None:
    assert not row["wrong"], row
    assert row["messages"] == row["results"] > 150, row


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server is installed")
@pytest.mark.skipif(find_spec("redis") is None, reason="the extra `stream` isn't installed")
def test_workers_on_redis_killed_at_ten_random_and_all_named_moments_leave_every_result_once(stage: Stage) -> None:
    row = redis_kills(stage)
    _nothing_is_wrong(row)
    assert row["faults"]["named moments"] == len(POINTS)
    assert sum(count for name, count in row["faults"].items() if name.startswith("killed")) == 10


def test_workers_on_a_followed_file_killed_at_random_and_some_named_moments_leave_every_result_once(
    stage: Stage,
) -> None:
    stage.kills = 3
    row = file_kills(stage, points=(*FILE_POINTS, "written"))
    _nothing_is_wrong(row)
    assert row["faults"]["named moments"] == len(FILE_POINTS) + 1


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server is installed")
@pytest.mark.skipif(find_spec("redis") is None, reason="the extra `stream` isn't installed")
def test_open_tickets_that_come_of_age_while_workers_are_killed_are_told_each_age_once(stage: Stage) -> None:
    stage.kills = 3
    row = ages(stage)
    assert not row["wrong"], row
    assert row["results"] == 2 * row["tickets"] == 140 and row["faults"]["named moments"] == len(AGE_POINTS)


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server is installed")
@pytest.mark.skipif(find_spec("redis") is None, reason="the extra `stream` isn't installed")
def test_a_ticket_has_the_result_of_one_of_two_scorers_that_take_turns_while_workers_are_killed(stage: Stage) -> None:
    scorer = Scorer.load(stage.desk.scorer)
    other = stage.desk.folder.with_name("other")
    replace(scorer, about=scorer.about | {"note": "another version"}).save(other)
    row = swaps(replace(stage, desk=replace(stage.desk, other=other), kills=4))
    assert not row["wrong"] and row["faults"]["scorers replaced"] == 3, row
