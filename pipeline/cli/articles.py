"""`triage articles`: what a knowledge base lacks, what is stale or wrong in it, and how a scorer keeps up with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.score import read_key
from pipeline.cli.stages import Ledger, feedback_of, settings_of

if TYPE_CHECKING:
    from pipeline.sources.raw import Raw

app = typer.Typer(
    help="What a knowledge base lacks, what is stale or wrong in it, and how a scorer keeps up with it.",
    no_args_is_help=True,
)

_Raw = Annotated[Path, typer.Argument(metavar="RAW_DIR", help="What `triage import` or `triage sample` left.")]
_Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write all of it as JSON.")]
_Out = Annotated[Path | None, typer.Option("--out", metavar="PAGE.html", help="Also write it as a page.")]
_Params = Annotated[
    Path | None,
    typer.Option("--params", metavar="PARAMS.yaml", help="Settings. [default: params.yaml here, if there is one]"),
]


@app.command()
def gaps(
    raw: _Raw,
    scorer: Annotated[Path, typer.Option("--scorer", metavar="SCORER_DIR", help="The scorer made by `triage run`.")],
    since: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="TIME", help="Tickets created from then on. [default: the last 90 days of the data]"
        ),
    ] = None,
    below: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="A suggestion less probable than this counts as none.")
    ] = 0.2,
    json: _Json = None,
    out: _Out = None,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", metavar="PATH", help="A file whose bytes sign the scorer.")
    ] = None,
) -> None:
    """List topics, and groups of tickets in them, that no article fits: by tickets times hours waited.

    A ticket lacks an article when none was cited on it, and the scorer suggests none that is probable. Groups go by
    words that many of their tickets hold, and by ids: no ticket's text is shown.
    """
    from pipeline.pages.knowledge import Knowledge
    from pipeline.scorer import Scorer
    from pipeline.sources.raw import load_raw
    from pipeline.tickets.times import read_moment
    from pipeline.training.gaps import gaps as look
    from pipeline.training.knowledge_tables import gaps_table
    from pipeline.training.report_files import knowledge_files

    loaded, given = Scorer.load(scorer, key=read_key(key_file)), load_raw(raw)
    moment = None if since is None else read_moment(since, "--from")
    found = look(given, loaded, since=moment, below=below, say=_say)
    typer.echo(gaps_table(found))
    whole = Knowledge("Knowledge gaps", gaps=found, scorer_version=loaded.version, synthetic=_synthetic(given))
    knowledge_files(whole, figures=json, page=out)


@app.command()
def refresh(
    raw: _Raw,
    scorer: Annotated[Path, typer.Option("--scorer", metavar="SCORER_DIR", help="The scorer made by `triage run`.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where the new one goes. [default: SCORER_DIR]")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until", metavar="TIME", help="Nothing known from this moment on counts. ISO 8601, UTC without an offset."
        ),
    ] = None,
    ledger: Ledger = None,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", metavar="PATH", help="A file whose bytes sign the scorer.")
    ] = None,
) -> None:
    """Bring a scorer's articles, citations and answers up to RAW_DIR, without training.

    Its models, weights and thresholds stay. Passages and tickets that were encoded before aren't encoded again.
    """
    from pipeline.artifact import SIGNATURE, check_target
    from pipeline.errors import InputError
    from pipeline.scorer import Scorer
    from pipeline.sources.raw import load_raw
    from pipeline.tickets.times import read_moment
    from pipeline.training.refresh import refresh as renew

    target, key = out or scorer, read_key(key_file)
    check_target(target)
    if key is None and (scorer / SIGNATURE).is_file():
        do = "give the key, so that the new one is signed as well: --key-file"
        raise InputError("the scorer is signed", where=str(scorer), do=do)
    moment = None if until is None else read_moment(until, "--until")
    loaded = Scorer.load(scorer, key=key)
    made = renew(loaded, load_raw(raw), until=moment, feedback=feedback_of(ledger), say=_say)
    saved = made.scorer.save(target, key=key)
    for what, (before, now) in made.counts.items():
        typer.echo(f"{what}: {now:,}" if before == now else f"{what}: {before:,} → {now:,}")
    if made.changes:
        typer.echo("articles: " + ", ".join(f"{count:,} {what}" for what, count in made.changes.items()))
    typer.echo(f"scorer {saved.version}: {target}")


@app.command()
def stale(raw: _Raw, params: _Params = None, json: _Json = None, out: _Out = None) -> None:
    """List articles cited less than before, cited but gone, never cited, and those after which customers come back."""
    from pipeline.pages.knowledge import Knowledge
    from pipeline.sources.raw import load_raw
    from pipeline.training.knowledge_tables import stale_table
    from pipeline.training.report_files import knowledge_files
    from pipeline.training.stale import stale as look

    given = load_raw(raw)
    found = look(given, settings_of(params))
    typer.echo(stale_table(found))
    knowledge_files(Knowledge("Stale articles", stale=found, synthetic=_synthetic(given)), figures=json, page=out)


@app.command()
def check(
    raw: _Raw,
    params: _Params = None,
    json: _Json = None,
    out: _Out = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 when anything is found.")] = False,
) -> None:
    """List what is wrong with articles: empty, short, too long, the same twice, without title, address or language.

    Exit codes: 0 done; 1 with --strict, something was found; 2 usage or input error.
    """
    from pipeline.pages.knowledge import Knowledge
    from pipeline.sources.raw import load_raw
    from pipeline.training.check import check as look
    from pipeline.training.knowledge_tables import check_table
    from pipeline.training.report_files import knowledge_files

    given = load_raw(raw)
    found = look(given, settings_of(params))
    typer.echo(check_table(found))
    knowledge_files(Knowledge("Articles to mend", check=found, synthetic=_synthetic(given)), figures=json, page=out)
    if strict and found.findings:
        raise typer.Exit(1)


def _synthetic(raw: Raw) -> bool:
    return any(bool(one.get("synthetic")) for one in raw.imports)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
