"""Partitions on Redis: one owner at a time, fair shares, and tokens that only grow."""

from __future__ import annotations

import time

import pytest
from unit.serving.stream.redis_stream import shares, taken

from pipeline.errors import BrokerError, InputError


def test_one_worker_has_all_four_partitions(stream):
    inlet = stream.inlet()
    assert inlet.partitions == 0
    assert set(inlet.tend()) == {0, 1, 2, 3}
    assert inlet.partitions == 4
    assert not inlet.ended


def test_tending_again_changes_nothing(stream):
    inlet = stream.inlet()
    assert inlet.tend() == inlet.tend()


@pytest.mark.parametrize(("workers", "expected"), [(2, [2, 2]), (3, [2, 1, 1]), (5, [1, 1, 1, 1, 0])])
def test_workers_share_the_partitions_evenly(stream, workers, expected):
    assert shares(*(stream.inlet(f"w{i}") for i in range(workers))) == expected


def test_a_worker_that_closes_leaves_its_partitions_to_the_others_at_once(stream):
    first, second = stream.inlet("a"), stream.inlet("b")
    assert shares(first, second) == [2, 2]
    first.close()
    assert len(second.tend()) == 4


def test_a_token_grows_with_each_change_of_owner(stream):
    first, second = stream.inlet("a", "partitions=1"), stream.inlet("b")
    tokens = [first.tend()[0]]
    first.close()
    tokens.append(second.tend()[0])
    second.close()
    tokens.append(first.tend()[0])
    assert tokens == sorted(set(tokens))


def test_a_silent_worker_loses_its_partitions_after_its_claim_time(stream):
    silent, other = stream.inlet("a", claim_seconds=0.3), stream.inlet("b")
    before = silent.tend()
    assert other.tend() == {}
    time.sleep(0.35)
    after = other.tend()
    assert set(after) == set(before)
    assert all(after[p] > before[p] for p in before)


def test_a_worker_that_wakes_late_reads_nothing_more_of_what_it_lost(stream):
    silent, other = stream.inlet("a", claim_seconds=0.2), stream.inlet("b")
    silent.tend()
    time.sleep(0.25)
    other.tend()
    stream.put(0, b"one")
    assert taken(silent) == []
    assert silent.lag() == 0
    assert taken(other) == [b"one"]
    assert [m.tries for m in other.take(1, 0)] == [2]


def test_a_worker_that_wakes_before_anybody_took_over_has_new_tokens(stream):
    inlet = stream.inlet(claim_seconds=0.2)
    before = inlet.tend()
    time.sleep(0.25)
    after = inlet.tend()
    assert set(after) == set(before)
    assert after[0] > before[0]


def test_a_restarted_worker_has_its_own_partitions_back_at_once_under_new_tokens(stream):
    first, other = stream.inlet("a"), stream.inlet("b")
    shares(first, other)
    before = first.tend()
    after = stream.inlet("a").tend()
    assert set(after) == set(before)
    assert all(after[p] > before[p] for p in before)


def test_the_earlier_of_two_processes_under_one_name_is_told_so_and_reads_nothing(stream):
    first = stream.inlet("a")
    first.tend()
    second = stream.inlet("a")
    second.tend()
    stream.put(1, b"one")
    assert taken(first) == []
    with pytest.raises(BrokerError, match="another process works under this name"):
        first.tend()
    assert first.take(1, 0) == []
    first.close()
    assert taken(second) == [b"one"]
    second.close()
    assert len(first.tend()) == 4


def test_a_partition_with_messages_in_hand_is_given_up_only_when_they_are_done(stream):
    first = stream.inlet("b")
    first.tend()
    for p in range(4):
        stream.put(p, b"one")
    batch = first.take(100, 0)
    second = stream.inlet("a")
    second.tend()
    assert len(first.tend()) == 4
    first.done(batch)
    assert shares(first, second) == [2, 2]


def test_who_comes_first_says_how_many_partitions_there_are(stream):
    assert len(stream.inlet("a", "partitions=3").tend()) == 3
    other = stream.inlet("b")
    other.tend()
    assert other.partitions == 3


@pytest.mark.parametrize("part", ["inlet", "feed"])
def test_another_number_of_partitions_later_is_an_error_that_names_both(stream, part):
    stream.inlet("a", "partitions=3").tend()
    with pytest.raises(InputError, match=r"the stream has 3 partitions\n.*\n.*partitions=5"):
        if part == "inlet":
            stream.inlet("b", "partitions=5").tend()
        else:
            stream.feed("partitions=5").put([("1", b"one")])
    assert len(stream.inlet("a").tend()) == 3


def test_groups_have_a_stream_each_for_themselves(stream):
    first, second = stream.inlet(group="g"), stream.inlet(group="h")
    assert len(first.tend()) == len(second.tend()) == 4
    stream.put(2, b"one")
    assert taken(first) == taken(second) == [b"one"]
