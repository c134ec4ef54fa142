"""Messages in the order of time, however they come: kept in a temporary file, with only their places in memory."""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Literal

import numpy as np

from pipeline.errors import OutputError
from pipeline.history.log import NEVER

Kind = Literal["ticket", "event"]
_KINDS: tuple[Kind, ...] = ("ticket", "event")


@dataclass(frozen=True, slots=True)
class Moment:
    """One message, and when it was first known.

    Attributes
    ----------
    at : int
        Microseconds since 1970; `NEVER` where nothing before it in its source had a time.
    kind : {'ticket', 'event'}
    key : str
        The ticket's id.
    value : bytes
    """

    at: int
    kind: Kind
    key: str
    value: bytes


@dataclass
class Timeline:
    """Takes messages in any order, and gives them in the order of time; of one moment, in that in which they came.

    It needs 25 bytes of memory for each message, and a temporary file as large as all of them together, which nobody
    else can open, and which is gone when the process ends.
    """

    _file: IO[bytes]
    _times: array[int] = field(default_factory=lambda: array("q"))
    _begins: array[int] = field(default_factory=lambda: array("q", [0]))
    _keys: array[int] = field(default_factory=lambda: array("q"))
    _kinds: array[int] = field(default_factory=lambda: array("b"))

    def __len__(self) -> int:
        return len(self._times)

    def add(self, moments: Sequence[Moment]) -> None:
        """Take messages.

        Raises
        ------
        OutputError
            The temporary file is full.
        """
        try:
            for one in moments:
                key = one.key.encode("utf-8", "replace")
                self._file.write(key)
                self._file.write(one.value)
                self._times.append(one.at)
                self._begins.append(self._begins[-1] + len(key) + len(one.value))
                self._keys.append(len(key))
                self._kinds.append(_KINDS.index(one.kind))
        except OSError as error:
            got, do = os.strerror(error.errno or 0), "make room there, or name another folder by TMPDIR"
            raise OutputError("no room to sort messages", where=tempfile.gettempdir(), got=got, do=do) from error

    def ordered(self) -> Iterator[Moment]:
        """All of them, the earliest first."""
        self._file.flush()
        handle = self._file.fileno()
        for place in np.argsort(np.frombuffer(self._times, dtype=np.int64), kind="stable").tolist():
            begin, end, size = self._begins[place], self._begins[place + 1], self._keys[place]
            data = os.pread(handle, end - begin, begin)
            yield Moment(self._times[place], _KINDS[self._kinds[place]], data[:size].decode(), data[size:])


@contextmanager
def new_timeline() -> Iterator[Timeline]:
    """An empty one."""
    with tempfile.TemporaryFile(prefix="triage-play-", buffering=1 << 20) as file:
        yield Timeline(file)


__all__ = ["NEVER", "Kind", "Moment", "Timeline", "new_timeline"]
