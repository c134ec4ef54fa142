"""The benchmarks: their page is what the command renders, their truth is what the data's README counts."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import yaml

from pipeline.config import Params, build
from pipeline.history.definitions import parse_definitions
from pipeline.sources.mapping import load_mapping

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
DATA = ROOT.parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data isn't there")


@pytest.fixture(scope="module")
def bench() -> Iterator[dict[str, ModuleType]]:
    """The scripts as modules: they import one another as a script does."""
    names = ("forms", "figures", "promises", "quality", "reshape", "suggested", "tasks", "truth", "verbs")
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield {name: __import__(name) for name in names}
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in names:
            sys.modules.pop(name, None)


def test_the_page_is_what_the_command_renders(bench: dict[str, ModuleType]) -> None:
    figures = bench["figures"]
    assert figures.PAGE.read_text("utf-8") == figures.page(figures.read(BENCHMARKS / "results")), (
        "run `python benchmarks/figures.py`"
    )


def test_every_result_is_of_a_row_and_asks_what_the_row_asks(bench: dict[str, ModuleType]) -> None:
    rows = bench["tasks"].ROWS
    for path in sorted((BENCHMARKS / "results").glob("*.json")):
        if path.stem in ("speed", "history", "knowledge", "faults", "service", "stream"):
            continue
        assert path.stem in bench["tasks"].NAMES, path.name
        result = json.loads(path.read_text("utf-8"))
        if result["kind"] == "row" and "left_out" not in result:
            said = [(f["metric"], f["reach"], f["plain"], f["best"], f["at_most"]) for f in result["figures"]]
            row = rows[path.stem]
            asked = [(f.metric, f.reach, f.plain, f.best, f.at_most) for f in (*row.figures, *row.suggested)]
            assert said == asked, path.name


def test_every_promise_was_asked_for_as_its_row_says(bench: dict[str, ModuleType]) -> None:
    for path in sorted((BENCHMARKS / "results").glob("promise-*.json")):
        result = json.loads(path.read_text("utf-8"))
        half = result["asked_words"] == bench["tasks"].HALF
        share = result["scorer_expected"]["error_if_all"] / 2 if half else 0.05
        assert result["asked"] == pytest.approx(share), f"{path.name} is of other settings: measure it again"


def test_only_benchmarks_of_speed_import_the_package() -> None:
    guilty = set()
    for path in sorted(BENCHMARKS.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(n.split(".")[0] == "pipeline" for n in names):
                guilty.add(path.name)
    assert guilty <= {"speed.py", "plain.py", "history.py", "knowledge.py", "service.py"}


def test_every_mapping_and_every_setting_can_be_read(bench: dict[str, ModuleType]) -> None:
    tasks, verbs = bench["tasks"], bench["verbs"]
    for source in tasks.SOURCES.values():
        if source.mapping:
            load_mapping(BENCHMARKS / "mappings" / source.mapping)
    shop = verbs.Workshop(Path("shared"), Path("work"))
    for job in tasks.JOBS.values():
        settings = build(Params, shop.settings(job), where=str(job.params))
        parse_definitions(settings.outcomes, str(job.params))
        assert job.source in tasks.SOURCES
    used = {s.mapping for s in tasks.SOURCES.values()} | {j.params for j in tasks.JOBS.values()} | {"speed-fixed.yaml"}
    there = {p.name for folder in ("mappings", "params") for p in (BENCHMARKS / folder).glob("*.yaml")}
    assert there == {u for u in used if u}


def test_rows_name_jobs_parts_and_truths_that_are_there(bench: dict[str, ModuleType]) -> None:
    tasks, truths = bench["tasks"], bench["truth"].TRUTHS
    for row in tasks.ROWS.values():
        assert row.scored in tasks.JOBS[row.job].scored
        assert {row.truth, *(name for _, name, _ in row.also)} <= set(truths)
        assert all(row.scored in tasks.JOBS[job].scored for job in row.none_fits)
    for job in tasks.JOBS.values():
        assert {name for name in (job.only, job.variants) if name} <= set(truths)
    for promise in tasks.PROMISES.values():
        assert {part for part, _ in promise.parts} <= set(tasks.JOBS[promise.job].scored)
        assert {name for _, name in promise.parts} <= set(truths)


@pytest.mark.parametrize(
    ("wrong", "routed", "low", "high"),
    [(0, 10, 0.0, 0.30850), (5, 100, 0.01643, 0.11283), (10, 10, 0.69150, 1.0), (1, 2, 0.01258, 0.98742)],
)
def test_bounds_are_those_of_the_tables(
    bench: dict[str, ModuleType], wrong: int, routed: int, low: float, high: float
) -> None:
    assert bench["promises"].clopper_pearson(wrong, routed) == pytest.approx((low, high), abs=5e-5)


def test_a_promise_counts_the_routed_only_and_an_out_of_scope_one_as_wrong(bench: dict[str, ModuleType]) -> None:
    scored = pd.DataFrame(
        {
            "ticket_id": ["a", "b", "c", "d"],
            "topic": ["mail", "mail", "login", "login"],
            "queue": ["mail", "triage", "login", "login"],
            "queue_reason": ["model", "abstained", "model", "rule:x"],
            "as_of": pd.to_datetime(["2025-01-01", "2025-01-02", "2025-02-01", "2025-02-02"], utc=True),
        }
    )
    truth = pd.DataFrame({"ticket_id": ["a", "b", "c", "d"], "topic": ["mail", "login", "oos", "mail"]})
    rows = bench["promises"].realised(scored, truth)
    found = bench["promises"].judged(rows, 0.5, "month")
    assert (found["whole"]["routed"], found["whole"]["wrong"], found["whole"]["error_if_all"]) == (2, 1, 0.75)
    assert found["kept"] is True
    assert {name: (p["routed"], p["wrong"]) for name, p in found["parts"].items()} == {
        "2025-01": (1, 0),
        "2025-02": (1, 1),
    }
    nothing = bench["promises"].judged(rows.assign(routed=False), 0.1, "fifth")
    assert nothing["kept"] is None
    assert sum(p["tickets"] for p in nothing["parts"].values()) == 4


def test_a_broken_promise_is_called_broken(bench: dict[str, ModuleType]) -> None:
    rows = pd.DataFrame(
        {"routed": True, "wrong": [True] * 30 + [False] * 70, "wrong_if_all": False, "key": list(map(str, range(100)))}
    )
    assert bench["promises"].judged(rows, 0.2, "fifth")["kept"] is False
    assert bench["promises"].judged(rows, 0.25, "fifth")["kept"] is True
    assert bench["promises"].judged(rows, None, "fifth")["kept"] is None


def test_a_figure_says_whether_it_reaches_what_is_asked(bench: dict[str, ModuleType]) -> None:
    asked, figure = bench["tasks"].Figure, bench["quality"].figure
    said: dict[str, Any] = {
        "metrics": {"accuracy": 0.9, "ece": 0.02, "out_of_scope": {"auroc": 0.97}},
        "ci95": {"accuracy": [0.8, 0.95]},
    }
    assert figure(asked("accuracy", "accuracy", 0.9), said)["met"] is True
    assert figure(asked("ece", "ECE", 0.01, at_most=True), said)["met"] is False
    scope = figure(asked("out_of_scope.auroc", "AUROC", 0.98), said)
    assert (scope["reached"], scope["low"], scope["met"]) == (0.97, None, False)
    assert figure(asked("top3_accuracy", "top-3", 0.7), said | {"metrics": {"top3_accuracy": None}})["met"] is None


def _scored(**firsts: tuple[str, float] | None) -> pd.DataFrame:
    lists = [[] if s is None else [{"article_id": s[0], "probability": s[1]}] for s in firsts.values()]
    return pd.DataFrame({"ticket_id": list(firsts), "articles": lists})


GOLD = pd.DataFrame({"ticket_id": ["a", "a", "b", "c", "d"], "article_id": ["1", "2", "1", "3", "4"]})


def test_of_suggestions_the_first_counts_and_none_is_no_chance(bench: dict[str, ModuleType]) -> None:
    scored = _scored(d=None, a=("2", 0.4), b=("2", 0.7), c=("3", 0.4), other=("1", 0.9))
    first = bench["suggested"].firsts(scored, GOLD)
    assert first["ticket_id"].tolist() == ["a", "b", "c", "d"]
    assert first["risk"].tolist() == [0.4, 0.7, 0.4, 0.0]
    assert first["right"].tolist() == [1, 0, 1, 0]
    assert bench["suggested"].surest(first).tolist() == ["b", "a"]


def test_each_ticket_is_paired_with_itself_and_an_article_that_was_not_taken_out_is_noticed(
    bench: dict[str, ModuleType],
) -> None:
    given, without = {"a/1": ("2", 0.4), "b/1": ("1", 0.7)}, {"a/0": ("3", 0.1), "b/0": None}
    both = bench["suggested"].paired(_scored(**without, **given), GOLD)
    assert both["ticket_id"].tolist() == ["a/1", "b/1", "a/0", "b/0"]
    assert both["fits"].tolist() == [1, 1, 0, 0]
    silent = bench["suggested"].paired(_scored(**without, **given | {"b/1": None}), GOLD)
    assert bench["suggested"].speaking([both, silent]).tolist() == [1, 0.5, 1, 0]
    for wrong in ({"a/0": ("3", 0.1)}, {"a/0": ("1", 0.1), "b/0": None}):
        with pytest.raises(bench["verbs"].FailedError):
            bench["suggested"].paired(_scored(**wrong, **given), GOLD)


@needs_data
def test_a_ticket_that_nothing_fits_names_all_articles_products_but_its_own(bench: dict[str, ModuleType]) -> None:
    truth = bench["truth"]
    gold, pages = truth.thunderbird_articles(DATA), truth.thunderbird_articles_named(DATA)
    twice = truth.thunderbird_articles_forbidden(DATA)
    assert twice["scored_as"].is_unique
    assert twice.loc[twice["fields.product"].isna(), "scored_as"].tolist() == [
        f"{t}/1" for t in twice["ticket_id"][::2]
    ]
    named = twice.set_index("scored_as")["fields.product"].dropna().str.split(";")
    products = {p for p in pages["products_str"] if p}
    assert products == {f"article-{article}" for article in gold["article_id"]}
    for ticket, own in gold.groupby("ticket_id")["article_id"]:
        assert products - set(named[f"{ticket}/0"]) == {f"article-{article}" for article in own}


@needs_data
@pytest.mark.parametrize(
    ("name", "tickets", "positive"),
    [
        ("thunderbird_topic", 3_435, None),
        ("thunderbird_escalated", 7_961, 119),
        ("thunderbird_unanswered", 7_870, None),
        ("incidents_sla", 7_476, None),
        ("incidents_reassigned", 7_476, None),
        ("mozilla", 501, None),
        ("openoffice", 911, None),
        ("banking77", 3_080, None),
        ("clinc_test", 4_500, None),
        ("clinc_scope", 3_100, None),
        ("clinc_oos", 100, None),
        ("endava", 1_084, None),
    ],
)
def test_the_truth_has_as_many_tickets_as_the_splits_table(
    bench: dict[str, ModuleType], name: str, tickets: int, positive: int | None
) -> None:
    found = bench["truth"].TRUTHS[name](DATA)
    assert found["ticket_id"].is_unique
    assert len(found) == tickets
    if positive is not None:
        assert found["escalated"].sum() == positive


@needs_data
def test_unanswered_questions_of_all_years_are_as_many_as_the_readme_says(bench: dict[str, ModuleType]) -> None:
    truth = bench["truth"]
    ever = pd.Timestamp("2020-01-01", tz="UTC")
    found = truth.unanswered(truth.questions(DATA), truth.replies_of_others(DATA), ever)
    assert (len(found), found["escalated"].sum()) == (35_464, 10_807)


@needs_data
def test_the_patterns_of_the_settings_are_those_of_the_truth(bench: dict[str, ModuleType]) -> None:
    settings = yaml.safe_load((BENCHMARKS / "params" / "thunderbird-escalated.yaml").read_text("utf-8"))
    assert settings["outcomes"]["escalated"]["reply_matches"] == [p.pattern for p in bench["truth"].BUG]
