"""What the ledger couldn't take, in a local file: on the disk before it is acknowledged, put in later, exactly once.

A line is one decision or one piece of feedback as JSON. Replaying moves the file aside first, so that writers never
wait for the ledger; a file that a crash left aside is put in first. What went in twice is one row, thanks to its key.
What the ledger refuses alone, again and again, is set aside in a third file, so that the rest goes in.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import make_url

from pipeline.errors import OutputError, ValueRefusedError
from pipeline.ledger.decisions import Decision, as_json
from pipeline.ledger.feedback import Feedback
from pipeline.tickets.files import append, ended, is_named, sync_folder

TRIES = 3
"""How often a line that the database refuses is tried alone before it is set aside."""

_AT_ONCE = 500
_TIMES = ("as_of", "decided_at", "given_at")

TakeIn = Callable[[Sequence[Decision], Sequence[Feedback]], int]
"""Where a spool is replayed into: `Ledger.take_in`."""


@dataclass(frozen=True)
class Replayed:
    """What came of a replay.

    Attributes
    ----------
    lines : int
        Decisions and pieces of feedback that are in the ledger now.
    new : int
        Those of them that weren't in it before.
    damaged : int
        Lines that a kill cut off: nobody was told that they were written. They are dropped.
    refused : int
        Lines with a value that the database refuses: they are in `Spool.refused`.
    """

    lines: int = 0
    new: int = 0
    damaged: int = 0
    refused: int = 0

    def __add__(self, other: Replayed) -> Replayed:
        """Both together."""
        names = ("lines", "new", "damaged", "refused")
        return Replayed(*(getattr(self, name) + getattr(other, name) for name in names))


@dataclass(frozen=True)
class Spool:
    """An append-only file of JSON lines; several processes may write one.

    Parameters
    ----------
    path : Path
        The file; its folder must be there.
    """

    path: Path

    @property
    def aside(self) -> Path:
        """Where the file lies while it is replayed."""
        return self.path.with_name(f"{self.path.name}.replaying")

    @property
    def refused(self) -> Path:
        """Lines that the database refuses, each with its `code`: appended to the spool they are tried again."""
        return self.path.with_name(f"{self.path.name}.refused")

    @property
    def waiting(self) -> bool:
        """Whether something waits to be put into the ledger."""
        return any(_size(path) for path in (self.path, self.aside))

    def append(self, decisions: Sequence[Decision] = (), feedback: Sequence[Feedback] = ()) -> None:
        """Write lines; they are on the disk when this returns.

        Raises
        ------
        OutputError
            The disk is full, or the folder is gone or closed; nothing of it is left then.
        """
        data = b"".join([_line("decision", one) for one in decisions] + [_line("feedback", one) for one in feedback])
        try:
            with self._opened() as handle:
                append(handle, data if ended(handle) else b"\n" + data)  # a writer was killed within its line
        except OSError as error:
            raise _unwritten(self.path, error) from error

    def replay(self, take_in: TakeIn) -> Replayed:
        """Put everything in, in its order; another process that is at it already is left alone.

        Raises
        ------
        StoreError
            The ledger can't take it (yet); the rest waits.
        OutputError
            The spool can't be read.
        """
        try:
            told = self._put_in(take_in)
            while self._move_aside():
                told += self._put_in(take_in)
        except OSError as error:
            got, do = os.strerror(error.errno or 0), "check the file and its permissions"
            raise OutputError("the spool can't be read", where=self.path.name, got=got, do=do) from error
        return told

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The file under its own name, made where there is none, locked against other writers."""
        while True:
            new = not self.path.exists()
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                if not is_named(handle, self.path):  # it was moved aside while we waited for it
                    continue
                if new:
                    sync_folder(self.path.parent)
                yield handle
                return
            finally:
                os.close(handle)

    def _move_aside(self) -> bool:
        """Give the file its other name; False where there is nothing to move, or another process has been quicker."""
        if not _size(self.path):
            return False
        with self._opened():
            try:
                os.link(self.path, self.aside)  # never over a file that is there already
            except FileExistsError:
                return False
            self.path.unlink()
            sync_folder(self.path.parent)
        return True

    def _put_in(self, take_in: TakeIn) -> Replayed:
        try:
            stream = self.aside.open("rb")
        except FileNotFoundError:
            return Replayed()
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return Replayed()
            if not is_named(stream.fileno(), self.aside):
                return Replayed()
            told = Replayed()
            for lines in _batches(stream):
                whole = [one for one in map(_whole, lines) if one is not None]
                told += self._taken_in(whole, take_in) + Replayed(damaged=len(lines) - len(whole))
            self.aside.unlink()
            sync_folder(self.path.parent)
        return told

    def _taken_in(self, whole: Sequence[Decision | Feedback], take_in: TakeIn) -> Replayed:
        """All together; where a value is refused, half by half until it is found, so that nothing else waits for it."""
        try:
            decisions = [one for one in whole if isinstance(one, Decision)]
            return Replayed(len(whole), take_in(decisions, [one for one in whole if isinstance(one, Feedback)]))
        except ValueRefusedError as error:
            refused = error
        if len(whole) > 1:
            half = len(whole) // 2
            return self._taken_in(whole[:half], take_in) + self._taken_in(whole[half:], take_in)
        for _ in range(TRIES - 1):
            try:
                return self._taken_in_alone(whole[0], take_in)
            except ValueRefusedError as error:
                refused = error
        self._set_aside(whole[0], refused.got)
        return Replayed(refused=1)

    def _taken_in_alone(self, one: Decision | Feedback, take_in: TakeIn) -> Replayed:
        return Replayed(1, take_in([one], []) if isinstance(one, Decision) else take_in([], [one]))

    def _set_aside(self, one: Decision | Feedback, code: str) -> None:
        """Keep it, once, on the disk before the spool is let go of."""
        line = _line("decision" if isinstance(one, Decision) else "feedback", one, code=code)
        try:
            new = not self.refused.exists()
            handle = os.open(self.refused, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                with open(handle, "rb", closefd=False) as stream:
                    if any(line.strip() == old.strip() for old in stream):  # a crash came before the spool was gone
                        return
                append(handle, line if ended(handle) else b"\n" + line)
            finally:
                os.close(handle)
            if new:
                sync_folder(self.refused.parent)
        except OSError as error:
            raise _unwritten(self.refused, error) from error


def spool_of(url: str, folder: Path) -> Spool:
    """The spool of a ledger: beside its file, or, where it is on a server, in a folder of the door's own."""
    if "://" not in url:
        return Spool(Path(f"{url}.spool.jsonl"))
    found = make_url(url)
    if found.get_backend_name() == "sqlite" and found.database:
        return Spool(Path(f"{found.database}.spool.jsonl"))
    return Spool(folder / "ledger.spool.jsonl")


def _unwritten(path: Path, error: OSError) -> OutputError:
    got, do = os.strerror(error.errno or 0), "make room, or check the folder and its permissions"
    return OutputError("the spool can't be written", where=path.name, got=got, do=do)


def _line(name: str, one: Decision | Feedback, **more: str) -> bytes:
    told = {k: v.isoformat() if isinstance(v, datetime) else v for k, v in vars(one).items()}
    return as_json({**more, name: told}).encode() + b"\n"


def _whole(line: bytes) -> Decision | Feedback | None:
    """What a line tells; None for one that was cut off."""
    try:
        record = json.loads(line)
        if "decision" in record:
            told = _timed(record["decision"])
            return Decision(**told | {"customer_keys": tuple(told["customer_keys"])})
        return Feedback(**_timed(record["feedback"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _timed(told: dict[str, Any]) -> dict[str, Any]:
    times = {name: datetime.fromisoformat(told[name]) for name in _TIMES if told.get(name) is not None}
    return told | times


def _batches(stream: BinaryIO) -> Iterator[list[bytes]]:
    lines: list[bytes] = []
    for line in stream:
        if line.strip():
            lines.append(line)
        if len(lines) == _AT_ONCE:
            yield lines
            lines = []
    if lines:
        yield lines


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
