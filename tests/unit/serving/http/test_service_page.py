"""docs/service.md takes a reader from nothing to a scored ticket; its tables name what there is."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from ports import free_port
from served import ticket

from pipeline.serving.http.metrics import Metrics
from pipeline.sources.reader import TableReader
from pipeline.tickets.json_records import record_of

ROOT = Path(__file__).resolve().parents[4]
PAGE = (ROOT / "docs" / "service.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl is installed")
def test_the_page_goes_from_nothing_to_a_scored_ticket(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    shutil.copy(ROOT / "docs" / "client.py", tmp_path)
    port = str(free_port())
    try:
        for language, text in BLOCK.findall(PAGE):
            if language not in ("bash", "python"):
                continue
            text = text.replace("8000", port)
            command = ["bash", "-euo", "pipefail", "-c", text] if language == "bash" else [sys.executable, "-c", text]
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    finally:
        with suppress(OSError, ValueError):
            os.kill(int((tmp_path / "serve.pid").read_text()), signal.SIGKILL)
    scored = json.loads((tmp_path / "scored.json").read_text("utf-8"))
    assert (scored["ticket_id"], scored["logged"], scored["error"]) == ("4711", True, None)
    assert (tmp_path / "key.txt").read_text().strip() not in (tmp_path / "serve.log").read_text()


def test_the_webhook_template_is_a_ticket() -> None:
    (template,) = re.findall(r"^```json zendesk\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    filled = re.sub(r"\{\{ticket\.created_at_with_timestamp\}\}", "2026-03-02T12:00:00Z", template)
    sent = json.loads(re.sub(r"\{\{[\w.]+\}\}", "x", filled))
    read = TableReader(None).tickets_of([record_of(sent, 100)], "request")
    assert read["error"].isna().all()
    assert read.drop(columns=["source", "error", "customer_keys", "language"]).notna().all(axis=None)
    assert set(ticket()) <= set(sent)


def test_every_metric_and_status_stands_on_the_page() -> None:
    names = {family.name for family in Metrics().registry.collect() if family.name.startswith("triage_")}
    names |= {"triage_tickets_in_flight", "triage_bytes_in_flight"}
    assert len(names) > 10
    assert not [name for name in sorted(names) if f"`{name}" not in PAGE]


def test_every_event_of_the_log_stands_on_the_page() -> None:
    code = "\n".join(p.read_text("utf-8") for p in (ROOT / "pipeline" / "serving" / "http").glob("*.py"))
    told = set(re.findall(r"\btell\(\s*\"(\w+)\"", code))
    assert told >= {"listening", "ready", "reloaded", "refused", "fault", "draining", "stopped", "keys_refused"}
    assert not [name for name in told if f"`{name}`" not in PAGE]


def test_every_status_of_the_description_stands_on_the_page() -> None:
    from pipeline.serving.http.openapi import spec

    statuses = {s for path in spec()["paths"].values() for one in path.values() for s in one["responses"]}
    assert not [status for status in statuses if not re.search(rf"\b{status}\b", PAGE)]


def test_the_client_is_typed() -> None:
    mypy = Path(sys.executable).with_name("mypy")
    if not mypy.exists():
        pytest.skip("mypy isn't installed")
    command = [str(mypy), "--strict", "--follow-imports=silent", "--no-error-summary", str(ROOT / "docs" / "client.py")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout
