"""Which decision is made again, what has to be there for it, and how two answers are told apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest
from made_ledger import NOW, decided
from unit.serving.standin import StandIn

from pipeline.history.record import DatedFacts
from pipeline.ledger import Decision
from pipeline.scorer import Scorer
from pipeline.serving.past import Past
from pipeline.serving.replay import Difference, chosen, replay


class Again(StandIn):
    """Answers otherwise than it did, where it is told to."""

    def __init__(self, version: str = "standin-1", **otherwise: Any) -> None:
        super().__init__(version)
        self.otherwise, self.seen = otherwise, list[pd.DataFrame]()

    def score(self, tickets: pd.DataFrame, *, history: DatedFacts | None = None, explain: bool = False) -> pd.DataFrame:
        self.seen.append(tickets)
        plain = tickets if "error" in tickets else tickets.assign(error=None)
        scored = super().score(plain.assign(created_at=plain["as_of"]), explain=explain)
        for name, value in self.otherwise.items():
            scored[name] = [value]
        return scored


def again(made: Decision, scorer: Again, past: Past | None = None) -> Any:
    return replay(made, cast(Scorer, scorer), past)


def test_a_decision_that_is_made_again_is_the_same() -> None:
    (made,) = decided("t1", customer_id="4711")
    scorer = Again()
    assert again(made, scorer).same
    asked = scorer.seen[0]
    assert asked["as_of"][0] == pd.Timestamp(made.as_of) and asked["customer_id"][0] == "4711"


@pytest.mark.parametrize(
    ("otherwise", "words"),
    [
        ({"queue": "elsewhere"}, "queue: login, now elsewhere"),
        ({"escalation_risk": 0.5}, "escalation_risk: 0.128313, now 0.5"),
        ({"priority": None}, "priority: low, now nothing"),
        ({"summary": "a secret of the ticket"}, "summary"),
        ({"reply": {"text": "a secret", "source": "x", "probability": 0.5}}, "reply"),
        ({"similar": [{"ticket_id": "t-0", "probability": 0.6}]}, "similar[0].probability: 0.5, now 0.6"),
        ({"articles": [{"article_id": "a"}]}, "articles: 0 values, now 1 values"),
    ],
)
def test_what_differs_is_named_by_its_place_and_without_the_tickets_words(otherwise: Any, words: str) -> None:
    (made,) = decided("t1")
    told = again(made, Again(**otherwise))
    assert not told.same and [one.words for one in told.differences] == [words]


def test_numbers_may_differ_a_little() -> None:
    (made,) = decided("t1")
    risk = float(made.scored["escalation_risk"])
    assert again(made, Again(escalation_risk=risk + 9e-6)).same
    assert again(made, Again(escalation_risk=risk + 2e-5)).differences[0].field == "escalation_risk"


def test_what_is_gone_is_said_and_nothing_is_scored() -> None:
    (made,) = decided("t1", keep_days=0)
    scorer = Again("standin-2")
    told = again(replace(made, history=True), scorer)
    assert told.gone == (
        "the ticket isn't kept, or not any more",
        "it was decided by scorer standin-1, and this is standin-2",
        "it was decided with a history, and none was given",
    )
    assert not told.same and not scorer.seen


def test_a_refused_record_is_refused_again() -> None:
    (made,) = decided("t1")
    refused = {"error": "duplicate_id", "queue": "triage", "queue_reason": "fallback:duplicate_id"}
    tickets = Again()
    again(replace(made, scored=dict(made.scored) | refused), tickets)
    assert tickets.seen[0]["error"][0] == "duplicate_id"


def test_the_scorers_own_latest_decision_is_made_again_else_the_latest_or_the_one_that_is_named() -> None:
    made = [decided("t1", version=v, at=NOW + timedelta(hours=h))[0] for h, v in enumerate("abac")]
    made[2] = replace(made[2], key="f" * 64)
    assert chosen(made, "a") == made[2] and chosen(made, "b") == made[1] and chosen(made, "z") == made[3]
    assert chosen(made, "a", key=made[1].key[:12]) == made[1]
    assert chosen(made, "a", key="nothing begins so") is None and chosen([], "a") is None


def test_a_history_is_asked_only_where_the_decision_had_one() -> None:
    asked: list[pd.DataFrame] = []
    past = cast(Past, SimpleNamespace(read=asked.append))
    (made,) = decided("t1")
    assert again(made, Again(), past).same and not asked
    assert again(replace(made, history=True), Again(), past).same and len(asked) == 1
    assert Difference("queue", "a", "b").words == "queue: a, now b"
