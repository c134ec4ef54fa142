"""Experts and candidates: which columns tell something, what each view sees, shares that add up, confidences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_blocks import FIELD_OF, blocks, spread

from pipeline.calibration import Beta, Link, softmax
from pipeline.estimators.experts import Expert, Settings, View, telling_columns
from pipeline.estimators.topic import Mix, TopicModel, combine, mixes, with_confidence

CLASSES = spread(400)
BLOCKS = blocks(CLASSES)
COLUMNS, FIELDS = telling_columns(BLOCKS, CLASSES, FIELD_OF)
NEW_CLASSES = spread(200, seed=9)
NEW = blocks(NEW_CLASSES, seed=9)
VIEWS: tuple[View, ...] = ("words", "meaning", "kernel", "side_by_side")


def expert(view: View, **settings: float) -> Expert:
    return Expert.fit(
        view,
        BLOCKS,
        CLASSES,
        4,
        settings=Settings(**settings),
        columns=COLUMNS,
        fields=FIELDS,
        weights=None,
        seed=0,
    )


EXPERTS = {v: expert(v) for v in VIEWS}


MIXES = [*mixes(VIEWS, average=False), (("words", 0.4), ("kernel", 0.2), ("meaning", 0.4))]


def model(parts: Mix) -> TopicModel:
    experts = tuple(EXPERTS[v] for v, _ in parts)
    shift = np.array([0.1, -0.2, 0.0, 0.3])
    return TopicModel(("a", "b", "c", "d"), experts, tuple(w for _, w in parts), shift, Beta(0.9, 1.1, 0.1))


def test_only_columns_of_the_telling_field_tell_something() -> None:
    assert set(COLUMNS) == {2, 3, 4, 5}
    assert list(FIELDS) == [0]


def test_support_is_low_where_nothing_speaks_for_any_class_however_sure_the_model_is() -> None:
    strange = blocks(CLASSES)
    strange = replace(strange, terms=strange.terms * 0, meaning=-strange.meaning)
    for parts in MIXES:
        known, beyond = (model(parts).look(b)[1] for b in (NEW, strange))
        assert np.median(beyond) < np.median(known), parts
        np.testing.assert_allclose(model(parts).look(NEW)[0], model(parts).probabilities(NEW), atol=1e-12)


def test_shuffled_labels_leave_no_telling_column() -> None:
    draw = np.random.default_rng(3)
    found = [telling_columns(BLOCKS, draw.permutation(CLASSES), FIELD_OF)[0].size for _ in range(50)]
    assert sum(found) <= 1  # the test of a column is wrong once in 12,000


@pytest.mark.parametrize("rows", [0, 400])
def test_without_fields_or_rows_no_column_tells_anything(rows: int) -> None:
    none = blocks(CLASSES[:rows], fields=False) if rows else BLOCKS.take(np.arange(0))
    columns, fields = telling_columns(none, CLASSES[:rows], FIELD_OF if rows == 0 else [])
    assert columns.size == 0 and fields.size == 0


def test_the_information_of_a_column_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import mutual_info_score

    from pipeline.estimators.experts import _information

    table = BLOCKS.one_hot.toarray()
    inside = np.stack([np.bincount(CLASSES, column, minlength=4) for column in table.T])
    bits, _ = _information(inside, np.bincount(CLASSES), len(CLASSES))
    wanted = [mutual_info_score(column, CLASSES) / np.log(2) for column in table.T]
    np.testing.assert_allclose(bits, wanted, atol=1e-9)


@pytest.mark.parametrize("view", VIEWS)
def test_every_expert_knows_new_rows_and_gives_log_probabilities(view: View) -> None:
    found = EXPERTS[view].log_probabilities(NEW)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1.0)
    assert (found.argmax(axis=1) == NEW_CLASSES).mean() > 0.8


@pytest.mark.parametrize("view", VIEWS)
def test_a_stored_expert_scores_the_same(view: View) -> None:
    again = Expert.from_state(EXPERTS[view].state())
    np.testing.assert_array_equal(again.log_probabilities(NEW), EXPERTS[view].log_probabilities(NEW))


@pytest.mark.parametrize("bent", [False, True])
@pytest.mark.parametrize("view", VIEWS)
def test_shares_of_an_expert_add_up_to_the_difference(view: View, bent: bool) -> None:
    part = Expert.from_state(EXPERTS[view].state() | {"link": Link(2.0, -0.5, bent).as_list()})
    for i in range(10):
        row = NEW.take(np.array([i]))
        logs = part.log_probabilities(row)[0]
        columns, shares, meaning, base = part.contributions(row, 1, 3)
        assert shares.sum() + meaning + base == pytest.approx(logs[1] - logs[3], rel=1e-5, abs=1e-5)
        assert (columns < row.terms.shape[1] + row.one_hot.shape[1]).all()
        width = row.terms.shape[1]
        filled = set(row.terms.indices) | {width + j for j in row.one_hot.indices} if view != "kernel" else set()
        assert set(columns[np.flatnonzero(shares)]) <= filled


def test_even_weights_lift_a_rare_class() -> None:
    rows = np.concatenate([np.flatnonzero(CLASSES != 3), np.flatnonzero(CLASSES == 3)[:8]])
    part, codes = BLOCKS.take(rows), CLASSES[rows]
    said = {}
    for evenness in (0.0, 1.0):
        one = Expert.fit(
            "words",
            part,
            codes,
            4,
            settings=Settings(evenness=evenness),
            columns=COLUMNS,
            fields=FIELDS,
            weights=None,
            seed=0,
        )
        said[evenness] = (one.scores(NEW).argmax(axis=1) == 3).sum()
    assert said[1.0] > said[0.0]


@pytest.mark.parametrize("mix", MIXES)
def test_every_candidate_gives_probabilities_and_knows_new_rows(mix: Mix) -> None:
    found = model(mix).probabilities(NEW)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert (found >= 0).all()
    assert (found.argmax(axis=1) == NEW_CLASSES).mean() > 0.8


def test_an_average_shares_whole_fifths_and_knows_each_view_alone() -> None:
    found = mixes(["words", "meaning", "kernel"], average=True)
    assert all(sum(w for _, w in mix) == pytest.approx(1.0) for mix in found)
    assert {m for m in found if len(m) == 1} == set(mixes(["words", "meaning", "kernel"], average=False))
    assert len(set(found)) == len(found) == 21


@pytest.mark.parametrize("mix", MIXES)
def test_contributions_of_a_candidate_add_up_exactly(mix: Mix) -> None:
    one = model(mix)
    for i in range(5):
        row = NEW.take(np.array([i]))
        logs = one.log_scores(row)[0]
        _, shares, meaning, base = one.contributions(row, 2, 0)
        assert shares.sum() + meaning + base == pytest.approx(logs[2] - logs[0], rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("mix", MIXES)
def test_a_stored_topic_model_scores_the_same(mix: Mix) -> None:
    one = model(mix)
    again = TopicModel.from_states(one.states("topic"), "topic")
    np.testing.assert_array_equal(again.probabilities(NEW), one.probabilities(NEW))
    assert again.classes == one.classes


def test_a_model_of_nothing_but_fields_works() -> None:
    bare = blocks(CLASSES, words=False, meaning=False)
    columns, fields = telling_columns(bare, CLASSES, FIELD_OF)
    one = Expert.fit(
        "words", bare, CLASSES, 4, settings=Settings(), columns=columns, fields=fields, weights=None, seed=0
    )
    new = blocks(NEW_CLASSES, seed=9, words=False, meaning=False)
    assert (one.scores(new).argmax(axis=1) == NEW_CLASSES).mean() > 0.7


def test_combined_logs_are_a_geometric_mean() -> None:
    a, b = np.log(np.array([[0.2, 0.8]])), np.log(np.array([[0.5, 0.5]]))
    wanted = np.array([[0.2**0.5 * 0.5**0.5, 0.8**0.5 * 0.5**0.5]])
    np.testing.assert_allclose(softmax(combine([a, b], [0.5, 0.5])), wanted / wanted.sum())


@pytest.mark.parametrize("beta", [Beta(), Beta(0.3, 0.2, -3.0), Beta(3.0, 3.0, 4.0)], ids=["as is", "lower", "higher"])
@pytest.mark.parametrize("size", [2, 3, 8])
def test_a_calibrated_confidence_keeps_the_order_and_sums_to_one(beta: Beta, size: int) -> None:
    before = np.random.default_rng(0).dirichlet(np.full(size, 0.5), 200)
    after = with_confidence(before, beta)
    np.testing.assert_allclose(after.sum(axis=1), 1.0)
    assert (after >= 0).all() and (after <= 1).all()
    np.testing.assert_array_equal(after.argmax(axis=1), before.argmax(axis=1))


def test_a_confidence_that_is_certain_leaves_room_for_the_others_when_calibration_asks_for_it() -> None:
    before = softmax(np.array([[0.0, -60.0, -61.0]]))
    after = with_confidence(before, Beta(0.1, 0.1, 0.0))
    assert after.sum() == pytest.approx(1.0)
    assert 0.5 < after[0, 0] < 0.99


def test_a_single_class_and_no_rows_are_fine() -> None:
    np.testing.assert_allclose(with_confidence(np.ones((3, 1)), Beta()), 1.0, atol=1e-5)
    assert with_confidence(np.zeros((0, 4)), Beta()).shape == (0, 4)
