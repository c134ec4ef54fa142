"""One model's part of the report, from made arrays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.training.baselines import MAJORITY, PLAIN
from pipeline.training.breakdown import class_figures, confusions, level_confusion, slices, wilson
from pipeline.training.judge import LOSES, Standing, beaten, judge, resamples
from pipeline.training.looked import Context, Looked, Outside, Rival
from pipeline.training.metrics import class_metrics, ordinal_metrics, risk_metrics
from pipeline.training.notes import model_warnings

N = 600
LABELS = np.array(["mail", "login", "other"])
STANDING = Standing("in service", "words")


def context(n: int = N) -> Context:
    days = np.array([f"2025-{4 + 3 * i // n:02d}-10" for i in range(n)])
    months = np.array([d[:7] for d in days])
    languages = np.array(["de" if i % 3 else "" for i in range(n)])
    channels = np.array(["web" if i % 50 else "fax" for i in range(n)])
    return Context(np.array([f"t{i}" for i in range(n)]), months, days, languages, channels, np.arange(n) % 150)


def topic(right: float = 0.8, seed: int = 0) -> Looked:
    rng = np.random.default_rng(seed)
    truth = rng.choice(LABELS, size=N, p=[0.5, 0.3, 0.2])
    guess = np.where(rng.random(N) < right, truth, rng.choice(LABELS, size=N))
    sure = np.clip(np.where(truth == guess, 0.85, 0.6) + rng.normal(0, 0.05, N), 0, 1)
    constant = Rival(MAJORITY, np.full(N, "mail"), np.full(N, 0.5), np.ones(N, dtype=bool))
    trained = {"mail": 700, "login": 300, "other": 40, "gone": 3}
    return Looked("topic", truth, guess, sure, context(), trained, np.ones(N, dtype=bool), (constant,))


def risk(seed: int = 0) -> Looked:
    rng = np.random.default_rng(seed)
    said = rng.beta(1, 6, N)
    happened = np.where(rng.random(N) < said, "1", "0")
    constant = Rival(MAJORITY, np.full(N, "0"), np.full(N, (happened == "1").mean()))
    return Looked("escalated", happened, np.full(N, "0"), said, context(), {"0": 900, "1": 100}, rivals=(constant,))


def priority(seed: int = 0) -> Looked:
    rng = np.random.default_rng(seed)
    levels = ("low", "medium", "high")
    truth = rng.choice(levels, size=N)
    guess = np.where(rng.random(N) < 0.6, truth, "medium")
    return Looked("priority", truth, guess, np.full(N, 0.6), context(), dict.fromkeys(levels, 300), levels=levels)


def test_a_topic_has_every_section_and_the_referees_figures() -> None:
    looked = topic()
    found = judge(looked, STANDING, seed=0)
    expected = class_metrics(looked.truth.tolist(), looked.guess.tolist(), confidence=looked.confidence)
    given = {m.name: m.scorer for m in found.metrics}
    for name in ("accuracy", "macro_f1", "weighted_f1", "ece", "aurc"):
        assert given[name].value == pytest.approx(expected[name])
        assert given[name].low is not None and given[name].high is not None
    assert given["accuracy"].low < given["accuracy"].value < given["accuracy"].high
    assert [m.name for m in found.metrics if m.decides] == ["accuracy", "macro_f1"]
    assert found.calibration and found.risk_coverage and found.confusions and found.classes and found.slices
    assert found.out_of_scope is None and "out of scope" in found.missing["out_of_scope"]


def test_a_priority_has_levels_and_ordinal_figures() -> None:
    looked = priority()
    found = judge(looked, STANDING, seed=0)
    expected = ordinal_metrics(looked.truth.tolist(), looked.guess.tolist(), looked.levels)
    given = {m.name: m for m in found.metrics}
    assert given["quadratic_kappa"].scorer.value == pytest.approx(expected["quadratic_kappa"])
    assert given["mae_levels"].scorer.value == pytest.approx(expected["mae_levels"])
    assert not given["mae_levels"].higher_is_better
    assert found.level_confusion is not None and np.sum(found.level_confusion.counts) == N


def test_an_escalation_has_gains_at_the_published_workloads() -> None:
    looked = risk()
    found = judge(looked, STANDING, seed=0)
    expected = risk_metrics(looked.happened, looked.confidence)
    given = {m.name: m.scorer.value for m in found.metrics}
    for name in ("roc_auc", "average_precision", "recall_at_0.192", "brier", "ece"):
        assert given[name] == pytest.approx(expected[name])
    assert found.gains is not None and [w.share for w in found.gains.workloads] == [0.1177, 0.192]
    assert found.slices is not None and found.slices.metric == "roc_auc"


def test_out_of_scope_tickets_are_told_apart() -> None:
    looked = replace(topic(), outside=Outside(np.linspace(0, 0.5, 400), np.linspace(0.4, 1, 50)))
    found = judge(looked, STANDING, seed=0).out_of_scope
    assert found is not None and found.tickets == 50
    assert found.auroc.value is not None and found.auroc.value > 0.95


def test_a_model_no_better_than_a_constant_is_said_to_be() -> None:
    constant = replace(topic(), guess=np.full(N, "mail"))
    assert beaten(judge(constant, STANDING, seed=0)) == ["accuracy", "macro_f1"]
    assert beaten(judge(topic(), STANDING, seed=0)) == []


def test_losing_to_the_plain_pipeline_is_a_warning() -> None:
    looked = topic(right=0.5)
    plain = Rival(PLAIN, looked.truth, np.full(N, 0.9), np.ones(N, dtype=bool))
    found = judge(looked.with_rivals((*looked.rivals, plain)), STANDING, seed=0)
    assert LOSES in found.note
    (warning,) = model_warnings([found])
    assert warning.kind == "note" and "Topic loses to the plain pipeline" in warning.what


def test_no_ticket_gives_no_figures_but_a_reason() -> None:
    empty = Looked("topic", *(np.array([], dtype=str),) * 2, np.array([]), context(0))
    found = judge(empty, STANDING, seed=0)
    assert found.metrics == () and "no ticket" in found.missing["calibration"]


def test_slices_come_by_month_language_channel_length_and_class_size() -> None:
    looked = topic()
    found = slices(looked, wilson(1, 2), seed=0)
    assert found is not None
    kinds: dict[str, list[str]] = {}
    for one in found.slices:
        kinds.setdefault(one.kind, []).append(one.name)
    assert kinds["month"] == ["2025-04", "2025-05", "2025-06"]
    assert kinds["language"] == ["de", "unknown"] and kinds["channel"] == ["fax", "web"]
    assert kinds["text length"] == ["under 20 words", "20 to 99 words", "100 words and more"]
    assert kinds["class size"] == ["under 100 in training", "100 to 499", "500 and more"]
    by_month = [s for s in found.slices if s.kind == "month"]
    assert sum(s.n for s in by_month) == N


def test_confused_pairs_are_counted_and_named_by_id() -> None:
    looked = topic()
    pairs = confusions(looked)
    assert sum(p.n for p in pairs) == int((looked.truth != looked.guess).sum())
    assert pairs[0].n == max(p.n for p in pairs) and 0 < len(pairs[0].ticket_ids) <= 7
    rows = [int(i[1:]) for i in pairs[0].ticket_ids]
    assert set(looked.truth[rows]) == {pairs[0].truth} and set(looked.guess[rows]) == {pairs[0].guess}
    assert confusions(replace(looked, guess=looked.truth)) == ()


def test_a_class_that_never_occurs_has_no_recall() -> None:
    figures = {c.label: c for c in class_figures(topic())}
    assert figures["gone"].trained == 3 and figures["gone"].recall is None and figures["gone"].precision is None
    assert figures["mail"].recall is not None and figures["mail"].recall > 0.7


def test_levels_by_levels_have_the_truth_in_rows() -> None:
    looked = replace(priority(), truth=np.array(["low", "high"]), guess=np.array(["medium", "high"]))
    assert level_confusion(looked).counts == ((0, 1, 0), (0, 0, 0), (0, 0, 1))


@pytest.mark.parametrize(("n", "draws"), [(100, 1_000), (12_000, 500), (20_000, 300), (500_000, 300)])
def test_more_tickets_take_fewer_resamples(n: int, draws: int) -> None:
    assert resamples(n) == draws
