"""What was begun and isn't done: suspects are tried one by one, and each answers for itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.serving.stream.attempts import Begun


def test_nothing_begun_means_no_suspects():
    begun = Begun(7, 7)
    assert not begun.suspect(7)
    assert begun.tries(7) == 1


def test_of_a_batch_that_died_each_message_is_a_suspect_on_its_second_try():
    died = Begun(10, 10).begin(10, 13)
    assert [died.suspect(position) for position in (9, 10, 12, 13)] == [False, True, True, False]
    assert [died.tries(position) for position in (10, 11, 12, 13)] == [2, 2, 2, 1]


def test_only_the_one_that_was_tried_alone_counts_on():
    begun = Begun(10, 10).begin(10, 13)
    for tries in (2, 3, 4):
        assert begun.tries(10) == tries
        begun = begun.begin(10, 11)
        assert begun.tries(11) == 2
    after = begun.done(11)
    assert (after.tries(11), after.tries(12), after.tries(13)) == (2, 2, 1)


def test_when_the_last_suspect_is_done_nothing_is_left():
    begun = Begun().begin(0, 2).begin(0, 1).done(1).begin(1, 2).done(2)
    assert begun == Begun(2, 2)


def test_part_of_a_batch_may_be_done():
    begun = Begun().begin(0, 10).done(4)
    assert begun == Begun(4, 10, 1, 1)


def test_done_never_goes_back():
    assert Begun(5, 5).done(3) == Begun(5, 5)


def test_nothing_is_begun_past_a_suspect():
    with pytest.raises(ValueError, match="12 is begun before 10"):
        Begun().begin(10, 12).begin(12, 13)


def test_nothing_is_begun_that_is_done():
    with pytest.raises(ValueError, match="9 is done"):
        Begun(10, 10).begin(9, 11)


def test_a_suspect_that_the_stream_has_dropped_is_passed_over():
    begun = Begun().begin(10, 14)
    assert begun.begin(12, 13) == Begun(12, 14, 2, 1)


@pytest.mark.parametrize("text", ["", "1", "1 2 3", "a b c d", "5 4 1 1", "-1 0 0 0", "0 1 -1 0", '{"at": 1}'])
def test_a_text_of_somebody_else_is_refused(text):
    with pytest.raises(ValueError):
        Begun.decode(text)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.integers(0, 40))
def test_however_often_workers_die_every_message_is_done_once_and_in_order(batches, deaths):
    """A run over lines of some length, in which every nth worker dies; only what was encoded goes on."""
    ends = [3 * (n + 1) for n in range(sum(batches))]
    begun, done, steps = Begun(), [], 0
    while begun.at < ends[-1]:
        begun = Begun.decode(begun.encode())
        left = [end for end in ends if end > begun.at]
        many = 1 if begun.suspect(begun.at) else batches[len(done) % len(batches)]
        taken = left[:many]
        tries = begun.tries(begun.at)
        begun = begun.begin(begun.at, taken[-1])
        assert (begun.first, begun.suspect(begun.at)) == (tries, True)
        steps += 1
        if deaths and steps % 3 == 0:
            deaths -= 1
            continue
        begun = begun.done(taken[-1])
        done += taken
    assert done == ends
