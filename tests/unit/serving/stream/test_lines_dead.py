"""Dead letters of a followed file: kept whole, once each, and sent again at its end."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from unit.serving.stream.made_lines import inlet, letter, lines, place, write

from pipeline.errors import BrokerError, InputError
from pipeline.serving.stream.lines import open_dead
from pipeline.serving.stream.transport import Letter, Message


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "in.jsonl", ["one", "two"])


def letters(*values: bytes) -> list[Letter]:
    return [letter(Message(0, str(n), value, tries=n)) for n, value in enumerate(values)]


@pytest.mark.parametrize("value", ["Grüße\u2028 \x00".encode(), b"\xff\x00\n", b"\xed\xa0\x80", b'{"a": 1}', b""])
def test_a_letter_comes_back_as_it_was(file: Path, value: bytes) -> None:
    dead = open_dead(place(file))
    assert list(dead.letters()) == []
    dead.add(letters(value))
    (found,) = open_dead(place(file)).letters()
    assert found.id and {**_plain(found), "id": ""} == _plain(letters(value)[0])


def _plain(one: Letter) -> dict[str, object]:
    return {name: getattr(one, name) for name in ("code", "tries", "position", "died_at", "key", "value", "id")}


def test_a_letter_is_kept_once_and_for_its_owner_only(file: Path) -> None:
    dead = open_dead(place(file))
    dead.add(letters(b"a", b"b"))
    dead.add(letters(b"a", b"b", b"c"))
    other = open_dead(place(file))
    other.add(letters(b"a", b"b", b"c", b"d"))
    dead.add(letters(b"a", b"b", b"c", b"d", b"e"))
    assert [one.value for one in dead.letters()] == [b"a", b"b", b"c", b"d", b"e"]
    assert stat.S_IMODE((file.parent / "in.jsonl.dead.jsonl").stat().st_mode) == 0o600


def test_another_message_at_the_same_place_is_another_letter(file: Path) -> None:
    dead = open_dead(place(file))
    dead.add(letters(b"a"))
    dead.add(letters(b"b"))
    assert [one.value for one in dead.letters()] == [b"a", b"b"]


def test_a_retried_message_is_the_last_of_its_stream_and_its_letter_is_gone(file: Path) -> None:
    dead = open_dead(place(file))
    dead.add(letters(b"a", b"b", b"c"))
    dead.retry(list(dead.letters())[1])
    assert [one.value for one in dead.letters()] == [b"a", b"c"]
    assert [m.value for m in inlet(file).take(9, 0)] == [b"one", b"two", b"b"]
    dead.add(letters(b"a", b"b"))
    assert [one.value for one in dead.letters()] == [b"a", b"c", b"b"]


def test_a_message_that_was_too_long_to_be_kept_can_not_be_sent_again(file: Path) -> None:
    dead = open_dead(place(file))
    dead.add(letters(b""))
    with pytest.raises(InputError, match="too long"):
        dead.retry(next(dead.letters()))
    assert len(list(dead.letters())) == 1


def test_a_torn_letter_is_cut_off_and_written_again(file: Path) -> None:
    dead = open_dead(place(file))
    dead.add(letters(b"a", b"b"))
    path = file.parent / "in.jsonl.dead.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    assert [one.value for one in dead.letters()] == [b"a"]
    dead.add(letters(b"a", b"b"))
    assert [one.value for one in dead.letters()] == [b"a", b"b"] and len(lines(path)) == 2


def test_a_line_that_is_no_letter_is_named_by_its_number(file: Path) -> None:
    (file.parent / "in.jsonl.dead.jsonl").write_text("secret words\n")
    with pytest.raises(BrokerError, match="line 1") as caught:
        list(open_dead(place(file)).letters())
    assert "secret" not in str(caught.value)
