"""The code on the pages that people read runs, in order, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: str) -> list[tuple[str, str, str]]:
    """Fenced blocks of a page: language, file name or "", text. `bash` and `python` are run, files are written."""
    return [(m[1], m[2] or "", m[3]) for m in BLOCK.finditer((ROOT / page).read_text("utf-8"))]


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", ["README.md", "docs/tutorial.md", "docs/as-of.md", "docs/open-tickets.md", "docs/ledger.md"]
)
def test_the_code_on_the_page_runs(page: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    ran = 0
    for language, file, text in blocks(page):
        if file:
            (tmp_path / file).write_text(text, "utf-8")
            continue
        if language not in ("bash", "python"):
            continue
        command = ["bash", "-euo", "pipefail", "-c", text] if language == "bash" else [sys.executable, "-c", text]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=1200)
        assert done.returncode == 0, f"{page}:\n{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        ran += 1
    assert ran >= 2
