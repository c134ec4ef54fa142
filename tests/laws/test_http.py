"""Same at every door: over HTTP a ticket gets the record that batch scoring writes, field for field (synthetic)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytest.importorskip("fastapi", reason="the extra `http` isn't installed")

from served import Served, serving

from pipeline.scorer import Scorer
from pipeline.serving.batch import Settings, score_file
from pipeline.serving.intake import open_intake
from pipeline.serving.past import Moment, Remembering, open_past
from pipeline.serving.remember import remember

NOW = datetime(2026, 11, 23, tzinfo=UTC)
Rows = list[dict[str, Any]]


def sent(pool: pd.DataFrame, count: int) -> Rows:
    """Tickets as a helpdesk would send them: some columns absent, some odd, one twice, one without an id."""
    made: Rows = []
    for number, row in enumerate(pool.sample(count, random_state=2).to_dict("records")):
        item = {str(k): v for k, v in row.items() if isinstance(v, str) and k != "source"}
        item["created_at"] = row["created_at"].isoformat()
        if number % 5 == 1:
            item.pop("subject", None)
        if number % 7 == 2:
            item["as_of"] = (row["created_at"] + pd.Timedelta(hours=30)).isoformat()
        if number % 11 == 3:
            item["fields.unheard"] = ["of", {"it": number}]
        made.append(item)
    return [*made, made[0] | {"body": "again"}, {"body": "nobody's"}, made[1] | {"ticket_id": "b\x01d"}]


def by_batch(rows: Rows, scorer: Scorer, history: str | None, folder: Path, *, explain: bool) -> Rows:
    """What `triage score` writes as JSON lines."""
    source, out = folder / "in.jsonl", folder / "out.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with open_past(history, scorer.settings) as past:
        seeing = Remembering(scorer, past, Moment())
        score_file(open_intake(source), out, seeing, now=NOW, settings=Settings(explain=explain, force=True))
    return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


def over_http(served: Served, rows: Rows, **options: Any) -> Rows:
    """What the service answers, without what only it can say."""
    with served.client() as client:
        answered = client.post("/v1/score", json=rows, params=options)
    assert answered.status_code == 200, answered.text
    found: Rows = answered.json()
    for row in found:
        assert (row.pop("logged"), row.pop("shown")) == (None, None)
    return found


def test_the_records_are_those_of_the_batch_history_and_reasons_included(
    scorer: Scorer, raw: Path, pool: pd.DataFrame, tmp_path: Path
) -> None:
    rows, history = sent(pool, 40), f"sqlite:///{tmp_path}/h.db"
    remember(raw, history, scorer.settings, progress=lambda name, count: None)
    scorer.save(tmp_path / "scorer")
    with serving(tmp_path / "scorer", tmp_path, "--history", history) as served:
        golden = by_batch(rows, scorer, history, tmp_path, explain=True)
        assert over_http(served, rows, explain=True) == golden
        assert over_http(served, rows) == [row | {"explanation": None} for row in golden]
        for row in rows[:3]:
            assert over_http(served, [row]) == by_batch([row], scorer, history, tmp_path, explain=False)
    alone = by_batch(rows, scorer, None, tmp_path, explain=False)
    assert sum(a["escalation_risk"] != g["escalation_risk"] for a, g in zip(alone, golden, strict=True)) > 10
