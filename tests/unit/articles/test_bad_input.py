"""Bad knowledge bases and bad tickets, from import to suggestion: each is answered clearly, none stops a run."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from factories import NOON, tickets
from made_articles import articles
from made_knowledge import PARAMS, desk
from made_knowledge import scorer as learned

from pipeline.articles.index import ArticleIndex
from pipeline.articles.passages import MOST
from pipeline.config import Params
from pipeline.errors import InputError
from pipeline.scorer import Scorer
from pipeline.sources.article_files import import_articles
from pipeline.sources.raw import Raw, load_raw
from pipeline.tickets import schema
from pipeline.training.assemble import assemble
from pipeline.training.check import check
from pipeline.training.featurize import featurize
from pipeline.training.gaps import gaps
from pipeline.training.prepare import prepare_raw
from pipeline.training.stale import stale
from pipeline.training.train import train

QUESTION = "paper jam in the tray, toner on all copies"
SIX = {
    "en": "Choose the printer, put paper in its tray, and print the page again.",
    "de": "Wählen Sie den Drucker, legen Sie Papier ein und drucken Sie die Seite noch einmal.",
    "fr": "Choisissez l'imprimante, mettez du papier dans le bac et imprimez la page de nouveau.",
    "es": "Elija la impresora, ponga papel en la bandeja e imprima la página otra vez.",
    "it": "Scegliete la stampante, mettete la carta nel vassoio e stampate di nuovo la pagina.",
    "nl": "Kies de printer, leg papier in de lade en druk de bladzijde opnieuw af.",
}


def trained(knowledge: pd.DataFrame) -> Scorer:
    """Learned from the desk, with another knowledge base."""
    prepared = prepare_raw(replace(desk(), articles=knowledge), PARAMS)
    blocks = featurize(prepared, PARAMS, say=str)
    models = {name: train(name, prepared, blocks, PARAMS, say=str) for name in ("topic", "article")}
    return assemble(prepared, blocks, models, PARAMS)


def scored(scorer: Scorer, *texts: str | None, **columns: Any) -> pd.DataFrame:
    """New tickets, later than all that was learned."""
    later = NOON + pd.Timedelta(days=60)
    names = [f"new{i}" for i in range(len(texts))]
    columns = {"language": "en"} | columns
    rows = tickets(len(texts), ticket_id=names, created_at=later, subject=None, body=list(texts), **columns)
    return scorer.score(rows, explain=True)


def suggested(found: pd.DataFrame) -> list[list[str]]:
    return [[one["article_id"] for one in row] for row in found["articles"]]


def imported(folder: Path, *pages: str) -> pd.DataFrame:
    """Pages through the import, as articles."""
    for at, page in enumerate(pages):
        (folder / f"page{at}.html").write_text(page, "utf-8")
    import_articles([folder / f"page{at}.html" for at in range(len(pages))], folder / "raw")
    return load_raw(folder / "raw").articles


def test_an_empty_knowledge_base_gives_a_scorer_that_suggests_nothing() -> None:
    nothing = articles().iloc[:0]
    scorer = trained(nothing)
    found = scored(scorer, QUESTION)
    assert found["articles"].tolist() == [[]] and found["topic"].notna().all()
    assert "no articles" in scorer.about["models"]["article"]["why_none"]
    bare = replace(desk(), articles=nothing)
    with pytest.raises(InputError, match="import articles"):
        gaps(bare, scorer, say=str)
    assert check(bare, Params()).articles == 0 and stale(bare, Params()).citations == 0


def test_one_article_is_suggested_where_it_fits() -> None:
    one = articles().iloc[1:2]
    found = scored(trained(one), QUESTION, "crater orbit lunar")
    assert all(names in ([], ["print"]) for names in suggested(found)) and suggested(found)[0] == ["print"]
    assert found["error"].isna().all()


def test_an_article_that_is_there_twice_is_suggested_and_told() -> None:
    again = pd.concat([articles(), articles().assign(article_id=["m2", "p2", "x2", "d2"])], ignore_index=True)
    names = suggested(scored(trained(again), QUESTION))[0]
    assert names[0] == "print" and len(names) == len({*names})
    told = {one.code: one.groups for one in check(replace(desk(), articles=again), Params()).findings}
    assert ("print", "p2") in told["same_text"] and ("print", "p2") in told["same_title"]


def test_an_article_of_five_megabytes_is_cut_and_told(tmp_path: Path) -> None:
    text = "".join(
        f"<p>Word{i % 977} and more about the printer and its tray, sentence {i}.</p>" for i in range(75_000)
    )
    assert len(text) > 5_000_000
    begun = time.monotonic()
    huge = imported(tmp_path, f"<h1>All about printing</h1>{text}")
    index = ArticleIndex.build(huge, None, words=90)
    assert len(index) == 1 and len(index.passages) == MOST
    assert [one.code for one in check(_only(huge), Params()).findings] == ["long_text", "no_url"]
    assert time.monotonic() - begun < 30


def test_a_page_full_of_scripts_is_known_by_its_words_alone(tmp_path: Path) -> None:
    end = "<!-- hidden words --></body></html>"
    script = "<script>var stolen = document.cookie; alert('jam')</script><style>.toner{color:red}</style>"
    page = f"<html><head><title>Print a page</title>{script}</head><body onload='steal()'>{script * 300}" + (
        f"<p>Choose the printer<script>evil()</script>, then print.</p>{script * 300}{end}"
    )
    index = ArticleIndex.build(imported(tmp_path, page, f"<h1>Only code</h1>{script}"), None, words=90)
    said = " ".join(index.passages)
    assert "Choose the printer" in said and index.titles == ("Print a page", "Only code")
    assert not [word for word in ("stolen", "cookie", "alert", "evil", "steal", "hidden", "<") if word in said]


def test_of_six_languages_each_customer_gets_their_own() -> None:
    pages = pd.DataFrame({"article_id": list(SIX), "language": list(SIX), "title": "Print", "text": list(SIX.values())})
    scorer = trained(schema.conform(pages, "articles"))
    found = scored(scorer, *SIX.values(), language=list(SIX))
    assert suggested(found) == [[name] for name in SIX]
    assert suggested(scored(scorer, SIX["de"], language="pl")) == [[]]
    assert suggested(scored(scorer, SIX["de"], language="und"))[0][0] == "de"
    assert [why["articles"][0]["passage"] for why in found["explanation"]] == [
        f"Print. {text}" for text in SIX.values()
    ]


def test_of_ids_that_clash_the_newest_import_counts_and_it_is_told(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    rows = [("1", "Mail", "https://a.example/1", "old words"), ("1", "Again", "https://a.example/1", "more")]
    for site, title in (("a", "Mail"), ("b", "Print")):
        rows = [("1", title, f"https://{site}.example/1", f"words of {site}"), *rows[1:]]
        pd.DataFrame(rows, columns=["article_id", "title", "url", "text"]).to_csv(table, index=False)
        summary = import_articles([table], tmp_path / "raw")
        assert summary.refused == {"duplicate_id": 1}
    made = load_raw(tmp_path / "raw")
    assert made.articles["title"].tolist() == ["Print"]
    assert summary.notes == {"articles_that_replace_another_page": 1}
    assert "clashing_id" in {one.code for one in check(made, Params()).findings}


def test_a_deleted_article_that_history_still_cites_is_never_suggested_and_told() -> None:
    left = articles().iloc[[0, 2, 3]]
    scorer = trained(left)
    found = scored(scorer, QUESTION, "login denied, account locked, reset the token")
    assert "print" not in {name for names in suggested(found) for name in names}
    assert suggested(found)[1][0] == "pass"
    gone = stale(replace(desk(), articles=left), Params()).gone
    assert [(one.name, one.cited) for one in gone] == [("print", 80)]


@pytest.mark.parametrize("text", [None, "", "  \n", "<p></p>", "!!! ???", "\u200b\ufeff"])
def test_a_ticket_without_words_gets_no_article_and_goes_to_a_person(text: str | None) -> None:
    found = scored(learned(), text, QUESTION)
    assert suggested(found)[0] == [] and suggested(found)[1][0] == "print"
    assert found["queue_reason"][0] == "fallback:no_text" and found["error"].isna().all()
    assert found["explanation"][0]["articles"] == []


def _only(knowledge: pd.DataFrame) -> Raw:
    return replace(desk(5), articles=knowledge)
