"""The work folder: one run at a time, a journal that a kill can't spoil, errors that say what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pipeline.errors import OutputError
from pipeline.serving.faults import AGE_POINTS, FILE_POINTS, OPEN_POINTS, POINTS, STREAM_POINTS, VARIABLE, point
from pipeline.serving.work import claimed, writing


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out.csv"


def test_a_second_run_on_the_same_output_is_refused_and_the_first_goes_on(out):
    with claimed(out) as first:
        first.begin({"format": 1})
        with pytest.raises(OutputError, match="another run is writing this output"), claimed(out):
            pass
        first.keep_chunk(0, b"x", {})
    assert [r.get("chunk") for r in first.records()] == [None, 0]


def test_runs_on_two_outputs_in_one_folder_do_not_meet(out):
    with claimed(out), claimed(out.with_name("other.csv")):
        pass


def test_the_lock_is_free_again_after_an_error(out):
    with pytest.raises(ZeroDivisionError), claimed(out) as work:
        work.begin({})
        raise ZeroDivisionError
    with claimed(out) as work:
        assert list(work.records()) == [{}]


def test_a_folder_that_never_began_a_journal_leaves_nothing_behind(out):
    with claimed(out):
        pass
    assert list(out.parent.iterdir()) == []


def test_removing_leaves_nothing_behind(out):
    with claimed(out) as work:
        work.begin({})
        work.keep_chunk(0, b"abc", {})
        work.remove()
    assert list(out.parent.iterdir()) == []


def test_ending_after_removing_does_not_touch_the_folder_of_the_next_run(out):
    with claimed(out) as first:
        first.begin({})
        first.remove()
        with claimed(out) as second:
            second.begin({"second": True})
    assert list(second.records()) == [{"second": True}]


@pytest.mark.parametrize("torn", [b'{"chunk":1,"sha', b"\0\0\0\0", b'{"chunk":1}', b"[1]\n", b"\xff\xfe\n"])
def test_a_line_that_was_not_finished_ends_the_journal_and_is_cut_off(out, torn):
    with claimed(out) as work:
        work.begin({"format": 1})
        work.keep_chunk(0, b"abc", {})
        whole = work.journal.read_bytes()
        work.journal.write_bytes(whole + torn)
        assert len(list(work.records())) == 2
        work.keep_records(2)
        assert work.journal.read_bytes() == whole


@pytest.mark.parametrize("spoil", [lambda p: p.unlink(), lambda p: p.write_bytes(b"abd"), lambda p: p.write_bytes(b"")])
def test_a_chunk_that_is_not_there_byte_by_byte_does_not_count(out, spoil):
    with claimed(out) as work:
        work.begin({})
        work.keep_chunk(0, b"abc", {})
        record = list(work.records())[1]
        assert work.has_chunk(record)
        spoil(work.chunk(0))
        assert not work.has_chunk(record)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_named_as_such_and_says_that_the_run_can_go_on(tmp_path, number):
    with pytest.raises(OutputError, match=r"the disk is full(.|\n)*goes on where it stopped"), writing(tmp_path):
        raise OSError(number, os.strerror(number))


def test_another_failed_write_says_why(tmp_path):
    with pytest.raises(OutputError, match="Read-only file system"), writing(tmp_path):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_a_name_that_is_too_long_is_an_error_of_the_output(tmp_path):
    with pytest.raises(OutputError, match="File name too long"), claimed(tmp_path / ("n" * 252 + ".csv")):
        pass


@pytest.mark.parametrize("value", ["nowhere", "chunk_written:2", "*:99", ""])
def test_a_moment_that_was_not_asked_for_does_nothing(monkeypatch, value):
    monkeypatch.setenv(VARIABLE, value)
    point("record_written")


@pytest.mark.parametrize(
    ("folder", "points"),
    [(".", POINTS | OPEN_POINTS), ("stream", STREAM_POINTS | FILE_POINTS | AGE_POINTS), ("http", {})],
)
def test_every_named_moment_stands_in_the_code_once_and_no_other(root, folder, points):
    files = sorted((root / "pipeline" / "serving" / folder).glob("*.py"))
    text = "".join(p.read_text("utf-8") for p in files)
    for name in points:
        assert text.count(f'point("{name}")') == 1, name
    assert text.count('point("') == len(points)
