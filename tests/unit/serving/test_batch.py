"""The batch door: whole outputs or none, refusals, resuming, and a summary that adds up."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from unit.serving.standin import StandIn, made_intake, reference, write_tickets

from pipeline.errors import InputError, OutputError, ScorerError
from pipeline.serving.batch import Settings, score_file, score_pipe
from pipeline.serving.progress import Event
from pipeline.serving.work import claimed

NOW = datetime(2026, 11, 23, tzinfo=UTC)


class CutError(Exception):
    """Stands for whatever ends a run in the middle."""


class CutShort(StandIn):
    """Ends the run when it is asked for its n-th chunk."""

    def __init__(self, chunks: int) -> None:
        super().__init__()
        self.left = chunks

    def score(self, tickets: pd.DataFrame, *, explain: bool = False) -> pd.DataFrame:
        self.left -= 1
        if self.left < 0:
            raise CutError
        return super().score(tickets, explain=explain)


class Counting(StandIn):
    rows = 0

    def score(self, tickets: pd.DataFrame, *, explain: bool = False) -> pd.DataFrame:
        self.rows += len(tickets)
        return super().score(tickets, explain=explain)


@pytest.fixture
def source(tmp_path) -> Path:
    return write_tickets(tmp_path / "in.jsonl", 230, refused_every=23)


def scored(source: Path, out: Path, *, scorer: StandIn | None = None, events: list[Event] | None = None, **settings):
    report = (lambda e: None) if events is None else events.append
    chosen = Settings(**settings)
    return score_file(made_intake(source), out, scorer or StandIn(), now=NOW, settings=chosen, report=report)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "csv.gz", "jsonl.gz"])
def test_a_run_leaves_the_output_its_summary_and_its_rejects_and_nothing_else(source, tmp_path, suffix):
    scored(source, tmp_path / f"out.{suffix}")
    beside = [f"out.{suffix}", f"out.{suffix}.rejects.jsonl", f"out.{suffix}.summary.json"]
    assert names(tmp_path) == sorted(["in.jsonl", *beside])


def test_every_record_has_its_row_in_order_also_one_without_an_id(source, tmp_path):
    scored(source, tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(rows) == 230
    assert [r["ticket_id"] for r in rows[20:24]] == ["t-20", "t-21", None, "t-23"]
    assert (rows[22]["error"], rows[22]["queue"]) == ("missing_id", "triage")


def test_the_summary_adds_up_and_is_what_the_file_says(source, tmp_path):
    scorer = StandIn()
    scorer.reference = reference(source)
    summary = scored(source, tmp_path / "out.csv", scorer=scorer)
    told = json.loads((tmp_path / "out.csv.summary.json").read_text())
    assert (told["rows_in"], told["rows_out"], told["refused"]) == (230, 230, {"missing_id": 10})
    assert sum(told["queue"].values()) == sum(told["queue_reason"].values()) == 230
    assert told["refused_rows"] + told["abstained"] + told["queue_reason"]["model"] == 230
    assert told["refused_share"] == pytest.approx(10 / 230, abs=1e-6)
    assert 0 < told["mean_confidence"] < 1
    assert told["scorer_version"] == summary.scorer_version == "standin-1"
    assert told["drift"]["verdict"] == "steady"
    assert max(told["drift"]["bits"].values()) == pytest.approx(0, abs=1e-9)
    assert told["seconds"] > 0


def test_all_refused_rows_are_listed_beside_the_output_and_a_hundred_in_the_summary(tmp_path):
    source = write_tickets(tmp_path / "in.jsonl", 250, refused_every=2)
    summary = scored(source, tmp_path / "out.csv")
    lines = (tmp_path / "out.csv.rejects.jsonl").read_text().splitlines()
    assert (len(lines), len(summary.rejects)) == (125, 100)
    assert json.loads(lines[0]) == {"source": "made.jsonl:row-2", "code": "missing_id"} == summary.rejects[0]


def test_the_rejects_of_an_earlier_run_do_not_stay_beside_an_output_without_any(source, tmp_path):
    scored(source, tmp_path / "out.csv")
    clean = write_tickets(tmp_path / "clean.jsonl", 10)
    scored(clean, tmp_path / "out.csv", force=True)
    assert "out.csv.rejects.jsonl" not in names(tmp_path)


def test_a_finished_output_is_refused_without_force_and_stays(source, tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("old")
    with pytest.raises(OutputError, match=r"already there(.|\n)*--force"):
        scored(source, out)
    assert out.read_text() == "old"
    assert names(tmp_path) == ["in.jsonl", "out.csv"]


def test_force_replaces_a_finished_output_at_the_very_end(source, tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("old")
    with pytest.raises(CutError):
        scored(source, out, scorer=CutShort(4), force=True)
    assert out.read_text() == "old"
    scored(source, out, force=True)
    assert out.read_text().startswith("ticket_id,")


def test_a_run_that_was_cut_off_goes_on_and_scores_only_the_rest(source, tmp_path):
    whole, out = tmp_path / "whole.parquet", tmp_path / "out.parquet"
    scored(source, whole)
    with pytest.raises(CutError):
        scored(source, out, scorer=CutShort(3))
    assert not out.exists()
    events, scorer = list[Event](), Counting()
    summary = scored(source, out, scorer=scorer, events=events)
    assert out.read_bytes() == whole.read_bytes()
    assert (summary.resumed_rows, scorer.rows, summary.rows_out) == (150, 80, 230)
    assert events[0].name == "resumed"
    told, expected = (json.loads(p.with_name(f"{p.name}.summary.json").read_text()) for p in (out, whole))
    changing = ("seconds", "rows_per_second", "resumed_rows")
    assert {k: v for k, v in told.items() if k not in changing} == {
        k: v for k, v in expected.items() if k not in changing
    }


def test_a_resumed_run_keeps_the_moment_of_its_first_attempt(source, tmp_path):
    moments = []

    def run(now: datetime, scorer: StandIn) -> None:
        intake = made_intake(source)
        watched = replace(intake, read=lambda moment: moments.append(moment) or intake.read(moment))
        score_file(watched, tmp_path / "out.csv", scorer, now=now)

    with pytest.raises(CutError):
        run(NOW, CutShort(2))
    run(NOW + timedelta(days=1), StandIn())
    assert moments == [NOW, NOW]


@pytest.mark.parametrize("what", ["input", "scorer", "explain"])
def test_a_changed_input_scorer_or_setting_starts_anew_and_says_so(source, tmp_path, what):
    out, events = tmp_path / "out.jsonl", list[Event]()
    with pytest.raises(CutError):
        scored(source, out, scorer=CutShort(3))
    if what == "input":
        write_tickets(source, 230, first=1, refused_every=23)
    scorer = StandIn("standin-2" if what == "scorer" else "standin-1")
    summary = scored(source, out, scorer=scorer, events=events, explain=what == "explain")
    assert (events[0].name, events[0].values["changed"]) == ("restarted", [what])
    assert summary.resumed_rows == 0
    versions = {json.loads(line)["scorer_version"] for line in out.read_text().splitlines()}
    assert versions == {scorer.version}


def test_an_input_that_was_only_touched_is_not_a_changed_one(source, tmp_path):
    with pytest.raises(CutError):
        scored(source, tmp_path / "out.csv", scorer=CutShort(3))
    os.utime(source, (1, 1))
    assert scored(source, tmp_path / "out.csv").resumed_rows == 150


def test_a_chunk_that_was_spoilt_is_scored_again_with_all_after_it(source, tmp_path):
    whole, out = tmp_path / "whole.csv", tmp_path / "out.csv"
    scored(source, whole)
    with pytest.raises(CutError):
        scored(source, out, scorer=CutShort(4))
    (tmp_path / ".out.csv.part" / "00000001.chunk").write_bytes(b"spoilt")
    assert scored(source, out).resumed_rows == 50
    assert out.read_bytes() == whole.read_bytes()


def test_an_input_that_grows_while_it_is_read_is_an_error_and_no_output(source, tmp_path):
    intake = made_intake(source)

    def read(now: datetime) -> Iterator[pd.DataFrame]:
        yield from intake.read(now)
        with source.open("a") as handle:
            handle.write("\n")

    with pytest.raises(InputError, match="changed while it was read"):
        score_file(replace(intake, read=read), tmp_path / "out.csv", StandIn(), now=NOW)
    assert not (tmp_path / "out.csv").exists()


def test_a_second_run_on_the_same_output_is_refused(source, tmp_path):
    with claimed(tmp_path / "out.csv"), pytest.raises(OutputError, match="another run"):
        scored(source, tmp_path / "out.csv")


def test_a_link_to_the_output_is_the_output(source, tmp_path):
    out, link = tmp_path / "real.csv", tmp_path / "link.csv"
    link.symlink_to(out)
    with claimed(out), pytest.raises(OutputError, match="another run"):
        scored(source, link)
    scored(source, link)
    assert link.is_symlink()
    assert out.is_file()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing/out.csv", "folder doesn't exist"),
        ("out.xlsx", "format isn't known"),
        ("folder.csv", "isn't a file"),
        ("in.jsonl", "the same file"),
        ("again.jsonl", "the same file"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_anything_is_read(source, tmp_path, name, message):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "again.jsonl").symlink_to(source)
    before, content = names(tmp_path), source.read_bytes()
    with pytest.raises(OutputError, match=message):
        scored(source, tmp_path / name, scorer=CutShort(0), force=True)
    assert (names(tmp_path), source.read_bytes()) == (before, content)


@pytest.mark.parametrize("name", ["out.csv", "in.jsonl", "out.csv.rejects.jsonl", "missing/s.json", "folder"])
def test_a_summary_in_an_impossible_place_is_refused(source, tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError):
        scored(source, tmp_path / "out.csv", scorer=CutShort(0), summary=tmp_path / name)


def test_the_summary_goes_where_it_is_asked_to(source, tmp_path):
    (tmp_path / "logs").mkdir()
    scored(source, tmp_path / "out.csv", summary=tmp_path / "logs" / "tonight.json")
    assert json.loads((tmp_path / "logs" / "tonight.json").read_text())["rows_in"] == 230
    assert "out.csv.summary.json" not in names(tmp_path)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that even root can't write to")
def test_a_closed_folder_is_refused(source):
    with pytest.raises(OutputError, match="can't be written"):
        scored(source, Path("/proc/out.csv"))


def test_no_rows_give_an_empty_output_and_a_summary(tmp_path):
    source = write_tickets(tmp_path / "in.jsonl", 0)
    summary = scored(source, tmp_path / "out.csv")
    assert (summary.rows_in, summary.refused_share, summary.mean_confidence) == (0, 0.0, None)
    assert (tmp_path / "out.csv").read_text().count("\n") == 1


def test_a_scorer_that_loses_rows_is_an_error_and_no_output(source, tmp_path):
    class Losing(StandIn):
        def score(self, tickets: pd.DataFrame, *, explain: bool = False) -> pd.DataFrame:
            return super().score(tickets, explain=explain).iloc[1:]

    with pytest.raises(ScorerError, match="lost rows"):
        scored(source, tmp_path / "out.csv", scorer=Losing())
    assert not (tmp_path / "out.csv").exists()


def test_progress_is_told_chunk_by_chunk_and_never_quotes_a_ticket(source, tmp_path):
    events: list[Event] = []
    scored(source, tmp_path / "out.csv", events=events)
    assert [e.name for e in events] == ["started", *["chunk"] * 5, "assembling", "finished"]
    assert [e.values["rows"] for e in events if e.name == "chunk"] == [50, 100, 150, 200, 230]
    assert "made ticket" not in json.dumps([e.values for e in events])


def test_a_pipe_gives_the_lines_of_the_file(source, tmp_path):
    scored(source, tmp_path / "out.jsonl")
    stream, events = io.BytesIO(), list[Event]()
    summary = score_pipe(made_intake(source), stream, StandIn(), now=NOW, report=events.append)
    assert stream.getvalue() == (tmp_path / "out.jsonl").read_bytes()
    assert (summary.rows_out, len(summary.rejects)) == (230, 10)
    assert events[-1].name == "finished"
    assert names(tmp_path) == ["in.jsonl", "out.jsonl", "out.jsonl.rejects.jsonl", "out.jsonl.summary.json"]
