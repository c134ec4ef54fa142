"""`triage sample`: a generated helpdesk, plainly synthetic, repeatable from its seed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sample(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new folder: a RAW_DIR, and new tickets.")],
    tickets: Annotated[int, typer.Option(min=1, help="How many tickets the helpdesk has had.")] = 4000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 7,
    days: Annotated[int, typer.Option(min=1, help="Over how many days they came.")] = 365,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier sample in DIR.")] = False,
) -> None:
    """Generate a helpdesk to try everything on: tickets, events, outcomes, articles, and the truth behind them.

    Quillfeather Coffee Works is made up, and so is every ticket. DIR/new-tickets.csv holds unscored tickets of the days
    after, DIR/mapping.yaml says how to read them, DIR/truth.parquet holds what no model may see.
    """
    from pipeline.sources.sample import generate, write

    made = generate(seed=seed, tickets=tickets, days=days)
    write(made, out, force=force)
    print(f"{len(made.tickets)} synthetic tickets, {len(made.events)} events, {len(made.articles)} articles: {out}")
    print(f"{len(made.arrivals)} new tickets to score: {out / 'new-tickets.csv'} (mapping: {out / 'mapping.yaml'})")
