"""A small process that watches the worker: one that died of a message, or hung, is started again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from pipeline.serving.telling import Tell

WAITS = (0.2, 30.0)
"""Seconds before a worker is started again: at first, and at most; doubled with each that dies young."""

YOUNG_SECONDS = 60.0
"""A worker that has lived so long has not died of how it was started."""

_ENDS = (signal.SIGTERM, signal.SIGINT)


def watched(tell: Tell) -> int | None:
    """Go on in a child, and watch over it here.

    Returns
    -------
    int or None
        In the child None: do the work. In the parent, once a child has ended by itself, its exit code.
    """
    watcher = _Watcher()
    wait = WAITS[0]
    while True:
        begun = time.monotonic()
        pid = watcher.fork()
        if pid == 0:
            return None
        code = watcher.wait(pid)
        if watcher.asked and -code in _ENDS:  # it was still starting, and has nothing to finish
            return 0
        if code >= 0 or watcher.asked:
            return code if code >= 0 else 128 - code
        tell("worker_died", signal=signal.Signals(-code).name)
        wait = WAITS[0] if time.monotonic() - begun > YOUNG_SECONDS else wait
        if watcher.sleep(wait):
            return 0
        wait = min(2 * wait, WAITS[1])


class _Watcher:
    """Passes signals on to the child."""

    def __init__(self) -> None:
        self.asked = False
        self.child: int | None = None
        self._before: dict[signal.Signals, Callable[..., object] | int | None] = {}

    def fork(self) -> int:
        """As `os.fork`; in the child signals are as they were."""
        blocked = {*_ENDS, signal.SIGHUP}
        signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
        try:
            self.child = os.fork()
            if self.child == 0:
                for number, handler in self._before.items():
                    signal.signal(number, handler)
            elif not self._before:
                self._before = {n: signal.getsignal(n) for n in (*_ENDS, signal.SIGHUP)}
                for number in self._before:
                    signal.signal(number, self._pass_on)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
        return self.child

    def wait(self, pid: int) -> int:
        """The child's exit code, or minus the signal that ended it."""
        _, status = os.waitpid(pid, 0)
        self.child = None
        return os.waitstatus_to_exitcode(status)

    def sleep(self, seconds: float) -> bool:
        """Wait; whether the end was asked for meanwhile."""
        until = time.monotonic() + seconds
        while not self.asked and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))
        return self.asked

    def _pass_on(self, number: int, frame: object) -> None:
        self.asked = self.asked or number in _ENDS
        if self.child:
            with suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(self.child, number)
