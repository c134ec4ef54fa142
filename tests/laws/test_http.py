"""The laws over HTTP: a ticket gets the record that batch scoring writes, and laws 1 to 7 hold (synthetic)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytest.importorskip("fastapi", reason="the extra `http` isn't installed")

import httpx2
from alike import close
from batched import batch_records
from hypothesis import given, settings
from hypothesis import strategies as st
from laws.test_scorer import rows as odd_rows
from laws.test_scorer import tolerance
from served import Served, serving

from pipeline.errors import ROW_CODES
from pipeline.scorer import Scorer
from pipeline.serving.remember import remember
from pipeline.tickets import schema

NOW = datetime(2026, 11, 23, tzinfo=UTC)
FEW = settings(max_examples=6)
PLACES = st.lists(st.integers(0, 39), min_size=1, max_size=6, unique=True)
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Door:
    """A service of a scorer with a history, and what batch scoring would ask."""

    served: Served
    client: httpx2.Client
    scorer: Scorer
    history: str
    folder: Path

    def score(self, rows: list[Any], **options: Any) -> Rows:
        """What the service answers, without what only it can say."""
        answered = self.client.post("/v1/score", json=rows, params=options)
        assert answered.status_code == 200, answered.text
        found: Rows = answered.json()
        for row in found:
            assert (row.pop("logged"), row.pop("shown")) == (None, None)
        return found

    def batch(self, rows: Rows, history: str | None, *, explain: bool) -> Rows:
        """What `triage score` writes as JSON lines."""
        return batch_records(self.scorer, rows, self.folder, now=NOW, history=history, explain=explain)


@pytest.fixture(scope="module")
def door(scorer: Scorer, raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One service for all laws of a scorer."""
    folder = tmp_path_factory.mktemp("door")
    history = f"sqlite:///{folder}/h.db"
    remember(raw, history, scorer.settings, progress=lambda name, count: None)
    scorer.save(folder / "scorer")
    with serving(folder / "scorer", folder, "--history", history) as served, served.client() as client:
        yield Door(served, client, scorer, history, folder)
        assert not [e for e in served.events() if e["event"] == "fault"]


@pytest.fixture(scope="module")
def sent(pool: pd.DataFrame) -> Rows:
    """40 tickets as a helpdesk would send them: some names absent, some odd, some looked at later."""
    made: Rows = []
    for number, row in enumerate(pool.sample(40, random_state=2).to_dict("records")):
        item = {str(k): v for k, v in row.items() if isinstance(v, str) and k != "source"}
        item["created_at"] = row["created_at"].isoformat()
        if number % 5 == 1:
            item.pop("subject", None)
        if number % 7 == 2:
            item["as_of"] = (row["created_at"] + pd.Timedelta(hours=30)).isoformat()
        if number % 11 == 3:
            item["fields.unheard"] = ["of", {"it": number}]
        made.append(item)
    return made


def test_the_records_are_those_of_the_batch_history_and_reasons_included(door: Door, sent: Rows) -> None:
    rows = [*sent, sent[0] | {"body": "again"}, {"body": "nobody's"}, sent[1] | {"ticket_id": "b\x01d"}]
    golden = door.batch(rows, door.history, explain=True)
    assert door.score(rows, explain=True) == golden
    assert door.score(rows) == [row | {"explanation": None} for row in golden]
    for row in rows[:3]:
        assert door.score([row]) == door.batch([row], door.history, explain=False)
    alone = door.batch(rows, None, explain=False)
    assert sum(a["escalation_risk"] != g["escalation_risk"] for a, g in zip(alone, golden, strict=True)) > 10


@FEW
@given(made=odd_rows(), more=st.lists(st.sampled_from([None, 3, "x", [], {}, {"ticket_id": "t0"}]), max_size=3))
def test_everything_sent_gives_one_record_with_a_queue(door: Door, made: Rows, more: list[Any]) -> None:
    found = door.score([*made, *more])
    assert len(found) == len(made) + len(more)
    for row in found:
        assert list(row) == schema.names("scored")
        assert row["queue"] and row["queue_reason"] and row["error"] in (None, *ROW_CODES)
    assert [row["ticket_id"] for row in found[: len(made)]] == [row["ticket_id"] for row in made]


@FEW
@given(places=PLACES)
def test_a_list_is_scored_as_its_tickets_alone_and_twice_gives_the_same(
    door: Door, sent: Rows, places: list[int]
) -> None:
    rows = [sent[place] for place in places]
    together = door.score(rows)
    assert door.score(rows) == together
    for row, found in zip(rows, together, strict=True):
        (alone,) = door.score([row])
        keys = ("ticket_id", "language", "topic", "topic_confidence", "escalation_risk", "priority_probabilities")
        assert all(close(alone[key], found[key], tolerance(door.scorer)) for key in keys)


@FEW
@given(places=PLACES, seed=st.randoms(use_true_random=False))
def test_order_of_names_unknown_names_and_nulls_change_nothing(
    door: Door, sent: Rows, places: list[int], seed: Any
) -> None:
    rows = [sent[place] for place in places]
    other = []
    for row in rows:
        items = [*row.items(), ("never heard of", {"x": [1]}), ("fields.also", None), ("summary", "no")]
        items += [(name, None) for name in schema.names("tickets") if name not in row and name != "source"]
        seed.shuffle(items)
        other.append(dict(items))
    assert door.score(other) == door.score(rows)


@FEW
@given(place=st.integers(0, 39), hours=st.integers(1, 200))
def test_what_is_received_from_the_moment_on_changes_nothing(door: Door, sent: Rows, place: int, hours: int) -> None:
    row = {k: v for k, v in sent[place].items() if k != "as_of"}
    moment = pd.Timestamp(row["created_at"]) + pd.Timedelta(hours=2)
    before = door.score([row | {"as_of": moment.isoformat()}])
    later = (moment + pd.Timedelta(hours=hours - 1)).isoformat()
    events = [
        {"ticket_id": row["ticket_id"], "kind": "reply", "side": "customer", "occurred_at": later, "text": "angry"},
        {"ticket_id": row["ticket_id"], "kind": "escalated", "occurred_at": later},
    ]
    put = door.client.post("/v1/events", json=events).json()
    assert put["events_new"] + put["events_repeated"] == 2
    assert door.score([row | {"as_of": moment.isoformat()}]) == before


def test_loaded_again_it_says_the_same(door: Door, sent: Rows, tmp_path: Path) -> None:
    before = door.score(sent)
    version = before[0]["scorer_version"]
    door.served.process.send_signal(signal.SIGHUP)
    door.served.wait_for("reloaded")
    assert door.score(sent) == before
    assert door.client.get("/v1/model").json()["scorer_version"] == version
