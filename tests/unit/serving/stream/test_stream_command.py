"""`triage stream` as a command: what is wrong is said, the watcher brings a worker back, metrics are served."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from nursery import nursery
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.errors import TriageError
from pipeline.serving.stream.transport import Holding, Letter, open_dead, parse_place

RUN = CliRunner()
TICKET = {"ticket_id": "t1", "subject": "It leaks", "created_at": "2026-03-02T12:00:00Z"}


def wrong(*words: object) -> TriageError:
    found = RUN.invoke(app, [*map(str, words)])
    assert isinstance(found.exception, TriageError), found.output
    return found.exception


@pytest.mark.parametrize(
    ("words", "what", "where"),
    [
        (["stream"], "an option is missing", "--from, --to, --scorer"),
        (["stream", "--from", "-", "--to", "-"], "an option is missing", "--scorer"),
        (["stream", "--from", "mqtt://x", "--to", "-", "--scorer", "s"], "not a stream", "--from"),
        (["stream", "--from", "-", "--to", "redis://h:99999", "--scorer", "s"], "not an address", "--to"),
        (
            ["stream", "--from", "a.jsonl", "--to", "./a.jsonl", "--scorer", "s"],
            "results would be read as messages",
            "--to",
        ),
        (["stream", "--from", "a", "--to", "-", "--scorer", "s", "--group", "a/b"], "not a name of a group", "--group"),
        (["stream", "--from", "a", "--to", "-", "--scorer", "s", "--group", ""], "not a name of a group", "--group"),
        (["stream", "--from", "-", "--to", "-", "--scorer", "s", "--ages", "soon"], "not an age", "--ages"),
        (["stream", "--from", "-", "--to", "-", "--scorer", "s", "--metrics", "x"], "not a port", "--metrics"),
        (["stream", "dead", "retry", "--from", "in.jsonl"], "which ones isn't said", "ID"),
        (["stream", "dead", "show", "7", "--from", "in.jsonl"], "no such dead letter", "ID"),
    ],
)
def test_what_is_wrong_is_said(
    words: list[str], what: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    error = wrong(*words)
    assert (error.what, error.where) == (what, where) and error.do


def test_a_password_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("redis://me:s3cret@h:99999/0", "redis://me:s3cret@localhost:1/0?stram=x", "ftp://me:s3cret@h"):
        assert "s3cret" not in str(wrong("stream", "--from", "-", "--to", place, "--scorer", "none"))


def test_files_of_one_name_and_pipes_are_sources_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = {
        holding.source(parse_place(text, "--from"))
        for holding in (Holding(worker="a"), Holding(worker="b"), Holding("shadow", "a"))
        for text in ("in.jsonl", f"file://{tmp_path}/in.jsonl", "x/in.jsonl", "-", "redis://:s3cret@h/0?stream=s")
    }
    assert len(names) == 2 * 2 + 3 + 2  # two files and one stream, by group; each pipe
    assert not any("s3cret" in name for name in names)


def test_a_letter_of_any_depth_can_be_looked_at(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    values = [b'{"subject": ' + b"[" * depth + b"]" * depth + b"}" for depth in range(900, 1000, 3)]
    dead = open_dead(parse_place(str(source), "--from"))
    dead.add([Letter("unreadable_record", 1, f"0/{n}", "", None, value) for n, value in enumerate(values)])
    for letter in dead.letters():
        shown = RUN.invoke(app, ["stream", "dead", "show", letter.id, "--from", str(source)])
        assert shown.exit_code == 0 and "part" in shown.output


def events(log: Path) -> list[dict[str, Any]]:
    lines = log.read_text("utf-8").splitlines() if log.exists() else []
    return [json.loads(line) for line in lines if line.startswith("{")]


def wait_for(log: Path, name: str, count: int = 1) -> list[dict[str, Any]]:
    until = time.monotonic() + 90
    while len(found := [e for e in events(log) if e["event"] == name]) < count:
        assert time.monotonic() < until, log.read_text("utf-8") if log.exists() else "nothing was said"
        time.sleep(0.05)
    return found


def page(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.skipif(sys.platform != "linux", reason="children are looked up in /proc")
def test_a_worker_that_is_killed_comes_back_metrics_say_so_and_sigterm_ends_both(scorer: Path, tmp_path: Path) -> None:
    source, out, log = tmp_path / "in.jsonl", tmp_path / "out.jsonl", tmp_path / "log"
    source.write_text("".join(json.dumps(TICKET | {"ticket_id": f"t{n}"}) + "\n" for n in range(5)), "utf-8")
    words = ["stream", "--from", source, "--to", out, "--scorer", scorer, "--metrics", "0", "--log", "json"]
    process = nursery().start([*map(str, words)], cwd=tmp_path, log=log)
    try:
        wait_for(log, "taking")
        (child,) = map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())
        os.kill(child, signal.SIGKILL)
        assert wait_for(log, "worker_died")[0]["signal"] == "SIGKILL"
        wait_for(log, "taking", 2)
        with source.open("a") as more:
            more.write(json.dumps(TICKET | {"ticket_id": "t6"}) + "\n" + '{"no json\n')
        until = time.monotonic() + 60
        port = wait_for(log, "metrics", 2)[1]["port"]
        while 'triage_stream_dead_letters_total{code="unreadable_record"} 1.0' not in page(port, "/metrics")[1]:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert page(port, "/health/ready") == (200, "ready\n") and page(port, "/health/live")[0] == 200
        assert page(port, "/favicon.ico")[0] == 404
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
    records = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [r["ticket_id"] for r in records] == ["t0", "t1", "t2", "t3", "t4", "t6", None]
    assert events(log)[-1]["event"] == "stopped" and "It leaks" not in log.read_text("utf-8")


def test_a_wrong_start_isnt_tried_again(tmp_path: Path) -> None:
    words = ["stream", "--from", "in.jsonl", "--to", "out.jsonl", "--scorer", "nowhere"]
    process = nursery().start(words, cwd=tmp_path, log=tmp_path / "log")
    assert process.wait(60) == 2
    assert (tmp_path / "log").read_text("utf-8").count("error: ") == 1


def test_dead_letters_are_listed_shown_and_sent_again(scorer: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(
        '{"ticket": {"subject": "My secret", "ticket_id": ""}}\n{"x\n' + json.dumps(TICKET) + "\n", "utf-8"
    )
    words = ["stream", "--from", source, "--to", tmp_path / "out.jsonl", "--scorer", scorer, "--until-empty"]
    assert nursery().start([*map(str, words)], cwd=tmp_path, log=tmp_path / "log").wait(90) == 0
    listed = RUN.invoke(app, ["stream", "dead", "list", "--from", str(source), "--json"])
    letters = [json.loads(line) for line in listed.output.splitlines()]
    assert [one["code"] for one in letters] == ["missing_id", "unreadable_record"]
    table = RUN.invoke(app, ["stream", "dead", "list", "--from", str(source)]).output
    assert "missing_id" in table and "My secret" not in table
    shown = RUN.invoke(app, ["stream", "dead", "show", letters[0]["id"], "--from", str(source)]).output
    assert "part 'ticket.subject': str, 11 characters" in shown and "My secret" not in shown
    raw = RUN.invoke(app, ["stream", "dead", "show", letters[0]["id"], "--from", str(source), "--raw"])
    assert json.loads(raw.stdout_bytes)["ticket"]["subject"] == "My secret"
    sent = RUN.invoke(app, ["stream", "dead", "retry", letters[1]["id"], "--from", str(source)])
    assert sent.output == "1 message sent again\n"
    left = RUN.invoke(app, ["stream", "dead", "list", "--from", str(source), "--json"]).output
    assert len(left.splitlines()) == 1 and source.read_text("utf-8").endswith('{"x\n')
    assert RUN.invoke(app, ["stream", "dead", "retry", "--all", "--from", str(source)]).exit_code == 0
    assert "no dead letters" in RUN.invoke(app, ["stream", "dead", "list", "--from", str(source)]).output
