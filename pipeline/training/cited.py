"""Suggestions of a scorer held against the articles that were cited later."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.articles.model import ArticleModel
from pipeline.pages.articles import Articles
from pipeline.pages.figures import Baseline, Bin, Calibration, Estimate, Metric, estimate
from pipeline.training.curves import reliability_bins
from pipeline.training.judge import resamples
from pipeline.training.metrics import calibration_error, interval, listing_points

FEWEST = 20
"""With fewer tickets no figure means anything."""


def beside_cited(scored: pd.DataFrame, outcomes: pd.DataFrame, model: ArticleModel, *, seed: int) -> Articles | None:
    """Figures of scored tickets; None where too few of them have a cited article.

    Parameters
    ----------
    scored : DataFrame
        Tickets that the scorer wasn't trained on.
    outcomes : DataFrame
        By the schema; those of articles that the scorer doesn't know are left out.
    """
    cited = outcomes[((outcomes["outcome"] == "article") & outcomes["value"].isin(model.index.ids)).to_numpy(bool)]
    gold = cited.groupby("ticket_id")["value"].agg(frozenset)
    right = scored["ticket_id"].map(gold)
    has = right.notna().to_numpy(bool)
    if has.sum() < FEWEST:
        return None
    lists = [[s["article_id"] for s in row] for row in scored.loc[has, "articles"]]
    points = listing_points(lists, right[has].tolist())
    counts = np.bincount(model.citations.cited, minlength=len(model.index))
    popular = [model.index.ids[i] for i in np.argsort(-counts, kind="stable")[: model.shown]]
    theirs = listing_points([popular] * len(lists), right[has].tolist())
    said = np.array([row[0]["probability"] if row else 0.0 for row in scored.loc[has, "articles"]])
    hit = points["recall@1"] > 0

    def means(rows: np.ndarray) -> dict[str, float]:
        found = {name: float(values[rows].mean()) for name, values in points.items()}
        return found | {"ECE": calibration_error(said[rows], hit[rows].astype(float))}

    found, low_high = means(np.arange(len(hit))), interval(means, len(hit), seed=seed, resamples=resamples(len(hit)))
    metrics = [
        Metric(name, estimate(name, found, low_high), (Baseline("most cited", Estimate(float(theirs[name].mean()))),))
        for name in points
    ]
    bins = tuple(
        Bin(float(p), float(o), int(n)) for p, o, n in zip(*reliability_bins(said, hit.astype(float)), strict=True)
    )
    ece = estimate("ECE", found, low_high)
    none = np.array([len(row) == 0 for row in scored["articles"]])
    return Articles(
        int(has.sum()), model.shown, float(none[has].mean()), float(none.mean()), (*metrics, Metric("ECE", ece)),
        Calibration("the first suggestion was cited", ece, bins),
    )  # fmt: skip
