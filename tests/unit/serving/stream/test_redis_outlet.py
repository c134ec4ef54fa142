"""Results on Redis: one for each key, none from a worker that lost its partition; and dead letters."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from unit.serving.stream.redis_stream import drained, letter, result

from pipeline.errors import BrokerError
from pipeline.serving.stream.transport import FencedError, Written


def test_results_are_written_in_their_order(stream):
    outlet = stream.outlet()
    outlet.own({0: 1})
    assert outlet.write([result(0, "k1", b'{"a":1}'), result(0, "k2", b"\x00\xff", None)]) == Written(2, 0)
    assert stream.results() == [
        {b"key": b"k1", b"ticket_id": b"7", b"value": b'{"a":1}'},
        {b"key": b"k2", b"value": b"\x00\xff"},
    ]


def test_a_repeat_is_dropped_and_counted_wherever_it_comes_from(stream):
    outlet, other = stream.outlet(), stream.outlet()
    outlet.own({0: 1, 1: 1})
    other.own({0: 1, 1: 1})
    assert outlet.write([result(0, "k1"), result(0, "k1"), result(1, "k2")]) == Written(2, 1)
    assert other.write([result(0, "k2"), result(1, "k1"), result(1, "k3")]) == Written(1, 2)
    assert [r[b"key"] for r in stream.results()] == [b"k1", b"k2", b"k3"]


def test_many_results_are_written_at_once(stream):
    outlet = stream.outlet()
    outlet.own({0: 1})
    many = [result(0, str(i)) for i in range(2500)]
    assert outlet.write(many) == Written(2500, 0)
    assert outlet.write(many) == Written(0, 2500)


def test_a_key_is_remembered_for_so_many_days(stream):
    outlet = stream.outlet("keep_days=0.5")
    outlet.own({0: 1})
    outlet.write([result(0, "k")])
    client = stream.server.client()
    assert 43_000 < client.ttl(f"{stream.name}.out:key:k") <= 43_200
    assert client.memory_usage(f"{stream.name}.out:key:k") < 150
    client.close()


def test_the_stream_of_results_is_trimmed_where_the_place_says_so(stream):
    outlet = stream.outlet("maxlen=100")
    outlet.own({0: 1})
    outlet.write([result(0, str(i)) for i in range(1000)])
    assert 100 <= len(stream.results()) <= 300


def test_a_worker_with_a_smaller_token_writes_nothing(stream):
    late, owner = stream.outlet(), stream.outlet()
    late.own({0: 5, 1: 5})
    owner.own({0: 6})
    with pytest.raises(FencedError, match="another worker owns 0 of"):
        late.write([result(0, "k1"), result(1, "k2"), result(0, "k3")])
    assert [r[b"key"] for r in stream.results()] == [b"k2"]
    assert owner.write([result(0, "k1")]) == Written(1, 0)
    late.own({0: 5})
    with pytest.raises(FencedError):
        late.write([result(0, "k4")])
    late.own({0: 7})
    assert late.write([result(0, "k4")]) == Written(1, 0)


def test_what_is_not_owned_is_not_written(stream):
    outlet = stream.outlet()
    with pytest.raises(FencedError):
        outlet.write([result(0, "k")])
    outlet.own({0: 1})
    outlet.own({})
    with pytest.raises(FencedError):
        outlet.write([result(0, "k")])
    assert stream.results() == []


def test_a_worker_frozen_beyond_its_claim_time_cannot_write_when_it_wakes(stream):
    first, second = stream.inlet("a", claim_seconds=0.2), stream.inlet("b")
    late, owner = stream.outlet(), stream.outlet()
    late.own(first.tend())
    stream.put(0, b"one")
    (message,) = first.take(1, 0)
    time.sleep(0.25)
    owner.own(second.tend())
    with pytest.raises(FencedError):
        late.write([result(0, "k")])
    (again,) = second.take(1, 0)
    assert (again.at, again.tries) == (message.at, 2)
    assert owner.write([result(0, "k")]) == Written(1, 0)
    second.done([again])
    assert len(stream.results()) == 1


def test_a_key_that_holds_something_else_is_an_error_and_nothing_is_remembered(stream):
    client = stream.server.client()
    client.set(f"{stream.name}.out", "x")
    outlet = stream.outlet()
    outlet.own({0: 1})
    with pytest.raises(BrokerError, match="holds something else"):
        outlet.write([result(0, "k")])
    client.delete(f"{stream.name}.out")
    assert outlet.write([result(0, "k")]) == Written(1, 0)
    client.close()


def test_letters_are_kept_whole_and_the_oldest_comes_first(stream):
    dead = stream.dead()
    sent = [letter(f"0/{i}-0", b"\x00\xff%d" % i, None if i % 2 else f"T-{i}") for i in range(40)]
    dead.add(sent)
    found = list(dead.letters())
    assert [replace(m, id="") for m in found] == sent
    assert len({m.id for m in found}) == 40


def test_there_is_one_letter_for_a_position(stream):
    dead = stream.dead()
    dead.add([letter("0/1-0"), letter("0/1-0"), letter("1/1-0")])
    stream.dead().add([replace(letter("0/1-0"), tries=9)])
    assert [(m.position, m.tries) for m in dead.letters()] == [("0/1-0", 3), ("1/1-0", 3)]


def test_a_letter_tried_again_is_last_in_its_partition_and_is_struck_off(stream):
    inlet, dead = stream.inlet(), stream.dead()
    inlet.tend()
    stream.put(2, b"bad", b"good")
    bad = inlet.take(10, 0)[0]
    dead.add([letter(bad.position, bad.value, "T-1")])
    drained(inlet)
    (kept,) = dead.letters()
    dead.retry(kept)
    dead.retry(kept)  # somebody was quicker: it isn't sent twice
    assert list(dead.letters()) == []
    (again,) = drained(inlet)
    assert (again.partition, again.value, again.key, again.tries) == (2, b"bad", "T-1", 1)
    dead.add([letter(bad.position), letter(again.position)])
    assert len(list(dead.letters())) == 2


def test_a_letter_without_a_ticket_is_tried_again_without_one(stream):
    inlet, dead = stream.inlet(), stream.dead()
    inlet.tend()
    dead.add([letter("1/1-0", b"bad", None)])
    dead.retry(letter("1/1-0"))  # found by its position
    assert [(m.partition, m.value, m.key) for m in drained(inlet)] == [(1, b"bad", None)]
    assert list(dead.letters()) == []


def test_something_else_among_the_letters_is_shown_as_far_as_it_goes(stream):
    client = stream.server.client()
    client.xadd(f"{stream.name}:dead", {"tries": "often", "note": "x"})
    client.close()
    (found,) = stream.dead().letters()
    assert (found.code, found.tries, found.position, found.key, found.value) == ("", 0, "", None, b"")
