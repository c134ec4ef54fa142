"""Whether anything fits: learned from tickets whose article is taken out of the index, and from such that have none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.articles.around import Around, Uncovered
from pipeline.articles.earlier import Asked
from pipeline.articles.habit import had_never_cited
from pipeline.articles.model import ArticleModel, sureness
from pipeline.articles.ranker import Seen
from pipeline.history.log import moments, objects
from pipeline.training.prepare import Prepared

FOLDS = 5

FITTING = "something fits"


@dataclass(frozen=True)
class Told:
    """What was learned.

    Attributes
    ----------
    weights : ndarray
        Of `SURENESS`, and a constant: `ArticleModel.fits`.
    least : float
        The threshold.
    figures : dict
        Areas under ROC, of predictions by models that hadn't seen the ticket in any form.
    """

    weights: np.ndarray
    least: float
    figures: dict[str, float]


def uncovered(prepared: Prepared, here: frozenset[str], vectors: np.ndarray, most: int) -> Uncovered:
    """The newest tickets on which an article was cited that isn't `here`, and those settled without any citation."""
    frame, cited = prepared.frame, prepared.citations
    ids = pd.Index(frame["ticket_id"])
    gone = cited[~cited["value"].isin(list(here)).to_numpy(bool)]
    none = prepared.answers[~prepared.answers["ticket_id"].isin(cited["ticket_id"]).to_numpy(bool)]
    row = np.concatenate([ids.get_indexer(pd.Index(found["ticket_id"])) for found in (gone, none)])
    known = np.concatenate([moments(found["known_at"]) for found in (gone, none)])
    away = np.repeat([True, False], [len(gone), len(none)])
    order = np.argsort(known, kind="stable")
    order = order[row[order] >= 0]
    order = order[len(order) - min(most, len(order)) :]
    row = row[order].astype(np.int64)
    language = np.array([name or "" for name in objects(frame["language"])[row].tolist()], dtype=str)
    return Uncovered(objects(frame["ticket_id"])[row], known[order], away[order], language, vectors[row])


def uncited(prepared: Prepared, known: Uncovered | None, since: int, most: int) -> np.ndarray:
    """Rows of tickets that were settled without a citation, asked from `since` on: at most so many, spread evenly."""
    if known is None:
        return np.zeros(0, dtype=np.int64)
    row = pd.Index(prepared.frame["ticket_id"]).get_indexer(pd.Index(known.ticket[~known.gone]))
    late = np.sort(row[moments(prepared.frame["created_at"])[row] >= since])
    if len(late) <= most:
        return late
    return late[np.linspace(0, len(late) - 1, most).astype(np.int64)]


def learn(model: ArticleModel, asked: Asked, right: np.ndarray, without: Asked, *, lost: float, seed: int) -> Told:
    """Weights that tell tickets with an article from such that have none, and the threshold.

    None have the same tickets once as if their articles had been deleted while the history still cites them, once as if
    they had never been written; and tickets on which nothing was cited. All that have none weigh as much as all others.

    Parameters
    ----------
    model : ArticleModel
        Its ranking must not have been learned from these tickets.
    asked : Asked
        n tickets.
    right : ndarray of bool, shape (n, m)
        Articles that answered each.
    without : Asked
        Tickets on which nothing was cited.
    lost : float
        Share of the n that the threshold may lose.
    """
    seen = model.look(asked)
    around = model.around(asked, seen)
    out = seen._replace(allowed=seen.allowed & ~right)
    if model.habit is not None:  # its measure is the last; nobody would have cited what isn't there
        habit = had_never_cited(seen.content[..., -1], right)
        out = out._replace(content=np.concatenate([seen.content[..., :-1], habit[..., None]], axis=-1))
    removed = right[:, seen.cited] & seen.for_it
    parts = {
        FITTING: _measures(model, seen, around),
        "deleted": _measures(model, out, around.deleted(removed)),
        "never written": _measures(model, out, around.never_written(removed, _remembered(model))),
        "none was cited": _uncited(model, without),
    }
    guess, weights = _logistic(parts, len(right), seed)
    good = guess.pop(FITTING)
    figures = {f"ROC-AUC of “none fits”, {name}": _area(good, bad) for name, bad in guess.items() if len(bad)}
    return Told(weights, float(np.quantile(good, lost)), figures)


def _logistic(parts: dict[str, np.ndarray], pairs: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What models that hadn't seen a ticket in any form say of each, and the weights of a model of all."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    sizes = [len(part) for part in parts.values()]
    x, fits = np.vstack([*parts.values()]), np.repeat([name == FITTING for name in parts], sizes)
    groups = np.concatenate([np.arange(pairs) if size == pairs else pairs + np.arange(size) for size in sizes])
    linear = LogisticRegression(class_weight="balanced", max_iter=1_000, random_state=seed)
    form = make_pipeline(StandardScaler(), linear)
    said = cross_val_predict(form, x, fits, groups=groups, cv=GroupKFold(FOLDS), method="predict_proba")[:, 1]
    form.fit(x, fits)
    scaler, linear = form[0], form[1]
    weights = linear.coef_[0] / scaler.scale_
    constant = float(linear.intercept_[0] - weights @ scaler.mean_)
    return dict(zip(parts, np.split(said, np.cumsum(sizes)[:-1]), strict=True)), np.append(weights, constant)


def _area(good: np.ndarray, bad: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(np.repeat([1, 0], [len(good), len(bad)]), np.append(good, bad)))


def _measures(model: ArticleModel, seen: Seen, around: Around) -> np.ndarray:
    evidence = model.ranker.evidence(seen)
    return sureness(seen, evidence, model.ranker.probabilities(evidence), around)


def _uncited(model: ArticleModel, without: Asked) -> np.ndarray:
    """Measures of those that some article could fit by its language and product."""
    seen = model.look(without)
    some = seen.allowed.any(axis=1)
    return _measures(model, seen, model.around(without, seen))[some]


def _remembered(model: ArticleModel) -> np.ndarray:
    """Citations whose tickets would be among the newest without one, had nothing been cited on them; shape (c,)."""
    known, cited = model.uncovered, model.citations.known
    none = known.known[~known.gone] if known is not None else np.zeros(0, dtype=np.int64)
    return np.asarray(cited >= none.min()) if len(none) else np.ones(len(cited), dtype=bool)
