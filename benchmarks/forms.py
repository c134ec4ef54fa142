"""What a measurement is made of: sources, jobs, and the kinds of rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Source:
    """One RAW_DIR.

    Attributes
    ----------
    files : tuple of str
        Below the data folder; those that begin with `made/` are written by `reshape`.
    mapping : str or None
        File in benchmarks/mappings; None: Kitsune's own records.
    """

    files: tuple[str, ...]
    mapping: str | None = None


@dataclass(frozen=True)
class Job:
    """One `triage run`, and what its scorer scores.

    Attributes
    ----------
    source : str
        Name in `SOURCES`.
    scored : dict
        Name → file to score, as in `Source.files`; an empty name is the source's tickets from `test_from` on, without
        their outcomes, out of RAW_DIR (training rows needn't be encoded twice).
    as_of : dict
        Names in `scored` that are scored with the history in RAW_DIR → as of when: "" their creation, "+24h" that age.
    test_from, test_to : str or None
        Nothing known from `test_from` on trains; the source's tickets are scored until `test_to`.
    params : str or None
        File in benchmarks/params.
    only : str or None
        Function in `truth`: of the source's tickets only those that it knows are scored.
    variants : str or None
        Function in `truth`: each of these tickets is scored once for each of its rows, `scored_as` another id, and with
        what else stands there in the place of its own.
    settings : dict
        Settings that win over those of `params`, by section.
    refreshes : str or None
        Name in `JOBS`: that one's scorer is refreshed with what was known at `test_from`, instead of a run.
    """

    source: str
    scored: dict[str, str]
    test_from: str | None = None
    params: str | None = None
    as_of: dict[str, str] = field(default_factory=dict)
    test_to: str | None = None
    only: str | None = None
    variants: str | None = None
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    refreshes: str | None = None


@dataclass(frozen=True)
class Figure:
    """A figure asked for.

    Attributes
    ----------
    metric : str
        As the referee names it; `out_of_scope.auroc` is inside another object.
    words : str
        For people.
    reach : float or None
        None: measured, nothing is asked.
    plain, best : float or None
        The plain pipeline, and the best simple baseline known.
    at_most : bool
        Whether less is better.
    """

    metric: str
    words: str
    reach: float | None = None
    plain: float | None = None
    best: float | None = None
    at_most: bool = False


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes
    ----------
    title : str
    job : str
        Name in `JOBS`.
    scored : str
        Which of the job's files.
    judge : tuple of str
        The referee's task and options.
    truth : str
        Function in `truth`.
    figures : tuple of Figure
    model : str
        The scorer's model that is judged.
    also : tuple of (words, truth, figures)
        Parts of the test that are judged by themselves too.
    evaluate : bool
        Whether what `triage evaluate` says is kept beside the figures.
    then : tuple of str
        Jobs whose files are judged together with the first one's: the same, trained again later.
    suggested : tuple of Figure
        Of the probabilities of suggestions; `suggested.py` names them.
    none_fits : tuple of str
        Jobs that score the same tickets as they are and without their articles; see `suggested.py`.
    """

    title: str
    job: str
    scored: str
    judge: tuple[str, ...]
    truth: str
    figures: tuple[Figure, ...]
    model: str
    also: tuple[tuple[str, str, tuple[Figure, ...]], ...] = ()
    evaluate: bool = False
    then: tuple[str, ...] = ()
    suggested: tuple[Figure, ...] = ()
    none_fits: tuple[str, ...] = ()


@dataclass(frozen=True)
class PromiseRow:
    """One promise: asked for in the job's settings, held against what happened.

    Attributes
    ----------
    parts : tuple of (scored, truth)
        Files of the job, each with the function in `truth` that knows what is right.
    asked : str
        In words.
    by : str
        `month` (then `triage evaluate` is asked too) or `fifth`.
    """

    title: str
    job: str
    parts: tuple[tuple[str, str], ...]
    asked: str
    by: str


@dataclass(frozen=True)
class Pair:
    """The same tickets scored twice: what the difference of the ROC-AUC is, with its interval.

    Attributes
    ----------
    scored, against : str
        Which of the job's files.
    truth : str
        Function in `truth`.
    """

    title: str
    job: str
    scored: str
    against: str
    truth: str


@dataclass(frozen=True)
class LeadRow:
    """Time that alerts win at a capacity, as `triage evaluate` measures it.

    Attributes
    ----------
    reach : float
        Least median, as a share of the median that flagging everything at creation would give.
    """

    title: str
    job: str
    reach: float
