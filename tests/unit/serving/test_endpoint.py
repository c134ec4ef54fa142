"""The client of a chat endpoint: patient, bounded, and quiet about keys."""

from __future__ import annotations

import time
from typing import Any

import pytest
from made_model import Model, Sent, chat, model

from pipeline.errors import ConfigError, InputError
from pipeline.serving.endpoint import Answered, Client, Endpoint

HELLO = [{"role": "user", "content": "hello"}]


def client(made: Model | str, **more: Any) -> Client:
    quick = {"timeout_seconds": 5.0, "backoff_seconds": 0.01} | more
    return Client(Endpoint(made if isinstance(made, str) else made.url, "small", **quick))


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ("http://h:8000", "http://h:8000/v1/chat/completions"),
        ("http://h:8000/", "http://h:8000/v1/chat/completions"),
        ("https://h/api/v1", "https://h/api/v1/chat/completions"),
        ("https://h/v1/chat/completions", "https://h/v1/chat/completions"),
    ],
)
def test_an_address_may_be_short(given: str, whole: str) -> None:
    assert Endpoint(given, "m").address == whole


@pytest.mark.parametrize("given", ["h:8000", "ftp://h/v1", "", "http://", "http://user:secret@h/v1"])
def test_what_is_no_address_is_refused_without_repeating_it(given: str) -> None:
    with pytest.raises(ConfigError, match="not an endpoint's address") as caught:
        client(given)
    assert "secret" not in str(caught.value)


def test_a_question_carries_the_model_and_the_key_and_gets_its_answer() -> None:
    with model(lambda _: "good") as made:
        assert client(made, key="k-1").ask(HELLO) == Answered("good", cut=False)
    assert made.asked[0]["model"] == "small" and made.asked[0]["messages"] == HELLO
    assert made.asked[0]["temperature"] == 0 and made.asked[0]["max_tokens"] == 600
    assert made.headers[0]["Authorization"] == "Bearer k-1" and made.paths == ["/v1/chat/completions"]
    assert "k-1" not in repr(Endpoint("http://h", "m", "k-1"))


def test_without_a_key_none_is_sent() -> None:
    with model(lambda _: "good") as made:
        client(made).ask(HELLO)
    assert "Authorization" not in made.headers[0]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(status: int) -> None:
    answers = iter([Sent(status), Sent(status), "good"])
    with model(lambda _: next(answers)) as made:
        assert client(made).ask(HELLO) == Answered("good", cut=False)
    assert len(made.asked) == 3


def test_a_server_that_says_how_long_is_waited_for() -> None:
    answers = iter([Sent(429, headers={"Retry-After": "1"}), "good"])
    begun = time.monotonic()
    with model(lambda _: next(answers)) as made:
        assert client(made).ask(HELLO) is not None
    assert 1.0 <= time.monotonic() - begun < 5


def test_tries_end() -> None:
    with model(lambda _: Sent(500)) as made:
        assert client(made).ask(HELLO) is None
    assert len(made.asked) == 3


@pytest.mark.parametrize("status", [301, 307, 400, 413, 422])
def test_what_wont_get_better_is_asked_once_and_nothing_is_followed(status: int) -> None:
    with model(lambda _: "stolen") as other:
        away = Sent(status, headers={"Location": other.url})
        with model(lambda _: away) as made:
            assert client(made).ask(HELLO) is None
    assert len(made.asked) == 1 and not other.asked


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_endpoint_that_refuses_everybody_ends_the_run(status: int) -> None:
    with model(lambda _: Sent(status)) as made, pytest.raises(InputError, match=f"status {status}") as caught:
        client(made, key="k-1").ask(HELLO)
    assert "k-1" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [b"", b"no json", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{"message": null}]}', chat(None), chat(["a"]),
     b"[" * 100_000, chat("x" * 1_100_000)],
    ids=range(10),
)  # fmt: skip
def test_what_is_no_answer_is_none(body: bytes) -> None:
    with model(lambda _: Sent(body=body)) as made:
        assert client(made).ask(HELLO) is None


def test_an_answer_that_was_cut_off_says_so() -> None:
    with model(lambda _: Sent(body=chat("half", "length"))) as made:
        assert client(made).ask(HELLO) == Answered("half", cut=True)


@pytest.mark.parametrize("slow", [Sent(body=chat("late"), wait_seconds=1.0), Sent(body=chat("x"), trickle_seconds=0.1)])
def test_a_slow_server_and_one_that_trickles_are_given_up(slow: Sent) -> None:
    begun = time.monotonic()
    with model(lambda _: slow) as made:
        assert client(made, timeout_seconds=0.3, tries=1).ask(HELLO) is None
    assert time.monotonic() - begun < 8


def test_nobody_there_is_no_answer() -> None:
    with model(lambda _: "good") as made:
        pass
    assert client(made, tries=2).ask(HELLO) is None


def test_after_many_failures_in_a_row_nothing_more_is_sent() -> None:
    with model(lambda _: Sent(400)) as made:
        one = client(made)
        assert [one.ask(HELLO) for _ in range(9)] == [None] * 9
    assert len(made.asked) == 5
