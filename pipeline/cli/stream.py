"""`triage stream`: the scorer on a stream of tickets and events."""

from __future__ import annotations

import os
import re
import signal
import uuid
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.cli import dead, play
from pipeline.cli.score import HISTORY, read_key
from pipeline.cli.serve import LEDGER, MAPPING, SCORER, source_of, teller
from pipeline.errors import ConfigError, InputError

if TYPE_CHECKING:
    import pandas as pd


_PLACES = "redis://HOST:PORT/DB?stream=NAME, kafka://HOST:PORT/TOPIC, a file of JSON lines, or - for a pipe"
_FROM = f"Where messages come from: {_PLACES}."
_TO = f"Where results go: {_PLACES}."
_AGES = "Ages at which an open ticket is scored again, with a store and a ledger; empty: never."
_METRICS = "Serve /metrics and /health/live and /ready at [HOST:]PORT; 0: a free port. [default: nowhere]"
_MEMORY = "Most address space of the worker, in MiB: a message that wants more fails by itself. [default: no limit]"

_GROUP = re.compile(r"[\w.-]{1,200}", re.ASCII)

app = typer.Typer(help="Score a stream of tickets and events; look at its dead letters; play a file into it.")
app.add_typer(dead.app, name="dead")
app.command()(play.play)


