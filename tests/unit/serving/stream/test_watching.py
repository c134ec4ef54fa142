"""Who watches the worker: it is started again when it dies, and ends when that is asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from unit.serving.stream.bench import Bench

SCRIPT = """
import os, signal, sys, time
from pipeline.serving.stream.watching import watched

code = watched(lambda event, **said: print(event, said["signal"], flush=True))
if code is not None:
    sys.exit(code)
if sys.argv[1] == "listens":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("works", os.getpid(), flush=True)
time.sleep(60)
"""


@pytest.fixture(params=["listens", "starts"])
def watcher(request: pytest.FixtureRequest) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, request.param], stdout=subprocess.PIPE, text=True)


def test_a_worker_that_is_asked_to_end_ends_well_also_while_it_still_starts(watcher: subprocess.Popen[str]) -> None:
    assert watcher.stdout is not None and watcher.stdout.readline().startswith("works")
    watcher.send_signal(signal.SIGTERM)
    assert watcher.wait(30) == 0
    watcher.stdout.close()


def test_a_worker_that_was_killed_is_started_again(watcher: subprocess.Popen[str]) -> None:
    assert watcher.stdout is not None
    first = int(watcher.stdout.readline().split()[1])
    os.kill(first, signal.SIGKILL)
    assert watcher.stdout.readline() == "worker_died SIGKILL\n"
    second = int(watcher.stdout.readline().split()[1])
    assert second != first
    time.sleep(0.05)
    watcher.send_signal(signal.SIGTERM)
    assert watcher.wait(30) == 0
    watcher.stdout.close()


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
