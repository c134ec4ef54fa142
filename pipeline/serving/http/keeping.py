"""What was said goes into the ledger before anybody hears it; what people say of it goes there too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from pipeline.errors import TriageError
from pipeline.ledger import Decision, Feedback, Journal, decisions_of, is_shown
from pipeline.serving.answers import Said, Scored
from pipeline.serving.http.metrics import Metrics

DOOR = "http"

LOCK_SECONDS = 1.0
"""So long a write waits for another one before it goes to the spool: somebody is waiting for the answer."""

REPLAY_SECONDS = 5.0
"""How often the spool is put into the ledger, where something waits in it."""

_SHOWN = (
    "topic", "topic_confidence", "queue", "queue_reason", "priority", "priority_confidence", "escalation_risk", "error",
)  # fmt: skip


@dataclass
class Keeper:
    """Writes beside the scorer: the next batch is scored while this one is written.

    Attributes
    ----------
    journal : Journal
    metrics : Metrics
    clock : callable
        The present, as a Timestamp in UTC.
    """

    journal: Journal
    metrics: Metrics
    clock: Callable[[], pd.Timestamp]
    writer: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "ledger"))
    lookups: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2, "lookups"))

    async def keep(self, said: Sequence[Said]) -> bool:
        """Whether all decisions are safe: in the ledger, or in the spool."""
        safe = await asyncio.get_running_loop().run_in_executor(self.writer, self._write, said)
        if not safe:
            self.metrics.unlogged.inc(sum(len(one.records) for one in said))
        return safe

    async def add_feedback(self, feedback: Sequence[Feedback]) -> bool:
        """Whether it is safe."""
        return await asyncio.get_running_loop().run_in_executor(self.writer, self.journal.add_feedback, feedback)

    async def look_up(self, ticket_id: str) -> dict[str, Any] | None:
        """The last scored record of a ticket, every decision on it, and what people said; None where nothing is known.

        Raises
        ------
        StoreError
            The ledger can't be read.
        """
        return await asyncio.get_running_loop().run_in_executor(self.lookups, self._look_up, ticket_id)

    async def replay(self) -> None:
        """Put what was spooled into the ledger, until cancelled; beside the writer, so that nobody waits for it."""
        while True:
            await asyncio.sleep(REPLAY_SECONDS)
            with suppress(TriageError):  # it goes on waiting; the next write says why in the metrics
                await asyncio.get_running_loop().run_in_executor(self.lookups, self.journal.replay)

    def close(self) -> None:
        """Write what is left."""
        self.writer.shutdown()
        self.lookups.shutdown()
        with suppress(TriageError):
            self.journal.replay(at_once=True)
        self.journal.ledger.close()

    def _write(self, said: Sequence[Said]) -> bool:
        now, together = self.clock().to_pydatetime(), dict.fromkeys(one.of for one in said)
        safe = self.journal.write([decision for scored in together for decision in _decisions(scored, now)])
        if self.journal.fault is not None:
            self.metrics.ledger_failures.inc()
        return safe

    def _look_up(self, ticket_id: str) -> dict[str, Any] | None:
        decisions = self.journal.ledger.decisions(ticket_id)
        feedback = self.journal.ledger.feedback(ticket_id)
        if not decisions and not feedback:
            return None
        return {
            "ticket_id": ticket_id,
            "scored": decisions[-1].scored if decisions else None,
            "decisions": [_told(one) for one in decisions],
            "feedback": [_said(one) for one in feedback],
        }


def shown(record: dict[str, Any], held_out_share: float) -> bool:
    """Whether a helpdesk may show what is suggested."""
    return is_shown(record["ticket_id"], held_out_share)


def _decisions(scored: Scored, now: Any) -> list[Decision]:
    settings = scored.by.scorer.settings
    return decisions_of(
        scored.tickets,
        scored.records,
        door=DOOR,
        decided_at=now,
        settings=settings.ledger,
        people=settings.history,
        history=scored.by.past is not None,
    )


def _told(one: Decision) -> dict[str, Any]:
    return {
        "decided_at": one.decided_at.isoformat(),
        "as_of": None if one.as_of is None else one.as_of.isoformat(),
        "door": one.door,
        "scorer_version": one.scorer_version,
        "content": one.content,
        "shown": one.shown,
        "history": one.history,
        **{name: one.scored.get(name) for name in _SHOWN},
        "decision": one.key,
    }


def _said(one: Feedback) -> dict[str, Any]:
    names = ("kind", "value", "by", "source", "decision")
    return {"given_at": one.given_at.isoformat()} | {name: getattr(one, name) for name in names}
