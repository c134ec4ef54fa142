"""A batch with a ledger: every row is in it once, whenever the run was killed, and also when it was away meanwhile."""

from __future__ import annotations

import json
import random
import sqlite3
from pathlib import Path

import pytest
from unit.serving.runner import NOW, Runner, finish, left
from unit.serving.standin import StandIn, made_intake, write_tickets

from pipeline.config import Ledger as Settings
from pipeline.config import Params
from pipeline.ledger import decisions_of, open_ledger
from pipeline.serving.batch import Settings as BatchSettings
from pipeline.serving.batch import score_file
from pipeline.serving.faults import POINTS
from pipeline.serving.ledgered import Ledgered, open_ledgered
from pipeline.serving.progress import Event

MOMENTS = [name for name in POINTS if name.startswith(("rows_", "chunk_", "record_", "assembl"))]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tickets(tmp_path_factory.mktemp("ledgered") / "in.jsonl", 30, refused_every=17)


def ids(url: str) -> list[str | None]:
    with open_ledger(url) as ledger:
        return sorted((one.ticket_id for one in ledger.all_decisions()), key=str)


def rows(out: Path) -> list[str | None]:
    return sorted((json.loads(line)["ticket_id"] for line in out.read_text("utf-8").splitlines()), key=str)


def summary(out: Path) -> dict[str, int]:
    told: dict[str, int] = json.loads(out.with_name(f"{out.name}.summary.json").read_text())["ledger"]
    return told


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_and_started_again_each_row_is_there_once(
    run: Runner, source: Path, tmp_path: Path, moment: str
) -> None:
    out, url = tmp_path / "out.jsonl", f"{tmp_path}/l.db"
    assert (
        run(source=source, out=out, ledger=url, kill_at=f"{moment}:2" if "assembl" not in moment else moment)["code"]
        == -9
    )
    finish(run, out, source=source, ledger=url)
    assert ids(url) == rows(out) and len(ids(url)) == 30
    assert summary(out) == {"written": 30}


def test_killed_at_random_moments_each_row_is_there_once_and_the_output_is_the_same(
    run: Runner, source: Path, tmp_path: Path
) -> None:
    seconds = run(source=source, out=tmp_path / "timed.jsonl", ledger=f"{tmp_path}/timed.db")["seconds"]
    expected, chance = left(tmp_path / "timed.jsonl")["timed.jsonl"], random.Random(7)
    for number in range(5):
        out, url = tmp_path / f"{number}.jsonl", f"{tmp_path}/{number}.db"
        run(source=source, out=out, ledger=url, kill_after=chance.uniform(0, seconds))
        finish(run, out, source=source, ledger=url)
        assert out.read_bytes() == expected and ids(url) == rows(out)


def scored(source: Path, out: Path, keep: Ledgered, **settings: bool) -> None:
    how = BatchSettings(keep=keep, seen={"ledger": keep.name}, **settings)
    score_file(made_intake(source, chunk_rows=6), out, StandIn(), now=NOW, settings=how)


def test_what_is_in_the_ledger_is_what_is_in_the_output(source: Path, url: str, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    keep = open_ledgered(url, tmp_path, Params(ledger=Settings(held_out_share=0.5)), history=False)
    scored(source, out, keep)
    keep.close()
    with open_ledger(url) as ledger:
        found = {str(one.ticket_id): one for one in ledger.all_decisions()}
    for line in out.read_text("utf-8").splitlines():
        told = json.loads(line)
        made = found[str(told["ticket_id"])]
        assert dict(made.scored) == told
        assert (made.door, made.decided_at, made.scorer_version) == ("batch", NOW, "standin-1")
    assert {one.shown for one in found.values()} == {True, False}


def test_given_again_it_writes_nothing_twice(source: Path, url: str, tmp_path: Path) -> None:
    for _ in range(2):
        keep = open_ledgered(url, tmp_path, Params(), history=False)
        scored(source, tmp_path / "out.jsonl", keep, force=True)
        keep.close()
    assert len(ids(url)) == 30


def test_while_the_ledger_is_locked_the_batch_goes_on_and_nothing_is_lost(source: Path, tmp_path: Path) -> None:
    out, url = tmp_path / "out.jsonl", f"{tmp_path}/l.db"
    open_ledger(url).close()
    other = sqlite3.connect(tmp_path / "l.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    keep = open_ledgered(url, tmp_path, Params(), history=False)
    scored(source, out, keep)
    assert summary(out) == {"spooled": 30} and keep.waiting and keep.away == "the ledger is locked by another process"
    other.execute("COMMIT")
    other.close()
    keep.close()
    assert not keep.waiting and ids(url) == rows(out)


def test_what_waits_from_an_earlier_night_goes_in_with_the_next(source: Path, tmp_path: Path) -> None:
    url = f"{tmp_path}/l.db"
    keep = open_ledgered(url, tmp_path, Params(), history=False)
    later = StandIn("standin-2").score(next(made_intake(source).read(NOW)))
    tickets = next(made_intake(source).read(NOW))
    keep.journal.spool.append(decisions_of(tickets, later, door="batch", decided_at=NOW))
    scored(source, tmp_path / "out.jsonl", keep)
    keep.close()
    assert len(ids(url)) == 60 and not keep.waiting


def test_where_even_the_spool_fails_the_batch_goes_on_and_says_so(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    keep = open_ledgered(f"{folder}/l.db", tmp_path, Params(), history=False)
    folder.rmdir()
    out = tmp_path / "out.jsonl"
    scored(source, out, keep)
    keep.close()
    assert summary(out) == {"lost": 30} and len(rows(out)) == 30


def test_a_run_that_was_begun_without_a_ledger_starts_anew_with_one(run: Runner, source: Path, tmp_path: Path) -> None:
    out, told = tmp_path / "out.jsonl", list[Event]()
    assert run(source=source, out=out, kill_at="record_written:3")["code"] == -9
    keep = open_ledgered(f"{tmp_path}/l.db", tmp_path, Params(), history=False)
    how = BatchSettings(keep=keep, seen={"ledger": keep.name})
    score_file(made_intake(source, chunk_rows=6), out, StandIn(), now=NOW, settings=how, report=told.append)
    keep.close()
    assert told[0].name == "restarted" and "ledger" in told[0].values["changed"]
    assert len(ids(f"{tmp_path}/l.db")) == 30
