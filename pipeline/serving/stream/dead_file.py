"""The dead letters of a followed file: `FILE.dead.jsonl` beside it, one JSON object a line, for its owner alone."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.errors import BrokerError, InputError
from pipeline.serving.faults import point
from pipeline.serving.stream.appended_file import add_line, held, mend, reaching
from pipeline.serving.stream.transport import Letter
from pipeline.tickets.files import append, sync_folder, write_all

_PRIVATE = 0o600
_SAID = ("code", "tries", "position", "died_at", "key")


class DeadFile:
    """`DeadLetters`.

    Parameters
    ----------
    path : Path
        The followed file.
    shown : str
        How errors call it.
    """

    def __init__(self, path: Path, shown: str) -> None:
        self._source, self._shown = path, shown
        self._path = path.with_name(f"{path.name}.dead.jsonl")
        self._known: set[str] = set()
        self._read: tuple[int, int] = (0, 0)

    def add(self, letters: Sequence[Letter]) -> None:
        """Keep letters; one that is there already, of the same position and message, isn't kept twice."""
        if not letters:
            return
        with reaching(self._path.name, "dead letters can't be written"), held(self._path, mode=_PRIVATE) as handle:
            mend(handle, _is_whole)
            self._learn(handle)
            new = {_id(one.position, one.value): one for one in letters}
            new = {name: one for name, one in new.items() if name not in self._known}
            append(handle, b"".join(_line(one) for one in new.values()))
            self._known |= new.keys()
            self._read = _stamp(handle)
        point("letters_kept")

    def letters(self) -> Iterator[Letter]:
        """All, the oldest first: in the order in which they were added.

        Raises
        ------
        BrokerError
            A line that isn't a letter.
        """
        with reaching(self._path.name, "dead letters can't be read"):
            try:
                stream = self._path.open("rb")
            except FileNotFoundError:
                return
        with stream:
            for number, line in enumerate(stream, start=1):
                letter = _letter(line)
                if letter is not None:
                    yield letter
                elif line.endswith(b"\n"):  # else a crash cut it off, or it is being written
                    do = "mend the line, or remove it"
                    raise BrokerError("not a dead letter", where=f"{self._path.name}, line {number}", do=do)

    def retry(self, letter: Letter) -> None:
        """Append its message to the followed file, and strike the letter off: the worker takes it as a new one.

        Raises
        ------
        InputError
            The message was too long to be kept.
        """
        if not letter.value:
            do = "mend its line in the file, and append it there"
            raise InputError("the message was too long to be kept", where=f"{self._shown} {letter.position}", do=do)
        name = letter.id or _id(letter.position, letter.value)
        with reaching(self._shown, "the message can't be sent again"):
            add_line(self._source, letter.value + b"\n", sync=True)
        point("letter_sent")
        with reaching(self._path.name, "the letter can't be struck off"), held(self._path, mode=_PRIVATE):
            self._strike_off(name)

    def close(self) -> None:
        """Nothing is open."""

    def _strike_off(self, name: str) -> None:
        """Write the file anew without a letter; whoever waits for the lock then sees that it is another file."""
        aside = self._path.with_name(f"{self._path.name}.next")
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _PRIVATE)
        try:
            with self._path.open("rb") as stream:
                for line in stream:
                    letter = _letter(line)
                    if line.endswith(b"\n") and (letter is None or letter.id != name):
                        write_all(handle, line)
            os.fsync(handle)
        except BaseException:
            with suppress(OSError):
                aside.unlink()
            raise
        finally:
            os.close(handle)
        os.replace(aside, self._path)
        sync_folder(self._path.parent)

    def _learn(self, handle: int) -> None:
        """Know what is in the file; it isn't read again while nobody else has changed it."""
        if _stamp(handle) == self._read:
            return
        with open(handle, "rb", closefd=False) as stream:
            stream.seek(0)
            self._known = {letter.id for line in stream if (letter := _letter(line)) is not None}
        self._read = _stamp(handle)


def _stamp(handle: int) -> tuple[int, int]:
    found = os.fstat(handle)
    return found.st_ino, found.st_size


def _id(position: str, value: bytes) -> str:
    """A place may come twice, where a person has let the file be read anew; the same message at it is the same."""
    return hashlib.sha256(position.encode() + b"\0" + value).hexdigest()[:16]


def _line(letter: Letter) -> bytes:
    said: dict[str, Any] = {name: getattr(letter, name) for name in _SAID}
    try:
        said["text"] = letter.value.decode()
    except UnicodeDecodeError:
        said["base64"] = base64.b64encode(letter.value).decode()
    return json.dumps(said, ensure_ascii=False).encode() + b"\n"


def _letter(line: bytes) -> Letter | None:
    try:
        said = json.loads(line)
        value = base64.b64decode(said["base64"]) if "base64" in said else str(said["text"]).encode()
        kept = {name: said[name] for name in _SAID}
        return Letter(**kept, value=value, id=_id(kept["position"], value))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _is_whole(line: bytes) -> bool:
    return _letter(line) is not None
