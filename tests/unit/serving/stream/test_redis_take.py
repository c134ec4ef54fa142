"""Messages from Redis: in order, never more than may be held, and those that were begun come one by one."""

from __future__ import annotations

import threading
import time

import pytest
from unit.serving.stream.redis_stream import drained, taken

from pipeline.serving.stream import redis_streams
from pipeline.serving.stream.partition import partition_of


def test_messages_of_a_ticket_come_in_their_order_with_their_key(stream):
    sent = [(f"T-{i % 5}", b"%d" % i) for i in range(40)]
    stream.feed().put(sent)
    inlet = stream.inlet()
    inlet.tend()
    found = inlet.take(100, 0)
    for ticket_id in {t for t, _ in sent}:
        mine = [m for m in found if m.key == ticket_id]
        assert [m.value for m in mine] == [v for t, v in sent if t == ticket_id]
        assert {m.partition for m in mine} == {partition_of(ticket_id, 4)}
    assert {m.tries for m in found} == {1}
    assert found[0].position == f"{found[0].partition}/{found[0].at}"


def test_messages_without_a_ticket_are_spread_and_have_no_key(stream):
    stream.feed().put([(None, b"%d" % i) for i in range(40)])
    inlet = stream.inlet()
    inlet.tend()
    found = inlet.take(100, 0)
    assert {m.partition for m in found} == {0, 1, 2, 3}
    assert {m.key for m in found} == {None}


def test_a_feed_sends_more_than_fits_into_one_script(stream):
    feed = stream.feed("partitions=1")
    feed.put([])
    feed.put([("1", b"%d" % i) for i in range(2 * redis_streams.SENT_AT_ONCE + 7)])
    inlet = stream.inlet()
    inlet.tend()
    assert [int(m.value) for m in drained(inlet, 900)] == list(range(2 * redis_streams.SENT_AT_ONCE + 7))


def test_a_batch_is_never_larger_than_asked_for(stream):
    stream.feed().put([(str(i), b"x") for i in range(50)])
    inlet = stream.inlet()
    inlet.tend()
    sizes = []
    while batch := inlet.take(8, 0):
        sizes.append(len(batch))
        inlet.done(batch)
    assert sizes == [8] * 6 + [2]


def test_a_busy_partition_does_not_keep_the_others_waiting(stream):
    stream.put(0, *[b"x"] * 50)
    stream.put(3, b"y")
    inlet = stream.inlet()
    inlet.tend()
    seen = []
    for _ in range(4):
        batch = inlet.take(5, 0)
        inlet.done(batch)
        seen += [m.value for m in batch]
    assert b"y" in seen


def test_a_batch_is_bounded_in_bytes_and_a_larger_message_comes_alone(stream, monkeypatch):
    monkeypatch.setattr(redis_streams, "BATCH_BYTES", 1000)
    stream.put(0, b"a" * 400, b"b" * 600, b"c", b"d" * 5000, b"e", b"f" * 999, b"g")
    inlet = stream.inlet()
    inlet.tend()
    sizes = []
    while batch := inlet.take(100, 0):
        sizes.append([len(m.value) for m in batch])
        assert {m.tries for m in batch} == {1}
        inlet.done(batch)
    assert sizes == [[400, 600], [1], [5000], [1, 999], [1]]


def test_a_large_message_does_not_join_a_batch_that_is_being_filled(stream, monkeypatch):
    monkeypatch.setattr(redis_streams, "BATCH_BYTES", 1000)
    stream.put(0, b"a")
    inlet = stream.inlet()
    inlet.tend()
    late = threading.Timer(0.1, stream.put, [0, b"b" * 5000])
    late.start()
    assert taken_within(inlet, 0.6) == [b"a"]
    late.join()


def taken_within(inlet, seconds):
    return [m.value for m in inlet.take(10, seconds)]


def test_take_waits_for_the_first_message_and_wakes_when_it_comes(stream):
    inlet = stream.inlet()
    inlet.tend()
    late = threading.Timer(0.2, stream.put, [2, b"one"])
    late.start()
    begun = time.monotonic()
    assert [m.value for m in inlet.take(1, 5)] == [b"one"]
    assert 0.1 < time.monotonic() - begun < 2
    late.join()


def test_take_fills_up_within_its_time_and_no_longer(stream):
    inlet = stream.inlet()
    inlet.tend()
    stream.put(0, b"one")
    late = threading.Timer(0.1, stream.put, [1, b"two"])
    late.start()
    begun = time.monotonic()
    assert taken_within(inlet, 0.4) == [b"one", b"two"]
    assert 0.35 < time.monotonic() - begun < 2
    late.join()


def test_a_full_batch_comes_at_once(stream):
    inlet = stream.inlet()
    inlet.tend()
    stream.put(0, *[b"x"] * 5)
    begun = time.monotonic()
    assert len(inlet.take(5, 10)) == 5
    assert time.monotonic() - begun < 2


def test_waiting_asks_the_server_seldom(stream):
    inlet = stream.inlet()
    inlet.tend()
    client = stream.server.client()
    before = client.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)
    assert inlet.take(10, 0.5) == []
    stream.put(0, b"x")
    assert len(inlet.take(10, 0.5)) == 1
    idle = stream.inlet("z", "partitions=4")
    assert idle.take(1, 0.2) == []
    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] - before < 20
    client.close()


