"""Results in a file: whole lines, once each by their keys, one writer; a disk that is full leaves nothing half."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.serving.stream.made_lines import place

from pipeline.errors import BrokerError, OutputError
from pipeline.serving.stream import result_file
from pipeline.serving.stream.lines import open_feed, open_outlet
from pipeline.serving.stream.transport import Result, Written, parse_place


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("no right to mount a file system here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def results(*names: str, size: int = 1) -> list[Result]:
    return [Result(0, name, name, json.dumps({"is": "x" * size, "key": name}).encode()) for name in names]


def keys(path: Path) -> list[str]:
    return [json.loads(line)["key"] for line in path.read_bytes().splitlines()]


def test_results_are_appended_in_their_order_and_repeats_are_dropped_and_counted(file: Path) -> None:
    out = open_outlet(place(file))
    out.own({0: 1})
    assert out.write(results("a", "b", "a")) == Written(2, 1)
    assert out.write(results("b", "c")) == Written(1, 1)
    assert out.write([]) == Written()
    assert keys(file) == ["a", "b", "c"]


def test_a_worker_that_comes_after_knows_what_was_written_before(file: Path) -> None:
    first = open_outlet(place(file))
    first.write(results("a", "b"))
    first.close()
    second = open_outlet(place(file))
    assert second.write(results("a", "b", "c")) == Written(1, 2)
    assert keys(file) == ["a", "b", "c"]


def test_no_more_keys_are_known_than_a_batch_can_repeat(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_file, "REMEMBERED", 3)
    out = open_outlet(place(file))
    out.write(results("a", "b", "c", "d"))
    assert out.write(results("a", "d")) == Written(1, 1)
    out.close()
    assert open_outlet(place(file)).write(results("b", "c", "a")) == Written(1, 2)


@pytest.mark.parametrize(
    ("torn", "known"),
    [(b'{"is": "cut', []), (b"\x00\x00\x00", []), (b'{"is":1,"key":"t"}', ["t"])],
    ids=["half", "nothing on the disk", "all but its end"],
)
@pytest.mark.parametrize("before", [[], ["a"]])
def test_a_line_that_a_crash_cut_off_is_cut_back_and_one_that_is_whole_is_ended(
    file: Path, torn: bytes, known: list[str], before: list[str]
) -> None:
    file.write_bytes(b"".join(r.value + b"\n" for r in results(*before)) + torn)
    out = open_outlet(place(file))
    assert out.write(results("t")) == Written(1 - len(known), len(known))
    assert keys(file) == [*before, "t"]


@pytest.mark.parametrize(
    "data", [b"ticket_id,subject\n1,x\n", b"plain words", b'{"ticket":{}}\n', b'{"key":"a"}\nhello']
)
def test_a_file_that_was_named_by_mistake_is_left_as_it_is(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    out = open_outlet(place(file))
    with pytest.raises(OutputError, match="something else"):
        out.own({0: 1})
    with pytest.raises(OutputError, match="something else"):
        out.write(results("a"))
    assert file.read_bytes() == data


def test_one_worker_writes_a_file_until_it_owns_nothing_any_more(file: Path) -> None:
    first, second = open_outlet(place(file)), open_outlet(place(file))
    first.own({0: 1})
    second.own({})
    for _ in range(2):
        with pytest.raises(BrokerError, match="another process"):
            second.own({0: 2})
    first.write(results("a"))
    first.own({})
    second.own({0: 2})
    assert second.write(results("a", "b")) == Written(1, 1)
    with pytest.raises(BrokerError, match="another process"):
        first.write(results("c"))


def test_a_file_that_was_moved_aside_is_begun_anew(file: Path) -> None:
    out = open_outlet(place(file))
    out.write(results("a"))
    file.rename(file.with_name("out.1"))
    assert out.write(results("a", "b")) == Written(1, 1)
    assert keys(file) == ["b"] and keys(file.with_name("out.1")) == ["a"]


def test_a_full_disk_leaves_no_torn_line_and_the_next_attempt_writes_all(small_disk: Path) -> None:
    file = small_disk / "out.jsonl"
    out = open_outlet(place(file))
    assert out.write(results("a", size=20_000)) == Written(1)
    many = results("b", "c", "d", size=15_000)
    for _ in range(2):
        with pytest.raises(BrokerError, match="No space left"):
            out.write(many)
        assert keys(file) == ["a"]
    subprocess.run(["mount", "-o", "remount,size=1m", small_disk], check=True)
    assert out.write(many) == Written(3)
    assert keys(file) == ["a", "b", "c", "d"]
    out.close()


def test_a_limit_of_the_file_s_size_leaves_no_torn_line(file: Path) -> None:
    out = open_outlet(place(file))
    out.write(results("a"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, limits[1]))
    try:
        with pytest.raises(BrokerError, match="File too large"):
            out.write(results("b", "c", size=4_000))
        with pytest.raises(BrokerError, match="File too large"):
            open_feed(place(file)).put([(None, b"x" * 6_000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert keys(file) == ["a"]
    assert out.write(results("b", "c", size=4_000)) == Written(2)


def test_a_folder_that_is_not_there_can_be_made_later(tmp_path: Path) -> None:
    out = open_outlet(place(tmp_path / "later" / "out.jsonl"))
    with pytest.raises(BrokerError, match="No such file"):
        out.own({0: 1})
    (tmp_path / "later").mkdir()
    assert out.write(results("a")) == Written(1)


def test_a_feed_appends_lines_and_ends_what_another_writer_has_not(file: Path) -> None:
    file.write_bytes(b"torn")
    feed = open_feed(place(file))
    feed.put([("id", b"one"), (None, b"\xff")])
    feed.put([])
    feed.close()
    assert file.read_bytes() == b"torn\none\n\xff\n"
    with pytest.raises(Exception, match="one line"):
        feed.put([(None, b"a\nb")])


def test_a_pipe_whose_reader_has_gone_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    stdout = os.fdopen(writing, "w")
    monkeypatch.setattr("sys.stdout", stdout)
    out, feed = open_outlet(parse_place("-", "--to")), open_feed(parse_place("-", "--to"))
    out.own({0: 1})
    assert out.write(results("a")) == Written(1)
    feed.put([(None, b"{}")])
    feed.close()
    assert os.read(reading, 999).splitlines()[1:] == [b"{}"]
    os.close(reading)
    for send in (lambda: out.write(results("b")), lambda: feed.put([(None, b"{}")])):
        with pytest.raises(OutputError, match="nobody reads"):
            send()
    stdout.close()
