"""A process that runs batches in forked children, shared by the tests of one file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from unit.serving.runner import Runner, started


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    with started(tmp_path_factory.mktemp("runner")) as ask:
        yield ask
