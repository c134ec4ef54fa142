"""The risk through a ticket's life: figures at fixed ages, with and without the history, and the time alerts win."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.config import Params
from pipeline.estimators.course import AGES
from pipeline.pages.figures import Bin, estimate
from pipeline.pages.report import ModelReport
from pipeline.pages.waiting import Alone, AtAge, Waiting
from pipeline.training.curves import gains_curve, precision_recall_curve, reliability_bins
from pipeline.training.judge import curve, resamples
from pipeline.training.lead import Looks, lead
from pipeline.training.metrics import calibration_error, interval, ranking_metrics

FEWEST = 5
"""With fewer tickets of either outcome at an age, no figure means anything: the age is left out."""


@dataclass(frozen=True)
class Waited:
    """What was said of tickets at fixed ages while they were open and hadn't escalated; shape (m,), but the last two.

    Attributes
    ----------
    ticket : ndarray of int
        Position of each one's ticket among the n tickets.
    age : ndarray of int
        Position in `AGES`.
    moment : ndarray of int64
        Microseconds.
    risk, alone : ndarray of float
        As of that moment; and at the ticket's creation, without any history.
    happened : ndarray of 0 and 1
        Whether it escalated later.
    created, escalated : ndarray of int64, shape (n,)
        Microseconds; -1 where a ticket didn't escalate.
    """

    ticket: np.ndarray
    age: np.ndarray
    moment: np.ndarray
    risk: np.ndarray
    alone: np.ndarray
    happened: np.ndarray
    created: np.ndarray
    escalated: np.ndarray


def with_waiting(report: ModelReport, waited: Waited | None, settings: Params) -> ModelReport:
    """The model's report with the risk through a ticket's life, or why there is none."""
    found, why = None, "the model looks at no history"
    if waited is not None:
        found = waiting(waited, capacity=settings.escalation.capacity, seed=settings.seed)
        why = "too few tickets of either outcome at every age"
    return replace(report, waiting=found, missing={**report.missing, **({} if found else {"waiting": why})})


def waiting(waited: Waited, *, capacity: float, seed: int) -> Waiting | None:
    """Everything that can be said; None where no age has enough tickets of both outcomes.

    Parameters
    ----------
    capacity : float
        Share of a day's new tickets that people can look at.
    """
    ages = [at_age(waited, place, capacity=capacity, seed=seed) for place in range(len(AGES))]
    found = tuple(a for a in ages if a is not None)
    if not found:
        return None
    looks = Looks(waited.ticket, waited.moment, waited.risk, waited.created, waited.escalated)
    first = np.flatnonzero(waited.age == 0)
    alone = replace(looks, ticket=waited.ticket[first], moment=waited.moment[first], risk=waited.alone[first])
    return Waiting(found, capacity, lead(looks, alone, capacity))


def at_age(waited: Waited, place: int, *, capacity: float, seed: int) -> AtAge | None:
    """The figures of one age."""
    rows = np.flatnonzero(waited.age == place)
    happened = waited.happened[rows].astype(np.float64)
    if min(happened.sum(), len(rows) - happened.sum()) < FEWEST:
        return None
    risk, alone = waited.risk[rows], waited.alone[rows]

    def figures(drawn: np.ndarray, said: np.ndarray) -> dict[str, float]:
        found = ranking_metrics(happened[drawn], said[drawn], (capacity,))
        kept = {"roc_auc": found["roc_auc"], "average_precision": found["average_precision"]}
        recall = found[f"recall_at_{capacity}"]
        return kept | {"recall": recall, "ece": calibration_error(said[drawn], happened[drawn])}

    def both(drawn: np.ndarray) -> dict[str, float]:
        mine, theirs = figures(drawn, risk), figures(drawn, alone)
        return mine | {"gain": mine["roc_auc"] - theirs["roc_auc"]}

    everything = np.arange(len(rows))
    points = both(everything)
    bounds = interval(both, len(rows), seed=seed, resamples=resamples(2 * len(rows)))
    bins = zip(*reliability_bins(risk, happened), strict=True)
    without = {n: v if v == v else None for n, v in figures(everything, alone).items()}
    return AtAge(
        hours=AGES[place],
        tickets=len(rows),
        escalated=int(happened.sum()),
        **{name: estimate(name, points, bounds) for name in ("roc_auc", "average_precision", "recall", "ece", "gain")},
        alone=Alone(**without),
        gains=curve(*gains_curve(happened, risk)),
        precision_recall=curve(*precision_recall_curve(happened, risk)),
        bins=tuple(Bin(float(said), float(came), int(n)) for said, came, n in bins),
    )
