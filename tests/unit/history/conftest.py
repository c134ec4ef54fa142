"""A store in a file, or on a server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from made_history import MANY

from pipeline.history.store import Store, open_store


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(url, MANY) as opened:
        yield opened
