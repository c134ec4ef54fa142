"""The small process that watches a worker, and a worker that nobody watches."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from unit.serving.stream.bench import Bench

_STARTING = """
import sys, time
from pipeline.serving.stream.watching import watched
code = watched(lambda event, **values: print(event, values, flush=True))
if code is None:
    print("begun", flush=True)
    time.sleep(60)
sys.exit(code)
"""


def test_sigterm_while_the_worker_still_starts_is_no_fault() -> None:
    with subprocess.Popen([sys.executable, "-c", _STARTING], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0 and process.stdout.read() == ""


def test_a_worker_ends_when_nobody_watches_it_any_more(bench: Bench) -> None:
    bench.broker.put({"ticket_id": "t1", "subject": "It leaks"})
    worker = bench.worker()
    worker.parent = -1
    worker.run()
    assert bench.broker.waiting


def test_one_that_was_never_watched_outlives_its_parent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.broker.put({"ticket_id": "t1", "subject": "It leaks"})
    worker = bench.worker()
    monkeypatch.setattr(os, "getppid", lambda: 1)
    worker.run()
    assert not bench.broker.waiting
