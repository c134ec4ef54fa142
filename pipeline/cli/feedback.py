"""`triage feedback import`: a helpdesk's own corrections go into the ledger, where training finds them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.ledger import URL

app = typer.Typer(help="What people say of decisions: import a helpdesk's own corrections.", no_args_is_help=True)

_FILE = "CSV, JSONL or Parquet, gzipped or not: one row for each thing that a person said."
_MAPPING = "Which column is what. Without it: ticket_id, kind, value, given_at, by."
_REJECTS = "Where the refused rows go. [default: beside FILE, FILE.rejects.jsonl]"


@app.callback()
def feedback() -> None:
    """What people say of decisions: import a helpdesk's own corrections."""


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_FILE)],
    ledger: Annotated[str, typer.Option("--ledger", metavar="URL", help=URL)],
    mapping: Annotated[Path | None, typer.Option("--mapping", metavar="MAPPING.yaml", help=_MAPPING)] = None,
    rejects: Annotated[Path | None, typer.Option("--rejects", metavar="PATH", help=_REJECTS)] = None,
    max_refused: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Exit 1 when a larger share of the rows was refused.")
    ] = 0.01,
) -> None:
    """Import feedback: another topic, priority or queue, an article attached or dismissed, none fits.

    Given again, it adds nothing. Exit codes: 0 done; 1 more rows refused than --max-refused (the rest is imported);
    2 usage or input error.
    """
    import pandas as pd

    from pipeline.cli.imports import Progress
    from pipeline.errors import RefusedError
    from pipeline.ledger import open_ledger
    from pipeline.serving.feedback_table import import_feedback, load_feedback_mapping
    from pipeline.tickets.files import write_jsonl

    chosen = None if mapping is None else load_feedback_mapping(mapping)
    shown, out = Progress(), rejects or file.with_name(f"{file.name}.rejects.jsonl")
    with open_ledger(ledger, timeout_seconds=30.0) as opened:
        told = import_feedback(file, opened, mapping=chosen, now=pd.Timestamp(datetime.now(UTC)), progress=shown)
    shown.done()
    if told.rejects:
        write_jsonl(told.rejects, out)
    else:
        out.unlink(missing_ok=True)  # one of an earlier import
    good = told.rows - len(told.rejects) - told.left_out
    typer.echo(f"{told.rows:,} rows read: {good:,} taken, {told.new:,} of them new; {len(told.rejects):,} refused")
    for code, count in told.refused.items():
        typer.echo(f"  refused as {code}: {count:,}")
    if told.left_out:
        typer.echo(f"  rows left out by the mapping: {told.left_out:,}")
    if told.refused_share > max_refused:
        raise RefusedError(
            "too many rows were refused",
            where=str(out),
            got=f"{told.refused_share:.1%}, at most {max_refused:.1%} allowed",
            do="see their codes and lines there; the rest is imported",
        )
