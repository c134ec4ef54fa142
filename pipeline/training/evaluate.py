"""Stage evaluate: the scorer itself on tickets that it wasn't trained on, beside simple baselines, as one report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.history.definitions import OUT_OF_SCOPE, Definition, source_columns
from pipeline.history.record import History, record
from pipeline.pages.articles import Articles, Replies
from pipeline.pages.findings import ClassWords, DataNotes
from pipeline.pages.report import Fit, Header, ModelReport, Report
from pipeline.scorer import Scorer
from pipeline.sources.raw import Raw, load_raw, relabel
from pipeline.training import notes, world
from pipeline.training.ages import of_served as waited_of_served
from pipeline.training.assemble import id_hash
from pipeline.training.audit import give_away_columns
from pipeline.training.baselines import PLAIN_ROWS, Lesson, majority, plain_rows, rivals
from pipeline.training.cited import beside_cited
from pipeline.training.gaps import gaps_among
from pipeline.training.judge import NO_BETTER, Standing, absent, judge
from pipeline.training.labels import KNOWN_PREFIX, LABEL_PREFIX
from pipeline.training.leak import Facts, leak
from pipeline.training.looked import MODEL_NAMES, Context, Looked
from pipeline.training.looks import of_served
from pipeline.training.realised import Routed, realised, right_queue, routed, working_point
from pipeline.training.replied import beside_settled
from pipeline.training.report_files import report_files
from pipeline.training.served import Served, remembering, serve
from pipeline.training.stale import stale_of
from pipeline.training.telling_words import class_words, documents, spoken_of
from pipeline.training.unseen import Unseen, lesson_rows, require, unseen
from pipeline.training.waiting import with_waiting

__all__ = ["evaluate", "report_files"]

Say = Callable[[str], None]

LATER, EARLIER = "these tickets", "those of the training time"


@dataclass(frozen=True)
class _Bench:
    """Everything that the models are judged with."""

    scorer: Scorer
    found: Unseen
    served: Served
    context: Context
    hidden: dict[str, list[str]]
    facts: Facts
    history: History | None
    say: Say


def evaluate(raw: Path | Raw, scorer: Scorer, *, where: Path | None = None, say: Say = print) -> Report:
    """Run the scorer on unseen tickets and judge what it says.

    Parameters
    ----------
    raw : Path or Raw
        A RAW_DIR, or what was read from it. Its outcomes are made by the scorer's own definitions.
    where : Path, optional
        The scorer's folder, for messages and hashes.

    Raises
    ------
    InputError
        Every ticket with an outcome is one that the scorer was trained on.
    """
    given, scorer = load_raw(raw) if isinstance(raw, Path) else raw, remembering(scorer)
    found = unseen(given, [scorer])
    require(found, where)
    say(f"{len(found.tickets):,} tickets to look at")
    definitions, outcomes = relabel(given, scorer.settings.outcomes, customers=scorer.settings.history)
    facts = Facts(given.tickets, given.events, outcomes, definitions)
    history = _history(scorer, facts)
    served = serve(scorer, found.tickets, history=history, say=say)
    hidden = _hidden(definitions, found, scorer)
    bench = _Bench(scorer, found, served, Context.of(found.parsed), hidden, facts, history, say)
    went = _routed(bench)
    worlds = _worlds(bench)
    models = tuple(_model(bench, t, worlds.get(t), went) for t in MODEL_NAMES if t in scorer.about["models"])
    moved = notes.drifts(scorer.reference, found.tickets, served.scored)
    warnings = [*notes.world_warnings(worlds, LATER, EARLIER), *notes.model_warnings(models)]
    warnings += notes.drift_warnings(moved)
    changed = notes.withdrawn_because(worlds, LATER, EARLIER)
    promise = realised(went, scorer.about.get("promise"), scorer.policy, changed=changed)
    folders = [p for p in (raw if isinstance(raw, Path) else None, where) if p is not None]
    return Report(
        header=_header(bench),
        models=models,
        warnings=tuple(warnings),
        promise=promise,
        routing=notes.queues(served.scored),
        articles=_articles(bench, outcomes),
        replies=_replies(bench, outcomes),
        gaps=None if scorer.models.articles is None else gaps_among(found.parsed, served.scored, facts, scorer),
        stale=None if given.articles.empty else stale_of(facts, given.articles, scorer.settings.history),
        drift=moved,
        data=_data(bench),
        settings=notes.settings_of(scorer.settings),
        reproduction=notes.reproduction(
            scorer.settings, ("triage evaluate --raw RAW_DIR --scorer SCORER_DIR --out REPORT_DIR",), folders=folders
        ),
        missing=_missing(scorer),
    )


def _model(bench: _Bench, target: str, changed: world.World | None, went: Routed) -> ModelReport:
    about = bench.scorer.about["models"][target]
    chosen = notes.chosen_words(about.get("chosen", {}))
    if not about["in_service"]:
        gate = about.get("gate")
        standing = Standing(NO_BETTER if gate else "not trained", chosen, notes.why_none(about))
        return absent(target, standing, "the scorer has no such model")
    standing = Standing(
        "in service", chosen, "the labels come from another world" if changed and changed.another else ""
    )
    if LABEL_PREFIX + target not in bench.found.parsed:
        return absent(target, standing, "no ticket here has this outcome")
    looked, rows = of_served(target, bench.served, bench.found.parsed, bench.scorer, bench.context)
    bench.say(f"{MODEL_NAMES[target]}: {len(looked):,} tickets beside the baselines")
    looked, words = _beside(bench, looked, rows)
    if target == _proposer(bench.scorer):
        looked = replace(looked, working_point=working_point(went))
    judged = judge(looked, standing, seed=bench.scorer.settings.seed, words=words)
    return _as_it_waits(bench, judged) if target == "escalated" else judged


def _articles(bench: _Bench, outcomes: pd.DataFrame) -> Articles | None:
    """Suggestions beside what was cited; None where there are none, or too few to judge."""
    model = bench.scorer.models.articles
    if model is None:
        return None
    found = beside_cited(_unanswered(bench), outcomes, model, seed=bench.scorer.settings.seed)
    if found is not None:
        figures = ", ".join(f"{m.name} {m.scorer.value:.3f}" for m in found.metrics if m.scorer.value is not None)
        bench.say(f"articles: on {found.tickets:,} tickets {figures}")
    return found


def _replies(bench: _Bench, outcomes: pd.DataFrame) -> Replies | None:
    """Replies and similar tickets beside what settled the tickets; None where there are none, or too few to judge."""
    if bench.scorer.models.replies is None:
        return None
    found = beside_settled(_unanswered(bench), outcomes, seed=bench.scorer.settings.seed)
    if found is not None:
        shown = "too few to judge" if found.right.value is None else f"right {found.right.value:.3f}"
        bench.say(f"replies: shown for {found.shown:.1%}, {shown}; similar tickets right {found.similar.value:.3f}")
    return found


def _unanswered(bench: _Bench) -> pd.DataFrame:
    """Scored tickets whose answers the scorer hasn't been shown by a refresh."""
    shown = bench.scorer.about.get("refreshed", {}).get("ids", [])
    scored = bench.served.scored
    return scored[~np.isin([id_hash(str(i)) for i in scored["ticket_id"]], shown)] if shown else scored


