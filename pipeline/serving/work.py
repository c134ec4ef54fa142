"""The work folder of one output: a lock, finished chunks, and a journal that survives being killed.

`.OUT.part/` lies beside OUT while a run is on, so that the last step is a rename within one file system::

    lock            held by the run (flock): a second run on the same OUT refuses
    journal.jsonl   what this run is (input, scorer, settings, moment), then one line for each finished chunk
    00000000.chunk  rows in the output's format, without a header
    out             the output, while it is put together
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pipeline.errors import OutputError
from pipeline.serving.faults import point
from pipeline.tickets.files import is_named

Record = dict[str, Any]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True)
class Work:
    """A locked work folder."""

    folder: Path

    @property
    def copy(self) -> Path:
        """Where the output is put together."""
        return self.folder / "out"

    @property
    def journal(self) -> Path:
        """The journal's path."""
        return self.folder / "journal.jsonl"

    def chunk(self, number: int) -> Path:
        """Path of one chunk."""
        return self.folder / f"{number:08d}.chunk"

    def begin(self, header: Record) -> None:
        """Forget everything and begin a journal."""
        with writing(self.folder):
            self._clear()
            self._append(header)
        point("journal_begun")

    def keep_chunk(self, number: int, data: bytes, about: Record, then: Callable[[], Record] = dict) -> None:
        """Write a chunk, then say so in the journal; both are on the disk when this returns.

        Parameters
        ----------
        then : callable
            Done once the chunk is on the disk, and done again if the run is killed before the journal says so; what it
            returns is part of the journal's line.
        """
        half = len(data) // 2
        with writing(self.folder):
            with self.chunk(number).open("wb") as handle:
                handle.write(data[:half])
                point("chunk_half_written")
                handle.write(data[half:])
                sync(handle)
            point("chunk_written")
        more = then()
        point("chunk_told")
        with writing(self.folder):
            self._append({"chunk": number, "sha256": hashlib.sha256(data).hexdigest(), **about, **more})
        point("record_written")

    def note(self, record: Record) -> None:
        """Add a line to the journal."""
        with writing(self.folder):
            self._append(record)

    def records(self) -> Iterator[Record]:
        """The journal's whole lines; a line that a kill cut off ends it."""
        for _, record in self._lines():
            yield record

    def keep_records(self, count: int) -> None:
        """Cut the journal after its first `count` lines."""
        ends = [0]
        for (end, _), _ in zip(self._lines(), range(count), strict=False):
            ends.append(end)
        with writing(self.folder):
            os.truncate(self.journal, ends[-1])

    def has_chunk(self, record: Record) -> bool:
        """Whether the chunk that a record names is there, byte by byte."""
        path = self.chunk(int(record["chunk"]))
        return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == record["sha256"]

    def remove(self) -> None:
        """Remove the folder; the journal goes last but for the lock, so that a kill in between is understood."""
        self._clear(but="journal.jsonl")
        point("chunks_removed")
        self._clear()
        point("journal_removed")
        (self.folder / "lock").unlink(missing_ok=True)
        try:
            self.folder.rmdir()
        except OSError:  # another run has just come for the same name: the folder is its own now
            return
        point("folder_removed")

    def _append(self, record: Record) -> None:
        data = (json.dumps(record, separators=(",", ":"), ensure_ascii=False) + "\n").encode("utf-8", "replace")
        half = len(data) // 2
        with self.journal.open("ab") as handle:
            handle.write(data[:half])
            if "chunk" in record:
                handle.flush()
                point("record_half_written")
            handle.write(data[half:])
            sync(handle)

    def _lines(self) -> Iterator[tuple[int, Record]]:
        if not self.journal.is_file():
            return
        end = 0
        with self.journal.open("rb") as handle:
            for line in handle:
                record = _whole(line)
                if record is None:
                    return
                end += len(line)
                yield end, record

    def _clear(self, *, but: str = "") -> None:
        for path in self.folder.iterdir():
            if path.name not in ("lock", but):
                path.unlink(missing_ok=True)


@contextmanager
def claimed(out: Path) -> Iterator[Work]:
    """Make and lock the work folder of `out`; one that holds no journal at the end is removed.

    Raises
    ------
    OutputError
        Where another run holds it, or nothing can be written beside `out`.
    """
    folder = out.with_name(f".{out.name}.part")
    with writing(folder.parent):
        handle = _lock(folder, out)
    work = Work(folder)
    try:
        point("folder_made")
        yield work
    finally:
        if is_named(handle, folder / "lock") and not work.journal.exists():
            work.remove()
        os.close(handle)


@contextmanager
def writing(where: Path) -> Iterator[None]:
    """Turn a failed write into an error that says what to do; what was there before stays."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise OutputError(
                "the disk is full",
                where=str(where),
                got=os.strerror(error.errno or 0),
                do="make room and give the same command again: it goes on where it stopped",
            ) from error
        got = os.strerror(error.errno) if error.errno else type(error).__name__
        do = "check the folder and its permissions"
        raise OutputError("can't be written", where=str(where), got=got, do=do) from error


def sync(handle: IO[Any]) -> None:
    """Put what was written on the disk."""
    handle.flush()
    os.fsync(handle.fileno())


def _lock(folder: Path, out: Path) -> int:
    while True:
        folder.mkdir(exist_ok=True)
        try:
            handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # the run that held it has just removed the folder
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise OutputError(
                "another run is writing this output", where=out.name, do="wait for it, or name another output"
            ) from error
        if is_named(handle, folder / "lock"):
            return handle
        os.close(handle)  # we locked a file that the other run removed while it ended


def _whole(line: bytes) -> Record | None:
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
