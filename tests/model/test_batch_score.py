"""`triage score` with a scorer trained on the generated helpdesk: formats, bad rows, errors and exit codes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipeline.scorer import Scorer
from pipeline.tickets import schema


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_new_tickets_are_scored_by_a_mapping(call, helpdesk, tmp_path):
    source, out = helpdesk / "new-tickets.csv", tmp_path / "out.csv"
    code, _, err = call("score", source, out, "--mapping", helpdesk / "mapping.yaml", "--scorer", helpdesk / "scorer")
    assert code == 0, err
    with source.open(newline="", encoding="utf-8") as given, out.open(newline="", encoding="utf-8") as made:
        ids = [row["number"] for row in csv.DictReader(given)]
        rows = list(csv.DictReader(made))
    assert [r["ticket_id"] for r in rows] == ids
    assert list(rows[0]) == schema.names("scored")
    told = json.loads((tmp_path / "out.csv.summary.json").read_text())
    assert told["rows_in"] == told["rows_out"] == len(ids)
    assert told["scorer_version"] == Scorer.load(helpdesk / "scorer").version == rows[0]["scorer_version"]


def test_the_tickets_of_a_raw_dir_are_scored_as_they_lie(call, helpdesk, tmp_path):
    out = tmp_path / "out.parquet"
    assert call("score", helpdesk / "tickets.parquet", out, "--scorer", helpdesk / "scorer")[0] == 0
    found = pd.read_parquet(out)
    assert len(found) == 500
    first = found.iloc[0]
    assert sum(first["priority_probabilities"].values()) == pytest.approx(1)
    assert first["topic_candidates"][0]["label"] == first["topic"]
    told = json.loads((tmp_path / "out.parquet.summary.json").read_text())
    assert told["drift"]["reference_rows"] > 0
    assert "channel" not in told["drift"]["moved"]


def test_the_three_formats_say_the_same_also_with_explanations(call, helpdesk, tmp_path):
    head = pd.read_parquet(helpdesk / "tickets.parquet").head(8)
    head.to_parquet(tmp_path / "in.parquet")
    for suffix in ("csv", "jsonl", "parquet"):
        args = ("--scorer", helpdesk / "scorer", "--explain")
        assert call("score", tmp_path / "in.parquet", tmp_path / f"out.{suffix}", *args)[0] == 0
    plain = lines(tmp_path / "out.jsonl")
    nested = [c.name for c in schema.SCORED if c.kind == "json"]
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as handle:
        by_csv = [{n: json.loads(r[n]) if r[n] else None for n in nested} for r in csv.DictReader(handle)]
    by_parquet = [{n: r[n] for n in nested} for r in pq.read_table(tmp_path / "out.parquet").to_pylist()]
    assert by_csv == by_parquet == [{n: r[n] for n in nested} for r in plain]
    assert plain[0]["explanation"]["topic"]["contributions"]


def test_the_size_of_a_chunk_changes_no_decision(call, helpdesk, tmp_path):
    pd.read_parquet(helpdesk / "tickets.parquet").head(60).to_parquet(tmp_path / "in.parquet")
    for rows in (7, 512):
        args = ("--scorer", helpdesk / "scorer", "--batch-rows", rows)
        assert call("score", tmp_path / "in.parquet", tmp_path / f"{rows}.jsonl", *args)[0] == 0
    small, large = lines(tmp_path / "7.jsonl"), lines(tmp_path / "512.jsonl")
    assert [r["queue"] for r in small] == [r["queue"] for r in large]
    assert [r["topic_confidence"] for r in small] == pytest.approx([r["topic_confidence"] for r in large], abs=1e-5)


BROKEN = (
    "id,when,text\n"
    "a,2026-03-01,where is my order\n"
    "b,2026-03-01\n"
    ",2026-03-01,no id here\n"
    "a,2026-03-02,the same id again\n"
    "c,yesterday-ish,when was that\n"
    'd,2026-03-02,"the last, good one"\n'
)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "broken.csv").write_text(BROKEN)
    (tmp_path / "map.yaml").write_text("ticket_id: id\ncreated_at: when\nbody: text\n")
    return tmp_path / "broken.csv"


def test_every_bad_row_has_its_row_and_code_and_too_many_give_exit_code_1(call, helpdesk, broken, tmp_path):
    args = ("--mapping", tmp_path / "map.yaml", "--scorer", helpdesk / "scorer")
    code, _, err = call("score", broken, tmp_path / "out.jsonl", *args)
    assert code == 1
    assert "4 of 6 rows" in err
    assert "my order" not in err
    rows = lines(tmp_path / "out.jsonl")
    codes = [r["error"] for r in rows]
    assert codes == [None, "ragged_row", "missing_id", "duplicate_id", "bad_time", None]
    assert {r["queue"] for r in rows if r["error"]} == {"triage"}
    assert [r["queue_reason"] for r in rows if r["error"]] == [f"fallback:{c}" for c in codes if c]
    rejects = lines(tmp_path / "out.jsonl.rejects.jsonl")
    assert [(r["source"], r["code"]) for r in rejects] == [
        ("broken.csv:row-2", "ragged_row"),
        ("broken.csv:row-3", "missing_id"),
        ("broken.csv:row-4", "duplicate_id"),
        ("broken.csv:row-5", "bad_time"),
    ]


def test_more_refused_rows_may_be_allowed(call, helpdesk, broken, tmp_path):
    args = ("--mapping", tmp_path / "map.yaml", "--scorer", helpdesk / "scorer", "--max-refused", "0.7")
    assert call("score", broken, tmp_path / "out.jsonl", *args)[0] == 0


def test_an_event_log_gives_one_row_for_each_ticket(call, helpdesk, tmp_path):
    (tmp_path / "log.csv").write_text(
        "number,at,kind,group\n1,2026-03-01 10:00,email,a\n1,2026-03-01 11:00,email,b\n2,2026-03-01 12:00,chat,a\n"
    )
    (tmp_path / "map.yaml").write_text(
        "ticket_id: number\ncreated_at: at\nchannel: kind\nfields: [kind]\nevents: {time: at, track: [group]}\n"
        "outcomes: {queue: {column: group, at: last}}\n"
    )
    args = ("--mapping", tmp_path / "map.yaml", "--scorer", helpdesk / "scorer")
    assert call("score", tmp_path / "log.csv", tmp_path / "out.jsonl", *args)[0] == 0
    rows = lines(tmp_path / "out.jsonl")
    assert [(r["ticket_id"], r["error"]) for r in rows] == [("1", None), ("2", None)]


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("missing.csv", "out.csv", "no such file"),
        (".", "out.csv", "a folder, not a file"),
        ("in.csv", "missing/out.csv", "folder doesn't exist"),
        ("in.csv", "out.xlsx", "format isn't known"),
        ("in.csv", "in.csv", "the same file"),
        ("in.csv", "done.csv", "already there"),
        ("other.csv", "out.csv", "--mapping"),
        ("empty.csv", "out.csv", "where: "),
    ],
)
def test_usage_and_input_errors_give_exit_code_2_and_leave_nothing(
    call, helpdesk, tmp_path, monkeypatch, source, target, message
):
    monkeypatch.chdir(tmp_path)
    Path("in.csv").write_text("ticket_id,subject\n1,hello\n")
    Path("other.csv").write_text("number,words\n1,hello\n")
    Path("empty.csv").write_text("")
    Path("done.csv").write_text("done before")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    code, out, err = call("score", source, target, "--scorer", helpdesk / "scorer")
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    left = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}
    assert left == before


def test_a_signed_scorer_is_taken_with_its_key_and_refused_with_another(call, helpdesk, tmp_path):
    (tmp_path / "key").write_bytes((helpdesk / "key").read_bytes())
    (tmp_path / "other").write_bytes(b"another key")
    (tmp_path / "in.jsonl").write_text('{"ticket_id": "1", "subject": "hello"}\n')
    args = ("score", tmp_path / "in.jsonl", tmp_path / "out.jsonl", "--scorer", helpdesk / "scorer")
    code, _, err = call(*args, "--key-file", tmp_path / "other")
    assert (code, "signature" in err) == (2, True)
    code, _, err = call(*args, "--key-file", tmp_path / "missing")
    assert (code, "the key can't be read" in err) == (2, True)
    assert call(*args, "--key-file", tmp_path / "key")[0] == 0


def test_json_log_lines_hold_the_whole_run(call, helpdesk, tmp_path):
    args = ("--scorer", helpdesk / "scorer", "--batch-rows", 200, "--log", "json")
    code, _, err = call("score", helpdesk / "tickets.parquet", tmp_path / "out.jsonl", *args)
    told = [json.loads(line) for line in err.splitlines()]
    assert (code, [e["event"] for e in told]) == (0, ["started", *["chunk"] * 3, "assembling", "finished"])
    assert [(e["rows"], e["total"]) for e in told if e["event"] == "chunk"] == [(200, 500), (400, 500), (500, 500)]
    summary = json.loads((tmp_path / "out.jsonl.summary.json").read_text())
    assert {k: v for k, v in told[-1].items() if k not in ("at", "event")} == summary
