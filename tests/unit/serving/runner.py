"""Runs batches in forked children and kills them: one JSON job a line in, one JSON answer a line out.

A fork costs milliseconds where a fresh Python costs seconds, and SIGKILL is the real one.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from unit.serving.standin import StandIn, made_intake

from pipeline.errors import TriageError
from pipeline.serving.batch import Settings, score_file
from pipeline.serving.faults import VARIABLE

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def run(job: dict[str, Any]) -> int:
    """Run one job; the exit code that the command would give."""
    if "limit" in job:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["limit"], job["limit"]))
    settings = Settings(force=job.get("force", False))
    scorer = StandIn(job.get("version", "standin-1"), pause=job.get("pause", 0.0))
    try:
        intake = made_intake(Path(job["source"]), chunk_rows=job.get("chunk_rows", 6))
        score_file(intake, Path(job["out"]), scorer, now=NOW, settings=settings)
    except TriageError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def child(job: dict[str, Any]) -> dict[str, Any]:
    """Fork, perhaps kill, wait; the exit code (or minus the signal), seconds, and the peak of memory."""
    begun = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        if "kill_at" in job:
            os.environ[VARIABLE] = job["kill_at"]
        code = 3
        try:
            code = run(job)
        finally:
            os._exit(code)
    if "kill_after" in job:
        time.sleep(job["kill_after"])
        os.kill(pid, signal.SIGKILL)
    _, status, used = os.wait4(pid, 0)
    seconds = time.perf_counter() - begun
    return {"code": os.waitstatus_to_exitcode(status), "seconds": seconds, "peak_kilobytes": used.ru_maxrss}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(child(json.loads(line))), flush=True)
