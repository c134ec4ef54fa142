"""Which changes are told: steps, lines and bands of a risk; labels; nothing that a person has set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Rescore
from pipeline.serving.changes import changed_fields, risk_moved, with_people
from pipeline.tickets import schema

USUAL = Rescore()
NOBODY: dict[str, Any] = {"queue": None, "priority": None}


def row(**columns: Any) -> pd.DataFrame:
    usual = {"ticket_id": "t", "topic": "login", "queue": "it", "queue_reason": "model", "priority": "low"}
    usual |= {"priority_confidence": 0.6, "priority_probabilities": {"low": 0.6, "high": 0.4}, "escalation_risk": 0.2}
    return schema.conform(pd.DataFrame([usual | columns]), "scored")


def people(**said: Any) -> pd.DataFrame:
    return pd.DataFrame([NOBODY | said], dtype="object")


def moved(before: float, now: float, **changed: Any) -> bool:
    return bool(risk_moved(np.array([before]), np.array([now]), Rescore(**changed))[0])


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (0.30, 0.399, False),
        (0.30, 0.40, True),
        (0.60, 0.70, True),
        (0.70, 0.60, True),
        (0.48, 0.519, False),
        (0.48, 0.52, True),
        (0.50, 0.481, False),
        (0.50, 0.48, True),
        (0.52, 0.49, False),
        (float("nan"), 0.1, True),
        (0.1, float("nan"), True),
        (float("nan"), float("nan"), False),
    ],
)
def test_a_risk_is_told_after_a_step_or_beyond_a_line_and_its_band(before: float, now: float, told: bool) -> None:
    assert moved(before, now) == told


def test_without_a_band_a_line_is_crossed_by_the_least_bit_and_not_by_standing_on_it() -> None:
    assert moved(0.499, 0.5, risk_band=0.0) and moved(0.5, 0.499, risk_band=0.0)
    assert not moved(0.5, 0.5, risk_band=0.0)


@settings(max_examples=60)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_what_was_written_is_never_a_step_away_nor_beyond_a_band_from_what_is_so(risks: list[float]) -> None:
    written = risks[0]
    for now in risks:
        written = now if moved(written, now) else written
        assert abs(now - written) < USUAL.risk_step
        assert not (now >= 0.52 and written < 0.5) and not (now <= 0.48 and written >= 0.5)


@settings(max_examples=60)
@given(st.floats(0, 1), st.lists(st.floats(-0.0099, 0.0099), max_size=20))
def test_a_risk_that_sways_by_less_than_half_a_band_is_never_told(risk: float, sways: list[float]) -> None:
    first = risk + (sways[0] if sways else 0.0)
    assert not any(moved(first, risk + sway) for sway in sways)


def test_changed_fields_are_named_in_order_and_labels_only_where_they_count() -> None:
    now = row(topic="billing", queue="finance", priority="high", escalation_risk=0.6)
    assert changed_fields(row(), now, people(), USUAL) == [["escalation_risk", "topic", "queue", "priority"]]
    assert changed_fields(row(), now, people(), Rescore(labels=False)) == [["escalation_risk"]]
    assert changed_fields(row(), row(), people(), USUAL) == [[]]
    assert changed_fields(row(topic=None), row(topic=None), people(), USUAL) == [[]]
    assert changed_fields(row(), row(topic=None), people(), USUAL) == [["topic"]]


def test_of_a_ticket_that_was_never_scored_everything_that_is_said_is_new() -> None:
    before = row().reindex([-1]).reset_index(drop=True)
    assert changed_fields(before, row(priority=None), people(), Rescore(labels=False)) == [
        ["escalation_risk", "topic", "queue"]
    ]


def test_a_person_s_word_stands_in_the_row_and_is_not_a_change() -> None:
    said = people(priority="high", queue="vip")
    now, kept = with_people(row(topic="billing"), said)
    assert (now["priority"][0], now["queue"][0], now["queue_reason"][0]) == ("high", "vip", "person")
    assert now["priority_confidence"][0] == 0.4
    assert {name: of.tolist() for name, of in kept.items()} == {"priority": [True], "queue": [True]}
    assert changed_fields(row(), now, said, USUAL) == [["topic"]]


def test_a_person_who_agrees_is_not_counted_and_a_level_without_a_probability_has_no_confidence() -> None:
    now, kept = with_people(row(), people(priority="low"))
    assert not kept["priority"][0] and now["priority_confidence"][0] == 0.6 and now["queue_reason"][0] == "model"
    now, _ = with_people(row(priority_probabilities=None), people(priority="vip"))
    assert now["priority"][0] == "vip" and np.isnan(now["priority_confidence"][0])
