"""The stages of dvc.yaml: one verb each, and a fresh clone without a remote runs them all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from pipeline.config import Params, as_dict

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]


def test_the_stages_are_those_of_a_training() -> None:
    assert list(STAGES) == ["prepare", "featurize", "train", "assemble", "evaluate"]
    assert {"topic", "priority", "escalated"} <= set(STAGES["train"]["foreach"])


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_one_verb_one_function_and_one_file_of_its_name(name: str) -> None:
    stage = STAGES[name].get("do", STAGES[name])
    assert re.match(rf"triage {name}\b", stage["cmd"])
    assert "\n" not in stage["cmd"] and "&&" not in stage["cmd"] and ";" not in stage["cmd"]
    assert f"def {name}(" in (ROOT / "pipeline" / "training" / f"{name}.py").read_text("utf-8")


def test_every_section_of_the_settings_is_a_dependency_of_some_stage() -> None:
    watched = {p for stage in STAGES.values() for p in stage.get("do", stage).get("params", [])}
    assert watched == set(as_dict(Params()))


@pytest.mark.slow
def test_a_fresh_clone_without_a_remote_reproduces_all_stages(tmp_path: Path) -> None:
    if not find_spec("dvc"):
        pytest.skip("the extra `dvc` isn't installed")
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", f"file://{ROOT}", str(clone)], check=True)
    settings = clone / "params.yaml"
    text = settings.read_text("utf-8")
    assert "  name: minilm\n" in text
    settings.write_text(text.replace("  name: minilm\n", "  name: none\n"), "utf-8")
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}

    def repro() -> str:
        done = subprocess.run(
            [str(BIN / "dvc"), "repro"], cwd=clone, env=environment, capture_output=True, text=True, timeout=1200
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    repro()
    assert (clone / "models" / "scorer" / "manifest.json").is_file()
    assert (clone / "models" / "report" / "index.html").is_file()
    assert "Running stage" not in repro()
