"""A followed file as a stream of one partition: each line is a message, once its end is there.

Where a line stands is its place: the first byte, counted on over the files that stood under this name before it, so
that no two lines share one. Rotation by renaming loses nothing: the old file is read to its end (and for a second
longer, for a writer that still has it open), then the new one from its beginning. Cutting the file in place isn't
followed: what was cut off may not have been read, so that is an error until a person says to begin anew.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.errors import BrokerError, InputError
from pipeline.serving.faults import point
from pipeline.serving.stream.appended_file import opened, reaching
from pipeline.serving.stream.attempts import Begun
from pipeline.serving.stream.followed_state import State, in_between, set_aside
from pipeline.serving.stream.splitter import Line, Splitter
from pipeline.serving.stream.transport import FencedError, Message
from pipeline.tickets.files import is_named

BATCH_BYTES = 16 << 20
"""Most bytes of messages that are taken at a time; a single one may be as long."""

PIECE = 256 << 10
POLL_SECONDS = 0.03
QUIET_SECONDS = 1.0
"""A file that was replaced is at its end when nothing has come for so long."""

_COUNTED_AT_ONCE = 64 << 20


class FollowedFile:
    """An `Inlet`.

    One worker at a time owns the file, by a lock that the system lets go of when the process ends, however it ends:
    a frozen worker keeps it, and a dead one doesn't.

    Parameters
    ----------
    path : Path
        It need not be there yet.
    shown : str
        How errors call it.
    group : str
        Beside the file lie `FILE.GROUP.state` (see `followed_state`) and `FILE.GROUP.lock`.
    follow : bool
        Whether to wait for more at the file's end. Without it the end is the stream's.
    """

    partitions = 1

    def __init__(self, path: Path, shown: str, *, group: str, follow: bool = True) -> None:
        self._path, self._shown, self._follow = path, shown, follow
        self._state_path = path.with_name(f"{path.name}.{group}.state")
        self._lock_path = path.with_name(f"{path.name}.{group}.lock")
        self._lock: int | None = None
        self._file: int | None = None
        self._state = State()
        self._replacing: list[int] = []
        self._splitter = Splitter()
        self._ready: deque[Line] = deque()
        self._taken: list[Line] = []
        self._started: deque[Line] = deque()
        self._finished: set[int] = set()
        self._at_end = False
        self._quiet_since: float | None = None
        self._counted = 0
        self._count = 0

    @property
    def ended(self) -> bool:
        """Whether everything is done, and nothing more is waited for."""
        return self._at_end and not (self._ready or self._taken or self._started)

    def tend(self) -> Mapping[int, int]:
        """Own the file, or try to."""
        if self._lock is not None:
            if is_named(self._lock, self._lock_path):
                return {0: self._state.token}
            self.close()  # somebody has removed the lock: who owns the file is decided anew
        with reaching(self._shown, "the file's place can't be locked"):
            self._lock = opened(self._lock_path, wait=False)
        if self._lock is None:
            return {}
        try:
            found = State.load(self._state_path)
            # The clock, so that it grows even where a person removes the state.
            self._state = replace(found, token=max(found.token + 1, time.time_ns() // 1_000_000))
            self._state.save(self._state_path)
            with reaching(self._shown, "the file can't be read"):
                self._open()
        except BaseException:
            self.close()
            raise
        return {0: self._state.token}

    def take(self, most: int, seconds: float) -> list[Message]:
        """Lines that were never begun, or a single one that was when its worker died."""
        until = time.monotonic() + seconds
        self._ready.extendleft(reversed(self._taken))
        self._taken = []
        if self._lock is None or self._started:  # what was begun must be done first
            time.sleep(max(0.0, seconds))
            return []
        try:
            with reaching(self._shown, "the file can't be read"):
                self._look()
                while not self._fill(most, until) and not self._at_end and (left := until - time.monotonic()) > 0:
                    time.sleep(min(POLL_SECONDS, left))
        except (BrokerError, InputError):
            self.close()  # the next `tend` looks at everything anew
            raise
        return [
            Message(0, str(line.begin), line.value, tries=self._state.begun.tries(line.begin)) for line in self._taken
        ]

    def begin(self, messages: Sequence[Message]) -> None:
        """Write down that they are begun, and with them all that was taken before the last of them."""
        places = {int(m.at) for m in messages} - {line.begin for line in self._started}
        if not places:
            return
        if not places <= {line.begin for line in self._taken}:
            raise FencedError
        count = 1 + max(n for n, line in enumerate(self._taken) if line.begin in places)
        now, later = self._taken[:count], self._taken[count:]
        self._keep(self._state.begun.begin(now[0].begin, now[-1].end), sure=True)
        self._taken = []
        self._started.extend(now)
        self._ready.extendleft(reversed(later))
        point("place_begun")

    def done(self, messages: Sequence[Message]) -> None:
        """Go past them, as soon as nothing before them is left."""
        own = {line.begin for line in self._taken}
        if early := [m for m in messages if int(m.at) in own]:
            self.begin(early)
        self._finished |= {int(m.at) for m in messages} & {line.begin for line in self._started}
        passed = 0
        while passed < len(self._started) and self._started[passed].begin in self._finished:
            passed += 1
        if not passed:
            return
        self._keep(self._state.begun.done(self._started[passed - 1].end), sure=False)
        self._finished -= {self._started.popleft().begin for _ in range(passed)}
        self._count = max(0, self._count - passed)
        point("place_passed")

    def lag(self) -> int | None:
        """Lines that aren't done (empty ones may be among them); None while they are still being counted."""
        if self._lock is None or self._replacing:
            return None
        if self._file is None:
            return 0
        if self._counted < self._state.begun.at:
            self._counted, self._count = self._state.begun.at, 0
        with reaching(self._shown, "the file can't be read"):
            if not (self._ready or self._taken or self._started) and self._read_to >= os.fstat(self._file).st_size:
                return 0
            for _ in range(_COUNTED_AT_ONCE // (1 << 20)):
                piece = os.pread(self._file, 1 << 20, self._counted - self._state.skipped)
                if not piece:
                    return self._count
                self._counted += len(piece)
                self._count += piece.count(b"\n")
        return None

    def close(self) -> None:
        """Let go of the file and of what was taken."""
        for handle in (self._lock, self._file, *self._replacing):
            if handle is not None:
                os.close(handle)
        self._lock = self._file = None
        self._replacing = []
        self._forget()

    @property
    def _read_to(self) -> int:
        """Offset in the file of the next byte to be read."""
        return self._splitter.read_to - self._state.skipped

    def _forget(self) -> None:
        self._splitter = Splitter(self._state.begun.at)
        self._ready, self._taken, self._started = deque(), [], deque()
        self._finished = set()
        self._at_end, self._quiet_since = False, None
        self._counted = self._count = 0

    def _keep(self, begun: Begun, *, sure: bool) -> None:
        assert self._file is not None
        state = replace(self._state, begun=begun).seen(self._file)
        state.save(self._state_path, sure=sure)
        self._state = state

    def _fill(self, most: int, until: float) -> bool:
        """Take what is there; whether that is all that may be taken."""
        size = sum(len(line.value) for line in self._taken)
        while len(self._taken) < most:
            if not self._ready and not self._read(until):
                return False
            line = self._ready[0]
            if self._taken and size + len(line.value) > BATCH_BYTES:
                return True
            size += len(line.value)
            self._taken.append(self._ready.popleft())
            if self._state.begun.suspect(line.begin):
                return True
        return True

    def _read(self, until: float) -> bool:
        """Read on until there is a line; False at the end for now, or when the time is over."""
        while not self._ready:
            if self._file is None:
                self._open()
            if self._file is None:
                return False
            piece = os.pread(self._file, PIECE, self._read_to)
            if piece:
                self._quiet_since = None
                self._ready.extend(self._splitter.lines(piece))
            elif not self._go_on():
                return False
            if not self._ready and time.monotonic() >= until:
                return False
        return True

    def _go_on(self) -> bool:
        """At the file's end: whether there is something to go on with."""
        assert self._file is not None
        if os.fstat(self._file).st_size < self._read_to:
            raise self._lost("the file has become shorter")
        if self._replacing:
            now = time.monotonic()
            self._quiet_since = now if self._quiet_since is None else self._quiet_since
            if now - self._quiet_since < QUIET_SECONDS:
                return False
            return self._end_here() or self._turn()
        if not self._follow:
            self._at_end = not self._end_here()
            return not self._at_end
        return False

    def _end_here(self) -> bool:
        """A last line without an end is a line too, as none will come; whether there is one."""
        self._ready.extend(self._splitter.rest())
        return bool(self._ready)

    def _turn(self) -> bool:
        """Go on with the file that has replaced this one, once all of this one is done."""
        assert self._file is not None
        if self._taken or self._started:
            return False
        place = self._state.skipped + os.fstat(self._file).st_size
        state = replace(self._state, skipped=place, file=None, begun=Begun(place, place)).seen(self._replacing[0])
        state.save(self._state_path)
        os.close(self._file)
        self._file, self._state = self._replacing.pop(0), state
        self._forget()
        return True

    def _look(self) -> None:
        """Notice that the file was replaced, or isn't what it was."""
        if self._file is None:
            return
        if self._state.file is not None and not self._state.file.fits(self._file):
            raise self._lost("the file was written anew in its place")
        self._state = self._state.seen(self._file)
        newest = self._replacing[-1] if self._replacing else self._file
        if not self._path.exists() or is_named(newest, self._path):
            return
        if (other := self._handle(self._path)) is not None:
            if not self._replacing and self._same(other, self._splitter.read_to):
                os.close(self._file)  # a copy of the same file, put in its place
                self._file = other
            else:
                self._replacing.append(other)

    def _same(self, handle: int, place: int) -> bool:
        """Whether an open file begins as this one does, and reaches as far as to some place."""
        known, size = self._state.file, os.fstat(handle).st_size
        return known is not None and known.bytes > 0 and known.fits(handle) and size >= place - self._state.skipped

    def _open(self) -> None:
        """Open the file where it lies now; without one there is nothing to read yet."""
        known, found = self._state.file, self._handle(self._path)
        if found is None and not self._follow and (known is None or set_aside(self._path, known) is None):
            raise InputError("no such file", where=self._shown, do="check the path")
        if known is None or (found is not None and self._same(found, self._state.begun.at)):
            self._use(found)
            return
        moved = found is None or os.fstat(found).st_ino != known.inode
        if moved and (aside := set_aside(self._path, known)) is not None:
            self._replacing += [] if found is None else [found]
            if names := in_between(self._path, aside):
                what, do = "the file was replaced more than once while nobody read it", "append what these hold to the "
                do += "file, and move them elsewhere"
                raise BrokerError(what, where=self._shown, got=", ".join(names[:5]), do=do)
            found = self._handle(aside)
        if found is None:
            return
        if known.fits(found) and os.fstat(found).st_size >= self._state.offset:
            self._use(found)
            return
        short = known.fits(found)
        os.close(found)
        if short:
            raise self._lost("the file has become shorter")
        raise self._lost("another file is in its place" if moved else "the file was written anew in its place")

    def _use(self, found: int | None) -> None:
        self._file = found
        if found is not None:
            self._state = self._state.seen(found)
        self._forget()

    def _handle(self, path: Path) -> int | None:
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            got, do = os.strerror(error.errno or 0), "check its permissions"
            raise BrokerError("the file can't be opened", where=self._shown, got=got, do=do) from error

    def _lost(self, what: str) -> BrokerError:
        return BrokerError(
            f"{what}: lines that nobody read may be gone",
            where=self._shown,
            got=f"read and done up to byte {self._state.offset:,}",
            do=f"put the old file back, or remove {self._state_path.name} to read this one from its beginning; "
            "rotate it by renaming, never by cutting it",
        )
