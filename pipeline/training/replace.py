"""Whether a new scorer may take the place of the one at the target: both on tickets that neither has seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config import Gates
from pipeline.errors import GateError
from pipeline.pages.formats import listing, metric_words
from pipeline.scorer import Scorer
from pipeline.sources.raw import Raw
from pipeline.training.labels import LABEL_PREFIX
from pipeline.training.looked import MODEL_NAMES, Context, Looked
from pipeline.training.looks import of_served
from pipeline.training.metrics import code_metrics, encode, interval, rank_metrics, ranking_metrics
from pipeline.training.served import Served, remembering, serve
from pipeline.training.unseen import Unseen, unseen

METRICS = {"topic": "accuracy", "queue": "accuracy", "priority": "quadratic_kappa", "escalated": "average_precision"}
"""What two scorers are compared by."""

RESAMPLES = 300


@dataclass(frozen=True)
class Compared:
    """One model of both scorers on the same tickets.

    Attributes
    ----------
    old, new : float
        The metric.
    surely_below : float
        Upper bound of new minus old: below 0, the new one is worse and not by chance.
    """

    target: str
    tickets: int
    old: float
    new: float
    surely_below: float

    def worse(self, margin: float) -> bool:
        """Worse by more than the margin, and not by chance."""
        return self.new < self.old - margin and self.surely_below < 0

    @property
    def words(self) -> str:
        """For a message."""
        metric = metric_words(METRICS[self.target])
        return f"{MODEL_NAMES[self.target]} {metric} {self.new:.3f}, in place {self.old:.3f}"


@dataclass(frozen=True)
class Verdict:
    """What comparing two scorers gave.

    Attributes
    ----------
    models : tuple of Compared
        Empty where nothing could be compared.
    why_not : str
        Why nothing was compared; "" where something was.
    """

    models: tuple[Compared, ...]
    margin: float
    why_not: str = ""

    @property
    def worse(self) -> tuple[Compared, ...]:
        """Models on which the new scorer is worse."""
        return tuple(m for m in self.models if m.worse(self.margin))

    @property
    def words(self) -> str:
        """For a log line."""
        if self.why_not:
            return f"not compared with the scorer in place: {self.why_not}"
        tickets = max(m.tickets for m in self.models)
        figures = "; ".join(m.words for m in self.models)
        return f"compared with the scorer in place on {tickets:,} tickets that neither has seen: {figures}"

    def require(self, where: str) -> None:
        """Raise where the new scorer is worse.

        Raises
        ------
        GateError
            The scorer in place stays.
        """
        if self.worse:
            names = listing([MODEL_NAMES[m.target] for m in self.worse])
            raise GateError(
                f"the scorer in place is better at {names}, so it stays",
                where=where,
                got="; ".join(m.words for m in self.worse),
                do="write the new one elsewhere, or change gates: replace_margin",
            )


def compare(
    old: Scorer, new: Scorer, raw: Raw, settings: Gates, *, seed: int = 0, feedback: pd.DataFrame | None = None
) -> Verdict:
    """Hold both against the tickets of a RAW_DIR that neither was trained on; outcomes by the new one's definitions.

    Parameters
    ----------
    settings : Gates
        `replace_margin`, `min_compared`, `certainty`.
    feedback : DataFrame, optional
        What people put right is what both are judged by.
    """
    margin = settings.replace_margin
    found = unseen(raw, [new, old], feedback=feedback)
    if len(found.tickets) < settings.min_compared:
        n, least = len(found.tickets), settings.min_compared
        return Verdict((), margin, f"{n:,} tickets with an outcome that neither has seen; {least:,} are needed")
    both = serve(remembering(old), found.tickets), serve(remembering(new), found.tickets)
    context = Context.of(found.parsed)
    models = []
    for target in METRICS:
        one = _compared(target, (old, new), both, found, context, settings, seed)
        if one is not None:
            models.append(one)
    if not models:
        why = f"no model of both has {settings.min_compared:,} tickets with a known outcome"
        return Verdict((), margin, why)
    return Verdict(tuple(models), margin)


def _compared(
    target: str, scorers: tuple[Scorer, Scorer], both: tuple[Served, Served], found: Unseen, context: Context,
    settings: Gates, seed: int,
) -> Compared | None:  # fmt: skip
    if LABEL_PREFIX + target not in found.parsed or any(not _serves(s, target) for s in scorers):
        return None
    if target == "priority" and scorers[0].levels != scorers[1].levels:
        return None
    looks = [of_served(target, s, found.parsed, scorer, context)[0] for s, scorer in zip(both, scorers, strict=True)]
    n = len(looks[0])
    if n < settings.min_compared:
        return None
    old, new = (_figure(target, looked) for looked in looks)

    def gap(rows: np.ndarray) -> dict[str, float]:
        return {"gap": new(rows) - old(rows)}

    draws = interval(gap, n, seed=seed, resamples=RESAMPLES)
    rows = np.arange(n)
    return Compared(target, n, old(rows), new(rows), draws["gap"][1])


def _serves(scorer: Scorer, target: str) -> bool:
    return bool(scorer.about["models"].get(target, {}).get("in_service"))


def _figure(target: str, looked: Looked) -> Callable[[np.ndarray], float]:
    name = METRICS[target]
    if target == "escalated":
        return lambda rows: ranking_metrics(looked.happened[rows], looked.confidence[rows], ())[name]
    if target == "priority":
        place = {level: i for i, level in enumerate(looked.levels)}
        said, true = (np.array([place[v] for v in values.tolist()]) for values in (looked.guess, looked.truth))
        return lambda rows: rank_metrics(true[rows], said[rows])[name]
    labels, (true, said) = encode(looked.truth, looked.guess)
    return lambda rows: code_metrics(true[rows], said[rows], len(labels))[name]
