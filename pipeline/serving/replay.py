"""A decision made again: the kept ticket is scored by the same scorer, and both answers are compared field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.errors import ROW_CODES
from pipeline.ledger import Decision
from pipeline.ledger.decisions import plain, records
from pipeline.scorer import Scorer
from pipeline.serving.past import Past, as_asked

TOLERANCE = 1e-5
"""Numbers may differ by so much: a batch scores as its rows do alone, within this (law 2)."""

TEXTS = ("summary", "reply")
"""Fields that hold words of tickets: that they differ is said, how isn't."""


@dataclass(frozen=True)
class Difference:
    """One value that isn't what it was; `field` is its place, such as `topic_candidates[0].probability`."""

    field: str
    then: Any
    now: Any

    @property
    def words(self) -> str:
        """For a line on the terminal."""
        name = self.field.partition(".")[0].partition("[")[0]
        return self.field if name in TEXTS else f"{self.field}: {_shown(self.then)}, now {_shown(self.now)}"


@dataclass(frozen=True)
class Replayed:
    """What came of it.

    Attributes
    ----------
    decision : Decision
    gone : tuple of str
        What is needed to make it again and isn't there; then nothing was scored.
    differences : tuple of Difference
    """

    decision: Decision
    gone: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()

    @property
    def same(self) -> bool:
        """Whether the scorer says again what it said."""
        return not self.gone and not self.differences


def chosen(decisions: Sequence[Decision], version: str, *, key: str | None = None) -> Decision | None:
    """The decision to be made again: the one that is named, else the scorer's own latest, else the latest.

    Parameters
    ----------
    decisions : sequence of Decision
        On one ticket, the oldest first.
    version : str
        The scorer's.
    key : str, optional
        The beginning of a decision's key.
    """
    named = [one for one in decisions if one.key.startswith(key or "")]
    own = [one for one in named if one.scorer_version == version]
    return next(reversed(own or named), None)


def replay(decision: Decision, scorer: Scorer, past: Past | None) -> Replayed:
    """Make a decision again.

    Parameters
    ----------
    past : Past or None
        Where the history comes from; needed where the decision looked at one.
    """
    gone = tuple(_gone(decision, scorer, past))
    if gone or decision.ticket is None:
        return Replayed(decision, gone)
    tickets = _frame(decision)
    history = None
    if decision.history and past is not None:
        history = past.read(as_asked(tickets, scorer.queue_column, scorer.reason_column))
    scored = scorer.score(tickets, history=history, explain=decision.scored.get("explanation") is not None)
    (now,) = records(scored)
    return Replayed(decision, (), tuple(_differences("", dict(decision.scored), plain(now))))


def _gone(decision: Decision, scorer: Scorer, past: Past | None) -> list[str]:
    found = []
    if decision.ticket is None:
        found.append("the ticket isn't kept, or not any more")
    if decision.scorer_version != scorer.version:
        found.append(f"it was decided by scorer {decision.scorer_version}, and this is {scorer.version}")
    if decision.history and past is None:
        found.append("it was decided with a history, and none was given")
    return found


def _frame(decision: Decision) -> pd.DataFrame:
    ticket = {"subject": None, **(decision.ticket or {}), "ticket_id": decision.ticket_id}
    if decision.as_of is not None:
        ticket["as_of"] = pd.Timestamp(decision.as_of)
    code = decision.scored.get("error")
    if code in ROW_CODES:  # what was wrong with the record isn't seen in what is kept of it
        ticket["error"] = code
    return pd.DataFrame([ticket])


def _differences(place: str, then: Any, now: Any) -> list[Difference]:
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        names = [*then, *(name for name in now if name not in then)]
        dot = f"{place}." if place else ""
        return [d for name in names for d in _differences(f"{dot}{name}", then.get(name), now.get(name))]
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        pairs = enumerate(zip(then, now, strict=True))
        return [d for i, (a, b) in pairs for d in _differences(f"{place}[{i}]", a, b)]
    return [] if _alike(then, now) else [Difference(place, then, now)]


def _alike(then: Any, now: Any) -> bool:
    if isinstance(then, float | int) and isinstance(now, float | int):
        return abs(then - now) <= TOLERANCE
    return bool(then == now)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list | Mapping):
        return f"{len(value)} values"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
