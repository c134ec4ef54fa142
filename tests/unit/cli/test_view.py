"""`triage view` shows a scored file as a table, whatever stands in it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.errors import InputError

ROWS = pd.DataFrame(
    {
        "ticket_id": ["007", "008"],
        "topic": ["Billing", None],
        "topic_confidence": [0.934, None],
        "priority": ["high", None],
        "escalation_risk": [0.041, None],
        "queue": ["billing", "triage"],
        "queue_reason": ["model", "fallback:bad_id"],
    }
)


def shown(*args: str) -> str:
    result = CliRunner().invoke(app, ["view", *args], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def write(frame: pd.DataFrame, path: Path) -> str:
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif ".csv" in path.suffixes:
        frame.to_csv(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True)
    return str(path)


@pytest.mark.parametrize("name", ["s.csv", "s.csv.gz", "s.jsonl", "s.jsonl.gz", "s.parquet"])
def test_every_format_shows_the_same_table(name: str, tmp_path: Path) -> None:
    text = shown(write(ROWS, tmp_path / name))
    assert "007" in text and "0.93" in text and "0.04" in text and "fallback:bad_id" in text
    assert "2 tickets: 1 routed, 1 for a person to decide." in text


@pytest.mark.parametrize("name", ["s.csv", "s.jsonl", "s.parquet"])
def test_the_first_article_is_shown_or_that_none_fits(name: str, tmp_path: Path) -> None:
    first = {"article_id": "kb-1", "title": "[bold]Send mail", "url": None, "probability": 0.456}
    articles = [[first, first | {"title": "Second"}], []]
    given = [json.dumps(a) for a in articles] if name == "s.csv" else articles
    text = shown(write(ROWS.assign(articles=given), tmp_path / name))
    assert "0.46 [bold]Send" in text and "none fits" in text and "Second" not in text
    assert "article" not in shown(write(ROWS.assign(articles=["[]", "[]"]), tmp_path / "none.csv"))


def test_tickets_that_no_article_fits_are_shown_alone(tmp_path: Path) -> None:
    first = {"article_id": "kb-1", "title": "Send mail", "url": None, "probability": 0.456}
    text = shown(write(ROWS.assign(articles=[[first], []]), tmp_path / "s.jsonl"), "--none-fits")
    assert "007" not in text and "1 tickets: 0 routed, 1 for a person" in text
    assert "0 tickets" in shown(write(ROWS.assign(articles=[[first], [first]]), tmp_path / "all.jsonl"), "--none-fits")


@pytest.mark.parametrize(
    "odd", ["{", "[1]", '[{"title": "x"}]', "7", '["x"]', '[{"title": "x", "probability": "high"}]']
)
def test_articles_that_no_scorer_wrote_are_none(odd: str, tmp_path: Path) -> None:
    assert "007" in shown(write(ROWS.assign(articles=odd), tmp_path / "s.csv"))


def test_a_subject_with_square_brackets_is_text_and_not_markup(tmp_path: Path) -> None:
    tickets = pd.DataFrame({"ticket_id": ["007", "008"], "subject": ["[bold]help[/bold]", None]})
    text = shown(write(ROWS, tmp_path / "s.csv"), "--tickets", write(tickets, tmp_path / "t.csv"))
    assert "[bold]help[/bold]" in text


def test_only_as_many_rows_are_shown_as_asked_for(tmp_path: Path) -> None:
    text = shown(write(ROWS, tmp_path / "s.csv"), "--rows", "1")
    assert "007" in text and "008" not in text


@pytest.mark.parametrize("columns", [["ticket_id"], ["topic", "queue"]])
def test_a_file_without_scores_is_refused(columns: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no scored tickets"):
        CliRunner().invoke(app, ["view", write(ROWS[columns], tmp_path / "s.csv")], catch_exceptions=False)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="isn't there"):
        CliRunner().invoke(app, ["view", str(tmp_path / "absent.csv")], catch_exceptions=False)
