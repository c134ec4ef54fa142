"""`triage articles`: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_knowledge import desk, scorer
from typer.testing import CliRunner, Result

from pipeline.cli.app import app
from pipeline.errors import InputError, OutputError
from pipeline.sources.part import Part
from pipeline.sources.raw import add


@pytest.fixture(scope="module")
def raw_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("knowledge") / "raw"
    made = desk()
    add(folder, Part(made.tickets, made.events, made.articles, outcomes=made.outcomes_as_written))
    return folder


@pytest.fixture(scope="module")
def scorer_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("knowledge") / "scorer"
    scorer().save(folder)
    return folder


def articles(*args: str | Path) -> Result:
    return CliRunner().invoke(app, ["articles", *map(str, args)], catch_exceptions=False)


def test_gaps_are_printed_and_written_without_a_word_of_one_ticket(
    raw_dir: Path, scorer_dir: Path, tmp_path: Path
) -> None:
    page, figures = tmp_path / "gaps.html", tmp_path / "gaps.json"
    done = articles("gaps", raw_dir, "--scorer", scorer_dir, "--below", "0.5", "--out", page, "--json", figures)
    assert done.exit_code == 0 and "sky" in done.stdout and "have no fitting article" in done.stdout
    found = json.loads(figures.read_text("utf-8"))
    assert found["gaps"]["gaps"][0]["topic"] == "sky" and found["check"] is None and found["scorer_version"]
    assert "What the knowledge base lacks" in page.read_text("utf-8")
    for told in (done.output, page.read_text("utf-8"), figures.read_text("utf-8")):
        assert "case" not in told.replace("in case", "")  # every ticket has a word of its own, `case…`


def test_a_later_start_leaves_earlier_tickets_out(raw_dir: Path, scorer_dir: Path) -> None:
    done = articles("gaps", raw_dir, "--scorer", scorer_dir, "--from", "2026-03-18")
    assert done.exit_code == 0 and "from 2026-03-18 to 2026-03-19" in done.stdout


def test_stale_articles_are_printed_and_written(raw_dir: Path, tmp_path: Path) -> None:
    page, figures = tmp_path / "stale.html", tmp_path / "stale.json"
    done = articles("stale", raw_dir, "--out", page, "--json", figures)
    assert done.exit_code == 0 and "never cited: 1 article of 4. Drucken" in done.stdout
    assert json.loads(figures.read_text("utf-8"))["stale"]["never"] == [["de", "Drucken"]]
    assert "Never cited" in page.read_text("utf-8")


def test_faults_end_with_1_only_where_that_is_asked_for(raw_dir: Path, tmp_path: Path) -> None:
    page, figures = tmp_path / "check.html", tmp_path / "check.json"
    done = articles("check", raw_dir, "--out", page, "--json", figures)
    assert done.exit_code == 0 and "short_text" in done.stdout and "4 articles" in done.stdout
    assert json.loads(figures.read_text("utf-8"))["check"]["findings"][0]["code"] == "short_text"
    assert articles("check", raw_dir, "--strict").exit_code == 1


def test_a_sound_knowledge_base_passes_the_strict_check(tmp_path: Path) -> None:
    words = (
        "Open the outbox, choose your mail, look at its address, press send and wait until it has left you for good."
    )
    add(tmp_path / "raw", Part(desk().tickets, desk().events, desk().articles.iloc[:1].assign(text=words)))
    done = articles("check", tmp_path / "raw", "--strict")
    assert done.exit_code == 0 and "nothing found" in done.stdout


def test_what_cannot_be_read_or_written_is_said(raw_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        articles("check", tmp_path)
    with pytest.raises(OutputError, match="no-such-folder"):
        articles("check", raw_dir, "--out", tmp_path / "no-such-folder" / "page.html")
