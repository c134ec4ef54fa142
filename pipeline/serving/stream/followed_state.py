"""How far a followed file has been read: which file it was, and what of it was begun; on the disk, whole or not at all.

`FILE.GROUP.state` is one JSON object::

    token     of its owner; it grows with each
    skipped   bytes of the files that stood under this name before: places count on from there
    file      inode, and SHA-256 of the first `bytes` (1,024 at most): null before a file was there
    begun     see `attempts.Begun`; places, not offsets
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pipeline.errors import BrokerError
from pipeline.serving.faults import point
from pipeline.serving.stream.appended_file import reaching
from pipeline.serving.stream.attempts import Begun
from pipeline.tickets.files import sync_folder, write_all

HEAD = 1024
"""A file is told from another by its first so many bytes."""

_NUMBERED = re.compile(r"[\d._-]+")


@dataclass(frozen=True)
class Identity:
    """Which file it is: a copy with the same beginning is the same one, whatever its inode."""

    inode: int
    bytes: int
    sha256: str

    @classmethod
    def of(cls, handle: int) -> Identity:
        """Of an open file, by as much of it as is there."""
        head = _head(handle, HEAD)
        return cls(os.fstat(handle).st_ino, len(head), hashlib.sha256(head).hexdigest())

    def fits(self, handle: int) -> bool:
        """Whether an open file begins as this one did."""
        head = _head(handle, self.bytes)
        return len(head) == self.bytes and hashlib.sha256(head).hexdigest() == self.sha256


@dataclass(frozen=True)
class State:
    """What stands in the file of that name."""

    token: int = 0
    skipped: int = 0
    file: Identity | None = None
    begun: Begun = field(default_factory=Begun)

    @property
    def offset(self) -> int:
        """Everything before this byte of the file is done."""
        return self.begun.at - self.skipped

    def save(self, path: Path, *, sure: bool = True) -> None:
        """Write it; it outlives a power cut once this returns, where `sure`. Without: the old one may come back.

        Raises
        ------
        BrokerError
        """
        said = asdict(self) | {"begun": self.begun.encode()}
        aside = path.with_name(f"{path.name}.next")
        with reaching(path.name, "the place in the stream can't be kept"):
            handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
            try:
                write_all(handle, json.dumps(said).encode() + b"\n")
                os.fsync(handle)
            finally:
                os.close(handle)
            point("place_written")
            os.replace(aside, path)
            if sure:
                sync_folder(path.parent)

    @classmethod
    def load(cls, path: Path) -> State:
        """What was written last; a new one where there is nothing.

        Raises
        ------
        BrokerError
            It can't be read: nobody wrote it so.
        """
        with reaching(path.name, "the place in the stream can't be read"):
            try:
                text = path.read_bytes()
            except FileNotFoundError:
                return cls()
        try:
            said = json.loads(text)
            file = None if said["file"] is None else Identity(**said["file"])
            return cls(int(said["token"]), int(said["skipped"]), file, Begun.decode(said["begun"]))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            got, do = type(error).__name__, "remove it: the file is then read from its beginning"
            raise BrokerError("the place in the stream is damaged", where=path.name, got=got, do=do) from error

    def seen(self, handle: int) -> State:
        """The same, knowing the file by as much of its beginning as is there now."""
        known = self.file is not None and self.file.bytes == HEAD and self.file.inode == os.fstat(handle).st_ino
        return self if known else replace(self, file=Identity.of(handle))


def set_aside(path: Path, identity: Identity) -> Path | None:
    """Under which name a file lies now, that was `path` and was replaced by another; None where it is gone."""
    for other in _siblings(path):
        if other.stat().st_ino != identity.inode:
            continue
        if not identity.bytes:  # an inode alone may be another file's by now
            if _alike(other, path):
                return other
            continue
        handle = os.open(other, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if identity.fits(handle):
                return other
        finally:
            os.close(handle)
    return None


def in_between(path: Path, aside: Path) -> list[str]:
    """Names of files that seem to have been `path` after `aside` was, and before it is what it is now."""
    then = aside.stat().st_mtime_ns
    others = [other for other in _siblings(path) if other != aside and _alike(other, path)]
    return sorted(other.name for other in others if other.stat().st_mtime_ns > then)


def _siblings(path: Path) -> Iterator[Path]:
    for other in path.parent.iterdir():
        if other != path and other.is_file() and not other.is_symlink():
            yield other


def _alike(other: Path, path: Path) -> bool:
    """Whether the names differ only by what rotation adds: a number or a date."""
    return _NUMBERED.sub("", other.name) == _NUMBERED.sub("", path.name)


def _head(handle: int, most: int) -> bytes:
    return os.pread(handle, most, 0)
