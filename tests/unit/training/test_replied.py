"""Replies and similar tickets held against what settled the tickets later: figures by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from pipeline.training.replied import FEWEST, beside_settled


def rows(n: int, outcome: str = "article") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every ticket is about `print`; its two similar ones are about `print` and `mail`, of one nobody knows.

    Half of them get a reply that settled a ticket about `print`, a quarter one about `mail`, a quarter none.
    """
    similar = [{"ticket_id": t, "probability": 0.5} for t in ("printed", "mailed", "unknown")]
    replies: list[dict[str, Any] | None] = []
    for i in range(n):
        source, sure = [("macro:printed", 0.9), ("ticket:printed", 0.9), ("ticket:mailed", 0.6), ("", 0.0)][i % 4]
        replies.append({"text": "Do so.", "source": source, "probability": sure} if source else None)
    ids = [f"T{i}" for i in range(n)]
    scored = pd.DataFrame({"ticket_id": [*ids, "alone"]})
    scored["similar"], scored["reply"] = [*([similar] * n), similar], [*replies, None]
    about = [*((t, "print") for t in ids), ("printed", "print"), ("mailed", "mail")]
    return scored, pd.DataFrame(about, columns=["ticket_id", "value"]).assign(outcome=outcome)


@pytest.mark.parametrize(
    ("outcome", "means"), [("article", "both were answered by the same article"), ("topic", "both have the same topic")]
)
def test_figures_by_hand(outcome: str, means: str) -> None:
    scored, outcomes = rows(80, outcome)
    found = beside_settled(scored, outcomes, seed=0)
    assert found is not None and found.means == means
    assert (found.tickets, found.shown, found.judged, found.compared) == (81, pytest.approx(60 / 81), 60, 80)
    assert found.right.value == pytest.approx(2 / 3) and found.similar.value == 0.5
    assert found.right.low is not None and found.right.high is not None and found.right.low < 2 / 3 < found.right.high
    assert found.similar.low == found.similar.high == 0.5, "every ticket has one of two"
    assert found.calibration is not None
    assert found.calibration.ece.value == pytest.approx((40 * 0.1 + 20 * 0.6) / 60)


def test_articles_count_before_topics_where_enough_tickets_have_one() -> None:
    scored, outcomes = rows(80)
    topics = outcomes.assign(outcome="topic", value="all the same")
    found = beside_settled(scored, pd.concat([topics, outcomes]), seed=0)
    assert found is not None and found.similar.value == 0.5
    few = outcomes[outcomes["ticket_id"].isin(["T1", "printed"])]
    found = beside_settled(scored, pd.concat([topics, few]), seed=0)
    assert found is not None and found.similar.value == 1.0 and found.means == "both have the same topic"


def test_with_few_replies_only_similar_tickets_are_judged() -> None:
    scored, outcomes = rows(FEWEST + 1)
    found = beside_settled(scored, outcomes, seed=0)
    assert found is not None and found.judged < FEWEST
    assert found.right.value is None and found.calibration is None and found.similar.value == 0.5


def test_too_few_tickets_say_nothing() -> None:
    scored, outcomes = rows(FEWEST - 1)
    assert beside_settled(scored, outcomes, seed=0) is None
    assert beside_settled(scored, outcomes.iloc[:0], seed=0) is None
