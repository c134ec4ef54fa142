"""How far the input has moved: counts add up, divergences are right, chance isn't taken for change."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from factories import tickets
from hypothesis import given
from hypothesis import strategies as st

from pipeline.features import drift
from pipeline.tickets import schema

BINS = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 50), min_size=1).filter(lambda d: sum(d.values()) > 0)


def scored(count: int, **columns: object) -> pd.DataFrame:
    frame = schema.empty("scored").reindex(range(count))
    frame["language"] = "en"
    for name, values in columns.items():
        frame[name] = values
    return frame


def summary(count: int, **columns: object) -> drift.Counts:
    return drift.summarise(tickets(count), scored(count, **columns))


@given(BINS)
def test_a_histogram_has_not_moved_from_itself_whatever_its_size(bins):
    assert drift.divergence(bins, {k: 3 * v for k, v in bins.items()}) == pytest.approx(0, abs=1e-12)


@given(BINS, BINS)
def test_the_divergence_is_symmetric_and_between_no_bit_and_one(a, b):
    assert 0 <= drift.divergence(a, b) <= 1 + 1e-12
    assert drift.divergence(a, b) == pytest.approx(drift.divergence(b, a))


def test_the_divergence_is_that_of_a_case_done_by_hand():
    # p = (1/2, 1/2), q = (1, 0), m = (3/4, 1/4): ½·[½·lb(2/3) + ½·lb 2] + ½·lb(4/3)
    by_hand = 0.5 * (0.5 * math.log2(2 / 3) + 0.5) + 0.5 * math.log2(4 / 3)
    assert drift.divergence({"a": 5, "b": 5}, {"a": 7}) == pytest.approx(by_hand)
    assert drift.divergence({"a": 3}, {"b": 4}) == pytest.approx(1.0)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_the_counts_of_the_chunks_add_up_to_the_counts_of_the_whole(sizes):
    count = sum(sizes)
    frame = tickets(count, fields_kind=[f"k{i % 3}" for i in range(count)], channel=[None, "chat"][count % 2])
    answers = scored(count, topic=[f"t{i % 4}" for i in range(count)], topic_confidence=np.arange(count) / count)
    ends = np.cumsum([0, *sizes])
    parts = [drift.summarise(frame.iloc[a:b], answers.iloc[a:b]) for a, b in pairwise(ends)]
    assert drift.merge(parts) == drift.merge([drift.summarise(frame, answers)])


def test_a_field_that_some_chunks_lack_counts_as_empty_there_in_any_order():
    with_field = drift.summarise(tickets(2, fields_kind=["a", "b"]), scored(2))
    without = summary(3)
    merged = drift.merge([without, with_field])
    assert merged == drift.merge([with_field, without])
    assert merged["counts"]["fields.kind"][drift.EMPTY] == 3
    assert sum(merged["counts"]["fields.kind"].values()) == merged["rows"] == 5


def test_refused_rows_are_not_counted():
    assert summary(3, error=[None, "missing_id", None])["rows"] == 2


def test_counts_are_plain_json_and_hold_no_value_of_a_field_or_channel():
    frame = tickets(2, fields_kind=["private one", "private two"], channel=["jane@example.com", "chat"])
    text = json.dumps(drift.summarise(frame, scored(2)))
    assert json.loads(text)["rows"] == 2
    assert "private" not in text
    assert "jane" not in text


def test_counts_stay_small_however_many_values_a_field_has():
    frame = tickets(5000, fields_number=[str(i) for i in range(5000)])
    assert len(drift.summarise(frame, scored(5000))["counts"]["fields.number"]) <= drift.BUCKETS


def test_text_lengths_are_counted_in_powers_of_two():
    frame = tickets(4, subject=["", "a", "abc", None], body=[None, "bc", "d", ""])
    assert drift.summarise(frame, scored(4))["counts"]["text_length"] == {
        drift.EMPTY: 2,
        "0000002+": 1,
        "0000004+": 1,
    }


@pytest.mark.parametrize(("value", "expected"), [(0.0, "0.0"), (0.05, "0.0"), (0.95, "0.9"), (1.0, "0.9")])
def test_confidences_are_counted_in_tenths(value, expected):
    assert summary(1, topic_confidence=[value])["counts"]["topic_confidence"] == {expected: 1}


def test_the_same_kind_of_input_is_steady_at_any_number_of_rows():
    rng = np.random.default_rng(0)
    topics = np.array(["a", "b", "c", "d"])
    reference = summary(4000, topic=rng.choice(topics, 4000))
    for count in (20, 200, 4000):
        assert drift.judge(reference, summary(count, topic=rng.choice(topics, count))).verdict == "steady"


def test_a_clear_change_is_moved_and_names_what_moved():
    rng = np.random.default_rng(0)
    reference = summary(4000, topic=rng.choice(["a", "b"], 4000))
    found = drift.judge(reference, summary(500, topic=rng.choice(["a", "b"], 500, p=[0.95, 0.05])))
    assert (found.verdict, found.moved) == ("moved", ("topic",))
    assert next(iter(found.bits)) == "topic"


def test_a_small_change_in_many_rows_is_moving():
    reference = {"rows": 10_000, "counts": {"topic": {"a": 5000, "b": 5000}}}
    now = {"rows": 10_000, "counts": {"topic": {"a": 6700, "b": 3300}}}
    found = drift.judge(reference, now)
    assert (found.verdict, found.moving, found.moved) == ("moving", ("topic",), ())


def test_a_column_that_is_no_longer_filled_has_moved():
    reference = drift.summarise(tickets(200, fields_kind=["a"] * 200), scored(200))
    assert "fields.kind" in drift.judge(reference, summary(200)).moved


def test_a_column_that_training_did_not_know_says_nothing():
    now = drift.summarise(tickets(200, fields_new=["a"] * 200), scored(200))
    assert "fields.new" not in drift.judge(summary(200), now).bits


@pytest.mark.parametrize("reference", [None, {}, {"rows": 0, "counts": {}}])
def test_without_a_reference_the_verdict_is_unknown(reference):
    assert drift.judge(reference, summary(5)).verdict == "unknown"


def test_without_rows_the_verdict_is_unknown():
    assert drift.judge(summary(5), summary(0)).verdict == "unknown"


def test_chance_alone_stays_below_its_bound_in_all_but_a_few_of_a_thousand_draws():
    rng = np.random.default_rng(1)
    bound = drift.chance(6, 300, 2000)
    shares = np.array([0.3, 0.25, 0.2, 0.1, 0.1, 0.05])
    above = 0
    for _ in range(1000):
        a, b = rng.multinomial(2000, shares), rng.multinomial(300, shares)
        above += drift.divergence(dict(enumerate(a)), dict(enumerate(b))) > bound
    assert above <= 6


def test_the_thresholds_are_the_stability_indexs_for_near_distributions():
    # PSI = Σ (p − q) ln(p / q); the divergence in nats is an eighth of it when p and q are near.
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.45, 0.33, 0.22])
    index = float(((p - q) * np.log(p / q)).sum())
    found = drift.divergence(*({i: int(v * 1e6) for i, v in enumerate(side)} for side in (p, q)))
    assert found == pytest.approx(index / 8 / math.log(2), rel=0.01)
    assert pytest.approx(2.5) == drift.MOVED_BITS / drift.MOVING_BITS
