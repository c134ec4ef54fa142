"""The public names, and what importing them costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "mlflow", "sklearn", "sentence_transformers", "transformers", "scipy", "dvc"}

SHOW_MODULES = """
import atexit, json, runpy, sys
atexit.register(lambda: print("MODULES" + json.dumps(sorted({m.partition(".")[0] for m in sys.modules}))))
"""


def loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", SHOW_MODULES + code], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    return set(json.loads(done.stdout.rpartition("MODULES")[2]))


def test_the_public_names_are_these() -> None:
    assert pipeline.__all__ == ["Params", "Scorer", "TriageError", "__version__", "load_params"]
    for name in pipeline.__all__:
        assert getattr(pipeline, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Triager'"):
        _ = pipeline.Triager


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not loaded_by("import pipeline") & (HEAVY | {"pandas", "numpy", "pyarrow", "typer"})


@pytest.mark.parametrize(
    "code",
    [
        "sys.argv = ['triage', '--help']; from pipeline.cli.app import main; main()",
        "sys.argv = ['triage', '--help']; runpy.run_module('pipeline', run_name='__main__')",
        "sys.argv = ['triage', 'score', '--help']; from pipeline.cli.app import main; main()",
    ],
    ids=["triage --help", "python -m pipeline --help", "triage score --help"],
)
def test_help_loads_nothing_heavy(code: str) -> None:
    assert not loaded_by(code) & (HEAVY | {"pandas", "numpy", "pyarrow"})


def run(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


def test_the_command_is_installed_and_says_its_version() -> None:
    done = subprocess.run([str(Path(sys.executable).parent / "triage"), "--version"], capture_output=True, text=True)
    assert done.stdout.strip() == f"triage {pipeline.__version__}"


def test_a_wrong_option_exits_with_2_and_no_traceback() -> None:
    done = run("score", "--no-such-option")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_fault_that_the_user_can_mend_is_one_message_and_exit_2(tmp_path: Path) -> None:
    done = run("score", str(tmp_path / "absent.csv"), str(tmp_path / "out.csv"), "--scorer", str(tmp_path / "none"))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_the_traceback_is_shown_on_request(tmp_path: Path) -> None:
    done = run(
        "score", str(tmp_path / "absent.csv"), str(tmp_path / "o.csv"), "--scorer", str(tmp_path), TRIAGE_TRACEBACK="1"
    )
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert "error: " in done.stderr
