"""Standard output for people: one width where it is no terminal, and quiet where its reader has had enough."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_WITHOUT_A_TERMINAL = 132


def console() -> Console:
    """Where tables are printed; a pipe that was closed early ends the command with 0, as `triage score` does."""
    from rich.console import Console

    class Quiet(Console):
        def on_broken_pipe(self) -> NoReturn:
            # Python flushes standard output once more as it ends, and would complain there.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(0)

    return Quiet(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_A_TERMINAL, highlight=False)
