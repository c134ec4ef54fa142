"""A small generated helpdesk with a scorer trained on it, and two ways to run the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_report import made_up
from once import made_once
from served import small_desk

from pipeline.cli.app import main
from pipeline.tracking.session import is_installed
from pipeline.training.report_files import report_files

KEY = b"a key of these tests"
Call = Callable[..., tuple[int, str, str]]
Shell = Callable[..., "subprocess.CompletedProcess[str]"]


def _signed_desk(folder: Path) -> None:
    small_desk(folder, tickets=500, days=200, key=KEY)
    (folder / "key").write_bytes(KEY)


@pytest.fixture(scope="session")
def helpdesk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small generated helpdesk, and a signed scorer trained on it in the quickest way."""
    return made_once(tmp_path_factory, "model-helpdesk", {"model-helpdesk": _signed_desk})


@pytest.fixture(scope="session")
def small_raw(helpdesk: Path) -> Path:
    """RAW_DIR of the small helpdesk."""
    return helpdesk


@pytest.fixture(scope="session")
def small_scorer(helpdesk: Path) -> Path:
    """Folder of the scorer trained on it, signed with `KEY`; not to be written to."""
    return helpdesk / "scorer"


@pytest.fixture(scope="session")
def tracked(small_raw: Path, small_scorer: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A training and an evaluation, tracked in a new store by a process of its own; what it said and where it lies."""
    if not is_installed():  # it also imports MLflow, quietly: by itself it warns of its own type hints
        pytest.skip("the extra `tracking` isn't installed")
    top = tmp_path_factory.mktemp("tracked")
    folder, report, cwd = top / "store", top / "report", top / "cwd"
    cwd.mkdir()
    report_files(made_up(), report)
    uri = f"sqlite:///{folder}/runs.db"
    tests = Path(__file__).parents[1]
    script = [sys.executable, str(tests / "model" / "tracked.py"), str(small_raw), str(small_scorer), str(report), uri]
    done = subprocess.run([*script, str(top / "found.json")], cwd=cwd, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((top / "found.json").read_text("utf-8"))
    figures = json.loads((report / "metrics.json").read_text("utf-8"))
    more = {"said": (done.stdout, done.stderr), "uri": uri, "folder": folder, "report": report, "cwd": cwd}
    return found | more | {"figures": figures, "scorer": small_scorer}


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Run the command in this process: exit code, standard output, standard error."""

    def ask(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["triage", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return ask


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Run a command line as people type it, in an empty folder; `triage` is the one of this environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def ask(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        settings = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", **environment}
        line = ["bash", "-c", command]
        return subprocess.run(line, cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=600)

    return ask
