"""The report of a training: figures from inner splits, labels over time, the label audit, and what became of the rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from pipeline.estimators.scope import nearness, scope_score
from pipeline.pages.findings import Audit, ClassWords, DataNotes
from pipeline.pages.report import Fit, Header, ModelReport, Report, Warn
from pipeline.scorer import Scorer
from pipeline.tickets.schema import FIELD_PREFIX
from pipeline.training import notes, world
from pipeline.training.assemble import inner_predictions, nearness_without_self, newest
from pipeline.training.audit import audit
from pipeline.training.baselines import Lesson, joined, rivals
from pipeline.training.featurize import Featurized
from pipeline.training.judge import Standing, absent, judge
from pipeline.training.labels import LABEL_PREFIX
from pipeline.training.looked import MODEL_NAMES, Context, Looked, Outside, Rival
from pipeline.training.looks import of_inner
from pipeline.training.prepare import Prepared, known_moments, moments
from pipeline.training.realised import Routed, realised, right_queue, routed, working_point
from pipeline.training.taxonomy import taxonomy
from pipeline.training.telling_words import class_words, documents
from pipeline.training.train import Trained

LATER, EARLIER = "the latest fifth of the training tickets", "the ones before"
REHEARSED = (
    "the thresholds were chosen on these very tickets, so here it is kept by construction: "
    "`triage evaluate` holds it against later ones"
)
COMMAND = "triage run --raw RAW_DIR --scorer SCORER_DIR --params PARAMS.yaml"


class RanLike(Protocol):
    """What a run leaves: see `run.Ran`."""

    @property
    def prepared(self) -> Prepared: ...
    @property
    def featurized(self) -> Featurized: ...
    @property
    def trained(self) -> dict[str, Trained]: ...
    @property
    def scorer(self) -> Scorer: ...


def report_of_run(ran: RanLike, *, folders: tuple[Path, ...] = (), commands: tuple[str, ...] = (COMMAND,)) -> Report:
    """Everything that training knows of its models.

    Parameters
    ----------
    ran : Ran
        With the scorer as it was saved, so that the page names its version.
    folders : tuple of Path
        The scorer's folder and RAW_DIR, for their hashes.
    """
    prepared, scorer = ran.prepared, ran.scorer
    context = Context.of(prepared.frame)
    went, reasons = _routed(ran, context)
    worlds = world.of_prepared(prepared, scorer.settings.topic)
    changed = notes.withdrawn_because(worlds, LATER, EARLIER)
    models = tuple(_model(ran, t, context, went, worlds.get(t)) for t in MODEL_NAMES if t in ran.trained)
    promise = None
    if went is not None:
        promise = realised(went, scorer.about.get("promise"), scorer.policy, changed=changed)
        if promise is not None and promise.verdict in ("kept", "broken"):
            promise = replace(promise, reason="; ".join(filter(None, [promise.reason, REHEARSED])))
    named = next((ran.trained[t] for t in ("topic", "queue") if t in ran.trained), None)
    return Report(
        header=_header(ran, context),
        models=models,
        warnings=(*notes.world_warnings(worlds, LATER, EARLIER), *_warnings(ran, models)),
        promise=promise,
        routing=None if reasons is None else notes.queues(reasons),
        taxonomy=None if named is None else taxonomy(prepared, named),
        audit=_audit(ran),
        data=_data(ran),
        settings=notes.settings_of(scorer.settings),
        reproduction=notes.reproduction(scorer.settings, commands, folders=folders),
        missing=_missing(prepared),
    )


def _model(
    ran: RanLike, target: str, context: Context, went: Routed | None, changed: world.World | None
) -> ModelReport:
    model, scorer = ran.trained[target], ran.scorer
    if not model.parts:
        return absent(target, Standing("not trained", note=model.about["why_none"]), "the model wasn't trained")
    chosen = ", ".join(f"{k} {v}" for k, v in model.about["chosen"].items())
    note = "" if model.passed else model.about["why_none"]
    if changed is not None and changed.another:
        note = "; ".join(filter(None, [note, f"{LATER} are another world than {EARLIER}"]))
    standing = Standing("in service" if model.passed else "no better than the baseline", chosen, note)
    looked, rows = of_inner(model, ran.prepared.frame, scorer, context)
    looked, words = _beside(ran, model, looked, rows)
    if target == "topic":
        looked = replace(looked, outside=_outside(ran, model))
    if went is not None and target == _proposer(scorer):
        looked = replace(looked, working_point=working_point(went))
    return judge(looked, standing, seed=scorer.settings.seed, words=words)


def _beside(
    ran: RanLike, model: Trained, looked: Looked, rows: np.ndarray
) -> tuple[Looked, tuple[ClassWords, ...]]:
    """Baselines fitted as the model was: on what came before (or on the other folds), and the words of each class."""
    frame, target, scorer = ran.prepared.frame, model.target, ran.scorer
    hidden = ran.prepared.about["left_out_fields"].get(target, [])
    texts = documents(frame, has_text=bool(scorer.about.get("has_text", True)), hidden=hidden)
    labels = frame[LABEL_PREFIX + target].astype(object).to_numpy()
    folds = _folds(ran, model, rows)
    parts: list[tuple[np.ndarray, tuple[Rival, ...]]] = []
    for fit, look in folds:
        lesson = Lesson(texts.take(fit), labels[fit].astype(str))
        said = rivals(
            target, lesson, texts.take(rows[look]), looked.truth[look], seed=scorer.settings.seed, fits=len(folds)
        )
        parts.append((look, said))
    learned = np.sort(model.inner["trained"])
    shown = [label for label in looked.trained if target != "escalated" or label == "1"]
    words: tuple[ClassWords, ...] = ()
    if not texts.fields:
        words = class_words(texts.take(learned), labels[learned].astype(str), classes=shown)
    return looked.with_rivals(joined(parts, len(rows))), words


def _folds(ran: RanLike, model: Trained, rows: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Which rows a baseline may learn from, and the positions in `rows` that it is looked at for."""
    learned = np.sort(model.inner["trained"])
    if model.about["dated"]:
        fit = learned[learned < rows.min()] if len(rows) else learned
        if model.target == "escalated" and len(rows):
            created = moments(ran.prepared.frame["created_at"])[rows].min()
            known = fit[known_moments(ran.prepared.frame, model.target)[fit] < created]
            fit = known if len(known) >= 0.3 * len(fit) else fit
        return [(fit, np.arange(len(rows)))]
    folds = np.uint64(ran.scorer.settings.split.folds)
    of, of_rows = ran.featurized.order[learned] % folds, ran.featurized.order[rows] % folds
    return [(learned[of != f], np.flatnonzero(of_rows == f)) for f in np.unique(of_rows)]


