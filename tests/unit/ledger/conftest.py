"""A ledger in a file, or on a server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.ledger import Ledger, open_ledger


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with open_ledger(url, timeout_seconds=0.3) as opened:
        yield opened
