"""A followed file: lines count once they are whole, survive rotation, and cost no memory; what is lost is said."""

from __future__ import annotations

import os
import resource
import threading
import time
from pathlib import Path

import pytest
from unit.serving.stream.made_lines import inlet, place, taken, write

from pipeline.errors import BrokerError, InputError
from pipeline.serving.stream import followed_file
from pipeline.serving.stream.followed_state import State
from pipeline.serving.stream.lines import open_inlet
from pipeline.serving.stream.splitter import LONGEST_LINE, Splitter
from pipeline.serving.stream.transport import FencedError, Holding, Message, parse_place


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "in.jsonl"


def add(path: Path, data: bytes) -> None:
    with path.open("ab") as stream:
        stream.write(data)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_are_the_same_however_the_bytes_come(size: int) -> None:
    data = b"one\r\n\r\n  \ntwo\x00\xff\n\nthree"
    splitter = Splitter(10)
    found = [line for n in range(0, len(data), size) for line in splitter.lines(data[n : n + size])]
    found += splitter.rest()
    assert [(line.begin - 10, line.end - 10, line.value) for line in found] == [
        (0, 5, b"one"),
        (10, 16, b"two\x00\xff"),
        (17, 22, b"three"),
    ]


def test_a_message_stands_at_the_first_byte_of_its_line(file: Path) -> None:
    file.write_bytes("ä\n\r\n{}\r\n".encode())
    assert [(m.position, m.value, m.tries) for m in inlet(file).take(9, 0)] == [
        ("0/0", "ä".encode(), 1),
        ("0/5", b"{}", 1),
    ]


def test_a_line_counts_once_its_end_is_there(file: Path) -> None:
    file.write_bytes(b"one\ntw")
    made = inlet(file)
    assert taken(made) == [b"one"]
    assert taken(made) == []
    add(file, b"o\nthree\n")
    assert taken(made) == [b"two", b"three"]
    assert not made.ended


def test_without_following_a_last_line_needs_no_end_and_the_stream_has_one(file: Path) -> None:
    file.write_bytes(b"one\ntwo")
    made = inlet(file, follow=False)
    messages = made.take(9, 5)
    assert [m.value for m in messages] == [b"one", b"two"] and not made.ended
    made.begin(messages)
    made.done(messages)
    assert made.ended and made.take(9, 5) == [] and made.lag() == 0


def test_a_file_that_is_not_there_is_waited_for(file: Path) -> None:
    made = inlet(file)
    assert made.take(9, 0.05) == [] and made.lag() == 0
    write(file, ["one"])
    assert taken(made) == [b"one"]


def test_without_following_a_missing_file_is_an_error_that_names_it(file: Path) -> None:
    made = open_inlet(place(file, follow=False), Holding())
    with pytest.raises(InputError, match=r"no such file\n.*in\.jsonl"):
        made.tend()


def test_without_following_a_file_that_has_gone_is_no_end(file: Path) -> None:
    write(file, ["one", "two"])
    made = inlet(file, follow=False)
    assert taken(made, 1) == [b"one"]
    made.close()
    file.rename(file.with_name("in.jsonl.1"))
    made = inlet(file, follow=False)
    assert taken(made, 9) == [b"two"] and made.ended
    made.close()
    file.with_name("in.jsonl.1").unlink()
    with pytest.raises(InputError, match="no such file"):
        inlet(file, follow=False)


def test_a_batch_waits_for_its_window_and_no_longer(file: Path) -> None:
    write(file, ["one"])
    made = inlet(file)
    timer = threading.Timer(0.1, add, (file, b"two\n"))
    timer.start()
    begun, used = time.monotonic(), time.process_time()
    assert [m.value for m in made.take(9, 0.4)] == [b"one", b"two"]
    assert 0.35 < time.monotonic() - begun < 1.5
    assert time.process_time() - used < 0.1, "polling is hot"
    begun = time.monotonic()
    assert len(made.take(2, 5)) == 2
    assert time.monotonic() - begun < 1


def test_what_was_taken_and_not_begun_comes_again_in_order(file: Path) -> None:
    write(file, ["1", "2", "3", "4"])
    made = inlet(file)
    assert [m.value for m in made.take(3, 0)] == [b"1", b"2", b"3"]
    messages = made.take(2, 0)
    assert [(m.value, m.tries) for m in messages] == [(b"1", 1), (b"2", 1)]
    made.begin(messages)
    assert made.take(9, 0) == [], "nothing comes before what was begun is done"
    made.done(messages[1:])
    assert made.take(9, 0) == []
    made.done(messages[:1])
    assert taken(made) == [b"3", b"4"]


def test_a_batch_holds_at_most_so_many_bytes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followed_file, "BATCH_BYTES", 10)
    write(file, ["12345", "12345", "1", "1234567890123"])
    made = inlet(file)
    assert [taken(made), taken(made), taken(made), taken(made)] == [[b"12345"] * 2, [b"1"], [b"1234567890123"], []]


