"""The training verbs: run, audit, one for each stage, and the replay of past weeks."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.config import Params
    from pipeline.pages.report import Report
    from pipeline.training.run import Ran

_Raw = Annotated[Path, typer.Option("--raw", metavar="RAW_DIR", help="What `triage import` or `triage sample` left.")]
_Scorer = Annotated[Path, typer.Option("--scorer", metavar="SCORER_DIR", help="The scorer's folder.")]
_Params = Annotated[
    Path | None,
    typer.Option("--params", metavar="PARAMS.yaml", help="Settings. [default: params.yaml here, if there is one]"),
]
_TestFrom = Annotated[
    str | None,
    typer.Option(
        "--test-from", metavar="TIME", help="Nothing known from this moment on trains. ISO 8601, UTC without an offset."
    ),
]
Ledger = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        metavar="URL",
        help="Learn what people said of decisions, too: a ledger by its URL, or a path that ends in .db.",
    ),
]
_Prepared = Annotated[Path, typer.Option("--prepared", metavar="DIR", help="What `triage prepare` wrote.")]
_Features = Annotated[Path, typer.Option("--features", metavar="DIR", help="What `triage featurize` wrote.")]
_Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the result goes.")]
_Key = Annotated[Path | None, typer.Option("--key-file", metavar="PATH", help="A file whose bytes sign the scorer.")]


def run(
    raw: _Raw,
    scorer: _Scorer,
    params: _Params = None,
    test_from: _TestFrom = None,
    key_file: _Key = None,
    ledger: Ledger = None,
) -> None:
    """Train and evaluate in one go: RAW_DIR in, a scorer and a report out.

    Without --test-from, settings, thresholds and figures come from inner splits, and all rows are fitted with them.
    The report lies beside the scorer, in SCORER_DIR.report. Exit 1: no model passed its gate, or the scorer in place is
    better.
    """
    from pipeline.artifact import check_target
    from pipeline.training.report_files import check_folder
    from pipeline.training.report_of_run import report_of_run
    from pipeline.training.run import replace_if_better
    from pipeline.training.run import run as run_all

    page = scorer.with_name(f"{scorer.name}.report")
    check_target(scorer)  # before the training, not after it
    check_folder(page, "report")
    settings = settings_of(params)
    say = _say()
    feedback = feedback_of(ledger)
    ran = run_all(raw, settings, test_from=_moment(test_from, "--test-from"), feedback=feedback, say=say)
    replaced = replace_if_better(ran, raw, scorer, key=_key(key_file), feedback=feedback, say=say)
    report = report_of_run(replaced)
    _publish(report, page)
    typer.echo(f"scorer {replaced.scorer.version}: {scorer}")
    _track_training(replaced, scorer, settings)


def audit(
    raw: _Raw,
    params: _Params = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Also write all findings as JSON.")] = None,
) -> None:
    """List labels that are likely wrong, twins, rare or hopeless ones, repeats, and columns that give a label away.

    It also says where a part of the tickets has a clock that is off by whole hours, such as local time labelled as UTC.
    """
    from dataclasses import replace

    from pipeline.config import Encoder
    from pipeline.training.audit_run import audit_raw, tables, write_json

    settings = replace(settings_of(params), encoder=Encoder(name="none"))
    found = audit_raw(raw, settings, say=_say())
    for title, table in tables(found):
        typer.echo(f"\n{title}\n{table}")
    if out is not None:
        write_json(found, out)
        typer.echo(f"\nall findings: {out}")


def prepare(raw: _Raw, out: _Out, params: _Params = None, test_from: _TestFrom = None, ledger: Ledger = None) -> None:
    """Stage 1: clean, label and order the tickets."""
    from pipeline.training.corrections import feedback_words
    from pipeline.training.prepare import prepare as stage

    moment, feedback = _moment(test_from, "--test-from"), feedback_of(ledger)
    made = stage(raw, settings_of(params), test_from=moment, feedback=feedback)
    made.save(out)
    if feedback is not None:
        typer.echo(feedback_words(made.about["feedback"]))
    typer.echo(f"prepared: {out}")


def featurize(prepared: _Prepared, out: _Out, params: _Params = None) -> None:
    """Stage 2: make the candidate blocks of numbers."""
    from pipeline.training.featurize import featurize as stage
    from pipeline.training.prepare import Prepared

    stage(Prepared.load(prepared), settings_of(params), say=_say()).save(out)
    typer.echo(f"features: {out}")


def train(
    target: Annotated[
        Literal["topic", "queue", "priority", "escalated", "article"],
        typer.Argument(metavar="OUTCOME", help="topic, queue, priority, escalated or article."),
    ],
    prepared: _Prepared,
    features: _Features,
    out: _Out,
    params: _Params = None,
) -> None:
    """Stage 3: choose and fit one model."""
    from pipeline.training.featurize import Featurized
    from pipeline.training.prepare import Prepared
    from pipeline.training.train import train as stage

    settings = settings_of(params)
    trained = stage(target, Prepared.load(prepared), Featurized.load(features, settings), settings, say=_say())
    trained.save(out)
    typer.echo(f"{target}: {out}" if trained.passed else f"{target}: not in service ({trained.about['why_none']})")


def assemble(
    prepared: _Prepared,
    features: _Features,
    scorer: _Scorer,
    models: Annotated[
        list[Path],
        typer.Option("--model", metavar="DIR", help="A folder that `triage train` wrote; give it once a model."),
    ],
    params: _Params = None,
    key_file: _Key = None,
) -> None:
    """Stage 4: put models that passed their gates together to one scorer, and write the report of the inner splits."""
    from pipeline.training.assemble import assemble as stage
    from pipeline.training.featurize import Featurized
    from pipeline.training.prepare import Prepared
    from pipeline.training.report_of_run import report_of_run
    from pipeline.training.run import Ran
    from pipeline.training.train import load_all, without_articles

    settings = settings_of(params)
    rows, blocks, trained = Prepared.load(prepared), Featurized.load(features, settings), load_all(models)
    made = stage(rows, blocks, trained, settings).save(scorer, key=_key(key_file))
    ran = Ran(rows, blocks, without_articles(trained), made, trained.get("article"))
    _publish(report_of_run(ran), scorer.with_name(f"{scorer.name}.report"))
    _track_training(ran, scorer, settings)
    typer.echo(f"scorer {made.version}: {scorer}")


def evaluate(raw: _Raw, scorer: _Scorer, out: _Out, key_file: _Key = None) -> None:
    """Stage 5: run the scorer on rows that it wasn't trained on, beside baselines; a report page and a model card.

    A page in DIR that is no report is never replaced.
    """
    from pipeline.scorer import Scorer
    from pipeline.tracking.runs import track_evaluation, why_untracked
    from pipeline.training.evaluate import evaluate as stage
    from pipeline.training.report_files import check_folder

    check_folder(out, "report")
    loaded = Scorer.load(scorer, key=_key(key_file))
    say = _say()
    report = stage(raw, loaded, where=scorer, say=say)
    _publish(report, out)
    run_id = track_evaluation(out, loaded.version, loaded.settings, synthetic=report.header.synthetic)
    if line := f"tracked as {run_id}" if run_id else why_untracked(loaded.settings):
        say(line)


def backtest(
    raw: _Raw,
    scorer: _Scorer,
    out: _Out,
    hands: Annotated[int, typer.Option(min=1, metavar="N", help="People who take tickets side by side.")],
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="Tickets created from this moment on. [default: the scorer's cut]"),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Tickets created before this moment. [default: all]")
    ] = None,
    handling: Annotated[
        float | None,
        typer.Option(
            metavar="HOURS", help="What each ticket takes. [default: what keeps the hands busy 90 % of the time]"
        ),
    ] = None,
    key_file: _Key = None,
) -> None:
    """Replay past weeks: first come, first served against the order by expected cost (settings: `ordering`, `sla`).

    The tickets that the scorer wasn't trained on arrive again when they did, and N hands take them. A page in DIR shows
    waiting times of what turned out urgent, missed deadlines, the price that the rest pays, and what is assumed;
    DIR/backtest.json holds the numbers. A page in DIR that is no backtest is never replaced.
    """
    from pipeline.scorer import Scorer
    from pipeline.training.backtest import Window
    from pipeline.training.backtest import backtest as replay
    from pipeline.training.report_files import check_folder, replay_files
    from pipeline.training.tables import replayed

    check_folder(out, "backtest")
    window = Window(_moment(since, "--from"), _moment(until, "--to"))
    loaded = Scorer.load(scorer, key=_key(key_file))
    found = replay(raw, loaded, hands=hands, window=window, handling_hours=handling, where=scorer, say=_say())
    page = replay_files(found, out)
    typer.echo(replayed(found))
    typer.echo(f"report: {page}")


def _publish(report: Report, folder: Path) -> None:
    from pipeline.training.evaluate import report_files
    from pipeline.training.tables import headline

    report_files(report, folder)
    typer.echo(headline(report))
    typer.echo(f"report: {folder / 'index.html'}")


def _track_training(ran: Ran, scorer: Path, settings: Params) -> None:
    from pipeline.tracking.runs import track_training, why_untracked

    run_id = track_training(ran, scorer.with_name(f"{scorer.name}.report"), scorer, settings)
    if line := f"tracked as {run_id}" if run_id else why_untracked(settings):
        typer.echo(line, err=True)


def settings_of(path: Path | None) -> Params:
    """Settings of a file; without one, of the params.yaml that is here, else the defaults."""
    from pipeline.config import load_params

    here = Path("params.yaml")
    return load_params(path or (here if here.is_file() else None))


def _moment(text: str | None, option: str) -> pd.Timestamp | None:
    from pipeline.tickets.times import read_moment

    return None if text is None else read_moment(text, option)


def feedback_of(ledger: str | None) -> pd.DataFrame | None:
    """What people said of decisions, by the option --ledger."""
    from pipeline.training.corrections import read_feedback

    return None if ledger is None else read_feedback(ledger)


def _key(path: Path | None) -> bytes | None:
    from pipeline.cli.score import read_key

    return read_key(path)


def _say() -> _Say:
    return _Say()


class _Say:
    """Plain lines on standard error, with the seconds since the start."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def __call__(self, line: str) -> None:
        print(f"[{time.monotonic() - self._begun:5.0f} s] {line}", file=sys.stderr, flush=True)
