"""`triage remember`: what an import left in RAW_DIR goes into a store, which is kept up event by event."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from pipeline.serving.remember import Remembered

_URL = (
    "The store, made where there is none: sqlite:///FILE.db, a path that ends in .db, or "
    "postgresql://USER@HOST/DATABASE (extra `postgres`)."
)
_PARAMS = (
    "Settings that say who is one customer (`history`) and what escalated (`outcomes`): those that the scorer was "
    "trained with. [default: params.yaml if it is here]"
)


def remember(
    raw: Annotated[Path, typer.Argument(metavar="RAW_DIR", help="Folder that `triage import` made.")],
    history: Annotated[str, typer.Option("--history", metavar="URL", help=_URL)],
    params: Annotated[Path | None, typer.Option("--params", metavar="PARAMS.yaml", help=_PARAMS)] = None,
    log: Annotated[
        Literal["text", "json"],
        typer.Option(help="How the summary is told: for people, with progress on standard error, or as a JSON line."),
    ] = "text",
) -> None:
    """Put what is new in RAW_DIR into a history store: its tickets, its events, and who escalated.

    Given again it adds what is new since. Killed at any moment and given again, it goes on, and ends with the same
    store. Messages are read for their mood and telling words; no text, name or address is stored.
    Exit codes: 0 done (rows that no look could use are counted by code); 2 usage or input error.
    """
    from pipeline.cli.imports import Progress
    from pipeline.cli.stages import settings_of
    from pipeline.serving.remember import remember as put_in

    shown = Progress()
    told = put_in(raw, history, settings_of(params), progress=shown if log == "text" else _quiet)
    shown.done()
    typer.echo(json.dumps(asdict(told)) if log == "json" else in_words(told))


def in_words(told: Remembered) -> str:
    """The summary on one line."""
    new, changed = told.tickets_new, told.tickets_changed
    refused = ", ".join(f"{code} {count:,}" for code, count in told.refused.items())
    parts = [
        f"{told.tickets:,} tickets: {new:,} new, {changed:,} changed, {told.tickets - new - changed:,} known already",
        f"{told.events:,} events: {told.events_new:,} new, {told.events_known:,} known already",
        f"{told.escalated:,} tickets escalated",
        *([f"not stored: {refused}"] if refused else []),
        *(["history.shared has changed: everything was counted anew"] if told.made_anew else []),
    ]
    return "; ".join(parts)


def _quiet(name: str, count: int) -> None:
    """Show nothing."""
