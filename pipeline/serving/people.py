"""What people have set: the newest word on a ticket's queue or priority, where an agent said it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.history.course import AGENT, View
from pipeline.history.log import NEVER, PRIORITY, QUEUE, log_of, moments
from pipeline.history.record import DatedFacts

TRACKS = {"priority": PRIORITY, "queue": QUEUE}
"""Columns of a scored ticket that people set too, and where the history keeps their words on them."""


def set_by_people(history: DatedFacts, tickets: pd.DataFrame, *, machines: Sequence[str] = ()) -> pd.DataFrame:
    """What an agent has set as of each ticket's moment, if nobody and nothing has set another since.

    Parameters
    ----------
    history : DatedFacts
        Of these tickets.
    tickets : DataFrame, n rows
        `ticket_id` and `as_of`.
    machines : sequence of str
        Actors that are programs.

    Returns
    -------
    DataFrame, n rows
        `priority` and `queue` as the helpdesk has them, with the index of `tickets`; None where no person has.
    """
    log = log_of(history.tickets, history.events)
    place = pd.Index(history.tickets["ticket_id"]).get_indexer(pd.Index(tickets["ticket_id"]))
    at = moments(tickets["as_of"])
    known = np.flatnonzero((place >= 0) & (at != NEVER))
    view = View.of(log, place[known].astype(np.int64), at[known])
    by_machine = np.array([actor in machines for actor in log.actor.tolist()], dtype=bool)
    by_person = (log.side == AGENT) & ~by_machine
    found: dict[str, pd.Series] = {}
    for name, track in TRACKS.items():
        values = np.full(len(tickets), None, dtype=object)
        last = view.last(log.standing(track))
        said = np.flatnonzero(last >= 0)
        said = said[by_person[last[said]]]
        values[known[said]] = log.value[last[said]]
        found[name] = pd.Series(values, index=tickets.index, dtype="object")
    return pd.DataFrame(found, index=tickets.index)
