"""The risk at fixed ages: on numbers counted by hand, and on the small generated desk (synthetic)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_desk import Desk

from pipeline.estimators.course import AGES
from pipeline.history.record import record
from pipeline.pages.report import Report
from pipeline.scorer import Scorer
from pipeline.sources.raw import relabel
from pipeline.training.ages import of_served
from pipeline.training.leak import Facts, disorder, leak
from pipeline.training.unseen import unseen
from pipeline.training.waiting import Waited, at_age, waiting

HOUR = 3_600_000_000


def made(size: int = 200) -> Waited:
    """Every tenth ticket escalates after 50 hours; its risk shows only from four hours on."""
    ticket, age = np.repeat(np.arange(size), 3), np.tile([0, 2, 3], size)
    created = np.arange(size, dtype=np.int64) * HOUR
    escalates = np.arange(size) % 10 == 0
    moment = created[ticket] + (np.array(AGES)[age] * HOUR).astype(np.int64)
    alone = np.full(len(ticket), 0.1)
    risk = np.where((age > 0) & escalates[ticket], 0.9, 0.1)
    known = np.where(escalates, created + 50 * HOUR, -1)
    return Waited(ticket, age, moment, risk, alone, escalates[ticket].astype(np.int64), created, known)


def test_each_age_is_judged_by_itself_beside_the_risk_at_creation() -> None:
    found = waiting(made(), capacity=0.1, seed=0)
    assert found is not None
    assert [a.hours for a in found.ages] == [0.0, 4.0, 24.0]
    new, later, _ = found.ages
    assert (new.tickets, new.escalated, new.base_rate) == (200, 20, 0.1)
    assert new.roc_auc.value == 0.5 and new.gain.value == 0
    assert later.roc_auc.value == 1 and later.alone.roc_auc == 0.5 and later.gain.value == 0.5
    assert later.gain.low == later.gain.high == 0.5
    assert later.recall.value == 1 and new.recall.value == pytest.approx(0.1)
    assert later.ece.value is not None and 0.08 < later.ece.value < 0.11  # said 0.1 and 0.9, came true 0 and 1


def test_an_age_without_both_outcomes_is_left_out() -> None:
    waited = made()
    none = replace(waited, happened=np.where(waited.age == 2, 0, waited.happened))
    assert at_age(none, 2, capacity=0.1, seed=0) is None
    found = waiting(none, capacity=0.1, seed=0)
    assert found is not None and [a.hours for a in found.ages] == [0.0, 24.0]
    assert waiting(replace(waited, happened=waited.happened * 0), capacity=0.1, seed=0) is None


def test_time_is_won_by_alerts_while_tickets_wait() -> None:
    found = waiting(made(), capacity=0.2, seed=0)
    assert found is not None and found.lead is not None
    assert found.lead.ceiling.median == 50
    assert found.lead.later.median == 46


def facts_of(desk: Desk) -> Facts:
    definitions, outcomes = relabel(desk.raw, {})
    return Facts(desk.raw.tickets, desk.raw.events, outcomes, definitions)


class TestServed:
    def test_it_is_what_the_scorer_says_as_of_these_ages(self, desk: Desk) -> None:
        found, facts = unseen(desk.raw, [desk.scorer]), facts_of(desk)
        frame = found.parsed
        history = record(facts.tickets, facts.events, facts.outcomes, facts.definitions, desk.scorer.settings.history)
        waited = of_served(desk.scorer, frame, history)
        assert waited is not None and set(waited.age.tolist()) >= {0, 1, 2, 3}
        kept = np.flatnonzero(frame["label.escalated"].notna().to_numpy())[np.unique(waited.ticket)]
        tickets = found.tickets.iloc[kept].reset_index(drop=True)
        for age in (0, 3):
            places = np.flatnonzero(waited.age == age)
            asked = tickets.iloc[waited.ticket[places]].reset_index(drop=True)
            asked["as_of"] = pd.to_datetime(waited.moment[places], unit="us", utc=True)
            said = desk.scorer.score(asked, history=history)["escalation_risk"]
            np.testing.assert_allclose(said, waited.risk[places], atol=1e-9)
            bare = desk.scorer.score(asked.drop(columns="as_of"))["escalation_risk"]
            np.testing.assert_allclose(bare, waited.alone[places], atol=1e-9)


class TestReports:
    def test_the_evaluation_shows_the_risk_at_ages_and_that_nothing_leaks(self, evaluated: Report) -> None:
        model = next(m for m in evaluated.models if m.name == "escalation")
        assert model.waiting is not None and model.waiting.leak is not None
        assert model.waiting.leak.facts > 100 and model.waiting.leak.largest == 0
        assert [a.hours for a in model.waiting.ages][:2] == [0.0, 1.0]

    def test_the_training_shows_it_of_inner_fits(self, rehearsed: Report) -> None:
        model = next(m for m in rehearsed.models if m.name == "escalation")
        assert model.waiting is not None and model.waiting.leak is None


class TestLeak:
    def test_a_look_into_the_future_is_found(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        """Were tickets looked at as of a month later, the test would see it."""
        builder = desk.scorer.builder
        assert builder.as_of is not None
        look = type(builder.as_of).look

        def ahead(self: object, tickets: pd.DataFrame, history: object) -> np.ndarray:
            late = tickets.assign(as_of=tickets["as_of"] + pd.Timedelta(days=30)) if "as_of" in tickets else tickets
            return look(self, late, history)  # type: ignore[arg-type]

        frame, facts = unseen(desk.raw, [desk.scorer]).parsed, facts_of(desk)
        history = record(facts.tickets, facts.events, facts.outcomes, facts.definitions, desk.scorer.settings.history)
        clean = leak(facts, desk.scorer, frame, history)
        assert clean is not None and clean.largest == 0 and clean.tickets > 10
        monkeypatch.setattr(type(builder.as_of), "look", ahead)
        found = leak(facts, desk.scorer, frame, history)
        assert found is not None and found.largest > 0

    def test_only_what_was_received_later_is_permuted(self, desk: Desk) -> None:
        facts, moment = facts_of(desk), desk.raw.tickets["created_at"].median()
        other, changed = disorder(facts, moment, np.random.default_rng(0))
        early = (facts.events["received_at"] < moment).to_numpy(bool, na_value=False)
        pd.testing.assert_frame_equal(facts.events[early], other.events[early])
        assert changed == sum(
            (frame[time] >= moment).sum()
            for frame, time in (
                (facts.tickets, "created_at"), (facts.events, "received_at"), (facts.outcomes, "known_at"),
            )
        )  # fmt: skip
        assert not facts.events[~early].equals(other.events[~early])

    def test_a_scorer_without_a_history_isnt_tested(self, desk: Desk) -> None:
        frame, facts = unseen(desk.raw, [desk.scorer]).parsed, facts_of(desk)
        history = record(facts.tickets, facts.events, facts.outcomes, facts.definitions, desk.scorer.settings.history)
        bare: Scorer = replace(desk.scorer, builder=replace(desk.scorer.builder, as_of=None))
        assert leak(facts, bare, frame, history) is None
        assert of_served(bare, frame, history) is None
