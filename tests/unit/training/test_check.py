"""The check of a knowledge base: every fault has a code, its articles, and a line in docs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_articles import articles

from pipeline.articles.passages import MOST
from pipeline.config import Params
from pipeline.pages.knowledge import Check
from pipeline.sources.article_files import import_articles
from pipeline.sources.raw import Raw, load_raw
from pipeline.tickets import schema
from pipeline.training.check import CODES, check
from pipeline.training.knowledge_tables import check_table

LONG = (
    "When the printer says nothing, look whether its cable is in, turn it off and on again, choose it in the settings, "
    "and print the first page of the document only."
)
OTHER = (
    "To send your mail later, open the outbox, choose the hour at which it should leave, and close the window: the "
    "message stays there until then, and nobody sees it before."
)


def base(**columns: Any) -> pd.DataFrame:
    """Two articles without a fault."""
    made = articles().iloc[:2].assign(text=[LONG, OTHER], slug=["one", "two"])
    return schema.conform(made.assign(**columns), "articles")


def checked(frame: pd.DataFrame, imports: list[dict[str, Any]] | None = None) -> Check:
    empty = {name: schema.empty(name) for name in ("tickets", "events", "outcomes")}
    return check(Raw(**empty, articles=frame, outcomes_as_written={}, imports=imports or []), Params())


def faults(frame: pd.DataFrame, imports: list[dict[str, Any]] | None = None) -> dict[str, tuple[tuple[str, ...], ...]]:
    return {one.code: one.groups for one in checked(frame, imports).findings}


def test_a_sound_knowledge_base_has_no_fault() -> None:
    made = checked(base())
    assert made.findings == () and (made.articles, made.passages) == (2, 2) and made.languages == (("en", 2),)
    assert "nothing found" in check_table(made)


@pytest.mark.parametrize(
    ("code", "columns", "groups"),
    [
        ("no_text", {"text": [LONG, None]}, [["print"]]),
        ("no_text", {"text": [LONG, "<script>alert(1)</script>"]}, [["print"]]),
        ("short_text", {"text": [LONG, "Turn it off and on again."]}, [["print"]]),
        ("long_text", {"text": [LONG, OTHER * 2 * MOST * 90]}, [["print"]]),
        ("same_text", {"text": [LONG, f"<p>{LONG.upper()}</p>"]}, [["mail", "print"]]),
        ("same_title", {"title": ["A page", " a PAGE "]}, [["mail", "print"]]),
        ("same_url", {"url": ["https://x.example/1", "https://x.example/1/"]}, [["mail", "print"]]),
        ("same_slug", {"slug": ["one", "ONE"]}, [["mail", "print"]]),
        ("clashing_id", {"article_id": ["KB-7", "kb-007"]}, [["KB-7", "kb-007"]]),
        ("no_title", {"title": ["A page", ""]}, [["print"]]),
        ("no_url", {"url": ["https://x.example/1", None]}, [["print"]]),
        ("other_language", {"language": ["en", "de"]}, [["print"]]),
    ],
)
def test_each_fault_is_found_and_no_other(code: str, columns: dict[str, Any], groups: list[list[str]]) -> None:
    assert faults(base(**columns)) == {code: tuple(map(tuple, groups))}


def test_a_missing_language_is_a_fault_only_beside_several() -> None:
    assert faults(base(language=["en", None])) == {}
    german = (
        "Wenn der Drucker schweigt, prüfen Sie das Kabel, schalten Sie ihn aus und wieder ein und wählen Sie ihn aus."
    )
    three = pd.concat([base(language=["en", None]), base(article_id="d", language="de", text=german).iloc[:1]])
    three["title"], three["url"], three["slug"] = list("abc"), list("abc"), list("abc")
    assert faults(three)["no_language"] == (("print",),)
    assert dict(checked(three).languages) == {"en": 1, "de": 1, "": 1}


def test_the_same_title_in_two_languages_is_no_fault() -> None:
    assert "same_title" not in faults(base(title="Thunderbird", language=["en", "de"]))


def test_an_id_under_which_another_page_was_known_is_told(tmp_path: Path) -> None:
    for name, title in (("first", "Send mail"), ("second", "Print")):
        page = f"---\nid: 7\ntitle: {title}\nurl: https://x.example/{name}\n---\n{LONG if name == 'first' else OTHER}"
        (tmp_path / f"{name}.md").write_text(page, "utf-8")
        summary = import_articles([tmp_path / f"{name}.md"], tmp_path / "raw")
    assert summary.notes["articles_that_replace_another_page"] == 1
    made = load_raw(tmp_path / "raw")
    assert faults(made.articles, made.imports)["clashing_id"] == (("7",),)


def test_the_same_page_with_a_new_title_is_no_clash(tmp_path: Path) -> None:
    for title in ("Send mail", "Send your mail"):
        page = f"---\nid: 7\ntitle: {title}\nurl: https://x.example/1\n---\n{LONG}"
        (tmp_path / "page.md").write_text(page, "utf-8")
        summary = import_articles([tmp_path / "page.md"], tmp_path / "raw")
    assert not summary.notes and "clashing_articles" not in load_raw(tmp_path / "raw").imports[-1]


def test_an_empty_knowledge_base_is_checked_too() -> None:
    assert checked(schema.empty("articles")) == Check(0, 0, (), ())


def test_every_code_stands_in_the_docs() -> None:
    page = (Path(__file__).parents[3] / "docs" / "articles.md").read_text("utf-8")
    assert [code for code in CODES if f"`{code}`" not in page] == []
