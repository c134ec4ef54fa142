"""What takes long to make is made once a run of the tests: by one of the workers, for all of them."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Maker = Callable[[Path], object]


def made_once(factory: pytest.TempPathFactory, wanted: str, makers: Mapping[str, Maker]) -> Path:
    """Folder of the wanted one, not to be written to.

    While another worker makes it, this one makes those of the others that nobody makes yet.

    Parameters
    ----------
    makers : mapping of str to callable
        Name (its own in the whole suite) → what fills a folder that isn't there yet.
    """
    base = factory.getbasetemp()
    top = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    for name in (wanted, *makers):
        if _made(top / f"once-{name}", makers[name], wait=False) and name == wanted:
            break
    _made(top / f"once-{wanted}", makers[wanted], wait=True)
    return top / f"once-{wanted}"


def _made(folder: Path, make: Maker, *, wait: bool) -> bool:
    """Whether it is there now."""
    done = folder.with_suffix(".done")
    with folder.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of one that failed
            make(folder)
            done.touch()
    return True