def _outside(ran: RanLike, model: Trained) -> Outside | None:
    """Out-of-scope scores of inner rows and of the tickets known to be out of scope."""
    scope = ran.scorer.models.scope
    if "outside_rows" not in model.inner or scope is None:
        return None
    kept = newest(model.inner["trained"], ran.scorer.settings)
    near = nearness_without_self(ran.featurized, model.inner["rows"], kept)
    outside = model.inner["outside_rows"]
    near_outside = nearness(ran.featurized.blocks.meaning[outside], scope.vectors)
    scores = [
        scope_score(scope.weights, model.inner[p].max(axis=1), n)
        for p, n in (("probabilities", near), ("outside_probabilities", near_outside))
    ]
    return Outside(scores[0], scores[1])


def _routed(ran: RanLike, context: Context) -> tuple[Routed | None, pd.DataFrame | None]:
    """Where the policy would have sent the inner rows, and what was right; None where no model proposes a queue."""
    scorer, frame = ran.scorer, ran.prepared.frame
    name = _proposer(scorer)
    if name not in ran.trained or not ran.trained[name].passed:
        return None, None
    source = ran.trained[name]
    rows = np.sort(source.inner["rows"])
    part = frame.iloc[rows].reset_index(drop=True)
    label, confidence, _ = inner_predictions(source, rows)
    if name == "topic":
        label = [None if v is None else scorer.policy.queue_of(v) for v in label]
    nothing: list[str | None] = [None] * len(rows)
    said = {t: inner_predictions(ran.trained[t], rows)[0] for t in ("topic", "priority") if t in ran.trained and ran.trained[t].passed}
    decision = scorer.policy.decide(
        part, label=label, confidence=confidence, topic=said.get("topic", nothing),
        priority=said.get("priority", nothing), oos=_scope_scores(ran, rows), fallback=nothing,
    )  # fmt: skip
    queue, reason = (np.array(v, dtype=object) for v in (decision.queue, decision.reason))
    right = right_queue(part, scorer.policy.queue_of)
    table = pd.DataFrame({"queue": queue, "queue_reason": reason})
    return routed(queue, reason, right, context.months[rows]), table


def _scope_scores(ran: RanLike, rows: np.ndarray) -> np.ndarray:
    """Out-of-scope scores of rows that the topic was looked at for; 0 for the others."""
    scores, scope = np.zeros(len(rows)), ran.scorer.models.scope
    topic = ran.trained.get("topic")
    if scope is None or topic is None:
        return scores
    _, confidence, _ = inner_predictions(topic, rows)
    seen = np.flatnonzero(~np.isnan(confidence))
    near = nearness_without_self(ran.featurized, rows[seen], newest(topic.inner["trained"], ran.scorer.settings))
    scores[seen] = scope_score(scope.weights, confidence[seen], near)
    return scores


def _proposer(scorer: Scorer) -> str:
    return "queue" if scorer.models.queue is not None else "topic"


def _warnings(ran: RanLike, models: tuple[ModelReport, ...]) -> list[Warn]:
    found = [
        Warn("gate", f"{m.name.capitalize()} stays out of service.", m.note)
        for m in models if m.verdict == "no better than the baseline"
    ]  # fmt: skip
    asked = ran.scorer.about.get("promise")
    if asked is not None and asked.get("max_error") is not None and asked.get("note"):
        found.append(Warn("promise", "The machine routes nothing.", asked["note"]))
    return found


