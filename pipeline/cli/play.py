"""`triage stream play`: tickets and events of the past go into a stream."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import ConfigError, RefusedError

if TYPE_CHECKING:
    from pipeline.serving.stream.play import Played
    from pipeline.serving.stream.recorded import Recorded, Span

_WHAT = (
    "A CSV, JSONL or Parquet file of tickets, gzipped or not; `-` for JSON lines from standard input; or a RAW_DIR "
    "that `triage import` made: its tickets and its events."
)
_TO = "The stream: redis://HOST:PORT/DB?stream=NAME, kafka://HOST:PORT/TOPIC, a file, or `-` for standard output."
_MAPPING = "MAPPING.yaml: which column of the file is what. Without it, it holds tickets in our own schema."
_PACE = "How many times faster than it happened: 1 is the real pace, 3600 an hour in a second. [default: no waiting]"
_FROM = "Only what happened from this moment on; where a play was stopped, it says from which moment to go on."
_LINE_EVERY_SECONDS = 30.0
_REDRAWN_EVERY_SECONDS = 0.2


def play(
    what: Annotated[str, typer.Argument(metavar="WHAT", help=_WHAT)],
    to: Annotated[str, typer.Option("--to", metavar="URL", help=_TO)],
    mapping: Annotated[Path | None, typer.Option("--mapping", metavar="MAPPING.yaml", help=_MAPPING)] = None,
    pace: Annotated[float | None, typer.Option("--pace", metavar="N", help=_PACE)] = None,
    since: Annotated[str | None, typer.Option("--from", metavar="TIME", help=_FROM)] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Only what happened before then.")
    ] = None,
    most: Annotated[
        int | None, typer.Option("--most", min=0, metavar="N", help="Send at most so many messages.")
    ] = None,
    max_refused: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Exit 1 when a larger share of the rows can't be read.")
    ] = 0.01,
) -> None:
    """Play what happened into a stream, in its order: tickets when they were created, events when they were received.

    A message is {"ticket": {…}} or {"event": {…}}, with the ticket's id beside it where the stream has room for it.
    Times aren't shifted. All of WHAT is read and sorted first; memory stays small. Exit codes: 0 done; 1 more rows
    refused than --max-refused (the rest is sent); 2 usage or input error, or the stream can't be written; 130 stopped.
    """
    import math

    import pandas as pd

    from pipeline.serving.stream.play import Played
    from pipeline.serving.stream.play import play as played
    from pipeline.serving.stream.recorded import record
    from pipeline.serving.stream.timeline import new_timeline
    from pipeline.serving.stream.transport import open_feed, parse_place

    if pace is not None and not (pace > 0 and math.isfinite(pace)):
        do = "write a number above 0, or leave it out to play as fast as it goes"
        raise ConfigError("not a pace", where="--pace", got=str(pace), do=do)
    place, span, shown, told = parse_place(to, "--to"), _span(since, until), _Shown(), Played()
    begun = time.monotonic()
    with new_timeline() as timeline, closing(open_feed(place)) as feed:
        now = pd.Timestamp(datetime.now(UTC))
        read = record(what, timeline, mapping=mapping, span=span, now=now, progress=shown.read)
        middle = time.monotonic()
        total = len(timeline) if most is None else min(most, len(timeline))
        try:
            for told in played(timeline.ordered(), feed, pace=pace, most=most):
                shown.sent(told.sent, total, _moment(told.at))
        except BaseException:
            shown.done()
            typer.echo(f"stopped after {told.sent:,} of {total:,} messages{_go_on(told)}", err=True)
            raise
    shown.done()
    for line in _summary(told, read, place.shown, (middle - begun, time.monotonic() - middle)):
        typer.echo(line, err=to == "-")
    refused = read.refused.total()
    if refused > max_refused * read.rows:
        codes = ", ".join(f"{code} {count:,}" for code, count in read.refused.items())
        do = "mend the input, or allow more with --max-refused; the rest is sent"
        raise RefusedError("too many rows can't be read", where=f"{refused:,} of {read.rows:,} rows", got=codes, do=do)


def _span(since: str | None, until: str | None) -> Span:
    from pipeline.serving.stream.recorded import Span
    from pipeline.tickets.times import read_moment

    now = datetime.now(UTC)
    ends = [None if t is None else read_moment(t, o, now=now) for t, o in ((since, "--from"), (until, "--until"))]
    first, last = (None if end is None else end.value // 1_000 for end in ends)
    return Span(first, last)


def _moment(at: int | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at / 1e6, UTC).isoformat().replace("+00:00", "Z")


def _go_on(told: Played) -> str:
    return f"; go on with --from {_moment(told.at)}" if told.at is not None else ""


def _summary(told: Played, read: Recorded, place: str, seconds: tuple[float, float]) -> Sequence[str]:
    last = f", the last of {_moment(told.at)}" if told.at is not None else ""
    counts = f"{told.tickets:,} tickets, {told.events:,} events"
    took = f"read in {seconds[0]:,.1f} s, sent in {seconds[1]:,.1f} s"
    lines = [f"{told.sent:,} messages sent to {place}: {counts}, {took}{last}"]
    lines += [f"  not sent, {code}: {count:,}" for code, count in read.refused.items()]
    return lines + ([f"  without a time, so outside of what was asked for: {read.undated:,}"] if read.undated else [])


class _Shown:
    """How far it is: one line on a terminal, rewritten; in a log a line every half minute."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._last = time.monotonic()
        self._drawn = False

    def read(self, name: str, count: int) -> None:
        """So many rows of a frame are read."""
        self._tell(f"{name}: {count:,} rows read")

    def sent(self, count: int, total: int, moment: str) -> None:
        """So many messages are sent."""
        self._tell(f"{count:,} of {total:,} messages sent{f', now at {moment}' if moment else ''}")

    def done(self) -> None:
        """End the line."""
        if self._drawn:
            print(file=sys.stderr, flush=True)
        self._drawn = False

    def _tell(self, line: str) -> None:
        if time.monotonic() - self._last < (_REDRAWN_EVERY_SECONDS if self._live else _LINE_EVERY_SECONDS):
            return
        self._last = time.monotonic()
        self._drawn = self._live
        print(
            f"\r\x1b[K  {line}" if self._live else f"  {line}",
            end="" if self._live else "\n",
            file=sys.stderr,
            flush=True,
        )
