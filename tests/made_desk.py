"""A small generated helpdesk (synthetic) and a scorer trained on its first part, in the quickest way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config import Encoder, Escalation, Gates, Params, Priority, Topic
from pipeline.scorer import Scorer
from pipeline.sources.raw import Raw, load_raw
from pipeline.sources.sample import generate, write
from pipeline.training.run import Ran, run

QUICK = replace(
    Params(),
    encoder=Encoder(name="none"),
    topic=Topic(candidates=("words",), regularisation=(0.3,)),
    priority=Priority(candidates=("words",)),
    escalation=Escalation(candidates=("words",)),
    gates=Gates(enabled=False),
)


@dataclass(frozen=True)
class Desk:
    """A helpdesk and what was trained on its oldest tickets."""

    raw_dir: Path
    raw: Raw
    ran: Ran
    scorer: Scorer
    folder: Path


def made_desk(top: Path, *, tickets: int = 1_000, trained: int = 600) -> Desk:
    """Generate, train on the oldest tickets, and save under a folder."""
    write(generate(seed=5, tickets=tickets, days=200), top / "raw")
    raw = load_raw(top / "raw")
    cut = raw.tickets["created_at"].sort_values().iloc[trained]
    ran = run(top / "raw", QUICK, test_from=cut, say=quiet)
    scorer = ran.scorer.save(top / "scorer")
    return Desk(top / "raw", raw, replace(ran, scorer=scorer), scorer, top / "scorer")


def quiet(line: str) -> None:
    """Say nothing."""