def _audit(ran: RanLike) -> Audit:
    """The label audit of every outcome, as one work list."""
    frame, features, params = ran.prepared.frame, ran.featurized, ran.scorer.settings
    found = [audit(frame, t, terms=features.blocks.terms, groups=features.groups, seed=params.seed) for t in ran.prepared.about["targets"]]
    left_out = ran.prepared.about["left_out_fields"]
    return Audit(
        suspects=tuple(sorted((s for a in found for s in a.suspects), key=lambda s: -s.probability)),
        suspects_found=sum(a.suspects_found for a in found),
        twins=tuple(t for a in found for t in a.twins),
        rare=tuple(r for a in found for r in a.rare),
        repeats=found[0].repeats if found else (),
        labelled_both_ways=tuple(r for a in found for r in a.labelled_both_ways),
        give_aways=tuple(replace(g, left_out=g.column in left_out.get(g.outcome, ())) for a in found for g in a.give_aways),
        unpredictable=tuple(u for a in found for u in a.unpredictable),
    )


def _data(ran: RanLike) -> DataNotes:
    about, trained = ran.prepared.about, ran.trained
    left_out: dict[str, int] = {"created at the cut or later": about["after_cut"]}
    for t, counts in about["counts"].items():
        left_out[f"{MODEL_NAMES[t]} not known yet at the cut"] = counts["not_known_yet"]
    for t, model in trained.items():
        left_out[f"near-duplicates, not looked at for {MODEL_NAMES[t]}"] = model.about.get("near_duplicates_left_out", 0)
        dead = model.about.get("living", {}).get("dead", {})
        labels = ran.prepared.frame[LABEL_PREFIX + t]
        for why, names in (("too rare", [k for k, v in dead.items() if v.startswith("only")]), ("dead", list(dead))):
            chosen = names if why == "too rare" else [k for k in names if not dead[k].startswith("only")]
            left_out[f"{MODEL_NAMES[t]} {why}"] = int(labels.isin(chosen).sum())
    hidden = {t: [f for f in names if FIELD_PREFIX + f in ran.prepared.frame] for t, names in about["left_out_fields"].items()}
    facts = {"tickets without words": f"{int(ran.prepared.frame['text'].isna().sum()):,}"}
    facts |= {f"fields hidden from {MODEL_NAMES[t]}": ", ".join(fields) for t, fields in hidden.items() if fields}
    return DataNotes(about["read"], about["refused"], {why: n for why, n in left_out.items() if n}, facts)


def _header(ran: RanLike, context: Context) -> Header:
    prepared, scorer = ran.prepared, ran.scorer
    looked = [m.inner["rows"] for m in ran.trained.values() if m.parts]
    rows = np.unique(np.concatenate(looked)) if looked else np.zeros(0, dtype=np.int64)
    learned = np.unique(np.concatenate([m.inner["trained"] for m in ran.trained.values() if m.parts] or [rows]))
    dated = prepared.about["dated"]
    before = learned[learned < rows.min()] if dated and len(rows) else learned
    share = scorer.settings.split.calibrate_share
    split = f"by time: the latest {share:.0%} of each outcome's tickets" if dated else "by a stable hash: the tickets have no times"
    how = _span(context, before) if dated else f"{scorer.settings.split.folds - 1} of {scorer.settings.split.folds} folds of {len(learned):,} tickets"
    days = np.sort(context.days[rows][context.days[rows] != ""])
    return Header(
        scorer_version=scorer.version,
        data_date=str(prepared.about["data_end"] or "")[:10],
        rows=len(rows),
        rows_left_out=prepared.about["read"] - len(rows),
        encoder=scorer.builder.encoder.identity if scorer.builder.encoder else "none",
        split=split,
        figures_from="inner splits",
        first_ticket=str(days[0]) if len(days) else "",
        last_ticket=str(days[-1]) if len(days) else "",
        synthetic=bool(prepared.about["synthetic"]),
        fits=(
            Fit("inner splits", how, _span(context, rows), "all figures on this page"),
            Fit("final fit", _span(context, learned), "", "none: it serves"),
        ),
    )


def _span(context: Context, rows: np.ndarray) -> str:
    days = np.sort(context.days[rows][context.days[rows] != ""])
    return f"{len(rows):,} tickets" + (f", {days[0]} to {days[-1]}" if len(days) else "")


def _missing(prepared: Prepared) -> dict[str, str]:
    missing = {
        "promise": "no model in service proposes a queue",
        "routing": "no model in service proposes a queue",
        "taxonomy": "the tickets have no times" if not prepared.about["dated"] else "there is no topic or queue model",
        "drift": "nothing came after training yet: see `triage evaluate` and the summary of each batch",
    }
    for target, name in MODEL_NAMES.items():
        if target not in prepared.about["targets"]:
            missing[name] = "the history has no such outcome"
    return missing
