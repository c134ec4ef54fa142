"""The live API, against a real local server with made pages and made faults."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest

from pipeline.errors import ConfigError, InputError
from pipeline.sources.kitsune_api import fetch_kitsune
from pipeline.sources.raw import Summary, load_raw

NOW = pd.Timestamp("2026-11-01", tz="UTC")
PER_PAGE = 2


def question(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "title": f"Question {number}",
        "content": "<p>mail me: ann@example.org</p>",
        "created": f"2026-03-{number:02d}T10:00:00Z",
        "updated": None,
        "creator": {"username": f"asker{number}", "display_name": "A Real Name", "avatar": "https://a.example/x.png"},
        "locale": "en-US",
        "product": "post",
        "topic": "mail",
        "tags": [{"name": "spam", "slug": "spam"}],
        "metadata": [{"name": "useragent", "value": "Firefox/133.0"}, {"name": "category", "value": "fix"}],
        "is_solved": False,
        "is_spam": False,
        "is_locked": False,
        "num_answers": 0 if number == 2 else 3,
    }


def answer(number: int, of: int) -> dict[str, Any]:
    return {
        "id": number,
        "question": of,
        "content": '<a href="/en-US/kb/reset-it">this</a>',
        "created": f"2026-03-{of:02d}T1{number % 10}:00:00Z",
        "creator": {"username": "helper"},
        "is_spam": False,
    }


ARTICLE = {
    "id": 900,
    "title": "Reset it",
    "slug": "reset-it",
    "url": "/en-US/kb/reset-it",
    "locale": "en-US",
    "products": ["post"],
    "topics": [],
    "summary": "How",
    "html": "<p>Do</p>",
}


class Forum:
    """Made pages, and faults by request number: a status, 'cut', or 'wait'."""

    def __init__(self) -> None:
        self.questions = [question(i) for i in range(1, 6)]
        self.answers = {i: [answer(10 * i + k, i) for k in range(3)] for i in (1, 3, 4, 5)}
        self.faults: dict[int, int | str] = {}
        self.asked: list[str] = []
        self.url = ""

    def respond(self, path: str, ask: dict[str, str]) -> tuple[int, Any]:
        if path == "/api/2/question/":
            assert ask["product"] == "post"
            assert ask["ordering"] == "+created"
            return self.page([q for q in self.questions if q["created"] > ask["created__gt"]], ask)
        if path == "/api/2/answer/":
            return self.page(self.answers.get(int(ask["question"]), []), ask)
        if path == "/api/1/kb/":
            return self.page([{"title": "Reset it", "slug": "reset-it"}, {"title": "Gone", "slug": "gone"}], ask)
        return (200, ARTICLE) if path == "/api/1/kb/reset-it" else (404, {"detail": "Not found."})

    def page(self, items: list[Any], ask: dict[str, str]) -> tuple[int, Any]:
        start = (int(ask["page"]) - 1) * PER_PAGE
        if start and start >= len(items):
            return 404, {"detail": "Invalid page."}
        more = f"{self.url}/next" if start + PER_PAGE < len(items) else None
        return 200, {"count": len(items), "next": more, "previous": None, "results": items[start : start + PER_PAGE]}


@pytest.fixture
def forum() -> Iterator[Forum]:
    made = Forum()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            fault = made.faults.get(len(made.asked))
            parts = urlsplit(self.path)
            status, body = made.respond(parts.path, {k: v[0] for k, v in parse_qs(parts.query).items()})
            data = json.dumps(body).encode()
            if isinstance(fault, int):
                status, data = fault, b"<html>busy</html>"
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            if fault == 429:
                self.send_header("Retry-After", "0")
            self.end_headers()
            if fault == "cut":
                self.wfile.write(data[: len(data) // 2])
                self.wfile.flush()
                self.connection.shutdown(2)
                self.close_connection = True
                return
            self.wfile.write(b" " * len(data) if fault == "html" else data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    server.server_close()


def fetch(forum: Forum, out: Path, **more: Any) -> Summary:
    return fetch_kitsune("post", "2026-03-01", out, url=forum.url, now=NOW, backoff_seconds=0.001, **more)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def test_all_pages_become_tickets_replies_and_articles(forum: Forum, tmp_path: Path) -> None:
    summary = fetch(forum, tmp_path / "raw")
    raw = load_raw(tmp_path / "raw")
    assert raw.tickets["ticket_id"].tolist() == ["1", "2", "3", "4", "5"]
    assert raw.tickets["customer_id"].iloc[0] == "asker1"
    assert raw.tickets["fields.category"].iloc[0] == "fix"
    assert (raw.events["kind"] == "reply").sum() == 12
    assert raw.articles["url"].tolist() == [f"{forum.url}/en-US/kb/reset-it"]
    assert summary.outcomes == {"article": 4, "topic": 5}
    assert not any("question=2" in path for path in forum.asked)


def test_neither_real_names_nor_addresses_are_stored(forum: Forum, tmp_path: Path) -> None:
    forum.faults = {6: 404}
    with pytest.raises(InputError):
        fetch(forum, tmp_path / "raw")
    kept = b"".join(p.read_bytes() for p in (tmp_path / "raw").rglob("*") if p.is_file())
    assert b"Question 1" in kept
    assert b"Real Name" not in kept
    assert b"ann@example.org" not in kept


@pytest.mark.parametrize("fault", [500, 503, 429, "cut"])
def test_a_passing_fault_changes_nothing(forum: Forum, tmp_path: Path, fault: int | str) -> None:
    fetch(forum, tmp_path / "calm")
    forum.asked.clear()
    forum.faults = {1: fault, 4: fault, 5: fault, 9: fault}
    fetch(forum, tmp_path / "stormy")
    assert contents(tmp_path / "stormy") == contents(tmp_path / "calm")


@pytest.mark.parametrize("stop", range(1, 15))
def test_a_fetch_that_was_stopped_anywhere_goes_on_and_ends_the_same(forum: Forum, tmp_path: Path, stop: int) -> None:
    fetch(forum, tmp_path / "whole")
    total = len(forum.asked)
    forum.asked.clear()
    forum.faults = {stop: 403}
    with pytest.raises(InputError, match="goes on from here"):
        fetch(forum, tmp_path / "parts")
    journal = next((tmp_path / "parts").glob(".fetch-*")) / "pages.jsonl"
    with journal.open("ab") as handle:
        handle.write(b'{"kind": "answer", "of": "1", "records": [{"id"')  # cut off by the kill
    forum.faults = {}
    fetch(forum, tmp_path / "parts")
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert len(forum.asked) == total + 1


def test_a_kill_after_the_import_and_before_the_clean_up_does_not_import_twice(forum: Forum, tmp_path: Path) -> None:
    forum.faults = {14: 403}
    with pytest.raises(InputError):
        fetch(forum, tmp_path / "raw")
    forum.faults = {}
    aside = next((tmp_path / "raw").glob(".fetch-*"))
    shutil.copytree(aside, tmp_path / "copy")
    first = fetch(forum, tmp_path / "raw")
    before = contents(tmp_path / "raw")
    shutil.copytree(tmp_path / "copy", aside)
    assert fetch(forum, tmp_path / "raw") == first
    assert contents(tmp_path / "raw") == before


def test_the_next_days_fetch_adds_what_is_new(forum: Forum, tmp_path: Path) -> None:
    fetch(forum, tmp_path / "raw")
    forum.questions.append(question(6))
    forum.answers[2] = [answer(99, 2)]
    forum.questions[1]["num_answers"] = 1
    summary = fetch(forum, tmp_path / "raw")
    raw = load_raw(tmp_path / "raw")
    assert summary.refused == {}
    assert raw.tickets["ticket_id"].tolist() == ["1", "2", "3", "4", "5", "6"]
    assert (raw.events["kind"] == "reply").sum() == 13
    assert (raw.events["kind"] == "created").sum() == 6


def test_a_platform_that_stays_down_is_named_without_a_traceback(forum: Forum, tmp_path: Path) -> None:
    forum.faults = dict.fromkeys(range(1, 20), 503)
    with pytest.raises(InputError, match="503"):
        fetch(forum, tmp_path / "raw")
    assert len(forum.asked) == 7


def test_a_page_that_is_no_json_is_refused(forum: Forum, tmp_path: Path) -> None:
    forum.faults = {1: "html"}
    with pytest.raises(InputError, match="JSON"):
        fetch(forum, tmp_path / "raw")


def test_nobody_at_the_address_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="doesn't answer"):
        fetch_kitsune("post", "2026-03-01", tmp_path, url="http://127.0.0.1:1", now=NOW, backoff_seconds=0.001)


@pytest.mark.parametrize(("since", "url"), [("next week", "http://x"), ("2026-03-01", "ftp://x"), ("2026-03-01", "x")])
def test_a_wrong_day_or_address_is_refused_before_anything_is_asked(tmp_path: Path, since: str, url: str) -> None:
    with pytest.raises(ConfigError):
        fetch_kitsune("post", since, tmp_path / "raw", url=url, now=NOW)
    assert not (tmp_path / "raw").exists()


def test_progress_is_told(forum: Forum, tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    fetch(forum, tmp_path / "raw", progress=lambda name, count: told.append((name, count)))
    assert ("page of questions", 3) in told
    assert ("answers to question", 4) in told
