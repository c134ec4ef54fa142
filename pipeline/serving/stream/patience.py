"""How long a batch may take before the system ends its process; the wait for a database doesn't count."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hurried(seconds: float) -> Iterator[None]:
    """Let the system end this process if it isn't back by then: nothing in it may be able to any more."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def unhurried() -> Iterator[None]:
    """Stop the clock: a database that doesn't answer is away for all messages, and no message's fault."""
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        yield
    finally:
        if left:
            signal.setitimer(signal.ITIMER_REAL, left)
