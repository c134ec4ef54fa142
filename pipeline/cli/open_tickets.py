"""The verbs of open tickets: `triage rescore` tells what changed, `order` which to take next, `follow` one's life."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.cli.score import LEDGER, kept_in, none_lost, read_key
from pipeline.cli.terminal import console
from pipeline.errors import RefusedError

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.serving.follow import Step
    from pipeline.serving.order import Ordered
    from pipeline.serving.rescored import Summary

SHOWN = 20
"""Rows of a table on the terminal."""

_TICKETS = "The tickets, open ones among them, as for `triage score`: such as tickets.parquet of a RAW_DIR."
_SCORED = (
    "What was told before: a file of `triage score`, or of --scored-out. Of each ticket the newest line counts, and of "
    "lines as of the same moment the last."
)
_OUT = (
    "The changes: .csv, .jsonl, .parquet, .csv.gz or .jsonl.gz; each is a whole scored row, with the names of what "
    "changed in `changed`. `-` writes JSON lines to standard output."
)
_STATE = "The newest line of every ticket: SCORED for the next run. It may be SCORED itself, with --force."
_SUMMARY = "Where the run's summary goes. [default: beside the changes, CHANGES.summary.json]"

_Scorer = Annotated[Path, typer.Option("--scorer", metavar="SCORER_DIR", help="The scorer made by `triage run`.")]
_History = Annotated[
    str,
    typer.Option(
        "--history",
        metavar="URL",
        help="What happened so far: a store (sqlite:///FILE.db or postgresql://…), or a RAW_DIR.",
    ),
]
_AsOf = Annotated[
    str,
    typer.Option(
        "--as-of",
        metavar="TIME",
        help="The moment from which the world is seen: ISO 8601, UTC without an offset; `now`.",
    ),
]
_LEDGER = f"{LEDGER} Only the changes are kept, as the scorer itself says them."
_Force = Annotated[bool, typer.Option("--force", help="Replace files that are there.")]
_Key = Annotated[Path | None, typer.Option("--key-file", metavar="PATH", help="A file whose bytes sign the scorer.")]


def rescore(
    tickets: Annotated[Path, typer.Argument(metavar="TICKETS", help=_TICKETS)],
    scored: Annotated[Path, typer.Argument(metavar="SCORED", help=_SCORED)],
    scorer: _Scorer,
    history: _History,
    as_of: _AsOf,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", metavar="MAPPING.yaml", help="Which column of TICKETS is what.")
    ] = None,
    out: Annotated[str, typer.Option("--out", metavar="CHANGES", help=_OUT)] = "-",
    scored_out: Annotated[Path | None, typer.Option("--scored-out", metavar="FILE", help=_STATE)] = None,
    force: _Force = False,
    max_refused: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Exit 1 when a larger share of the open tickets was refused.")
    ] = 0.01,
    summary: Annotated[Path | None, typer.Option(metavar="PATH", help=_SUMMARY)] = None,
    log: Annotated[
        Literal["text", "json"], typer.Option(help="How the run is told on standard error: for people, or a JSON line.")
    ] = "text",
    key_file: _Key = None,
    ledger: Annotated[str | None, typer.Option("--ledger", metavar="URL", help=_LEDGER)] = None,
) -> None:
    """Score the open tickets again, and tell only the changes that matter (settings: `rescore`).

    What a person has set in the helpdesk, a priority or a queue, is never told otherwise. Each file appears whole or
    not at all. Exit codes: 0 done; 1 more refused than --max-refused, or decisions that couldn't be kept (everything is
    written); 2 usage or input error.
    """
    from pipeline.scorer import Scorer
    from pipeline.serving.intake import open_intake
    from pipeline.serving.ledgered import nowhere
    from pipeline.serving.past import open_past
    from pipeline.serving.rescore import rescore_file
    from pipeline.serving.rescored import Targets
    from pipeline.tickets.times import read_moment

    now = datetime.now(UTC)
    moment = read_moment(as_of, "--as-of", now=now)
    loaded = Scorer.load(scorer, key=read_key(key_file))
    settings = loaded.settings
    intake = open_intake(tickets, mapping=mapping, max_characters=settings.tickets.max_characters)
    targets = Targets(None if out == "-" else Path(out), scored_out, summary, force)
    with (
        open_past(history, settings) as past,
        kept_in(ledger, Path(out).parent, settings, history=True, door="rescore") as keeping,
    ):
        assert past is not None  # a place was named
        told = rescore_file(
            intake, scored, loaded, past, targets, sys.stdout.buffer,
            moment=moment, now=now, settings=settings.rescore, keep=keeping or nowhere,
        )  # fmt: skip
    typer.echo(json.dumps(asdict(told)) if log == "json" else _told(told), err=True)
    of = max(told.open, told.refused_rows)  # records of nobody knows which ticket are refused beside the open ones
    if told.refused_rows > max_refused * max(of, 1):
        raise RefusedError(
            "too many records were refused",
            where=f"{told.refused_rows} of {of}",
            got=", ".join(f"{code} {count}" for code, count in told.refused.items()),
            do="mend the input, or allow more with --max-refused; the output is written",
        )
    none_lost(told.ledger)


def order(
    scored: Annotated[
        Path, typer.Argument(metavar="SCORED", help="A file of `triage score`, or of `triage rescore --scored-out`.")
    ],
    scorer: _Scorer,
    history: _History,
    as_of: _AsOf,
    top: Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the first N. [default: all]")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The order as a file: .csv, .jsonl or .parquet.")
    ] = None,
    force: _Force = False,
    key_file: _Key = None,
) -> None:
    """Order the open tickets by what letting them wait is expected to cost (settings: `ordering`), with the reasons."""
    from pipeline.scorer import Scorer
    from pipeline.serving.order import clock_of, order_open
    from pipeline.serving.order_file import check_target, write_order
    from pipeline.serving.past import open_past
    from pipeline.serving.scored_file import read_scored
    from pipeline.tickets.times import read_moment

    moment = read_moment(as_of, "--as-of", now=datetime.now(UTC))
    if out is not None:
        check_target(out, scored, force=force)
    loaded = Scorer.load(scorer, key=read_key(key_file))
    settings = loaded.settings
    with open_past(history, settings) as past:
        assert past is not None  # a place was named
        found = order_open(read_scored(scored), past, moment=moment, settings=settings, clock=clock_of(loaded))
    if out is not None:
        write_order(found.tickets.head(top or len(found.tickets)), out)
    _show(found, min(SHOWN, top or SHOWN))


def follow(
    tickets: Annotated[Path, typer.Argument(metavar="TICKETS", help=_TICKETS)],
    scorer: _Scorer,
    history: _History,
    as_of: _AsOf,
    ticket: Annotated[
        str | None, typer.Option("--ticket", metavar="ID", help="[default: the open one whose risk rose most]")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", metavar="MAPPING.yaml", help="Which column of TICKETS is what.")
    ] = None,
    key_file: _Key = None,
) -> None:
    """Follow one ticket through its life: its escalation risk at fixed ages while it was open, and what raised it."""
    from pipeline.scorer import Scorer
    from pipeline.serving.follow import find, most_risen
    from pipeline.serving.follow import follow as steps_of
    from pipeline.serving.intake import open_intake
    from pipeline.serving.past import open_past
    from pipeline.tickets.times import read_moment

    now = datetime.now(UTC)
    moment = read_moment(as_of, "--as-of", now=now)
    loaded = Scorer.load(scorer, key=read_key(key_file)).remembering()
    intake = open_intake(tickets, mapping=mapping, max_characters=loaded.settings.tickets.max_characters)
    with open_past(history, loaded.settings) as past:
        assert past is not None  # a place was named
        row = find(intake, ticket, now) if ticket is not None else most_risen(intake, loaded, past, moment, now)
        steps = steps_of(row, loaded, past, moment)
    _show_life(str(row["ticket_id"].iloc[0]), steps)


def _show_life(ticket_id: str, steps: list[Step]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("age", "as of", "risk", "", "because"):
        table.add_column(name, justify="right" if name in ("age", "risk") else "left", no_wrap=name != "because")
    for step in steps:
        bar = "█" * round(20 * step.risk) or "▏"
        cells = [
            _age(step.age_hours),
            f"{step.moment:%Y-%m-%d %H:%M}",
            f"{step.risk:.2f}",
            bar,
            "; ".join(step.reasons),
        ]
        table.add_row(*(Text(cell) for cell in cells))  # Text, not markup: reasons may quote a field
    out = console()
    out.print(Text(f"ticket {ticket_id}: risk of escalation from {steps[0].risk:.2f} to {steps[-1].risk:.2f}"))
    out.print(table)


def _age(hours: float) -> str:
    from pipeline.history.phrases import hours_in_words

    return "new" if hours == 0 else hours_in_words(hours)


def _told(told: Summary) -> str:
    fields = ", ".join(f"{name} {count:,}" for name, count in told.fields.items() if count)
    parts = [
        f"{told.open:,} open tickets as of {told.as_of}: {told.changed:,} changed" + (f" ({fields})" if fields else ""),
        f"{told.new:,} of them new" if told.new else "",
        f"{told.unchanged:,} unchanged",
        f"{told.newer:,} scored later than that" if told.newer else "",
        *(f"{count:,} keep the {name} that a person set" for name, count in told.kept.items() if count),
        f"{told.refused_rows:,} refused" if told.refused_rows else "",
        f"{told.missing:,} open tickets aren't among TICKETS" if told.missing else "",
        *(f"decisions {where} {count:,}" for where, count in (told.ledger or {}).items()),
    ]
    return ", ".join(part for part in parts if part)


def _show(found: Ordered, shown: int) -> None:
    console().print(_table(found, shown))
    typer.echo(f"{len(found.tickets):,} open tickets in order")
    if found.unscored:
        typer.echo(f"{found.unscored:,} open tickets have no scored line: run `triage rescore`", err=True)


def _table(found: Ordered, shown: int) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "ticket", "cost", "priority", "risk", "hours left", "because"):
        right = name in ("", "cost", "risk", "hours left")
        table.add_column(name, justify="right" if right else "left", no_wrap=name != "because", overflow="fold")
    for row in found.tickets.head(shown).to_dict("records"):
        known = row["priority"] if isinstance(row["priority"], str) else "–"
        numbers = [
            f"{v:.{n}f}" if v == v else "–" for v, n in ((row["escalation_risk"], 2), (row["sla_hours_left"], 1))
        ]
        cells = [str(row["rank"]), row["ticket_id"], f"{row['cost']:.1f}", known, *numbers, row["reasons"]]
        table.add_row(*(Text(cell) for cell in cells))  # Text, not markup: an id may hold square brackets
    return table