def test_a_new_owner_goes_on_where_the_last_was_done_and_tries_what_was_begun_one_by_one(file: Path) -> None:
    write(file, ["1", "2", "3", "4"])
    first = inlet(file)
    assert taken(first, 1) == [b"1"]
    first.begin(first.take(2, 0))
    first.close()
    second = inlet(file)
    (message,) = second.take(9, 0)
    assert (message.value, message.tries) == (b"2", 2)
    second.begin([message])
    second.close()
    third = inlet(file)
    (message,) = third.take(9, 0)
    assert (message.value, message.tries) == (b"2", 3)
    third.begin([message])
    third.done([message])
    (message,) = third.take(9, 0)
    assert (message.value, message.tries) == (b"3", 2)
    third.done([message])
    assert taken(third) == [b"4"]


def test_one_worker_owns_a_file_and_the_token_grows_with_each_owner(file: Path) -> None:
    write(file, ["1"])
    first, second = inlet(file), open_inlet(place(file), Holding())
    (token,) = first.tend().values()
    assert second.tend() == {} and second.take(9, 0.01) == [] and first.tend() == {0: token}
    first.close()
    (later,) = second.tend().values()
    assert later > token
    second.close()
    (tmp,) = file.parent.glob("*.state")
    tmp.unlink()
    time.sleep(0.01)
    (third,) = inlet(file).tend().values()
    assert third > later


def test_groups_share_nothing(file: Path) -> None:
    write(file, ["1"])
    assert taken(inlet(file)) == taken(inlet(file, group="other")) == [b"1"]


def test_who_has_lost_the_lock_begins_nothing(file: Path) -> None:
    write(file, ["1"])
    made = inlet(file)
    messages = made.take(9, 0)
    file.with_name("in.jsonl.triage.lock").unlink()
    other = inlet(file)
    assert made.tend() == {}
    with pytest.raises(FencedError):
        made.begin(messages)
    assert taken(other) == [b"1"]


def test_a_file_that_was_replaced_is_read_to_its_end_and_then_the_new_one(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed_file, "QUIET_SECONDS", 0.1)
    write(file, ["old 1"])
    made = inlet(file)
    assert taken(made) == [b"old 1"]
    old = file.rename(file.with_name("in.jsonl.1"))
    write(file, ["new 1"])
    assert taken(made, seconds=0.01) == []
    add(old, b"old 2\nold 3, torn")  # by a writer that still has it open
    found, until = [], time.monotonic() + 5
    while len(found) < 3 and time.monotonic() < until:
        messages = made.take(9, 0.05)
        made.begin(messages)
        made.done(messages)
        found += [(m.at, m.value) for m in messages]
    assert found == [("6", b"old 2"), ("12", b"old 3, torn"), ("23", b"new 1")]


@pytest.mark.parametrize("name", ["in.jsonl.1", "in.jsonl-20261123", "in-2.jsonl", "elsewhere"])
def test_a_file_that_was_replaced_while_nobody_read_it_is_found_under_its_new_name(
    file: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed_file, "QUIET_SECONDS", 0.0)
    write(file, ["old 1", "old 2"])
    made = inlet(file)
    assert taken(made, 1) == [b"old 1"]
    made.close()
    file.rename(file.with_name(name))
    write(file, ["new 1"])
    made = inlet(file)
    assert taken(made, 1, seconds=5) == [b"old 2"]
    assert taken(made, 1, seconds=5) == [b"new 1"]
    made.close()
    assert taken(inlet(file)) == []


def test_files_replaced_one_after_the_other_are_all_read_while_a_worker_is_there(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed_file, "QUIET_SECONDS", 0.0)
    write(file, ["a1", "a2"])
    made, found = inlet(file), []
    for name in "bcd":
        found += taken(made, 1)
        file.rename(file.with_name(f"in.jsonl.{name}"))
        write(file, [f"{name}1", f"{name}2"])
    for _ in range(10):
        found += taken(made, seconds=0.02)
    assert found == [f"{name}{n}".encode() for name in "abcd" for n in (1, 2)]


def test_files_replaced_more_than_once_while_nobody_read_them_are_an_error_that_names_them(file: Path) -> None:
    write(file, ["a"])
    made = inlet(file)
    assert taken(made) == [b"a"]
    made.close()
    for n, name in enumerate(("in.jsonl.2", "in.jsonl.1")):
        os.utime(file, (n, n))
        file.rename(file.with_name(name))
        write(file, [f"next {n}"])
    with pytest.raises(BrokerError, match=r"more than once(.|\n)*in\.jsonl\.1"):
        inlet(file)
    file.with_name("in.jsonl.1").rename(file.with_name("elsewhere"))
    assert taken(inlet(file), 1, seconds=5) == [b"next 1"]


def test_a_copy_of_the_file_in_its_place_is_the_same_file(file: Path) -> None:
    write(file, ["1", "2"])
    made = inlet(file)
    assert taken(made, 1) == [b"1"]
    copy = write(file.with_name("copy"), ["1", "2", "3"])
    copy.rename(file)
    assert taken(made) == [b"2", b"3"]
    made.close()
    write(file.with_name("copy"), ["1", "2", "3", "4"]).rename(file)
    assert taken(inlet(file)) == [b"4"]


