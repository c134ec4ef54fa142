"""Suggestions: what was cited before counts, what came later or on the ticket itself doesn't, and "none fits"."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_articles import articles, directions, index

from pipeline.articles.around import Uncovered
from pipeline.articles.earlier import Asked
from pipeline.articles.index import ArticleIndex
from pipeline.articles.model import SURENESS, ArticleModel, Citations
from pipeline.articles.ranker import Ranker, likeliest
from pipeline.history.log import DAY, NEVER

NOW = 100 * DAY
RANKER = Ranker(12.0, -5.0, -8.0, np.array([8.0, 7.0, 0.8, 0.0]), np.zeros(4))


def model(cited: list[tuple[str, str, int, str]], **changes: Any) -> ArticleModel:
    """With citations (ticket, article, when, the ticket's words)."""
    found = index()
    cited = sorted(cited, key=lambda one: found.place[one[1]])
    known = Citations(
        np.array([t for t, *_ in cited], dtype=object),
        np.array([found.place[a] for _, a, *_ in cited], dtype=np.int64),
        np.array([at for _, _, at, _ in cited], dtype=np.int64),
        directions([words for *_, words in cited]),
    )
    return replace(ArticleModel(found, known, RANKER, np.zeros(0), 0.0, 3), **changes)


def asked(text: str, *, at: int = NOW, name: str = "new", language: str | None = "en") -> Asked:
    return Asked([name], [text], [language], np.array([at]), directions([text]))


def ids(found: list[list[dict[str, Any]]]) -> list[str]:
    return [s["article_id"] for s in found[0]]


def test_what_an_article_says_ranks_it() -> None:
    assert ids(model([]).suggest(asked("I forgot my password")))[0] == "pass"


def test_what_helpers_did_before_ranks_it_too() -> None:
    often = [(f"T{i}", "print", 90 * DAY, "mail is broken") for i in range(20)]
    assert ids(model([]).suggest(asked("mail is broken")))[0] == "mail"
    assert ids(model(often).suggest(asked("mail is broken")))[0] == "print"


@pytest.mark.parametrize(
    ("when", "ticket"), [(NOW, "T"), (NOW + DAY, "T"), (90 * DAY, "new"), (NEVER, "T")],
    ids=["at that moment", "later", "on the ticket itself", "nobody knows when"],
)  # fmt: skip
def test_what_was_not_known_by_then_changes_nothing(when: int, ticket: str) -> None:
    often = [(ticket, "print", when, "mail is broken")] * 20
    assert model(often).suggest(asked("mail is broken")) == model([]).suggest(asked("mail is broken"))


def test_without_times_every_other_ticket_counts() -> None:
    often = [(f"T{i}", "print", NEVER, "mail is broken") for i in range(20)]
    assert ids(model(often).suggest(asked("mail is broken", at=NEVER)))[0] == "print"


def test_a_ticket_without_a_time_is_asked_after_all_that_is_known() -> None:
    often = [(f"T{i}", "print", 90 * DAY, "mail is broken") for i in range(20)]
    assert ids(model(often).suggest(asked("mail is broken", at=NEVER)))[0] == "print"


def test_only_articles_in_the_customers_language_are_suggested() -> None:
    assert ids(model([]).suggest(asked("print", language="de"))) == ["de"]
    assert "de" not in ids(model([]).suggest(asked("druck", language="en")))
    assert model([]).suggest(asked("print", language="fr")) == [[]]


def test_only_articles_about_the_tickets_product_are_suggested_where_a_field_names_it() -> None:
    made = replace(model([]), index=ArticleIndex.build(articles(product=["A", "B", None, "A"]), directions, words=90))
    rows = pd.DataFrame({"ticket_id": ["1", "2"], "created_at": pd.to_datetime(["2026-01-01"] * 2, utc=True)})
    rows = rows.assign(text="print my mail", language="en", **{"fields.device": ["b", None]})
    vectors = directions(rows["text"].tolist())
    by_device, anyhow = (Asked.of(rows, vectors, product=name) for name in ("device", None))
    assert [sorted(s["article_id"] for s in row) for row in made.suggest(by_device)] == [
        ["pass", "print"], ["mail", "pass", "print"],
    ]  # fmt: skip
    assert made.suggest(anyhow) == made.suggest(Asked.of(rows, vectors, product="no such field"))
    assert [len(row) for row in made.suggest(anyhow)] == [3, 3]
    assert [part.products for _, part in by_device.pieces()] == [["b", None]]


@pytest.mark.parametrize("text", ["", "   "])
def test_a_ticket_without_words_gets_none(text: str) -> None:
    assert model([]).suggest(asked(text)) == [[]]


def test_none_fits_is_an_answer() -> None:
    unsure = model([], fits=weighed(-5.0, passage=10.0), least=0.5)  # as near as the best passage is
    assert unsure.suggest(asked("the moon is out")) == [[]]
    assert ids(unsure.suggest(asked("my mail")))[0] == "mail"


def around(rows: list[tuple[str, int, bool, str]]) -> Uncovered:
    """Tickets that nothing in the index answered: when, whether an article was cited that is gone, and the language."""
    found = [np.array([row[i] for row in rows], dtype=kind) for i, kind in enumerate((object, np.int64, bool, str))]
    return Uncovered(*found, directions(["print it"] * len(rows)))


@pytest.mark.parametrize("gone", [True, False])
def test_where_earlier_tickets_like_it_had_no_article_of_the_index_none_fits(gone: bool) -> None:
    share, weight, constant = ("gone 24", -10.0, 5.0) if gone else ("cited 24", 10.0, -5.0)
    known = [("T1", "print", 90 * DAY, "print"), ("T2", "mail", 90 * DAY, "mail")]
    many = around([(f"U{i}", 91 * DAY, gone, "en") for i in range(5)])
    unsure = model(known, fits=weighed(constant, **{share: weight}), least=0.5)
    assert ids(unsure.suggest(asked("print")))[0] == "print"
    unsure = replace(unsure, uncovered=many)
    assert unsure.suggest(asked("print")) == [[]]
    assert ids(unsure.suggest(asked("my mail")))[0] == "mail"
    assert ids(unsure.suggest(asked("print", at=91 * DAY)))[0] == "print", "nobody knew by then"
    assert unsure.suggest(asked("print", name="U1")) == [[]], "its own is left out, the others are there"
    assert ids(unsure.suggest(asked("print", language="de")))[0] == "de", "they are in another language"
    again = ArticleModel.from_state(unsure.state())
    assert again.suggest(asked("print")) == [[]] and ids(again.suggest(asked("my mail")))[0] == "mail"


def test_where_what_helped_is_about_another_product_none_fits() -> None:
    often = [(f"T{i}", "print", 90 * DAY, "print") for i in range(5)]
    named = ArticleIndex.build(articles(product=["A", "B", None, "A"]), directions, words=90)
    unsure = replace(model(often), index=named, fits=weighed(5.0, **{"gone 24": -10.0}), least=0.5)
    about = dict(zip(named.ids, named.products, strict=True))["print"]
    for product, fits in ((about, True), (None, True), ("no such", True), ("B" if about == "A" else "A", False)):
        (found,) = unsure.suggest(asked("print")._replace(products=[product]))
        assert bool(found) is fits


def weighed(constant: float, **weights: float) -> np.ndarray:
    """`ArticleModel.fits`, by name."""
    return np.array([*(weights.get(name, 0.0) for name in SURENESS), constant])


def test_a_suggestion_says_what_it_is_and_why() -> None:
    made = model([("T1", "print", 90 * DAY, "print"), ("T2", "print", 95 * DAY, "print"), ("T3", "mail", 0, "mail")])
    question = asked("I can't print the page")
    first = made.suggest(question)[0][0]
    assert first["article_id"] == "print" and first["title"] == "Print a page"
    assert first["url"] == "https://help.example/print" and 0 < first["probability"] <= 1
    why = made.explain(question, made.suggest(question), words=3, tickets=2)[0][0]
    assert why["article_id"] == "print" and why["passage"].startswith("Print a page.")
    assert why["words"] and {*why["words"]} <= {"print", "the", "page"}
    assert [t["ticket_id"] for t in why["tickets"]] == ["T1", "T2"]


def test_a_batch_is_answered_as_its_rows_are() -> None:
    texts = ["mail", "print", "password", "nothing of it"] * 150
    made = model([("T1", "print", 90 * DAY, "print")])
    names = [str(i) for i in range(len(texts))]
    together = made.suggest(Asked(names, texts, ["en"] * 600, np.full(600, NOW), directions(texts)))
    assert len(together) == 600
    for row in (0, 1, 255, 256, 599):
        alone = made.suggest(asked(texts[row], name=str(row)))[0]
        assert [s["article_id"] for s in together[row]] == [s["article_id"] for s in alone]
        assert [s["probability"] for s in together[row]] == pytest.approx([s["probability"] for s in alone], abs=1e-6)


@pytest.mark.parametrize(("rows", "articles", "most"), [(5, 40, 3), (3, 2, 3), (4, 6, 0), (0, 4, 2), (2, 0, 3)])
def test_the_likeliest_are_those_of_a_whole_stable_sort(rows: int, articles: int, most: int) -> None:
    likely = np.random.default_rng(0).integers(0, 8, (rows, articles)) / 8  # many are alike
    assert likeliest(likely, most) == np.argsort(-likely, axis=1, kind="stable")[:, :most].tolist()


def test_an_empty_knowledge_base_suggests_nothing() -> None:
    nothing = ArticleIndex.build(articles().iloc[:0], directions, words=90)
    none = Citations(np.zeros(0, object), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4), np.float32))
    made = replace(model([]), index=nothing, citations=none, ranker=Ranker.of_content(np.zeros(2)))
    assert made.suggest(asked("mail")) == [[]]


def test_what_was_stored_is_read_again() -> None:
    made = model([("T1", "print", 90 * DAY, "print")], fits=np.ones(len(SURENESS) + 1), least=0.1)
    again = ArticleModel.from_state(made.state())
    assert again.suggest(asked("print my mail")) == made.suggest(asked("print my mail"))


def test_a_citation_with_an_absurd_date_leaves_the_others_their_weight() -> None:
    usual = [(f"T{i}", "print", 90 * DAY, "mail is broken") for i in range(20)]
    odd = [*usual, ("T99", "pass", 500 * 365 * DAY, "mail is broken")]
    some = np.array([NOW])[:, None]
    for cited in (usual, odd):
        one = model(cited)
        before = np.array([[known < NOW for known in one.citations.known]])
        popular = one._popular(some, before)
        assert popular[0].argmax() == one.index.place["print"] and popular[0].max() > -0.2
