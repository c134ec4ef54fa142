"""Articles are cut where a reader would cut them, and nothing in them can break the cutting."""

from __future__ import annotations

import pytest

from pipeline.articles.passages import MOST, passages


def test_each_passage_stands_under_its_title_and_heading() -> None:
    page = "<p>Before.</p><h2 class='x'>Send <b>mail</b></h2><ul><li>Open it.</li><li>Press send.</li></ul>"
    assert passages("Mail", page, 90) == ["Mail. Before.", "Mail. Send mail. Open it. Press send."]


def test_markdown_headings_count_too() -> None:
    assert passages("Mail", "Before.\n\n## On a phone\nTap it.", 90) == ["Mail. Before.", "Mail. On a phone. Tap it."]


def test_long_sections_are_cut_evenly() -> None:
    found = passages(None, " ".join(f"w{i}" for i in range(100)), 90)
    assert [len(p.split()) for p in found] == [50, 50]


@pytest.mark.parametrize("text", [None, "", "<script>alert(1)</script>", "<p></p>", "\ue000"])
def test_an_article_without_words_has_its_title(text: str | None) -> None:
    assert passages("Mail", text, 90) == ["Mail"]
    assert passages(None, text, 90) == [""]


def test_scripts_and_tags_are_no_words() -> None:
    said = " ".join(passages("T", "<style>p{}</style><script>steal()</script><p onclick='x()'>Safe words here</p>", 90))
    assert said == "T. Safe words here"


def test_a_huge_article_ends_somewhere() -> None:
    found = passages("Huge", "<p>some words to fill a page</p>" * 160_000, 90)
    assert len(found) == MOST


def test_deep_nesting_is_read() -> None:
    assert "deep" in passages("T", "<div>" * 50_000 + "deep" + "</div>" * 50_000, 90)[0]
