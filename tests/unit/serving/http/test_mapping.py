"""A helpdesk's own objects are read by a mapping, as batch scoring reads them; without ids a service can't be."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from served import serving

from pipeline.scorer import Scorer
from pipeline.serving.batch import Settings, score_file
from pipeline.serving.intake import open_intake

MAPPING = """
ticket_id: ticket.id
created_at: {column: ticket.created, timezone: Europe/Berlin}
subject: ticket.title
body: [ticket.text, note]
customer_id: ticket.from.id
customer: {email: ticket.from.mail}
channel: via
fields: [product]
missing: ["-"]
"""


def payload(number: int, **more: Any) -> dict[str, Any]:
    told = {"id": number, "created": "02.03.2026 12:00", "title": "It leaks", "text": f"Water under machine {number}."}
    whose = {"id": f"C{number % 3}", "mail": f"who{number}@mail.example"}
    return {"ticket": told | {"from": whose}, "note": "-", "via": "email", "product": "Wren", "unheard": [1]} | more


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    path = tmp_path / "mapping.yaml"
    path.write_text(MAPPING, "utf-8")
    return path


def test_a_payload_gives_the_record_that_batch_gives(scorer: Path, mapping: Path, tmp_path: Path) -> None:
    sent = [payload(1), payload(2, note="and more"), payload(1), {"ticket": 3}, {}, payload(4, ticket={"id": 4})]
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps(one) + "\n" for one in sent), "utf-8")
    now, intake = datetime(2026, 11, 23, tzinfo=UTC), open_intake(source, mapping=mapping)
    score_file(intake, out, Scorer.load(scorer), now=now, settings=Settings(force=True))
    golden = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    with serving(scorer, tmp_path, "--mapping", mapping) as served, served.client() as client:
        rows = client.post("/v1/score", json=sent).json()
        single = client.post("/v1/score", json=payload(1)).json()
    assert [{k: v for k, v in row.items() if k not in ("logged", "shown")} for row in rows] == golden
    assert [row["error"] for row in rows] == [None, None, "duplicate_id", "missing_id", "missing_id", None]
    assert (single["ticket_id"], single["error"]) == ("1", None)


def test_a_mapping_without_ids_is_refused(scorer: Path, mapping: Path, tmp_path: Path) -> None:
    mapping.write_text("body: text\n", "utf-8")
    with serving(scorer, tmp_path, "--mapping", mapping, ready=False) as served:
        assert served.process.wait(60) == 2
        assert "a service needs the tickets' own ids" in served.log.read_text("utf-8")
