"""Whether a new scorer may take the place of the one at the target: judged on tickets that neither has learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config import Gates
from pipeline.scorer import Scorer
from pipeline.sources.raw import Raw
from pipeline.training.labels import LABEL_PREFIX
from pipeline.training.metrics import encode, rank_metrics, ranking_metrics
from pipeline.training.unseen import unseen


@dataclass(frozen=True)
class Compared:
    """What came of it.

    Attributes
    ----------
    worse : bool
        The new one is worse by more than the margin.
    words : str
        The figures, or why nothing was compared.
    """

    worse: bool
    words: str


def compare(old: Scorer, new: Scorer, raw: Raw, gates: Gates) -> Compared:
    """Hold both against the tickets of RAW_DIR that neither was trained on.

    The figures are those of the gates: accuracy of topic and queue, quadratic kappa of priority, average precision of
    escalation. A model that the old scorer has and the new one lacks counts as worse than the margin.
    """
    found = unseen(raw, [new, old])
    if len(found.tickets) < gates.min_compared:
        return Compared(
            False,
            f"the scorer in place was not compared: {len(found.tickets)} tickets are new to both, {gates.min_compared} are needed",
        )
    said = [s.score(found.tickets) for s in (old, new)]
    worse, words = False, []
    for target in found.targets:
        truth = found.parsed[LABEL_PREFIX + target]
        before, after = (_figure(target, truth, s, scorer) for s, scorer in zip(said, (old, new), strict=True))
        if before is None:
            continue
        words.append(f"{target} {before:.3f} → {'none' if after is None else f'{after:.3f}'}")
        worse |= after is None or after < before - gates.replace_margin
    return Compared(worse, f"on {len(found.tickets):,} tickets new to both: {', '.join(words) or 'nothing in common'}")


def _figure(target: str, truth: pd.Series, scored: pd.DataFrame, scorer: Scorer) -> float | None:
    column = {"escalated": "escalation_risk"}.get(target, target)
    known = (truth.notna() & scored[column].notna()).to_numpy()
    if target == "queue" and scorer.models.queue is None or not known.any():
        return None
    said = scored[column][known]
    if target == "escalated":
        outcome = (truth[known] == "1").to_numpy(dtype=float)
        return float(np.nan_to_num(ranking_metrics(outcome, said.to_numpy(dtype=float))["average_precision"]))
    if target == "priority":
        place = {level: i for i, level in enumerate(scorer.levels)}
        both = truth[known].isin(place.keys()).to_numpy()
        t, g = (np.array([place[str(v)] for v in values[both]]) for values in (truth[known], said))
        return float(np.nan_to_num(rank_metrics(t, g)["quadratic_kappa"])) if len(t) else None
    _, (t, g) = encode(truth[known].tolist(), said.tolist())
    return float((t == g).mean())
