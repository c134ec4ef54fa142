"""`triage score` as its own process: killed and given again, in a pipe, in the nightly script."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture
def whole(call, helpdesk: Path, tmp_path: Path) -> Path:
    """What an undisturbed run makes of the helpdesk's tickets."""
    out = tmp_path / "whole" / "out.jsonl"
    out.parent.mkdir()
    args = ("--scorer", helpdesk / "scorer", "--batch-rows", 100)
    assert call("score", helpdesk / "tickets.parquet", out, *args)[0] == 0
    return out


@pytest.mark.parametrize("moment", ["rows_scored:3", "summary_published"])
def test_the_command_killed_and_given_again_ends_with_the_same_bytes(shell, helpdesk, whole, tmp_path, moment):
    command = f"triage score {helpdesk}/tickets.parquet out.jsonl --scorer {helpdesk}/scorer --batch-rows 100"
    killed = shell(f"exec {command}", TRIAGE_KILL_AT=moment)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "out.jsonl").exists()
    again = shell(command)
    assert again.returncode == 0
    assert "going on with out.jsonl" in again.stderr
    assert (tmp_path / "out.jsonl").read_bytes() == whole.read_bytes()
    assert not (tmp_path / ".out.jsonl.part").exists()


def test_a_pipe_gives_the_rows_of_the_file_in_order(shell, helpdesk, whole, tmp_path):
    tickets = pd.read_parquet(helpdesk / "tickets.parquet")
    (tmp_path / "in.jsonl").write_text(tickets.to_json(orient="records", lines=True, date_format="iso"))
    done = shell(f"triage score - - --scorer {helpdesk}/scorer --summary s.json < in.jsonl > out.jsonl")
    assert done.returncode == 0, done.stderr
    mine, theirs = lines(tmp_path / "out.jsonl"), lines(whole)
    assert [(r["ticket_id"], r["queue"], r["as_of"]) for r in mine] == [
        (r["ticket_id"], r["queue"], r["as_of"]) for r in theirs
    ]
    assert json.loads((tmp_path / "s.json").read_text())["rows_out"] == 500


def test_a_reader_that_has_had_enough_ends_the_run_quietly(shell, helpdesk, tmp_path):
    command = f"triage score {helpdesk}/tickets.parquet - --scorer {helpdesk}/scorer --batch-rows 20"
    done = shell(f"{command} | head -n 1; echo ${{PIPESTATUS[0]}}")
    first, code = done.stdout.splitlines()
    assert (json.loads(first)["ticket_id"], code) == (
        pd.read_parquet(helpdesk / "tickets.parquet")["ticket_id"][0],
        "0",
    )
    assert "rror" not in done.stderr


def test_standard_input_into_a_file_is_whole_or_not_there(shell, helpdesk, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"ticket_id": "1", "subject": "hello"}\n{"ticket_id": "2", "body": "bye"}\n')
    command = f"triage score - out.csv.gz --scorer {helpdesk}/scorer < in.jsonl"
    assert shell(f"exec {command}", TRIAGE_KILL_AT="chunk_written").returncode == -signal.SIGKILL
    assert not (tmp_path / "out.csv.gz").exists()
    assert shell(command).returncode == 0
    with gzip.open(tmp_path / "out.csv.gz", "rt", newline="") as handle:
        assert [r["ticket_id"] for r in csv.DictReader(handle)] == ["1", "2"]


def test_the_nightly_script_of_the_page_runs_and_is_content_the_second_time(shell, root, helpdesk, tmp_path):
    page = (root / "docs" / "ops.md").read_text("utf-8")
    (tmp_path / "nightly.sh").write_text(page.split("file=nightly.sh\n")[1].split("```")[0])
    (tmp_path / "exports").mkdir()
    shutil.copy(helpdesk / "new-tickets.csv", tmp_path / "exports" / "2026-11-23.csv")
    shutil.copy(helpdesk / "mapping.yaml", tmp_path)
    (tmp_path / "scorer").symlink_to(helpdesk / "scorer")
    for day, code in (("2026-11-23", 0), ("2026-11-23", 0), ("2026-11-24", 2)):
        done = shell(f"bash nightly.sh {day}", TRIAGE_HOME=str(tmp_path))
        assert done.returncode == code, done.stderr
    assert "no such file" in (tmp_path / "logs" / "2026-11-24.log").read_text()
    log = (tmp_path / "logs" / "2026-11-23.log").read_text().splitlines()
    assert [json.loads(line)["event"] for line in log][-1] == "finished"
    assert len([line for line in log if '"started"' in line]) == 1
