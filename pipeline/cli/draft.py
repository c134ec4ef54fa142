"""`triage draft`: a language model drafts replies out of suggested articles; off unless somebody calls it."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import InputError, RefusedError

_SCORED = "A file of `triage score --explain`: drafts are grounded in the passages of its explanations."
_TICKETS = "The tickets that were scored: IN of `triage score`."
_OUT = "One JSON line a scored row: ticket_id, draft or null, articles that it cites, reason where there is none."
_ENDPOINT = "An OpenAI-compatible endpoint, such as http://localhost:8000/v1. Tickets are sent there, redacted."


def draft(
    scored: Annotated[Path, typer.Argument(metavar="SCORED", help=_SCORED)],
    out: Annotated[Path, typer.Argument(metavar="OUT.jsonl", help=_OUT)],
    tickets: Annotated[Path, typer.Option("--tickets", metavar="IN", help=_TICKETS)],
    endpoint: Annotated[str, typer.Option("--endpoint", metavar="URL", help=_ENDPOINT)],
    model: Annotated[str, typer.Option("--model", metavar="NAME", help="The model, as the endpoint calls it.")],
    key_env: Annotated[
        str | None, typer.Option("--key-env", metavar="VAR", help="Environment variable that holds the endpoint's key.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", metavar="MAPPING.yaml", help="Which column of IN is what.")
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, max=16, help="Questions asked side by side.")] = 2,
    timeout: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="For one answer.")] = 60.0,
    max_failed: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Exit 1 when a larger share of what was sent got no answer.")
    ] = 0.1,
    force: Annotated[bool, typer.Option("--force", help="Replace an OUT that is there.")] = False,
) -> None:
    """Draft replies for agents, each out of the articles that were suggested, or none with the reason.

    Nothing is sent for a ticket that no article fits. A draft is refused that cites no suggested article, has nothing
    of what it says, or holds addresses or personal data of its own. No draft is ever sent to a customer. Exit codes:
    0 done; 1 more unanswered than --max-failed (everything is written); 2 usage or input error.
    """
    from pipeline.serving.draft_file import draft_file
    from pipeline.serving.endpoint import Client, Endpoint
    from pipeline.serving.intake import open_intake

    client = Client(Endpoint(endpoint, model, _key(key_env), timeout_seconds=timeout))
    told = draft_file(
        scored, open_intake(tickets, mapping=mapping), out, client, now=datetime.now(UTC), at_once=at_once, force=force,
        progress=_progress if sys.stderr.isatty() else None,
    )  # fmt: skip
    typer.echo(f"{told.rows:,} rows, {told.drafts:,} drafts: {out}", err=True)
    for reason, count in told.reasons.items():
        typer.echo(f"  {reason}: {count:,}", err=True)
    if told.failed_share > max_failed:
        raise RefusedError(
            "too many questions got no answer", where="--endpoint", got=f"{told.failed_share:.1%} of what was sent",
            do="look at the endpoint, or allow more with --max-failed; OUT is written",
        )  # fmt: skip


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    found = os.environ.get(variable, "").strip()
    if not found:
        raise InputError("the variable with the key is empty", where="--key-env", got=variable, do="export it first")
    if not (found.isascii() and found.isprintable()):
        raise InputError("no key can look like that", where="--key-env", got=variable, do="look for line ends in it")
    return found


def _progress(done: int, of: int) -> None:
    print(f"\r{done:,} of {of:,}", end="\n" if done == of else "", file=sys.stderr, flush=True)
