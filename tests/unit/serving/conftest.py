"""A process that runs batches in forked children, shared by the tests of one file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


class Runner:
    """Asks runner.py to run a job; what the children say on standard error is kept in a file."""

    def __init__(self, process: subprocess.Popen[str], errors: Path) -> None:
        self.process, self.errors = process, errors

    def __call__(self, **job: Any) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@pytest.fixture(scope="module")
def run(root, tmp_path_factory) -> Iterator[Runner]:
    command = [sys.executable, str(Path(__file__).with_name("runner.py"))]
    environment = {**os.environ, "PYTHONPATH": str(root / "tests"), "OMP_NUM_THREADS": "1"}
    errors, pipe = tmp_path_factory.mktemp("runner") / "errors.txt", subprocess.PIPE
    with (
        errors.open("w") as kept,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=kept, text=True, env=environment) as process,
    ):
        yield Runner(process, errors)
