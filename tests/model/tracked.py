"""Tracks a training and an evaluation as the command does, and counts what it tried to reach: run as a script."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from pipeline.config import Tracking
from pipeline.scorer import Scorer
from pipeline.tracking.runs import track_evaluation, track_training


@dataclass(frozen=True)
class Rows:
    """Stands where prepared rows stand."""

    frame: pd.DataFrame


@dataclass(frozen=True)
class Ran:
    """Stands where a training run stands."""

    prepared: Rows
    scorer: Scorer


def main(raw: Path, scorer_dir: Path, report: Path, uri: str) -> dict[str, object]:
    """Ids of both runs, and every address that a socket was asked to connect to."""
    reached: list[str] = []
    sys.addaudithook(lambda event, args: reached.append(str(args[1])) if event == "socket.connect" else None)
    scorer = Scorer.load(scorer_dir)
    settings = replace(scorer.settings, tracking=Tracking(uri=uri, experiment="tests"))
    ran = Ran(Rows(pd.read_parquet(raw / "tickets.parquet")), scorer)
    return {
        "training": track_training(ran, report, scorer_dir, settings),
        "evaluation": track_evaluation(report, scorer.version, settings, synthetic=True),
        "reached": reached,
    }


if __name__ == "__main__":
    found = main(*map(Path, sys.argv[1:4]), sys.argv[4])
    Path(sys.argv[5]).write_text(json.dumps(found), "utf-8")
