"""Every number of the history can be said in words."""

from __future__ import annotations

import math

import pytest

from pipeline.config import History
from pipeline.history.as_of import AsOf
from pipeline.history.phrases import hours_in_words, phrase

NAMES = AsOf(
    tracked=("group", "reassignments"), counted=("reassignments",), customers=History(contact_reason="queue")
).names


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0.0, 1.0, 2.5, 3.0, math.nan])
def test_every_number_has_words_of_its_own(name: str, value: float) -> None:
    said = phrase(name, value)
    assert said and "{" not in said and "nan" not in said.split()
    assert "_" not in said or "reassignments" in said


def test_different_numbers_are_said_differently() -> None:
    said = [phrase(name, 3.0) for name in NAMES]
    assert len(set(said)) == len(said)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("agent_quiet_hours", 31.0, "no reply for 31 h"),
        ("agent_quiet_hours", math.nan, "no reply so far"),
        ("customer_tickets_7d", 2.0, "2 other tickets of the customer in 7 days"),
        ("customer_tickets_1d", 1.0, "1 other ticket of the customer in 1 day"),
        ("customer_tickets", 0.0, "0 other tickets of the customer"),
        ("same_reason_tickets_30d", 2.0, "2 other tickets of the customer for the same contact reason in 30 days"),
        ("same_reason_open", 1.0, "1 other open ticket of the customer for the same contact reason"),
        ("same_reason_hours_since", math.nan, "the customer's first ticket for this contact reason"),
        ("customer_spoke_last", 1.0, "the customer spoke last"),
        ("status", 3.0, "status on hold"),
        ("on_hold_hours", 100.0, "4.2 days in status on hold"),
        ("first_again", 2.0, "2 words of “again” in the ticket"),
        ("again", 1.0, "1 word of “again” in follow-ups"),
        ("first_response_hours_left", 2.0, "2 h of business time left to the first reply"),
        ("first_response_hours_left", -2.0, "the first reply is 2 h of business time late"),
        ("resolution_hours_left", -100.0, "the resolution is 4.2 days of business time late"),
        ("desk_unanswered_7d", -1.0, "1 more was answered than came in 7 days"),
        ("priority_raised", -1.0, "priority lowered by 1 level in all"),
        ("reassignments.number", 4.0, "reassignments is 4"),
        ("group.changes", 2.0, "group changed 2 times"),
        ("group.quiet_hours", 0.5, "group last changed 30 min ago"),
    ],
)
def test_what_people_read(name: str, value: float, words: str) -> None:
    assert phrase(name, value) == words


@pytest.mark.parametrize(("hours", "words"), [(0.25, "15 min"), (1.4, "1 h"), (71.9, "72 h"), (84.0, "3.5 days")])
def test_hours_are_said_in_the_unit_that_fits(hours: float, words: str) -> None:
    assert hours_in_words(hours) == words
