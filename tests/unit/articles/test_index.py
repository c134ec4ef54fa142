"""The index: what is in it, what finds it, and that it survives storage."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_articles import articles, directions, index

from pipeline import artifact
from pipeline.articles.index import ArticleIndex, words_of


def test_words_find_the_passage_that_has_them() -> None:
    found = index()
    scores = found.best(found.scores(["how do I print this?", "zzz", ""]))
    assert scores[0].argmax() == found.place["print"]
    assert not scores[1:].any()


def test_scores_are_those_of_the_library() -> None:
    import bm25s

    found = index()
    reference = bm25s.BM25(method="lucene")
    reference.index([words_of(p) for p in found.passages], show_progress=False)
    query = ["print", "page", "mail"]
    assert found.scores([" ".join(query)])[0] == pytest.approx(reference.get_scores(query), abs=1e-5)


def test_addresses_are_no_words_of_a_ticket() -> None:
    assert words_of("see https://help.example/kb/print-mail and www.print.example now") == ["see", "and", "now"]


def test_meaning_finds_the_nearest_and_centres_have_unit_length() -> None:
    found = index()
    meaning = found.best(found.meanings(directions(["my mail", "nothing"])))
    assert meaning[0].argmax() == found.place["mail"]
    assert np.linalg.norm(found.centres, axis=1) == pytest.approx(1.0)


def test_an_article_in_another_language_is_not_for_this_customer() -> None:
    found = index()
    allowed = found.fitting(["en", "de", "und", None, "fr"])
    assert allowed.sum(axis=1).tolist() == [3, 1, 4, 4, 0]
    assert index_of(articles(language=None)).fitting(["fr"]).all()


@pytest.mark.parametrize(
    ("said", "fitting"),
    [
        ("Phone", "mail print de"),
        (" phone ", "mail print de"),
        ("TABLET", "print pass de"),
        ("Phone; Tablet", "mail print pass de"),
        ("Toaster;Phone", "mail print de"),
        *[(nobody, "mail print pass de") for nobody in (None, "", "Toaster")],
    ],
)
def test_an_article_about_another_product_is_not_for_this_ticket(said: str | None, fitting: str) -> None:
    found = index_of(articles(product=["phone", "Phone;Tablet", "tablet", None]))
    allowed = found.fitting([None], [said])[0]
    assert [name for name, good in zip(found.ids, allowed, strict=True) if good] == fitting.split()


def test_language_and_product_must_both_fit() -> None:
    found = index_of(articles(product=["phone", "tablet", "tablet", "phone"]))
    allowed = found.fitting(["de", "en", None], ["tablet", "phone", None])
    assert allowed.sum(axis=1).tolist() == [0, 1, 4]


def index_of(frame: pd.DataFrame) -> ArticleIndex:
    return ArticleIndex.build(frame, None, words=90)


def test_of_a_repeated_id_the_first_counts_and_one_without_an_id_is_left_out() -> None:
    twice = pd.concat([articles(), articles(title="Another")], ignore_index=True)
    twice.loc[3, "article_id"] = None
    found = index_of(twice)
    assert sorted(found.ids) == ["de", "mail", "pass", "print"]
    assert found.titles[found.place["mail"]] == "Send mail"


@pytest.mark.parametrize("rows", [0, 1])
def test_hardly_any_article_is_a_knowledge_base_too(rows: int) -> None:
    found = index_of(articles().iloc[:rows])
    scores = found.best(found.scores(["mail", ""]))
    assert scores.shape == (2, rows) and len(found) == rows
    assert found.fitting(["en", None]).shape == (2, rows)


def test_articles_without_any_word_can_be_indexed() -> None:
    found = index_of(articles(title=None, text=None))
    assert not found.best(found.scores(["mail"])).any()


def test_what_was_stored_is_read_again(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path)) / "one"
    made = index()
    artifact.write(folder, {"articles": made.state()}, {})
    again = ArticleIndex.from_state(artifact.read(folder)[0]["articles"])
    assert again.ids == made.ids and again.passages == made.passages and again.products == made.products
    assert (again.scores(["print the page"]) == made.scores(["print the page"])).all()
    assert (again.centres == made.centres).all()


def test_the_best_passage_of_each_article_counts_however_many_it_has() -> None:
    frame = pd.DataFrame(
        {
            "article_id": ["a", "b", "c"],
            "title": ["one", "two", "three"],
            "text": ["word " * 250, "", "word " * 90],
            **dict.fromkeys(["url", "language", "product"]),
        }
    )
    index = ArticleIndex.build(frame, None, words=90)
    assert np.bincount(index.owner).tolist() == [3, 1, 1]
    scores = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    expected = np.stack([scores[:, index.owner == article].max(axis=1) for article in range(3)], axis=1)
    assert np.array_equal(index.best(scores), expected)
