"""Snapshots: each ticket as of fixed ages, while it is open and nobody knows yet whether it escalates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.estimators.course import AGES
from pipeline.history.as_of import AsOf
from pipeline.history.course import View, ended_at
from pipeline.history.log import HOUR, NEVER, log_of, moments
from pipeline.history.record import History
from pipeline.training.labels import KNOWN_PREFIX, LABEL_PREFIX, escalated_at
from pipeline.training.split import Fold


@dataclass(frozen=True)
class Snapshots:
    """Tickets at moments; arrays of shape (m,).

    Attributes
    ----------
    rows : ndarray of int
        Position of each one's ticket in the prepared frame.
    age : ndarray of int
        Position in `AGES`.
    moments : ndarray of int64
        Microseconds since 1970.
    block : ndarray of float32, shape (m, h)
        What was known then (`AsOf.look`).
    """

    rows: np.ndarray
    age: np.ndarray
    moments: np.ndarray
    block: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def of(self, tickets: np.ndarray) -> np.ndarray:
        """Positions of the snapshots of some tickets."""
        return np.flatnonzero(np.isin(self.rows, tickets))

    def fold(self, fold: Fold, known: np.ndarray) -> Fold:
        """The fold's tickets as snapshots: learned from is what was seen, and came true, before what is looked at.

        Parameters
        ----------
        known : ndarray of int64, shape (all tickets,)
            When each outcome was known.
        """
        look, fit = self.of(fold.look), self.of(fold.fit)
        if len(look):
            begin = self.moments[look].min()
            fit = fit[(self.moments[fit] < begin) & (known[self.rows[fit]] < begin)]
        return Fold(fit, look)


def snapshots(frame: pd.DataFrame, history: History, as_of: AsOf, *, cut: int) -> Snapshots:
    """Every ticket whose escalation is known, at each of `AGES` at which it was open and that wasn't known yet.

    A ticket that is resolved, or has escalated or looked so (`labels.escalated_at`), has no snapshot from then on:
    nobody would ask any more. One whose outcome isn't known at the cut has none at all: it is censored, not "not
    escalated" (`maturity_weights` lets its like stand for it).

    Parameters
    ----------
    frame : DataFrame
        Prepared rows, with `label.escalated` and `known.escalated`.
    cut : int
        Moments from here on aren't looked at.
    """
    created, known = moments(frame["created_at"]), moments(frame[KNOWN_PREFIX + "escalated"])
    escalated = moments(escalated_at(frame))
    known = np.where(escalated == NEVER, known, np.minimum(known, escalated))
    labelled = frame[LABEL_PREFIX + "escalated"].notna().to_numpy() & (created != NEVER)
    log = log_of(history.tickets, history.events, as_of.levels)
    place = pd.Index(history.tickets["ticket_id"]).get_indexer(pd.Index(frame["ticket_id"]))
    rows, ages = [], []
    for number, hours in enumerate(AGES):
        at = created + int(hours * HOUR)
        asked = np.flatnonzero(labelled & (at < cut) & ((at < known) | (hours == 0)))
        seen = place[asked] >= 0
        over = np.zeros(len(asked), dtype=bool)
        if hours > 0:
            over[seen] = ended_at(View.of(log, place[asked[seen]], at[asked[seen]]))
        rows.append(asked[~over])
        ages.append(np.full(len(asked[~over]), number))
    row, age = np.concatenate(rows), np.concatenate(ages)
    at = created[row] + (np.array(AGES)[age] * HOUR).astype(np.int64)
    tickets = frame.iloc[row].reset_index(drop=True)
    tickets["as_of"] = pd.to_datetime(at, unit="us", utc=True)
    return Snapshots(row, age, at, as_of.look(tickets, history))
