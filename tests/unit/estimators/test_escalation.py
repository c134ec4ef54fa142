"""Escalation: which members there are, what they see, missing text and times, shares that add up."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
from made_blocks import blocks, spread

from pipeline.calibration import Platt, logit
from pipeline.estimators.escalation import EscalationModel
from pipeline.estimators.members import CANDIDATES, PERIODS, Weighted, matrix_of, period_edges, possible, weighted
from pipeline.features.build import Blocks

CLASSES = spread(300)
DAY = 24
CREATED = np.arange(300, dtype=np.int64) * DAY
RISKY = (CLASSES == 0).astype(int)


def history(seed: int = 0, **parts: bool) -> Blocks:
    return blocks(CLASSES, seed=seed, **parts)


@functools.cache
def whole(candidate: str = "both") -> EscalationModel:
    """Fitted on full blocks, once for all tests."""
    return dataclasses.replace(fitted(FULL, candidate), platt=Platt(0.8, -0.3))


def fitted(
    part: Blocks, candidate: str = "both", *, timed: bool = True, outcome: np.ndarray = RISKY
) -> EscalationModel:
    members = possible(part, [candidate])[candidate]
    return EscalationModel.fit(
        members,
        part,
        outcome,
        created=CREATED if timed else None,
        known=CREATED + DAY if timed else None,
        cut=int(CREATED.max()) + 2 * DAY if timed else None,
        seed=0,
    )


FULL = history()
MODEL = whole()
NEW_CLASSES = spread(100, seed=3)
NEW = blocks(NEW_CLASSES, seed=3)


def auc(outcome: np.ndarray, risk: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(outcome, risk))


@pytest.mark.parametrize("candidate", CANDIDATES)
def test_weights_of_the_members_add_up_to_one(candidate: str) -> None:
    assert sum(w for _, w in CANDIDATES[candidate]) == pytest.approx(1.0)


@pytest.mark.parametrize("candidate", ["words", "text", "table", "both"])
def test_every_candidate_ranks_new_tickets(candidate: str) -> None:
    assert auc(NEW_CLASSES == 0, whole(candidate).risk(NEW)) > 0.9


@pytest.mark.parametrize(
    ("parts", "names"),
    [
        ({}, {"words", "text", "table", "mostly_text", "both", "mostly_table"}),
        ({"words": False, "meaning": False}, {"table"}),
        ({"meaning": False}, {"words", "table", "mostly_text", "both", "mostly_table"}),
        ({"fields": False}, {"words", "text"}),
        ({"fields": False, "meaning": False}, {"words"}),
        ({"fields": False, "meaning": False, "words": False}, set()),
    ],
)
def test_candidates_are_those_whose_blocks_hold_something(parts: dict[str, bool], names: set[str]) -> None:
    found = possible(history(**parts), list(CANDIDATES))
    assert set(found) == names
    for members in found.values():
        assert sum(w for _, w in members) == pytest.approx(1.0)


def test_two_candidates_that_come_to_the_same_are_one() -> None:
    found: dict[str, Weighted] = possible(history(words=False, meaning=False), ["both", "table", "mostly_text"])
    assert len(found) == 1


@pytest.mark.parametrize(
    ("parts", "timed"),
    [
        ({"words": False, "meaning": False}, True),
        ({"words": False, "meaning": False, "times": False}, False),
        ({"meaning": False}, True),
        ({"fields": False, "times": False}, False),
    ],
)
def test_without_text_encoder_fields_or_times_the_rest_carries_the_model(parts: dict[str, bool], timed: bool) -> None:
    part = history(**parts)
    name = next(iter(possible(part, ["both", "text", "table", "words"])))
    model = fitted(part, name, timed=timed)
    risk = model.risk(blocks(NEW_CLASSES, seed=3, **parts))
    assert np.isfinite(risk).all()
    assert auc(NEW_CLASSES == 0, risk) > 0.85


def test_a_new_ticket_without_a_time_has_a_risk() -> None:
    risk = MODEL.risk(blocks(NEW_CLASSES, seed=3, times=False))
    assert np.isfinite(risk).all() and auc(NEW_CLASSES == 0, risk) > 0.9


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("timed", [True, False])
def test_rows_of_one_outcome_alone_give_one_risk_for_all(which: int, timed: bool) -> None:
    risk = fitted(FULL, timed=timed, outcome=np.full(300, which)).risk(NEW)
    assert np.isfinite(risk).all()
    assert risk.std() < 0.01 and (risk.mean() > 0.5) == bool(which)


@pytest.mark.parametrize("candidate", ["words", "text", "table", "both"])
def test_contributions_add_up_to_the_log_odds_of_the_risk(candidate: str) -> None:
    model = whole(candidate)
    for i in range(8):
        row = NEW.take(np.array([i]))
        _, shares, named = model.contributions(row)
        total = shares.sum() + sum(named.values())
        assert total == pytest.approx(0.8 * model.raw_log_odds(row)[0] - 0.3, abs=1e-6)
        assert total == pytest.approx(logit(model.risk(row))[0], abs=1e-4)


def test_a_risk_is_the_mean_of_its_members_on_the_platt_line() -> None:
    parts = MODEL.member_log_odds(NEW)
    assert set(parts) == {n for n, _ in MODEL.members}
    mean = sum(w * parts[n] for n, w in MODEL.members)
    np.testing.assert_allclose(weighted(parts, MODEL.members), mean)
    np.testing.assert_allclose(logit(MODEL.risk(NEW)), 0.8 * mean - 0.3, atol=1e-6)


def test_a_new_ticket_belongs_to_the_newest_period() -> None:
    edges = period_edges(FULL)
    assert len(edges) == PERIODS - 1
    later = dataclasses.replace(NEW, numbers=NEW.numbers + np.eye(1, 9, 0, dtype=np.float32) * 10_000)
    table = matrix_of("values", later, edges)
    np.testing.assert_array_equal(table[:, -PERIODS - 1 :].toarray().argmax(axis=1), PERIODS - 1)
    assert period_edges(history(times=False)).size == 0


def test_the_members_are_fitted_on_rows_that_are_old_enough() -> None:
    slow = np.where(RISKY == 1, 30, 600) * DAY
    model = EscalationModel.fit(
        possible(FULL, ["words"])["words"],
        FULL,
        RISKY,
        created=CREATED,
        known=np.minimum(CREATED + slow // 2, CREATED.max()),
        cut=int(CREATED.max()) + 1,
        seed=0,
    )
    assert np.isfinite(model.risk(NEW)).all()


def test_a_stored_model_says_the_same() -> None:
    again = EscalationModel.from_state(MODEL.state())
    np.testing.assert_array_equal(again.risk(NEW), MODEL.risk(NEW))


def test_one_row_is_rated_as_it_is_among_many() -> None:
    alone = np.concatenate([MODEL.risk(NEW.take(np.array([i]))) for i in range(10)])
    np.testing.assert_allclose(alone, MODEL.risk(NEW)[:10], atol=1e-6)
