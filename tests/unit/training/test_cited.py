"""Suggestions held against what was cited later: figures by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_articles import index

from pipeline.articles.model import ArticleModel, Citations
from pipeline.articles.ranker import Ranker
from pipeline.pages.report import Header, Report
from pipeline.training.cited import FEWEST, beside_cited
from pipeline.training.report_files import figures

KNOWN = index()
MODEL = ArticleModel(
    KNOWN,
    Citations(np.array(["a", "b"], object), np.full(2, KNOWN.place["mail"]), np.zeros(2, np.int64), np.zeros((2, 4))),
    Ranker.of_content(np.zeros(4)), np.zeros(0), 0.0, 1,
)  # fmt: skip


def rows(n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Half of the tickets get the right article at 0.75, a quarter the wrong one first, a quarter none."""
    said: list[list[dict[str, Any]]] = []
    for i in range(n):
        right, wrong = ({"article_id": a, "probability": p} for a, p in (("print", 0.75), ("pass", 0.8)))
        said.append([[right], [right, wrong], [wrong, right | {"probability": 0.1}], []][i % 4])
    ids = [f"T{i}" for i in range(n)]
    return (
        pd.DataFrame({"ticket_id": [*ids, "uncited"], "articles": [*said, []]}),
        pd.DataFrame({"ticket_id": ids, "outcome": "article", "value": "print"}),
    )


def test_figures_by_hand() -> None:
    scored, outcomes = rows(40)
    found = beside_cited(scored, outcomes, MODEL, seed=0)
    assert found is not None
    by_name = {m.name: m for m in found.metrics}
    assert {n: m.scorer.value for n, m in by_name.items() if n != "ECE"} == {
        "recall@1": 0.5, "recall@3": 0.75, "MRR": 0.625, "hit@3": 0.75,
    }  # fmt: skip
    assert (found.tickets, found.none, found.none_of_all) == (40, 0.25, pytest.approx(11 / 41))
    assert [b.estimate.value for b in by_name["recall@1"].baselines] == [0.0], "mail was cited most, and is wrong"
    low, high = by_name["recall@3"].scorer.low, by_name["recall@3"].scorer.high
    assert low is not None and high is not None and low < 0.75 < high
    ece = by_name["ECE"].scorer.value
    assert ece == pytest.approx(0.5 * 0.25 + 0.25 * 0.8)


def test_several_right_articles_share_the_recall() -> None:
    scored, outcomes = rows(40)
    both = pd.concat([outcomes, outcomes.assign(value="mail")], ignore_index=True)
    found = beside_cited(scored, both, MODEL, seed=0)
    assert found is not None and found.metrics[0].scorer.value == 0.25


def test_articles_that_the_scorer_does_not_know_are_left_out() -> None:
    scored, outcomes = rows(40)
    assert beside_cited(scored, outcomes.assign(value="gone"), MODEL, seed=0) is None


def test_too_few_tickets_say_nothing() -> None:
    scored, outcomes = rows(FEWEST - 1)
    assert beside_cited(scored, outcomes, MODEL, seed=0) is None


def test_the_figures_stand_in_the_file_for_scripts() -> None:
    scored, outcomes = rows(40)
    report = Report(Header("v1", "", 0, "none", "by time", "final fit"), ())
    said = figures(replace(report, articles=beside_cited(scored, outcomes, MODEL, seed=0)))["articles"]
    assert said["recall@3"]["value"] == 0.75 and said["tickets"] == 40
