"""Fields and numbers of a ticket: codes that hold no value, rare and unseen values, times, and the whole builder."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from factories import NOON, tickets

from pipeline.config import Features, History, Sla
from pipeline.features import table as room
from pipeline.features.build import FeatureBuilder
from pipeline.features.table import MISSING, NUMBERS, UNSEEN, FieldCodes, numbers
from pipeline.features.text import count_tickets

TIERS = ["gold"] * 6 + ["tin"] * 3 + ["lead"] * 2 + [None]


def rows(**columns: object) -> pd.DataFrame:
    found = tickets(12, fields_tier=TIERS, **columns)
    return found.assign(text=found["subject"] + "\n" + found["body"])


CODES = FieldCodes.fit(rows(), rare=3)
TIER = CODES.names.index("fields.tier")


def test_the_most_frequent_value_has_the_first_code() -> None:
    found = CODES.transform(rows())[:, TIER]
    assert list(found) == [2] * 6 + [3] * 3 + [4] * 2 + [MISSING]


def test_a_value_that_training_never_saw_and_a_missing_one_have_codes_of_their_own() -> None:
    new = tickets(3, fields_tier=["platinum", None, "tin"])
    assert list(CODES.transform(new)[:, TIER]) == [UNSEEN, MISSING, 3]


def test_a_field_that_the_tickets_lack_is_missing() -> None:
    new = tickets(2).drop(columns=["channel"])
    assert (CODES.transform(new) == MISSING).all(axis=0)[[TIER, CODES.names.index("channel")]].all()


def test_values_are_kept_only_as_hashes() -> None:
    stored = CODES.state()
    text = json.dumps({k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in stored.items()})
    values = {"gold", "tin", "lead", "c0", "c1", "email"}
    assert not any(f'"{v}"' in text for v in values)
    assert set(stored["names"]) == {"channel", "customer_id", "fields.tier", "language"}


def test_the_hash_of_a_value_is_the_same_on_every_machine() -> None:
    assert sorted(CODES.hashes[TIER].tolist()) == [
        int(h) for h in sorted(room._hash(v) for v in ("gold", "tin", "lead"))
    ]
    assert room._hash("gold") == 10837187491037727384


def test_codes_do_not_depend_on_the_order_of_the_tickets() -> None:
    tied = tickets(6, fields_tier=["a", "b", "c", "a", "b", "c"])
    one, other = FieldCodes.fit(tied, rare=1), FieldCodes.fit(tied.iloc[::-1], rare=1)
    np.testing.assert_array_equal(one.transform(tied), other.transform(tied))


def test_a_frequent_value_has_a_column_and_rare_ones_share_one() -> None:
    codes = CODES.transform(rows())
    columns = CODES.one_hot(codes).toarray()
    own = [i for i, n in enumerate(CODES.one_hot_fields()) if n == "fields.tier"]
    assert columns.shape == (12, len(CODES.one_hot_fields()))
    np.testing.assert_array_equal(columns.sum(axis=1), len(CODES.names))  # one column of each field
    assert list(columns[:, own].argmax(axis=1)) == [2] * 6 + [3] * 3 + [4] * 2 + [MISSING]
    unseen = CODES.one_hot(np.full((1, len(CODES.names)), 99, dtype=np.int32)).toarray()[0, own]
    assert unseen.argmax() == len(own) - 1  # with the rare ones


def test_a_field_without_any_value_is_left_out() -> None:
    assert "fields.tier" not in FieldCodes.fit(tickets(3, fields_tier=None), rare=1).names


def test_tickets_without_any_field_have_no_codes() -> None:
    bare = tickets(3, channel=None, language=None, customer_id=None)
    none = FieldCodes.fit(bare, rare=1)
    assert none.names == () and none.transform(bare).shape == (3, 0)
    assert none.one_hot(none.transform(bare)).shape == (3, 0)


def test_stored_codes_are_the_same() -> None:
    np.testing.assert_array_equal(FieldCodes.from_state(CODES.state()).transform(rows()), CODES.transform(rows()))


def test_numbers_are_what_can_be_counted() -> None:
    one = tickets(1).assign(text="HELP! Call 112 now?!")
    found = dict(zip(NUMBERS, numbers(one)[0].tolist(), strict=True))
    day = (NOON - pd.Timestamp(0, tz="UTC")).days
    assert found["day"] == pytest.approx(day + 0.5)
    assert (found["hour"], found["weekday"]) == (12, NOON.day_of_week)
    assert found["characters_log"] == pytest.approx(np.log1p(20))
    assert found["words_log"] == pytest.approx(np.log1p(4))
    assert found["capitals_share"] == pytest.approx(5 / 20) and found["digits_share"] == pytest.approx(3 / 20)
    assert (found["exclamations"], found["questions"]) == (2, 1)


@pytest.mark.parametrize("moment", ["1969-12-31 23:00", "1970-01-01", "2024-02-29 23:59:59.999999", "2038-02-01 05:00"])
def test_hours_and_weekdays_are_those_of_the_calendar(moment: str) -> None:
    time = pd.Timestamp(moment, tz="UTC")
    found = numbers(tickets(1, created_at=[time]).assign(text="x"))[0]
    assert (found[1], found[2]) == (time.hour, time.day_of_week)


def test_a_ticket_without_time_or_text_has_numbers_that_say_so() -> None:
    bare = tickets(2)
    bare["created_at"] = pd.Series([pd.NaT, NOON], dtype="datetime64[us, UTC]")
    found = numbers(bare.assign(text=pd.Series([None, ""], dtype="str")))
    assert np.isnan(found[0, :3]).all() and not np.isnan(found[1]).any()
    assert not found[:, 3:].any()


def test_a_thousand_exclamation_marks_count_as_ten() -> None:
    assert numbers(tickets(1).assign(text="!" * 1000))[0, NUMBERS.index("exclamations")] == 10


def test_the_builder_makes_a_batch_as_its_rows_alone_and_from_stored_parts() -> None:
    part = rows()
    settings = Features(min_documents=1)
    builder = FeatureBuilder.fit(part, count_tickets(part, settings), None, settings)
    whole = builder.transform(part)
    again = FeatureBuilder.from_states(builder.states(), None, settings, sla=Sla(), customers=History())
    assert len(whole) == 12 and whole.meaning.shape == (12, 0)
    for i in (0, 5, 11):
        alone, stored = builder.transform(part.iloc[[i]]), again.transform(part.iloc[[i]])
        for name in ("terms", "one_hot"):
            wanted = getattr(whole.take(np.array([i])), name).toarray()
            np.testing.assert_array_equal(getattr(alone, name).toarray(), wanted)
            np.testing.assert_array_equal(getattr(stored, name).toarray(), wanted)
        np.testing.assert_array_equal(alone.numbers, whole.numbers[[i]])
        np.testing.assert_array_equal(alone.codes, whole.codes[[i]])
