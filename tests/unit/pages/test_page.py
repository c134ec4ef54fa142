"""The report as a page: complete, inert against hostile names, and self-contained."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from xml.etree import ElementTree

import pytest
from made_report import hostile, made_up
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from pipeline.pages import figures as f
from pipeline.pages import findings as d
from pipeline.pages import report as r
from pipeline.pages import waiting as w
from pipeline.pages.page import render


@pytest.fixture(scope="module")
def page(filled: r.Report) -> HTMLParser:
    return HTMLParser(render(filled))


def words(node: HTMLParser) -> str:
    return " ".join((node.body.text(separator=" ") if node.body else "").split())


def test_every_part_of_a_filled_report_is_on_the_page(page: HTMLParser) -> None:
    parts = {s.attributes["id"] for s in page.css("section")}
    assert parts == {
        "headline", "promise", "routing", "model-1", "model-2", "model-3", "articles", "replies", "answers",
        "gaps", "stale", "taxonomy", "audit", "drift", "data", "settings", "reproduction",
    }  # fmt: skip
    assert not page.css("section.absent")


def test_the_gate_and_the_promise_are_said_in_words(page: HTMLParser) -> None:
    said = words(page)
    assert "Topic and escalation are in service. Priority is no better than the baseline." in said
    assert "counts as kept: 23.5 % (21.2 to 25.8 %) of 1,313 tickets routed (42.1 % of all) were wrong" in said
    assert "These figures were measured on inner splits" in said


def test_replies_and_what_training_measured_of_them_are_told(page: HTMLParser) -> None:
    said = words(page)
    assert "A reply was suggested for 8 % of 1,313 tickets." in said
    assert "Right: both were answered by the same article." in said
    assert "a reply 60 79.0 %" in said and "similar tickets 780 41.0 %" in said
    assert "Articles: better than the baseline (431 tickets)." in said and "recall@1 0.484" in said
    assert "No replies: 12 tickets to learn from, 150 are needed." in said


def test_replies_that_are_too_few_to_judge_say_so(filled: r.Report) -> None:
    assert filled.replies is not None
    few = dataclasses.replace(filled.replies, judged=17, right=f.Estimate(None), calibration=None)
    assert "a reply 17 too few to say" in words(HTMLParser(render(dataclasses.replace(filled, replies=few))))


def test_the_risk_as_tickets_wait_is_told_with_its_time_and_its_test(page: HTMLParser) -> None:
    said = words(page)
    assert "The risk as tickets wait" in said and "at creation" in said and "3 days" in said
    assert "150 alerts came before 60 of 100 escalations" in said
    assert "12,345 facts received after the moment were permuted" in said and "Nothing changed." in said
    labels = [svg.attributes["aria-label"] for svg in page.css("svg.chart")]
    assert sum("by age" in str(label) for label in labels) == 4
    assert "60 of 100 escalations were alerted before they happened." in labels


def test_a_leak_is_told_as_one(filled: r.Report) -> None:
    model = next(m for m in filled.models if m.name == "escalation")
    assert model.waiting is not None
    leaking = dataclasses.replace(model.waiting, leak=w.Leak(300, 12_345, 0.25), lead=None)
    said = words(HTMLParser(render(_with(dataclasses.replace(model, waiting=leaking)))))
    assert "The largest change was 0.250000: something of the future is seen." in said
    assert "alerts came before" not in said


def test_the_scorer_stands_beside_every_baseline(page: HTMLParser) -> None:
    rows = {th.text().strip(): tr for tr in page.css("table.headline tr") if (th := tr.css_first("th"))}
    row = rows["accuracy"]
    assert [" ".join(cell.text().split()) for cell in row.css("td.scorer")] == ["0.547 0.529 to 0.565"]
    assert [cell.text() for cell in row.css("td.rival")] == ["0.203", "0.341", "0.508"]


def test_links_on_the_page_lead_to_parts_of_it(page: HTMLParser) -> None:
    ids = {node.attributes["id"] for node in page.css("[id]")}
    targets = {a.attributes["href"] for a in page.css("a")}
    assert targets == {f"#{t[1:]}" for t in targets if t} and {t[1:] for t in targets if t} <= ids


def test_a_report_with_nothing_in_it_says_what_is_missing_in_one_line_each() -> None:
    header = r.Header("v1", "", 0, "none", "by a stable hash: the tickets have no times", "final fit")
    bare = r.Report(header, (), missing={"promise": "without a topic nothing is routed"})
    page = HTMLParser(render(bare))
    absent = {s.attributes["id"]: s.css_first("p").text() for s in page.css("section.absent")}  # type: ignore[union-attr]
    assert absent["promise"] == "Not here: without a topic nothing is routed."
    assert set(absent) == {"promise", "routing", "taxonomy", "audit", "drift", "data", "settings", "reproduction"}
    assert "Not on this page: topic; queue; priority; escalation." in words(page)


def test_a_model_without_its_sections_names_each_with_the_reason() -> None:
    model = r.ModelReport("escalation", "not trained", note="no positive outcome", missing={"gains": "no positives"})
    said = words(HTMLParser(render(_with(model))))
    assert "gains at a given capacity for review (no positives)" in said
    assert "slices (not measured)" in said
    assert "No positive outcome." in said


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), None])
def test_undefined_figures_are_dashes_and_break_no_picture(broken: float | None) -> None:
    nothing = f.Estimate(broken, broken, broken)
    number = float("nan") if broken is None else broken
    model = r.ModelReport(
        "escalation", "in service", metrics=(f.Metric("roc_auc", nothing, (f.Baseline("majority", nothing),)),),
        calibration=f.Calibration("it is escalated", nothing, ()),
        risk_coverage=f.RiskCoverage((), number, number, number, None),
        gains=f.Gains(0.0, 0, ((0.0, number),), (), nothing, (f.Workload(0.192, nothing, None, number),)),
        waiting=w.Waiting(
            (w.AtAge(0.0, 0, 0, nothing, nothing, nothing, nothing, w.Alone(), nothing,
                     ((0.0, number),), (), ()),),
            0.1, w.Lead(0, 0, 0, w.Hours(0), w.Hours(0), w.Hours(0), w.Hours(0), w.Hours(0), (), ()), None,
        ),
        level_confusion=f.LevelConfusion((), ()), confusions=(), classes=(f.ClassFigures("a", 0, 0, broken, broken),),
        slices=f.Slices("roc_auc", nothing, (f.Slice("month", "2025-01", 0, nothing),)), words=(d.ClassWords("a", ()),),
    )  # fmt: skip
    promise = f.Promise("broken", 0.1, None, "", f.PromisePeriod("all", 0, 0, 0, nothing), (), ())
    taxonomy = d.Taxonomy((), (), (d.LabelLife("a", (), True),))
    report = dataclasses.replace(_with(model), promise=promise, taxonomy=taxonomy, routing=(), audit=d.Audit())
    html = render(report)
    assert "nan" not in re.sub(r"<style>.*</style>", "", html, flags=re.S).lower().replace("finance", "")
    _well_formed_pictures(html)


def test_rare_words_never_reach_the_page(filled: r.Report) -> None:
    rare = d.TopWord("hapaxlegomenon", 9.0, d.MIN_TICKETS_PER_WORD - 1)
    often = d.TopWord("frequentword", 1.0, d.MIN_TICKETS_PER_WORD)
    model = dataclasses.replace(filled.models[0], words=(d.ClassWords("a", (rare, often)),))
    html = render(dataclasses.replace(filled, models=(model,)))
    assert "frequentword" in html and "hapaxlegomenon" not in html


def test_hostile_names_stay_text_wherever_they_stand(filled: r.Report) -> None:
    html = render(hostile(filled))
    page = HTMLParser(html)
    assert "<script" not in html.lower() and "<img" not in html.lower()
    assert len(page.css("style")) == 1 and not page.css("iframe, object, embed, form, base, link[rel=stylesheet]")
    for node in page.css("*"):
        assert not [name for name in node.attributes if name.startswith("on") or name in {"style", "src", "srcset"}]
        assert (node.attributes.get("href") or "#").startswith(("#", "data:,"))
    assert "\u202e" not in html and "\x00" not in html and "\x1b" not in html
    html.encode("utf-8")
    _well_formed_pictures(html)
    assert html.count("&lt;script&gt;alert(1)") > 200


def test_the_policy_allows_our_style_sheet_and_nothing_else(filled: r.Report) -> None:
    html = render(hostile(filled))
    policy = HTMLParser(html).css_first('meta[http-equiv="Content-Security-Policy"]')
    style = re.search(r"<style>(.*?)</style>", html, flags=re.S)
    assert policy is not None and style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert (policy.attributes["content"] or "").split("; ") == [
        "default-src 'none'", f"style-src 'sha256-{digest}'", "img-src data:", "base-uri 'none'", "form-action 'none'",
    ]  # fmt: skip
    assert "url(" not in style[1] and "@import" not in style[1]


def test_nothing_is_fetched_from_elsewhere(filled: r.Report) -> None:
    html = render(filled)
    assert not re.search(r"(https?:)?//[\w.-]+\.\w+", html), "an address on the page"


def test_every_picture_has_words_for_those_who_cannot_see_it(page: HTMLParser) -> None:
    pictures = page.css("svg:not([aria-hidden])")
    assert len(pictures) > 40
    assert all(p.attributes.get("role") == "img" and p.attributes.get("aria-label") for p in pictures)


def test_long_lists_are_counted_not_printed_whole(filled: r.Report) -> None:
    suspects = tuple(d.Suspect(f"T-{i}", "topic", "a", "b", 0.9) for i in range(5_000))
    page = HTMLParser(render(dataclasses.replace(filled, audit=d.Audit(suspects, 5_000))))
    assert "4,960 more suspects." in words(page)


def test_the_banner_stands_only_over_synthetic_data() -> None:
    assert "Synthetic data" in render(made_up())
    assert "Synthetic data" not in render(made_up(synthetic=False))


def test_the_same_report_gives_the_same_bytes(filled: r.Report) -> None:
    assert render(filled) == render(made_up())


def test_outer_spaces_of_twin_labels_can_be_seen(page: HTMLParser) -> None:
    assert "printing / printing␣" in words(page)


def _with(model: r.ModelReport) -> r.Report:
    return r.Report(r.Header("v1", "2025-06-30", 0, "none", "by time", "final fit"), (model,))


def _well_formed_pictures(html: str) -> None:
    for picture in re.findall(r"<svg.*?</svg>", html, flags=re.S):
        for node in ElementTree.fromstring(picture).iter():
            assert not any("nan" in str(v) or "inf" in str(v) for k, v in node.attrib.items() if k != "aria-label")


def test_dead_labels_are_shown_even_beside_many_living_ones(filled: r.Report) -> None:
    living = tuple(d.LabelLife(f"living {i}", (5,), True) for i in range(200))
    taxonomy = d.Taxonomy(("2025-01",), (1_009,), (*living, d.LabelLife("gone", (9,), False, "living 3")))
    page = HTMLParser(render(dataclasses.replace(filled, taxonomy=taxonomy)))
    rows = [" ".join(tr.text(separator=" ").split()) for tr in page.css("#taxonomy > .body > .scroll tr.gone")]
    assert len(rows) == 1 and rows[0].startswith("gone") and "dead → living 3" in rows[0]
    assert page.css_first("#taxonomy summary").text() == "170 more"
