"""Kafka (a mock of it) away at the start or later: an error says so, soon, and by itself all is well again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from made_kafka import MockKafka, running_kafka

from pipeline.errors import BrokerError
from pipeline.serving.stream.transport import (
    Holding,
    Letter,
    Result,
    open_dead,
    open_feed,
    open_inlet,
    open_outlet,
    parse_place,
)

pytest.importorskip("confluent_kafka", reason="confluent_kafka isn't installed (the extra `stream`)")


@pytest.fixture
def mock() -> Iterator[MockKafka]:
    with running_kafka() as kafka:
        kafka.topic("in", 1)
        kafka.topic("in.dead", 1)
        kafka.topic("out", 1)
        yield kafka


@contextmanager
def soon(seconds: float = 10) -> Iterator[None]:
    """Nothing waits for long."""
    begin = time.monotonic()
    yield
    assert time.monotonic() - begin < seconds


def again(call: Callable[[], object], seconds: float = 20) -> object:
    """What a call gives once the broker is back."""
    end = time.monotonic() + seconds
    while True:
        try:
            with soon():
                if found := call():
                    return found
        except BrokerError:
            pass
        assert time.monotonic() < end, "it doesn't come back"


def place(mock: MockKafka, topic: str = "in"):
    return parse_place(mock.url(topic, session__timeout__ms=1500), "test")


def fail(mock: MockKafka, *calls: Callable[[], object]) -> None:
    """Each of these calls says soon that the broker is away (side by side, as each takes its time)."""

    def fails(call: Callable[[], object]) -> str:
        with soon(), pytest.raises(BrokerError) as error:
            call()
        return str(error.value)

    with ThreadPoolExecutor() as pool:
        for said in pool.map(fails, calls):
            assert f"kafka://{mock.address}/" in said
            assert "do: " in said


def test_a_broker_that_is_down_at_the_start_is_waited_for(mock):
    mock.crash()
    inlet, outlet = open_inlet(place(mock), Holding()), open_outlet(place(mock, "out"))
    dead, feed = open_dead(place(mock)), open_feed(place(mock))
    fail(
        mock,
        inlet.tend,
        lambda: outlet.own({0: 1}),
        lambda: feed.put([("1", b"one")]),
        lambda: list(dead.letters()),
    )
    fail(mock, lambda: inlet.take(1, 0.1))
    mock.start()
    mock.topic("in", 1)
    mock.topic("in.dead", 1)
    assert again(lambda: feed.put([("1", b"one")]) or True)
    assert again(lambda: feed.close() or True)
    tokens = again(inlet.tend)
    again(lambda: outlet.own(tokens) or True)
    messages = again(lambda: inlet.tend() and inlet.take(1, 0.5))
    assert [message.value for message in messages] == [b"one"]
    with soon():
        inlet.close()
        outlet.close()
        dead.close()


def test_a_broker_that_goes_away_and_comes_back_empty_is_worked_with_again(mock):
    inlet, outlet = open_inlet(place(mock), Holding()), open_outlet(place(mock, "out"))
    dead, feed = open_dead(place(mock)), open_feed(place(mock))
    feed.put([("1", b"one")])
    feed.close()
    tokens = again(inlet.tend)
    outlet.own(tokens)
    dead.add([Letter("code", 1, "0/0", "2026", None, b"")])
    messages = again(lambda: inlet.take(1, 0.5))
    inlet.begin(messages)
    outlet.write([Result(0, "key", None, b"")])
    mock.crash()
    fail(
        mock,
        lambda: outlet.write([Result(0, "key 2", None, b"")]),
        lambda: inlet.done(messages),
        lambda: dead.add([Letter("code", 1, "0/1", "2026", None, b"")]),
    )
    fail(mock, inlet.tend)
    mock.start()
    for name in ("in", "in.dead", "out"):
        mock.topic(name, 1)
    feed = open_feed(place(mock))
    assert again(lambda: feed.put([("1", b"two")]) or True)
    assert again(lambda: feed.close() or True)

    def next_one():
        new = inlet.tend()
        if new:
            outlet.own(new)
        return new and inlet.take(5, 0.5)

    messages = again(next_one)
    assert [message.value for message in messages] == [b"two"]
    assert again(lambda: outlet.write([Result(0, "key 3", None, b"")])).new == 1
    assert again(lambda: dead.add([Letter("code", 1, "0/1", "2026", None, b"")]) or True)
    inlet.begin(messages)
    inlet.done(messages)
    inlet.close()
    outlet.close()


def test_a_broker_that_answers_nothing_holds_nobody_up(mock):
    inlet, outlet = open_inlet(place(mock), Holding()), open_outlet(place(mock, "out"))
    feed = open_feed(place(mock))
    feed.put([("1", b"one")])
    feed.close()
    tokens = again(inlet.tend)
    outlet.own(tokens)
    messages = again(lambda: inlet.take(1, 0.5))
    mock.freeze()
    fail(mock, lambda: inlet.begin(messages), lambda: outlet.write([Result(0, "key", None, b"")]))
    with soon():
        inlet.close()
    mock.thaw()
    outlet.close()


def test_a_client_that_finds_no_broker_says_nothing_on_stderr():
    code = (
        "from pipeline.serving.stream.transport import *\n"
        "options = 'security.protocol=SASL_PLAINTEXT&sasl.mechanism=PLAIN'\n"
        "place = parse_place('kafka://me:hush@127.0.0.1:9/in?' + options, '')\n"
        "feed, inlet = open_feed(place), open_inlet(place, Holding())\n"
        "try: inlet.tend()\n"
        "except Exception as error: print(type(error).__name__, error, vars(inlet), vars(feed))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=40)
    assert done.stderr == ""
    assert "BrokerError" in done.stdout
    assert "hush" not in done.stdout
