"""The door of drafts: a scored file and its tickets in, one line for each row out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_model import Model, Sent, model
from typer.testing import CliRunner, Result

from pipeline.cli.app import app
from pipeline.errors import InputError, OutputError, RefusedError

PASSAGE = "Print a page. Choose the printer in the menu, then print the page."
GOOD = "Please choose the printer in the menu [article:print]."
TICKETS = pd.DataFrame(
    {
        "ticket_id": ["1", "2", "3", "4"],
        "subject": ["How do I print?", "Hello", "I am ada@mail.example and can't print", None],
        "body": ["Nothing comes out.", "What now?", "Call me.", None],
    }
)


def row(ticket_id: str | None, *names: str, error: str | None = None) -> dict[str, Any]:
    said = [{"article_id": n, "title": n, "url": f"https://help.example/{n}", "probability": 0.5} for n in names]
    why = {"articles": [{"article_id": n, "passage": PASSAGE, "words": [], "tickets": []} for n in names]}
    scored = {"ticket_id": ticket_id, "as_of": None, "queue_reason": "model", "error": error}
    return scored | {"articles": said, "explanation": why}


ROWS = [row("1", "print"), row("2"), row("3", "print"), row("4", "print"), row("5", "print"), row(None, error="bad_id")]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    TICKETS.to_csv(tmp_path / "tickets.csv", index=False)
    (tmp_path / "scored.jsonl").write_text("\n".join(json.dumps(one) for one in ROWS), "utf-8")
    return tmp_path


@pytest.fixture
def writer() -> Iterator[Model]:
    with model(lambda _: GOOD) as running:
        yield running


def run(folder: Path, url: str, *more: str) -> Result:
    where = [folder / "scored.jsonl", folder / "drafts.jsonl", "--tickets", folder / "tickets.csv"]
    args = ["draft", *map(str, where), "--endpoint", url, "--model", "m", *more]
    return CliRunner().invoke(app, args, catch_exceptions=False)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "drafts.jsonl").read_text("utf-8").splitlines()]


def test_every_scored_row_gives_a_line(made: Path, writer: Model) -> None:
    done = run(made, writer.url)
    assert done.exit_code == 0
    assert [(one["ticket_id"], one["reason"]) for one in lines(made)] == [
        ("1", None), ("2", "no_articles"), ("3", None), ("4", "no_ticket"), ("5", "no_ticket"), (None, "not_scored"),
    ]  # fmt: skip
    assert lines(made)[0] == {"ticket_id": "1", "draft": GOOD, "articles": ["print"], "reason": None}
    assert len(writer.asked) == 2 and "ada@" not in writer.said and "[EMAIL]" in writer.said
    assert not list(made.glob(".*"))


def test_nothing_of_a_ticket_is_told(made: Path, writer: Model) -> None:
    told = run(made, writer.url).output
    assert "6 rows, 2 drafts" in told and "no_ticket: 2" in told
    assert "print?" not in told and "ada" not in told and "choose the printer" not in told


def test_what_is_there_is_replaced_only_where_that_is_asked_for(made: Path, writer: Model) -> None:
    run(made, writer.url)
    with pytest.raises(OutputError, match="there already"):
        run(made, writer.url)
    assert run(made, writer.url, "--force").exit_code == 0
    where = [made / "scored.jsonl", made / "drafts.csv", "--tickets", made / "tickets.csv"]
    with pytest.raises(OutputError, match="JSON lines"):
        args = ["draft", *map(str, where), "--endpoint", writer.url, "--model", "m"]
        CliRunner().invoke(app, args, catch_exceptions=False)


def test_a_scored_file_without_explanations_is_refused(made: Path, writer: Model) -> None:
    bare = [one | {"explanation": None} for one in ROWS]
    (made / "scored.jsonl").write_text("\n".join(json.dumps(one) for one in bare), "utf-8")
    with pytest.raises(InputError, match="--explain"):
        run(made, writer.url)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_every_form_of_a_scored_file_is_read(suffix: str, made: Path, writer: Model) -> None:
    frame, path = pd.DataFrame(ROWS), made / f"scored.{suffix}"
    if suffix == "csv":
        for name in ("articles", "explanation"):
            frame[name] = frame[name].map(json.dumps)
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    args = [
        "draft",
        path,
        made / "drafts.jsonl",
        "--tickets",
        made / "tickets.csv",
        "--endpoint",
        writer.url,
        "--model",
        "m",
    ]
    assert CliRunner().invoke(app, list(map(str, args)), catch_exceptions=False).exit_code == 0
    assert lines(made)[0]["draft"] == GOOD


def test_an_endpoint_that_fails_ends_with_1_and_everything_is_written(made: Path) -> None:
    with model(lambda _: Sent(400)) as broken, pytest.raises(RefusedError) as caught:
        run(made, broken.url)
    assert caught.value.exit_code == 1 and lines(made)[0]["reason"] == "endpoint_failed"
    with model(lambda _: Sent(400)) as broken:
        assert run(made, broken.url, "--force", "--max-failed", "1").exit_code == 0


def test_an_endpoint_that_refuses_everybody_leaves_no_half_a_file(made: Path) -> None:
    with model(lambda _: Sent(401)) as closed, pytest.raises(InputError, match="401"):
        run(made, closed.url)
    assert not (made / "drafts.jsonl").exists() and not list(made.glob(".*"))


def test_the_key_comes_from_the_variable_that_is_named(
    made: Path, writer: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_KEY", " k-1\n")
    done = run(made, writer.url, "--key-env", "OUR_KEY")
    assert writer.headers[0]["Authorization"] == "Bearer k-1" and "k-1" not in done.output
    for value in ("", "a\nb", "ключ"):
        monkeypatch.setenv("OUR_KEY", value)
        with pytest.raises(InputError, match="OUR_KEY") as caught:
            run(made, writer.url, "--force", "--key-env", "OUR_KEY")
        assert not value or value not in str(caught.value)
