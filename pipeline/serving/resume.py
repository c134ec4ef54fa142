"""Where an attempt had got to when it was cut off, and whether this run may go on from there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.errors import OutputError
from pipeline.serving.progress import Event, Report
from pipeline.serving.work import Record, Work

MAY_DIFFER = ("now",)
"""Parts of the journal's first line that may differ from this run's; any other starts it anew, and it says which."""


@dataclass(frozen=True)
class State:
    """Where an earlier attempt had got to.

    Attributes
    ----------
    now : datetime
        Moment of the run: that of its first attempt, so that a resumed run judges future times alike.
    chunks, rows : int
        What is done and need not be scored again.
    assembled, published : bool
        Whether the output is put together, and whether it has its name.
    """

    now: datetime
    chunks: int = 0
    rows: int = 0
    assembled: bool = False
    published: bool = False


def take_up(work: Work, out: Path, header: Record, *, force: bool, report: Report) -> State:
    """Go on where the journal ends, or begin a new one.

    Raises
    ------
    OutputError
        The output is there already, and it isn't the one that this journal was about to finish.
    """
    before = next(work.records(), None)
    changed = [] if before is None else [k for k in header if k not in MAY_DIFFER and before.get(k) != header[k]]
    state = None if before is None or changed else _found(work, out, before)
    if out.exists() and not force and not (state and state.published):
        raise OutputError("the output is already there", where=out.name, do="name another, or replace it with --force")
    names = {"input": header["input"]["name"], "output": out.name, "scorer": header["scorer"]}
    if state is not None:
        report(Event("resumed", names | {"rows": state.rows}))
        return state
    report(Event("restarted" if changed else "started", names | ({"changed": changed} if changed else {})))
    work.begin(header)
    return State(now=datetime.fromisoformat(header["now"]))


def seal(path: Path) -> list[int] | None:
    """What tells the assembled file from any other (inode, size, time of change): a rename keeps all three."""
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_ino, found.st_size, found.st_mtime_ns]


def outline(work: Work) -> Iterator[Record]:
    """The journal after its first line, without the tallies."""
    for position, record in enumerate(work.records()):
        if position and "chunk" in record:
            yield {"chunk": record["chunk"], "sha256": record["sha256"], "rows": record["tally"]["rows"]}
        elif position:
            yield record


def _found(work: Work, out: Path, header: Record) -> State:
    """The state that the journal tells, as far as the disk agrees."""
    now, records = datetime.fromisoformat(header["now"]), list(outline(work))
    rows = sum(r["rows"] for r in records if "chunk" in r)
    if records and "assembled" in records[-1]:
        sealed = records.pop()["assembled"]
        if sealed in (seal(work.copy), seal(out)):
            return State(now, len(records), rows, assembled=True, published=sealed == seal(out))
    good = 0
    while good < len(records) and work.has_chunk(records[good]):
        good += 1
    work.keep_records(1 + good)  # also cuts off a line that wasn't finished
    return State(now, good, sum(r["rows"] for r in records[:good]))
