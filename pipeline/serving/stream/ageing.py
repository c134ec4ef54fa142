"""Open tickets are scored again as they wait: at fixed ages, each once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from pipeline.ledger import Ledger
from pipeline.serving.past import Past
from pipeline.serving.stream.partition import partition_of
from pipeline.serving.stream.scoring import Due

_READ_AT_ONCE = 1_000
"""Tickets whose words are in memory together: of all but two moments nothing is kept."""


@dataclass(frozen=True)
class _Known:
    """When a ticket was created, and as of when it was scored last (both in UTC)."""

    created: pd.Timestamp
    scored: pd.Timestamp


@dataclass
class Ageing:
    """Which open tickets are due.

    Attributes
    ----------
    ages : sequence of Timedelta
        After a ticket's creation.
    """

    ages: Sequence[pd.Timedelta]
    _known: dict[str, _Known | None] = field(default_factory=dict)

    def due(
        self, past: Past, ledger: Ledger, *, owned: Collection[int], partitions: int, now: pd.Timestamp
    ) -> list[Due]:
        """Open tickets of the owned partitions that have passed an age since they were scored last, the oldest first.

        One that has passed several is due at the last of them only.

        Raises
        ------
        StoreError
        """
        mine = {name: p for name in past.open_tickets(now) if (p := partition_of(name, partitions)) in owned}
        self._known = {name: self._known[name] for name in mine if name in self._known}
        self._read(ledger, [name for name in mine if name not in self._known])
        found = []
        for name, known in self._known.items():
            if known is None:
                continue
            passed = [(known.created + age, age) for age in self.ages if known.scored < known.created + age <= now]
            if passed:
                moment, age = max(passed)
                found.append(Due(name, moment, f"age {int(age.total_seconds())}", mine[name]))
        return found

    def done(self, due: Iterable[Due]) -> None:
        """These were scored."""
        for one in due:
            if (known := self._known.get(one.ticket_id)) is not None:
                self._known[one.ticket_id] = _Known(known.created, one.as_of)

    def forget(self, ticket_ids: Iterable[str | None]) -> None:
        """Something happened to these: the ledger says more of them now."""
        for name in ticket_ids:
            if name is not None:
                self._known.pop(name, None)

    def ask_again(self) -> None:
        """The ledger knows of tickets that only its spool did."""
        self._known = {name: known for name, known in self._known.items() if known is not None}

    def _read(self, ledger: Ledger, names: Sequence[str]) -> None:
        for begin in range(0, len(names), _READ_AT_ONCE):
            self._learn(ledger, names[begin : begin + _READ_AT_ONCE])

    def _learn(self, ledger: Ledger, names: Sequence[str]) -> None:
        words = ledger.words(names)
        for name in names:
            created = words[name].ticket.get("created_at") if name in words else None
            if created is None:
                self._known[name] = None
            else:
                begun, scored = pd.Timestamp(created), words[name].as_of
                self._known[name] = _Known(begun, begun if scored is None else pd.Timestamp(scored))
