"""Law 8 on a stream: a ticket gets the record that batch scoring writes, whichever broker brought it (synthetic)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from alike import close
from batched import batch_records
from laws.test_scorer import tolerance
from made_redis import PASSWORD, RedisServer
from nursery import nursery

from pipeline.scorer import Scorer
from pipeline.serving.remember import remember
from pipeline.serving.stream.transport import open_feed, parse_place

NOW = datetime(2026, 11, 23, tzinfo=UTC)
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def history(scorer: Scorer, raw: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store of all that happened."""
    url = f"sqlite:///{tmp_path_factory.mktemp('past')}/h.db"
    remember(raw, url, scorer.settings, progress=lambda name, count: None)
    return url


@pytest.fixture(scope="module")
def sent(pool: pd.DataFrame) -> Rows:
    """Tickets as a helpdesk would send them: some looked at later, some without words, one that can't be."""
    made: Rows = []
    for number, row in enumerate(pool.sample(40, random_state=3).to_dict("records")):
        item = {str(k): v for k, v in row.items() if isinstance(v, str) and k != "source"}
        item["created_at"] = row["created_at"].isoformat()
        if number % 7 == 2:
            item["as_of"] = (row["created_at"] + pd.Timedelta(hours=30)).isoformat()
        if number % 11 == 3:
            item = {k: v for k, v in item.items() if k not in ("subject", "body")}
        made.append(item)
    return [*made, {"ticket_id": "late", "subject": "x", "created_at": "3000-01-01T00:00:00Z"}]


def records(out: Path) -> Rows:
    """Records of a file, without what only a stream says."""
    lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    return [{k: v for k, v in line.items() if k != "key"} for line in lines]


def streamed(scorer: Scorer, source: str, target: str, history: str, folder: Path) -> None:
    """Run a real worker until nothing waits."""
    if not (folder / "scorer").exists():
        scorer.save(folder / "scorer")
    words = ["stream", "--from", source, "--to", target, "--scorer", folder / "scorer", "--history", history]
    process = nursery().start([*map(str, words), "--until-empty"], cwd=folder, log=folder / "log")
    assert process.wait(180) == 0, (folder / "log").read_text("utf-8")


def test_a_followed_file_gives_the_batchs_records(scorer: Scorer, sent: Rows, history: str, tmp_path: Path) -> None:
    wanted = batch_records(scorer, sent, tmp_path, now=NOW, history=history)
    streamed(scorer, str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl"), history, tmp_path)
    assert records(tmp_path / "out.jsonl") == wanted


def test_redis_gives_the_batchs_records(
    scorer: Scorer, sent: Rows, history: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    wanted = {row["ticket_id"]: row for row in batch_records(scorer, sent, tmp_path, now=NOW, history=history)}
    name = f"law-{tmp_path.name}"
    source = f"redis://:{PASSWORD}@127.0.0.1:{redis_server.port}/0?stream={name}&partitions=3"
    feed = open_feed(parse_place(source, "--to"))
    feed.put([(row["ticket_id"], json.dumps(row).encode()) for row in sent])
    feed.close()
    streamed(scorer, source, str(tmp_path / "out.jsonl"), history, tmp_path)
    found = records(tmp_path / "out.jsonl")
    assert sorted(row["ticket_id"] for row in found) == sorted(wanted)
    numbers = (
        "topic_confidence",
        "topic_oos_score",
        "priority_confidence",
        "priority_probabilities",
        "escalation_risk",
    )
    exact = tuple(found[0]) if tolerance(scorer) < 1e-3 else ("language", "error", "as_of", "summary")
    for row in found:  # in another order, so in other batches: law 2 says how alike they are
        names = {*numbers, *exact}
        pairs = ((row[name], wanted[row["ticket_id"]][name]) for name in names)
        assert all(close(a, b, tolerance(scorer)) for a, b in pairs), row["ticket_id"]
