"""What is said is kept before it is heard: the ledger, what people say of it, and what happened since."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from served import Served, serving, ticket

from pipeline.ledger import open_ledger
from pipeline.scorer import Scorer
from pipeline.serving.remember import remember


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keeping")


@pytest.fixture(scope="module")
def served(desk: Path, scorer: Path, folder: Path) -> Iterator[Served]:
    """A service with a ledger and a history store."""
    history = f"sqlite:///{folder}/h.db"
    remember(desk, history, Scorer.load(scorer).settings, progress=lambda name, rows: None)
    ledger = f"sqlite:///{folder}/ledger.db"
    with serving(scorer, folder, "--history", history, "--ledger", ledger) as running:
        yield running


def kept(folder: Path, ticket_id: str) -> list[Any]:
    with open_ledger(f"sqlite:///{folder}/ledger.db") as ledger:
        return ledger.decisions(ticket_id)


def test_a_decision_is_in_the_ledger_once_it_is_answered(client: httpx2.Client, folder: Path) -> None:
    row = client.post("/v1/score", json=ticket(1)).json()
    assert row["logged"] is True
    (decision,) = kept(folder, "Z-1")
    assert {**decision.scored, "logged": True, "shown": row["shown"]} == row
    assert (decision.door, decision.history) == ("http", True)


def test_refused_tickets_are_logged_too_and_a_repeated_answer_once(client: httpx2.Client, folder: Path) -> None:
    rows = client.post("/v1/score", json=[ticket(20), ticket(21, created_at="soon"), ticket(20)]).json()
    assert [row["logged"] for row in rows] == [True] * 3
    assert client.post("/v1/score", json=ticket(20)).json()["logged"] is True
    assert len([d for d in kept(folder, "Z-20") if d.scored["error"] is None]) == 1
    assert kept(folder, "Z-21")[0].scored["error"] == "bad_time"


def test_a_share_of_tickets_is_held_out_from_showing(client: httpx2.Client, folder: Path) -> None:
    rows = client.post("/v1/score", json=[ticket(n) for n in range(100, 200)]).json()
    assert 0 < sum(not row["shown"] for row in rows) < 20
    assert all(kept(folder, row["ticket_id"])[0].shown == row["shown"] for row in rows[:20])


def test_a_ticket_comes_back_with_its_decisions_and_what_people_said(client: httpx2.Client) -> None:
    row = client.post("/v1/score", json=ticket(2, ticket_id="a/b c")).json()
    said = {"ticket_id": "a/b c", "topic": "billing", "queue": "finance", "none_fits": True, "by": "agent-7"}
    assert client.post("/v1/feedback", json=said).json() == {"taken": 3, "errors": [None]}
    told = client.get("/v1/tickets/a%2Fb%20c").json()
    assert told["scored"] == {name: value for name, value in row.items() if name not in ("logged", "shown")}
    assert [d["scorer_version"] for d in told["decisions"]] == [row["scorer_version"]]
    assert told["decisions"][0]["topic_confidence"] == row["topic_confidence"]
    assert sorted((f["kind"], f["value"], f["by"]) for f in told["feedback"]) == [
        ("none_fits", None, "agent-7"), ("queue", "finance", "agent-7"), ("topic", "billing", "agent-7"),
    ]  # fmt: skip
    assert {f["decision"] for f in told["feedback"]} == {told["decisions"][0]["decision"]}
    unknown = client.get("/v1/tickets/never-seen")
    assert (unknown.status_code, unknown.json()["where"]) == (404, "ticket_id")


def test_feedback_that_says_nothing_has_a_code_and_the_rest_is_kept(client: httpx2.Client) -> None:
    sent = [
        {"ticket_id": "Z-3", "topic": "billing", "given_at": "2026-03-02T12:00:00Z"},
        {"topic": "billing"},
        {"ticket_id": "Z-3"},
        {"ticket_id": "Z-3", "topic": {"a": 1}},
        {"ticket_id": "Z-3", "priority": "x" * 500},
        {"ticket_id": "Z-3", "topic": "billing", "given_at": "soon"},
        {"ticket_id": "Z-3", "topic": "billing", "given_at": "2199-01-01T00:00:00Z"},
        {"ticket_id": "Z-3", "none_fits": False},
        7,
        {"ticket_id": "Z-3", "kind": "queue", "value": "finance"},
        {"ticket_id": "Z-3", "kind": "none_fits"},
        {"ticket_id": "Z-3", "kind": "queue"},
        {"ticket_id": "Z-3", "kind": "dance", "value": "waltz"},
    ]
    got = client.post("/v1/feedback", json=sent)
    assert got.status_code == 200
    assert got.json() == {
        "taken": 3,
        "errors": [
            None, "missing_id", "unknown_kind", "missing_value", "missing_value", "bad_time", "future_time",
            "unknown_kind", "not_an_object", None, None, "missing_value", "unknown_kind",
        ],
    }  # fmt: skip


def test_what_happened_changes_what_is_said_next(client: httpx2.Client, desk: Path) -> None:
    asked = ticket(4, ticket_id="E-1", customer_id="C-events", as_of="2026-03-09T12:00:00Z")
    before = client.post("/v1/score", json=asked).json()
    happened = [
        {"ticket_id": "E-1", "kind": "reply", "side": "customer", "occurred_at": f"2026-03-0{day}T12:00:00Z",
         "text": "I still wait. This is the last time that I ask, I shall cancel."}
        for day in range(3, 8)
    ]  # fmt: skip
    got = client.post("/v1/events", json={"tickets": [asked], "events": happened})
    assert got.json() == {
        "tickets_new": 1, "tickets_changed": 0, "events_new": 5, "events_repeated": 0,
        "ticket_errors": [None], "event_errors": [None] * 5,
    }  # fmt: skip
    after = client.post("/v1/score", json=asked).json()
    assert after["escalation_risk"] != before["escalation_risk"]
    again = client.post("/v1/events", json=happened).json()
    assert (again["events_new"], again["events_repeated"]) == (0, 5)


def test_bad_events_have_codes_and_the_rest_goes_in(client: httpx2.Client) -> None:
    at = {"ticket_id": "E-2", "occurred_at": "2026-03-03T12:00:00Z"}
    sent = [
        at | {"kind": "status", "value": "open"},
        at | {"kind": "dance"},
        at | {"kind": "field"},
        {"ticket_id": "E-2", "kind": "reply"},
        {"kind": "reply", "occurred_at": "2026-03-03T12:00:00Z"},
        at | {"kind": "reply", "text": "half \ud800 \x00", "side": ["x"], "actor": {"deep": []}},
        "no object",
    ]
    got = client.post("/v1/events", content=_json(sent), headers={"content-type": "application/json"})
    assert got.status_code == 200
    assert got.json()["event_errors"] == [
        None, "unknown_kind", "missing_field", "bad_time", "missing_id", None, "not_an_object",
    ]  # fmt: skip
    assert got.json()["events_new"] == 2
    assert client.post("/v1/events", json={}).json()["event_errors"] == ["missing_id"]
    assert client.post("/v1/events", json="x").status_code == 422


def test_what_the_store_refuses_has_a_code_and_the_rest_goes_in(client: httpx2.Client, folder: Path) -> None:
    no = "SELECT RAISE(ABORT, 'no'); END"
    triggers = {
        "no_ticket": f"BEFORE INSERT ON history_tickets WHEN NEW.ticket_id = 'E-bad' BEGIN {no}",
        "no_event": f"BEFORE INSERT ON history_events WHEN NEW.ticket_id = 'E-worse' BEGIN {no}",
    }
    with closing(sqlite3.connect(folder / "h.db", isolation_level=None)) as other:
        for name, text in triggers.items():
            other.execute(f"CREATE TRIGGER {name} {text}")
        at = {"kind": "status", "value": "open", "occurred_at": "2026-03-03T12:00:00Z"}
        events = [at | {"ticket_id": name} for name in ("E-7", "", "E-worse", "E-8")]
        tickets = [ticket(5, ticket_id=name) for name in ("E-7", "E-bad", "E-8")]
        got = client.post("/v1/events", json={"tickets": tickets, "events": events})
        for name in triggers:
            other.execute(f"DROP TRIGGER {name}")
    assert got.status_code == 200
    assert got.json()["ticket_errors"] == [None, "unstorable", None]
    assert got.json()["event_errors"] == [None, "missing_id", "unstorable", None]
    assert (got.json()["tickets_new"], got.json()["events_new"]) == (2, 2)


def test_without_a_ledger_and_a_store_it_is_said_so(scorer: Path, tmp_path: Path) -> None:
    with serving(scorer, tmp_path) as bare, bare.client() as client:
        for got in (
            client.post("/v1/feedback", json=[]), client.get("/v1/tickets/1"), client.post("/v1/events", json=[]),
        ):  # fmt: skip
            assert got.status_code == 404
            assert got.json()["do"].startswith("serve with --")


def test_while_the_ledger_is_locked_scoring_goes_on_and_the_spool_is_put_in_later(
    client: httpx2.Client, served: Served, folder: Path
) -> None:
    lock = sqlite3.connect(folder / "ledger.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        assert client.post("/v1/score", json=ticket(50)).json()["logged"] is True
        assert client.post("/v1/feedback", json={"ticket_id": "Z-50", "topic": "billing"}).json()["taken"] == 1
        assert (folder / "ledger.db.spool.jsonl").stat().st_size > 0
        assert served.metric("triage_ledger_failures_total") >= 1
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    served.until(lambda: kept(folder, "Z-50") and client.get("/v1/tickets/Z-50").json()["feedback"])
    assert client.get("/v1/tickets/Z-50").json()["feedback"][0]["value"] == "billing"


def test_where_neither_ledger_nor_spool_can_be_written_the_answer_says_so(scorer: Path, tmp_path: Path) -> None:
    place = tmp_path / "gone"
    place.mkdir()
    with serving(scorer, tmp_path, "--ledger", f"sqlite:///{place}/ledger.db") as served, served.client() as client:
        assert client.post("/v1/score", json=ticket(1)).json()["logged"] is True
        for path in place.iterdir():
            path.unlink()
        place.rmdir()
        row = client.post("/v1/score", json=ticket(2)).json()
        assert (row["logged"], row["error"]) == (False, None)
        assert client.post("/v1/feedback", json={"ticket_id": "Z-1", "topic": "x"}).status_code == 503
        assert client.get("/v1/tickets/Z-1").status_code == 503
        assert served.metric("triage_unlogged_total") == 1


def _json(value: Any) -> str:
    import json

    return json.dumps(value)
