"""`rescore` and `order`, killed at any moment or on a full disk: every file is the old one or the new one, whole."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_history import Ticket
from unit.serving.made_open import Told, opened
from unit.serving.runner import Runner

from pipeline.ledger import open_ledger
from pipeline.serving import sink
from pipeline.serving.faults import OPEN_POINTS

KILLED, DONE, WRONG = -9, 0, 2
TICKETS = [Ticket(id=f"t{i}", queue="it") for i in range(60)]
BEFORE: dict[str, dict[str, Any]] = {
    t.id: {"escalation_risk": 0.2, "queue": "it", "priority": "low", "summary": f"{t.id} " * 200} for t in TICKETS
}
AFTER = {name: row | {"escalation_risk": 0.45} for name, row in BEFORE.items()}
RESCORED = [name for name in OPEN_POINTS if not name.startswith("order")]
FILES = ("changes.csv", "state.parquet")
TOO_SMALL = 40_000
"""Bytes that a file may have: less than the changes, more than what a store of this size touches."""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    with opened(folder, TICKETS) as made:
        lines = sink.whole(made.scored(Told(says=BEFORE), 5.0), sink.Format("jsonl"), Told().levels)
        (folder / "scored.jsonl").write_bytes(lines)
        assert made.file.exists()
    return folder


@pytest.fixture(scope="module")
def expected(run: Runner, desk: Path) -> dict[str, bytes]:
    """What an uninterrupted run leaves."""
    folder = desk / "whole"
    folder.mkdir()
    assert rescore(run, desk, folder)["code"] == DONE
    found = read(folder)
    assert set(found) == {*FILES, "changes.csv.summary.json"} and len(found["changes.csv"]) > TOO_SMALL
    return found


def rescore(run: Runner, desk: Path, folder: Path, **job: Any) -> dict[str, Any]:
    return run(verb="rescore", desk=desk, folder=folder, says=AFTER, **job)


def read(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def is_whole(folder: Path, expected: dict[str, bytes]) -> None:
    """Each file is the old one or the new one; where the state is new, the changes are."""
    found = read(folder)
    for name in FILES:
        assert found.get(name, b"old") in (b"old", expected[name])
    if found.get("state.parquet") == expected["state.parquet"]:
        assert found["changes.csv"] == expected["changes.csv"]


@pytest.mark.parametrize("old", [False, True], ids=["nothing there", "old files there"])
@pytest.mark.parametrize("moment", [*RESCORED, "file_named:2"])
def test_rescoring_killed_at_a_named_moment_leaves_each_file_whole_and_the_next_run_all_of_them(
    run: Runner, desk: Path, expected: dict[str, bytes], tmp_path: Path, moment: str, old: bool
) -> None:
    for name in FILES if old else ():
        (tmp_path / name).write_bytes(b"old")
    assert rescore(run, desk, tmp_path, kill_at=moment)["code"] == KILLED
    is_whole(tmp_path, expected)
    assert rescore(run, desk, tmp_path)["code"] == DONE
    assert read(tmp_path) == expected and not list(tmp_path.glob(".*"))


def test_rescoring_killed_at_random_moments_leaves_each_file_whole(
    run: Runner, desk: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    chance = random.Random(6)
    seconds = rescore(run, desk, tmp_path)["seconds"]
    for number in range(8):
        folder = tmp_path / str(number)
        folder.mkdir()
        rescore(run, desk, folder, kill_after=chance.uniform(0, seconds))
        is_whole(folder, expected)
        assert rescore(run, desk, folder)["code"] == DONE
        assert read(folder) == expected


@pytest.mark.parametrize("moment", RESCORED)
def test_what_was_told_is_in_the_ledger_and_a_change_that_was_not_noted_is_told_again(
    run: Runner, desk: Path, tmp_path: Path, moment: str
) -> None:
    stream, url = tmp_path / "told.jsonl", f"{tmp_path}/l.db"
    assert rescore(run, desk, tmp_path, stream=stream, ledger=url, kill_at=moment)["code"] == KILLED
    told = {json.loads(line)["ticket_id"] for line in stream.read_text().splitlines()}
    assert told <= decided(url) and (moment == "drafts_written" or len(decided(url)) == len(TICKETS))
    assert rescore(run, desk, tmp_path, stream=stream, ledger=url)["code"] == DONE
    assert len(stream.read_text().splitlines()) == len(decided(url)) == len(TICKETS)


def decided(url: str) -> set[str | None]:
    with open_ledger(url) as ledger:
        return {one.ticket_id for one in ledger.all_decisions()}


def test_rescoring_into_files_that_may_not_grow_leaves_the_old_ones_and_says_why(
    run: Runner, desk: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    for name in FILES:
        (tmp_path / name).write_bytes(b"old")
    assert rescore(run, desk, tmp_path, limit=TOO_SMALL)["code"] == WRONG, run.errors.read_text()[-2000:]
    assert "the disk is full" in run.errors.read_text()
    assert read(tmp_path) == dict.fromkeys(FILES, b"old")
    assert rescore(run, desk, tmp_path)["code"] == DONE
    assert read(tmp_path) == expected


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("no right to mount a file system here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_rescoring_onto_a_full_disk_leaves_the_old_files_and_goes_on_once_there_is_room(
    run: Runner, desk: Path, expected: dict[str, bytes], small_disk: Path
) -> None:
    for name in FILES:
        (small_disk / name).write_bytes(b"old")
    assert rescore(run, desk, small_disk)["code"] == WRONG
    assert read(small_disk) == dict.fromkeys(FILES, b"old")
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    assert rescore(run, desk, small_disk)["code"] == DONE
    assert read(small_disk) == expected


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "csv.gz"])
@pytest.mark.parametrize("moment", ["order_written", "order_named"])
def test_an_order_killed_at_a_named_moment_is_the_old_one_or_the_new_one(
    run: Runner, tmp_path: Path, suffix: str, moment: str
) -> None:
    out, whole = tmp_path / f"order.{suffix}", tmp_path / f"whole.{suffix}"
    assert run(verb="order", out=whole, rows=500)["code"] == DONE
    out.write_bytes(b"old")
    assert run(verb="order", out=out, rows=500, kill_at=moment)["code"] == KILLED
    assert out.read_bytes() == (b"old" if moment == "order_written" else whole.read_bytes())
    assert run(verb="order", out=out, rows=500)["code"] == DONE
    assert out.read_bytes() == whole.read_bytes() and not list(tmp_path.glob(".*"))


def test_an_order_killed_at_random_moments_is_the_old_one_or_the_new_one(run: Runner, tmp_path: Path) -> None:
    chance, out, whole = random.Random(8), tmp_path / "order.csv", tmp_path / "whole.csv"
    seconds = run(verb="order", out=whole, rows=20_000)["seconds"]
    for _ in range(8):
        out.write_bytes(b"old")
        run(verb="order", out=out, rows=20_000, kill_after=chance.uniform(0, seconds))
        assert out.read_bytes() in (b"old", whole.read_bytes())


def test_an_order_on_a_full_disk_leaves_the_old_one_and_says_why(run: Runner, tmp_path: Path, small_disk: Path) -> None:
    for out, limit in ((tmp_path / "order.csv", {"limit": 10_000}), (small_disk / "order.csv", {})):
        out.write_bytes(b"old")
        assert run(verb="order", out=out, rows=5_000, **limit)["code"] == WRONG
        assert "the disk is full" in run.errors.read_text()
        assert out.read_bytes() == b"old" and not list(out.parent.glob(".*"))
