"""How a run is told on standard error: a moving bar on a terminal, plain lines in a log, or JSON lines on request."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.progress import Progress

    from pipeline.serving.progress import Event, Report

_LINE_EVERY_SECONDS = 30.0


@contextmanager
def shown(log: Literal["text", "json"]) -> Iterator[Report]:
    """Where a room tells its events while the block runs.

    Parameters
    ----------
    log : {'text', 'json'}
        Text is a bar where standard error is a terminal, and a line every half minute where it isn't.
    """
    if log == "json":
        yield _json_line
    elif sys.stderr.isatty():
        with _bar() as bar:
            yield _Bar(bar)
    else:
        yield _Lines()


def _json_line(event: Event) -> None:
    line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event.name, **event.values}
    print(json.dumps(line, ensure_ascii=False), file=sys.stderr, flush=True)


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


class _Bar:
    def __init__(self, bar: Progress) -> None:
        self.bar = bar
        self.task = bar.add_task("scoring", total=None, pace="")

    def __call__(self, event: Event) -> None:
        if event.name == "chunk":
            values = event.values
            self.bar.update(self.task, completed=values["rows"], total=values["total"], pace=_pace(values))
        elif line := _told(event):
            self.bar.console.print(line, highlight=False, markup=False)


class _Lines:
    def __init__(self) -> None:
        self.last = time.monotonic()

    def __call__(self, event: Event) -> None:
        line = _told(event)
        if event.name == "chunk" and time.monotonic() - self.last >= _LINE_EVERY_SECONDS:
            self.last = time.monotonic()
            line = f"scored {event.values['rows']:,} rows, {_pace(event.values)}"
        if line:
            print(line, file=sys.stderr, flush=True)


def _pace(values: dict[str, Any]) -> str:
    return f"{values['rows_per_second']:,.0f} rows/s"


def _told(event: Event) -> str | None:
    values = event.values
    if event.name == "started":
        return f"scoring {values['input']} with {values['scorer']}"
    if event.name == "resumed":
        return f"going on with {values['output']}: {values['rows']:,} rows were done before"
    if event.name == "restarted":
        return f"starting {values['output']} anew: {', '.join(values['changed'])} changed since it was cut off"
    return _ending(values) if event.name == "finished" else None


def _ending(values: dict[str, Any]) -> str:
    routed = values["rows_out"] - values["refused_rows"] - values["abstained"]
    parts = [f"{routed:,} routed", f"{values['abstained']:,} left to a person", f"{values['refused_rows']:,} refused"]
    if kept := values.get("ledger"):
        parts.append("decisions " + ", ".join(f"{name} {count:,}" for name, count in kept.items()))
    drift = values["drift"]
    text = f"{values['rows_out']:,} rows in {values['seconds']:,.1f} s: {', '.join(parts)}"
    if drift["verdict"] in ("moving", "moved"):
        text += f"\nthe input has moved from training: {', '.join([*drift['moved'], *drift['moving']])}"
    return text
