"""Laws 1 to 7 of a scorer, for every model and every encoder."""

from __future__ import annotations

import math
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alike import same
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ROW_CODES
from pipeline.scorer import Scorer
from pipeline.tickets.schema import TICKETS, names

EXAMPLES = 12
"""Scoring takes milliseconds, an encoder some more; the same examples are drawn in every run."""

_ODD = st.one_of(
    st.none(),
    st.text(max_size=300),
    st.sampled_from(
        [
            "",
            " ",
            "<p>",
            "\x00",
            "🙂" * 50,
            "a" * 5000,
            "=cmd|' /C calc'!A0",
            "﷽",
            "\u202eevil",
            "1" * 400,
            "Ich kann mich nicht anmelden",
        ]
    ),
)


@st.composite
def rows(draw: st.DrawFn, at_least: int = 1, at_most: int = 6) -> list[dict[str, Any]]:
    """Made-up records: odd texts, odd fields, odd times, absent columns."""
    size = draw(st.integers(at_least, at_most))
    made = []
    for i in range(size):
        row: dict[str, Any] = {"ticket_id": f"t{i}", "subject": draw(_ODD), "body": draw(_ODD)}
        if draw(st.booleans()):
            row |= {"channel": draw(_ODD), "language": draw(st.sampled_from([None, "en", "de", "xx", "EN-us"]))}
        if draw(st.booleans()):
            row |= {"fields.product": draw(_ODD), "fields.plan": draw(st.sampled_from([None, "gold", "nowhere"]))}
        row["created_at"] = draw(
            st.sampled_from([None, "2026-01-05T10:00:00Z", "2031-12-31T23:59:59+05:00", "1970-01-01"])
        )
        made.append(row)
    return made


def frame(made: list[dict[str, Any]]) -> pd.DataFrame:
    """Records as a frame of objects, as a door gives them."""
    return pd.DataFrame(made, dtype=object)


def tolerance(scorer: Scorer) -> float:
    """1e-5 in float32, 1e-2 in bfloat16."""
    encoder = scorer.builder.encoder
    return 1e-2 if encoder is not None and "bfloat16" in encoder.identity else 1e-5


def row_wise(together: pd.DataFrame, alone: pd.DataFrame, limit: float) -> None:
    """Law 2: probabilities within a limit, and the same topic where it leads by more than twice that.

    Calibration lifts whichever of two topics is first by the same step, so that of two that are tied before it the
    first may lead by more: then they may change places, and nothing else.
    """
    for name in ("topic_confidence", "topic_oos_score", "priority_confidence", "escalation_risk"):
        assert np.abs(together[name].to_numpy(dtype=float) - alone[name].to_numpy(dtype=float)).max() <= limit, name
    for one, other in zip(together["topic_candidates"], alone["topic_candidates"], strict=True):
        if one[0]["label"] != other[0]["label"] and one[0]["probability"] - one[1]["probability"] > 2 * limit:
            assert [one[1]["label"], one[0]["label"]] == [other[0]["label"], other[1]["label"]]
            for a, b in zip(one, other, strict=True):
                assert abs(a["probability"] - b["probability"]) <= limit
    assert together["summary"].tolist() == alone["summary"].tolist()


@settings(max_examples=EXAMPLES)
@given(made=rows())
def test_every_row_gives_one_row_with_a_queue(scorer: Scorer, made: list[dict[str, Any]]) -> None:
    scored = scorer.score(frame(made))
    assert len(scored) == len(made)
    assert list(scored.columns) == names("scored")
    assert scored["queue"].notna().all() and scored["queue_reason"].notna().all()
    assert set(scored["error"].dropna()) <= set(ROW_CODES)
    good = scored["error"].isna()
    assert scored.loc[good, "topic"].notna().all()
    assert scored.loc[good, "topic_confidence"].between(0, 1).all()
    assert scored.loc[good, "topic_oos_score"].between(0, 1).all()
    assert scored.loc[good, "escalation_risk"].between(0, 1).all()
    for levels in scored.loc[good, "priority_probabilities"]:
        assert abs(sum(levels.values()) - 1) < 1e-6 and min(levels.values()) >= 0
    for candidates in scored.loc[good, "topic_candidates"]:
        values = [c["probability"] for c in candidates]
        assert values == sorted(values, reverse=True)


def test_a_repeated_id_is_scored_once_and_its_copies_are_coded(scorer: Scorer, pool: pd.DataFrame) -> None:
    part = pool.iloc[[0, 1, 0, 2]].reset_index(drop=True)
    scored = scorer.score(part)
    assert scored["error"].fillna("").tolist() == ["", "", "duplicate_id", ""]
    assert scored["queue_reason"].iloc[2] == "fallback:duplicate_id"


