"""Kafka as a broker, on librdkafka's mock of it: what that keeps is gone when it ends, and it fences nobody."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from made_kafka import MockKafka, running_kafka

from pipeline.serving.stream.partition import partition_of
from pipeline.serving.stream.transport import (
    FencedError,
    Holding,
    Inlet,
    Letter,
    Message,
    open_dead,
    open_feed,
    open_inlet,
    parse_place,
)

pytest.importorskip("confluent_kafka", reason="confluent_kafka isn't installed (the extra `stream`)")
from confluent_kafka import Consumer, TopicPartition

SHORT = {"session__timeout__ms": 1000}


@pytest.fixture(scope="module")
def mock() -> Iterator[MockKafka]:
    with running_kafka() as kafka:
        yield kafka


@pytest.fixture
def topic(mock: MockKafka, request: pytest.FixtureRequest) -> str:
    """A topic of two partitions, for one test."""
    name = f"in.{abs(hash(request.node.name))}"
    mock.topic(name, 2)
    mock.topic(f"{name}.out", 2)
    mock.topic(f"{name}.dead", 1)
    return name


@pytest.fixture
def inlet_of(mock: MockKafka, topic: str) -> Iterator[Callable[..., Inlet]]:
    """Open inlets of the topic; they are closed at the end."""
    opened: list[Inlet] = []

    def inlet(worker: str = "one", **options: object) -> Inlet:
        place = parse_place(mock.url(topic, **(SHORT | options)), "test")
        opened.append(open_inlet(place, Holding(topic, worker, 6)))
        return opened[-1]

    yield inlet
    for each in opened:
        each.close()


def feed(mock: MockKafka, topic: str, *messages: tuple[str | None, bytes]) -> None:
    put = open_feed(parse_place(mock.url(topic), "test"))
    put.put(messages)
    put.close()


def tickets(count: int, ticket_id: str = "1") -> list[tuple[str | None, bytes]]:
    return [(ticket_id, b"message %d" % number) for number in range(count)]


def owned(inlet: Inlet, partitions: int = 2, seconds: float = 10) -> dict[int, int]:
    """The tokens, once the inlet owns so many partitions."""
    end = time.monotonic() + seconds
    while len(tokens := inlet.tend()) != partitions:
        assert time.monotonic() < end, f"it owns {sorted(tokens)}"
        time.sleep(0.02)
    return dict(tokens)


def taken(inlet: Inlet, most: int = 100, seconds: float = 5) -> list[Message]:
    """The next messages, whenever they come."""
    end = time.monotonic() + seconds
    while not (messages := inlet.take(most, 0.3)):
        assert time.monotonic() < end, "nothing comes"
        inlet.tend()
    return messages


def everything(inlet: Inlet, count: int) -> list[Message]:
    """So many messages, each begun and done."""
    messages: list[Message] = []
    while len(messages) < count:
        some = taken(inlet)
        inlet.begin(some)
        inlet.done(some)
        messages += some
    return messages


def child(mock: MockKafka, topic: str, point: str, *more: str) -> subprocess.Popen[str]:
    """A worker in a process of its own."""
    script = str(Path(__file__).with_name("kafka_child.py"))
    places = (mock.url(topic, **SHORT), mock.url(f"{topic}.out"))
    command = [sys.executable, script, *places, point, *more]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def killed(mock: MockKafka, topic: str, step: str, *more: str) -> str:
    """What a worker has taken that is killed after a step."""
    worker = child(mock, topic, f"killed when {step}", *more)
    said, complained = worker.communicate(timeout=20)
    assert worker.returncode == -9, complained
    assert complained == ""
    return said.strip()


# ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_messages_come_as_they_were_sent_each_ticket_in_its_partition_in_order(mock, topic, inlet_of):
    feed(mock, topic, *tickets(5, "1"), ("kafka", b"{}"), (None, b"without an id"), ("1", b""))
    inlet = inlet_of()
    owned(inlet)
    assert inlet.partitions == 2
    assert inlet.lag() == 8
    messages = everything(inlet, 8)
    of_one = [message for message in messages if message.key == "1"]
    assert [message.value for message in of_one] == [b"message %d" % n for n in range(5)] + [b""]
    assert {message.partition for message in of_one} == {partition_of("1", 2)}
    assert [m.partition for m in messages if m.key == "kafka"] == [partition_of("kafka", 2)]
    assert [m.value for m in messages if m.key is None] == [b"without an id"]
    assert {message.tries for message in messages} == {1}
    assert inlet.lag() == 0
    assert not inlet.ended


def test_take_waits_no_longer_than_it_is_told_and_takes_no_more(mock, topic, inlet_of):
    inlet = inlet_of()
    owned(inlet)
    begin = time.monotonic()
    assert inlet.take(10, 0.3) == []
    assert time.monotonic() - begin < 1
    feed(mock, topic, *tickets(5))
    assert [len(everything(inlet, 1)) for _ in range(1)] in ([1], [5])
    feed(mock, topic, *tickets(5))
    assert len(taken(inlet, most=3)) <= 3


def test_what_is_done_never_comes_again_and_what_isnt_comes_again(mock, topic, inlet_of):
    feed(mock, topic, *tickets(6))
    inlet = inlet_of()
    owned(inlet)
    first = taken(inlet)
    while len(first) < 6:
        first = taken(inlet)
    inlet.begin(first)
    inlet.done(first[:4])
    # In the same process: the rest was begun, so one by one.
    assert [(m.value, m.tries) for m in taken(inlet)] == [(b"message 4", 2)]
    inlet.close()
    later = inlet_of("later")
    owned(later)
    alone = taken(later)
    assert [(m.value, m.tries) for m in alone] == [(b"message 4", 2)]
    later.begin(alone)
    later.done(alone)
    assert [(m.value, m.tries) for m in taken(later)] == [(b"message 5", 2)]


def test_what_was_taken_and_not_begun_comes_again_as_new(mock, topic, inlet_of):
    feed(mock, topic, *tickets(3))
    inlet = inlet_of()
    owned(inlet)
    while len(taken(inlet)) < 3:
        continue
    again = inlet.take(100, 0.3)
    assert [(m.value, m.tries) for m in again] == [(b"message %d" % n, 1) for n in range(3)]


def test_a_worker_that_only_tends_keeps_little_and_loses_nothing(mock, topic, inlet_of):
    feed(mock, topic, *tickets(400))
    inlet = inlet_of()
    owned(inlet)
    for _ in range(1000):
        inlet.tend()
    assert sum(len(part.ahead) for part in inlet._parts.values()) <= 100
    assert [m.value for m in everything(inlet, 400)] == [b"message %d" % n for n in range(400)]


# ── owners ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_two_workers_share_and_hand_over_and_tokens_grow_with_each_owner(mock, topic, inlet_of):
    feed(mock, topic, *tickets(4, "1"), *tickets(4, "kafka"))
    one = inlet_of("one")
    first = owned(one)
    two = inlet_of("two")
    with ThreadPoolExecutor() as pool:  # neither waits for the other, as in processes of their own
        shares = list(pool.map(lambda each: owned(each, 1), (one, two)))
    both = shares[0] | shares[1]
    assert sorted(both) == [0, 1]
    assert all(both[number] > first[number] for number in both)
    for each, share in zip((one, two), shares, strict=True):
        assert {m.partition for m in everything(each, 4)} == set(share)
    one.close()
    last = owned(two)
    assert all(last[number] > both[number] for number in last)
    assert two.lag() == 0


def test_a_frozen_worker_loses_its_partitions_and_can_neither_begin_nor_end_anything(mock, topic, inlet_of):
    feed(mock, topic, *tickets(3))
    frozen = child(mock, topic, "waits when written")
    assert frozen.stdout.readline() == "taken 0:1 1:1 2:1\n"
    token = int(frozen.stdout.readline().split()[1])
    frozen.send_signal(19)
    inlet = inlet_of("other")
    tokens = owned(inlet)
    assert min(tokens.values()) > token
    seen = []
    for _ in range(3):
        alone = taken(inlet)
        inlet.begin(alone)
        inlet.done(alone)
        seen += [(m.value, m.tries) for m in alone]
    assert seen == [(b"message %d" % n, 2) for n in range(3)]
    frozen.send_signal(18)
    said, complained = frozen.communicate("\n", timeout=20)
    assert (said, complained) == ("fenced\n", "")
    feed(mock, topic, ("1", b"one more"))
    assert [(m.value, m.tries) for m in taken(inlet)] == [(b"one more", 1)]


def test_messages_of_a_lost_partition_are_neither_begun_nor_done(mock, topic, inlet_of):
    feed(mock, topic, *tickets(2, "1"), *tickets(2, "kafka"))
    inlet = inlet_of()
    owned(inlet)
    messages = taken(inlet)
    inlet.close()
    with pytest.raises(FencedError):
        inlet.begin(messages)
    with pytest.raises(FencedError):
        inlet.done(messages)


# ── attempts ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_after_a_worker_was_killed_each_of_its_messages_comes_alone_and_then_the_others_together(mock, topic, inlet_of):
    feed(mock, topic, *tickets(3))
    assert killed(mock, topic, "taken") == "taken 0:1 1:1 2:1"  # nothing was begun
    assert killed(mock, topic, "begun") == "taken 0:1 1:1 2:1"
    feed(mock, topic, *(("1", b"later %d" % number) for number in range(4)))
    assert killed(mock, topic, "written", "alone") == "taken 0:2"
    assert killed(mock, topic, "done", "alone") == "taken 0:3"
    inlet = inlet_of()
    owned(inlet)
    for number in (1, 2):
        alone = taken(inlet)
        assert [(m.value, m.tries) for m in alone] == [(b"message %d" % number, 2)]
        inlet.begin(alone)
        inlet.done(alone)
    assert [(m.value, m.tries) for m in everything(inlet, 4)] == [(b"later %d" % n, 1) for n in range(4)]


def test_metadata_of_somebody_else_is_no_fault(mock, topic, inlet_of):
    feed(mock, topic, *tickets(3))
    other = Consumer({"bootstrap.servers": mock.address, "group.id": topic, "enable.auto.commit": False})
    other.commit(offsets=[TopicPartition(topic, partition_of("1", 2), 1, "theirs")], asynchronous=False)
    other.close()
    inlet = inlet_of()
    owned(inlet)
    assert [(m.value, m.tries) for m in everything(inlet, 2)] == [(b"message 1", 1), (b"message 2", 1)]


# ── dead letters ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_dead_letters_are_kept_whole_one_for_a_position_and_tried_again(mock, topic, inlet_of):
    feed(mock, topic, *tickets(3))
    inlet = inlet_of()
    owned(inlet)
    everything(inlet, 3)
    dead = open_dead(parse_place(mock.url(topic), "test"))
    assert list(dead.letters()) == []
    number = partition_of("1", 2)
    one = Letter("killed", 3, f"{number}/1", "2026-08-01T00:00:00Z", "1", b"message 1 \xff")
    two = Letter("bad_json", 1, f"{number}/2", "2026-08-01T00:00:01Z", None, b"")
    dead.add([one, two])
    dead.add([two])
    kept = list(dead.letters())
    assert [(k.code, k.tries, k.position, k.died_at, k.key, k.value) for k in kept] == [
        (k.code, k.tries, k.position, k.died_at, k.key, k.value) for k in (one, two)
    ]
    assert all(letter.id for letter in kept)
    dead.retry(kept[0])
    assert [letter.position for letter in dead.letters()] == [two.position]
    dead.close()
    assert [(m.partition, m.key, m.value, m.tries) for m in taken(inlet)] == [(number, "1", b"message 1 \xff", 1)]
