"""The open tickets in the order in which to take them, each with the reasons in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline import ordering
from pipeline.config import Ordering, Params
from pipeline.history.as_of import CLOCK, AsOf
from pipeline.scorer import Scorer
from pipeline.serving.past import Past
from pipeline.serving.people import set_by_people
from pipeline.serving.scored_file import newest
from pipeline.tickets import schema

COLUMNS = ("rank", "ticket_id", "cost", "priority", "escalation_risk", "sla_hours_left", "reasons")

_ROWS = 5_000


@dataclass(frozen=True)
class Ordered:
    """The order.

    Attributes
    ----------
    tickets : DataFrame
        `COLUMNS`, the first to take first. `cost` is what waiting is expected to cost for an hour of handling, in the
        unit of `ordering`; `sla_hours_left` are business hours, negative once the deadline is missed.
    unscored : int
        Open tickets of which there is no scored line: they stand in no order.
    """

    tickets: pd.DataFrame
    unscored: int


def clock_of(scorer: Scorer) -> AsOf:
    """What is looked at to know the hours left: the scorer's own levels, hours and targets."""
    learned = scorer.builder.as_of
    levels = learned.levels if learned is not None and learned.levels else scorer.levels
    return AsOf(levels=levels, sla=scorer.settings.sla, customers=scorer.settings.history)


def order_open(scored: pd.DataFrame, past: Past, *, moment: pd.Timestamp, settings: Params, clock: AsOf) -> Ordered:
    """Order the open tickets by what letting them wait is expected to cost (`ordering.order`).

    Parameters
    ----------
    scored : DataFrame
        A scored file; of each ticket the newest line that was known at the moment.
    moment : Timestamp
        As of when (aware).
    settings : Params
        `ordering`, and `rescore.machines`: a priority that a person has set is certain.
    clock : AsOf
        See `clock_of`.

    Raises
    ------
    ConfigError
        `ordering.wait` names a level that isn't there.
    """
    if clock.levels:
        ordering.check_levels(settings.ordering, clock.levels)
    is_open = set(past.open_tickets(moment))
    last = newest(scored[~(scored["as_of"] > moment).to_numpy(bool)])
    last = last[last["ticket_id"].isin(is_open).to_numpy(bool)].reset_index(drop=True)
    parts = [_known(last.iloc[at : at + _ROWS], past, moment, settings, clock) for at in range(0, len(last), _ROWS)]
    tickets = pd.concat(parts, ignore_index=True) if parts else _known(last, past, moment, settings, clock)
    ranked = ordering.order(tickets, settings.ordering, as_of=moment)
    known = tickets.set_index("ticket_id").loc[ranked["ticket_id"]].reset_index()
    reasons = [
        in_words(parts, ticket, settings.ordering)
        for parts, ticket in zip(ranked["reasons"], known.to_dict("records"), strict=True)
    ]
    table = ranked.assign(
        **{name: known[name] for name in ("priority", "escalation_risk", "sla_hours_left")},
        reasons=pd.Series(reasons, index=ranked.index, dtype="str"),
    )
    return Ordered(table[list(COLUMNS)], len(is_open) - len(last))


def in_words(parts: Mapping[str, float], ticket: Mapping[Any, Any], settings: Ordering) -> str:
    """What the cost is made of, the largest part first: `escalation 7.2 (risk 36 %), waiting 4.0 (urgent)`.

    Parameters
    ----------
    parts : mapping of str to float
        `wait`, `escalation`, `sla`: expected costs avoided by taking the ticket now.
    ticket : mapping
        `priority`, `by_person`, `escalation_risk`, `sla_hours_left`.
    """
    level = ticket["priority"] if isinstance(ticket["priority"], str) else "no priority known"
    hours = float(ticket["sla_hours_left"])
    said = {
        "wait": f"waiting {{}} ({level}{', set by a person' if ticket['by_person'] else ''})",
        "escalation": f"escalation {{}} (risk {100 * float(ticket['escalation_risk']):.0f} %)",
        "sla": f"deadline {{}} (in {hours:.1f} business hours)",
    }
    costly = sorted((name for name in said if parts[name] > 0), key=lambda name: -parts[name])
    words = [said[name].format(f"{parts[name]:.1f}") for name in costly]
    if settings.sla_missed > 0 and hours < 0:
        words.append(f"deadline missed {-hours:.1f} business hours ago")
    return ", ".join(words) or "costs nothing"


def _known(scored: pd.DataFrame, past: Past, moment: pd.Timestamp, settings: Params, clock: AsOf) -> pd.DataFrame:
    """What `ordering.order` reads of some scored tickets, as the history knows them."""
    known = scored.reset_index(drop=True)
    asked = schema.conform(known[["ticket_id"]].assign(as_of=moment), "tickets")
    asked = asked.assign(text=pd.Series(None, index=asked.index, dtype="str"))
    history = past.read(asked)
    born = history.tickets.drop_duplicates("ticket_id").set_index("ticket_id")["created_at"]
    people = set_by_people(history, asked, machines=settings.rescore.machines)["priority"]
    by_person = people.notna().to_numpy(bool)
    sure = [{p: 1.0} if isinstance(p, str) else s for p, s in zip(people, known["priority_probabilities"], strict=True)]
    looked = dict(zip(clock.names, clock.look(asked, history).T, strict=True))
    return pd.DataFrame(
        {
            "ticket_id": known["ticket_id"],
            "created_at": born.reindex(known["ticket_id"]).array,
            "priority": known["priority"].where(~by_person, people.astype("str")),
            "priority_probabilities": pd.Series(sure, index=known.index, dtype="object"),
            "by_person": by_person,
            "escalation_risk": known["escalation_risk"],
            "sla_hours_left": hours_left(*(np.asarray(looked[name], dtype=np.float64) for name in CLOCK)),
        }
    )


def hours_left(first_response: np.ndarray, resolution: np.ndarray) -> np.ndarray:
    """Hours until the next deadline that can still be met, else since the last that was missed; nan without any."""
    both = np.column_stack([first_response, resolution])
    ahead = np.where(both >= 0, both, np.inf).min(axis=1)
    missed = np.where(both < 0, both, -np.inf).max(axis=1)
    found = np.where(np.isfinite(ahead), ahead, missed)
    return np.asarray(np.where(np.isfinite(found), found, np.nan))
