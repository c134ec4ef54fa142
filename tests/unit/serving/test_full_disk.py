"""A disk that fills up leaves the old output, says what to do, and the same command then goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.serving.standin import write_tickets


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return write_tickets(tmp_path_factory.mktemp("disk") / "in.jsonl", 120)


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("no right to mount a file system here")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_file_size_limit_leaves_the_old_output_and_the_run_goes_on_without_it(run, source, tmp_path, suffix):
    whole, out = tmp_path / f"whole.{suffix}", tmp_path / f"out.{suffix}"
    assert run(source=str(source), out=str(whole))["code"] == 0
    out.write_text("old")
    assert run(source=str(source), out=str(out), force=True, limit=20_000)["code"] == 2
    assert "the disk is full" in run.errors.read_text()
    assert out.read_text() == "old"
    assert run(source=str(source), out=str(out), force=True)["code"] == 0
    assert out.read_bytes() == whole.read_bytes()


def test_a_full_disk_leaves_the_old_output_and_the_run_goes_on_once_there_is_room(run, source, tmp_path, small_disk):
    whole, out = tmp_path / "whole.jsonl", small_disk / "out.jsonl"
    assert run(source=str(source), out=str(whole))["code"] == 0
    out.write_text("old")
    assert run(source=str(source), out=str(out), force=True)["code"] == 2
    assert "the disk is full" in run.errors.read_text()
    assert out.read_text() == "old"
    subprocess.run(["mount", "-o", "remount,size=1m", small_disk], check=True)
    assert run(source=str(source), out=str(out), force=True)["code"] == 0
    assert out.read_bytes() == whole.read_bytes()
    assert not (small_disk / ".out.jsonl.part").exists()
