"""The report of a training: figures from inner splits, labels over time, label audit, what became of the rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.history.log import moments
from pipeline.pages.articles import Inner
from pipeline.pages.findings import Audit, ClassWords, DataNotes
from pipeline.pages.report import Fit, Header, ModelReport, Report, Warn
from pipeline.tickets.schema import FIELD_PREFIX
from pipeline.training import notes, world
from pipeline.training.ages import of_inner as waited_of_inner
from pipeline.training.audit import audit
from pipeline.training.baselines import Lesson, joined, rivals
from pipeline.training.judge import NO_BETTER, Standing, absent, judge
from pipeline.training.labels import LABEL_PREFIX
from pipeline.training.looked import MODEL_NAMES, Context, Looked, Rival
from pipeline.training.looks import of_inner
from pipeline.training.prepare import Prepared, known_moments
from pipeline.training.realised import Routed, realised, working_point
from pipeline.training.rehearsal import RanLike, outside_scores, proposer, rehearse
from pipeline.training.taxonomy import taxonomy
from pipeline.training.telling_words import class_words, documents, spoken_of
from pipeline.training.train import Trained
from pipeline.training.waiting import with_waiting

LATER, EARLIER = "the latest fifth of the training tickets", "the ones before"
REHEARSED = (
    "the thresholds were chosen on these very tickets, so here it is kept by construction: "
    "`triage evaluate` holds it against later ones"
)
COMMAND = "triage run --raw RAW_DIR --scorer SCORER_DIR --params PARAMS.yaml"


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
    went, reasons = rehearse(ran, context)
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
        inner=_answers(ran.answers),
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
    chosen = notes.chosen_words(model.about["chosen"])
    note = "" if model.passed else notes.why_none(model.about)
    if changed is not None and changed.another:
        note = "; ".join(filter(None, [note, f"{LATER} are another world than {EARLIER}"]))
    standing = Standing("in service" if model.passed else NO_BETTER, chosen, note)
    looked, rows = of_inner(model, ran.prepared.frame, scorer, context)
    looked, words = _beside(ran, model, looked, rows)
    if target == "topic":
        looked = replace(looked, outside=outside_scores(ran, model))
    if went is not None and target == proposer(scorer):
        looked = replace(looked, working_point=working_point(went))
    judged = judge(looked, standing, seed=scorer.settings.seed, words=words)
    if target != "escalated":
        return judged
    return with_waiting(judged, waited_of_inner(model, ran.prepared.frame, ran.featurized.snapshots), scorer.settings)


def _answers(trained: Trained | None) -> tuple[Inner, ...]:
    """What training measured of articles and replies; nothing where it was asked for neither."""
    if trained is None or "notes" not in trained.about:
        return ()
    told = []
    for name, key in (("articles", "figures"), ("replies", "replies")):
        figures = {str(k): float(v) for k, v in trained.about[key].items()}
        tickets = figures.pop("tickets", None)
        note = str(trained.about["notes"][name])
        told.append(
            Inner(name, note[:1].upper() + note[1:], None if tickets is None else int(tickets), tuple(figures.items()))
        )
    return tuple(told)


def _beside(ran: RanLike, model: Trained, looked: Looked, rows: np.ndarray) -> tuple[Looked, tuple[ClassWords, ...]]:
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
    words: tuple[ClassWords, ...] = ()
    if not texts.fields:
        words = class_words(texts.take(learned), labels[learned].astype(str), classes=spoken_of(looked))
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


def _warnings(ran: RanLike, models: tuple[ModelReport, ...]) -> list[Warn]:
    found = notes.model_warnings(models)
    asked = ran.scorer.about.get("promise")
    if asked is not None and asked.get("max_error") is not None and asked.get("note"):
        found.append(Warn("promise", "The machine routes nothing.", asked["note"]))
    return found


def _audit(ran: RanLike) -> Audit:
    """The label audit of every outcome, as one work list."""
    frame, features, params = ran.prepared.frame, ran.featurized, ran.scorer.settings
    found = [
        audit(frame, t, terms=features.blocks.terms, groups=features.groups, seed=params.seed)
        for t in ran.prepared.about["targets"]
    ]
    left_out = ran.prepared.about["left_out_fields"]
    return Audit(
        suspects=tuple(sorted((s for a in found for s in a.suspects), key=lambda s: -s.probability)),
        suspects_found=sum(a.suspects_found for a in found),
        twins=tuple(t for a in found for t in a.twins),
        rare=tuple(r for a in found for r in a.rare),
        repeats=found[0].repeats if found else (),
        labelled_both_ways=tuple(r for a in found for r in a.labelled_both_ways),
        give_aways=tuple(
            replace(g, left_out=g.column in left_out.get(g.outcome, ())) for a in found for g in a.give_aways
        ),
        unpredictable=tuple(u for a in found for u in a.unpredictable),
    )


def _data(ran: RanLike) -> DataNotes:
    about, trained = ran.prepared.about, ran.trained
    left_out: dict[str, int] = {"created at the cut or later": about["after_cut"]}
    for t, counts in about["counts"].items():
        left_out[f"{MODEL_NAMES[t]} not known yet at the cut"] = counts["not_known_yet"]
    for t, model in trained.items():
        left_out[f"near-duplicates, not looked at for {MODEL_NAMES[t]}"] = model.about.get(
            "near_duplicates_left_out", 0
        )
        dead = model.about.get("living", {}).get("dead", {})
        labels = ran.prepared.frame[LABEL_PREFIX + t]
        for why, names in (("too rare", [k for k, v in dead.items() if v.startswith("only")]), ("dead", list(dead))):
            chosen = names if why == "too rare" else [k for k in names if not dead[k].startswith("only")]
            left_out[f"{MODEL_NAMES[t]} {why}"] = int(labels.isin(chosen).sum())
    hidden = {
        t: [f for f in names if FIELD_PREFIX + f in ran.prepared.frame] for t, names in about["left_out_fields"].items()
    }
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
    split = (
        f"by time: the latest {share:.0%} of each outcome's tickets"
        if dated
        else "by a stable hash: the tickets have no times"
    )
    how = (
        _span(context, before)
        if dated
        else f"{scorer.settings.split.folds - 1} of {scorer.settings.split.folds} folds of {len(learned):,} tickets"
    )
    days = np.sort(context.days[rows][context.days[rows] != ""])
    return Header(
        scorer_version=scorer.version,
        data_date=str(prepared.about["data_end"] or "no times")[:10],
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
