"""Suggested articles: the index of the knowledge base, and a ranking learned from the articles that helpers cited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pipeline.articles.earlier import Asked
from pipeline.articles.habit import FLOOR, Habit
from pipeline.articles.index import ArticleIndex
from pipeline.articles.model import (
    BY_HAND,
    BY_HAND_WORDS,
    MEASURES,
    ArticleModel,
    Citations,
    ticket_vectors,
)
from pipeline.articles.ranker import Ranker, Seen, by_article
from pipeline.calibration import logit
from pipeline.config import Params
from pipeline.features.encoder import Encoder
from pipeline.history.log import NEVER, moments
from pipeline.training import none_fits
from pipeline.training.featurize import Featurized, encoded
from pipeline.training.gates import Verdict, articles_gate
from pipeline.training.metrics import calibration_error, listing_points
from pipeline.training.prepare import Prepared

FEWEST = 150
"""With fewer tickets whose article is known, the weights are those given by hand."""

HELD_OUT = 0.25
"""Share of these tickets, the latest, on which the ranking is judged and calibrated."""

FEWEST_ANSWERED = 20
"""With fewer tickets on which it was cited nobody can tell how many customers an article satisfies."""

UNSEEN = 0.1
"""Share of these tickets, the earliest, that nothing is learned from: hardly anything had been cited by then."""

HABITS = 8
"""So often a habit is learned anew over the tickets before the held-out ones, each time from what was cited by then."""

_MOST_ROWS, _MOST_CELLS = 2_000, 5_000_000


@dataclass(frozen=True)
class Made:
    """What came out.

    Attributes
    ----------
    model : ArticleModel
    gate : Verdict or None
        None where there was too little to judge by; `note` says so.
    figures : dict
        Of the held-out tickets: `ranking_figures`, `tickets`, and how well those whose article was taken out of the
        index are told from the others.
    trained : ndarray of int64
        Rows whose articles were learned from.
    """

    model: ArticleModel
    gate: Verdict | None
    note: str
    figures: dict[str, float]
    trained: np.ndarray


def make(prepared: Prepared, featurized: Featurized, params: Params, *, say: Callable[[str], None]) -> Made:
    """Index the articles, learn the ranking, judge it on the latest tickets, learn it again from all."""
    settings, vectors = params.articles, ticket_vectors(featurized.blocks, featurized.builder.terms)
    model = gathered(prepared, vectors, featurized.builder.encoder, params, say=say)
    index = model.index
    cited = _cited(prepared, prepared.citations, index)
    rows, places, _ = cited
    asked = np.unique(rows)
    most = max(FEWEST, min(_MOST_ROWS, _MOST_CELLS // max(len(index), 1)))
    learned = asked[int(len(asked) * UNSEEN) :][-most:]
    if len(learned) < FEWEST:
        note = f"ranked by given weights: {len(learned)} tickets to learn from, {FEWEST} are needed"
        return Made(model, None, note, {}, asked)
    right = np.zeros((len(learned), len(index)), dtype=bool)
    among = np.isin(rows, learned)
    right[np.searchsorted(learned, rows[among]), places[among]] = True

    def asked_of(rows: np.ndarray) -> Asked:
        as_asked = prepared.frame.iloc[rows].drop(columns="as_of", errors="ignore")
        return Asked.of(as_asked, vectors[rows], product=settings.product)

    begin = int(len(learned) * (1 - HELD_OUT))
    held = np.arange(len(learned)) >= begin
    looked = asked_of(learned)
    seen, habit = _seen(model, looked, vectors, _newest(cited, params), learned, begin, params.seed)
    older = Ranker.fit(seen.rows(~held), right[~held])
    judged, truth = seen.rows(held), right[held]
    evidence = older.evidence(judged)
    older = _calibrated(older, older.probabilities(evidence), truth, params.seed)
    likely = older.probabilities(evidence)
    gate = articles_gate(truth, likely, _popular(judged), params.gates, params.seed)
    latest = asked_of(learned[held])
    without = asked_of(none_fits.uncited(prepared, model.uncovered, int(latest.at.min()), len(truth) // 2))
    before = replace(model, ranker=older, habit=habit)
    told = none_fits.learn(before, latest, truth, without, lost=settings.lost, seed=params.seed)
    figures = ranking_figures(truth, likely) | told.figures | {"tickets": float(len(truth))}
    ranker = replace(Ranker.fit(seen, right), slope=older.slope, shift=older.shift)
    if habit is not None:
        habit = habit_of(prepared, vectors, index, params) or habit
    final = replace(model, ranker=ranker, fits=told.weights, least=told.least, habit=habit)
    return Made(final, gate, "", figures, asked)


def gathered(
    prepared: Prepared, vectors: Any, encoder: Encoder | None, params: Params, *, say: Callable[[str], None]
) -> ArticleModel:
    """What there is to suggest and what helpers cited before, with weights given by hand.

    Parameters
    ----------
    vectors : ndarray or csr_matrix, n rows
        `ticket_vectors` of the prepared rows.
    """
    settings = params.articles
    encode = None if encoder is None else lambda texts: encoded(encoder, texts, params, say, what="passages")
    index = ArticleIndex.build(prepared.articles, encode, words=settings.passage_words)
    say(f"articles: {len(index):,} in {len(index.passages):,} passages")
    ids = prepared.frame["ticket_id"].astype(str).to_numpy(dtype=object)
    citations = _citations(prepared, index, ids, vectors, params)
    weights = BY_HAND if index.vectors.shape[1] else BY_HAND_WORDS
    ranker = Ranker.of_content(np.array([weights[name] for name in MEASURES if name in weights]))
    sure = np.inf if settings.auto_answer is None else settings.auto_answer
    beside = none_fits.uncovered(prepared, frozenset(index.ids), vectors, settings.max_uncovered)
    stays = _stays(prepared, index)
    return ArticleModel(index, citations, ranker, np.zeros(0), 0.0, settings.shown, stays, sure, beside)


def habit_of(prepared: Prepared, vectors: np.ndarray, index: ArticleIndex, params: Params) -> Habit | None:
    """What the citations teach that a scorer keeps."""
    rows, places, _ = _newest(_cited(prepared, prepared.citations, index), params)
    return Habit.fit(vectors[rows], places, seed=params.seed)


def ranking_figures(right: np.ndarray, likely: np.ndarray) -> dict[str, float]:
    """Means of `metrics.listing_points` of the ten likeliest, and `ECE` of the first; both arrays of shape (n, m)."""
    order = np.argsort(-likely, axis=1, kind="stable")[:, :10]
    points = listing_points(order.tolist(), [frozenset(np.flatnonzero(row).tolist()) for row in right])
    first = np.take_along_axis(right, order[:, :1], axis=1)[:, 0]
    ece = calibration_error(likely.max(axis=1), first.astype(float))
    return {name: float(values.mean()) for name, values in points.items()} | {"ECE": ece}


def words(figures: dict[str, float]) -> str:
    """Figures for a line."""
    return ", ".join(f"{name} {value:.3f}" for name, value in figures.items() if name != "tickets")


def _citations(prepared: Prepared, index: ArticleIndex, ids: np.ndarray, vectors: Any, params: Params) -> Citations:
    """The newest citations, and the newest dismissals: each weighs against its article as a correction does."""
    both = (_cited(prepared, frame, index) for frame in (prepared.citations, prepared.dismissed))
    cited, dismissed = (_newest(found, params) for found in both)
    rows, places, known = (np.concatenate(pair) for pair in zip(cited, dismissed, strict=True))
    weight = np.repeat([1.0, -params.ledger.correction_weight], [len(cited[0]), len(dismissed[0])])
    order = np.argsort(places, kind="stable")
    rows = rows[order]
    return Citations(ids[rows], places[order], known[order], vectors[rows], weight[order])


_Cited = tuple[np.ndarray, np.ndarray, np.ndarray]


def _cited(prepared: Prepared, found: pd.DataFrame, index: ArticleIndex) -> _Cited:
    """Row of the frame, article and moment of each citation of an article that is still there, oldest first."""
    row = pd.Index(prepared.frame["ticket_id"]).get_indexer(pd.Index(found["ticket_id"]))
    place = np.array([index.place.get(str(v), -1) for v in found["value"]], dtype=np.int64)
    known = moments(found["known_at"])
    good = np.flatnonzero((row >= 0) & (place >= 0))
    order = good[np.lexsort((place[good], row[good], known[good]))]
    return row[order].astype(np.int64), place[order], known[order]


def _newest(cited: _Cited, params: Params) -> _Cited:
    """As many as the settings keep."""
    most = params.articles.max_citations
    rows, places, known = (values[-most:] if most else values[:0] for values in cited)
    return rows, places, known


def _habit(vectors: np.ndarray, cited: _Cited, row: int, at: int, seed: int) -> Habit | None:
    """What was cited by then on tickets before a row."""
    rows, places, known = cited
    by_then = (rows < row) & ((at == NEVER) | ((known != NEVER) & (known < at)))
    return Habit.fit(vectors[rows[by_then]], places[by_then], seed=seed)


def _seen(
    model: ArticleModel, looked: Asked, vectors: Any, cited: _Cited, learned: np.ndarray, begin: int, seed: int
) -> tuple[Seen, Habit | None]:
    """What is seen of the tickets to learn from, and the habit as it was when the held-out ones begin.

    What a habit says of a ticket is learned from what was cited before it.
    """
    seen = model.look(looked)
    if not model.index.vectors.shape[1] or sp.issparse(vectors):
        return seen, None
    starts = [*np.linspace(0, begin, HABITS, endpoint=False).astype(int), begin]
    habits = [_habit(vectors, cited, learned[at], looked.at[at], seed) for at in starts]
    if habits[-1] is None:
        return seen, None
    size, ends = len(model.index), [*starts[1:], len(learned)]
    said = [
        np.full((end - start, size), np.log(FLOOR)) if one is None else one.says(looked.vectors[start:end], size)
        for one, start, end in zip(habits, starts, ends, strict=True)
    ]
    measures = np.concatenate([seen.content, np.vstack(said)[..., None]], axis=-1)
    return seen._replace(content=measures), habits[-1]


def _stays(prepared: Prepared, index: ArticleIndex) -> np.ndarray:
    """Of each article the share of customers who didn't come back after it was cited, shape (m,); nan: too few.

    Jeffreys' estimate (Brown, Cai and DasGupta, 2001): half a customer of either kind is added.
    """
    back = prepared.citations[["ticket_id", "value"]].merge(prepared.returns, on="ticket_id", suffixes=("", "_back"))
    place = np.array([index.place.get(str(v), -1) for v in back["value"]], dtype=np.int64)
    known = back["value_back"].to_numpy(np.float64)[place >= 0]
    count = np.bincount(place[place >= 0], minlength=len(index))
    stayed = np.bincount(place[place >= 0], weights=1.0 - known, minlength=len(index))
    return np.where(count >= FEWEST_ANSWERED, (stayed + 0.5) / (count + 1.0), np.nan)


def _popular(seen: Seen) -> np.ndarray:
    """The baseline: articles by how often they were cited before, shape (n, m)."""
    return np.where(seen.allowed, by_article(seen.before.astype(float), seen.cited, seen.allowed.shape[1]), -1.0)


def _calibrated(ranker: Ranker, share: np.ndarray, right: np.ndarray, seed: int) -> Ranker:
    """The ranker whose first three are right as often as it says."""
    from sklearn.linear_model import LogisticRegression

    first = np.argsort(-share, axis=1, kind="stable")[:, :3]
    said, true = np.take_along_axis(share, first, axis=1).ravel(), np.take_along_axis(right, first, axis=1).ravel()
    if len(np.unique(true[said > 0])) < 2:
        return ranker
    fitted = LogisticRegression(C=1e3, random_state=seed).fit(logit(said[said > 0])[:, None], true[said > 0])
    slope = float(fitted.coef_[0, 0])
    return replace(ranker, slope=slope, shift=float(fitted.intercept_[0])) if slope > 0 else ranker
