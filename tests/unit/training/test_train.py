"""Stages prepare, featurize and train on small histories: few labels work, and what can't be learned is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from factories import NOON, tickets

from pipeline.config import Encoder, Params, Routing
from pipeline.errors import ConfigError, InputError
from pipeline.sources.raw import Raw
from pipeline.tickets.schema import empty
from pipeline.training.featurize import Featurized, featurize
from pipeline.training.prepare import Prepared, prepare_raw
from pipeline.training.train import Target, Trained, train

PARAMS = replace(Params(), encoder=Encoder(name="none", cache=""))
WORDS = {
    "printing": ["paper", "toner", "jam", "tray", "ink", "scanner", "cartridge", "copies"],
    "access": ["password", "account", "locked", "login", "reset", "token", "code", "username"],
    "mail": ["inbox", "smtp", "folder", "send", "receive", "attachment", "message", "address"],
}
KINDS = list(WORDS)
LEVELS = {"1": "low", "2": "medium", "3": "high"}


def quiet(line: str) -> None:
    """Say nothing."""


def history(n: int = 60, *, dated: bool = True, seed: int = 0, **columns: Any) -> pd.DataFrame:
    """Tickets whose words fit their `kind`; every column is a field."""
    draw = np.random.default_rng(seed)
    kinds = [KINDS[i] for i in draw.permutation(np.arange(n) % 3)]
    body = [" ".join([*draw.choice(WORDS[k], 5), f"case{draw.integers(1e9)}"]) for k in kinds]
    fields = {f"fields_{k}": v for k, v in ({"kind": kinds} | columns).items()}
    rows = tickets(n, subject=None, body=body, **fields)
    if not dated:
        rows["created_at"] = pd.Series(pd.NaT, index=rows.index, dtype="datetime64[us, UTC]")
    return rows


def prepared(rows: pd.DataFrame, params: Params = PARAMS, cut: pd.Timestamp | None = None, **outcomes: Any) -> Prepared:
    raw = Raw(rows, empty("events"), empty("outcomes"), empty("articles"), outcomes or {"topic": "kind"}, [])
    return prepare_raw(raw, params, test_from=cut)


def trained(rows: pd.DataFrame, target: Target = "topic", params: Params = PARAMS, **outcomes: Any) -> Trained:
    ready = prepared(rows, params, **outcomes)
    return train(target, ready, featurize(ready, params, say=quiet), params, say=quiet)


@pytest.mark.parametrize("dated", [True, False])
def test_twenty_labels_of_each_class_are_enough(dated: bool) -> None:
    found = trained(history(60, dated=dated))
    assert found.passed, found.about["why_none"]
    assert found.about["classes"] == sorted(KINDS)
    assert found.about["dated"] is False  # so few rows are split by the stable hash, with times or without
    accuracy = (found.inner["probabilities"].argmax(axis=1) == found.inner["truth"]).mean()
    assert accuracy > 0.8


def test_a_class_of_one_row_is_said_and_never_predicted() -> None:
    rows = history(91)
    rows.loc[45, "fields.kind"] = "odd"
    found = trained(rows)
    assert found.passed and "odd" not in found.about["classes"]
    assert found.about["living"]["dead"] == {"odd": "only 1 in use"}
    assert "odd" not in found.about["counts"]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (history(39), "only 39 tickets have this outcome"),
        (history(60).assign(**{"fields.kind": "same"}), "all 60 tickets have the same value"),
        (history(60).assign(**{"fields.kind": [f"k{i}" for i in range(60)]}), "0 label(s) with enough tickets"),
        (history(60).assign(**{"fields.kind": ["a", "b"] * 15 + [f"k{i}" for i in range(30)]}), "only 30 tickets have"),
    ],
)
def test_a_topic_that_cant_be_learned_says_why(rows: pd.DataFrame, why: str) -> None:
    found = trained(rows)
    assert not found.passed and not found.parts
    assert why in found.about["why_none"]


def test_an_outcome_that_the_history_lacks_is_not_trained() -> None:
    found = trained(history(60), "priority")
    assert not found.passed and found.about["why_none"] == "the history has no such outcome"


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("target", ["topic", "priority", "escalated"])
def test_texts_that_all_repeat_say_that_nothing_can_be_judged(target: Target, dated: bool) -> None:
    rows = history(90, dated=dated, level=[str(i % 3 + 1) for i in range(90)], big=[str(i % 2) for i in range(90)])
    rows["body"] = "the same words every time"
    outcomes = {
        "topic": "kind",
        "priority": {"column": "level", "levels": LEVELS},
        "escalated": {"column": "big", "equals": "1"},
    }
    found = trained(rows, target, **outcomes)
    assert not found.passed and "all texts repeat" in found.about["why_none"]


@pytest.mark.parametrize("where", ["early", "tuned on", "late"])
def test_a_rare_outcome_that_an_inner_fold_lacks_ends_in_a_verdict(where: str) -> None:
    first = {"early": 0, "tuned on": 112, "late": 144}[where]
    rows = history(150, big=["1" if first <= i < first + 6 else "0" for i in range(150)])
    found = trained(rows, "escalated", escalated={"column": "big", "equals": "1"})
    assert "average precision" in found.about["gate"]["words"]
    assert np.isfinite(found.inner["probabilities"]).all()


def test_a_level_that_came_late_ends_in_a_verdict() -> None:
    rows = history(150, level=["3" if i > 140 else "1" for i in range(150)])
    found = trained(rows, "priority", priority={"column": "level", "levels": LEVELS})
    assert not found.passed and "quadratic kappa" in found.about["gate"]["words"]
    assert found.about["classes"] == ["low", "medium", "high"]


def test_random_labels_do_not_pass_the_gate() -> None:
    draw = np.random.default_rng(5)
    rows = history(300).assign(**{"fields.kind": draw.choice(["a", "b", "c"], 300, p=[0.6, 0.2, 0.2])})
    found = trained(rows)
    assert not found.passed and found.about["why_none"].startswith("no better than the baseline")


def test_candidates_that_need_an_encoder_give_way_to_words_without_one() -> None:
    params = replace(
        PARAMS,
        topic=replace(PARAMS.topic, candidates=("meaning",)),
        priority=replace(PARAMS.priority, candidates=("meaning",)),
    )
    assert trained(history(60), params=params).passed
    rows = history(120)
    rows["fields.level"] = rows["fields.kind"].map({k: str(i + 1) for i, k in enumerate(KINDS)})
    found = trained(rows, "priority", params, priority={"column": "level", "levels": LEVELS})
    assert found.passed and found.about["chosen"]["view"] == "words"


def test_without_any_text_the_fields_carry_the_risk_whatever_candidates_are_named() -> None:
    params = replace(PARAMS, escalation=replace(PARAMS.escalation, candidates=("words",)))
    draw = np.random.default_rng(1)
    rows = history(200, site=[str(v) for v in draw.choice(["north", "south"], 200)])
    rows["fields.big"] = np.where((rows["fields.site"] == "north") & (draw.random(200) < 0.8), "1", "0")
    rows["subject"], rows["body"] = None, None
    found = trained(rows, "escalated", params, escalated={"column": "big", "equals": "1"})
    assert found.passed, found.about["why_none"]


def test_the_column_of_an_outcome_and_one_that_gives_it_away_are_out_of_its_sight() -> None:
    rows = history(120)
    rows["fields.tags"] = "new;" + rows["fields.kind"]
    ready = prepared(rows)
    assert ready.about["left_out_fields"] == {"topic": ["kind", "tags"]}
    kept = prepared(rows, replace(PARAMS, features=replace(PARAMS.features, give_away="keep")))
    assert kept.about["left_out_fields"] == {"topic": ["kind"]}
    features = featurize(ready, PARAMS, say=quiet)
    hidden = features.without(["kind", "tags"])
    names = [n for n in features.builder.fields.names if n in ("fields.kind", "fields.tags")]
    columns = [i for i, n in enumerate(features.builder.fields.one_hot_fields()) if n in names]
    assert hidden.one_hot[:, columns].nnz == 0 < features.blocks.one_hot[:, columns].nnz
    assert not hidden.codes[:, [features.builder.fields.names.index(n) for n in names]].any()


def test_nothing_of_a_ticket_after_the_cut_trains() -> None:
    cut = NOON + pd.Timedelta(hours=80)
    ready = prepared(history(120), cut=cut)
    assert len(ready.frame) == 80 and ready.about["after_cut"] == 40
    assert ready.frame["created_at"].max() < cut


def test_a_description_of_a_label_is_no_ticket_in_any_count() -> None:
    topic = replace(PARAMS.topic, descriptions={"drones": "propeller battery flight landing drone"})
    params = replace(PARAMS, topic=topic)
    cut = NOON + pd.Timedelta(hours=80)
    assert prepared(history(120), params, cut).about["after_cut"] == 40
    found = trained(history(90), params=params)
    assert "drones" in found.about["classes"] and found.passed
    assert len(found.inner["trained"]) == 90


def test_tickets_without_times_are_split_by_a_stable_hash_and_refuse_a_cut() -> None:
    rows = history(60, dated=False)
    one, other = prepared(rows), prepared(rows.iloc[::-1].reset_index(drop=True))
    assert not one.about["dated"]
    assert list(one.frame["ticket_id"]) == list(other.frame["ticket_id"])
    with pytest.raises(ConfigError, match="without times"):
        prepared(rows, cut=NOON)


def test_a_history_without_any_outcome_is_an_input_error() -> None:
    with pytest.raises(InputError, match="no outcome to learn from"):
        prepared(history(60).assign(**{"fields.kind": None}))


def test_a_policy_that_points_nowhere_is_found_before_anything_is_trained() -> None:
    with pytest.raises(ConfigError) as error:
        prepared(history(60), replace(PARAMS, routing=Routing(queues={"printin": "hardware"})))
    assert "printing" in error.value.do


def test_stages_can_be_saved_and_read_again(tmp_path: Any) -> None:
    ready = prepared(history(60))
    ready.save(tmp_path / "prepared")
    again = Prepared.load(tmp_path / "prepared")
    pd.testing.assert_frame_equal(again.frame, ready.frame)
    assert again.about == ready.about
    features = featurize(ready, PARAMS, say=quiet)
    features.save(tmp_path / "features")
    loaded = Featurized.load(tmp_path / "features", PARAMS)
    np.testing.assert_array_equal(loaded.groups, features.groups)
    assert (loaded.blocks.terms != features.blocks.terms).nnz == 0
    one = train("topic", ready, features, PARAMS, say=quiet)
    one.save(tmp_path / "topic")
    read = Trained.load(tmp_path / "topic")
    assert read.passed and read.about == {"target": "topic", "names": sorted(one.parts)} | one.about
    with pytest.raises(InputError, match="nothing was prepared"):
        Prepared.load(tmp_path / "elsewhere")


def test_the_same_history_and_seed_train_the_same_model() -> None:
    one, other = trained(history(90)), trained(history(90))
    np.testing.assert_array_equal(one.inner["probabilities"], other.inner["probabilities"])
