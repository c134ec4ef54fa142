"""`triage remember`: what it prints, and how it ends when something is wrong."""

from __future__ import annotations

import json
import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from made_store import contents

from pipeline.cli.app import main
from pipeline.config import History
from pipeline.history.store import open_store
from pipeline.sources.sample import generate, write


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("remember") / "raw"
    write(generate(seed=5, tickets=60, days=30), folder)
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *args: object) -> int:
    monkeypatch.setattr("sys.argv", ["triage", *map(str, args)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_a_person_reads_one_line_and_sees_how_far_it_is(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "remember", raw, "--history", tmp_path / "h.db") == 0
    first = capsys.readouterr()
    assert first.out.startswith("60 tickets: 60 new, 0 changed, 0 known already; ")
    assert "tickets: 60 records" in first.err and "events: " in first.err
    assert run(monkeypatch, "remember", raw, "--history", f"sqlite:///{tmp_path}/h.db") == 0
    assert "60 tickets: 0 new, 0 changed, 60 known already; " in capsys.readouterr().out


def test_a_machine_reads_one_line_of_json_and_nothing_else(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "remember", raw, "--history", tmp_path / "h.db", "--log", "json") == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert printed.out.count("\n") == 1 and printed.err == ""
    assert (
        told["tickets_new"] == 60 and told["events"] == told["events_new"] + told["events_known"] and told["escalated"]
    )


def test_rows_that_no_look_could_use_are_counted_by_code_and_the_rest_is_put_in(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    for path in raw.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    events = pd.read_parquet(folder / "events.parquet")
    events.loc[:3, "received_at"] = pd.NaT
    events.loc[4, "kind"] = "strange"
    events.to_parquet(folder / "events.parquet", index=False)
    assert run(monkeypatch, "remember", folder, "--history", tmp_path / "h.db") == 0
    assert "not stored: no_time 4, unknown_kind 1" in capsys.readouterr().out


def other_version(path: Path) -> None:
    with sqlite3.connect(path / "h.db") as connection:
        connection.execute("UPDATE history_meta SET value = '0' WHERE name = 'version'")
    connection.close()


def no_database(path: Path) -> None:
    (path / "h.db").write_bytes(b"no database, but a text of some length" * 200)


def unknown_column(path: Path) -> None:
    (path / "params.yaml").write_text("outcomes: {escalated: {column: escalation_levl, at_least: 1}}", "utf-8")


def unknown_setting(path: Path) -> None:
    (path / "params.yaml").write_text("history: {shard: []}", "utf-8")


def another_queue(path: Path) -> None:
    (path / "params.yaml").write_text("outcomes: {queue: {column: topic, at: last}}", "utf-8")


@pytest.mark.parametrize(
    ("spoil", "raw_dir", "url", "said"),
    [
        (None, "nothing", "h.db", "no import made this folder"),
        (None, ".", "h.db", "no import made this folder"),
        (None, "RAW", "nowhere/h.db", "the store's folder isn't there"),
        (None, "RAW", "mysql://me:secret@here/there", "a store of an unknown kind"),
        (None, "RAW", "postgresql://me:secret@127.0.0.1:1/there", "the server can't be reached"),
        (no_database, "RAW", "h.db", "the file is no database"),
        (other_version, "RAW", "h.db", "made by another version"),
        (unknown_column, "RAW", "h.db", "escalation_level"),
        (unknown_setting, "RAW", "h.db", "shared"),
        (another_queue, "RAW", "h.db", "filled by other outcome definitions"),
    ],
)  # fmt: skip
def test_a_wrong_call_ends_with_2_and_says_what_to_do(
    raw: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    spoil: object,
    raw_dir: str,
    url: str,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "remember", raw, "--history", "h.db") == 0
    capsys.readouterr()
    if callable(spoil):
        spoil(tmp_path)
    assert run(monkeypatch, "remember", raw if raw_dir == "RAW" else raw_dir, "--history", url) == 2
    printed = capsys.readouterr()
    assert said in printed.err and "do: " in printed.err
    assert "Traceback" not in printed.err and "secret" not in printed.err


def small_files() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))


def test_a_full_disk_is_an_error_that_quotes_nothing_and_afterwards_it_goes_on(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "pipeline", "remember", str(raw), "--history", str(tmp_path / "h.db")]
    done = subprocess.run(command, preexec_fn=small_files, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "disk" in done.stderr and "do: " in done.stderr and "Traceback" not in done.stderr
    texts = pd.read_parquet(raw / "events.parquet")["text"].dropna()
    assert not [text for text in texts if text[:25] in done.stdout + done.stderr]
    assert run(monkeypatch, "remember", raw, "--history", tmp_path / "h.db") == 0
    assert run(monkeypatch, "remember", raw, "--history", tmp_path / "whole.db") == 0
    capsys.readouterr()
    with open_store(f"{tmp_path}/h.db", History()) as store, open_store(f"{tmp_path}/whole.db", History()) as whole:
        assert contents(store) == contents(whole)
