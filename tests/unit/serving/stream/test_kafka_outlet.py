"""Results into Kafka, by librdkafka's mock of it: keyed, in transactions, and of the owner only."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from made_kafka import MockKafka, running_kafka

from pipeline.errors import BrokerError
from pipeline.serving.stream.transport import FencedError, Result, Written, open_outlet, parse_place

pytest.importorskip("confluent_kafka", reason="confluent_kafka isn't installed (the extra `stream`)")


@pytest.fixture(scope="module")
def mock() -> Iterator[MockKafka]:
    with running_kafka() as kafka:
        yield kafka


@pytest.fixture
def topic(mock: MockKafka, request: pytest.FixtureRequest) -> str:
    """A topic for one test; its results have two partitions."""
    name = f"in.{abs(hash(request.node.name))}"
    mock.topic(f"{name}.out", 2)
    return name


def test_results_are_keyed_and_keep_the_partition_and_the_order(mock, topic):
    outlet = open_outlet(parse_place(mock.url(f"{topic}.out"), "test"))
    outlet.own({0: 1, 1: 1, 2: 1})
    results = [Result(n % 3, f"key {n}", f"T-{n}" if n % 2 else None, b"result %d" % n) for n in range(9)]
    assert outlet.write(results) == Written(new=9)
    assert outlet.write([]) == Written()
    outlet.close()
    found = mock.records(f"{topic}.out")
    assert sorted(key for _, key, _, _ in found) == [f"key {n}" for n in range(9)]
    for part in range(3):
        mine = [(p, key) for p, key, _, _ in found if int(key.split()[1]) % 3 == part]
        assert mine == [(part % 2, f"key {n}") for n in range(part, 9, 3)]
    assert all(value == b"result " + key.split()[1].encode() for _, key, value, _ in found)
    assert {key: headers for _, key, _, headers in found}["key 1"] == {"ticket_id": b"T-1"}
    assert {key: headers for _, key, _, headers in found}["key 2"] == {}


def test_nothing_is_written_of_a_partition_that_isnt_owned(mock, topic):
    outlet = open_outlet(parse_place(mock.url(f"{topic}.out"), "test"))
    outlet.own({0: 1})
    outlet.own({1: 1})
    with pytest.raises(FencedError):
        outlet.write([Result(0, "key", None, b"")])
    outlet.close()
    assert mock.records(f"{topic}.out") == []


@pytest.mark.parametrize("request_and_error", [(24, 90), (24, 47), (26, 90), (0, 47)], ids=str)
def test_a_writer_that_the_broker_fences_stays_out_until_it_owns_again(mock, topic, request_and_error):
    """The mock fences nobody: it is told to answer as Kafka would (24 adds partitions, 26 ends, 0 produces)."""
    outlet = open_outlet(parse_place(mock.url(f"{topic}.out"), "test"))
    outlet.own({0: 1})
    outlet.write([Result(0, "before", None, b"1")])
    mock.refuse(*request_and_error, 1)
    late = [Result(0, "late", None, b"2")]
    with pytest.raises(FencedError):
        outlet.write(late)
    with pytest.raises(FencedError):
        outlet.write(late)
    outlet.own({0: 2})
    outlet.write([Result(0, "after", None, b"3")])
    outlet.close()
    keys = [key for _, key, _, _ in mock.records(f"{topic}.out")]
    # The mock shows what was never committed; Kafka hides it.
    assert [key for key in keys if key != "late"] == ["before", "after"]


def test_after_a_failed_commit_the_same_results_are_written_once(mock, topic):
    outlet = open_outlet(parse_place(mock.url(f"{topic}.out"), "test"))
    outlet.own({0: 1, 1: 1})
    results = [Result(n % 2, f"key {n}", None, b"") for n in range(4)]
    mock.refuse(24, 29)  # the first of the two isn't let in
    with pytest.raises(BrokerError, match="results can't be sent"):
        outlet.write(results)
    assert outlet.write(results) == Written(new=4)
    outlet.close()
    assert sorted(key for _, key, _, _ in mock.records(f"{topic}.out")) == [f"key {n}" for n in range(4)]
