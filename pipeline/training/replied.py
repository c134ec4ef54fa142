"""Similar tickets and replies of a scorer held against what settled the tickets later."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.pages.articles import Replies
from pipeline.pages.figures import Bin, Calibration, Estimate, estimate
from pipeline.training.curves import reliability_bins
from pipeline.training.judge import resamples
from pipeline.training.metrics import calibration_error, interval

FEWEST = 20
"""With fewer tickets no figure means anything."""

MEANINGS = {"article": "both were answered by the same article", "topic": "both have the same topic"}
"""Outcome that two tickets have in common where one's answer settles the other → in words; the first that enough
tickets have counts, as in training."""

Matter = Mapping[str, frozenset[str]]


def beside_settled(scored: pd.DataFrame, outcomes: pd.DataFrame, *, seed: int) -> Replies | None:
    """Figures of scored tickets; None where of too few it is known what settled them and those like them.

    Parameters
    ----------
    scored : DataFrame
        Tickets that the scorer wasn't trained on.
    outcomes : DataFrame
        By the schema; of the tickets, and of those that the scorer learned from.
    """
    for outcome, means in MEANINGS.items():
        said = outcomes[(outcomes["outcome"] == outcome).to_numpy(bool) & outcomes["value"].notna().to_numpy(bool)]
        matter = {str(ticket): frozenset(values) for ticket, values in said.groupby("ticket_id")["value"]}
        found = _figures(scored, matter, means, seed)
        if found is not None:
            return found
    return None


def _figures(scored: pd.DataFrame, matter: Matter, means: str, seed: int) -> Replies | None:
    right, among, said, hit = [], [], [], []
    for ticket, similar, reply in zip(scored["ticket_id"], scored["similar"], scored["reply"], strict=True):
        own = matter.get(ticket)
        if own is None:
            continue
        theirs = [matter[s["ticket_id"]] for s in similar if s["ticket_id"] in matter]
        if theirs:
            right.append(sum(bool(own & one) for one in theirs))
            among.append(len(theirs))
        source = matter.get(reply["source"].partition(":")[2]) if isinstance(reply, dict) else None
        if source is not None:
            said.append(float(reply["probability"]))
            hit.append(float(bool(own & source)))
    if len(among) < FEWEST:
        return None
    shown = float(np.mean([isinstance(reply, dict) for reply in scored["reply"]]))
    enough = len(hit) >= FEWEST
    similar_right = _similar(np.array(right), np.array(among), seed)
    replied, calibration = _replied(np.array(said), np.array(hit), seed) if enough else (Estimate(None), None)
    return Replies(len(scored), shown, means, len(hit), len(among), replied, similar_right, calibration)


def _similar(right: np.ndarray, among: np.ndarray, seed: int) -> Estimate:
    """Share of the similar tickets that were right; tickets are drawn, as those of one ticket go together."""

    def share(rows: np.ndarray) -> dict[str, float]:
        return {"right": float(right[rows].sum() / among[rows].sum())}

    everything = np.arange(len(among))
    return estimate("right", share(everything), interval(share, len(among), seed=seed, resamples=resamples(len(among))))


def _replied(said: np.ndarray, hit: np.ndarray, seed: int) -> tuple[Estimate, Calibration]:
    def means(rows: np.ndarray) -> dict[str, float]:
        return {"right": float(hit[rows].mean()), "ECE": calibration_error(said[rows], hit[rows])}

    found, low_high = means(np.arange(len(hit))), interval(means, len(hit), seed=seed, resamples=resamples(len(hit)))
    bins = tuple(Bin(float(p), float(o), int(n)) for p, o, n in zip(*reliability_bins(said, hit), strict=True))
    ece = estimate("ECE", found, low_high)
    return estimate("right", found, low_high), Calibration("the suggested reply was right", ece, bins)
