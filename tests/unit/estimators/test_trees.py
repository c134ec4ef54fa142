"""Trees: the plain arrays say what scikit-learn's model says, and their shares add up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from pipeline import artifact
from pipeline.estimators.trees import Trees, bin_edges, binned

OPTIONS = {"learning_rate": 0.1, "max_iter": 20, "max_leaf_nodes": 7, "min_samples_leaf": 10}
MASKS = {
    "numbers only": [False, False, False, False],
    "one category": [False, True, False, False],
    "categories between numbers": [False, True, False, True],
    "categories first": [True, True, False, False],
}


def made(categorical: np.ndarray, n: int = 500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A table with gaps in codes and missing numbers, and an outcome that depends on all columns."""
    draw = np.random.default_rng(seed)
    table = draw.normal(size=(n, 4))
    for j in np.flatnonzero(categorical):
        table[:, j] = draw.integers(0, 12, n) * 3  # codes with gaps: 0, 3, 6 …
    push = np.where(categorical, (table // 3) % 2, table).sum(axis=1) + draw.normal(size=n)
    table[draw.random(n) < 0.1, 2] = np.nan
    return table, (push > np.median(push)).astype(int)


def both(mask: list[bool], weighted: bool = False) -> tuple[Trees, HistGradientBoostingClassifier, np.ndarray]:
    categorical = np.array(mask)
    table, outcome = made(categorical)
    weights = np.random.default_rng(1).random(len(table)) + 0.5 if weighted else None
    ours = Trees.fit(table, outcome, categorical=categorical, weights=weights, seed=3, **OPTIONS)
    theirs = HistGradientBoostingClassifier(
        categorical_features=categorical if categorical.any() else None, random_state=3, early_stopping=False, **OPTIONS
    )
    return ours, theirs.fit(in_bins(table, categorical), outcome, sample_weight=weights), table


def in_bins(table: np.ndarray, categorical: np.ndarray) -> np.ndarray:
    """What scikit-learn gets to see: numbers of bins whose edges come from the made table."""
    edges = {int(j): bin_edges(made(categorical)[0][:, j]) for j in np.flatnonzero(~categorical)}
    return binned(table, edges)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_log_odds_are_those_of_scikit_learn(mask: list[bool], weighted: bool) -> None:
    ours, theirs, table = both(mask, weighted)
    np.testing.assert_allclose(
        ours.log_odds(table), theirs.decision_function(in_bins(table, np.array(mask))), atol=1e-9
    )


def test_bins_hold_equally_many_rows_and_edges_lie_between_values() -> None:
    column = np.random.default_rng(0).normal(size=20_000)
    edges = bin_edges(np.append(column, np.nan))
    counts = np.bincount(np.searchsorted(edges, column))
    assert len(edges) == 254 and counts.max() < 1.5 * 20_000 / 255
    np.testing.assert_array_equal(bin_edges(np.array([3.0, 1.0, np.nan, 3.0])), [2.0])


@pytest.mark.parametrize("column", range(4))
def test_missing_values_go_where_scikit_learn_sends_them(column: int) -> None:
    ours, theirs, table = both(MASKS["categories between numbers"])
    table[:, column] = np.nan
    seen = in_bins(table, np.array(MASKS["categories between numbers"]))
    np.testing.assert_allclose(ours.log_odds(table), theirs.decision_function(seen), atol=1e-9)


@pytest.mark.parametrize("code", [0, 1, 4, 33, 250])
def test_a_code_that_training_never_saw_goes_where_scikit_learn_sends_it(code: int) -> None:
    ours, theirs, table = both(MASKS["categories between numbers"])
    table[:, 1] = code
    seen = in_bins(table, np.array(MASKS["categories between numbers"]))
    np.testing.assert_allclose(ours.log_odds(table), theirs.decision_function(seen), atol=1e-9)


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_contributions_add_up_to_the_log_odds(mask: list[bool]) -> None:
    ours, _, table = both(mask)
    shares, base = ours.contributions(table)
    assert shares.shape == table.shape
    np.testing.assert_allclose(shares.sum(axis=1) + base, ours.log_odds(table), atol=1e-9)


def test_a_column_that_says_nothing_is_given_nothing() -> None:
    table, outcome = made(np.zeros(4, dtype=bool))
    table[:, 3] = 1.0
    trees = Trees.fit(table, outcome, categorical=np.zeros(4, dtype=bool), weights=None, seed=0, **OPTIONS)
    assert not trees.contributions(table)[0][:, 3].any()


@pytest.mark.parametrize(("outcome", "wanted"), [(0, -7.0), (1, 7.0)])
def test_one_outcome_alone_gives_its_own_log_odds_to_all(outcome: int, wanted: float) -> None:
    table, _ = made(np.zeros(4, dtype=bool))
    none = np.zeros(4, dtype=bool)
    trees = Trees.fit(table, np.full(500, outcome), categorical=none, weights=None, seed=0, **OPTIONS)
    np.testing.assert_allclose(trees.log_odds(table), wanted, atol=0.1)
    shares, base = trees.contributions(table)
    assert not shares.any() and base == pytest.approx(trees.log_odds(table)[0])
    assert Trees.from_state(trees.state()).log_odds(table)[0] == trees.log_odds(table)[0]


def test_a_table_in_which_nothing_varies_gives_the_base_rate() -> None:
    outcome = np.arange(100) % 4 == 0
    none = np.zeros(2, dtype=bool)
    trees = Trees.fit(np.ones((100, 2)), outcome, categorical=none, weights=None, seed=0, **OPTIONS)
    np.testing.assert_allclose(trees.log_odds(np.ones((3, 2))), np.log(25.5 / 75.5))


def test_one_row_scores_as_it_does_among_many() -> None:
    ours, _, table = both(MASKS["categories between numbers"])
    alone = np.concatenate([ours.log_odds(table[i : i + 1]) for i in range(0, 500, 50)])
    np.testing.assert_array_equal(alone, ours.log_odds(table)[::50])


def test_stored_trees_score_the_same(tmp_path: Path) -> None:
    ours, _, table = both(MASKS["categories between numbers"])
    artifact.write(tmp_path / "m", {"trees": ours.state()}, {})
    parts, _, _ = artifact.read(tmp_path / "m")
    np.testing.assert_array_equal(Trees.from_state(parts["trees"]).log_odds(table), ours.log_odds(table))


def test_the_average_of_forests_is_the_mean_of_their_log_odds() -> None:
    draw = np.random.default_rng(5)
    table = np.stack([draw.normal(size=400), draw.integers(0, 12, 400) * 3.0], axis=1)
    outcome = (table[:, 0] + (table[:, 1] % 2) + draw.normal(size=400) > 0.5).astype(int)
    kinds = np.array([False, True])
    forests = [Trees.fit(table, outcome, categorical=kinds, weights=None, seed=i, max_iter=10) for i in range(3)]
    mean = Trees.averaged(forests)
    np.testing.assert_allclose(mean.log_odds(table), np.mean([f.log_odds(table) for f in forests], axis=0))
    shares, base = mean.contributions(table)
    np.testing.assert_allclose(shares.sum(axis=1) + base, mean.log_odds(table))
