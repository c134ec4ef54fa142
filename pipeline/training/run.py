"""All stages in one go, in memory: RAW_DIR → scorer and report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from pipeline.config import Params
from pipeline.errors import GateError, ScorerError
from pipeline.scorer import Scorer
from pipeline.sources.raw import load_raw
from pipeline.training.assemble import assemble
from pipeline.training.corrections import feedback_words
from pipeline.training.featurize import Featurized, featurize
from pipeline.training.prepare import Prepared, prepare
from pipeline.training.replace import compare
from pipeline.training.train import Target, Trained, train, without_articles

Say = Callable[[str], None]


@dataclass(frozen=True)
class Ran:
    """What came out.

    Attributes
    ----------
    scorer : Scorer
        Not saved yet.
    answers : Trained, optional
        Articles and replies, which say nothing of a ticket by itself.
    """

    prepared: Prepared
    featurized: Featurized
    trained: dict[str, Trained]
    scorer: Scorer
    answers: Trained | None = None


def run(
    raw_dir: Path,
    params: Params,
    *,
    test_from: pd.Timestamp | None = None,
    feedback: pd.DataFrame | None = None,
    say: Say = print,
) -> Ran:
    """prepare → featurize → train → assemble.

    Raises
    ------
    GateError
        No model passed its gate.
    """
    prepared = prepare(raw_dir, params, test_from=test_from, feedback=feedback)
    say(f"prepared {len(prepared.frame):,} tickets")
    if feedback is not None:
        say(feedback_words(prepared.about["feedback"]))
    if test_from is not None and not prepared.about["after_cut"]:
        say(f"no ticket is from {test_from.isoformat()} on: there is nothing left to evaluate")
    featurized = featurize(prepared, params, say=say)
    targets: list[Any] = [t for t in get_args(Target) if t in prepared.about["targets"]]
    if len(prepared.articles) or len(prepared.answers):
        targets.append("article")
    trained = {t: train(t, prepared, featurized, params, say=say) for t in targets}
    scorer = assemble(prepared, featurized, trained, params)
    return Ran(prepared, featurized, without_articles(trained), scorer, trained.get("article"))


def replace_if_better(
    ran: Ran,
    raw_dir: Path,
    folder: Path,
    *,
    key: bytes | None = None,
    feedback: pd.DataFrame | None = None,
    say: Say = print,
) -> Ran:
    """Save the scorer, unless the one already in the folder is better on tickets that neither has learned from.

    Raises
    ------
    GateError
        The old scorer stays in place.
    """
    if (folder / "manifest.json").is_file():
        try:
            old = Scorer.load(folder, key=key)
        except ScorerError as error:
            say(f"the scorer in place can't be opened, so it is replaced ({error.what})")
        else:
            found = compare(old, ran.scorer, load_raw(raw_dir), ran.scorer.settings.gates, feedback=feedback)
            say(found.words)
            if found.worse:
                raise GateError(
                    "the scorer in place is better, so it stays",
                    where=str(folder),
                    got=found.words,
                    do="look at the report, or name another folder",
                )
    return changed(ran, scorer=ran.scorer.save(folder, key=key))
