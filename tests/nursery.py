"""Starts `triage` in forked children, where all is imported already: a fork takes milliseconds, a new Python seconds.

One JSON job a line in, one JSON answer a line out. The children are processes like any other: they have their own
signals, files and end.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any


class Child:
    """A started command, as `subprocess.Popen` would show it."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.nursery, self.pid, self.code = nursery, pid, None

    def poll(self) -> int | None:
        """The exit code, None while it runs; a negative signal where one ended it."""
        if self.code is None:
            self.code = self.nursery.ask(poll=self.pid)
        return self.code

    def wait(self, seconds: float) -> int:
        """The exit code, once it has ended."""
        until = time.monotonic() + seconds
        while self.poll() is None:
            if time.monotonic() > until:
                raise TimeoutError(f"process {self.pid} doesn't end")
            time.sleep(0.01)
        assert self.code is not None
        return self.code

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The process that forks."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(Path(__file__))]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def start(self, words: list[str], *, cwd: Path, log: Path, environment: Mapping[str, str] | None = None) -> Child:
        """Run `triage WORDS` in a folder, with more variables than here; what it says goes to a file."""
        variables = {**os.environ, **(environment or {})}
        return Child(self, self.ask(words=words, cwd=str(cwd), log=str(log), environment=variables))

    def ask(self, **job: Any) -> Any:
        """One job."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """End it; it ends its children."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


@cache
def nursery() -> Nursery:
    """The one of this process."""
    made = Nursery()
    atexit.register(made.close)
    return made


def _run(job: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update({**job["environment"], "OMP_NUM_THREADS": "1"})
    sys.argv = ["triage", *job["words"]]
    from pipeline.cli.app import main

    try:
        main()
    except SystemExit as ended:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(ended.code or 0))
    finally:
        os._exit(70)


def _poll(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _main() -> None:
    import pipeline.cli.app
    import pipeline.serving.http.server
    import pipeline.serving.stream.worker  # noqa: F401

    running = set[int]()
    for line in sys.stdin:
        job = json.loads(line)
        if "poll" in job:
            answer = _poll(job["poll"])
            running -= {job["poll"]} if answer is not None else set()
        else:
            answer = _run(job)
            running.add(answer)
        print(json.dumps(answer), flush=True)
    for pid in running:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    _main()
