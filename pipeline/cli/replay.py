"""`triage replay`: make a decision again, and see whether the same scorer still says the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.ledger import URL
from pipeline.cli.score import HISTORY, KEY, read_key

if TYPE_CHECKING:
    from pipeline.serving.replay import Replayed

_WHICH = "The beginning of the decision's key. [default: the latest by this scorer, else the latest]"
_HISTORY = f"{HISTORY[:-1]}, which is right only if it was decided so."
_SHOWN = 40


def replay(
    ticket: Annotated[str, typer.Argument(metavar="TICKET", help="The ticket's id.")],
    ledger: Annotated[str, typer.Option("--ledger", metavar="URL", help=URL)],
    scorer: Annotated[Path, typer.Option("--scorer", metavar="SCORER_DIR", help="The scorer that decided.")],
    history: Annotated[str | None, typer.Option("--history", metavar="URL", help=_HISTORY)] = None,
    decision: Annotated[str | None, typer.Option("--decision", metavar="KEY", help=_WHICH)] = None,
    key_file: Annotated[Path | None, typer.Option(metavar="PATH", help=KEY)] = None,
) -> None:
    """Score a kept ticket again, as it was decided on, and compare field by field.

    Numbers may differ by 0.00001. Exit codes: 0 the same; 1 it differs, or something is gone that is needed to tell:
    the ticket, the scorer's version, the history; 2 usage or input error.
    """
    from pipeline.ledger import open_ledger
    from pipeline.scorer import Scorer
    from pipeline.serving.past import open_past
    from pipeline.serving.replay import chosen
    from pipeline.serving.replay import replay as made_again

    loaded = Scorer.load(scorer, key=read_key(key_file))
    with open_ledger(ledger, as_it_is=True) as opened:
        found = chosen(opened.decisions(ticket), loaded.version, key=decision)
    if found is None:
        typer.echo("gone: the ledger holds no such decision on this ticket")
        raise typer.Exit(1)
    with open_past(history, loaded.settings) as past:
        told = made_again(found, loaded, past)
    for line in lines(told):
        typer.echo(line)
    if not told.same:
        raise typer.Exit(1)


def lines(told: Replayed) -> list[str]:
    """What is printed."""
    made = told.decision
    head = (
        f"decision {made.key[:12]} of {made.decided_at.isoformat(timespec='seconds')} by scorer {made.scorer_version}"
    )
    if told.gone:
        return [head, *(f"gone: {why}" for why in told.gone)]
    if told.same:
        return [head, "the same"]
    more = len(told.differences) - _SHOWN
    rest = [f"and {more:,} more"] if more > 0 else []
    return [head, *(f"differs: {one.words}" for one in told.differences[:_SHOWN]), *rest]
