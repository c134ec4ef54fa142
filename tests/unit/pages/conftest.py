"""Reports to draw: one with every section filled."""

from __future__ import annotations

import pytest
from made_report import made_up

from pipeline.pages.report import Report


@pytest.fixture(scope="session")
def filled() -> Report:
    return made_up()
