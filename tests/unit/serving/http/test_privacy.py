"""Personal data planted in everything that can be sent is in no log, no error and no metric (all of it made up)."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import httpx2
from served import serving, ticket

from pipeline.scorer import Scorer
from pipeline.serving.remember import remember

PLANTED = (
    "Wilhelmina Quastenflosser", "w.quastenflosser@mail.example", "+49 30 90901820", "DE89 3704 0044 0532 0130 00",
    "4111 1111 1111 1111", "Hasenheide 98", "203.0.113.77", "password Kranich-4711", "token=9f86d081884c7d65",
)  # fmt: skip
JSON = {"content-type": "application/json"}


def corpus() -> list[dict[str, Any]]:
    """Tickets with all of it in every place: good ones, and each kind of bad one."""
    text = " · ".join(PLANTED)
    return [
        ticket(1, subject=text, body=text, customer_id=PLANTED[1], channel=PLANTED[0]),
        ticket(2, **{"fields.note": text, "language": text}),
        ticket(3, created_at=text, as_of=text),
        ticket(4, ticket_id=f"{text}\x07"),
        ticket(5, ticket_id=text * 10),
        ticket(6, body=text * 20_000),
        ticket(7, body={"deep": [text]}, **{text: text}),
        {"subject": text, "body": text},
    ]


def send_everything(client: httpx2.Client) -> list[httpx2.Response]:
    """Good and bad requests to every endpoint."""
    text, sent = " · ".join(PLANTED), corpus()
    event = {"ticket_id": "Z-1", "kind": "reply", "occurred_at": "2026-03-03T12:00:00Z", "text": text, "actor": text}
    bodies = [json.dumps(sent), json.dumps(sent)[:-9], json.dumps(text), f'{{"{text}": {text}}}', "[" * 9_999 + text]
    got = [client.post("/v1/score", content=body.encode(), headers=JSON) for body in bodies]
    got += [client.post("/v1/score", params={"explain": text}, json=sent[0])]
    got += [client.post("/v1/score", params={"as_of": text}, json=sent[0])]
    got += [client.post("/v1/score", content=text.encode("utf-16"), headers={"content-type": text[:20]})]
    got += [client.post("/v1/feedback", json=[{"ticket_id": "Z-1", "topic": text, "by": text}, text, {text: text}])]
    got += [client.post("/v1/events", json=[event, event | {"kind": text}, event | {"occurred_at": text}, text])]
    got += [client.get(f"/v1/tickets/{PLANTED[1]}"), client.get(f"/{PLANTED[1]}"), client.put("/v1/score", json=sent)]
    return got


def test_what_is_planted_in_requests_is_in_no_log_no_error_and_no_metric(
    desk: Path, scorer: Path, tmp_path: Path
) -> None:
    history = f"sqlite:///{tmp_path}/h.db"
    remember(desk, history, Scorer.load(scorer).settings, progress=lambda name, rows: None)
    options = ("--history", history, "--ledger", f"sqlite:///{tmp_path}/l.db")
    with serving(scorer, tmp_path, *options) as served, served.client() as client:
        got = send_everything(client)
        assert {answer.status_code for answer in got} >= {200, 400, 404, 405, 415, 422}
        assert all(answer.status_code < 500 for answer in got)
        refusals = [answer.text for answer in got if answer.status_code != 200]
        metrics = client.get("/metrics").text
        (tmp_path / "h.db").rename(tmp_path / "elsewhere.db")  # a fault of the history, too
        client.post("/v1/score", json=corpus())
        client.post("/v1/events", json=corpus())
        assert served.end(signal.SIGTERM) == 0
        told = "\n".join([served.log.read_text("utf-8"), metrics, *refusals])
    found = [word for word in PLANTED if word in told or json.dumps(word)[1:-1] in told]
    assert not found
    assert "Quastenflosser" not in told


def test_scored_records_name_the_customer_nowhere(client: httpx2.Client) -> None:
    rows = client.post("/v1/score", params={"explain": "1"}, json=corpus()).json()
    told = json.dumps([{k: v for k, v in row.items() if k != "ticket_id"} for row in rows], ensure_ascii=False)
    assert not [word for word in PLANTED[1:4] if word in told]
