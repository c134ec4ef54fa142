"""The batch door: tickets in, scored tickets out; a file that was killed at any moment goes on where it stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pandas as pd

from pipeline import __version__
from pipeline.errors import OutputError, ScorerError
from pipeline.serving import sink, tally
from pipeline.serving.faults import point
from pipeline.serving.intake import Intake
from pipeline.serving.ledgered import Counts, Keep, nowhere
from pipeline.serving.progress import Event, Report, quiet
from pipeline.serving.publish import assemble, publish, side_files, sum_up
from pipeline.serving.resume import State, take_up
from pipeline.serving.scores import Scores
from pipeline.serving.summary import LISTED_REJECTS, Summary, summarise
from pipeline.serving.work import Record, Work, claimed
from pipeline.tickets import schema
from pipeline.tickets.files import sync_folder


@dataclass(frozen=True)
class Settings:
    """How a batch runs.

    Attributes
    ----------
    explain : bool
        Whether each row carries its explanation.
    force : bool
        Whether a finished output may be replaced.
    summary : Path, optional
        Where the run's summary goes; default: beside the output, `OUT.summary.json`.
    seen : mapping
        Which history is looked at, and as of when, and which ledger is written: a resumed run must have the same.
    keep : callable
        Takes the decisions of each chunk, once it is on the disk.
    """

    explain: bool = False
    force: bool = False
    summary: Path | None = None
    seen: Mapping[str, str] = field(default_factory=dict)
    keep: Keep = nowhere


def score_file(
    intake: Intake,
    out: Path,
    scorer: Scores,
    *,
    now: datetime,
    settings: Settings | None = None,
    report: Report = quiet,
) -> Summary:
    """Score into a file, which appears whole or not at all.

    Parameters
    ----------
    intake : Intake
        Where the tickets come from.
    out : Path
        The output; its suffix picks the format (`sink.format_of`).
    scorer : Scores
        A loaded scorer.
    now : datetime
        The moment of the run; a resumed run keeps the moment of its first attempt.
    settings : Settings, optional
        How the batch runs.
    report : callable
        Told what happens, as it happens.

    Returns
    -------
    Summary
        What is also written to `OUT.summary.json`.

    Raises
    ------
    OutputError
        A finished output without `force`, another run on it, a full disk, a folder that is missing or closed.
    InputError
        The input can't be read, or changed while it was read.
    """
    settings = settings or Settings()
    out = check_output(out, intake, summary=settings.summary)
    form = sink.format_of(out)
    with claimed(out) as work:
        header = _header(intake, scorer, form, settings, now)
        state = take_up(work, out, header, force=settings.force, report=report)
        if not state.assembled:
            _score_chunks(work, intake, scorer, form, state, settings, report)
            intake.check_unchanged()
            assemble(work, scorer, form, report)
        if state.published:
            summary = sum_up(work, scorer, state)
        else:
            summary = publish(work, out, scorer, state, summary=settings.summary)
        work.remove()
        sync_folder(out.parent)
    report(Event("finished", asdict(summary)))
    return summary


def score_pipe(
    intake: Intake,
    target: BinaryIO,
    scorer: Scores,
    *,
    now: datetime,
    explain: bool = False,
    keep: Keep = nowhere,
    report: Report = quiet,
) -> Summary:
    """Score into a stream of JSON lines: order and a clean end are all that a pipe gets.

    Raises
    ------
    BrokenPipeError
        The reader has gone.
    """
    form, total, refused = sink.Format("jsonl"), tally.empty(), list[dict[str, str]]()
    kept: Counts = {}
    report(Event("started", {"input": intake.name, "output": "-", "scorer": scorer.version}))
    begun = time.perf_counter()
    for tickets in intake.read(now):
        scored = _score(scorer, tickets, explain)
        target.write(sink.encode(scored, form, scorer.levels))
        target.flush()
        ended = time.perf_counter()
        kept = tally.together([kept, keep(tickets, scored, now)])
        total = tally.add([total, tally.count(tickets, scored, ended - begun)])
        begun = ended
        if len(refused) < LISTED_REJECTS:
            refused += tally.rejects(tickets, scored)
        report(_progress(total["rows"], intake, total["rows"], total["seconds"]))
    version, reference, started_at = scorer.version, scorer.reference, now.isoformat()
    summary = summarise(
        total, refused, version=version, reference=reference, started_at=started_at, ledger=kept or None
    )
    report(Event("finished", asdict(summary)))
    return summary


def check_output(out: Path, intake: Intake, *, summary: Path | None = None) -> Path:
    """The real path of an output that can be written: known before anything is read or scored.

    Raises
    ------
    OutputError
        A wrong suffix, a missing or closed folder, a folder in its place, or the input itself.
    """
    sink.format_of(out)
    real = Path(os.path.realpath(out))
    for target in (real, *side_files(real, summary).values()):
        _check_target(target, intake)
    if summary is not None and os.path.realpath(summary) in (str(real), str(side_files(real)["rejects"])):
        raise OutputError("the summary and the output are the same file", where=str(summary), do="name another summary")
    return real


def _check_target(target: Path, intake: Intake) -> None:
    if not target.parent.is_dir():
        raise OutputError("the output's folder doesn't exist", where=str(target.parent), do="make it, or name another")
    if target.exists() and not target.is_file():
        raise OutputError("the output isn't a file", where=str(target), do="name another output")
    if intake.path is not None and target.exists() and os.path.samefile(intake.path, target):
        raise OutputError("the input and the output are the same file", where=str(target), do="name another output")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise OutputError("the output's folder can't be written", where=str(target.parent), do="check its permissions")


def _header(intake: Intake, scorer: Scores, form: sink.Format, settings: Settings, now: datetime) -> Record:
    """The first line of the journal: all that the output's bytes depend on."""
    return {
        "triage": __version__,
        "schema": schema.schema_hash(),
        "input": intake.identity,
        **intake.settings,
        "scorer": scorer.version,
        "explain": settings.explain,
        "format": asdict(form),
        "now": now.isoformat(),
        **settings.seen,
    }


