"""`triage import`: a helpdesk's records become tickets, events and outcomes in RAW_DIR."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.sources.raw import Summary

app = typer.Typer(
    help="Read a helpdesk's records into RAW_DIR: tickets, events, outcomes, articles, macros.", no_args_is_help=True
)

_SHOWN = 10


class ManyValues(TyperCommand):
    """A command whose list options take several values after one name: `--questions a.csv b.csv`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option's name before each of its values, as the parser below wants it."""
        many = {name for p in self.params if getattr(p, "multiple", False) for name in p.opts}
        return super().parse_args(ctx, spread(args, many))


def spread(args: Sequence[str], many: set[str]) -> list[str]:
    """`--files a b` as `--files a --files b` for the options in `many`."""
    made: list[str] = []
    option, first = "", False
    for position, arg in enumerate(args):
        if arg == "--":
            return made + list(args[position:])
        if arg.startswith("-") and arg != "-":
            option, first = (arg, True) if arg in many else ("", False)
            made.append(arg)
        elif option and not first:
            made += [option, arg]
        else:
            made.append(arg)
            first = False
    return made


Files = list[Path]
OutDir = Annotated[
    Path, typer.Option("--out", metavar="RAW_DIR", help="Folder to write; an existing RAW_DIR is added to.")
]
MaxRefused = Annotated[
    float,
    typer.Option("--max-refused", min=0.0, max=1.0, help="Share of refused tickets above which the exit code is 1."),
]
TableFiles = Annotated[
    Files,
    typer.Argument(metavar="FILE...", help="CSV, JSONL or Parquet, gzipped or not: one row per ticket or per event."),
]
EventFiles = Annotated[
    Files, typer.Argument(metavar="FILE...", help="CSV, JSONL or Parquet, gzipped or not: one row per event.")
]
QuestionFiles = Annotated[Files | None, typer.Option("--questions", metavar="FILE...", help="Files of questions.")]
AnswerFiles = Annotated[Files | None, typer.Option("--answers", metavar="FILE...", help="Files of answers.")]
ArticleFiles = Annotated[Files | None, typer.Option("--articles", metavar="FILE...", help="File of help articles.")]
Product = Annotated[
    str | None, typer.Option("--product", metavar="NAME", help="Instead of files: product to fetch from the live API.")
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="DATE", help="With --product: first day to fetch, YYYY-MM-DD.")
]
Address = Annotated[str, typer.Option("--url", metavar="URL", help="With --product: the platform's address.")]


@app.command()
def table(
    files: TableFiles,
    mapping: Annotated[Path, typer.Option("--mapping", metavar="MAPPING.yaml", help="Which column is what.")],
    out: OutDir,
    max_refused: MaxRefused = 0.01,
) -> None:
    """Import any table, by a column mapping: one row per ticket, or one row per event.

    Exit codes: 0 done; 1 more tickets refused than --max-refused (the rest is imported); 2 usage or input error.
    """
    from pipeline.sources.mapping import load_mapping
    from pipeline.sources.table import import_table

    with_progress = Progress()
    summary = import_table(files, load_mapping(mapping), out, now=_now(), progress=with_progress)
    with_progress.done()
    _finish(summary, out, max_refused)


@app.command()
def events(
    files: EventFiles,
    mapping: Annotated[Path, typer.Option("--mapping", metavar="MAPPING.yaml", help="Which column is what.")],
    out: OutDir,
    max_refused: Annotated[
        float,
        typer.Option("--max-refused", min=0.0, max=1.0, help="Share of refused events above which the exit code is 1."),
    ] = 0.01,
) -> None:
    """Import events of tickets that are, or will be, in RAW_DIR: replies, states, assignments, ratings.

    Exit codes: 0 done; 1 more events refused than --max-refused (the rest is imported); 2 usage or input error.
    """
    from pipeline.sources.event_mapping import load_event_mapping
    from pipeline.sources.event_table import import_events

    with_progress = Progress()
    summary = import_events(files, load_event_mapping(mapping), out, now=_now(), progress=with_progress)
    with_progress.done()
    _finish(summary, out, max_refused)


@app.command()
def articles(
    paths: Annotated[
        Files,
        typer.Argument(
            metavar="PATH...", help="Tables (CSV, JSONL, Parquet), pages (Markdown, HTML), folders of pages."
        ),
    ],
    out: OutDir,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", metavar="MAPPING.yaml", help="Which column of the tables is what.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="These are all the articles: those not among them leave RAW_DIR.")
    ] = False,
    max_refused: Annotated[
        float,
        typer.Option("--max-refused", min=0.0, max=1.0, help="Share of refused ones above which the exit code is 1."),
    ] = 0.01,
) -> None:
    """Import a knowledge base: what is published and public, of which articles are suggested.

    An article that is there already is replaced by what it says now. Exit codes: 0 done; 1 more articles refused than
    --max-refused (the rest is imported); 2 usage or input error.
    """
    from pipeline.sources.article_files import import_articles, load_article_mapping

    with_progress = Progress()
    chosen = None if mapping is None else load_article_mapping(mapping)
    summary = import_articles(paths, out, mapping=chosen, replace=replace, progress=with_progress)
    with_progress.done()
    _finish(summary, out, max_refused)


