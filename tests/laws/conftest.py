"""Small scorers for the laws: one for each encoder, trained on the generated helpdesk (synthetic)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from pipeline.config import Encoder, Escalation, Gates, Params, Priority, Split, Topic
from pipeline.scorer import Scorer
from pipeline.sources.sample import generate, write
from pipeline.training.run import run

ENCODERS = ("none", "static", "minilm")


def settings(encoder: str, cache: Path) -> Params:
    """Few candidates, so that training takes seconds; every kind of expert and member is among them."""
    return Params(
        encoder=Encoder(name=encoder, cache=str(cache)),
        split=Split(folds=3),
        topic=Topic(candidates=("words", "meaning", "kernel", "both", "average"), regularisation=(0.3,)),
        priority=Priority(candidates=("words",) if encoder == "none" else ("both",)),
        escalation=Escalation(candidates=("both",)),
        gates=Gates(enabled=False),
    )


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RAW_DIR of 500 generated tickets."""
    folder = tmp_path_factory.mktemp("laws") / "raw"
    write(generate(seed=11, tickets=500, days=200), folder)
    return folder


@pytest.fixture(scope="session", params=ENCODERS)
def scorer(request: pytest.FixtureRequest, raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    """A trained, saved and loaded scorer."""
    name = str(request.param)
    if name == "minilm" and not (find_spec("torch") and find_spec("sentence_transformers")):
        pytest.skip("the extra `encoder` isn't installed (ENCODER=none)")
    folder = tmp_path_factory.mktemp(f"scorer-{name}")
    made = run(raw, settings(name, folder / "cache"), say=lambda line: None).scorer
    made.save(folder / "scorer")
    return Scorer.load(folder / "scorer")


@pytest.fixture(scope="session")
def pool(raw: Path) -> pd.DataFrame:
    """Tickets to draw from."""
    return pd.read_parquet(raw / "tickets.parquet")
