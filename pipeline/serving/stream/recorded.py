"""Historical tickets and events as messages: from any file of tickets, or from what an import left in RAW_DIR."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.errors import InputError
from pipeline.history.log import NEVER, moments, objects
from pipeline.serving.happenings import NAMES
from pipeline.serving.stream.timeline import Kind, Moment, Timeline
from pipeline.sources.mapping import load_mapping
from pipeline.sources.raw import kept_still, raw_batches
from pipeline.sources.reader import read_tickets
from pipeline.tickets.files import parquet_columns
from pipeline.tickets.schema import FIELD_PREFIX, names

_ROWS = 2_000
_TICKET = tuple(name for name in names("tickets") if name != "source")

Progress = Callable[[str, int], None]
"""Told what is read, and how many rows of it so far."""


@dataclass
class Recorded:
    """What was read.

    Attributes
    ----------
    rows : int
        Rows, without those outside the time that was asked for.
    refused : Counter
        Those that can't be sent, by code.
    undated : int
        Rows without a time, left out where a time was asked for.
    """

    rows: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    undated: int = 0


@dataclass(frozen=True)
class Span:
    """A time: from a moment on, and before another, in microseconds since 1970; None: open."""

    since: int | None = None
    until: int | None = None

    @property
    def whole(self) -> bool:
        """Whether everything lies in it."""
        return self.since is None and self.until is None

    def holds(self, at: int) -> bool:
        """Whether a moment lies in it."""
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


def record(
    what: Path | str, timeline: Timeline, *, mapping: Path | None, span: Span, now: pd.Timestamp, progress: Progress
) -> Recorded:
    """Put the messages of a file or a RAW_DIR into a timeline.

    A ticket comes when it was created, an event when it was received. One without a time comes with the row before it.

    Parameters
    ----------
    what : Path or '-'
        A CSV, JSONL or Parquet file of tickets, `-` for standard input, or a folder that an import made.
    mapping : Path, optional
        MAPPING.yaml of a file; without it the file is in our own schema.
    span : Span
        What is outside is left out.
    now : Timestamp
        Later times are refused.

    Raises
    ------
    InputError, MappingError
        As `triage score` does for its input.
    """
    told = Recorded()
    if str(what) == "-" or not Path(what).is_dir():
        columns = load_mapping(mapping) if mapping is not None else None
        frames = read_tickets(what, columns, chunk_rows=_ROWS, now=now)
        _take("ticket", "tickets", frames, timeline, span, told, progress)
        return told
    if mapping is not None:
        raise InputError("a RAW_DIR needs no mapping", where=str(what), do="leave --mapping out")
    folder = Path(what)
    with kept_still(folder):
        for kind, name, wanted in (("ticket", "tickets", _TICKET), ("event", "events", NAMES)):
            extra = [c for c in parquet_columns(folder / f"{name}.parquet") if c.startswith(FIELD_PREFIX)]
            frames = raw_batches(folder, name, [*wanted, *extra], rows=_ROWS)
            _take("ticket" if kind == "ticket" else "event", name, frames, timeline, span, told, progress)
    return told


def _take(
    kind: Kind,
    name: str,
    frames: Iterator[pd.DataFrame],
    timeline: Timeline,
    span: Span,
    told: Recorded,
    progress: Progress,
) -> None:
    last, count = NEVER, 0
    for frame in frames:
        count += len(frame)
        good = _readable(frame, told)
        found: list[Moment] = []
        for own, key, value in zip(_times(good, kind), good["ticket_id"].tolist(), _values(good, kind), strict=True):
            last = own if own != NEVER else last
            if own == NEVER and not span.whole:
                told.undated += 1
            elif span.whole or span.holds(own):
                found.append(Moment(last, kind, str(key), value))
        told.rows += len(found)
        timeline.add(found)
        progress(name, count)


def _readable(frame: pd.DataFrame, told: Recorded) -> pd.DataFrame:
    """Rows without a code, and with an id."""
    codes = frame["error"] if "error" in frame else pd.Series(None, index=frame.index, dtype="str")
    codes = codes.mask(codes.isna() & frame["ticket_id"].isna(), "missing_id")
    bad = codes.notna()
    told.refused.update(str(code) for code in codes[bad])
    told.rows += int(bad.sum())
    return frame[~bad.to_numpy(bool)]


def _times(frame: pd.DataFrame, kind: Kind) -> list[int]:
    if kind == "ticket":
        known = frame["created_at"]
    else:
        known = frame["received_at"].where(frame["received_at"].notna(), frame["occurred_at"])
    return [int(at) for at in moments(known).tolist()]


def _values(frame: pd.DataFrame, kind: Kind) -> Iterator[bytes]:
    """Each row as JSON without spaces: text as it is, times in ISO 8601, nulls left out."""
    wanted: tuple[str, ...] = NAMES
    if kind == "ticket":
        fields = sorted(str(c) for c in frame.columns if str(c).startswith(FIELD_PREFIX))
        wanted = (*_TICKET, "as_of", *fields)
    columns = {name: _texts(frame[name]) for name in wanted if name in frame}
    for row in zip(*columns.values(), strict=True):
        said = {name: text for name, text in zip(columns, row, strict=True) if text is not None}
        yield json.dumps({kind: said}, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _texts(values: pd.Series) -> list[Any]:
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return [None if at is pd.NaT else at.isoformat() for at in values.tolist()]
    return [None if text is None else str(text) for text in objects(values).tolist()]
