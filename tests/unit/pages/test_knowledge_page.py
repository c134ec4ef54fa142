"""What a page says of a knowledge base: gaps, stale articles and faults, each where it was asked for."""

from __future__ import annotations

from dataclasses import replace

from made_report import made_up
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from pipeline.pages.knowledge import Check, Finding, Gaps, Knowledge, Stale, names_of
from pipeline.pages.page import render_knowledge

FILLED = made_up()
assert FILLED.gaps is not None and FILLED.stale is not None
FAULTS = Check(9, 40, (("en", 8), ("", 1)), (Finding("same_text", "nearly the same text", (("a", "b"),) * 7),))
WHOLE = Knowledge("Knowledge base", FILLED.gaps, FILLED.stale, FAULTS, "v-1", synthetic=True)


def words(page: str) -> str:
    body = HTMLParser(page).body
    assert body is not None
    return " ".join(body.text(separator=" ").split()).replace("\u00a0", " ")


def test_gaps_are_told_by_topic_words_hours_and_ids() -> None:
    said = words(render_knowledge(WHOLE))
    assert "Of 802 tickets from 2025-04-01 to 2025-06-30, 63 (8 %) have no fitting article" in said
    assert "printing toner, tray 40 40 % 31.5 Change the toner 0.07 T-1 T-2" in said
    assert "no article in fi 12 100 % – T-9" in said and "11 tickets more are like few others." in said
    assert "printing 210 61 29.0 %" in said and "Synthetic data" in said and "v-1" in said


def test_stale_articles_are_told_with_what_was_expected() -> None:
    said = words(render_knowledge(WHOLE))
    assert "Old settings 45 5 19.5 2025-06-19" in said and "removed-page 53 2025-06-27" in said
    assert "38.7 % came back within 7 days" in said and "Send mail 40 75.0 % 60.0 to 86.0 % 36.3 % 28 2 4" in said
    assert "Print a calendar · kb-6" in said


def test_only_what_lies_surely_above_the_rest_is_marked() -> None:
    rows = HTMLParser(render_knowledge(WHOLE)).css("#stale tr.worry")
    assert [row.css_first("th").text() for row in rows] == ["Send mail"]  # type: ignore[union-attr]


def test_faults_are_told_by_code_and_the_rest_is_counted() -> None:
    said = words(render_knowledge(WHOLE))
    assert "9 articles, 40 passages; en 8, no language 1." in said
    assert "same_text nearly the same text 7 a / b ·" in said and "and 2 more" in said


def test_what_was_not_asked_for_is_not_there() -> None:
    page = HTMLParser(render_knowledge(Knowledge("Gaps", gaps=WHOLE.gaps)))
    assert [node.attributes["id"] for node in page.css("section")] == ["gaps"] and not page.css(".banner")


def test_where_nothing_was_found_the_page_says_so() -> None:
    nothing = Knowledge(
        "Nothing", Gaps("", "", 0, 0, 0.2, 0, (), ()), Stale("", "", 0, 0, None, 7), Check(0, 0, (), ())
    )
    said = words(render_knowledge(nothing))
    assert "No ticket has words." in said and said.count("Nothing found.") == 2


def test_a_long_list_is_counted() -> None:
    assert WHOLE.gaps is not None
    many = replace(WHOLE.gaps, gaps=WHOLE.gaps.gaps * 30)
    assert "35 more groups." in words(render_knowledge(replace(WHOLE, gaps=many)))
    assert names_of([("a", None), ("b", "Bee"), ("c", None)], 2) == "a; Bee; 1 more"


def test_hostile_names_stay_text() -> None:
    assert WHOLE.gaps is not None
    bad = replace(WHOLE.gaps.gaps[0], topic="<script>x</script>", words=("<b>",), title="<img src=x>")
    page = render_knowledge(replace(WHOLE, gaps=replace(WHOLE.gaps, gaps=(bad,))))
    assert "<script>x" not in page and "<img" not in page and "<b>" not in page
