"""A scorer's knowledge brought up to date: articles, citations and answers; its models, weights and thresholds stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pipeline.articles.index import ArticleIndex
from pipeline.articles.model import ArticleModel, ticket_vectors
from pipeline.errors import ConfigError, InputError
from pipeline.history.answers import came_back, settling_answers
from pipeline.scorer import Scorer
from pipeline.sources.raw import Raw, relabel
from pipeline.tickets import parse
from pipeline.training import replies, suggestions
from pipeline.training.assemble import id_hash
from pipeline.training.corrections import corrected
from pipeline.training.featurize import CHUNK, encoded
from pipeline.training.labels import citations
from pipeline.training.prepare import Prepared, ordered

Say = Callable[[str], None]

_WHOLE = "import all of the history, or train anew: `triage run`"


@dataclass(frozen=True)
class Refreshed:
    """What came out.

    Attributes
    ----------
    scorer : Scorer
        Not saved yet.
    counts : dict of str to tuple of int
        Articles, citations and answers: how many there were, and how many there are.
    changes : dict of str to int
        Articles that are new, say something else, or are gone.
    """

    scorer: Scorer
    counts: dict[str, tuple[int, int]]
    changes: dict[str, int]


def refresh(
    scorer: Scorer,
    raw: Raw,
    *,
    until: pd.Timestamp | None = None,
    feedback: pd.DataFrame | None = None,
    say: Say = print,
) -> Refreshed:
    """Take in what a knowledge base says and what helpers cited and answered by now.

    With what the scorer was trained on it suggests what it suggested before: the weights aren't learned again.

    Parameters
    ----------
    raw : Raw
        All that was imported, not only what is new.
    until : Timestamp, optional
        Nothing known from this moment on is used.
    feedback : DataFrame, optional
        By `ledger.lessons`; needed where the scorer learned from it.

    Raises
    ------
    InputError, ConfigError
        The scorer suggests nothing, or there is nothing left to suggest; `until` without times.
    """
    old = scorer.models
    if old.articles is None and old.replies is None:
        do = "train one where articles or answers were imported: `triage run`"
        raise InputError("this scorer suggests nothing, so there is nothing to refresh", where="SCORER_DIR", do=do)
    if scorer.about["trained"]["feedback"] and feedback is None:
        do = "give the ledger: --ledger URL"
        raise InputError("this scorer learned what people said of its decisions", where="SCORER_DIR", do=do)
    known = _known(scorer, raw, until, feedback)
    vectors = _vectors(scorer, known.frame, say)
    models, counts, changes = old, dict[str, tuple[int, int]](), dict[str, int]()
    if old.articles is not None:
        made = _articles(scorer, old.articles, known, vectors, say)
        models, changes = replace(models, articles=made), _changes(old.articles.index, made.index)
        counts["articles"] = (len(old.articles.index), len(made.index))
        counts["citations"] = (len(old.articles.citations.cited), len(made.citations.cited))
    if old.replies is not None:
        new = replies.gathered(known, vectors, scorer.settings, say=say)
        if not len(new.answers.ticket):
            got = f"{len(raw.events):,} events"
            raise InputError("no answer here settled a ticket", where="RAW_DIR", got=got, do=_WHOLE)
        counts["answers"] = (len(old.replies.answers.ticket), len(new.answers.ticket))
        new = replace(new, alike=old.replies.alike, fits=old.replies.fits, least=old.replies.least)
        models = replace(models, replies=new)
    about = _about(scorer, known, until, {name: now for name, (_, now) in counts.items()})
    return Refreshed(replace(scorer, models=models, about=about, version="unsaved"), counts, changes)


def _known(scorer: Scorer, raw: Raw, until: pd.Timestamp | None, feedback: pd.DataFrame | None) -> Prepared:
    """The tickets on which something was cited, dismissed or answered, and what; no others are read."""
    settings, dated = scorer.settings, bool(scorer.about["trained"]["dated"])
    if until is not None and not dated:
        do = "leave it out, or train with created_at"
        raise ConfigError("tickets without times can't be split by time", where="--until", got="no created_at", do=do)
    definitions, derived = relabel(raw, settings.outcomes, customers=settings.history)
    told = corrected(derived, feedback, raw.tickets, definitions, cut=until)
    cited = citations(told.outcomes, raw.tickets, cut=until)
    answers = settling_answers(raw.tickets, raw.events, cut=until)
    needed = {*cited["ticket_id"], *answers["ticket_id"], *told.dismissed["ticket_id"]}
    kept = raw.tickets["ticket_id"].isin(needed).to_numpy(bool)
    if until is not None:
        kept = kept & (raw.tickets["created_at"] < until).to_numpy(bool, na_value=False)
    parsed = parse(raw.tickets[kept], settings.tickets)
    frame = ordered(parsed[parsed["error"].isna()].drop(columns=["error"]), dated=dated)
    if frame.empty:
        got = f"{len(raw.tickets):,} tickets, on none of which something was cited or answered"
        raise InputError("there is nothing to refresh from", where="RAW_DIR", got=got, do=_WHOLE)
    return Prepared(
        frame, {"synthetic": any(bool(one.get("synthetic")) for one in raw.imports)}, None, raw.articles,
        cited[cited["ticket_id"].isin(frame["ticket_id"])].reset_index(drop=True), answers,
        came_back(raw.tickets, raw.events, customers=settings.history, cut=until), told.dismissed, raw.macros,
    )  # fmt: skip


def _vectors(scorer: Scorer, frame: pd.DataFrame, say: Say) -> Any:
    """`ticket_vectors` as training has them: encoded with the cache of the settings, or the terms."""
    if (encoder := scorer.builder.encoder) is not None:
        texts = frame["text"].fillna("").astype(object).tolist()
        return encoded(encoder, texts, scorer.settings, say)
    parts = [frame.iloc[start : start + CHUNK] for start in range(0, len(frame), CHUNK)]
    return sp.vstack(
        [ticket_vectors(scorer.builder.transform(part), scorer.builder.terms) for part in parts], format="csr"
    )


def _articles(scorer: Scorer, old: ArticleModel, known: Prepared, vectors: Any, say: Say) -> ArticleModel:
    if not len(known.articles):
        do = "import the knowledge base: `triage import articles`"
        raise InputError("there are no articles", where="articles.parquet", do=do)
    new = suggestions.gathered(known, vectors, scorer.builder.encoder, scorer.settings, say=say)
    habit = None
    if old.habit is not None:
        habit = suggestions.habit_of(known, vectors, new.index, scorer.settings)
        if habit is None:
            got = f"{len(new.citations.cited):,} citations of articles that are there"
            raise InputError("too few articles were cited", where="RAW_DIR", got=got, do=_WHOLE)
    return replace(new, ranker=old.ranker, fits=old.fits, least=old.least, habit=habit)


def _changes(old: ArticleIndex, new: ArticleIndex) -> dict[str, int]:
    before, now = _said(old), _said(new)
    return {
        "new": len(now.keys() - before.keys()),
        "changed": sum(now[name] != before[name] for name in now.keys() & before.keys()),
        "gone": len(before.keys() - now.keys()),
    }


def _said(index: ArticleIndex) -> dict[str, tuple[str, ...]]:
    starts = np.searchsorted(index.owner, np.arange(len(index) + 1))
    return {name: index.passages[starts[at] : starts[at + 1]] for at, name in enumerate(index.ids)}


def _about(scorer: Scorer, known: Prepared, until: pd.Timestamp | None, counts: dict[str, int]) -> dict[str, Any]:
    """What the manifest says; by the tickets that were looked at nobody should judge suggestions."""
    ids = sorted({id_hash(str(i)) for i in known.frame["ticket_id"]})
    moment = None if until is None else until.isoformat()
    return scorer.about | {"refreshed": {"until": moment, "from": scorer.version, "now": counts, "ids": ids}}
