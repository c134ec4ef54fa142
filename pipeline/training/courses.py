"""How the part of the escalation model is made that looks at the history: trees on snapshots, joints on later ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.calibration import sigmoid
from pipeline.estimators.course import AGES, USUAL, CourseModel, Sight, fit_joints
from pipeline.estimators.maturity import maturity_weights
from pipeline.estimators.members import period_edges, value_codes
from pipeline.estimators.past_rates import PastRates, as_of_rates
from pipeline.features.build import Blocks
from pipeline.history.as_of import GROWING, REASON_SPANS, SPANS
from pipeline.history.log import DAY
from pipeline.training.snapshots import Snapshots
from pipeline.training.split import Fold

FEWEST = 200
"""With fewer snapshots to look at, or fewer than `FEWEST_EVENTS` of either outcome, no joint can be fitted."""

FEWEST_EVENTS = 10


@dataclass(frozen=True)
class Task:
    """What fitting needs.

    Attributes
    ----------
    blocks : Blocks
        Of all prepared rows.
    outcome : ndarray of 0 and 1, shape (all rows,)
    created, known : ndarray of int64, shape (all rows,)
    cut : int
    snapshots : Snapshots
    sight : Sight
        Which numbers of a moment the trees see.
    late : bool
        Outcomes come late: the newest known ones are no sample of what is to come, so no joint is fitted to them.
    """

    blocks: Blocks
    outcome: np.ndarray
    created: np.ndarray
    known: np.ndarray
    cut: int
    snapshots: Snapshots
    sight: Sight
    late: bool
    seed: int


@dataclass(frozen=True)
class InnerCourse:
    """Risks of inner snapshots by models that hadn't learned from them; arrays of shape (m,).

    Attributes
    ----------
    snapshots : ndarray of int
        Positions in `Snapshots`.
    risk, alone : ndarray
        With the history; and of the ticket at its creation by itself (`make` gives its log-odds, not calibrated yet).
    """

    snapshots: np.ndarray
    risk: np.ndarray
    alone: np.ndarray


def make(
    task: Task,
    choose: tuple[Fold, ...],
    calibrate: tuple[Fold, ...],
    creation: Mapping[int, float],
    rows: np.ndarray,
) -> tuple[CourseModel, InnerCourse] | None:
    """Fit trees on all snapshots; joints come from inner ones.

    Parameters
    ----------
    choose, calibrate : tuple of Fold
        Of tickets: joints are fitted on what the first look at, figures come from the second, final joints from both.
    creation : mapping of int to float
        Row → its log-odds at creation, by a model that hadn't learned from it.
    rows : ndarray of int
        Tickets of the final fit.

    Returns
    -------
    tuple or None
        None with too few snapshots or outcomes to say anything.
    """
    first = _look(task, choose)
    if not _enough(task, first[0]):
        return None
    joints = _joints(task, first, creation)
    second = _look(task, calibrate)
    own = _creation(task, second[0], creation)
    final = replace(_fit(task, task.snapshots.of(rows), task.cut), joints=_joints(task, _both(first, second), creation))
    judge = replace(final, joints=joints)
    ages = task.snapshots.block[second[0], task.sight.age]
    risk = sigmoid(judge.join(own, second[1], ages))
    return final, InnerCourse(second[0], risk, own)


def sight_of(names: Sequence[str], snapshots: Snapshots) -> Sight:
    """Everything but what only grows with the history, and counts over more days than half of it lasts.

    While a history is younger than a span, its count says how old the history is, not what the customer is like.
    """
    lasts = float(np.ptp(snapshots.moments)) / DAY if len(snapshots) else 0.0
    counts = {f"customer_tickets_{days}d": days for days in SPANS}
    counts |= {f"same_reason_tickets_{days}d": days for days in REASON_SPANS}
    long = {name for name, days in counts.items() if days > lasts / 2}
    kept = [i for i, name in enumerate(names) if name not in GROWING and name not in long]
    return Sight(np.array(kept, dtype=np.int64), names.index("age_hours"), names.index("queue"))


def _enough(task: Task, looked: np.ndarray) -> bool:
    happened = task.outcome[task.snapshots.rows[looked]]
    return len(looked) >= FEWEST and FEWEST_EVENTS <= happened.sum() <= len(happened) - FEWEST_EVENTS


def _look(task: Task, folds: tuple[Fold, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Snapshots that the folds look at, and the log-odds of trees that hadn't learned from them."""
    places, found = [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
    for fold in folds:
        seen = task.snapshots.fold(fold, task.known)
        if len(seen.look) and len(seen.fit):
            model = _fit(task, seen.fit, int(task.snapshots.moments[seen.look].min()))
            places.append(seen.look)
            found.append(model.log_odds(*_of(task, seen.look)))
    return np.concatenate(places), np.concatenate(found)


def _fit(task: Task, places: np.ndarray, cut: int) -> CourseModel:
    """Trees on some snapshots, as they would have been grown at the cut."""
    rows = task.snapshots.rows[places]
    tickets, inverse = np.unique(rows, return_inverse=True)
    created, known, outcome = (a[tickets] for a in (task.created, task.known, task.outcome))
    codes = value_codes(task.blocks.tabular(tickets))
    rates, past = _rates(task, places, codes[inverse])
    overall = as_of_rates(codes, outcome, created, known)[inverse]
    weights = maturity_weights(outcome, created, known, max(cut, int(known.max()) + 1))[inverse]
    old = np.flatnonzero(weights > 0)
    blocks, moment = _of(task, places[old])
    return CourseModel.fit(
        blocks, moment, task.outcome[rows[old]],
        rates=np.hstack([overall, rates])[old], past=(PastRates.fit(codes, outcome), *past), edges=period_edges(blocks),
        weights=weights[old], sight=task.sight, seed=task.seed,
    )  # fmt: skip


def _rates(task: Task, places: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, tuple[PastRates, ...]]:
    """Past rates of each snapshot's values among the tickets open at its age, and those at the end of each age."""
    rows, age = task.snapshots.rows[places], task.snapshots.age[places]
    rates, past = np.zeros(codes.shape), []
    for number in range(len(AGES)):
        mine = age == number
        seen = rows[mine]
        rates[mine] = as_of_rates(codes[mine], task.outcome[seen], task.created[seen], task.known[seen])
        past.append(PastRates.fit(codes[mine], task.outcome[seen]))
    return rates, tuple(past)


def _of(task: Task, places: np.ndarray) -> tuple[Blocks, np.ndarray]:
    return task.blocks.tabular(task.snapshots.rows[places]), task.snapshots.block[places]


def _creation(task: Task, places: np.ndarray, creation: Mapping[int, float]) -> np.ndarray:
    return np.array([creation[int(r)] for r in task.snapshots.rows[places]])


def _joints(task: Task, looked: tuple[np.ndarray, np.ndarray], creation: Mapping[int, float]) -> np.ndarray:
    """Joints by likelihood; rows near the cut stand for those whose outcome isn't known yet."""
    if task.late:
        return USUAL
    places, course = looked
    rows = task.snapshots.rows[places]
    tickets, inverse = np.unique(rows, return_inverse=True)
    weights = maturity_weights(task.outcome[tickets], task.created[tickets], task.known[tickets], task.cut)[inverse]
    own = _creation(task, places, creation)
    return fit_joints(own, course, task.outcome[rows], task.snapshots.age[places], weights)


def _both(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])
