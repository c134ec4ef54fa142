"""Without an address or without MLflow nothing is tracked, and nothing else minds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Params, Tracking
from pipeline.tracking.runs import track_evaluation, track_training, why_untracked

BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("mlflow", "mlflow_skinny"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""


def python(script: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def nothing(tmp_path: Path) -> tuple[Any, Path, Path]:
    """Arguments that would fail if they were looked at."""
    return None, tmp_path / "no-report", tmp_path / "no-scorer"


def test_without_an_address_nothing_is_tracked(tmp_path: Path) -> None:
    settings = Params(tracking=Tracking(uri=None))
    assert track_training(*nothing(tmp_path), settings) is None
    assert track_evaluation(tmp_path, "version", settings) is None
    assert why_untracked(settings) == ""


def test_without_an_address_mlflow_isnt_imported(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from pipeline.config import Params, Tracking;"
        "from pipeline.tracking.runs import track_evaluation;"
        "print(track_evaluation(Path('x'), 'v', Params(tracking=Tracking(uri=None))), 'mlflow' in sys.modules)"
    )
    assert python(script, tmp_path).split() == ["None", "False"]


def test_without_mlflow_nothing_is_tracked_and_one_line_says_why(tmp_path: Path) -> None:
    script = BLOCKED + (
        "from pathlib import Path; from pipeline.config import Params\n"
        "from pipeline.tracking.runs import track_evaluation, track_training, why_untracked\n"
        "settings = Params()\n"
        "print(track_training(None, Path('x'), Path('y'), settings), track_evaluation(Path('x'), 'v', settings))\n"
        "print(why_untracked(settings))\n"
    )
    first, second = python(script, tmp_path).splitlines()
    assert first == "None None"
    assert "triage-tickets[tracking]" in second
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["--help", "run --help", "evaluate --help"])
def test_without_mlflow_the_command_is_there(tmp_path: Path, verb: str) -> None:
    script = BLOCKED + f"from pipeline.cli.app import main\nsys.argv = ['triage', *{verb.split()!r}]\nmain()\n"
    assert "Usage" in python(script, tmp_path)
