"""`triage serve`: the scorer as a service; `triage keys`: who may ask it."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pipeline.cli.score import HISTORY, read_key
from pipeline.errors import ConfigError, InputError

if TYPE_CHECKING:
    from pipeline.serving.loading import Source
    from pipeline.serving.telling import Tell

SCORER = (
    "The scorer made by `triage run`, or models:/NAME@ALIAS in the MLflow store of MLFLOW_TRACKING_URI (extra "
    "`tracking`). When it is replaced there, the new one takes over."
)
MAPPING = "MAPPING.yaml: which key of a sent object is what. Without it, tickets come in our own schema."
_KEYS = "Who may ask: a file made by `triage keys new`. Without it only this machine may (a loopback --host)."
LEDGER = (
    "Where every decision and all feedback is kept: sqlite:///FILE.db, or postgresql://USER@HOST/DATABASE. While it is "
    "away, they go to a spool: beside the file, or, for a server, in the folder that the service was started in."
)
_FILE = "The file of keys; it holds their hashes."

keys = typer.Typer(help="Make and take back the keys of those who may ask `triage serve`.", no_args_is_help=True)


def serve(
    scorer: Annotated[str, typer.Option("--scorer", metavar="SCORER", help=SCORER)],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0: a free one.")] = 8000,
    history: Annotated[str | None, typer.Option("--history", metavar="URL", help=HISTORY)] = None,
    ledger: Annotated[str | None, typer.Option("--ledger", metavar="URL", help=LEDGER)] = None,
    mapping: Annotated[Path | None, typer.Option("--mapping", metavar="MAPPING.yaml", help=MAPPING)] = None,
    keys_file: Annotated[Path | None, typer.Option("--keys", metavar="FILE", help=_KEYS)] = None,
    max_items: Annotated[int, typer.Option(min=1, help="Most tickets in one request.")] = 1_000,
    max_body_mb: Annotated[float, typer.Option(min=0.001, help="Longest body of one request, in MiB.")] = 5.0,
    max_waiting: Annotated[
        int, typer.Option(min=1, help="Most tickets that wait or are scored: more get 503.")
    ] = 4_000,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds after which a request gets 504.")] = 30.0,
    look_every: Annotated[
        float, typer.Option(min=0.05, help="Seconds after which SCORER and the keys are looked at again.")
    ] = 3.0,
    key_file: Annotated[
        Path | None, typer.Option(metavar="PATH", help="A file whose bytes are the key that the scorer is signed with.")
    ] = None,
    log: Annotated[
        Literal["text", "json"], typer.Option(help="How events are told on standard error: for people, or JSON lines.")
    ] = "text",
) -> None:
    """Serve the scorer over HTTP: POST /v1/score gives what `triage score` writes, ticket for ticket.

    One process is one replica. SIGTERM answers what was accepted, then ends; SIGHUP loads the scorer again.
    Exit codes: 0 ended by a signal; 2 usage or input error.
    """
    import pandas as pd

    _need_extra()
    from pipeline.serving.http.keys import KeyFile
    from pipeline.serving.http.limits import MIB, Limits
    from pipeline.serving.http.server import Settings
    from pipeline.serving.http.server import serve as run
    from pipeline.serving.loading import Loader
    from pipeline.sources.mapping import load_mapping

    def clock() -> Any:
        return pd.Timestamp(datetime.now(UTC))

    columns = load_mapping(mapping) if mapping is not None else None
    if columns is not None and columns.ticket_id is None:
        do = "write `ticket_id: COLUMN`"
        raise ConfigError("a service needs the tickets' own ids", where=columns.where, got="no ticket_id", do=do)
    limits = Limits(items=max_items, body_bytes=int(max_body_mb * MIB), items_in_flight=max_waiting, seconds=timeout)
    settings = Settings(host, port, KeyFile(keys_file) if keys_file is not None else None, ledger, limits, look_every)
    loader = Loader(source_of(scorer, read_key(key_file)), history, columns, clock)
    run(settings, loader, teller(log), clock)


@keys.command("new")
def new(
    file: Annotated[Path, typer.Option("--file", metavar="FILE", help=_FILE)],
    name: Annotated[
        str, typer.Option(help="Whose key it is; it stands in the ledger, never in an answer.")
    ] = "default",
) -> None:
    """Make a key and print it, this once. Several are valid at a time, so that callers can change over."""
    from pipeline.serving.http.keys import new_key

    typer.echo(new_key(file, name, now=datetime.now(UTC)))


@keys.command("remove")
def remove(
    file: Annotated[Path, typer.Option("--file", metavar="FILE", help=_FILE)],
    name: Annotated[str, typer.Option(help="Whose key it was.")],
) -> None:
    """Take a key back."""
    from pipeline.serving.http.keys import remove_key

    remove_key(file, name)


def source_of(scorer: str, key: bytes | None) -> Source:
    """Where a door that goes on takes its scorers from."""
    from pipeline.config import Tracking
    from pipeline.serving.loading import FolderSource, ModelSource
    from pipeline.tracking.registry import parse_address

    if not scorer.startswith("models:"):
        return FolderSource(Path(scorer), key)
    return ModelSource(*parse_address(scorer), os.environ.get("MLFLOW_TRACKING_URI") or str(Tracking().uri), key)


def _need_extra() -> None:
    from importlib.util import find_spec

    lacking = [name for name in ("fastapi", "uvicorn", "httptools", "prometheus_client") if find_spec(name) is None]
    if lacking:
        do = "pip install 'triage-tickets[http]'"
        raise InputError("the service needs the extra `http`", got=f"no {lacking[0]}", do=do)


def teller(log: Literal["text", "json"]) -> Tell:
    """How events are told on standard error."""
    return _json_line if log == "json" else _line


def _json_line(event: str, **values: Any) -> None:
    line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **values}
    print(json.dumps(line, ensure_ascii=False), file=sys.stderr, flush=True)


def _line(event: str, **values: Any) -> None:
    print(
        f"{event}: {', '.join(f'{k} {v}' for k, v in values.items())}".removesuffix(": "), file=sys.stderr, flush=True
    )
