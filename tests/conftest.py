"""What all tests share: the Hypothesis profile, the clock of the tests, and skips for absent extras."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from made_postgres import Postgres, running_postgres
from made_redis import RedisServer, running_redis

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

settings.register_profile(
    "triage",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
settings.load_profile("triage")

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need torch are skipped, with a reason, where the extra isn't installed."""
    if find_spec("torch") and find_spec("sentence_transformers"):
        return
    for item in items:
        if item.get_closest_marker("encoder"):
            item.add_marker(pytest.mark.skip(reason="the extra `encoder` isn't installed (ENCODER=none)"))


@pytest.fixture(scope="session")
def root() -> Path:
    """Top folder of the project."""
    return ROOT


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis server: each test has a stream of its own there, and leaves it running."""
    with running_redis() as server:
        yield server


@pytest.fixture(params=["file", "server"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty store may lie: in a file, then on the server."""
    if request.param == "file":
        return f"sqlite:///{tmp_path}/history.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database("unit")
