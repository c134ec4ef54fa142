"""What a door that goes on for months says on its log: events by name, and where a fault arose; never a ticket."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from os import sep
from types import TracebackType

Tell = Callable[..., None]
"""Told an event's name and plain values, for the log."""


def place_of(trace: TracebackType | None) -> str:
    """Innermost line of our own code in a traceback, as file:line."""
    ours = [f for f in traceback.extract_tb(trace) if f"{sep}pipeline{sep}" in f.filename]
    if not ours:
        return "outside the package"
    return f"{ours[-1].filename.rpartition(f'{sep}pipeline{sep}')[2]}:{ours[-1].lineno}"