def _as_it_waits(bench: _Bench, judged: ModelReport) -> ModelReport:
    """With the risk at fixed ages, the time that alerts win, and the leakage test."""
    scorer, frame, history = bench.scorer, bench.found.parsed, bench.history
    if history is None:
        return with_waiting(judged, None, scorer.settings)
    found = with_waiting(judged, waited_of_served(scorer, frame, history, say=bench.say), scorer.settings)
    if found.waiting is None:
        return found
    return replace(found, waiting=replace(found.waiting, leak=leak(bench.facts, scorer, frame, history)))


def _history(scorer: Scorer, facts: Facts) -> History | None:
    """What the scorer's model looks at; None where it looks at nothing."""
    if scorer.builder.as_of is None or scorer.models.escalation is None:
        return None
    settings = scorer.settings.history
    return record(facts.tickets, facts.events, facts.outcomes, facts.definitions, settings).by_ticket()


def _beside(bench: _Bench, looked: Looked, rows: np.ndarray) -> tuple[Looked, tuple[ClassWords, ...]]:
    """Baselines that learned from the same tickets, as far as RAW_DIR still has them, and the words of each class."""
    target, frame = looked.target, bench.found.trained
    learned = lesson_rows(bench.found, bench.scorer, target)
    if not len(learned):
        counts = bench.scorer.about["models"][target]["counts"]
        shares = {label: n / sum(counts.values()) for label, n in counts.items()}
        return looked.with_rivals((majority(target, shares, looked.truth),)), ()
    has_text, hidden = bool(bench.scorer.about.get("has_text", True)), bench.hidden.get(target, [])
    lesson = Lesson(
        documents(frame.iloc[learned], has_text=has_text, hidden=hidden),
        frame[LABEL_PREFIX + target].iloc[learned].to_numpy(dtype=str),
    )
    look = documents(bench.found.parsed.iloc[rows], has_text=has_text, hidden=hidden)
    found = rivals(target, lesson, look, looked.truth, seed=bench.scorer.settings.seed)
    words = class_words(lesson.texts, lesson.labels, classes=spoken_of(looked)) if has_text else ()
    return looked.with_rivals(found), words


