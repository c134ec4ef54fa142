"""Killed at every named moment and at random ones, a batch that is started again ends with the same bytes."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from unit.serving.runner import Runner, finish, left
from unit.serving.standin import write_tickets

from pipeline.serving.faults import POINTS

KILLED = -9
SUFFIXES = ("csv", "jsonl.gz", "parquet")
MOMENTS = int(os.environ.get("KILLS", "10"))
"""Random moments: ten in every test run, a hundred with KILLS=100."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tickets(tmp_path_factory.mktemp("killed") / "in.jsonl", 30, refused_every=17)


@pytest.fixture(scope="module")
def expected(run: Runner, source: Path) -> dict[str, dict[str, bytes]]:
    """What an uninterrupted run leaves, by suffix."""
    found = {}
    for suffix in SUFFIXES:
        out = source.with_name("whole") / f"out.{suffix}"
        out.parent.mkdir(exist_ok=True)
        assert run(source=source, out=out)["code"] == 0
        found[suffix] = left(out)
        assert len(found[suffix]) == 3
    return found


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("moment", POINTS)
def test_killed_at_a_named_moment_and_started_again_it_leaves_the_same_files(
    run, source, expected, tmp_path, moment, suffix
):
    out = tmp_path / f"out.{suffix}"
    assert run(source=source, out=out, kill_at=moment)["code"] == KILLED
    assert not out.exists() or out.read_bytes() == expected[suffix][out.name]
    finish(run, out, source=source)
    assert left(out) == expected[suffix]


@pytest.mark.parametrize("moment", POINTS)
def test_killed_at_a_named_moment_it_leaves_the_old_output_or_the_new_one(run, source, expected, tmp_path, moment):
    out = tmp_path / "out.csv"
    out.write_text("old")
    assert run(source=source, out=out, force=True, kill_at=moment)["code"] == KILLED
    assert out.read_bytes() in (b"old", expected["csv"]["out.csv"])
    finish(run, out, source=source, force=True)
    assert left(out) == expected["csv"]


def test_killed_again_and_again_it_ends_where_it_would_have(run, source, expected, tmp_path):
    out, times = tmp_path / "out.parquet", 0
    while run(source=source, out=out, kill_at="record_written:2")["code"] == KILLED:
        times += 1
        assert times < 20
    assert times >= 2
    assert left(out) == expected["parquet"]


def test_killed_at_random_moments_and_started_again_it_leaves_the_same_files(run, source, expected, tmp_path):
    chance, killed, pause = random.Random(20261123), 0, 0.004
    seconds = run(source=source, out=tmp_path / "timed.csv", pause=pause)["seconds"]
    for number in range(MOMENTS):
        suffix = SUFFIXES[number % len(SUFFIXES)]
        out = tmp_path / str(number) / f"out.{suffix}"
        out.parent.mkdir()
        moment = chance.uniform(0, seconds)
        killed += run(source=source, out=out, pause=pause, kill_after=moment)["code"] == KILLED
        finish(run, out, source=source)
        assert left(out) == expected[suffix], (number, moment)
    assert killed >= MOMENTS / 2


def test_a_kill_in_one_run_does_not_hold_the_lock_for_the_next(run, source, tmp_path):
    out = tmp_path / "out.csv"
    run(source=source, out=out, kill_at="rows_scored")
    assert (tmp_path / ".out.csv.part" / "lock").exists()
    finish(run, out, source=source)