def test_a_ticket_without_words_is_scored_and_a_person_decides(scorer: Scorer) -> None:
    scored = scorer.score(frame([{"ticket_id": "quiet", "subject": " ", "body": "…"}]))
    assert scored["error"].isna().all()
    assert scored["queue_reason"].iloc[0] == "fallback:no_text"
    assert scored["topic"].notna().all()


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_a_batch_scores_as_its_rows_score_alone(scorer: Scorer, pool: pd.DataFrame, data: st.DataObject) -> None:
    picks = data.draw(st.lists(st.integers(0, len(pool) - 1), min_size=2, max_size=5, unique=True))
    part = pool.iloc[picks].reset_index(drop=True)
    together = scorer.score(part)
    alone = pd.concat([scorer.score(part.iloc[[i]]) for i in range(len(part))], ignore_index=True)
    row_wise(together, alone, tolerance(scorer))


@settings(max_examples=EXAMPLES)
@given(made=rows())
def test_twice_gives_the_same_and_leaves_the_input_alone(scorer: Scorer, made: list[dict[str, Any]]) -> None:
    table = frame(made)
    before = table.copy(deep=True)
    same(scorer.score(table), scorer.score(table), 0.0)
    pd.testing.assert_frame_equal(table, before)


def test_scoring_uses_no_network(scorer: Scorer, pool: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert len(scorer.score(pool.head(3))) == 3


@settings(max_examples=EXAMPLES)
@given(made=rows(), seed=st.integers(0, 1000))
def test_column_order_and_unknown_columns_do_not_matter(scorer: Scorer, made: list[dict[str, Any]], seed: int) -> None:
    table = frame(made)
    order = np.random.default_rng(seed).permutation(table.columns)
    other = table[list(order)].assign(unheard_of="x", zzz=3)
    same(scorer.score(table), scorer.score(other), 0.0)


@pytest.mark.parametrize(
    "name", [c.name for c in TICKETS if c.name not in ("ticket_id",)] + ["fields.product", "fields.plan"]
)
def test_any_optional_column_may_be_null_or_absent(scorer: Scorer, pool: pd.DataFrame, name: str) -> None:
    part = pool.head(3)
    without = scorer.score(part.drop(columns=[name], errors="ignore"))
    null = scorer.score(part.assign(**{name: None}))
    assert without["error"].isna().all() and without["topic"].notna().all()
    same(without, null, 0.0)


def test_unseen_categories_are_fine(scorer: Scorer, pool: pd.DataFrame) -> None:
    part = pool.head(2).assign(**{"fields.product": "never seen", "channel": "pigeon", "customer_id": "nobody"})
    assert scorer.score(part)["error"].isna().all()


@settings(max_examples=EXAMPLES)
@given(junk=st.text(max_size=20))
def test_outcomes_of_the_ticket_itself_change_nothing(scorer: Scorer, pool: pd.DataFrame, junk: str) -> None:
    part = pool.head(3)
    told = part.assign(
        topic=junk, queue="billing", priority="urgent", escalated="1", closed_at="2030-01-01", **{"label.topic": junk}
    )
    same(scorer.score(part), scorer.score(told), 0.0)


@pytest.mark.parametrize("part", ["subject", "body"])
def test_what_stands_after_the_part_that_is_read_changes_nothing(scorer: Scorer, part: str) -> None:
    long = "It stopped again. " + "line of a log without an end " * 1_000
    made = [{"ticket_id": "a", "subject": "Help", "body": "It is red."} | {part: long}]
    one, other = (scorer.score(frame([made[0] | {part: long + tail}])) for tail in ("", "and so on " * 9_000))
    same(one, other, tolerance(scorer))


def test_saved_and_loaded_it_scores_the_same(scorer: Scorer, pool: pd.DataFrame, tmp_path: Path) -> None:
    again = scorer.save(tmp_path / "again")
    loaded = Scorer.load(tmp_path / "again")
    assert loaded.version == again.version == scorer.version
    part = pool.head(20)
    same(scorer.score(part, explain=True), loaded.score(part, explain=True), 1e-12)


def test_explanations_add_up_to_the_models_own_log_odds(scorer: Scorer, pool: pd.DataFrame) -> None:
    part = pool.head(4)
    explained = scorer.score(part, explain=True)["explanation"]
    model = scorer.models.escalation
    assert model is not None
    from pipeline.tickets import parse

    risk = model.risk(scorer.builder.transform(parse(part, scorer.settings.tickets)))
    for item, value in zip(explained, risk, strict=True):
        total = sum(c["value"] for c in item["escalation"]["contributions"])
        assert total == pytest.approx(math.log(value / (1 - value)), abs=1e-3)


def test_topic_shares_add_up_to_the_gap_between_the_two_labels(scorer: Scorer, pool: pd.DataFrame) -> None:
    from pipeline.tickets import parse

    part = pool.head(4)
    model = scorer.models.topic
    assert model is not None
    blocks = scorer.builder.transform(parse(part, scorer.settings.tickets))
    scores = model.log_scores(blocks)
    for i, item in enumerate(scorer.score(part, explain=True)["explanation"]):
        chosen, rival = (model.classes.index(item["topic"][k]) for k in ("label", "against"))
        total = sum(c["value"] for c in item["topic"]["contributions"])
        assert total == pytest.approx(scores[i, chosen] - scores[i, rival], abs=1e-3)
