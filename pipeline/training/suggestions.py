"""Suggested articles: the index of the knowledge base, and a ranking learned from the articles that helpers cited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.articles.index import ArticleIndex
from pipeline.articles.model import (
    BY_HAND,
    BY_HAND_WORDS,
    MEASURES,
    ArticleModel,
    Asked,
    Citations,
    sureness,
    ticket_vectors,
)
from pipeline.articles.ranker import Ranker, Seen
from pipeline.calibration import logit
from pipeline.config import Params
from pipeline.features.cache import encode_cached
from pipeline.history.log import moments
from pipeline.training.featurize import Featurized
from pipeline.training.gates import Verdict, articles_gate
from pipeline.training.metrics import calibration_error
from pipeline.training.prepare import Prepared

FEWEST = 150
"""With fewer tickets whose article is known, the weights are those given by hand."""

HELD_OUT = 0.25
"""Share of these tickets, the latest, on which the ranking is judged and calibrated."""

UNSEEN = 0.1
"""Share of these tickets, the earliest, that nothing is learned from: hardly anything had been cited by then."""

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
        Of the held-out tickets: `recall_at_1`, `recall_at_3`, `mrr`, `hit_at_3`, `ece`, `tickets`, and `none_auroc`:
        telling tickets whose article was taken out of the index from the others.
    rows, probabilities : ndarray
        Held-out rows of the prepared frame and their probabilities by article.
    trained : ndarray of int64
        Rows whose articles were learned from.
    """

    model: ArticleModel
    gate: Verdict | None
    note: str
    figures: dict[str, float]
    rows: np.ndarray
    probabilities: np.ndarray
    trained: np.ndarray


