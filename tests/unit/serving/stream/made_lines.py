"""A worker of the smallest kind on files, for tests: it answers each message with its place; and what it left."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import BrokerError
from pipeline.serving.faults import VARIABLE
from pipeline.serving.stream.lines import open_dead, open_inlet, open_outlet
from pipeline.serving.stream.transport import Holding, Inlet, Letter, Message, Place, Result, parse_place

DEADLY = b"kill"
TRIES = 3


def place(path: Path, *, follow: bool = True) -> Place:
    """The place of a file."""
    return parse_place(str(path) if follow else f"file://{path}?follow=no", "--from")


def inlet(path: Path, *, follow: bool = True, group: str = "triage") -> Inlet:
    """An inlet that owns its file."""
    made = open_inlet(place(path, follow=follow), Holding(group=group))
    assert made.tend()
    return made


def taken(made: Inlet, most: int = 100, seconds: float = 0.05) -> list[bytes]:
    """Values of the next messages; they are done."""
    messages = made.take(most, seconds)
    made.begin(messages)
    made.done(messages)
    return [m.value for m in messages]


def result(message: Message) -> Result:
    """Its answer."""
    key = f"key {message.position}"
    said = {"position": message.position, "said": message.value.decode("utf-8", "replace"), "key": key}
    return Result(0, key, None, json.dumps(said).encode())


def letter(message: Message, code: str = "bad") -> Letter:
    """Its dead letter."""
    return Letter(code, message.tries, message.position, "2026-11-23T00:00:00+00:00", message.key, message.value)


def work(source: Path, target: Path, *, most: int = 3, until_ended: bool = True) -> None:
    """Take, begin, score, write, keep letters, done: a message `kill` kills the process while it is scored."""
    entry, out, dead = open_inlet(place(source, follow=False), Holding()), open_outlet(place(target)), None
    dead = open_dead(place(source))
    while not (tokens := entry.tend()):
        time.sleep(0.01)
    out.own(tokens)
    while not entry.ended:
        messages = entry.take(most, 0.2)
        entry.begin(messages)
        lost = [m for m in messages if m.tries > TRIES]
        if any(m.value == DEADLY for m in messages if m not in lost):
            os.kill(os.getpid(), signal.SIGKILL)
        out.write([result(m) for m in messages])
        dead.add([letter(m, "worker_died") for m in lost])
        entry.done(messages)


def worked(source: Path, target: Path, *, kill_at: str | None = None, most: int = 3) -> int:
    """Work in a forked process; its exit code, or minus the signal."""
    pid = os.fork()
    if pid == 0:
        code = 3
        try:
            if kill_at:
                os.environ[VARIABLE] = kill_at
            work(source, target, most=most)
            code = 0
        except BrokerError as error:
            print(error, file=sys.stderr)
            code = 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def lines(path: Path) -> list[dict[str, str]]:
    """The objects of a file of JSON lines."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def said(path: Path) -> list[str]:
    """What was answered, in order."""
    return [line["said"] for line in lines(path)]


def write(path: Path, values: Sequence[str]) -> Path:
    """A file of lines."""
    path.write_text("".join(f"{value}\n" for value in values))
    return path