@app.callback(invoke_without_command=True)
def stream(
    context: typer.Context,
    source: Annotated[str | None, typer.Option("--from", metavar="URL", help=_FROM)] = None,
    target: Annotated[str | None, typer.Option("--to", metavar="URL", help=_TO)] = None,
    scorer: Annotated[str | None, typer.Option("--scorer", metavar="SCORER", help=SCORER)] = None,
    history: Annotated[str | None, typer.Option("--history", metavar="URL", help=HISTORY)] = None,
    ledger: Annotated[str | None, typer.Option("--ledger", metavar="URL", help=LEDGER)] = None,
    mapping: Annotated[Path | None, typer.Option("--mapping", metavar="MAPPING.yaml", help=MAPPING)] = None,
    group: Annotated[str, typer.Option(help="Workers of one group share the stream; each group gets all.")] = "triage",
    batch: Annotated[int, typer.Option(min=1, max=10_000, help="Most messages that are scored together.")] = 256,
    window: Annotated[float, typer.Option(min=0.001, max=60, help="Seconds that are waited for them.")] = 0.2,
    patience: Annotated[
        float, typer.Option(min=0.1, help="Seconds that a batch may take; then the worker is started again.")
    ] = 60.0,
    tries: Annotated[int, typer.Option(min=1, help="How often a message is begun before it is given up.")] = 3,
    most_bad: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Stop when more of the last 200 messages are dead letters.")
    ] = 0.5,
    ages: Annotated[str, typer.Option(metavar="AGE,…", help=_AGES)] = "1h,4h,24h,72h,168h",
    metrics: Annotated[str | None, typer.Option(metavar="[HOST:]PORT", help=_METRICS)] = None,
    look_every: Annotated[float, typer.Option(min=0.05, help="Seconds after which SCORER is looked at again.")] = 3.0,
    until_empty: Annotated[bool, typer.Option("--until-empty", help="End once nothing waits.")] = False,
    max_memory: Annotated[int | None, typer.Option(min=256, metavar="MIB", help=_MEMORY)] = None,
    key_file: Annotated[
        Path | None, typer.Option(metavar="PATH", help="A file whose bytes are the key that the scorer is signed with.")
    ] = None,
    log: Annotated[
        Literal["text", "json"], typer.Option(help="How events are told on standard error: for people, or JSON lines.")
    ] = "text",
) -> None:
    """Score messages as they come: at least once in, one effective result a key out.

    Start as many workers as you like, anywhere: they share the stream's partitions. SIGTERM finishes the batch, then
    ends; SIGHUP loads the scorer again. Exit codes: 0 ended by a signal or at the stream's end; 1 too many dead
    letters; 2 usage or input error.
    """
    if context.invoked_subcommand is not None:
        return
    from pipeline.serving.stream.transport import parse_place, same_place

    given = {"--from": source, "--to": target, "--scorer": scorer}
    if lacking := [name for name, value in given.items() if not value]:
        raise InputError("an option is missing", where=", ".join(lacking), do="see `triage stream --help`")
    places = parse_place(str(source), "--from"), parse_place(str(target), "--to")
    if same_place(*places):
        raise ConfigError("results would be read as messages", where="--to", got=places[1].shown, do="name another one")
    if not _GROUP.fullmatch(group):
        do = "name it in letters, digits, dots, dashes and underscores"
        raise ConfigError("not a name of a group", where="--group", got=group, do=do)
    address = None if metrics is None else _address(metrics)
    from pipeline.serving.stream.watching import watched

    tell, worker, watcher = teller(log), uuid.uuid4().hex[:12], None
    if places[0].scheme != "pipe":  # what was read from a pipe can't be read again
        watcher = os.getpid()
        code = watched(tell)
        if code is not None:
            raise typer.Exit(code)
    _limit(max_memory)
    import pandas as pd

    from pipeline.history.store import TIMEOUT_SECONDS as STORE_SECONDS
    from pipeline.ledger import Journal, open_ledger, spool_of
    from pipeline.ledger.ledger import TIMEOUT_SECONDS as LEDGER_SECONDS
    from pipeline.serving.loading import Loader
    from pipeline.serving.stream.ageing import Ageing
    from pipeline.serving.stream.renewing import Renewing
    from pipeline.serving.stream.scoring import Scoring
    from pipeline.serving.stream.tally import Tally
    from pipeline.serving.stream.transport import Holding, open_dead, open_inlet, open_outlet
    from pipeline.serving.stream.worker import Pace, Worker
    from pipeline.sources.mapping import load_mapping

    def clock() -> pd.Timestamp:
        return pd.Timestamp(datetime.now(UTC))

    columns = load_mapping(mapping) if mapping is not None else None
    if columns is not None and columns.ticket_id is None:
        do = "write `ticket_id: COLUMN`"
        raise ConfigError("a stream needs the tickets' own ids", where=columns.where, got="no ticket_id", do=do)
    pace = Pace(batch, window, patience, tries, most_bad, 1.5 * patience, until_empty)
    quarter = patience / 4  # a database that is locked is away before its batch is taken to hang
    journal = None
    if ledger is not None:
        opened = open_ledger(ledger, lazily=True, timeout_seconds=min(LEDGER_SECONDS, quarter))
        journal = Journal(opened, spool_of(ledger, Path.cwd()))
    tally, steps = Tally(), _ages(ages)
    scoring = Scoring(journal, clock)
    holding = Holding(group, worker, pace.claim_seconds)
    loader = Loader(source_of(str(scorer), read_key(key_file)), history, columns, clock, min(STORE_SECONDS, quarter))
    work = Worker(
        open_inlet=lambda: open_inlet(places[0], holding),
        outlet=open_outlet(places[1], holding.source(places[0])),
        dead=open_dead(places[0]),
        scoring=scoring,
        renewing=Renewing(loader, tally, tell, look_every),
        ageing=Ageing(steps) if steps and ledger is not None and history is not None else None,
        pace=pace,
        tally=tally,
        tell=tell,
        parent=watcher,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: work.stop.set())
    signal.signal(signal.SIGHUP, lambda *_: setattr(work.renewing, "asked", True))
    with ExitStack() as stack:
        if address is not None:
            from pipeline.serving.stream.metrics import serve_metrics

            port, end = serve_metrics(*address, tally, scoring)
            stack.callback(end)
            tell("metrics", port=port)
        work.run()


def _ages(text: str) -> tuple[pd.Timedelta, ...]:
    from pipeline.history.definitions import parse_duration

    names = [name.strip() for name in text.split(",") if name.strip()]
    found = [parse_duration(name) for name in names]
    if wrong := [name for name, age in zip(names, found, strict=True) if age is None]:
        raise ConfigError("not an age", where="--ages", got=wrong[0], do="write them like 4h,24h,7d")
    return tuple(age for age in found if age is not None)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65_535:
        raise ConfigError("not a port", where="--metrics", got=text, do="write 9100, or 0.0.0.0:9100")
    return host or "127.0.0.1", int(port)


def _limit(mebibytes: int | None) -> None:
    if mebibytes is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))
