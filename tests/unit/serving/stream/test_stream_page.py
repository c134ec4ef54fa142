"""docs/stream.md takes ops from nothing to a running worker and a dead letter; its tables name what there is."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from ports import free_port

from pipeline.serving.stream.metrics import Tallied
from pipeline.serving.stream.scoring import Scoring
from pipeline.serving.stream.tally import Tally

ROOT = Path(__file__).resolve().parents[4]
PAGE = (ROOT / "docs" / "stream.md").read_text("utf-8")
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.slow
@pytest.mark.skipif(
    not all(map(shutil.which, ("curl", "redis-server", "redis-cli"))), reason="no curl or Redis server is installed"
)
def test_the_page_goes_from_nothing_to_a_dead_letter_tried_again(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    ports = {"6379": str(free_port()), "9100": str(free_port())}
    said = []
    try:
        for text in BLOCK.findall(PAGE):
            for usual, free in ports.items():
                text = text.replace(usual, free)
            command = ["bash", "-euo", "pipefail", "-c", text]
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
            said.append(done.stdout)
    finally:
        for name in ("stream.pid", "redis.pid"):
            with suppress(OSError, ValueError):
                os.kill(int((tmp_path / name).read_text()), signal.SIGKILL)
    played, dead, stopped = said[2:]
    results = int(re.search(r"triage_stream_results_total ([\d.]+)", played)[1].partition(".")[0])  # type: ignore[index]
    assert results > 20 and '"scorer_version"' in played
    assert "unreadable_record" in dead and "1 message sent again" in dead and "It le" not in dead
    assert re.search(r"stopped: messages \d+, results \d+", stopped), stopped
    assert not re.search(r"^(fault|away|worker_died)", stopped, re.MULTILINE), stopped


def test_every_metric_stands_on_the_page() -> None:
    tally = Tally(lag=0)
    names = {family.name for family in Tallied(tally, Scoring(None, pd.Timestamp.now)).collect()}
    assert len(names) > 12
    assert not [name for name in sorted(names) if f"`{name}`" not in PAGE]


def test_every_event_of_the_log_stands_on_the_page() -> None:
    folder = ROOT / "pipeline" / "serving" / "stream"
    code = "\n".join(p.read_text("utf-8") for p in [*folder.glob("*.py"), ROOT / "pipeline" / "cli" / "stream.py"])
    told = set(re.findall(r"\btell\(\s*\"(\w+)\"", code))
    assert told >= {"ready", "owns", "taking", "away", "stopped", "worker_died"}
    assert not [name for name in told if f"`{name}`" not in PAGE]
