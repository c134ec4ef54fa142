"""An MLflow store of its own for these tests, made once: its tables take seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import Tracking
from pipeline.tracking.session import visit


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of an empty store."""
    folder: Path = tmp_path_factory.mktemp("store") / "deep" / "down"
    uri = f"sqlite:///{folder}/runs.db"
    with visit(Tracking(uri=uri)):
        pass
    return uri
