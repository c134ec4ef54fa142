"""The course: trees on moments, joints that depend on the age, shares that add up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_blocks import blocks, spread

from pipeline.estimators.course import AGES, FEWEST_OWN, USUAL, CourseModel, Sight, fit_joints
from pipeline.estimators.escalation import EscalationModel
from pipeline.estimators.members import period_edges, possible, value_codes
from pipeline.estimators.past_rates import PastRates
from pipeline.features.build import Blocks

N = 600
CLASSES = spread(N)
DRAW = np.random.default_rng(5)
WAITED = DRAW.exponential(30.0, N)
HAPPENED = (DRAW.random(N) < 1 / (1 + np.exp(2.5 - WAITED / 15 - (CLASSES == 2)))).astype(int)
MOMENT = np.column_stack([DRAW.choice(AGES, N), WAITED, DRAW.integers(0, 4, N), DRAW.normal(size=N)]).astype("f4")
MOMENT[::7, 3] = np.nan
SIGHT = Sight(np.array([0, 1, 2]), age=0, queue=2)


def seen(moment: np.ndarray = MOMENT) -> Blocks:
    """Blocks that know of a history."""
    made = blocks(CLASSES)
    return Blocks(made.terms, made.meaning, made.one_hot, made.codes, made.numbers, moment)


def fitted() -> CourseModel:
    made = seen()
    codes, edges = value_codes(made), period_edges(made)
    return CourseModel.fit(
        made, MOMENT, HAPPENED,
        rates=np.tile(PastRates.fit(codes, HAPPENED).transform(codes), 2),
        past=(PastRates.fit(codes, HAPPENED),) * (1 + len(AGES)),
        edges=edges, weights=np.ones(N), sight=SIGHT, seed=0,
    )  # fmt: skip


MODEL = fitted()


def test_a_ticket_that_waits_longer_has_the_higher_risk() -> None:
    short, long = MOMENT.copy(), MOMENT.copy()
    short[:, 1], long[:, 1] = 1.0, 100.0
    assert (MODEL.log_odds(seen(), long) > MODEL.log_odds(seen(), short) + 0.5).all()


def test_numbers_that_are_not_seen_change_nothing() -> None:
    other = MOMENT.copy()
    other[:, 3] = 1e6
    np.testing.assert_array_equal(MODEL.log_odds(seen(), other), MODEL.log_odds(seen(), MOMENT))


def test_past_rates_are_those_of_the_age_that_a_ticket_has_reached() -> None:
    codes, made = value_codes(seen()), fitted()
    first, later = made.past[0], PastRates.fit(codes, 1 - HAPPENED)
    model = replace(made, past=(*made.past[:4], later, later, later))
    for hours, rates in ((0.0, first), (23.9, first), (24.0, later), (np.nan, first), (1e4, later)):
        moment = MOMENT.copy()
        moment[:, SIGHT.age] = hours
        found = model.rates(seen(), moment)
        np.testing.assert_array_equal(found, np.hstack([first.transform(codes), rates.transform(codes)]))


def mixed(n: int, *, ages: tuple[float, ...] = AGES) -> CourseModel:
    """Learned from tickets whose second number is a good sign when they are new, and a bad one later."""
    draw, made = np.random.default_rng(7), blocks(spread(n))
    moment = np.column_stack(
        [np.resize(ages, n), draw.normal(size=n), draw.integers(0, 4, n), draw.normal(size=n)]
    ).astype("f4")
    sign = np.where(moment[:, 0] >= 72, 2.0, -2.0)
    came = (draw.random(n) < 1 / (1 + np.exp(-sign * moment[:, 1]))).astype(int)
    codes, edges = value_codes(made), period_edges(made)
    return CourseModel.fit(
        made, moment, came, rates=np.tile(PastRates.fit(codes, came).transform(codes), 2),
        past=(PastRates.fit(codes, came),) * (1 + len(AGES)), edges=edges, weights=np.ones(n), sight=SIGHT, seed=0,
    )  # fmt: skip


def test_an_age_with_enough_tickets_has_trees_of_its_own_and_another_has_none() -> None:
    assert all(set(own) == {"fields", "rates"} for own in mixed(6 * FEWEST_OWN).own)
    assert mixed(6 * FEWEST_OWN - 6).own == ({},) * len(AGES)
    assert [bool(own) for own in mixed(2 * FEWEST_OWN, ages=(24.0, 72.0)).own] == [False] * 3 + [True] * 2 + [False]


def test_the_trees_of_an_age_are_asked_from_that_age_on() -> None:
    model = mixed(6 * FEWEST_OWN)
    without = replace(model, own=(*model.own[:4], {}, model.own[5]))
    for hours, alike in ((71.9, True), (72.0, False), (100.0, False), (168.0, True)):
        moment = MOMENT.copy()
        moment[:, SIGHT.age] = hours
        same = np.array_equal(model.log_odds(seen(), moment), without.log_odds(seen(), moment))
        assert same == alike
        row = seen().take(np.array([3]))
        shares, base = model.contributions(row, moment[3:4])
        assert base + sum(shares.values()) == pytest.approx(model.log_odds(row, moment[3:4])[0], abs=1e-6)
    again = CourseModel.from_state(model.state())
    np.testing.assert_array_equal(again.log_odds(seen(), moment), model.log_odds(seen(), moment))


def test_shares_of_the_trees_add_up_to_their_mean() -> None:
    for i in range(5):
        row = seen().take(np.array([i]))
        shares, base = MODEL.contributions(row, MOMENT[i : i + 1])
        assert base + sum(shares.values()) == pytest.approx(MODEL.log_odds(row, MOMENT[i : i + 1])[0], abs=1e-6)


def test_between_two_ages_the_joint_lies_between_theirs() -> None:
    joints = np.column_stack([np.linspace(1, 0, len(AGES)), np.linspace(0, 1, len(AGES)), np.zeros(len(AGES))])
    model = CourseModel(MODEL.trees, MODEL.own, MODEL.past, MODEL.period_edges, joints, SIGHT)
    np.testing.assert_allclose(model.joints_at(np.array(AGES)), joints)
    between = model.joints_at(np.array([10.0]))[0]
    assert joints[3, 0] < between[0] < joints[2, 0] and joints[2, 1] < between[1] < joints[3, 1]
    np.testing.assert_allclose(model.joints_at(np.array([np.nan, 1e9])), joints[[0, -1]])


def test_a_stored_course_says_the_same() -> None:
    again = CourseModel.from_state(MODEL.state())
    np.testing.assert_array_equal(again.log_odds(seen(), MOMENT), MODEL.log_odds(seen(), MOMENT))
    np.testing.assert_array_equal(again.joints, MODEL.joints)


class TestJoints:
    AGE = np.arange(6_000) % len(AGES)
    CREATION, COURSE = DRAW.normal(size=6_000), DRAW.normal(size=6_000)

    def test_each_age_weighs_what_tells_most_then(self) -> None:
        own = np.where(self.AGE == 0, 2.0, 0.0)
        came = (DRAW.random(6_000) < 1 / (1 + np.exp(-(own * self.CREATION + (2 - own) * self.COURSE)))).astype(int)
        joints = fit_joints(self.CREATION, self.COURSE, came, self.AGE, np.ones(6_000))
        assert joints[0, 0] > 1.2 > 0.6 > joints[0, 1]
        assert (joints[1:, 1] > 1.2).all() and (joints[1:, 0] < 0.6).all()

    def test_what_points_the_wrong_way_is_left_out(self) -> None:
        came = (DRAW.random(6_000) < 1 / (1 + np.exp(self.COURSE))).astype(int)
        joints = fit_joints(self.CREATION, self.COURSE, came, self.AGE, np.ones(6_000))
        assert (joints[:, :2] >= 0).all() and joints[:, 1].max() < 0.1

    def test_few_tickets_bend_an_age_little_and_none_leave_it_as_usual(self) -> None:
        age = np.where(np.arange(6_000) < 5, 4, 0)
        came = (DRAW.random(6_000) < 1 / (1 + np.exp(2 * self.COURSE))).astype(int)
        joints = fit_joints(self.CREATION, self.COURSE, came, age, np.ones(6_000))
        np.testing.assert_allclose(joints[4], USUAL[4], atol=0.3)
        np.testing.assert_array_equal(joints[[1, 2, 3, 5]], USUAL[[1, 2, 3, 5]])


class TestWithTheCreation:
    MEMBERS = possible(seen(), ["both"])["both"]

    def model(self, course: CourseModel | None) -> EscalationModel:
        made = EscalationModel.fit(self.MEMBERS, seen(), HAPPENED, created=None, known=None, cut=None, seed=0)
        return EscalationModel(made.members, made.linear, made.trees, made.past, made.period_edges, made.platt, course)

    def test_without_a_history_the_risk_is_that_of_the_creation(self) -> None:
        bare = blocks(CLASSES)
        np.testing.assert_array_equal(self.model(MODEL).risk(bare), self.model(None).risk(bare))
        assert np.abs(self.model(MODEL).risk(seen()) - self.model(None).risk(seen())).max() > 0.05

    def test_all_shares_add_up_to_the_log_odds_of_the_risk(self) -> None:
        joints = np.tile([0.4, 0.7, -0.1], (len(AGES), 1))
        model = self.model(CourseModel(MODEL.trees, MODEL.own, MODEL.past, MODEL.period_edges, joints, SIGHT))
        risk = model.risk(seen())
        for i in range(4):
            _, shares, named = model.contributions(seen().take(np.array([i])))
            total = shares.sum() + sum(named.values())
            assert total == pytest.approx(np.log(risk[i] / (1 - risk[i])), abs=1e-5)
            assert any(name.startswith("moment:") for name in named)

    def test_stored_with_its_course_it_says_the_same(self) -> None:
        model = self.model(MODEL)
        again = EscalationModel.from_state(model.state())
        np.testing.assert_array_equal(again.risk(seen()), model.risk(seen()))
