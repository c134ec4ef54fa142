"""POST /v1/score: tickets in, records out; whatever is sent, the answer says what is wrong, and never quotes it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from served import Served, ticket

from pipeline.scorer import Scorer
from pipeline.tickets import schema

JSON = {"content-type": "application/json"}
SECRET = "Zyxwvut-9041"


def test_one_ticket_comes_back_as_one_record_with_its_version(client: httpx2.Client, scorer: Path) -> None:
    version = Scorer.load(scorer).version
    got = client.post("/v1/score", json=ticket())
    assert got.status_code == 200
    assert got.headers["x-scorer-version"] == got.json()["scorer_version"] == version
    assert list(got.json()) == [*schema.names("scored"), "logged", "shown"]
    assert got.json()["logged"] is None  # there is no ledger
    assert got.json()["explanation"] is None


def test_a_list_comes_back_with_its_length_and_order(client: httpx2.Client) -> None:
    rows = client.post("/v1/score", json=[ticket(n) for n in (5, 3, 9)]).json()
    assert [row["ticket_id"] for row in rows] == ["Z-5", "Z-3", "Z-9"]
    assert client.post("/v1/score", json=[]).json() == []


@pytest.mark.parametrize("how", ["query", "body"])
def test_reasons_come_on_request(client: httpx2.Client, how: str) -> None:
    asked: dict[str, Any] = {"params": {"explain": "true"}, "json": [ticket()]}
    if how == "body":
        asked = {"json": {"tickets": [ticket()], "explain": True}}
    (row,) = client.post("/v1/score", **asked).json()
    assert row["explanation"]["topic"]["contributions"]


def test_a_bad_ticket_has_its_code_and_its_neighbours_are_scored(client: httpx2.Client) -> None:
    sent = [
        ticket(1),
        {"body": SECRET},
        "no object",
        ticket(1),
        ticket(4, created_at="soon"),
        ticket(5, created_at="2199-01-01T00:00:00Z"),
        ticket(6, ticket_id="a\x07b"),
        {},
        ticket(8),
    ]
    got = client.post("/v1/score", json=sent)
    assert got.status_code == 200
    codes = [row["error"] for row in got.json()]
    assert codes == [
        None, "missing_id", "not_an_object", "duplicate_id", "bad_time", "future_time", "bad_id", "missing_id", None,
    ]  # fmt: skip
    assert all(row["queue_reason"] == f"fallback:{code}" for row, code in zip(got.json(), codes, strict=True) if code)


@pytest.mark.parametrize(
    "odd",
    [
        {"body": ["a", {"b": 1}]},
        {"body": 12.5, "subject": True},
        {"body": {"deep": {"er": None}}},
        {"customer_id": 7, "language": 3, "channel": [], "fields.x": {"y": 1}},
        {"body": "nul \x00 and half \ud800 a pair"},
        {"ticket_id": "\ud83d half", "subject": "\udc00"},
        {"body": "x" * 1_000_001},
        {"created_at": 10**400},
        {"created_at": float("inf")},
        {"as_of": "when it rains"},
        {"": 1, "\x00": 2, "error": "missing_id", "error.1": "x"},
    ],
)
def test_no_value_of_a_ticket_is_a_fault(client: httpx2.Client, odd: dict[str, Any]) -> None:
    got = client.post("/v1/score", content=json.dumps([ticket(1) | odd, ticket(2)]), headers=JSON)
    assert got.status_code == 200
    assert got.json()[1]["error"] is None
    assert got.json()[0]["queue"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (f'{{"body": "{SECRET}"'.encode(), 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, 400),
        (b'{"body": "\xff\xfe"}', 400),
        ('{"body": "x"}'.encode("utf-16"), 400),
        (b"9" * 10_000, 400),
        (f'"{SECRET}"'.encode(), 422),
        (b"null", 422),
        (f'{{"tickets": [], "explain": "{SECRET}"}}'.encode(), 422),
        (f'{{"tickets": [], "as_of": "{SECRET}"}}'.encode(), 422),
        (json.dumps([{}] * 1_001).encode(), 413),
        (json.dumps({f"fields.{n}": 1 for n in range(501)}).encode(), 422),
        (b" " * 6_000_000, 413),
    ],
)
def test_an_unreadable_body_is_refused_with_what_is_wrong_and_without_a_word_of_it(
    client: httpx2.Client, content: bytes, status: int
) -> None:
    got = client.post("/v1/score", content=content, headers=JSON)
    assert got.status_code == status
    assert set(got.json()) == {"error", "where", "do"}
    assert got.json()["error"] and SECRET not in got.text


def test_packed_bodies_and_other_kinds_are_refused_unread(client: httpx2.Client) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    got = client.post("/v1/score", content=bomb, headers=JSON | {"content-encoding": "gzip"})
    assert (got.status_code, got.json()["where"]) == (415, "Content-Encoding")
    got = client.post("/v1/score", content=b"{}", headers={"content-type": "text/plain"})
    assert (got.status_code, got.json()["where"]) == (415, "Content-Type")
    assert client.post("/v1/score?explain=perhaps", json=ticket()).status_code == 422
    assert client.post("/v1/score?as_of=perhaps", json=ticket()).status_code == 422
    assert client.post("/v1/score?as_of=now", json=ticket()).json()["as_of"] > "2026-03-03"


def test_a_body_without_end_is_cut_off(client: httpx2.Client, served: Served) -> None:
    sent = 0

    def endless() -> Any:
        nonlocal sent
        while sent < 100_000_000:
            sent += 65_536
            yield b" " * 65_536

    try:
        status = client.post("/v1/score", content=endless(), headers=JSON).status_code
    except httpx2.TransportError:
        status = 413
    assert status == 413
    assert sent < 60_000_000


def test_answers_carry_safe_headers_and_no_page_of_another_origin_may_ask(client: httpx2.Client) -> None:
    got = client.post("/v1/score", json=ticket(), headers={"origin": "https://elsewhere.example"})
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in got.headers["content-security-policy"]
    assert not [name for name in got.headers if name.startswith("access-control")]
    assert "server" not in got.headers
    assert client.options("/v1/score", headers={"origin": "https://elsewhere.example"}).status_code == 405
    rebound = client.post("/v1/score", json=ticket(), headers={"host": "elsewhere.example"})
    assert (rebound.status_code, rebound.json()["where"]) == (403, "Host")


def test_unknown_paths_and_methods_have_the_form_of_all_problems(client: httpx2.Client) -> None:
    assert client.get("/v2/score").json() == {
        "error": "not found",
        "where": "path or method",
        "do": "see /openapi.json",
    }
    assert client.get("/v1/score").status_code == 405


def test_the_model_is_described_without_a_ticket(client: httpx2.Client, scorer: Path) -> None:
    about = client.get("/v1/model").json()
    assert about["scorer_version"] == Scorer.load(scorer).version
    assert about["trained"]["first"] < about["trained"]["data_end"]
    assert "ids" not in about["trained"]
    assert about["models"]["topic"]["gate"]["metric"] == "accuracy"
    assert about["synthetic"] is True


def test_what_was_done_is_counted(served: Served, client: httpx2.Client) -> None:
    before = {name: served.metric(name) for name in ("triage_tickets_total", "triage_refused_total")}
    client.post("/v1/score", json=[ticket(1), ticket(2), {"body": SECRET}])
    assert served.metric("triage_tickets_total") - before["triage_tickets_total"] == 3
    assert served.metric("triage_refused_total") - before["triage_refused_total"] == 1
    assert served.metric("triage_abstained_total") > 0
    assert served.metric("triage_batch_tickets_count") > 0
    page = client.get("/metrics").text
    assert 'triage_requests_total{path="/v1/score",status="200"}' in page
    assert f'triage_scorer{{version="{client.get("/v1/model").json()["scorer_version"]}"}} 1.0' in page
    assert SECRET not in page


def test_nothing_that_was_sent_is_in_the_log(served: Served) -> None:
    assert SECRET not in served.log.read_text("utf-8")
    assert not [e for e in served.events() if e["event"] == "fault"]
