"""Named moments at which a run or a stream's worker can be made to die, so that tests show that it changes nothing.

`TRIAGE_KILL_AT=NAME` sends SIGKILL to this process when it first passes the moment NAME; `NAME:3` at the third time;
`*:17` at the 17th moment of any name. Without the variable a moment costs one look into a dict.

With `TRIAGE_POISON=1` tickets whose id begins with one of `POISONS` do to the process what it says.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterable

VARIABLE = "TRIAGE_KILL_AT"

POINTS: dict[str, str] = {
    "folder_made": "the work folder is there and locked, the journal isn't begun",
    "journal_begun": "the journal says which input, scorer and settings these are",
    "rows_read": "a chunk of rows was read",
    "rows_scored": "they were scored, nothing is on disk",
    "chunk_half_written": "half of the chunk's bytes are on disk",
    "chunk_written": "the chunk is on disk, the journal doesn't know",
    "chunk_told": "the ledger knows the chunk, the journal doesn't",
    "record_half_written": "half of the journal's line is on disk",
    "record_written": "the journal knows the chunk",
    "assembly_begun": "all chunks are there",
    "assembly_half_done": "some chunks are in the output's copy",
    "assembled": "the copy is whole, the journal doesn't know",
    "assembly_recorded": "the journal knows the copy",
    "rejects_published": "the list of refused rows has its name",
    "summary_published": "the summary has its name",
    "out_published": "the output has its name",
    "chunks_removed": "the chunks are gone, the journal isn't",
    "journal_removed": "the journal is gone, the work folder isn't",
    "folder_removed": "the work folder is gone",
}
"""Name of each moment → what is true then, in the order in which a batch passes them."""

STREAM_POINTS: dict[str, str] = {
    "owned": "partitions were taken, and the sink knows it",
    "taken": "messages were delivered, nobody knows that they are begun",
    "begun": "they are begun",
    "stored": "the history knows what they told",
    "scored": "they were scored, nothing was written",
    "written": "their results are out, the dead letters aren't",
    "buried": "the dead letters are safe, nothing is acknowledged",
    "done": "all is acknowledged",
}
"""The same of a stream's worker."""

FILE_POINTS: dict[str, str] = {
    "place_written": "the new state of a followed file is on the disk, under no name",
    "place_begun": "the state says what is begun",
    "results_kept": "results are at the end of their file",
    "letters_kept": "dead letters are at the end of theirs",
    "letter_sent": "a dead letter is in the stream again, and still a dead letter",
    "place_passed": "the state says what is done",
}
"""The same of a followed file."""

AGE_POINTS: dict[str, str] = {
    "ages_begun": "the ledger knows that open tickets which have waited are begun",
    "ages_written": "their results are out, the ledger doesn't know",
    "ages_kept": "decisions and dead letters are safe, the ledger still says that they are begun",
}
"""The same of a worker whose open tickets come of age."""

OPEN_POINTS: dict[str, str] = {
    "drafts_written": "changes and state are whole on the disk, under no name",
    "changes_kept": "the ledger knows the changes, nobody was told",
    "changes_told": "the stream has the changes, if they have no file",
    "summary_told": "the summary has its name",
    "file_named": "changes or state have their name",
    "order_written": "an order is whole on the disk, under no name",
    "order_named": "the order has its name",
}
"""The same of `triage rescore` and `triage order`."""

LATER = "later-"
"""How the id of a poison begins that does no harm when its ticket arrives."""

_passed: Counter[str] = Counter()


def poison(ids: Iterable[object], *, again: bool = False) -> None:
    """Raise, hang, eat memory or die for a ticket that says so, where tests ask for it.

    Parameters
    ----------
    again : bool
        Whether the tickets are known ones: those whose id begins with `LATER` do it only then, and the others don't.
    """
    if os.environ.get("TRIAGE_POISON") != "1":
        return
    if again:
        ids = [name.removeprefix(LATER) for name in ids if isinstance(name, str) and name.startswith(LATER)]
    for name in ids:
        for word, act in POISONS.items():
            if isinstance(name, str) and name.startswith(word):
                act()


def point(name: str) -> None:
    """Die here if `TRIAGE_KILL_AT` says so; else do nothing."""
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    target, _, count = wanted.partition(":")
    if target in (name, "*"):
        _passed[wanted] += 1
        if _passed[wanted] >= int(count or 1):
            os.kill(os.getpid(), signal.SIGKILL)


def _raise() -> None:
    raise RuntimeError("poison")


def _hang() -> None:
    while True:
        signal.pause()


def _eat() -> None:
    eaten = []
    while True:
        eaten.append(bytearray(1 << 28))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


POISONS: dict[str, Callable[[], None]] = {
    "poison-raise": _raise,
    "poison-hang": _hang,
    "poison-memory": _eat,
    "poison-kill": _die,
}
"""How an id begins → what its ticket does."""
