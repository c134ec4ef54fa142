"""What a run adds up, chunk by chunk: counts for the summary, and the rows that were refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pandas as pd

from pipeline.features import drift

Tally = dict[str, Any]
"""Plain JSON, so that the journal can hold it; two of them add up to the tally of both."""

_COUNTED = ("refused", "queue", "queue_reason")


def count(tickets: pd.DataFrame, scored: pd.DataFrame, seconds: float) -> Tally:
    """Tally of one chunk."""
    confidence = scored["topic_confidence"].dropna()
    return {
        "rows": len(scored),
        "refused": _counts(scored["error"]),
        "queue": _counts(scored["queue"]),
        "queue_reason": _counts(scored["queue_reason"]),
        "abstained": _abstained(scored),
        "confidence_sum": float(confidence.sum()),
        "confidence_rows": len(confidence),
        "seconds": seconds,
        "input": drift.summarise(tickets, scored),
    }


def add(parts: Iterable[Tally]) -> Tally:
    """Tally of all parts together."""
    total = empty()
    for part in parts:
        for name in _COUNTED:
            for key, number in part[name].items():
                total[name][key] = total[name].get(key, 0) + number
        for name in ("rows", "abstained", "confidence_sum", "confidence_rows", "seconds"):
            total[name] += part[name]
        total["input"] = drift.merge([total["input"], part["input"]])
    for name in _COUNTED:
        total[name] = dict(sorted(total[name].items()))
    return total


def together(parts: Iterable[dict[str, int]]) -> dict[str, int]:
    """Counts by name, of all parts."""
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return dict(sorted(total.items()))


def empty() -> Tally:
    """Tally of nothing."""
    return {
        "rows": 0,
        "refused": {},
        "queue": {},
        "queue_reason": {},
        "abstained": 0,
        "confidence_sum": 0.0,
        "confidence_rows": 0,
        "seconds": 0.0,
        "input": {"rows": 0, "counts": {}},
    }


def rejects(tickets: pd.DataFrame, scored: pd.DataFrame) -> list[dict[str, str]]:
    """Source, code and id (where there is one) of each refused row; never its text."""
    refused = scored["error"].notna().to_numpy()
    if not refused.any():
        return []
    sources = tickets["source"] if "source" in tickets else pd.Series([None] * len(tickets), index=tickets.index)
    rows = zip(sources[refused], scored["error"][refused], scored["ticket_id"][refused], strict=True)
    return [
        ({} if pd.isna(source) else {"source": str(source)})
        | {"code": str(code)}
        | ({} if pd.isna(ticket_id) else {"ticket_id": str(ticket_id)})
        for source, code, ticket_id in rows
    ]


def _abstained(scored: pd.DataFrame) -> int:
    """Rows that could be read but go to a person: not sure enough, or nothing to go by."""
    pairs = zip(scored["queue_reason"].tolist(), scored["error"].isna(), strict=True)
    return sum(fine and (reason == "abstained" or str(reason).startswith("fallback:")) for reason, fine in pairs)


def _counts(values: pd.Series) -> dict[str, int]:
    return dict(sorted(Counter(v for v in values.tolist() if isinstance(v, str)).items()))
