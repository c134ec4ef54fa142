"""A PostgreSQL server, and a store in a file or on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from made_history import MANY
from made_postgres import Postgres, running_postgres

from pipeline.history.store import Store, open_store


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["file", "server"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "file":
        return f"sqlite:///{tmp_path}/history.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database("unit")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(url, MANY) as opened:
        yield opened
