"""A file of results: appended to by one worker at a time, each result once as far as a crash can repeat it."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import BrokerError, OutputError
from pipeline.serving.faults import point
from pipeline.serving.stream.appended_file import last_end, mend, opened, reaching
from pipeline.serving.stream.transport import Result, TakenError, Written
from pipeline.tickets.files import append, is_named

REMEMBERED = 20_000
"""Keys that are known: those of the file's last so many lines, and of what is written. Only a batch can be written and
not acknowledged, and none has as many results."""

_TAIL_BYTES = 128 << 20


class ResultFile:
    """An `Outlet`. A file that is there already is continued.

    A worker that was killed after its results were written and before they were acknowledged writes them again; those
    are told apart by their keys, and dropped. Where a write fails nothing of it stays.

    Parameters
    ----------
    path : Path
    shown : str
        How errors call it.
    """

    def __init__(self, path: Path, shown: str) -> None:
        self._path, self._shown = path, shown
        self._handle: int | None = None
        self._keys: dict[str, None] = {}

    def own(self, tokens: Mapping[int, int]) -> None:
        """Lock the file, or let it go where no partition is owned any more."""
        if tokens:
            self._open()
        else:
            self.close()

    def write(self, results: Sequence[Result]) -> Written:
        """Append those whose keys aren't known; they are on the disk when this returns."""
        handle = self._open()
        new: dict[str, bytes] = {}
        for result in results:
            if result.key not in self._keys:
                new.setdefault(result.key, result.value)
        if new:
            try:
                with reaching(self._shown, "results can't be written"):
                    append(handle, b"".join(value + b"\n" for value in new.values()))
            except BrokerError:
                self.close()  # what the file holds is read again before the next attempt
                raise
        self._remember(new)
        point("results_kept")
        return Written(len(new), len(results) - len(new))

    def close(self) -> None:
        """Let the next worker have it."""
        if self._handle is not None:
            os.close(self._handle)
        self._handle = None

    def _open(self) -> int:
        if self._handle is not None:
            if is_named(self._handle, self._path):
                return self._handle
            self.close()  # it was moved aside: results go on in a new one
        with reaching(self._shown, "results can't be written"):
            handle = opened(self._path, wait=False)
        if handle is None:
            do = "wait until it ends, or name another file"
            raise TakenError("another process writes these results", where=self._shown, do=do)
        try:
            with reaching(self._shown, "results can't be written"):
                keys, ours = _read(handle)
                torn = os.pread(handle, 1, last_end(handle))
                if not ours or torn not in (b"", b"{", b"\0"):
                    # A file that was named by mistake is neither continued nor cut.
                    do = "name a new file, or one that `triage stream` has written"
                    raise OutputError("the file holds something else than results", where=self._shown, do=do)
                mend(handle, lambda line: _key(line) is not None)
        except BaseException:
            os.close(handle)
            raise
        self._remember(keys)
        self._handle = handle
        return handle

    def _remember(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._keys.pop(key, None)
            self._keys[key] = None
        for key in list(self._keys)[: max(0, len(self._keys) - REMEMBERED)]:
            del self._keys[key]


def _read(handle: int) -> tuple[list[str], bool]:
    """Keys of the last results, a torn one's too; and whether the last whole line is a result, or there is none."""
    keys: deque[str] = deque(maxlen=REMEMBERED)
    ours, start = True, max(0, os.fstat(handle).st_size - _TAIL_BYTES)
    with open(handle, "rb", closefd=False) as stream:
        stream.seek(start)
        if start:
            stream.readline()  # the rest of a line
        for line in stream:
            key = _key(line)
            keys.extend([] if key is None else [key])
            ours = key is not None if line.endswith(b"\n") else ours
    return list(keys), ours


def _key(line: bytes) -> str | None:
    """The key of a whole result; None of anything else."""
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    key = found.get("key") if isinstance(found, dict) else None
    return key if isinstance(key, str) else None
