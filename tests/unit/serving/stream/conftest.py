"""A stream of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from made_redis import RedisServer
from unit.serving.stream.redis_stream import RedisStream, redis_stream


@pytest.fixture
def stream(redis_server: RedisServer) -> Iterator[RedisStream]:
    """An empty stream on the Redis server that all tests share."""
    with redis_stream(redis_server) as made:
        yield made
