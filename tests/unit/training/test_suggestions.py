"""Suggested articles are learned from what was cited before, judged on later tickets, and part of the one scorer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from factories import tickets
from made_articles import articles as pages
from made_articles import cited_tickets

from pipeline.articles.model import Citations
from pipeline.config import Articles, Encoder, Params
from pipeline.errors import ConfigError, GateError
from pipeline.scorer import Scorer
from pipeline.sources.raw import Raw
from pipeline.tickets.schema import empty
from pipeline.training.assemble import assemble
from pipeline.training.featurize import Featurized, featurize
from pipeline.training.prepare import Prepared, prepare_raw
from pipeline.training.suggestions import FEWEST, Made, make, ranking_figures
from pipeline.training.train import train

PARAMS = replace(Params(), encoder=Encoder(name="none", cache=""))


def quiet(line: str) -> None:
    """Say nothing."""


def desk(n: int, *, articles: pd.DataFrame | None = None, cut: int | None = None, **outcomes: Any) -> Prepared:
    """Of `cited_tickets`."""
    rows = cited_tickets(n)
    known = pages() if articles is None else articles
    raw = Raw(rows, empty("events"), empty("outcomes"), known, outcomes or {"article": "cited"}, [])
    return prepare_raw(raw, PARAMS, test_from=None if cut is None else rows["created_at"].iloc[cut])


def some(citations: Citations, rows: np.ndarray) -> Citations:
    """A few of them."""
    return Citations(*(values[rows] for values in citations))


def made(prepared: Prepared, params: Params = PARAMS) -> tuple[Made, Featurized]:
    blocks = featurize(prepared, params, say=quiet)
    return make(prepared, blocks, params, say=quiet), blocks


@pytest.fixture(scope="module")
def learned() -> tuple[Prepared, Featurized, Scorer]:
    prepared = desk(400)
    blocks = featurize(prepared, PARAMS, say=quiet)
    trained = train("article", prepared, blocks, PARAMS, say=quiet)
    return prepared, blocks, assemble(prepared, blocks, {"article": trained}, PARAMS)


def later(prepared: Prepared, **columns: Any) -> pd.DataFrame:
    day = prepared.frame["created_at"].max() + pd.Timedelta("1D")
    body = ["toner jam in the tray, no copies", "login denied, account locked", "the moon is out"]
    return tickets(3, ticket_id=["n1", "n2", "n3"], created_at=day, subject=None, body=body, language="en", **columns)


def test_what_was_cited_is_learned_and_judged_on_the_latest_tickets() -> None:
    found, _ = made(desk(400))
    assert found.gate is not None and found.gate.passed
    assert found.figures["recall@1"] > 0.9 and found.figures["tickets"] == pytest.approx(90, abs=2)
    assert 0 <= found.figures["ECE"] < 0.1
    told = {name: value for name, value in found.figures.items() if name.startswith("ROC-AUC of “none fits”")}
    assert len(told) == 2 and all(0.5 < value <= 1 for value in told.values()), "nothing was settled without an article"


def test_an_article_that_was_dismissed_on_tickets_like_this_one_falls_behind_another() -> None:
    prepared = desk(400)
    print_ = (prepared.frame["fields.cited"] == "print").to_numpy(bool)
    ids = prepared.frame["ticket_id"][print_]
    either = prepared.citations["ticket_id"].isin(ids[::2])
    prepared.citations.loc[either.to_numpy(bool), "value"] = "mail"  # on tickets about printers one is as likely
    said = pd.DataFrame({"ticket_id": ids[1::2], "value": "mail", "known_at": prepared.frame["created_at"].max()})
    new, found = later(prepared), []
    for dismissed in (said[:0], said):
        there = replace(prepared, dismissed=dismissed)
        blocks = featurize(there, PARAMS, say=quiet)
        trained = train("article", there, blocks, PARAMS, say=quiet)
        scorer = assemble(there, blocks, {"article": trained}, PARAMS)
        found.append([{a["article_id"]: a["probability"] for a in row} for row in scorer.score(new)["articles"]])
    before, after = found
    assert before[0]["mail"] > 0.1 and after[0]["mail"] < 0.75 * before[0]["mail"]
    assert after[0]["print"] > before[0]["print"]
    assert after[1]["pass"] == pytest.approx(before[1]["pass"], abs=0.05), "other tickets hardly know of it"


def test_chance_passes_no_gate() -> None:
    prepared = desk(400)
    draw = np.random.default_rng(1)
    prepared.citations["value"] = draw.permutation(prepared.citations["value"].to_numpy())
    found, _ = made(prepared)
    assert found.gate is not None and not found.gate.passed


def test_the_latest_tickets_decide() -> None:
    prepared = desk(400)
    latest = prepared.citations.index[-100:]
    turned = prepared.citations.loc[latest, "value"].map({"mail": "print", "print": "pass", "pass": "mail"})
    prepared.citations.loc[latest, "value"] = turned
    found, _ = made(prepared)
    assert found.gate is not None and not found.gate.passed and found.figures["recall@1"] < 0.5


def test_with_few_citations_the_weights_are_given() -> None:
    found, _ = made(desk(FEWEST - 10))
    assert found.gate is None and str(FEWEST) in found.note and not found.figures


def test_a_scorer_of_articles_alone_suggests_explains_and_is_stored(
    learned: tuple[Prepared, Featurized, Scorer], tmp_path: Path
) -> None:
    prepared, _, scorer = learned
    new = later(prepared)
    found = scorer.score(new, explain=True)
    first = [a[0]["article_id"] if a else None for a in found["articles"]]
    assert first[:2] == ["print", "pass"] and found["topic"].isna().all()
    why = found["explanation"][0]["articles"][0]
    assert why["article_id"] == "print" and why["tickets"] and why["passage"].startswith("Print a page.")
    saved = scorer.save(tmp_path / "scorer")
    again = Scorer.load(tmp_path / "scorer").score(new, explain=True)
    assert again["articles"].tolist() == found["articles"].tolist()
    assert again["explanation"].tolist() == found["explanation"].tolist()
    assert (again["scorer_version"] == saved.version).all()


def test_a_ticket_never_learns_from_what_was_cited_on_it_or_later(learned: tuple[Prepared, Featurized, Scorer]) -> None:
    """Before anything was cited, only the articles' own words are left; a known ticket's own citation is no help."""
    prepared, _, scorer = learned
    model = scorer.models.articles
    assert model is not None
    old = later(prepared).assign(created_at=prepared.frame["created_at"].min())
    none = replace(model, citations=some(model.citations, np.arange(0)))
    bare = replace(scorer, models=replace(scorer.models, articles=none))
    assert scorer.score(old)["articles"].tolist() == bare.score(old)["articles"].tolist()
    own = prepared.frame.iloc[[-1]].assign(created_at=prepared.frame["created_at"].max() + pd.Timedelta("1D"))
    without = some(model.citations, np.flatnonzero(model.citations.ticket != own["ticket_id"].iloc[0]))
    other = replace(scorer, models=replace(scorer.models, articles=replace(model, citations=without)))
    assert scorer.score(own)["articles"].tolist() == other.score(own)["articles"].tolist()


def test_nothing_known_at_the_cut_or_later_is_learned_from() -> None:
    assert len(desk(400, cut=300).citations) == 300


def test_articles_that_are_gone_or_unknown_are_never_suggested() -> None:
    known = pages()
    prepared = desk(400, articles=known[(known["article_id"] != "print").to_numpy(bool)])
    found, _ = made(prepared)
    assert "print" not in found.model.index.ids and len(found.model.citations.ticket) < 400


def test_a_field_of_the_ticket_says_which_product_its_articles_are_about(
    learned: tuple[Prepared, Featurized, Scorer], tmp_path: Path
) -> None:
    prepared, _, scorer = learned
    model = scorer.models.articles
    assert model is not None
    index = replace(model.index, products=tuple("tablet" if i == "print" else "phone" for i in model.index.ids))
    filtered = replace(
        scorer, models=replace(scorer.models, articles=replace(model, index=index, fits=np.zeros(0))),
        settings=replace(scorer.settings, articles=replace(scorer.settings.articles, product="device")),
    )  # fmt: skip
    filtered.save(tmp_path / "scorer")
    new = later(prepared, fields_device=["Phone", "Phone", None])
    for one in (filtered, Scorer.load(tmp_path / "scorer")):
        first, second, third = ({s["article_id"] for s in row} for row in one.score(new)["articles"])
        assert first == second == {"mail", "pass"} and "print" in third


def test_a_product_field_that_no_ticket_has_is_said_before_anything_is_trained() -> None:
    wrong = replace(PARAMS, articles=Articles(product="citd"))
    raw = Raw(tickets(9, fields_cited="mail"), empty("events"), empty("outcomes"), pages(), {"article": "cited"}, [])
    with pytest.raises(ConfigError, match=r"(?s)articles: product.*citd.*cited"):
        prepare_raw(raw, wrong)


def test_only_the_newest_citations_are_kept() -> None:
    found, _ = made(desk(400), replace(PARAMS, articles=Articles(max_citations=10)))
    assert len(found.model.citations.ticket) == 10
    assert found.model.citations.known.min() > 0


def test_without_articles_there_is_no_such_model() -> None:
    prepared = desk(60, articles=empty("articles"), topic="cited")
    blocks = featurize(prepared, PARAMS, say=quiet)
    trained = train("article", prepared, blocks, PARAMS, say=quiet)
    assert not trained.parts and "no articles; no replies: 0 tickets" in trained.about["why_none"]
    with pytest.raises(GateError):
        assemble(prepared, blocks, {"article": trained}, PARAMS)


def test_prepared_articles_and_citations_are_stored(tmp_path: Path) -> None:
    prepared = desk(60)
    prepared.save(tmp_path)
    again = Prepared.load(tmp_path)
    assert again.citations.equals(prepared.citations) and len(again.articles) == 4


def test_figures_of_rankings_by_hand() -> None:
    right = np.array([[True, False, True, False], [False, False, False, True]])
    likely = np.array([[0.5, 0.3, 0.1, 0.05], [0.4, 0.3, 0.2, 0.1]])
    found = ranking_figures(right, likely)
    assert (found["recall@1"], found["recall@3"], found["hit@3"]) == (0.25, 0.5, 0.5)
    assert found["MRR"] == pytest.approx((1 + 1 / 4) / 2)


def test_an_article_that_satisfies_is_an_auto_answer_candidate(learned: tuple[Prepared, Featurized, Scorer]) -> None:
    prepared, blocks, _ = learned
    back = pd.DataFrame({"ticket_id": prepared.frame["ticket_id"], "value": 0})
    back.loc[prepared.frame["ticket_id"].isin(_cited(prepared, "pass")), "value"] = 1
    known = replace(prepared, returns=back)
    params = replace(PARAMS, articles=Articles(auto_answer=0.5))
    scorer = assemble(known, blocks, {"article": train("article", known, blocks, params, say=quiet)}, params)
    first, second, third = scorer.score(later(prepared))["auto_answer"]
    assert first["article_id"] == "print" and first["probability"] > 0.95
    assert second["article_id"] == "pass" and second["probability"] < 0.05
    assert third is None
    never = replace(params, articles=Articles(auto_answer=None))
    quiet_one = assemble(known, blocks, {"article": train("article", known, blocks, never, say=quiet)}, never)
    assert quiet_one.score(later(prepared))["auto_answer"].isna().all()


def test_nobody_knows_how_an_article_satisfies_that_was_cited_a_few_times(
    learned: tuple[Prepared, Featurized, Scorer],
) -> None:
    prepared, blocks, _ = learned
    few = pd.DataFrame({"ticket_id": prepared.frame["ticket_id"].iloc[:30], "value": 0})
    found, params = replace(prepared, returns=few), replace(PARAMS, articles=Articles(auto_answer=0.0))
    scorer = assemble(found, blocks, {"article": train("article", found, blocks, params, say=quiet)}, params)
    assert scorer.score(later(prepared))["auto_answer"].isna().all()


def _cited(prepared: Prepared, article: str) -> list[str]:
    return prepared.citations.loc[prepared.citations["value"] == article, "ticket_id"].tolist()
