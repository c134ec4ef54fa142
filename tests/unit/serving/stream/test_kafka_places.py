"""Addresses of Kafka: what they may say, and what is refused at once."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.errors import InputError
from pipeline.serving.stream.transport import Holding, open_dead, open_feed, open_inlet, open_outlet, parse_place

pytest.importorskip("confluent_kafka", reason="confluent_kafka isn't installed (the extra `stream`)")

OPENERS = [lambda place: open_inlet(place, Holding()), open_outlet, open_dead, open_feed]


@pytest.mark.parametrize("opened", OPENERS, ids=["inlet", "outlet", "dead", "feed"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kafka://127.0.0.1:9", "no topic"),
        ("kafka:///topic", "no host"),
        ("kafka://127.0.0.1:9/a topic", "no topic that Kafka allows"),
        ("kafka://127.0.0.1:9/topic?no.such.option=1", "no.such.option"),
        ("kafka://127.0.0.1:9/topic?socket.timeout.ms=soon", "socket.timeout.ms"),
        ("kafka://127.0.0.1:9/topic?error_cb=print", "wrong option"),
        ("kafka://127.0.0.1:9/topic?enable.auto.commit=true", "enable.auto.commit"),
        ("kafka://127.0.0.1:9/topic?partitions=none", "partitions=none"),
        ("kafka://127.0.0.1:9/topic?sasl.password=hush&security.protocol=hush", "security.protocol"),
    ],
)
def test_an_address_that_cant_work_is_refused_at_once(opened, text, said):
    with pytest.raises(InputError, match=said) as refused:
        opened(parse_place(text, "test"))
    assert "hush" not in str(refused.value)


def test_an_address_names_several_brokers_and_shows_no_secret(monkeypatch):
    from pipeline.serving.stream.kafka_client import read_place

    place = parse_place("kafka://me:hu%40sh@one:9092,two:9093,[::1]:9/topic?security.protocol=SASL_SSL", "test")
    assert place.shown == "kafka://one:9092,two:9093,[::1]:9/topic"
    cluster = read_place(place)
    assert cluster.settings == {
        "bootstrap.servers": "one:9092,two:9093,[::1]:9",
        "sasl.username": "me",
        "sasl.password": "hu@sh",
        "security.protocol": "SASL_SSL",
    }
    assert "sh" not in repr(cluster).replace("shown", "")
    monkeypatch.setenv("TRIAGE_KAFKA_PASSWORD", "of the environment")
    assert read_place(place).settings["sasl.password"] == "hu@sh"
    assert read_place(parse_place("kafka://one/topic", "")).settings["sasl.password"] == "of the environment"


def test_without_its_client_kafka_says_what_to_install():
    code = (
        "import sys; sys.modules['confluent_kafka'] = None\n"
        "from pipeline.errors import InputError\n"
        "from pipeline.serving.stream.transport import open_feed, parse_place\n"
        "try: open_feed(parse_place('kafka://one/topic', ''))\n"
        "except InputError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'triage-tickets[stream]'" in done.stdout


@pytest.mark.parametrize("sign", ["/", "?", "#"])
@pytest.mark.parametrize("scheme", ["kafka", "redis"])
def test_a_password_that_breaks_the_address_isnt_shown(scheme, sign):
    with pytest.raises(InputError, match="not an address") as refused:
        parse_place(f"{scheme}://me:hu{sign}sh@one:9092/topic", "test")
    assert "hu" not in str(refused.value)
    assert "sh@" not in str(refused.value)
