"""A small scorer, and a process that runs batches in forked children, shared by the tests of one file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from once import made_once
from served import small_desk
from unit.serving.runner import Runner, started


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    with started(tmp_path_factory.mktemp("runner")) as ask:
        yield ask


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RAW_DIR of a small helpdesk, its scorer in `scorer`; not to be written to."""
    return made_once(tmp_path_factory, "served-desk", {"served-desk": small_desk})


@pytest.fixture(scope="session")
def scorer(desk: Path) -> Path:
    """Folder of a scorer; not to be written to."""
    return desk / "scorer"
