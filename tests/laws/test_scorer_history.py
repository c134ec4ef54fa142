"""Laws 2, 3, 5, 6 and 7 of a scorer that is given a history (synthetic)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from alike import same
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from laws.test_scorer import row_wise, tolerance

from pipeline.history.record import History, record
from pipeline.scorer import Scorer
from pipeline.sources.raw import load_raw, relabel
from pipeline.training.leak import Facts, disorder

FEW = settings(max_examples=8)
PLACES = st.lists(st.integers(0, 499), min_size=1, max_size=5, unique=True)
AGES = st.sampled_from([0, 1, 5, 24, 90, 400])


@dataclass(frozen=True)
class Past:
    """Facts, and the history made of them."""

    facts: Facts
    scorer: Scorer

    def record(self, facts: Facts) -> History:
        said = (facts.tickets, facts.events, facts.outcomes, facts.definitions)
        return record(*said, self.scorer.settings.history)

    @property
    def history(self) -> History:
        return self.record(self.facts)


@pytest.fixture(scope="module")
def past(scorer: Scorer, raw: Path) -> Past:
    """Everything that was imported; the scorer must have learned from it."""
    given_raw = load_raw(raw)
    definitions, outcomes = relabel(given_raw, {})
    assert scorer.models.escalation is not None and scorer.models.escalation.course is not None
    return Past(Facts(given_raw.tickets, given_raw.events, outcomes, definitions), scorer)


@pytest.fixture(scope="module")
def history(past: Past) -> History:
    return past.history


def aged(pool: pd.DataFrame, places: list[int], hours: int) -> pd.DataFrame:
    part = pool.iloc[places].reset_index(drop=True)
    return part.assign(as_of=part["created_at"] + pd.Timedelta(hours=hours))


@FEW
@given(places=PLACES, seed=st.integers(0, 9))
def test_what_is_received_from_the_moment_on_changes_nothing(
    past: Past, history: History, pool: pd.DataFrame, places: list[int], seed: int
) -> None:
    part = pool.iloc[places].reset_index(drop=True)
    moment = part["created_at"].max() + pd.Timedelta(hours=seed * 7)
    part = part.assign(as_of=moment)
    other, changed = disorder(past.facts, moment, np.random.default_rng(seed), asked=list(part["ticket_id"]))
    assume(changed)  # as of the end of all facts there is nothing left to disorder
    same(past.scorer.score(part, history=history), past.scorer.score(part, history=past.record(other)), 0.0)


@FEW
@given(place=st.integers(0, 499), hours=AGES)
def test_outcomes_of_the_ticket_itself_change_nothing(
    past: Past, history: History, pool: pd.DataFrame, place: int, hours: int
) -> None:
    part = aged(pool, [place], hours)
    own = past.facts.outcomes.head(1).assign(
        ticket_id=part["ticket_id"][0], outcome="escalated", value="1", known_at=part["created_at"][0]
    )
    without = past.facts.outcomes["ticket_id"] != part["ticket_id"][0]
    told = [pd.concat([past.facts.outcomes[without], *more], ignore_index=True) for more in ([], [own])]
    facts = [Facts(past.facts.tickets, past.facts.events, outcomes, past.facts.definitions) for outcomes in told]
    none, some = (past.scorer.score(part, history=past.record(f)) for f in facts)
    same(none, some, 0.0)
    same(past.scorer.score(part, history=history), some, 0.0)


@FEW
@given(places=PLACES, hours=AGES)
def test_a_batch_scores_as_its_rows_alone_and_with_what_they_need_alone(
    scorer: Scorer, history: History, pool: pd.DataFrame, places: list[int], hours: int
) -> None:
    part = aged(pool, places, hours)
    whole = scorer.score(part, history=history, explain=True)
    ordered = history.by_ticket()
    for i in range(len(part)):
        one = part.iloc[[i]]
        alone = scorer.score(one, history=ordered.of(one["ticket_id"].to_numpy(dtype=object)), explain=True)
        if tolerance(scorer) > 1e-5:  # an encoder in bfloat16 sees a batch a little otherwise than each row
            row_wise(whole.iloc[[i]], alone, tolerance(scorer))
        else:
            same(whole.iloc[[i]], alone, 1e-5)


def test_twice_gives_the_same_and_nothing_is_touched(scorer: Scorer, history: History, pool: pd.DataFrame) -> None:
    part = aged(pool, [*range(10)], 30)
    before = [f.copy() for f in (part, history.tickets, history.events, history.amounts, history.links)]
    same(scorer.score(part, history=history), scorer.score(part, history=history), 0.0)
    for one, other in zip(before, (part, history.tickets, history.events, history.amounts, history.links), strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_saved_and_loaded_it_scores_the_same(
    scorer: Scorer, history: History, pool: pd.DataFrame, tmp_path: Path
) -> None:
    scorer.save(tmp_path / "again")
    part = aged(pool, [*range(20)], 24)
    loaded = Scorer.load(tmp_path / "again")
    same(scorer.score(part, history=history, explain=True), loaded.score(part, history=history, explain=True), 1e-12)


def test_a_history_matters_and_without_one_the_risk_is_that_at_creation(
    scorer: Scorer, history: History, pool: pd.DataFrame
) -> None:
    part = aged(pool, [*range(50)], 24)
    bare = scorer.score(part)["escalation_risk"]
    same(bare.to_frame(), scorer.score(part.drop(columns="as_of"))["escalation_risk"].to_frame(), 1e-9)
    assert (scorer.score(part, history=history)["escalation_risk"] - bare).abs().max() > 0.01


def test_an_unknown_customer_and_an_unknown_ticket_are_scored(
    scorer: Scorer, history: History, pool: pd.DataFrame
) -> None:
    part = aged(pool, [3], 4).assign(ticket_id="never seen", customer_id=None, customer_keys=None)
    found = scorer.score(part, history=history)
    assert found["error"].isna().all() and found["escalation_risk"].between(0, 1).all()