def _hidden(definitions: Mapping[str, Definition], found: Unseen, scorer: Scorer) -> dict[str, list[str]]:
    """Fields that give an outcome away: they were left out of its model, so its rivals don't see them either."""
    hidden = {t: sorted(source_columns(d)) for t, d in definitions.items()}
    if scorer.settings.features.give_away == "leave_out" and not scorer.about.get("has_text", True):
        for t in found.targets:
            names = [g.column for g in give_away_columns(found.trained, t)]
            hidden[t] = sorted({*hidden.get(t, []), *names})
    return hidden


def _worlds(bench: _Bench) -> dict[str, world.World]:
    """Each outcome's labels here against those before.

    A topic or queue model finds the present set of labels by itself, so it is held against what it learned from; for
    levels and escalations the whole labelled past counts, as far as RAW_DIR still has it.
    """
    worlds = {}
    for target, about in bench.scorer.about["models"].items():
        name, trained = LABEL_PREFIX + target, bench.found.trained
        if name not in bench.found.parsed or not about.get("counts"):
            continue
        labels = bench.found.parsed[name].dropna()
        labels = labels[labels != OUT_OF_SCOPE].to_numpy(dtype=str)
        before, counts = None, about["counts"]
        if name in trained:
            rows = lesson_rows(bench.found, bench.scorer, target)
            before = trained[name].iloc[rows].to_numpy(dtype=str)
            if target not in ("topic", "queue") and trained[name].notna().sum() >= len(rows) > 0:
                before = trained[name].dropna().to_numpy(dtype=str)
                counts = world.counted(before)
        worlds[target] = world.between(counts, labels, past=before)
    return worlds


def _routed(bench: _Bench) -> Routed:
    scored = bench.served.scored
    right = right_queue(bench.found.parsed, bench.scorer.policy.queue_of)
    queue, reason = (scored[c].to_numpy(dtype=object) for c in ("queue", "queue_reason"))
    return routed(queue, reason, right, bench.context.months)


def _proposer(scorer: Scorer) -> str:
    return "queue" if scorer.models.queue is not None else "topic"


def _header(bench: _Bench) -> Header:
    scorer, found = bench.scorer, bench.found
    about, days = scorer.about["trained"], np.sort(bench.context.days[bench.context.days != ""])
    span = f", {about['first'][:10]} to {about['last'][:10]}" if about.get("first") else ""
    looked = f"{len(found.tickets):,} tickets" + (f", {days[0]} to {days[-1]}" if len(days) else "")
    split = "tickets that the scorer wasn't trained on"
    if about.get("cut"):
        split += f"; it used nothing known from {about['cut'][:10]} on"
        if "refreshed" in scorer.about:
            split += "; suggestions, refreshed since, are judged by tickets on which nothing was cited or answered then"
    elif not about.get("dated", True):
        split += "; they have no times"
    return Header(
        scorer_version=scorer.version,
        data_date=_newest(found.parsed),
        rows=len(found.tickets),
        rows_left_out=sum(found.left_out.values()),
        encoder=str(scorer.about.get("encoder", "none")),
        split=split,
        figures_from="final fit",
        first_ticket=str(days[0]) if len(days) else "",
        last_ticket=str(days[-1]) if len(days) else "",
        synthetic=found.synthetic or bool(scorer.about.get("synthetic")),
        fits=(Fit("final fit", f"{about['rows']:,} tickets{span}", looked, "all figures on this page"),),
    )


def _newest(frame: pd.DataFrame) -> str:
    times = [frame[c].max() for c in map(str, frame) if c == "created_at" or c.startswith(KNOWN_PREFIX)]
    known = [t for t in times if not pd.isna(t)]
    return max(known).strftime("%Y-%m-%d") if known else "no times"


def _data(bench: _Bench) -> DataNotes:
    found = bench.found
    capped = len(found.trained) >= PLAIN_ROWS
    facts = {
        "near-duplicates": "texts of training tickets aren't kept, so near-duplicates of them aren't left out here",
        "tickets without words": f"{int(found.parsed['text'].isna().sum()):,}",
    }
    if not len(found.trained):
        facts["baselines"] = "the training tickets aren't in RAW_DIR: only the majority stands beside the scorer"
    elif capped:
        facts["baselines"] = f"learned from the newest {plain_rows(len(found.trained), 1):,} training tickets"
    left_out = {why: n for why, n in found.left_out.items() if why != "refused"}
    refused = {str(k): int(n) for k, n in bench.served.scored["error"].dropna().value_counts().items()}
    if "refused" in found.left_out:
        refused["refused by the parser"] = found.left_out["refused"]
    return DataNotes(found.read, refused, left_out, facts)


def _missing(scorer: Scorer) -> dict[str, str]:
    missing = {
        "taxonomy": "see the report that `run` wrote beside the scorer",
        "audit": "see the report that `run` wrote beside the scorer",
        "promise": "the scorer proposes no queue",
        "drift": "the scorer keeps no reference",
    }
    for target, name in MODEL_NAMES.items():
        if target not in scorer.about["models"]:
            missing[name] = "the history has no such outcome"
    return missing