def make(prepared: Prepared, featurized: Featurized, params: Params, *, say: Callable[[str], None]) -> Made:
    """Index the articles, learn the ranking, judge it on the latest tickets, learn it again from all."""
    settings = params.articles
    index = ArticleIndex.build(prepared.articles, _encode(featurized, params, say), words=settings.passage_words)
    say(f"articles: {len(index):,} in {len(index.passages):,} passages")
    rows, places, known = _cited(prepared, index)
    vectors = ticket_vectors(featurized.blocks)
    ids = prepared.frame["ticket_id"].astype(str).to_numpy(dtype=object)
    newest = np.arange(len(rows))[-settings.max_citations :] if settings.max_citations else np.arange(0)
    kept = newest[np.argsort(places[newest], kind="stable")]
    citations = Citations(ids[rows[kept]], places[kept], known[kept], vectors[rows[kept]])
    weights = BY_HAND if index.vectors.shape[1] else BY_HAND_WORDS
    ranker = Ranker.of_content(np.array([weights[name] for name in MEASURES if name in weights]))
    model = ArticleModel(index, citations, ranker, np.zeros(0), 0.0, settings.shown)
    asked = np.unique(rows)
    learned = asked[int(len(asked) * UNSEEN) :][-min(_MOST_ROWS, _MOST_CELLS // max(len(index), 1)) :]
    if len(learned) < FEWEST:
        note = f"ranked by given weights: the article of {len(asked)} tickets is known, {FEWEST} are needed"
        return Made(model, None, note, {}, asked[:0], np.zeros((0, len(index))), asked)
    right = np.zeros((len(prepared.frame), len(index)), dtype=bool)
    right[rows, places] = True
    right = right[learned]
    seen = _seen(model, prepared.frame.iloc[learned], vectors[learned])
    held = np.arange(len(learned)) >= int(len(learned) * (1 - HELD_OUT))
    older = Ranker.fit(seen.rows(~held), right[~held])
    judged, truth = seen.rows(held), right[held]
    evidence = older.evidence(judged)
    older = _calibrated(older, older.probabilities(evidence), truth, params.seed)
    likely = older.probabilities(evidence)
    gate = articles_gate(truth, likely, _popular(judged, model), params.gates, params.seed)
    fits, least, told = _fits(older, judged, truth, settings.lost, params.seed)
    figures = ranking_figures(truth, likely) | {"none_auroc": told, "tickets": float(len(truth))}
    ranker = replace(Ranker.fit(seen, right), slope=older.slope, shift=older.shift)
    final = replace(model, ranker=ranker, fits=fits, least=least)
    return Made(final, gate, "", figures, learned[held], likely.astype(np.float32), asked)


def ranking_figures(right: np.ndarray, likely: np.ndarray) -> dict[str, float]:
    """`recall_at_1`, `recall_at_3`, `mrr` (of ten), `hit_at_3` and `ece` of rankings, all of shape (n, m)."""
    order = np.argsort(-likely, axis=1, kind="stable")[:, :10]
    hits = np.take_along_axis(right, order, axis=1)
    wanted = right.sum(axis=1)
    first = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, np.inf)
    return {
        "recall_at_1": float((hits[:, 0] / wanted).mean()),
        "recall_at_3": float((hits[:, :3].sum(axis=1) / wanted).mean()),
        "mrr": float((1 / first).mean()),
        "hit_at_3": float(hits[:, :3].any(axis=1).mean()),
        "ece": calibration_error(likely.max(axis=1), hits[:, 0].astype(float)),
    }


def words(figures: dict[str, float]) -> str:
    """Figures for a line."""
    names = {"recall_at_1": "recall@1", "recall_at_3": "recall@3", "mrr": "MRR@10", "hit_at_3": "hit@3", "ece": "ECE"}
    names["none_auroc"] = "ROC-AUC of “none fits”"
    return ", ".join(f"{said} {figures[name]:.3f}" for name, said in names.items())


def _encode(
    featurized: Featurized, params: Params, say: Callable[[str], None]
) -> Callable[[list[str]], np.ndarray] | None:
    encoder = featurized.builder.encoder
    if encoder is None:
        return None
    cache = Path(params.encoder.cache) if params.encoder.cache and params.encoder.name != "static" else None
    return lambda texts: encode_cached(
        encoder, texts, cache, progress=lambda done, of: say(f"encoded {done:,} of {of:,} new passages")
    )


def _cited(prepared: Prepared, index: ArticleIndex) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row of the frame, article and moment of each citation of an article that is still there, oldest first."""
    found = prepared.citations
    row = pd.Index(prepared.frame["ticket_id"]).get_indexer(pd.Index(found["ticket_id"]))
    place = np.array([index.place.get(str(v), -1) for v in found["value"]], dtype=np.int64)
    known = moments(found["known_at"])
    good = np.flatnonzero((row >= 0) & (place >= 0))
    order = good[np.lexsort((place[good], row[good], known[good]))]
    return row[order].astype(np.int64), place[order], known[order]


def _seen(model: ArticleModel, tickets: pd.DataFrame, vectors: np.ndarray) -> Seen:
    """The tickets as they were asked: at their creation."""
    texts = [t if isinstance(t, str) else "" for t in tickets["text"].tolist()]
    languages = [t if isinstance(t, str) else None for t in tickets["language"].tolist()]
    ids = tickets["ticket_id"].astype(str).tolist()
    return model.look(Asked(ids, texts, languages, moments(tickets["created_at"]), vectors))


def _popular(seen: Seen, model: ArticleModel) -> np.ndarray:
    """The baseline: articles by how often they were cited before, shape (n, m)."""
    counts = np.zeros(seen.allowed.shape)
    for article in np.unique(seen.cited):
        counts[:, article] = seen.before[:, seen.cited == article].sum(axis=1)
    return np.where(seen.allowed, counts, -1.0)


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


def _fits(ranker: Ranker, seen: Seen, right: np.ndarray, lost: float, seed: int) -> tuple[np.ndarray, float, float]:
    """Weights that tell tickets whose articles were taken out from the others, the threshold, and the area under ROC.

    The area is of predictions by models that hadn't seen either form of the ticket.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    parts = []
    for one in (seen, seen._replace(allowed=seen.allowed & ~right)):
        evidence = ranker.evidence(one)
        parts.append(sureness(one, evidence, ranker.probabilities(evidence)))
    x, y = np.vstack(parts), np.repeat([1, 0], len(right))
    groups = np.tile(np.arange(len(right)), 2)
    model = make_pipeline(StandardScaler(), LogisticRegression(random_state=seed))
    guess = cross_val_predict(model, x, y, groups=groups, cv=GroupKFold(5), method="predict_proba")[:, 1]
    model.fit(x, y)
    scaler, linear = model[0], model[1]
    weights = linear.coef_[0] / scaler.scale_
    constant = float(linear.intercept_[0] - weights @ scaler.mean_)
    least = float(np.quantile(guess[: len(right)], lost))
    return np.append(weights, constant), least, float(roc_auc_score(y, guess))