@pytest.mark.parametrize("live", [True, False], ids=["read", "unread"])
@pytest.mark.parametrize("now", [["1"], ["something", "else"]], ids=["cut", "written anew"])
def test_a_file_that_was_cut_or_written_anew_is_an_error_until_a_person_has_looked(
    file: Path, live: bool, now: list[str]
) -> None:
    write(file, ["1", "2"])
    made = inlet(file)
    assert taken(made) == [b"1", b"2"]
    if not live:
        made.close()
    write(file, now)
    with pytest.raises(BrokerError, match="lines that nobody read may be gone"):
        taken(made) if live else made.tend()
    for _ in range(2):
        with pytest.raises(BrokerError, match=r"remove in\.jsonl\.triage\.state"):
            made.tend()
    file.with_name("in.jsonl.triage.state").unlink()
    assert made.tend() and taken(made) == [line.encode() for line in now]


def test_an_empty_file_that_is_filled_in_place_is_read_from_its_beginning(file: Path) -> None:
    file.touch()
    made = inlet(file)
    assert taken(made) == []
    made.close()
    write(file, ["1"])
    assert taken(inlet(file)) == [b"1"]


def test_a_damaged_state_is_an_error_that_says_what_to_do(file: Path) -> None:
    write(file, ["1"])
    file.with_name("in.jsonl.triage.state").write_text('{"token": 1}')
    with pytest.raises(BrokerError, match="remove it"):
        open_inlet(place(file), Holding()).tend()


def test_a_state_that_can_not_be_kept_begins_nothing_and_can_be_tried_again(file: Path) -> None:
    write(file, ["1", "2"])
    made = inlet(file)
    messages = made.take(9, 0)
    aside = file.with_name("in.jsonl.triage.state.next")
    aside.mkdir()
    with pytest.raises(BrokerError, match="can't be kept"):
        made.begin(messages)
    aside.rmdir()
    made.begin(messages)
    aside.mkdir()
    with pytest.raises(BrokerError, match="can't be kept"):
        made.done(messages)
    assert made.take(9, 0) == []
    aside.rmdir()
    made.done(messages)
    made.close()
    assert taken(inlet(file)) == []


def test_a_huge_line_is_one_message_without_its_bytes_and_costs_no_memory(file: Path) -> None:
    with file.open("wb") as stream:
        stream.write(b"one\n")
        for _ in range(150):
            stream.write(b"x" * (1 << 20))
        stream.write(b"\ntwo\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = inlet(file)
    messages = made.take(3, 30)
    assert [(m.at, m.value) for m in messages] == [("0", b"one"), ("4", b""), (str(5 + (150 << 20)), b"two")]
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 3 * (LONGEST_LINE >> 10), f"{grown} kB"


def test_garbage_is_delivered_as_it_is(file: Path) -> None:
    garbage = [b"\x00" * 100, b"\xff\xfe", b"{" * 5000, "\u2028".encode(), b"\x0b\x1c1"]
    file.write_bytes(b"\n".join([*garbage, b""]))
    assert taken(inlet(file)) == garbage


def test_lag_counts_the_lines_that_are_not_done(file: Path) -> None:
    write(file, [str(n) for n in range(100)])
    made = inlet(file)
    assert made.lag() == 100
    messages = made.take(30, 0)
    made.begin(messages)
    assert made.lag() == 100
    made.done(messages)
    add(file, b"more\n")
    assert made.lag() == 71
    assert len(taken(made)) == 71 and made.lag() == 0
    add(file, b"\n\n \nlast\n\n")
    assert made.lag() == 5
    assert taken(made) == [b"last"] and made.lag() == 0
    made.close()
    assert made.lag() is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file:///tmp/x?folow=no", "unknown option"),
        ("file:///tmp/x?follow=maybe", "neither yes nor no"),
        ("file://tmp/x", "not a file of this machine"),
        ("/tmp", "a folder"),
    ],
)
def test_a_place_that_can_never_work_is_refused_at_once(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        open_inlet(parse_place(text, "--from"), Holding())


def test_errors_hold_no_secret_of_the_place(file: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_inlet(parse_place("file://user:secret@host/x", "--from"), Holding())
    assert "secret" not in str(caught.value)


def test_the_state_says_how_far_it_is_in_a_readable_way(file: Path) -> None:
    write(file, ["1", "2"])
    made = inlet(file)
    taken(made, 1)
    found = State.load(file.with_name("in.jsonl.triage.state"))
    assert found.offset == 2 and found.file is not None and found.file.inode == file.stat().st_ino


def test_an_unknown_message_is_not_done(file: Path) -> None:
    write(file, ["1"])
    made = inlet(file)
    made.done([Message(0, "77", b"")])
    assert taken(made) == [b"1"]
