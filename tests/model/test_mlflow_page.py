"""The page on MLflow: its code runs, and what it says of names and files is so."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipeline.tracking.runs import CHAMPION, REPORT_FILES

PAGE = Path(__file__).parents[2] / "docs" / "mlflow.md"


def test_the_code_on_the_page_runs(tracked: dict[str, Any], small_raw: Path, tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    shutil.copy(tracked["folder"] / "runs.db", tmp_path / "mlflow.db")
    shutil.copy(small_raw / "tickets.parquet", tmp_path)
    assert "models:/triage@" + CHAMPION in code
    code = code.replace("models:/triage@", "models:/tests@")
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=1200
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "queue_reason" in done.stdout


def test_the_page_names_the_files_and_tags_of_a_run(tracked: dict[str, Any]) -> None:
    from mlflow import MlflowClient

    text = PAGE.read_text("utf-8")
    assert all(name in text for name in REPORT_FILES)
    client = MlflowClient(tracking_uri=tracked["uri"])
    for kind in ("training", "evaluation"):
        for tag in client.get_run(tracked[kind]).data.tags:
            assert tag.startswith("mlflow.") or f"`{tag}`" in text
