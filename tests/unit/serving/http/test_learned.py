"""What the service decided can be made again, and what people told it is what the next training learns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pandas as pd
import pytest
from served import Served, serving, ticket

from pipeline.ledger import open_ledger
from pipeline.scorer import Scorer
from pipeline.serving.past import open_past
from pipeline.serving.remember import remember
from pipeline.serving.replay import replay
from pipeline.training.corrections import read_feedback
from pipeline.training.prepare import prepare


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("learned")


@pytest.fixture(scope="module")
def served(desk: Path, scorer: Path, folder: Path) -> Iterator[Served]:
    """A service with a ledger and a history store."""
    remember(desk, f"{folder}/h.db", Scorer.load(scorer).settings, progress=lambda name, rows: None)
    with serving(scorer, folder, "--history", f"{folder}/h.db", "--ledger", f"{folder}/l.db") as running:
        yield running


def test_every_decision_of_the_service_can_be_made_again(client: httpx2.Client, scorer: Path, folder: Path) -> None:
    odd: list[dict[str, Any]] = [
        ticket(1, ticket_id="n\x00ul", body="a\x00b"),
        ticket(2, body="", subject=None),
        ticket(3, created_at=None),
        ticket(4, created_at="soonish"),
        ticket(5, customer_id="ann.lee@example.com", body="call me: +49 30 1234567 <p>now</p>"),
    ]
    asked = [*odd, *(ticket(n, body=f"It leaks, {n} times") for n in range(10, 40))]
    rows = client.post("/v1/score", json=asked).json()
    assert all(row["logged"] for row in rows)
    loaded = Scorer.load(scorer)
    with open_ledger(f"{folder}/l.db") as ledger, open_past(f"{folder}/h.db", loaded.settings) as past:
        made = list(ledger.all_decisions())
        assert len(made) == len(rows)
        for one in made:
            told = replay(one, loaded, past)
            assert told.same, (told.gone, [d.words for d in told.differences])


def test_a_correction_that_was_sent_changes_the_next_trainings_label(
    client: httpx2.Client, desk: Path, scorer: Path, folder: Path
) -> None:
    settings = Scorer.load(scorer).settings
    before = prepare(desk, settings, feedback=read_feedback(f"{folder}/l.db")).frame.set_index("ticket_id")
    corrected, accepted = before.index[5], before.index[6]
    sent = pd.read_parquet(desk / "tickets.parquet").set_index("ticket_id").loc[[corrected, accepted]]
    asked = [{"ticket_id": i, "subject": row["subject"], "body": row["body"]} for i, row in sent.iterrows()]
    answers = client.post("/v1/score", json=asked).json()
    said = [
        {"ticket_id": corrected, "topic": "Put right", "by": "agent-7"},
        {"ticket_id": accepted, "topic": answers[1]["topic"], "by": "agent-7"},
    ]
    assert client.post("/v1/feedback", json=said).json()["taken"] == 2
    after = prepare(desk, settings, feedback=read_feedback(f"{folder}/l.db"))
    labels = after.frame.set_index("ticket_id")["label.topic"]
    assert before["label.topic"][corrected] != labels[corrected] == "Put right"
    assert answers[1]["shown"] and labels[accepted] == before["label.topic"][accepted]
    assert after.about["feedback"] == {"corrections of topic": 1, "only accepted of topic": 1}
