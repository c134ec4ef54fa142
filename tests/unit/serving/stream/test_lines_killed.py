"""Killed between any two of its steps and started again, a worker on files leaves each result once."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest
from unit.serving.stream.made_lines import said, worked, write

from pipeline.serving.faults import FILE_POINTS, VARIABLE
from pipeline.serving.stream.lines import open_dead
from pipeline.serving.stream.transport import parse_place

KILLED = -signal.SIGKILL
POINTS = [name for name in FILE_POINTS if name != "letter_sent"]  # nobody tries a letter again here


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_named_moment_and_started_again_it_leaves_each_result_once(
    tmp_path: Path, point: str, nth: int
) -> None:
    values = ["1", "2", "kill" if point == "letters_kept" else "3", *map(str, range(4, 9))]
    source, out = write(tmp_path / "in", values), tmp_path / "out"
    kills = 0
    while (code := worked(source, out, kill_at=f"{point}:{nth}")) == KILLED:
        kills += 1
        if kills == 4:  # as often as somebody would: then it is left alone
            while (code := worked(source, out)) == KILLED:
                pass
            break
    assert code == 0 and kills
    assert said(out) == values


def test_killed_again_and_again_after_some_steps_it_ends_where_it_would_have(tmp_path: Path) -> None:
    chance = random.Random(20261123)
    for number in range(10):
        values = [f"{number} {n}" for n in range(12)]
        source, out = write(tmp_path / f"in{number}", values), tmp_path / f"out{number}"
        while worked(source, out, kill_at=f"*:{chance.randint(3, 12)}", most=chance.randint(1, 5)) == KILLED:
            torn = chance.randint(0, 3)
            if torn == 1 and out.exists():  # as a power cut may leave it
                with out.open("ab") as stream:
                    stream.write(b'{"position": "0/')
        assert said(out) == values


def test_a_message_that_kills_is_found_and_blocks_no_other(tmp_path: Path) -> None:
    values = ["1", "2", "kill", "3", "4", "kill", "5"]
    source, out = write(tmp_path / "in", values), tmp_path / "out"
    deaths = 0
    while worked(source, out) == KILLED:
        deaths += 1
        assert deaths < 10
    assert said(out) == values and deaths == 2 * 3
    letters = list(open_dead(parse_place(str(source), "--from")).letters())
    assert [(one.position, one.code, one.tries) for one in letters] == [
        ("0/4", "worker_died", 4),
        ("0/13", "worker_died", 4),
    ]


def test_a_retry_that_is_killed_can_be_given_again(tmp_path: Path) -> None:
    source, out = write(tmp_path / "in", ["kill", "1"]), tmp_path / "out"
    while worked(source, out) == KILLED:
        pass
    dead = open_dead(parse_place(str(source), "--from"))
    (one,) = dead.letters()
    if (pid := os.fork()) == 0:
        os.environ[VARIABLE] = "letter_sent"
        dead.retry(one)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == KILLED
    assert list(dead.letters()) == [one] and source.read_text() == "kill\n1\nkill\n"
    dead.retry(one)
    assert list(dead.letters()) == []
