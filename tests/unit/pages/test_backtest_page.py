"""The page of a backtest: complete, self-contained, and inert against hostile names and absent figures."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from made_report import hostile
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from pipeline.pages.backtest import Backtest, Replay, Replayed, Waits, cautions, summary
from pipeline.pages.page import render_replay

NAN = float("nan")


def waits(*hours: float) -> Waits:
    """Of tickets that waited so long."""
    values = np.sort(hours)
    curve = tuple((float(h), (i + 1) / len(values)) for i, h in enumerate(values))
    return Waits(len(values), float(np.median(values)), float(np.quantile(values, 0.9)), float(values.mean()), curve)


def made(*, load: float = 0.9, urgent: tuple[float, ...] = (0.5, 2.0, 4.0) * 20) -> Replay:
    """A made-up replay."""
    rest = waits(*np.linspace(0, 30, 200).tolist())
    slow = Replayed(waits(*(3 * h for h in urgent)), rest, 0.25, 240, 5.0)
    result = Backtest(slow, Replayed(waits(*urgent), rest, 0.125, 240, 5.0), slow, load, ("A hand is a hand.",))
    return Replay(
        scorer_version="0f1e2d3c4b5a", first_ticket="2026-06-01", last_ticket="2026-07-31", tickets=260, left_out=7,
        handling_hours=0.75, clock="business hours", urgent="it escalated", result=result, hands=3,
        staffing=((2, replace(result, load=1.35)), (3, result)), costs={"an escalation": "20"},
        commands=("triage backtest --hands 3",), notes=("Something else.",), synthetic=True,
    )  # fmt: skip


def inert(html: str) -> None:
    page = HTMLParser(html)
    assert "<script" not in html.lower() and "<img" not in html.lower()
    for node in page.css("*"):
        assert not [name for name in node.attributes if name.startswith("on") or name in {"style", "src", "srcset"}]
    assert len(page.css("style")) == 1 and not page.css("iframe, object, embed, form, base, link[rel=stylesheet]")
    for picture in re.findall(r"<svg.*?</svg>", html, flags=re.S):
        for node in ElementTree.fromstring(picture).iter():
            assert not any("nan" in str(v) or "inf" in str(v) for k, v in node.attrib.items() if k != "aria-label")


def test_everything_stands_on_the_page() -> None:
    page = HTMLParser(render_replay(made()))
    said = " ".join(page.body.text(separator=" ").split())
    assert {s.attributes["id"] for s in page.css("section")} == {"orders", "hands", "assumptions", "costs"}
    assert len(page.css("svg[role=img][aria-label]")) == len(page.css("svg")) == 3
    for words in (
        "Synthetic data", "0f1e2d3c4b5a", "2026-06-01 to 2026-07-31", "260; 7 left out", "3, 90 %", "A hand is a hand.",
        "Something else.", "waited 2.2 (median 2.0) business hours in the predicted order, instead of 6.5 (median 6.0)",
        "60 urgent tickets", "an escalation 20", "triage backtest --hands 3", "25.0 %", "12.5 %",
    ):  # fmt: skip
        assert words in said, words
    ids = {node.attributes["id"] for node in page.css("[id]")}
    assert {(a.attributes["href"] or "")[1:] for a in page.css("a")} <= ids
    assert not re.search(r"(https?:)?//[\w.-]+\.\w+", render_replay(made())), "an address on the page"


def test_the_banner_stands_only_over_synthetic_data() -> None:
    assert "Synthetic data" not in render_replay(replace(made(), synthetic=False))


def test_hostile_names_stay_text() -> None:
    html = render_replay(hostile(made()))  # type: ignore[arg-type, type-var]
    inert(html)
    assert html.count("&lt;script&gt;alert(1)") > 10 and "\x1b" not in html and "\u202e" not in html


@pytest.mark.parametrize("longest", [0.0, 0.2, 5.0, 50_000.0])
def test_any_length_of_waits_can_be_drawn(longest: float) -> None:
    inert(render_replay(made(urgent=(0.0, longest))))


def test_absent_figures_are_dashes_and_break_no_picture() -> None:
    nothing = Replayed(Waits(0, NAN, NAN, NAN), Waits(0, NAN, NAN, NAN), NAN, 0, NAN)
    result = Backtest(nothing, nothing, nothing, NAN, ())
    html = render_replay(replace(made(), result=result, staffing=((3, result),)))
    inert(html)
    assert "nan" not in re.sub(r"<style>.*</style>", "", html, flags=re.S).lower()


def test_what_weakens_the_figures_is_said_before_them() -> None:
    assert cautions(made()) == ["Something else."]
    assert "the queue grows" in cautions(made(load=1.2))[0] and "hardly ever a queue" in cautions(made(load=0.2))[0]
    assert "Only 3 tickets" in cautions(made(urgent=(1.0, 2.0, 3.0)))[0]
    assert summary(made())[1].startswith("The rest waited 15.0 (median 15.0) instead of 15.0")