@app.command()
def macros(
    files: Annotated[
        Files, typer.Argument(metavar="FILE...", help="CSV, JSONL or Parquet, gzipped or not: one row per macro.")
    ],
    out: OutDir,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", metavar="MAPPING.yaml", help="Which column is what.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="These are all the macros: those not among them leave RAW_DIR.")
    ] = False,
    max_refused: Annotated[
        float,
        typer.Option("--max-refused", min=0.0, max=1.0, help="Share of refused ones above which the exit code is 1."),
    ] = 0.01,
) -> None:
    """Import a helpdesk's macros: a suggested reply that was sent by one says which.

    A macro that is there already is replaced by what it says now. Exit codes: 0 done; 1 more macros refused than
    --max-refused (the rest is imported); 2 usage or input error.
    """
    from pipeline.sources.macro_table import import_macros, load_macro_mapping

    with_progress = Progress()
    chosen = None if mapping is None else load_macro_mapping(mapping)
    summary = import_macros(files, out, mapping=chosen, replace=replace, progress=with_progress)
    with_progress.done()
    _finish(summary, out, max_refused)


@app.command(cls=ManyValues)
def kitsune(
    out: OutDir,
    questions: QuestionFiles = None,
    answers: AnswerFiles = None,
    articles: ArticleFiles = None,
    product: Product = None,
    since: Since = None,
    url: Address = "https://support.mozilla.org",
    max_refused: MaxRefused = 0.01,
) -> None:
    """Import Kitsune, Mozilla's support platform: from its records in files, or from its public API.

    A fetch that was stopped goes on where it was when the same command is given again.
    Exit codes: 0 done; 1 more tickets refused than --max-refused (the rest is imported); 2 usage or input error.
    """
    from pipeline.errors import ConfigError

    with_progress = Progress()
    if questions and not (product or since):
        from pipeline.sources.kitsune import import_kitsune

        summary = import_kitsune(
            questions, out, answers=answers or (), articles=articles or (), now=_now(), progress=with_progress
        )
    elif product and since and not (questions or answers or articles):
        from pipeline.sources.kitsune_api import fetch_kitsune

        summary = fetch_kitsune(product, since, out, url=url, now=_now(), progress=with_progress)
    else:
        raise ConfigError(
            "either files or the live API",
            where="triage import kitsune",
            do="give --questions FILE... [--answers FILE...] [--articles FILE], or --product NAME --since DATE",
        )
    with_progress.done()
    _finish(summary, out, max_refused)


def _now() -> pd.Timestamp:
    import pandas as pd

    return pd.Timestamp(datetime.now(UTC))


class Progress:
    """One line on a terminal, rewritten; nothing in a log but each file's end."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._name, self._count = "", 0

    def __call__(self, name: str, count: int) -> None:
        if name != self._name:
            self.done()
        self._name, self._count = name, count
        if self._live:
            print(f"\r  {name}: {count:,} records", end="", file=sys.stderr, flush=True)

    def done(self) -> None:
        """End the line of the file at hand."""
        if self._name:
            print("" if self._live else f"  {self._name}: {self._count:,} records", file=sys.stderr, flush=True)
        self._name = ""


def _finish(summary: Summary, out: Path, max_refused: float) -> None:
    """Say what was done; exit code 1 if too much was refused."""
    from pipeline.errors import RefusedError

    for line in summary_lines(summary, out):
        print(line)
    if summary.refused_share > max_refused:
        raise RefusedError(
            f"too many {summary.came.rpartition(' ')[2]} were refused",
            where=str(out / "rejects.jsonl"),
            got=f"{summary.refused_share:.1%}, at most {max_refused:.1%} allowed",
            do="see their codes and lines there; the rest is imported",
        )


def summary_lines(summary: Summary, out: Path) -> list[str]:
    """The summary of an import as it is printed."""
    refused = sum(summary.refused.values())
    there = f"{out}: {summary.tickets:,} tickets, {summary.events:,} events, {summary.articles:,} articles"
    lines = [
        f"{summary.rows_in:,} rows read: {summary.came}, {refused:,} of them refused",
        there + (f", {summary.macros:,} macros" if summary.macros or summary.macros_in else ""),
    ]
    lines += [f"  refused as {code}: {count:,}" for code, count in summary.refused.items()]
    lines += [f"  {name.replace('_', ' ')}: {count:,}" for name, count in summary.notes.items()]
    lines += [f"  outcome {name}: {count:,} known" for name, count in summary.outcomes.items()]
    for name, values in summary.outside_levels.items():
        shown = ", ".join(f"{value!r} {count:,}" for value, count in list(values.items())[:_SHOWN])
        lines.append(f"  {name}: {sum(values.values()):,} outside its levels, so unknown: {shown}")
    lines += [f"  outcome {name}: this import's definition replaces an earlier one" for name in summary.redefined]
    return lines
