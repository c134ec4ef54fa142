"""Redis that is away, full, frozen, empty or wrong: always the same error, no secret in it, and then it goes on."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import quote

import pytest
from made_redis import PASSWORD, RedisServer, running_redis
from unit.serving.stream.redis_stream import RedisStream, drained, letter, redis_stream, result, taken

from pipeline.errors import BrokerError, InputError
from pipeline.serving.stream import transport
from pipeline.serving.stream.transport import Holding, Written, parse_place

SECRET = b"the customer's words"


@pytest.fixture(scope="module")
def own_server() -> Iterator[RedisServer]:
    """A server that is ended and started again."""
    with running_redis() as server:
        yield server


@pytest.fixture
def shaky(own_server: RedisServer) -> Iterator[RedisStream]:
    """A stream on a server that may be ended; it runs again after the test."""
    with redis_stream(own_server) as made:
        yield made
        own_server.crash()
        own_server.start()


def parts(stream: RedisStream):
    """Every call of every part, by name."""
    inlet, outlet, dead, feed = stream.inlet(), stream.outlet(), stream.dead(), stream.feed()
    message = transport.Message(0, "1-1", SECRET)
    return {
        "tend": inlet.tend,
        "take": lambda: inlet.take(1, 0),
        "lag": inlet.lag,
        "done": lambda: inlet.done([message]),
        "own": lambda: outlet.own({0: 1}),
        "write": lambda: outlet.write([result(0, "k", SECRET)]),
        "add": lambda: dead.add([letter("0/1-1", SECRET)]),
        "letters": lambda: list(dead.letters()),
        "retry": lambda: dead.retry(letter("0/1-1", SECRET)),
        "put": lambda: feed.put([("1", SECRET)]),
    }


def told(call) -> str:
    """The error of a call, as a log would have it."""
    with pytest.raises(BrokerError) as caught:
        call()
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    text = str(caught.value)
    assert PASSWORD not in text
    assert SECRET.decode() not in text
    return text


def test_every_call_says_that_the_broker_is_away_and_works_when_it_is_back(shaky):
    calls = parts(shaky)
    for call in calls.values():
        call()
    shaky.server.crash()
    for call in calls.values():
        assert "can't be reached\n  where: redis://127.0.0.1" in told(call)
    shaky.server.start()
    for name in ("tend", "own", "take", "put", "write", "add", "letters", "retry", "done", "lag"):
        calls[name]()


def test_a_broker_that_is_away_at_the_start_is_found_later(shaky):
    shaky.server.crash()
    calls = parts(shaky)
    assert "can't be reached" in told(calls["tend"])
    shaky.server.start()
    calls["tend"]()
    calls["put"]()
    assert [m.value for m in calls["take"]()] == [SECRET]


def test_what_was_sent_written_done_and_buried_survives_a_crash_of_the_server(shaky):
    inlet, outlet, dead = shaky.inlet(), shaky.outlet(), shaky.dead()
    shaky.put(0, b"a", b"b", b"c")
    tokens = inlet.tend()
    outlet.own(tokens)
    batch = inlet.take(2, 0)
    outlet.write([result(0, "a")])
    inlet.done(batch[:1])
    dead.add([letter("0/9-9")])
    shaky.server.crash()
    shaky.server.start()
    assert inlet.tend() == tokens
    assert [(m.value, m.tries) for m in drained(inlet)] == [(b"b", 2), (b"c", 1)]
    assert outlet.write([result(0, "a"), result(0, "b")]) == Written(1, 1)
    assert [m.position for m in shaky.dead().letters()] == ["0/9-9"]


def test_a_server_that_lost_everything_is_set_up_anew_with_larger_tokens(shaky):
    inlet, outlet = shaky.inlet(), shaky.outlet()
    before = inlet.tend()
    outlet.own(before)
    shaky.put(0, b"a")
    inlet.take(1, 0)
    shaky.server.crash()
    shaky.server.forget()
    shaky.server.start()
    assert inlet.take(1, 0) == []
    after = inlet.tend()
    assert all(after[p] > before[p] for p in before)
    shaky.put(0, b"b")
    assert [(m.value, m.tries) for m in drained(inlet)] == [(b"b", 1)]
    outlet.own(after)
    assert outlet.write([result(0, "b")]) == Written(1, 0)


def test_forgotten_scripts_and_vanished_groups_are_made_anew(shaky):
    inlet, client = shaky.inlet(), shaky.server.client()
    inlet.tend()
    shaky.put(0, b"a", b"b")
    inlet.done(inlet.take(1, 0))
    client.script_flush()
    client.xgroup_destroy(f"{shaky.name}:0", "g")
    assert inlet.lag() == 2
    assert [m.value for m in drained(inlet)] == [b"a", b"b"]
    client.delete(f"{shaky.name}:0")
    inlet.done([transport.Message(0, "1-1", b"")])
    assert taken(inlet) == []
    client.close()


def test_nothing_that_was_sent_is_lost_while_the_server_crashes_again_and_again(shaky):
    sent: list[bytes] = []
    stop = threading.Event()

    def send() -> None:
        feed = shaky.feed("partitions=2")
        while not stop.is_set():
            batch = [("T", b"%d" % (len(sent) + i)) for i in range(3)]
            with suppress(BrokerError):  # then it is sent again: it may be there already
                feed.put(batch)
                sent.extend(value for _, value in batch)
            time.sleep(0.002)

    sender = threading.Thread(target=send)
    sender.start()
    inlet, outlet = shaky.inlet("a", "partitions=2"), shaky.outlet()
    for turn in range(40):
        if turn % 10 == 5:
            shaky.server.crash()
        if turn % 10 == 7:
            shaky.server.start()
        with suppress(BrokerError):
            worked(inlet, outlet)
        time.sleep(0.005)
    stop.set()
    sender.join()
    while worked(inlet, outlet):
        pass
    assert len(sent) > 30
    assert [r[b"value"] for r in shaky.results()] == sent


def worked(inlet, outlet) -> int:
    """One turn of a worker."""
    outlet.own(inlet.tend())
    batch = inlet.take(10, 0)
    outlet.write([result(m.partition, m.value.decode(), m.value) for m in batch])
    inlet.done(batch)
    return len(batch)


def test_a_batch_that_was_read_is_not_thrown_away_when_the_broker_goes(shaky):
    inlet = shaky.inlet()
    inlet.tend()
    shaky.put(0, b"a")
    end = threading.Timer(0.15, shaky.server.crash)
    end.start()
    assert [m.value for m in inlet.take(10, 0.5)] == [b"a"]
    end.join()
    told(lambda: inlet.take(10, 0))


def test_a_frozen_server_does_not_hang_the_worker(shaky):
    inlet = shaky.inlet("a", "timeout_seconds=0.3")
    inlet.tend()
    shaky.server.freeze()
    begun = time.monotonic()
    assert "doesn't answer in time" in told(inlet.tend)
    assert "doesn't answer in time" in told(lambda: inlet.take(1, 30))
    assert time.monotonic() - begun < 5
    shaky.server.thaw()
    assert len(inlet.tend()) == 4


def test_a_full_server_takes_nothing_and_goes_on_when_it_has_room(shaky):
    calls, client = parts(shaky), shaky.server.client()
    calls["tend"]()
    calls["own"]()
    client.config_set("maxmemory", "1mb")
    for name in ("put", "write", "add"):
        assert "memory is full" in told(calls[name])
    client.config_set("maxmemory", "0")
    for name in ("put", "write", "add"):
        calls[name]()
    assert len(shaky.results()) == 1
    client.close()


def test_a_replica_says_that_it_can_only_be_read(shaky):
    calls, client = parts(shaky), shaky.server.client()
    calls["tend"]()
    client.replicaof("127.0.0.1", "1")
    told_of = {name: told(calls[name]) for name in ("tend", "put", "own", "add")}
    client.replicaof("NO", "ONE")
    assert all("can only be read" in text for text in told_of.values()), told_of
    calls["tend"]()
    client.close()


def test_a_wrong_password_is_told_without_it(shaky):
    inlet = shaky.inlet(password="guessed-wrong")
    with pytest.raises(BrokerError, match="refuses the name or the password") as caught:
        inlet.tend()
    assert "guessed-wrong" not in str(caught.value)
    inlet = transport.open_inlet(parse_place(f"redis://127.0.0.1:{shaky.server.port}/0", "--from"), Holding())
    assert "refuses the name or the password" in told(inlet.tend)
    inlet.close()


def test_a_user_that_may_too_little_is_told_so(shaky):
    client = shaky.server.client()
    client.execute_command("ACL", "SETUSER", "small", "on", f">{PASSWORD}", "~other*", "+@all")
    place = f"redis://small:{PASSWORD}@127.0.0.1:{shaky.server.port}/0"
    inlet = transport.open_inlet(parse_place(place, "--from"), Holding())
    assert "user may not do this" in told(inlet.tend)
    inlet.close()
    client.close()


def test_a_server_without_tls_is_told_as_one_that_cannot_be_reached(shaky):
    url = shaky.server.url(shaky.name, "timeout_seconds=1").replace("redis:", "rediss:")
    inlet = transport.open_inlet(parse_place(url, "--from"), Holding())
    assert "where: rediss://127.0.0.1" in told(inlet.tend)
    inlet.close()


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("0", ("take", "put", "lag", "done")),
        ("meta", ("tend", "put")),
        ("g:workers", ("tend",)),
        ("dead", ("add", "letters")),
        ("dead:positions", ("add", "retry")),
    ],
)
def test_a_key_that_holds_something_else_is_told_and_nothing_is_half_done(stream, key, names):
    client, calls = stream.server.client(), parts(stream)
    if key == "0":
        calls["tend"]()
    client.set(f"{stream.name}:{key}", "x")
    for name in names:
        assert "holds something else" in told(calls[name])
    if key == "dead:positions":
        assert client.xlen(f"{stream.name}:dead") == 0
    client.close()


@pytest.mark.parametrize(
    ("part", "options", "expected"),
    [
        ("inlet", "strem=x", "an unknown option.*strem.*known are stream, partitions, trim, timeout_seconds"),
        ("inlet", "keep_days=7", "an unknown option"),
        ("outlet", "partitions=4", "an unknown option.*known are stream, keep_days, maxlen, timeout_seconds"),
        ("inlet", "partitions=0", "partitions isn't a number in its range.*got: 0.*from 1 to 1024"),
        ("inlet", "partitions=2.5", "partitions isn't a whole number"),
        ("feed", "partitions=four", "partitions isn't a number"),
        ("inlet", "partitions=nan", "partitions isn't a number"),
        ("inlet", "trim=all", "trim isn't a way to trim"),
        ("dead", "timeout_seconds=0", "timeout_seconds isn't a number"),
        ("outlet", "keep_days=-1", "keep_days isn't a number"),
        ("outlet", "maxlen=", "maxlen isn't a number"),
        ("feed", "stream=", "a stream without a name"),
    ],
)
def test_a_wrong_option_says_what_where_and_what_to_do(part, options, expected):
    place = parse_place(f"redis://:{PASSWORD}@localhost:1/0?{options}", "--from")
    open_ = getattr(transport, f"open_{part}")
    with pytest.raises(InputError, match=f"(?s){expected}") as caught:
        open_(place, Holding()) if part == "inlet" else open_(place)
    assert "redis://localhost:1/0" in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_a_database_that_is_no_number_is_an_error():
    with pytest.raises(InputError, match="the database isn't a number"):
        transport.open_feed(parse_place("redis://localhost/tickets", "--to"))


def test_the_extra_is_named_where_it_is_not_installed():
    code = (
        "import sys; sys.modules['redis'] = None\n"
        "from pipeline.serving.stream import transport as t\n"
        "t.open_feed(t.parse_place('redis://localhost', '--to'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'triage-tickets[stream]'" in done.stderr


def test_names_and_passwords_may_hold_any_character(redis_server):
    client = redis_server.client()
    client.execute_command("ACL", "SETUSER", "who@me", "on", ">a:b/c%d", "~*", "+@all")
    place = f"redis://{quote('who@me', '')}:{quote('a:b/c%d', '')}@localhost:{redis_server.port}/1?stream=tickets"
    inlet = transport.open_inlet(parse_place(place, "--from"), Holding())
    assert len(inlet.tend()) == 4
    inlet.close()
    client.execute_command("ACL", "DELUSER", "who@me")
    client.close()
