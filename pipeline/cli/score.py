"""`triage score`: a file or a stream of tickets in, scored tickets out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.errors import InputError, OutputError, RefusedError

if TYPE_CHECKING:
    from pipeline.config import Params
    from pipeline.serving.intake import Intake
    from pipeline.serving.ledgered import Keep, Ledgered
    from pipeline.serving.progress import Report
    from pipeline.serving.scores import Scores
    from pipeline.serving.summary import Summary

_IN = "Tickets: a CSV, JSONL or Parquet file, gzipped or not; `-` reads JSON lines from standard input."
_OUT = "Scored tickets: .csv, .jsonl, .parquet, .csv.gz or .jsonl.gz; `-` writes JSON lines to standard output."
_MAPPING = "MAPPING.yaml: which column of IN is what. Without it, IN holds tickets in our own schema."
_SUMMARY = "Where the run's summary goes. [default: beside OUT, OUT.summary.json]"
HISTORY = (
    "What happened before: a store (sqlite:///FILE.db or postgresql://…), or a RAW_DIR. Without it each ticket is "
    "scored by itself."
)
AS_OF = "The moment from which the world is seen, or an age of each ticket such as +24h. [default: its creation]"
LEDGER = (
    "Keep every decision: sqlite:///FILE.db, a path that ends in .db, or postgresql://USER@HOST/DATABASE. While it is "
    "away, decisions go to a file beside it (of a server: beside OUT), and from there into it later."
)
KEY = "A file whose bytes are the key that the scorer was signed with; without a right signature it is refused."


def score(
    source: Annotated[str, typer.Argument(metavar="IN", help=_IN)],
    target: Annotated[str, typer.Argument(metavar="OUT", help=_OUT)],
    scorer: Annotated[Path, typer.Option("--scorer", metavar="SCORER_DIR", help="The scorer made by `triage run`.")],
    mapping: Annotated[Path | None, typer.Option("--mapping", metavar="MAPPING.yaml", help=_MAPPING)] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say for each ticket what decided.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a finished OUT.")] = False,
    max_refused: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Exit 1 when a larger share of the rows was refused.")
    ] = 0.01,
    batch_rows: Annotated[int, typer.Option(min=1, help="Rows scored, written and made safe at a time.")] = 512,
    summary: Annotated[Path | None, typer.Option(metavar="PATH", help=_SUMMARY)] = None,
    log: Annotated[
        Literal["text", "json"], typer.Option(help="How progress is told on standard error: for people, or JSON lines.")
    ] = "text",
    key_file: Annotated[Path | None, typer.Option(metavar="PATH", help=KEY)] = None,
    history: Annotated[str | None, typer.Option("--history", metavar="URL", help=HISTORY)] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="TIME", help=AS_OF)] = None,
    ledger: Annotated[str | None, typer.Option("--ledger", metavar="URL", help=LEDGER)] = None,
) -> None:
    """Score tickets: their topic, priority, escalation risk, and the queue where each should go.

    Killed at any moment and given again, the same command goes on where it stopped. OUT appears whole or not at all.
    Exit codes: 0 done; 1 more rows refused than --max-refused, or decisions that couldn't be kept (everything is
    written); 2 usage or input error.
    """
    from pipeline.cli.show import shown
    from pipeline.scorer import Scorer
    from pipeline.serving.batch import Settings, score_file
    from pipeline.serving.intake import open_intake
    from pipeline.serving.ledgered import nowhere
    from pipeline.serving.past import Moment, Remembering, open_past

    now = datetime.now(UTC)
    moment = Moment.of(as_of, now=now)
    loaded = Scorer.load(scorer, key=read_key(key_file))
    limit = loaded.settings.tickets.max_characters
    intake = open_intake(source, mapping=mapping, batch_rows=batch_rows, max_characters=limit)
    with (
        open_past(history, loaded.settings) as past,
        kept_in(ledger, Path(target).parent, loaded.settings, history=history is not None) as keeping,
        shown(log) as report,
    ):
        seeing, keep = Remembering(loaded, past, moment), keeping or nowhere
        if target == "-":
            ended = _to_stdout(intake, seeing, now, explain=explain, summary=summary, keep=keep, report=report)
        else:
            seen = seeing.seen | ({"ledger": keeping.name} if keeping else {})
            settings = Settings(explain=explain, force=force, summary=summary, seen=seen, keep=keep)
            ended = score_file(intake, Path(target), seeing, now=now, settings=settings, report=report)
    if ended is not None:
        _judge(ended, max_refused)


@contextmanager
def kept_in(
    url: str | None, folder: Path, settings: Params, *, history: bool, door: str = "batch"
) -> Iterator[Ledgered | None]:
    """The ledger of the run; None without one. What still waits beside it in the end is said."""
    from pipeline.serving.ledgered import open_ledgered

    if url is None:
        yield None
        return
    keeping = open_ledgered(url, folder, settings, history=history, door=door)
    try:
        yield keeping
    finally:
        keeping.close()
        if keeping.waiting:
            why, path = keeping.away or "the spool couldn't be put in", keeping.journal.spool.path
            typer.echo(f"{why}: decisions wait in {path}; `triage ledger catch-up` puts them in", err=True)


def _to_stdout(
    intake: Intake, scorer: Scores, now: datetime, *, explain: bool, summary: Path | None, keep: Keep, report: Report
) -> Summary | None:
    """Score into standard output; None where its reader had enough before the end."""
    from pipeline.serving.batch import score_pipe
    from pipeline.serving.publish import write_summary

    if summary is not None and not summary.parent.is_dir():
        raise OutputError(
            "the summary's folder doesn't exist", where=str(summary.parent), do="make it, or name another"
        )
    try:
        ended = score_pipe(intake, sys.stdout.buffer, scorer, now=now, explain=explain, keep=keep, report=report)
    except BrokenPipeError:
        # Python flushes standard output once more as it ends, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return None
    if summary is not None:
        write_summary(ended, summary)
    return ended


def read_key(path: Path | None) -> bytes | None:
    """The bytes of a key file, None without one."""
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError("the key can't be read", where=str(path), got=os.strerror(error.errno or 0)) from error


def _judge(ended: Summary, max_refused: float) -> None:
    if ended.refused_rows > max_refused * ended.rows_in:
        codes = ", ".join(f"{code} {count}" for code, count in ended.refused.items())
        raise RefusedError(
            "too many rows were refused",
            where=f"{ended.refused_rows} of {ended.rows_in} rows",
            got=codes,
            do="look at OUT.rejects.jsonl and mend the input, or allow more with --max-refused; the output is written",
        )
    none_lost(ended.ledger)


def none_lost(kept: Mapping[str, int] | None) -> None:
    """Exit 1 where decisions are neither in the ledger nor in its spool."""
    if lost := (kept or {}).get("lost"):
        do = "mend both, and give the same command again; the output is written"
        raise RefusedError("neither the ledger nor its spool could take some decisions", got=f"{lost:,} lost", do=do)
