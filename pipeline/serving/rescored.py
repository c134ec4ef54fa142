"""What rescoring leaves: the changes, the newest state and a summary, each whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import pandas as pd

from pipeline.errors import OutputError
from pipeline.serving import sink
from pipeline.serving.batch import check_output
from pipeline.serving.changes import COLUMNS
from pipeline.serving.intake import Intake
from pipeline.serving.ledgered import Counts
from pipeline.serving.publish import side_files, write_summary
from pipeline.serving.work import sync, writing
from pipeline.tickets import schema
from pipeline.tickets.files import sync_folder


@dataclass(frozen=True)
class Summary:
    """What was gone over.

    Attributes
    ----------
    scorer_version, as_of : str
        Which scorer said so, and from which moment (ISO 8601).
    tickets : int
        Records read.
    open : int
        Those of tickets that are open: changed + unchanged + newer + refused ones.
    missing : int
        Tickets that the history knows as open and that weren't read: they can't be scored without their words.
    changed, unchanged : int
    new : int
        Changed ones that had never been scored.
    newer : int
        Left as they are: they were scored as of a later moment.
    fields : dict of str to int
        How often each field is named among the changes.
    kept : dict of str to int
        `queue` or `priority` → open tickets where the scorer would say something else than a person has set.
    refused_rows : int
    refused : dict of str to int
        Open tickets that can't be scored, and records of nobody knows which ticket, by their codes.
    ledger : dict of str to int or None
        Where the decisions of the changes are (`ledgered.Counts`); None without a ledger.
    """

    scorer_version: str
    as_of: str
    tickets: int
    open: int
    missing: int
    changed: int
    unchanged: int
    new: int
    newer: int
    fields: dict[str, int]
    kept: dict[str, int]
    refused_rows: int
    refused: dict[str, int]
    ledger: dict[str, int] | None = None


@dataclass(frozen=True)
class Rescored:
    """What came of it.

    Attributes
    ----------
    changes : DataFrame
        `changes.COLUMNS` of the tickets that changed, in the order in which they were read.
    state : DataFrame
        `schema.SCORED`: the newest line of every ticket, changed or not; those that are new come last.
    summary : Summary
    tickets, said : DataFrame
        Row for row with the changes: the tickets, and what the scorer itself says of them, whatever a person has set.
    """

    changes: pd.DataFrame
    state: pd.DataFrame
    summary: Summary
    tickets: pd.DataFrame
    said: pd.DataFrame


@dataclass(frozen=True)
class Targets:
    """Where it goes.

    Attributes
    ----------
    changes : Path or None
        None: the stream that is given.
    state, summary : Path or None
        None: nowhere; the summary lies beside the changes then, if they have a place.
    force : bool
        Whether files that are there may be replaced.
    """

    changes: Path | None = None
    state: Path | None = None
    summary: Path | None = None
    force: bool = False

    def checked(self, intake: Intake, scored: Path) -> Targets:
        """The same by their real paths, which can be written: known before anything is scored.

        Raises
        ------
        OutputError
            A file that is there, the same file twice, or what `batch.check_output` refuses.
        """
        changes, state = (
            None if path is None else check_output(path, intake, summary=self.summary)
            for path in (self.changes, self.state)
        )
        if changes is not None and changes in (state, Path(os.path.realpath(scored))):
            do = "give the changes a file of their own"
            raise OutputError("the changes and the scored tickets are the same file", where=changes.name, do=do)
        there = [path.name for path in (changes, state) if path is not None and path.exists()]
        if there and not self.force:
            do = "name another, or replace it with --force"
            raise OutputError("the output is already there", where=there[0], do=do)
        return replace(self, changes=changes, state=state)


def publish(
    found: Rescored,
    targets: Targets,
    drafts: dict[Path, Path],
    stream: BinaryIO,
    *,
    levels: Sequence[str],
    keep: Callable[[], Counts] = dict,
) -> Summary:
    """Write everything, the state last; nothing gets its name before all of it is on the disk.

    Parameters
    ----------
    drafts : dict of Path to Path
        Each file → where it lies until then, in its locked work folder.
    stream : binary stream
        Gets the changes as JSON lines where they have no file.
    levels : sequence of str
        The scorer's priority levels.
    keep : callable
        Takes the decisions once the files are on the disk, before anybody is told of a change: so what was told is in
        the ledger, whenever the run is cut off.

    Returns
    -------
    Summary
        With what `keep` says.

    Raises
    ------
    OutputError
        A full or closed disk, or a reader of the stream that has gone.
    """
    levels = _levels(levels, found.state)
    files = {targets.changes: (found.changes, COLUMNS), targets.state: (found.state, schema.SCORED)}
    for path, draft in drafts.items():
        with writing(path.parent), draft.open("wb") as handle:
            rows, columns = files[path]
            handle.write(sink.whole(rows, sink.format_of(path), levels, columns))
            sync(handle)
    summed = replace(found.summary, ledger=keep() or None)
    if targets.changes is None:
        _send(sink.whole(found.changes, sink.Format("jsonl"), levels, COLUMNS), stream)
    if (summary := targets.summary or _beside(targets.changes)) is not None:
        write_summary(summed, summary)
    for path, draft in drafts.items():
        with writing(path.parent):
            draft.replace(path)
            sync_folder(path.parent)
    return summed


def _send(data: bytes, stream: BinaryIO) -> None:
    try:
        stream.write(data)
        stream.flush()
    except BrokenPipeError as error:
        do = "let it read to the end; nothing was noted, so the same changes come again"
        raise OutputError("the reader of the changes has gone", where="standard output", do=do) from error


def _beside(path: Path | None) -> Path | None:
    return None if path is None else side_files(path)["summary"]


def _levels(levels: Sequence[str], state: pd.DataFrame) -> list[str]:
    """The scorer's priority levels, and those that an earlier one had besides."""
    said = (row for row in state["priority_probabilities"].tolist() if isinstance(row, dict))
    return list(dict.fromkeys([*levels, *(level for row in said for level in row)]))
