"""A scorer and a reader that need no training: deterministic, quick, with every column filled in some rows."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.features import drift
from pipeline.serving import intake
from pipeline.serving.intake import Intake
from pipeline.tickets import schema

LABELS = ("billing", "login", "delivery")
LEVELS = ("low", "high", "urgent")


class StandIn:
    """Answers by the hash of the ticket's id, so that equal rows get equal answers in any chunk."""

    def __init__(self, version: str = "standin-1", *, levels: tuple[str, ...] = LEVELS, pause: float = 0.0) -> None:
        self.version, self.levels, self.pause = version, levels, pause
        self.reference: dict[str, Any] = {}
        self.queue_column: str | None = None
        self.reason_column: str | None = None

    def score(self, tickets: pd.DataFrame, *, explain: bool = False) -> pd.DataFrame:
        time.sleep(self.pause)
        errors = [None if pd.isna(e) else str(e) for e in tickets["error"]]
        ids = [None if pd.isna(i) else str(i) for i in tickets["ticket_id"]]
        rows = [self._row(i, e, explain) for i, e in zip(ids, errors, strict=True)]
        scored = pd.DataFrame(rows, columns=schema.names("scored"), index=tickets.index)
        scored["as_of"] = tickets["created_at"]
        return schema.conform(scored, "scored")

    def _row(self, ticket_id: str | None, error: str | None, explain: bool) -> dict[str, Any]:
        base = {"ticket_id": ticket_id, "language": "en", "articles": [], "scorer_version": self.version}
        if error is not None:
            return base | {"queue": "triage", "queue_reason": f"fallback:{error}", "error": error, "articles": None}
        share = int(hashlib.sha256(str(ticket_id).encode()).hexdigest()[:8], 16) / 16**8
        label = LABELS[int(share * len(LABELS))]
        sure = share > 0.3
        return base | {
            "topic": label,
            "topic_confidence": share,
            "topic_candidates": [{"label": label, "probability": share}, {"label": "other", "probability": 1 - share}],
            "topic_oos_score": 1 - share,
            "queue": label if sure else "triage",
            "queue_reason": "model" if sure else "abstained",
            "priority": self.levels[0] if self.levels else None,
            "priority_confidence": 0.5 if self.levels else None,
            "priority_probabilities": self._probabilities(share),
            "escalation_risk": share / 3,
            "similar": [{"ticket_id": "t-0", "probability": 0.5}],
            "explanation": self._explanation(label) if explain else None,
        }

    def _probabilities(self, share: float) -> dict[str, float] | None:
        if not self.levels:
            return None
        rest = (1 - share) / (len(self.levels) - 1)
        return {level: share if level == self.levels[0] else rest for level in self.levels}

    def _explanation(self, label: str) -> dict[str, Any]:
        return {"topic": {"label": label}, "priority": None, "escalation": None, "articles": None}


def write_tickets(path: Path, count: int, *, first: int = 0, refused_every: int = 0) -> Path:
    """A synthetic JSONL file; every `refused_every`-th record has no id and a code."""
    with path.open("w", encoding="utf-8") as handle:
        for number in range(first, first + count):
            refused = bool(refused_every) and number % refused_every == refused_every - 1
            handle.write(json.dumps(_ticket(number, refused)) + "\n")
    return path


def made_intake(path: Path, *, chunk_rows: int = 50) -> Intake:
    """The input as the door knows it, read by the reader of this file."""
    return intake.of_file(path, _Reader(path, chunk_rows), {"chunk_rows": chunk_rows})


def reference(path: Path) -> dict[str, Any]:
    """Counts of a file, as a scorer would keep them."""
    frames = list(_Reader(path, 500)(datetime.min))
    return drift.merge(drift.summarise(f, StandIn().score(f)) for f in frames)


class _Reader:
    def __init__(self, path: Path, chunk_rows: int) -> None:
        self.path, self.chunk_rows = path, chunk_rows

    def __call__(self, now: datetime) -> Iterator[pd.DataFrame]:
        with self.path.open(encoding="utf-8") as lines:
            while records := [json.loads(line) for line in islice(lines, self.chunk_rows)]:
                yield _frame(records)


def _ticket(number: int, refused: bool) -> dict[str, Any]:
    return {
        "ticket_id": None if refused else f"t-{number}",
        "created_at": f"2026-03-{number % 28 + 1:02d}T10:00:{number % 60:02d}Z",
        "subject": f"made ticket {number}",
        "body": 'with "quotes", a comma,\nand a line end; Grüße ' + "x" * (number % 50),
        "channel": ("email", "chat")[number % 2],
        "fields.category": f"c{number % 7}",
        "source": f"made.jsonl:row-{number + 1}",
        "error": "missing_id" if refused else None,
    }


def _frame(records: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(records)
    frame = schema.conform(table, "tickets")
    return frame.assign(error=table["error"].astype("str"))
