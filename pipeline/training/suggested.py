"""Suggestions of a scorer held against the articles that were cited later."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.articles.model import ArticleModel
from pipeline.pages.articles import Articles
from pipeline.pages.figures import Baseline, Bin, Calibration, Estimate, Metric, estimate
from pipeline.training.curves import reliability_bins
from pipeline.training.judge import resamples
from pipeline.training.metrics import calibration_error, interval

FEWEST = 20
"""With fewer tickets no figure means anything."""


def suggested(scored: pd.DataFrame, outcomes: pd.DataFrame, model: ArticleModel, *, seed: int) -> Articles | None:
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
    points = _points(lists, right[has].tolist())
    counts = np.bincount(model.citations.article, minlength=len(model.index))
    popular = [model.index.ids[i] for i in np.argsort(-counts, kind="stable")[: model.shown]]
    theirs = _points([popular] * len(lists), right[has].tolist())
    said = np.array([row[0]["probability"] if row else 0.0 for row in scored.loc[has, "articles"]])
    hit = points["recall@1"].to_numpy() > 0

    def means(rows: np.ndarray) -> dict[str, float]:
        found = {str(name): float(value) for name, value in points.iloc[rows].mean().items()}
        return found | {"ECE": calibration_error(said[rows], hit[rows].astype(float))}

    everything = np.arange(len(points))
    found, low_high = means(everything), interval(means, len(points), seed=seed, resamples=resamples(len(points)))
    metrics = [
        Metric(name, estimate(name, found, low_high), (Baseline("most cited", Estimate(float(theirs[name].mean()))),))
        for name in map(str, points)
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


def _points(lists: list[list[str]], right: list[frozenset[str]]) -> pd.DataFrame:
    """Ticket by ticket: `recall@1`, `recall@3`, `MRR`, `hit@3`."""
    rows = []
    for said, true in zip(lists, right, strict=True):
        first = next((at for at, name in enumerate(said, 1) if name in true), 0)
        rows.append(
            {
                "recall@1": len(true.intersection(said[:1])) / len(true),
                "recall@3": len(true.intersection(said[:3])) / len(true),
                "MRR": 1 / first if first else 0.0,
                "hit@3": float(0 < first <= 3),
            }
        )
    return pd.DataFrame(rows)
