"""A worker over a broker in memory with a real scorer, and a stream of its own on Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from made_redis import RedisServer
from unit.serving.stream.bench import Bench
from unit.serving.stream.redis_stream import RedisStream, redis_stream


@pytest.fixture
def bench(scorer: Path, tmp_path: Path) -> Bench:
    """See `Bench`."""
    return Bench(scorer, tmp_path)


@pytest.fixture
def stream(redis_server: RedisServer) -> Iterator[RedisStream]:
    """An empty stream on the Redis server that all tests share."""
    with redis_stream(redis_server) as made:
        yield made
