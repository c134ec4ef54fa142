"""The model card: complete, and inert Markdown whatever the labels are."""

from __future__ import annotations

import re

from made_report import hostile

from pipeline.pages.card import escaped, render_card
from pipeline.pages.report import Header, Report


def test_the_card_has_every_part_that_a_reader_looks_for(filled: Report) -> None:
    parts = re.findall(r"^## (.+)$", render_card(filled), flags=re.M)
    assert parts == [
        "Model details", "What it is for", "Data", "Metrics", "Calibration", "The promise", "Limits", "Ethical remarks",
        "How to get it again",
    ]  # fmt: skip


def test_every_model_stands_beside_its_baselines_with_its_verdict(filled: Report) -> None:
    card = render_card(filled)
    assert "### Priority: no better than the baseline" in card
    assert "| **accuracy** | 0.547 (0.529 to 0.565) | 0.203 | 0.341 | 0.508 |" in card


def test_weak_slices_are_limits(filled: Report) -> None:
    limits = render_card(filled).partition("## Limits")[2]
    assert "topic: weaker on language und: accuracy 0.340" in limits
    assert "weaker on language en" not in limits


def test_a_bare_report_still_gives_a_card() -> None:
    card = render_card(Report(Header("v1", "", 0, "none", "by a stable hash", "final fit"), ()))
    assert "No model was evaluated." in card and "Not measured" in card


def test_names_from_the_data_cannot_act_as_markdown() -> None:
    assert escaped("a|b\n# c") == "a\\|b \\# c"
    assert escaped("[x](http://e.org)") == "\\[x\\](http&#58;//e.org)"
    assert escaped("<b>&") == "&lt;b&gt;&amp;"
    assert escaped("www.e.org a@b.c") == "www&#46;e.org a&#64;b.c"


def test_hostile_names_stay_text_in_the_card(filled: Report) -> None:
    card = render_card(hostile(filled))
    fence = re.search(r"^```\n.*?^```$", card, flags=re.M | re.S)
    assert fence is not None and card.count("```") == 2
    assert "\u202e" not in card and "\x1b" not in card
    card = card.replace(fence[0], "")
    assert "<" not in card and "://" not in card
    assert not re.search(r"(?<!\\)\[", card)
    for table in re.findall(r"(?:^\|.*\n)+", card, flags=re.M):
        cells = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(cells) == 1, "a label made a cell of its own"
