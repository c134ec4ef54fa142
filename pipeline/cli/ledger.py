"""`triage ledger`: take a ledger out, let go of what is old, forget a customer, and see whether people just follow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipeline.ledger import Ledger, Spool
    from pipeline.ledger.agreement import Agreement

app = typer.Typer(
    help="The ledger of decisions and feedback: export, purge, forget, agreement, catch-up.", no_args_is_help=True
)

URL = "The ledger: sqlite:///FILE.db, a path that ends in .db, or postgresql://USER@HOST/DATABASE (extra `postgres`)."
_SPOOL = "What the ledger couldn't take. [default: FILE.db.spool.jsonl; of a server ./ledger.spool.jsonl]"
_PARAMS = "Settings that say how long tickets are kept (`ledger`). [default: params.yaml if it is here]"

_Url = Annotated[str, typer.Argument(metavar="LEDGER", help=URL)]
_Spool = Annotated[Path | None, typer.Option("--spool", metavar="PATH", help=_SPOOL)]


@app.command()
def export(
    ledger: _Url,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Where to: .jsonl, .parquet or .csv.")],
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Made or given from this moment on.")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Made or given before then.")] = None,
    tickets: Annotated[bool, typer.Option("--tickets", help="With the redacted tickets that are kept.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT.")] = False,
) -> None:
    """Write all decisions and feedback to one file, a line each, in the order of time.

    Exit codes: 0 done; 2 usage or input error.
    """
    from pipeline.ledger.export import export as written
    from pipeline.pages.formats import plural
    from pipeline.tickets.times import read_moment

    first, end = (None if t is None else read_moment(t, o) for t, o in ((since, "--from"), (until, "--to")))
    with _opened(ledger) as opened:
        counts = written(opened, out, since=first, until=end, tickets=tickets, force=force)
    typer.echo(f"{out}: {plural(counts['decision'], 'decision')}, {plural(counts['feedback'], 'piece')} of feedback")


@app.command()
def purge(
    ledger: _Url,
    before: Annotated[
        str | None, typer.Option(metavar="TIME", help="Also remove the decisions that were made before this moment.")
    ] = None,
    feedback: Annotated[
        bool, typer.Option("--feedback", help="With --before: the feedback too, which training then knows no more.")
    ] = False,
    params: Annotated[Path | None, typer.Option("--params", metavar="PARAMS.yaml", help=_PARAMS)] = None,
) -> None:
    """Remove the redacted tickets that were kept long enough (settings: `ledger.keep_tickets_days`).

    Exit codes: 0 done; 2 usage or input error.
    """
    from pipeline.cli.stages import settings_of
    from pipeline.errors import ConfigError
    from pipeline.ledger.retention import purge as removed
    from pipeline.pages.formats import plural
    from pipeline.tickets.times import read_moment

    if feedback and before is None:
        raise ConfigError("feedback before which moment?", where="--feedback", do="give --before TIME as well")
    days, now = settings_of(params).ledger.keep_tickets_days, datetime.now(UTC)
    end = None if before is None else read_moment(before, "--before", now=now)
    with _opened(ledger) as opened:
        told = removed(opened, kept_before=now - timedelta(days=days), decided_before=end, feedback=feedback)
    parts = [f"{plural(told.tickets, 'ticket')} removed (kept for {days:,} days)"]
    parts += [f"{plural(told.decisions, 'decision')} removed"] if before else []
    parts += [f"{plural(told.feedback, 'piece')} of feedback removed"] if feedback else []
    typer.echo("; ".join(parts))


@app.command()
def forget(
    ledger: _Url,
    customers: Annotated[
        list[str],
        typer.Argument(metavar="CUSTOMER...", help="A customer's ids, addresses, phone numbers, handles, or keys."),
    ],
    spool: _Spool = None,
) -> None:
    """Forget a customer: their tickets are removed, and what leads to them is blanked in decisions and feedback.

    What waits in the spool is put in first, so that it can't come back. Exit codes: 0 done, also where nothing was
    found; 2 usage or input error.
    """
    from pipeline.errors import StoreError
    from pipeline.ledger.retention import forget as forgotten
    from pipeline.pages.formats import plural

    with _opened(ledger) as opened:
        _caught_up(opened, ledger, spool)
        if (waits := _spool(ledger, spool)).waiting:
            do = "try again when it is done"
            raise StoreError("another process is putting the spool in", where=str(waits.path), do=do)
        told = forgotten(opened, customers)
    if waits.refused.exists():
        typer.echo(f"{waits.refused} holds what the ledger refused: look through it, and remove it")
    if not told.decisions:
        typer.echo("nothing is known of this customer")
        return
    typer.echo(
        f"blanked: {plural(told.decisions, 'decision')}, {plural(told.feedback, 'piece')} of feedback; "
        f"removed: {plural(told.tickets, 'ticket')}"
    )
    if told.also:
        typer.echo(f"the same tickets also named {', '.join(told.also)}: forget these too if it is the same customer")


@app.command()
def agreement(ledger: _Url) -> None:
    """How often people said what the scorer had said: on tickets with suggestions, and on those held out from them.

    Where they agree much more often with what they were shown, they follow it rather than judge it.
    Exit codes: 0 done; 2 usage or input error.
    """
    from pipeline.ledger.agreement import agreement as compared
    from pipeline.pages.tables import text_table

    with _opened(ledger) as opened:
        found = compared(opened)
    if not found:
        typer.echo("no feedback yet on what was decided")
        return
    heads = ("kind", "shown", "n", "held out", "n", "difference, 95 % interval")
    rows = [(a.kind, *_side(a, "shown"), *_side(a, "held_out"), _difference(a)) for a in found]
    typer.echo(text_table(heads, rows))


@app.command()
def catch_up(ledger: _Url, spool: _Spool = None) -> None:
    """Put what was spooled while the ledger was away into it, once; `score` and `serve` do so by themselves.

    Exit codes: 0 done; 2 the ledger still can't take it, usage or input error.
    """
    with _opened(ledger, as_it_is=False) as opened:
        typer.echo(_caught_up(opened, ledger, spool))


@contextmanager
def _opened(url: str, *, as_it_is: bool = True) -> Iterator[Ledger]:
    from pipeline.ledger import open_ledger

    with open_ledger(url, as_it_is=as_it_is, timeout_seconds=30.0) as found:
        yield found


def _caught_up(ledger: Ledger, url: str, path: Path | None) -> str:
    """Put the spool in, and say what came of it."""
    from pipeline.pages.formats import plural

    found = _spool(url, path)
    told = found.replay(ledger.take_in)
    parts = [f"{plural(told.lines, 'record')} put in, {told.new:,} of them new"]
    parts += [f"{plural(told.damaged, 'half-written line')} dropped"] if told.damaged else []
    parts += [f"{plural(told.refused, 'record')} refused, and set aside in {found.refused}"] if told.refused else []
    return f"{found.path}: {'; '.join(parts)}"


def _spool(url: str, path: Path | None) -> Spool:
    from pipeline.ledger import Spool, spool_of

    return Spool(path) if path is not None else spool_of(url, Path.cwd())


def _side(found: Agreement, name: str) -> tuple[str, int]:
    from pipeline.pages.formats import percent

    share = found.shown if name == "shown" else found.held_out
    return ("–" if share.value is None else percent(share.value)), share.of


def _difference(found: Agreement) -> str:
    from pipeline.ledger.agreement import FEWEST

    if found.difference is None:
        return f"too few: {FEWEST} of each are needed"
    gap, low, high = (f"{100 * value:+.0f}" for value in found.difference)
    return f"{gap} points ({low} … {high})"
