"""Standard input as a stream: order, the batch's window, and a clean end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.serving.stream.made_lines import letter, taken

from pipeline.errors import InputError
from pipeline.serving.stream import lines
from pipeline.serving.stream.pipes import PipeInlet
from pipeline.serving.stream.splitter import LONGEST_LINE
from pipeline.serving.stream.transport import Message, parse_place


@pytest.fixture
def pipe() -> Iterator[tuple[PipeInlet, int]]:
    reading, writing = os.pipe()
    made = PipeInlet(reading)
    assert made.tend() == {0: 1} and made.lag() is None
    yield made, writing
    os.close(reading)


def test_lines_come_in_order_and_the_last_one_needs_no_end(pipe: tuple[PipeInlet, int]) -> None:
    made, writing = pipe
    os.write(writing, b"one\n\ntwo\r\nthr")
    assert [taken(made, 1), taken(made)] == [[b"one"], [b"two"]]
    os.write(writing, b"ee")
    os.close(writing)
    assert not made.ended
    assert taken(made) == [b"three"]
    assert made.ended and taken(made) == []


def test_a_batch_waits_for_its_window_and_no_longer(pipe: tuple[PipeInlet, int]) -> None:
    made, writing = pipe
    os.write(writing, b"one\ntwo\nthr")
    begun = time.monotonic()
    assert taken(made, 2, 5) == [b"one", b"two"] and time.monotonic() - begun < 1
    assert taken(made, 9, 0.2) == [] and 0.15 < time.monotonic() - begun < 2
    timer = threading.Timer(0.1, os.write, (writing, b"ee\n"))
    timer.start()
    assert taken(made, 1, 5) == [b"three"]
    timer.join()
    os.close(writing)
    begun = time.monotonic()
    assert taken(made, 9, 5) == [] and time.monotonic() - begun < 1 and made.ended


def test_an_empty_pipe_ends_at_once(pipe: tuple[PipeInlet, int]) -> None:
    made, writing = pipe
    os.close(writing)
    assert taken(made, 9, 5) == [] and made.ended


def test_a_huge_line_is_one_message_without_its_bytes(pipe: tuple[PipeInlet, int]) -> None:
    made, writing = pipe

    def send() -> None:
        with os.fdopen(writing, "wb") as stream:
            for _ in range((LONGEST_LINE >> 20) + 5):
                stream.write(b"x" * (1 << 20))
            stream.write(b"\ntwo\n")

    thread = threading.Thread(target=send)
    thread.start()
    assert taken(made, 9, 30) == [b"", b"two"]
    thread.join()


def test_a_pipe_keeps_no_dead_letters() -> None:
    dead = lines.open_dead(parse_place("-", "--dead"))
    message = Message(0, "0", b"x")
    dead.add([letter(message)])
    assert list(dead.letters()) == []
    with pytest.raises(InputError, match="keeps no dead letters"):
        dead.retry(letter(message))
    dead.close()


SCRIPT = """
from pipeline.serving.stream.lines import open_inlet, open_outlet
from pipeline.serving.stream.transport import Holding, Result, parse_place
place = parse_place("-", "--from")
entry, out = open_inlet(place, Holding()), open_outlet(place)
print("first", flush=True)
while not entry.ended:
    out.write([Result(0, m.at, None, m.value.upper()) for m in entry.take(2, 1)])
"""


@pytest.mark.parametrize("from_file", [False, True], ids=["pipe", "file"])
def test_a_process_answers_standard_input_on_standard_output(from_file: bool, root: Path, tmp_path: Path) -> None:
    data = b"".join(b"line %d\n" % n for n in range(5_000))
    (tmp_path / "in").write_bytes(data)
    source = {"stdin": (tmp_path / "in").open("rb")} if from_file else {"input": data}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, cwd=root, timeout=60, check=True, **source
    )
    if from_file:
        source["stdin"].close()
    assert ran.stdout == b"first\n" + data.upper()
