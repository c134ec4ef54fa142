"""Kitsune's records from files: tickets, replies, articles. All of it is made up."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from pipeline.errors import InputError
from pipeline.sources.kitsune import import_kitsune
from pipeline.sources.kitsune_fields import browser, metadata
from pipeline.sources.raw import load_raw, relabel

NOW = pd.Timestamp("2026-11-01", tz="UTC")
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0"


def question(number: int, **cells: str) -> dict[str, str]:
    return {
        "id": str(number),
        "created": f"2026-03-{number:02d}T10:00:00Z",
        "updated": f"2026-03-{number:02d}T20:00:00Z",
        "title": f"Question {number}",
        "content": "<p>It fails</p>",
        "tags": "mail;spam;",
        "product": "post",
        "topic": "mail",
        "locale": "en-US",
        "creator": f"user-{number}",
        "is_solved": "false",
        "is_spam": "false",
        "is_locked": "false",
        "solved_by": "user-secret",
        "metadata": f";useragent:{AGENT};category:fix;solver_id:user-secret",
    } | cells


def answer(number: int, of: int, **cells: str) -> dict[str, str]:
    return {
        "id": str(number),
        "question_id": str(of),
        "created": f"2026-03-{of:02d}T12:00:00Z",
        "content": '<p>See <a href="/en-US/kb/reset-it">this</a></p>',
        "creator": "user-helper",
        "is_spam": "false",
    } | cells


ARTICLE = {
    "id": "900",
    "title": "Reset it",
    "slug": "reset-it",
    "url": "https://forum.example/en-US/kb/reset-it",
    "locale": "en-US",
    "summary": "How to",
    "html": "<p>Do this</p>",
    "products_str": "post;web",
    "topics_str": "mail",
}


def put(path: Path, rows: list[dict[str, str]]) -> Path:
    text = pd.DataFrame(rows).to_csv(index=False)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    else:
        path.write_text(text, "utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    questions = [
        question(1, content="mail me: ann@example.org", topic="spam"),
        question(2, locale="pt-BR", is_solved="true"),
        question(3, topic="", content="I did /en-US/kb/reset-it already"),
    ]
    answers = [answer(11, 1), answer(12, 1, creator="user-1", content="thanks"), answer(13, 3)]
    import_kitsune(
        [put(tmp_path / "questions.csv.gz", questions)],
        tmp_path / "raw",
        answers=[put(tmp_path / "answers.csv", answers)],
        articles=[put(tmp_path / "articles.csv", [ARTICLE])],
        now=NOW,
    )
    return tmp_path / "raw"


def test_questions_become_tickets_without_anything_that_came_later(folder: Path) -> None:
    tickets = load_raw(folder).tickets
    first = tickets.iloc[0]
    assert (first["ticket_id"], first["channel"], first["language"]) == ("1", "web", "en")
    assert first["created_at"] == pd.Timestamp("2026-03-01 10:00", tz="UTC")
    assert first["body"] == "mail me: [EMAIL]"
    assert first["source"] == "questions.csv.gz:row-1"
    assert (first["fields.browser"], first["fields.browser_version"], first["fields.system"]) == (
        "Firefox",
        "133",
        "Windows",
    )
    assert first["fields.category"] == "fix"
    assert tickets["language"].tolist() == ["en", "pt", "en"]
    assert not tickets.astype("str").apply(lambda c: c.str.contains("secret", na=False)).any(axis=None)
    assert "fields.tags" not in tickets


def test_answers_become_replies_by_their_writers(folder: Path) -> None:
    events = load_raw(folder).events
    replies = events[events["kind"] == "reply"]
    assert replies["actor"].tolist() == ["user-helper", "user-1", "user-helper"]
    assert replies["text"].iloc[0].startswith("<p>See <a")


def test_only_the_question_its_topic_and_its_answers_are_dated(folder: Path) -> None:
    events = load_raw(folder).events
    dated = events[events["received_at"].notna()]
    assert set(zip(dated["kind"], dated["field"].fillna("-"), strict=True)) == {
        ("created", "-"), ("field", "topic"), ("reply", "-"),
    }  # fmt: skip
    assert set(events.loc[events["received_at"].isna(), "field"]) == {"is_solved", "is_spam", "is_locked"}


def test_topic_and_cited_article_are_the_outcomes(folder: Path) -> None:
    outcomes = load_raw(folder).outcomes
    assert outcomes[["ticket_id", "outcome", "value"]].to_numpy().tolist() == [
        ["1", "topic", "spam"],
        ["2", "topic", "mail"],
        ["1", "article", "900"],
    ]
    assert outcomes["known_at"].iloc[2] == pd.Timestamp("2026-03-01 12:00", tz="UTC")


def test_flags_are_facts_that_nobody_knows_the_arrival_of(folder: Path) -> None:
    events = load_raw(folder).events
    solved = events[(events["field"] == "is_solved") & (events["value"] == "true")]
    assert solved["ticket_id"].tolist() == ["2"]
    assert solved["received_at"].isna().all()
    assert solved["occurred_at"].iloc[0] == pd.Timestamp("2026-03-02 20:00", tz="UTC")


def test_settings_choose_the_escalation(folder: Path) -> None:
    _, frame = relabel(load_raw(folder), {"escalated": {"column": "is_solved", "equals": "true"}})
    assert frame[frame["outcome"] == "escalated"]["value"].tolist() == ["0", "1", "0"]


def test_answers_and_articles_may_come_later(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    questions = put(tmp_path / "q.csv", [question(1), question(2)])
    import_kitsune([questions], raw, now=NOW)
    assert "article" not in set(load_raw(raw).outcomes["outcome"])
    later = [put(tmp_path / "q2.csv", [question(3)])]
    answers = [put(tmp_path / "a.csv", [answer(11, 1), answer(12, 3)])]
    import_kitsune(later, raw, answers=answers, articles=[put(tmp_path / "k.csv", [ARTICLE])], now=NOW)
    outcomes = load_raw(raw).outcomes
    assert outcomes[outcomes["outcome"] == "article"]["ticket_id"].tolist() == ["1", "3"]


def test_a_question_that_is_there_already_is_refused_and_changes_nothing(folder: Path, tmp_path: Path) -> None:
    again = put(tmp_path / "again.csv", [question(1, topic="other", title="Changed"), question(4)])
    summary = import_kitsune([again], folder, answers=[tmp_path / "answers.csv"], now=NOW)
    raw = load_raw(folder)
    assert summary.refused == {"duplicate_id": 1}
    assert raw.tickets["subject"].tolist() == ["Question 1", "Question 2", "Question 3", "Question 4"]
    assert raw.outcomes[raw.outcomes["outcome"] == "topic"]["value"].tolist() == ["spam", "mail", "mail"]
    assert (raw.events["kind"] == "reply").sum() == 3


def test_a_bad_record_has_a_code_and_its_line(tmp_path: Path) -> None:
    rows = [question(1), question(1), question(2, created="yesterday"), question(3, id="")]
    summary = import_kitsune([put(tmp_path / "q.csv", rows)], tmp_path / "raw", now=NOW)
    assert summary.refused == {"bad_time": 1, "duplicate_id": 1, "missing_id": 1}
    lines = (tmp_path / "raw" / "rejects.jsonl").read_text().splitlines()
    assert lines[0] == '{"source": "q.csv:row-2", "code": "duplicate_id", "ticket_id": "1"}'


def test_a_text_of_megabytes_is_refused_and_a_reply_of_megabytes_has_no_text(tmp_path: Path) -> None:
    questions = put(tmp_path / "q.csv", [question(1), question(2, content="x" * 1_100_000)])
    answers = put(tmp_path / "a.csv", [answer(11, 1, content="y" * 1_100_000)])
    summary = import_kitsune([questions], tmp_path / "raw", answers=[answers], now=NOW)
    assert summary.refused == {"text_too_long": 1}
    events = load_raw(tmp_path / "raw").events
    assert events[events["kind"] == "reply"]["text"].isna().all()


def test_a_file_of_another_kind_names_the_missing_column(tmp_path: Path) -> None:
    row = {"id": "1", "created_at": "2026-03-01", "title": "t", "content": "c", "creator": "u"}
    path = put(tmp_path / "q.csv", [row])
    with pytest.raises(InputError, match="'created'") as caught:
        import_kitsune([path], tmp_path / "raw", now=NOW)
    assert "created_at" in str(caught.value)


def test_an_answer_to_a_question_elsewhere_is_counted(tmp_path: Path) -> None:
    summary = import_kitsune(
        [put(tmp_path / "q.csv", [question(1)])],
        tmp_path / "raw",
        answers=[put(tmp_path / "a.csv", [answer(11, 1), answer(12, 99, created="2026-03-05T10:00:00Z")])],
        now=NOW,
    )
    assert summary.notes["answers_without_question"] == 1


def test_metadata_values_may_hold_semicolons() -> None:
    assert metadata(f";useragent:{AGENT};category:fix;solver_id:u") == {
        "useragent": AGENT,
        "category": "fix",
        "solver_id": "u",
    }
    assert metadata("") == metadata(None) == {}


WINDOWS = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605.1.15"


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        (f"{WINDOWS} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0", ("Edge", "131")),
        (f"{WINDOWS} Chrome/130.0.0.0 Safari/537.36", ("Chrome", "130")),
        (f"{MAC} Version/17.4 Safari/605.1.15", ("Safari", "17")),
        ("curl/8.0", (None, None)),
    ],
)
def test_browsers_are_told_apart(agent: str, family: tuple[str | None, str | None]) -> None:
    assert browser(agent) == family
