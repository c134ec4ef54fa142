"""The summary of a run: what came in, where it went, what was refused, how far the input has moved."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pipeline.features import drift
from pipeline.serving.tally import Tally

LISTED_REJECTS = 100
"""Refused rows that the summary lists itself; all of them are in OUT.rejects.jsonl."""


@dataclass(frozen=True)
class Summary:
    """One run, as it is written to `OUT.summary.json`.

    Attributes
    ----------
    scorer_version : str
        Which scorer said so.
    started_at : str
        Moment of the run, ISO 8601; of its first attempt where it was resumed.
    rows_in, rows_out : int
        Records read and rows written: the same number, as every record gets its row.
    refused_rows : int
    refused_share : float
        Rows with an error code, and their share of all rows.
    refused : dict of str to int
        Rows by error code.
    queue, queue_reason : dict of str to int
        Rows by where they went, and by why.
    abstained : int
        Rows that the scorer could read but left to a person.
    mean_confidence : float or None
        Mean of `topic_confidence` over the rows that have one.
    seconds, rows_per_second : float
        Time of all attempts together: reading, scoring, writing. Loading the scorer isn't in it.
    resumed_rows : int
        Rows taken over from an attempt that was cut off.
    drift : dict
        `features.drift.Judgement`: how far the input has moved from what the scorer was trained on.
    rejects : list of dict
        The first 100 refused rows: source, code, ticket_id where there is one.
    ledger : dict of str to int or None
        Decisions by where they are: `written` in the ledger, `spooled` beside it, `lost`; None without a ledger.
    """

    scorer_version: str
    started_at: str
    rows_in: int
    rows_out: int
    refused_rows: int
    refused_share: float
    refused: dict[str, int]
    queue: dict[str, int]
    queue_reason: dict[str, int]
    abstained: int
    mean_confidence: float | None
    seconds: float
    rows_per_second: float
    resumed_rows: int
    drift: dict[str, Any]
    rejects: list[dict[str, str]]
    ledger: dict[str, int] | None = None


def summarise(
    total: Tally,
    rejects: list[dict[str, str]],
    *,
    version: str,
    reference: dict[str, Any] | None,
    started_at: str,
    resumed_rows: int = 0,
    ledger: dict[str, int] | None = None,
) -> Summary:
    """Make the summary of a run from what it added up."""
    rows, seconds = int(total["rows"]), float(total["seconds"])
    refused = sum(total["refused"].values())
    known = total["confidence_rows"]
    return Summary(
        scorer_version=version,
        started_at=started_at,
        rows_in=rows,
        rows_out=rows,
        refused_rows=refused,
        refused_share=round(refused / rows, 6) if rows else 0.0,
        refused=total["refused"],
        queue=total["queue"],
        queue_reason=total["queue_reason"],
        abstained=total["abstained"],
        mean_confidence=round(total["confidence_sum"] / known, 6) if known else None,
        seconds=round(seconds, 3),
        rows_per_second=round(rows / seconds, 1) if seconds else 0.0,
        resumed_rows=resumed_rows,
        drift=asdict(drift.judge(_reference(reference), total["input"])),
        rejects=rejects[:LISTED_REJECTS],
        ledger=ledger,
    )


def _reference(found: dict[str, Any] | None) -> drift.Counts | None:
    return found if found and "counts" in found else None
