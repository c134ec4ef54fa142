"""How an escalation model is made: members from the tuning slice, calibration from a later one, then all rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.calibration import Platt, sigmoid
from pipeline.config import Escalation
from pipeline.estimators.course import AGES, CourseModel
from pipeline.estimators.escalation import EscalationModel
from pipeline.estimators.maturity import maturity_weights
from pipeline.estimators.members import CANDIDATES, Weighted, possible, weighted
from pipeline.features.build import Blocks
from pipeline.training import courses
from pipeline.training.courses import InnerCourse
from pipeline.training.fits import Say
from pipeline.training.metrics import ranking_metrics
from pipeline.training.snapshots import Snapshots
from pipeline.training.split import Fold, Plan
from pipeline.training.topics import Inner

LATE = 0.2
"""So much more or less than 1 rows weigh where outcomes come late (`come_late`)."""


@dataclass(frozen=True)
class Times:
    """Moments of all rows in microseconds; None where the rows have no times.

    Attributes
    ----------
    created, known : ndarray of int64, shape (all rows,)
    cut : int
        Nothing known from this moment on is used.
    """

    created: np.ndarray
    known: np.ndarray
    cut: int


@dataclass(frozen=True)
class Seen:
    """The tickets as of later ages, and the names of the numbers of a moment."""

    snapshots: Snapshots
    names: tuple[str, ...]


@dataclass(frozen=True)
class MadeEscalation:
    """A model and how it came about; see `topics.Made`. `inner.probabilities` has two columns.

    `course` holds inner risks as of later ages, where there is a history.
    """

    model: EscalationModel
    inner: Inner
    chosen: dict[str, str]
    trained: np.ndarray
    tried: list[dict[str, float | str]]
    course: InnerCourse | None = None


def make(
    blocks: Blocks,
    outcome: np.ndarray,
    rows: np.ndarray,
    plan: Plan,
    *,
    times: Times | None,
    seen: Seen | None = None,
    settings: Escalation,
    seed: int,
    say: Say,
) -> MadeEscalation:
    """Fit the escalation model.

    Inner folds repeat the world as it was: a row trains only if it was created, and its outcome known, before the rows
    that are looked at.

    Parameters
    ----------
    outcome : ndarray of 0 and 1, shape (all rows,)
    rows : ndarray of int
        Rows whose outcome is known, oldest first: what `plan` splits.
    seen : Seen, optional
        The tickets at later ages.
    """
    candidates = possible(blocks, settings.candidates) or possible(blocks, list(CANDIDATES))
    weight = _weights(outcome, times, rows)
    late = come_late(weight[rows])
    choose = [_as_of_then(f if late else _old_enough(f, weight), times) for f in plan.choose]
    looked = np.concatenate([f.look for f in choose])
    tried: list[dict[str, float | str]] = []
    union = tuple((n, 1.0) for n in dict.fromkeys(n for members in candidates.values() for n, _ in members))
    log_odds = _look(union, blocks, outcome, choose, times, seed)
    found: dict[str, np.ndarray] = {}
    for name, members in candidates.items():
        found[name] = weighted(log_odds, members)
        figures = ranking_metrics(outcome[looked].astype(float), found[name])
        tried.append(
            {"candidate": name, "roc_auc": figures["roc_auc"], "average_precision": figures["average_precision"]}
        )
    quality = [np.nan_to_num(float(t["roc_auc"])) + np.nan_to_num(float(t["average_precision"])) for t in tried]
    name = list(candidates)[int(np.argmax(quality))]
    members = candidates[name]
    say(f"chosen: {name}")
    platt = judging = Platt() if late else Platt.fit(sigmoid(found[name]), outcome[looked])
    creation = dict(zip(looked.tolist(), found[name].tolist(), strict=True))
    calibrate = choose
    if plan.dated:
        calibrate = [_as_of_then(f if late else _old_enough(f, weight), times) for f in plan.calibrate]
        judged = np.concatenate([f.look for f in calibrate])
        later = weighted(_look(members, blocks, outcome, calibrate, times, seed), members)
        creation |= dict(zip(judged.tolist(), later.tolist(), strict=True))
        inner = _inner(judged, outcome, platt.apply(sigmoid(later)))
        both, pooled = np.concatenate([looked, judged]), np.concatenate([found[name], later])
        platt = Platt() if late else Platt.fit(sigmoid(pooled), outcome[both])
    else:
        inner = _inner(looked, outcome, platt.apply(sigmoid(found[name])))
    final = _fit(members, blocks, outcome, rows, times, None if times is None else times.cut, seed)
    chosen = {"candidate": name}
    if times is None or seen is None:
        return MadeEscalation(replace(final, platt=platt), inner, chosen, rows, tried)
    sight = courses.sight_of(seen.names, seen.snapshots)
    task = courses.Task(blocks, outcome, times.created, times.known, times.cut, seen.snapshots, sight, late, seed)
    course = courses.make(task, tuple(choose), tuple(calibrate), creation, rows)
    if course is None:
        say("too few tickets were open at later ages: the risk is that at creation")
        return MadeEscalation(replace(final, platt=platt), inner, chosen, rows, tried)
    say("joined with the course of the tickets")
    chosen |= {f"at {a:g} h": f"{c:.2f} creation + {k:.2f} course" for a, (c, k, _) in _ages(course[0])}
    seen_then = replace(course[1], alone=judging.apply(sigmoid(course[1].alone)))
    return MadeEscalation(replace(final, platt=platt, course=course[0]), inner, chosen, rows, tried, seen_then)


def come_late(weights: np.ndarray) -> bool:
    """Whether the newest known outcomes are no sample of what is to come, by `maturity_weights`.

    Then no line is fitted to them: the weights set the level. An outcome with a horizon isn't late: the few rows whose
    window is open weigh nothing, and all others alike.
    """
    old = weights[weights > 0]
    return bool(len(old) and np.abs(old - 1.0).max() > LATE)


def _ages(course: CourseModel) -> list[tuple[float, np.ndarray]]:
    return list(zip(AGES, course.joints, strict=True))


def _old_enough(fold: Fold, weight: np.ndarray) -> Fold:
    """Without looking at rows whose window is open: of those only one outcome is known."""
    kept = fold.look[weight[fold.look] > 0]
    return Fold(fold.fit, kept) if len(kept) else fold


def _as_of_then(fold: Fold, times: Times | None) -> Fold:
    if times is None or len(fold.look) == 0:
        return fold
    moment = times.created[fold.look].min()
    fit = fold.fit[times.known[fold.fit] < moment]
    return Fold(fit, fold.look) if len(fit) >= 0.3 * len(fold.fit) else fold


def _look(
    members: Weighted, blocks: Blocks, outcome: np.ndarray, folds: list[Fold], times: Times | None, seed: int
) -> dict[str, np.ndarray]:
    """Log-odds of each member on what the folds look at."""
    parts: dict[str, list[np.ndarray]] = {n: [np.zeros(0)] for n, _ in members}
    for fold in folds:
        if len(fold.look) == 0:
            continue
        cut = None if times is None else int(times.created[fold.look].min())
        model = _fit(members, blocks, outcome, fold.fit, times, cut, seed)
        for name, values in model.member_log_odds(blocks.take(fold.look)).items():
            parts[name].append(values)
    return {n: np.concatenate(values) for n, values in parts.items()}


def _fit(
    members: Weighted,
    blocks: Blocks,
    outcome: np.ndarray,
    rows: np.ndarray,
    times: Times | None,
    cut: int | None,
    seed: int,
) -> EscalationModel:
    created = None if times is None else times.created[rows]
    known = None if times is None else times.known[rows]
    if known is not None and cut is not None and (known >= cut).any():
        cut = int(known.max()) + 1
    return EscalationModel.fit(
        members, blocks.take(rows), outcome[rows], created=created, known=known, cut=cut, seed=seed
    )


def _weights(outcome: np.ndarray, times: Times | None, rows: np.ndarray) -> np.ndarray:
    """Weights by position: rows near the cut stand for those whose outcome isn't known yet."""
    weight = np.ones(len(outcome))
    if times is not None:
        weight[rows] = maturity_weights(outcome[rows], times.created[rows], times.known[rows], times.cut)
    return weight


def _inner(rows: np.ndarray, outcome: np.ndarray, risk: np.ndarray) -> Inner:
    return Inner(rows, outcome[rows].astype(int), np.stack([1 - risk, risk], axis=1))
