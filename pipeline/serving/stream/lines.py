"""JSON lines as a stream of one partition: a followed file (`file`), or standard input and output (`pipe`).

Beside FILE lie `FILE.GROUP.state` and `.lock` (how far a group has read it, see `followed_state`) and
`FILE.dead.jsonl`. Of a `file://` URL, `?follow=no` says that the file's end is the stream's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import InputError
from pipeline.serving.stream.appended_file import add_line, held, reaching
from pipeline.serving.stream.dead_file import DeadFile
from pipeline.serving.stream.followed_file import FollowedFile
from pipeline.serving.stream.pipes import PipeDead, PipeFeed, PipeInlet, PipeOutlet
from pipeline.serving.stream.result_file import ResultFile
from pipeline.serving.stream.transport import DeadLetters, Feed, Holding, Inlet, Outlet, Place

_FOLLOW = {"yes": True, "no": False}


class FileFeed:
    """A `Feed`: messages are appended to a file, with a lock against others who do so."""

    def __init__(self, path: Path, shown: str) -> None:
        self._path, self._shown = path, shown

    def put(self, messages: Sequence[tuple[str | None, bytes]]) -> None:
        """Append messages, a line each: all of them or none.

        Raises
        ------
        BrokerError
            The file can't be written.
        InputError
            A message with a line's end in it.
        """
        if any(b"\n" in value for _, value in messages):
            do = "send it as JSON without line ends between its parts"
            raise InputError("a message of a file is one line", where=self._shown, do=do)
        if messages:
            with reaching(self._shown, "messages can't be written"):
                add_line(self._path, b"".join(value + b"\n" for _, value in messages), sync=False)

    def close(self) -> None:
        """Put what was sent on the disk."""
        with reaching(self._shown, "messages can't be written"), held(self._path) as handle:
            os.fsync(handle)


def open_inlet(place: Place, holding: Holding) -> Inlet:
    """A file that need not be there yet, or standard input.

    Raises
    ------
    InputError
        A folder, or an unknown option.
    """
    if place.scheme == "pipe":
        if sys.stdin is None:
            raise InputError("standard input is closed", where="-", do="send lines into it, or name a stream")
        return PipeInlet(sys.stdin.fileno())
    return FollowedFile(_path(place), place.shown, group=holding.group, follow=_follow(place))


def open_outlet(place: Place, source: str = "") -> Outlet:
    """A file that is appended to, or standard output: one worker's at a time, whatever it takes from."""
    return PipeOutlet(_stdout()) if place.scheme == "pipe" else ResultFile(_path(place), place.shown)


def open_dead(place: Place) -> DeadLetters:
    """The dead letters beside a file; a pipe has none. Raises as `open_inlet`."""
    return PipeDead() if place.scheme == "pipe" else DeadFile(_path(place), place.shown)


def open_feed(place: Place) -> Feed:
    """The end of a file, made where there is none, or standard output. Raises as `open_inlet`."""
    return PipeFeed(_stdout()) if place.scheme == "pipe" else FileFeed(_path(place), place.shown)


def _stdout() -> int:
    if sys.stdout is None:
        raise InputError("standard output is closed", where="-", do="name a stream or a file")
    sys.stdout.flush()
    return sys.stdout.fileno()


def _path(place: Place) -> Path:
    path = Path(place.path)
    if "://" in place.text and not place.text.startswith("file:///"):
        raise InputError("not a file of this machine", where=place.shown, do="write file:///PATH, or the path alone")
    if unknown := sorted(set(place.options) - {"follow"}):
        raise InputError("unknown option", where=place.shown, got=unknown[0], do="a file knows follow=no, nothing else")
    if not place.path or path.is_dir():
        raise InputError("a folder, not a file", where=place.shown, do="name a file of JSON lines")
    return path


def _follow(place: Place) -> bool:
    told = place.options.get("follow", "yes")
    if told not in _FOLLOW:
        raise InputError("neither yes nor no", where=f"{place.shown}, follow", got=told, do="write follow=no")
    return _FOLLOW[told]