def test_what_was_taken_and_not_done_comes_again_one_by_one_before_anything_new(stream):
    stream.put(0, b"a", b"b")
    inlet = stream.inlet()
    inlet.tend()
    assert taken(inlet) == [b"a", b"b"]
    stream.put(0, b"c")
    seen = []
    while batch := inlet.take(10, 0):
        seen.append([(m.value, m.tries) for m in batch])
        inlet.done(batch)
    assert seen == [[(b"a", 2)], [(b"b", 2)], [(b"c", 1)]]


def test_only_the_record_that_kills_its_worker_is_counted_up(stream):
    stream.put(0, b"a", b"poison", b"c", b"d")
    tries = {}
    for _ in range(4):  # each is a process that dies at the poison
        inlet = stream.inlet()
        inlet.tend()
        while batch := inlet.take(10, 0):
            tries.update({m.value: m.tries for m in batch})
            if b"poison" in [m.value for m in batch]:
                break
            inlet.done(batch)
    assert tries == {b"a": 2, b"poison": 4, b"c": 1, b"d": 1}
    inlet = stream.inlet()
    inlet.tend()
    (poison,) = inlet.take(10, 0)
    assert (poison.value, poison.tries) == (b"poison", 5)
    inlet.done([poison])
    assert [(m.value, m.tries) for m in drained(inlet)] == [(b"c", 2), (b"d", 2)]


def test_a_new_owner_takes_up_what_its_forerunner_had_begun(stream):
    first, second = stream.inlet("a", claim_seconds=0.2), stream.inlet("b")
    first.tend()
    stream.put(1, b"a", b"b", b"c")
    batch = first.take(10, 0)
    first.done(batch[:1])
    time.sleep(0.25)
    second.tend()
    assert [(m.value, m.tries) for m in drained(second)] == [(b"b", 2), (b"c", 2)]


def test_entries_that_were_deleted_meanwhile_are_done(stream):
    ids = stream.put(0, b"a", b"b", b"c")
    inlet = stream.inlet()
    inlet.tend()
    inlet.take(10, 0)
    client = stream.server.client()
    client.xdel(f"{stream.name}:0", *ids[:2])
    assert [m.value for m in inlet.take(10, 0)] == [b"c"]
    assert client.xpending(f"{stream.name}:0", "g")["pending"] == 1
    client.close()


def test_an_entry_without_a_value_is_delivered_empty(stream):
    client = stream.server.client()
    client.xadd(f"{stream.name}:0", {"text": "no field of ours", "key": b"\xff"})
    client.close()
    inlet = stream.inlet()
    inlet.tend()
    (found,) = inlet.take(10, 0)
    assert (found.value, found.key) == (b"", "�")


def test_lag_is_what_is_not_done(stream):
    stream.feed().put([(str(i), b"x") for i in range(20)])
    inlet = stream.inlet()
    assert inlet.lag() == 0
    inlet.tend()
    assert inlet.lag() == 20
    batch = inlet.take(5, 0)
    inlet.begin(batch)
    assert inlet.lag() == 20
    inlet.done(batch)
    assert inlet.lag() == 15
    drained(inlet)
    assert inlet.lag() == 0


def test_lag_is_of_the_owned_partitions_only(stream):
    first, second = stream.inlet("a"), stream.inlet("b")
    for _ in range(2):
        held = [first.tend(), second.tend()]
    stream.put(min(held[0]), b"x")
    assert (first.lag(), second.lag()) == (1, 0)


def test_nothing_is_deleted_unless_the_place_says_so(stream):
    stream.put(0, b"a", b"b")
    inlet = stream.inlet()
    inlet.tend()
    drained(inlet)
    client = stream.server.client()
    assert client.xlen(f"{stream.name}:0") == 2
    client.close()


def test_trimming_deletes_only_what_every_group_has_done(stream):
    stream.put(0, *[b"%d" % i for i in range(10)])
    first, second = stream.inlet("a", "trim=done"), stream.inlet("a", "trim=done", group="h")
    first.tend()
    second.tend()
    client = stream.server.client()
    second.take(1, 0)
    drained(first)
    assert client.xlen(f"{stream.name}:0") == 10  # the other group has its first one in hand
    second.done(second.take(1, 0))
    batch = second.take(4, 0)
    second.done(batch[:2])
    second.done(batch[3:])
    assert [fields[b"value"] for _, fields in client.xrange(f"{stream.name}:0")] == [b"%d" % i for i in range(3, 10)]
    assert [m.value for m in drained(second)] == [b"3", *(b"%d" % i for i in range(5, 10))]
    assert client.xlen(f"{stream.name}:0") == 1
    assert second.lag() == 0
    client.close()


@pytest.mark.parametrize(
    "ids", [["99-1", "100-1"], ["5-9", "5-10"], ["5-18446744073709551614", "5-18446744073709551615"]]
)
def test_trimming_compares_ids_as_numbers(stream, ids):
    client = stream.server.client()
    for at in ids:
        client.xadd(f"{stream.name}:0", {"value": at}, id=at)
    first, second = stream.inlet("a", "trim=done"), stream.inlet("a", group="h")
    first.tend()
    second.tend()
    second.take(1, 0)  # holds the first
    drained(first)
    assert client.xlen(f"{stream.name}:0") == 2
    client.close()
