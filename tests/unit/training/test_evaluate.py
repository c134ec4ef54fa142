"""The scorer itself on tickets that it wasn't trained on; a report of each run; which scorer may replace which."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_desk import Desk, quiet

from pipeline.config import Gates
from pipeline.errors import GateError, InputError
from pipeline.pages.report import Report
from pipeline.sources.raw import Raw
from pipeline.training.assemble import id_hash
from pipeline.training.evaluate import evaluate
from pipeline.training.replace import compare
from pipeline.training.report_files import figures, report_files
from pipeline.training.served import serve
from pipeline.training.unseen import unseen

MODELS = ["topic", "queue", "priority", "escalation"]


def later(raw: Raw, desk: Desk) -> Raw:
    """Only the tickets that came after training."""
    cut = pd.Timestamp(desk.scorer.about["trained"]["cut"])
    return replace(raw, tickets=raw.tickets[raw.tickets["created_at"] >= cut].reset_index(drop=True))


def test_only_tickets_that_training_never_saw_are_looked_at(desk: Desk, evaluated: Report) -> None:
    assert evaluated.header.rows + evaluated.header.rows_left_out == len(desk.raw.tickets)
    assert evaluated.data is not None and evaluated.data.left_out["the scorer was trained on them"] == 600
    found = unseen(desk.raw, [desk.scorer])
    seen = set(desk.scorer.about["trained"]["ids"])
    assert not seen & {id_hash(i) for i in found.tickets["ticket_id"]}
    assert found.tickets["ticket_id"].tolist() == found.parsed["ticket_id"].tolist()
    assert found.parsed["created_at"].is_monotonic_increasing


def test_no_label_that_was_unknown_at_the_cut_reaches_a_baseline(desk: Desk) -> None:
    found = unseen(desk.raw, [desk.scorer])
    cut = pd.Timestamp(desk.scorer.about["trained"]["cut"])
    late = found.trained["known.escalated"] >= cut
    assert late.any() and found.trained["label.escalated"][late].isna().all()
    assert (found.trained["created_at"] < cut).all()


def test_every_model_stands_beside_its_baselines(evaluated: Report) -> None:
    assert [m.name for m in evaluated.models] == MODELS
    for model in evaluated.models:
        assert model.verdict == "in service" and model.tickets > 200
        assert {b.name for b in model.metrics[0].baselines} == {"majority", "keyword rules", "plain pipeline"}
    assert evaluated.header.figures_from == "final fit" and evaluated.header.synthetic
    assert evaluated.promise is not None and evaluated.promise.whole is not None
    assert evaluated.routing is not None and sum(q.n for q in evaluated.routing) == evaluated.header.rows


def test_the_figures_are_those_of_what_is_served(desk: Desk, evaluated: Report) -> None:
    found = unseen(desk.raw, [desk.scorer])
    served = serve(desk.scorer, found.tickets)
    alone = desk.scorer.score(found.tickets)
    pd.testing.assert_frame_equal(served.scored, alone)
    known = found.parsed["label.topic"].notna() & (found.parsed["label.topic"] != "__out_of_scope__")
    right = (alone["topic"] == found.parsed["label.topic"])[known]
    assert figures(evaluated)["topic"]["accuracy"]["value"] == pytest.approx(right.mean())
    by_model = (alone["queue_reason"] == "model").to_numpy()
    assert (served.proposed[by_model] == alone["queue"].to_numpy()[by_model]).all()


def test_nothing_left_names_the_report_of_the_run(desk: Desk) -> None:
    earlier = desk.raw.tickets["created_at"] < pd.Timestamp(desk.scorer.about["trained"]["cut"])
    raw = replace(desk.raw, tickets=desk.raw.tickets[earlier].reset_index(drop=True))
    with pytest.raises(InputError, match=r"scorer\.report.index\.html") as caught:
        evaluate(raw, desk.scorer, where=desk.folder, say=quiet)
    assert caught.value.exit_code == 2


def test_without_the_training_tickets_the_majority_still_stands_there(desk: Desk) -> None:
    report = evaluate(later(desk.raw, desk), desk.scorer, say=quiet)
    assert {b.name for m in report.models for k in m.metrics for b in k.baselines} == {"majority"}
    assert report.data is not None and "majority" in report.data.facts["baselines"]


def test_another_world_is_said_first_and_withdraws_the_promise(desk: Desk) -> None:
    events = desk.raw.events.copy()
    cut = pd.Timestamp(desk.scorer.about["trained"]["cut"])
    moved = (events["field"] == "priority") & (events["occurred_at"] >= cut)
    events.loc[moved, "value"] = "low"
    report = evaluate(later(replace(desk.raw, events=events), desk), desk.scorer, say=quiet)
    assert report.warnings[0].kind == "another world"
    assert "Priority" in report.warnings[0].what and "low" in report.warnings[0].evidence
    assert report.promise is not None and report.promise.verdict == "withdrawn"
    assert "another world" in report.promise.reason


def test_a_steady_helpdesk_is_one_world(evaluated: Report, rehearsed: Report) -> None:
    assert not [w for w in (*evaluated.warnings, *rehearsed.warnings) if w.kind == "another world"]


def test_the_report_of_a_run_says_which_figures_belong_to_which_fit(rehearsed: Report) -> None:
    assert rehearsed.header.figures_from == "inner splits"
    inner, final = rehearsed.header.fits
    assert (inner.name, inner.figures) == ("inner splits", "all figures on this page")
    assert (final.name, final.figures, final.tested_on) == ("final fit", "none: it serves", "")
    assert [m.name for m in rehearsed.models] == MODELS
    for model in rehearsed.models:
        assert {b.name for b in model.metrics[0].baselines} == {"majority", "keyword rules", "plain pipeline"}


def test_the_report_of_a_run_has_taxonomy_audit_and_what_was_left_out(rehearsed: Report, desk: Desk) -> None:
    assert rehearsed.taxonomy is not None and rehearsed.audit is not None and rehearsed.data is not None
    months, lives = rehearsed.taxonomy.months, rehearsed.taxonomy.labels
    assert months == tuple(sorted(months)) and all(len(life.counts) == len(months) for life in lives)
    assert rehearsed.taxonomy.totals == tuple(np.sum([life.counts for life in lives], axis=0).tolist())
    assert rehearsed.data.left_out["created at the cut or later"] == 400
    assert rehearsed.data.left_out["escalation not known yet at the cut"] > 0
    assert rehearsed.reproduction is not None and "scorer/manifest.json" in rehearsed.reproduction.hashes
    assert rehearsed.settings is not None and rehearsed.settings["encoder.name"] == "none"


def test_no_text_of_a_ticket_stands_in_a_report(
    desk: Desk, evaluated: Report, rehearsed: Report, tmp_path: Path
) -> None:
    for name, report in (("a", evaluated), ("b", rehearsed)):
        report_files(report, tmp_path / name)
        written = "".join(p.read_text("utf-8") for p in (tmp_path / name).iterdir())
        bodies = [str(b)[:60] for b in desk.raw.tickets["body"].dropna() if len(str(b)) >= 60]
        assert not [b for b in bodies if b in written]


def test_the_report_says_what_the_knowledge_base_lacks_and_what_is_stale(evaluated: Report, rehearsed: Report) -> None:
    assert evaluated.gaps is not None and evaluated.stale is not None
    assert evaluated.gaps.tickets <= evaluated.header.rows and evaluated.gaps.lacking > 0
    assert evaluated.stale.citations > 0 and evaluated.stale.base_rate is not None
    assert rehearsed.gaps is None and rehearsed.stale is None


def test_three_files_are_written_and_the_figures_are_flat(evaluated: Report, tmp_path: Path) -> None:
    page = report_files(evaluated, tmp_path / "report")
    assert sorted(p.name for p in page.parent.iterdir()) == ["index.html", "metrics.json", "model_card.md"]
    given = json.loads((tmp_path / "report" / "metrics.json").read_text("utf-8"))
    assert set(given) == {*MODELS, "waiting", "articles", "replies", "promise"}
    assert set(given["articles"]["recall@3"]) == {"value", "low", "high"} and given["articles"]["tickets"] >= 20
    assert set(given["topic"]["accuracy"]) == {"value", "low", "high", "baselines"}
    assert given["escalation"]["average_precision"]["baselines"]["majority"] >= 0
    first = page.read_bytes()
    report_files(evaluated, tmp_path / "report")
    assert page.read_bytes() == first


def test_replies_are_judged_on_unseen_tickets_and_training_s_own_figures_stand_in_the_report_of_a_run(
    desk: Desk, evaluated: Report, rehearsed: Report
) -> None:
    said = evaluated.replies
    assert said is not None and said.means == "both were answered by the same article"
    assert said.compared >= 20 and said.similar.value is not None and 0 < said.similar.value < 1
    assert evaluated.inner == () and rehearsed.replies is None
    articles, replies = rehearsed.inner
    assert desk.ran.answers is not None and (articles.name, replies.name) == ("articles", "replies")
    measured = desk.ran.answers.about["figures"]
    assert dict(articles.figures) | {"tickets": articles.tickets} == measured and articles.tickets
    assert figures(rehearsed)["inner"]["articles"] == measured
    assert replies.note and set(dict(replies.figures)) <= set(desk.ran.answers.about["replies"])


def test_a_worse_scorer_leaves_the_old_one_in_place(desk: Desk) -> None:
    topic = desk.scorer.models.topic
    assert topic is not None
    shuffled = replace(topic, classes=tuple(np.roll(topic.classes, 1).tolist()))
    worse = replace(desk.scorer, models=replace(desk.scorer.models, topic=shuffled))
    verdict = compare(desk.scorer, worse, desk.raw, Gates())
    assert [m.target for m in verdict.worse] == ["topic"] and "topic accuracy" in verdict.words
    with pytest.raises(GateError, match="stays") as caught:
        verdict.require("models/scorer")
    assert caught.value.exit_code == 1
    better = compare(worse, desk.scorer, desk.raw, Gates())
    better.require("models/scorer")
    assert not better.worse


def test_the_same_scorer_may_replace_itself(desk: Desk) -> None:
    verdict = compare(desk.scorer, desk.scorer, desk.raw, Gates())
    assert {m.target for m in verdict.models} == {"topic", "queue", "priority", "escalated"} and not verdict.worse


def test_too_few_unseen_tickets_are_not_compared_and_that_is_said(desk: Desk) -> None:
    verdict = compare(desk.scorer, desk.scorer, desk.raw, Gates(min_compared=5_000))
    assert not verdict.models and "5,000 are needed" in verdict.words


def test_the_reference_of_drift_is_what_the_models_in_service_say(desk: Desk, evaluated: Report) -> None:
    counts = desk.scorer.reference["counts"]
    assert set(counts["queue"]) <= {*desk.scorer.models.queue.classes, "triage"}  # type: ignore[union-attr]
    assert "(empty)" not in counts["escalation_risk"] and "(empty)" not in counts["topic"]
    assert evaluated.drift is not None and {d.what for d in evaluated.drift} >= {"queue", "predicted topic", "channel"}
