"""One service that all tests of a file share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra `http` isn't installed")

import httpx2
from served import Served, serving


@pytest.fixture(scope="module")
def served(scorer: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A running service."""
    with serving(scorer, tmp_path_factory.mktemp("serve")) as running:
        yield running


@pytest.fixture
def client(served: Served) -> Iterator[httpx2.Client]:
    """A client of it."""
    with served.client() as made:
        yield made
