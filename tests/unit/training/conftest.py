"""A small helpdesk with a scorer, and what is said of it: once with its training, once on later tickets."""

from __future__ import annotations

import pytest
from made_desk import Desk, made_desk, quiet

from pipeline.pages.report import Report
from pipeline.training.evaluate import evaluate
from pipeline.training.report_of_run import report_of_run


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return made_desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="session")
def evaluated(desk: Desk) -> Report:
    return evaluate(desk.raw_dir, desk.scorer, where=desk.folder, say=quiet)


@pytest.fixture(scope="session")
def rehearsed(desk: Desk) -> Report:
    return report_of_run(desk.ran, folders=(desk.folder, desk.raw_dir))
