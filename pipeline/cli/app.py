"""The command `triage`: one verb a function; faults become one clear message and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated, NoReturn

import typer

from pipeline import __version__
from pipeline.cli import (
    articles,
    draft,
    feedback,
    imports,
    ledger,
    open_tickets,
    remember,
    replay,
    sample,
    score,
    serve,
    stages,
    stream,
    view,
)
from pipeline.errors import TriageError
from pipeline.serving.telling import place_of

FAULT_OF_OURS = 3
"""Exit code of a fault that the user can't mend: neither a gate (1) nor usage or input (2)."""

app = typer.Typer(
    name="triage",
    help="Read support tickets, say what each is about, how urgent it is, and where it should go.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done · 1 too many rows refused, or a gate failed · 2 usage or input error · "
    "3 a fault in Triage. TRIAGE_TRACEBACK=1 shows where a fault arose.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"triage {__version__}")
        raise typer.Exit


@app.callback()
def triage(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Read support tickets, say what each is about, how urgent it is, and where it should go."""


app.command()(sample.sample)
for _verb in (
    stages.run,
    stages.audit,
    stages.prepare,
    stages.featurize,
    stages.train,
    stages.assemble,
    stages.evaluate,
    stages.backtest,
):
    app.command()(_verb)
app.command()(remember.remember)
app.command()(score.score)
app.command()(serve.serve)
app.command()(replay.replay)
app.command()(open_tickets.rescore)
app.command()(open_tickets.order)
app.command()(open_tickets.follow)
app.command()(draft.draft)
app.command()(view.view)
app.add_typer(imports.app, name="import")
app.add_typer(ledger.app, name="ledger")
app.add_typer(feedback.app, name="feedback")
app.add_typer(serve.keys, name="keys")
app.add_typer(stream.app, name="stream")
app.add_typer(articles.app, name="articles")


def main() -> NoReturn:
    """Run one verb and exit: 0, 1, 2 or 3 (see `triage --help`), 130 after Ctrl-C; never a traceback."""
    try:
        app()
    except TriageError as error:
        _stop(str(error), error.exit_code)
    except KeyboardInterrupt:
        _stop("stopped", 130)
    except OSError as error:
        where = f"\n  where: {error.filename}" if error.filename else ""
        _stop(f"{error.strerror or type(error).__name__}{where}", 2)
    except Exception as error:
        # Never the message: it may quote a ticket.
        _stop(
            f"a fault in Triage itself: {type(error).__name__}\n  where: {place_of(error.__traceback__)}\n"
            "  do: run again with TRIAGE_TRACEBACK=1 and report what it shows (it may quote a ticket)",
            FAULT_OF_OURS,
        )
    sys.exit(0)


def _stop(message: str, code: int) -> NoReturn:
    if os.environ.get("TRIAGE_TRACEBACK") == "1":
        traceback.print_exc()
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)
