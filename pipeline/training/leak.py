"""The leakage test: everything received after a moment is thrown into disorder, and no risk as of then may change."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.history.course import View, ended_at
from pipeline.history.definitions import Definition
from pipeline.history.log import log_of, moments
from pipeline.history.record import History, record
from pipeline.pages.waiting import Leak
from pipeline.scorer import Scorer

MOMENTS = (0.3, 0.6, 0.9)
"""Where in the looked-at time the moments lie, as shares of its tickets."""

TICKETS = 300
"""So many of the newest open tickets are looked at at each moment."""

KEPT = ("created_at",)
TIMES = ("occurred_at", "received_at", "known_at")


@dataclass(frozen=True)
class Facts:
    """What a record is made of."""

    tickets: pd.DataFrame
    events: pd.DataFrame
    outcomes: pd.DataFrame
    definitions: Mapping[str, Definition]


def leak(facts: Facts, scorer: Scorer, frame: pd.DataFrame, history: History) -> Leak | None:
    """Look at open tickets as of some moments, twice: with the history, and with its future in disorder.

    Parameters
    ----------
    facts : Facts
        What `history` was made of.
    frame : DataFrame
        Parsed tickets that the scorer wasn't trained on.

    Returns
    -------
    Leak or None
        None where the scorer looks at no history, or no ticket was open at any of the moments.
    """
    model, as_of = scorer.models.escalation, scorer.builder.as_of
    if model is None or as_of is None or frame["created_at"].notna().sum() < len(MOMENTS):
        return None
    rng = np.random.default_rng(scorer.settings.seed)
    looked, permuted, largest = 0, 0, 0.0
    for moment in map(pd.Timestamp, frame["created_at"].quantile(list(MOMENTS))):
        rows = _open(frame, history, as_of.levels, moment)
        if not len(rows):
            continue
        tickets = frame.iloc[rows].reset_index(drop=True).assign(as_of=moment)
        other, changed = disorder(facts, moment, rng)
        disordered = record(other.tickets, other.events, other.outcomes, other.definitions, scorer.settings.history)
        said, again = (model.risk(scorer.builder.transform(tickets, h)) for h in (history, disordered))
        looked, permuted = looked + len(rows), permuted + changed
        largest = max(largest, float(np.abs(said - again).max()))
    return Leak(looked, permuted, largest) if looked else None


def disorder(
    facts: Facts, moment: pd.Timestamp, rng: np.random.Generator, *, asked: Collection[str] = ()
) -> tuple[Facts, int]:
    """The same facts, with all columns of what was received from a moment on permuted, and how many facts those are.

    Parameters
    ----------
    asked : collection of str
        Tickets that are looked at: as of its creation a ticket itself, and whose it is, is known.
    """
    known = facts.tickets["ticket_id"].isin(list(asked))
    late_tickets = ((facts.tickets["created_at"] >= moment) & ~known).to_numpy(bool)
    received = facts.events["received_at"].fillna(facts.events["occurred_at"])
    late_events = (received >= moment).to_numpy(bool, na_value=True)
    late_outcomes = (facts.outcomes["known_at"] >= moment).to_numpy(bool, na_value=True)
    tickets = _permuted(facts.tickets, late_tickets, rng)
    events = _permuted(facts.events, late_events, rng)
    outcomes = _permuted(facts.outcomes, late_outcomes, rng)
    number = int(late_tickets.sum() + late_events.sum() + late_outcomes.sum())
    return Facts(tickets, events, outcomes, facts.definitions), number


def _permuted(frame: pd.DataFrame, late: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Every column by itself, but that times go together: one that happened early may have been received late."""
    rows, changed = np.flatnonzero(late), {}
    times = _order(len(frame), rows, rng)
    for name in map(str, frame.columns):
        if name not in KEPT:
            places = times if name in TIMES else _order(len(frame), rows, rng)
            changed[name] = frame[name].take(places).set_axis(frame.index)
    return frame.assign(**changed)


def _order(size: int, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    places = np.arange(size)
    places[rows] = rng.permutation(rows)
    return places


def _open(frame: pd.DataFrame, history: History, levels: tuple[str, ...], moment: pd.Timestamp) -> np.ndarray:
    """The newest tickets that were open at the moment."""
    here = np.flatnonzero((frame["created_at"] < moment).to_numpy(bool, na_value=False))
    place = pd.Index(history.tickets["ticket_id"]).get_indexer(pd.Index(frame["ticket_id"].iloc[here]))
    here, place = here[place >= 0], place[place >= 0]
    log = log_of(history.tickets, history.events, levels)
    at = np.full(len(here), moments(pd.Series([moment]))[0])
    over = ended_at(View.of(log, place, at))
    return np.asarray(here[~over][-TICKETS:])