def _score_chunks(
    work: Work, intake: Intake, scorer: Scores, form: sink.Format, state: State, settings: Settings, report: Report
) -> None:
    rows, seconds, begun = state.rows, 0.0, time.perf_counter()
    for number, tickets in enumerate(intake.read(state.now)):
        if number < state.chunks:
            continue  # read again, as the reader remembers ids, but scored before
        point("rows_read")
        scored = _score(scorer, tickets, settings.explain)
        point("rows_scored")
        data = sink.encode(scored, form, scorer.levels)
        ended = time.perf_counter()
        spent, begun = ended - begun, ended
        about = {"rejects": tally.rejects(tickets, scored), "tally": tally.count(tickets, scored, spent)}
        work.keep_chunk(number, data, about, partial(_kept, settings.keep, tickets, scored, state.now))
        rows, seconds = rows + len(scored), seconds + spent
        report(_progress(rows, intake, rows - state.rows, seconds))


def _kept(keep: Keep, tickets: pd.DataFrame, scored: pd.DataFrame, moment: datetime) -> Record:
    counts = keep(tickets, scored, moment)
    return {"kept": counts} if counts else {}


def _score(scorer: Scores, tickets: pd.DataFrame, explain: bool) -> pd.DataFrame:
    scored = scorer.score(tickets, explain=explain)
    if len(scored) != len(tickets):
        got = f"{len(scored)} of {len(tickets)}"
        raise ScorerError("the scorer lost rows", got=got, do="report this; no output was written")
    return scored


def _progress(rows: int, intake: Intake, of_this_attempt: int, seconds: float) -> Event:
    pace = round(of_this_attempt / seconds, 1) if seconds else 0.0
    return Event("chunk", {"rows": rows, "total": intake.total, "rows_per_second": pace})
