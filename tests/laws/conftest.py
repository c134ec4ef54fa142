"""Small scorers for the laws: one for each encoder, trained on the generated helpdesk (synthetic)."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from once import made_once

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
    return made_once(tmp_path_factory, "laws-raw", {"laws-raw": _raw})


@pytest.fixture(scope="session", params=ENCODERS)
def scorer(request: pytest.FixtureRequest, raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    """A trained, saved and loaded scorer."""
    name = str(request.param)
    if not _is_there(name):
        pytest.skip("the extra `encoder` isn't installed (ENCODER=none)")
    makers = {f"laws-{encoder}": partial(_trained, encoder, raw) for encoder in ENCODERS if _is_there(encoder)}
    return Scorer.load(made_once(tmp_path_factory, f"laws-{name}", makers) / "scorer")


@pytest.fixture(scope="session")
def pool(raw: Path) -> pd.DataFrame:
    """Tickets to draw from."""
    return pd.read_parquet(raw / "tickets.parquet")


def _raw(folder: Path) -> None:
    write(generate(seed=11, tickets=500, days=200), folder)


def _trained(encoder: str, raw: Path, folder: Path) -> None:
    run(raw, settings(encoder, folder / "cache"), say=lambda line: None).scorer.save(folder / "scorer")


def _is_there(encoder: str) -> bool:
    return encoder != "minilm" or bool(find_spec("torch") and find_spec("sentence_transformers"))
