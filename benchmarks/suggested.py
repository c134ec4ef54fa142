"""How far the probabilities of suggestions, and "none fits", can be trusted: what the referee says of them.

A scored ticket doesn't say how probable it is that anything fits; it says whether. So the same tickets are scored with
several settings of `articles: lost`, at each of which "none fits" is said a little sooner: the share of settings at
which a ticket still gets a suggestion stands for the probability. As these are few, the area under ROC is a little less
than by a probability (the curve is cut straight between them).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from verbs import FailedError, Workshop

ASKED = {"ece": "ece", "hit_at_3_surest": "hit_at_3", "none_fits": "roc_auc", "none_fits_by_first": "roc_auc"}
"""Our figures, as the referee names them."""


def judged(shop: Workshop, scored: Path, gold: pd.DataFrame, levels: Sequence[Path]) -> dict[str, Any]:
    """Metrics and intervals, in the referee's form.

    Parameters
    ----------
    scored : Path
        Scored tickets.
    gold : DataFrame
        `ticket_id`, `article_id`.
    levels : sequence of Path
        The same tickets by rising `lost`: as ID/1, and as ID/0 with the articles of `gold` taken out of the index.

    Returns
    -------
    dict
        `ece`: of the first suggestion; `hit_at_3_surest`: among the half whose first suggestion is likeliest;
        `none_fits`: ROC-AUC that tells tickets with their articles from the same without; `none_fits_by_first`: the
        same by the first suggestion's probability, 0 where there is none.
    """
    first = firsts(_articles(scored), gold)
    found = {"ece": _risk(shop, first, first["right"])}
    half = gold[gold["ticket_id"].isin(surest(first))]
    found["hit_at_3_surest"] = shop.refereed(scored, half, ("articles",))
    if levels:
        both = [paired(_articles(path), gold) for path in levels]
        found["none_fits_by_first"] = _risk(shop, both[0], both[0]["fits"])
        found["none_fits"] = _risk(shop, both[0].assign(risk=speaking(both)), both[0]["fits"])
    return {
        "metrics": {name: said["metrics"][ASKED[name]] for name, said in found.items()},
        "ci95": {name: said["ci95"][ASKED[name]] for name, said in found.items() if ASKED[name] in said["ci95"]},
    }


def firsts(scored: pd.DataFrame, gold: pd.DataFrame) -> pd.DataFrame:
    """Of each ticket with gold: `risk`, the first suggestion's probability, and whether the first and any is right."""
    right = gold.groupby("ticket_id")["article_id"].agg(frozenset)
    rows = scored[scored["ticket_id"].isin(right.index)].sort_values("ticket_id").reset_index(drop=True)
    own = rows["ticket_id"].map(right)
    ids = [[str(s["article_id"]) for s in articles] for articles in rows["articles"]]
    return pd.DataFrame(
        {
            "ticket_id": rows["ticket_id"],
            "risk": [float(articles[0]["probability"]) if len(articles) else 0.0 for articles in rows["articles"]],
            "right": [int(bool(names) and names[0] in wanted) for names, wanted in zip(ids, own, strict=True)],
            "any": [int(bool(wanted & {*names})) for names, wanted in zip(ids, own, strict=True)],
        }
    )


def surest(first: pd.DataFrame) -> pd.Series:
    """Ids of the half whose first suggestion is likeliest; among equals the first by id."""
    order = first.sort_values(["risk", "ticket_id"], ascending=[False, True])
    return order["ticket_id"].head(len(first) // 2)


def paired(scored: pd.DataFrame, gold: pd.DataFrame) -> pd.DataFrame:
    """`firsts` of each ticket twice: as ID/1 something `fits`, as ID/0 nothing does.

    Raises
    ------
    FailedError
        A ticket isn't there twice, or is suggested what was taken out.
    """
    found = []
    for fits in (1, 0):
        part = scored[scored["ticket_id"].str.endswith(f"/{fits}")]
        found.append(firsts(part.assign(ticket_id=part["ticket_id"].str.removesuffix(f"/{fits}")), gold))
    given, without = found
    if given["ticket_id"].tolist() != without["ticket_id"].tolist():
        raise FailedError("other tickets were scored without their articles than with them")
    if without["any"].any():
        raise FailedError(f"{without['any'].sum()} tickets are suggested an article that was taken out")
    both = [
        part.assign(ticket_id=part["ticket_id"] + f"/{fits}", fits=fits) for fits, part in ((1, given), (0, without))
    ]
    return pd.concat(both, ignore_index=True)


def speaking(both: Sequence[pd.DataFrame]) -> np.ndarray:
    """The share of levels at which each ticket gets a suggestion."""
    return np.mean([level["risk"].to_numpy() > 0 for level in both], axis=0)


def _articles(scored: Path) -> pd.DataFrame:
    return pd.read_parquet(scored, columns=["ticket_id", "articles"])


def _risk(shop: Workshop, rows: pd.DataFrame, happened: pd.Series) -> dict[str, Any]:
    """What the referee says of `risk` against what happened."""
    path = shop.work / "suggested.csv"
    rows[["ticket_id", "risk"]].to_csv(path, index=False)
    truth = pd.DataFrame({"ticket_id": rows["ticket_id"], "escalated": happened})
    return shop.refereed(path, truth, ("escalation",))
