"""A file of JSON lines that is appended to: whole lines or nothing, and what a crash cut off is mended first."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import BrokerError
from pipeline.tickets.files import append, ended, is_named, sync_folder

_PIECE = 1 << 20


@contextmanager
def reaching(where: str, what: str = "the file can't be written") -> Iterator[None]:
    """Turn a failed call of the system into a `BrokerError` that says what to do: the worker tries again by itself."""
    try:
        yield
    except OSError as error:
        got = os.strerror(error.errno) if error.errno else type(error).__name__
        do = "make room, or check the folder and its permissions; it goes on by itself"
        raise BrokerError(what, where=where, got=got, do=do) from error


def opened(path: Path, *, wait: bool, mode: int = 0o666) -> int | None:
    """A handle of the file under this name, made where there is none, which nobody else has locked.

    Parameters
    ----------
    wait : bool
        Wait for whoever has it; without this: None where somebody has.

    Raises
    ------
    OSError
    """
    while True:
        new = not path.exists()
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, mode)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if is_named(handle, path):  # else it was moved or replaced while we waited for it
                if new:
                    sync_folder(path.parent)
                return handle
        except BlockingIOError:
            os.close(handle)
            return None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


@contextmanager
def held(path: Path, *, mode: int = 0o666) -> Iterator[int]:
    """The same for a moment: whoever has the file is waited for."""
    handle = opened(path, wait=True, mode=mode)
    assert handle is not None
    try:
        yield handle
    finally:
        os.close(handle)


def mend(handle: int, is_whole: Callable[[bytes], bool]) -> None:
    """See to it that the file ends with a line's end: a last line that is whole gets one, another is cut off.

    Raises
    ------
    OSError
    """
    if ended(handle):
        return
    begin, size = last_end(handle), os.fstat(handle).st_size
    if is_whole(os.pread(handle, size - begin, begin)):
        append(handle, b"\n")
        return
    os.ftruncate(handle, begin)
    os.fsync(handle)


def last_end(handle: int) -> int:
    """Place just after the last line's end; 0 where there is none."""
    place = os.fstat(handle).st_size
    while place:
        start = max(0, place - _PIECE)
        found = os.pread(handle, place - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        place = start
    return 0


def add_line(path: Path, lines: bytes, *, sync: bool) -> None:
    """Append lines to a file that anybody may write to: a line that another writer didn't end is no part of ours.

    Raises
    ------
    OSError
    """
    with held(path) as handle:
        append(handle, lines if ended(handle) else b"\n" + lines, sync=sync)
