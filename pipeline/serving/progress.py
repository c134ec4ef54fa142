"""What a run tells while it runs: events, for whoever shows them (the rooms themselves print nothing)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Event:
    """Something worth showing while a batch runs.

    Attributes
    ----------
    name : str
        What happened: `started` (input, output, scorer), `resumed` (rows taken over), `restarted` (changed: what
        differs from the attempt that is thrown away), `chunk` (rows so far, total where known, rows_per_second),
        `assembling` (chunks), `finished` (the summary).
    values : dict
        Plain JSON values, never the text of a ticket.
    """

    name: Literal["started", "resumed", "restarted", "chunk", "assembling", "finished"]
    values: dict[str, Any] = field(default_factory=dict)


Report = Callable[[Event], None]


def quiet(event: Event) -> None:
    """Show nothing."""
