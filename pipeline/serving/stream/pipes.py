"""Standard input and output as a stream: order, and a clean end; what was read and not written is gone with a crash."""

from __future__ import annotations

import os
import select
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from pipeline.errors import InputError, OutputError
from pipeline.serving.stream.followed_file import BATCH_BYTES, PIECE
from pipeline.serving.stream.splitter import Line, Splitter
from pipeline.serving.stream.transport import Letter, Message, Result, Written

_LONGEST_WAIT = 3_600.0


class PipeInlet:
    """An `Inlet` of one partition, without begin and end: each line comes once.

    Parameters
    ----------
    handle : int
        A file descriptor. It may be of any kind, and isn't closed here.
    """

    partitions = 1

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._splitter = Splitter()
        self._ready: deque[Line] = deque()
        self._over = False

    @property
    def ended(self) -> bool:
        """Whether every line was taken, and the writer has closed its end."""
        return self._over and not self._ready

    def tend(self) -> Mapping[int, int]:
        """Nobody else can read it."""
        return {0: 1}

    def take(self, most: int, seconds: float) -> list[Message]:
        """The next lines."""
        until = time.monotonic() + seconds
        taken: list[Message] = []
        size = 0
        while len(taken) < most:
            if not self._ready:
                if self._over or not self._read(until):
                    break
                continue
            if taken and size + len(self._ready[0].value) > BATCH_BYTES:
                break
            line = self._ready.popleft()
            size += len(line.value)
            taken.append(Message(0, str(line.begin), line.value))
        return taken

    def begin(self, messages: Sequence[Message]) -> None:
        """A pipe can't be read again: there is nothing to know."""

    def done(self, messages: Sequence[Message]) -> None:
        """They never come again anyway."""

    def lag(self) -> None:
        """Nobody knows what the writer still has."""
        return

    def close(self) -> None:
        """The descriptor isn't ours."""

    def _read(self, until: float) -> bool:
        """One piece, waited for until a moment; False where none has come."""
        left = min(max(0.0, until - time.monotonic()), _LONGEST_WAIT)
        if not select.select([self._handle], [], [], left)[0]:
            return False
        try:
            piece = os.read(self._handle, PIECE)
        except BlockingIOError:  # another reader was quicker
            return time.monotonic() < until
        except OSError as error:
            got = os.strerror(error.errno or 0)
            raise InputError("standard input can't be read", where="-", got=got) from error
        self._over = not piece
        self._ready.extend(self._splitter.lines(piece) if piece else self._splitter.rest())
        return True


class PipeOutlet:
    """An `Outlet`: every result is with the reader's end once it is written."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def own(self, tokens: Mapping[int, int]) -> None:
        """A pipe has one writer."""

    def write(self, results: Sequence[Result]) -> Written:
        """Write results.

        Raises
        ------
        OutputError
            Nobody reads them any more.
        """
        send(self._handle, b"".join(result.value + b"\n" for result in results))
        return Written(len(results))

    def close(self) -> None:
        """The descriptor isn't ours."""


class PipeDead:
    """`DeadLetters` of a pipe: none are kept, as there is no place for them, and nowhere to send them again.

    The message has its coded result all the same; whoever needs letters names a file for them.
    """

    def add(self, letters: Sequence[Letter]) -> None:
        """Do nothing."""

    def letters(self) -> Iterator[Letter]:
        """None."""
        return iter(())

    def retry(self, letter: Letter) -> None:
        """Refuse.

        Raises
        ------
        InputError
            Always.
        """
        raise InputError("a pipe keeps no dead letters", where="-", do="name a file, or another stream")

    def close(self) -> None:
        """Nothing is open."""


class PipeFeed:
    """A `Feed` to standard output."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def put(self, messages: Sequence[tuple[str | None, bytes]]) -> None:
        """Write messages, a line each. Raises as `PipeOutlet.write`."""
        send(self._handle, b"".join(value + b"\n" for _, value in messages))

    def close(self) -> None:
        """All of it was written."""


def send(handle: int, data: bytes) -> None:
    """Write all of it, and wait for a reader that is slow.

    Raises
    ------
    OutputError
        Nobody reads it any more, or it is a file on a full disk.
    """
    rest = memoryview(data)
    try:
        while rest:
            try:
                rest = rest[os.write(handle, rest) :]
            except BlockingIOError:  # somebody has made the pipe so
                select.select([], [handle], [], 1.0)
    except BrokenPipeError as error:
        do = "see why the command after it has ended"
        raise OutputError("nobody reads standard output any more", where="-", do=do) from error
    except OSError as error:
        got = os.strerror(error.errno or 0)
        raise OutputError("standard output can't be written", where="-", got=got) from error
