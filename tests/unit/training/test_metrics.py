"""Metrics against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.training import metrics


def close(value: float) -> object:
    return pytest.approx(value, abs=1e-12)


def test_macro_f1_averages_over_the_labels_in_the_truth_alone() -> None:
    points = metrics.class_metrics(["a", "a", "b", "b"], ["a", "b", "b", "c"])
    # a: 1 right of 2 true, 1 said → 2/3; b: 1 of 2 true, 2 said → 1/2; c is only guessed, and isn't averaged
    assert points == {"accuracy": close(0.5), "macro_f1": close((2 / 3 + 1 / 2) / 2), "weighted_f1": close(7 / 12)}


def test_a_label_that_is_never_right_counts_as_zero() -> None:
    assert metrics.class_metrics(["a", "b"], ["a", "a"])["macro_f1"] == close((2 / 3 + 0) / 2)


def test_top3_looks_at_three_candidates_and_no_further() -> None:
    ranked = [["x", "y", "a"], ["x", "y", "z", "a"]]
    assert metrics.class_metrics(["a", "a"], ["x", "x"], candidates=ranked)["top3_accuracy"] == close(0.5)


def test_the_brier_score_of_classes_punishes_sure_and_wrong_with_two() -> None:
    points = metrics.class_metrics(["a", "a"], ["b", "a"], probabilities=[{"b": 1.0}, {"a": 0.5, "b": 0.5}])
    assert points["brier"] == close((2.0 + 0.5) / 2)


def test_ordinal_metrics_by_hand() -> None:
    levels = ["low", "mid", "high"]
    points = metrics.ordinal_metrics(["low", "low", "mid", "high"], ["low", "mid", "mid", "low"], levels)
    # squared gaps 0 1 0 4; truth mean 0.75, square 1.25; guess mean 0.5, square 0.5
    assert points == {
        "quadratic_kappa": close(1 - 1.25 / (1.25 + 0.5 - 2 * 0.75 * 0.5)),
        "mae_levels": close(0.75),
        "too_low": close(0.25),
        "too_high": close(0.25),
    }


def test_kappa_of_one_level_only_is_undefined() -> None:
    assert math.isnan(metrics.ordinal_metrics(["low"] * 3, ["low"] * 3, ["low", "high"])["quadratic_kappa"])


def test_risk_metrics_by_hand() -> None:
    points = metrics.risk_metrics([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1], workloads=(0.5,))
    assert points["roc_auc"] == close(3 / 4)
    assert points["average_precision"] == close(0.5 * 1 + 0.5 * 2 / 3)
    assert points["brier"] == close((0.01 + 0.64 + 0.09 + 0.01) / 4)
    assert points["base_rate"] == close(0.5)
    assert points["recall_at_0.5"] == close(0.5)
    assert points["precision_at_0.5"] == close(0.5)
    assert points["best_possible_recall_at_0.5"] == close(1.0)


def test_few_reviews_cannot_find_many_positives() -> None:
    points = metrics.risk_metrics([1, 1, 1, 0], [0.9, 0.8, 0.7, 0.1], workloads=(0.25,))
    assert points["best_possible_recall_at_0.25"] == close(1 / 3)
    assert points["recall_at_0.25"] == close(1 / 3)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]])
def test_ties_are_never_broken_by_the_order_of_rows(order: list[int]) -> None:
    outcome, risk = np.array([1, 0, 0, 1])[order], np.array([0.5, 0.5, 0.5, 0.5])
    points = metrics.risk_metrics(outcome, risk, workloads=(0.25,))
    assert points["roc_auc"] == close(0.5)
    assert points["average_precision"] == close(0.5)
    assert points["recall_at_0.25"] == close(0.25)
    selective = metrics.selective_metrics(risk, outcome.astype(float))
    assert selective == {"aurc": close(0.5), "coverage_at_90": 0.0, "coverage_at_95": 0.0}


@pytest.mark.parametrize("outcome", [[0, 0, 0], [1, 1, 1], []])
def test_ranking_without_both_outcomes_is_undefined(outcome: list[int]) -> None:
    points = metrics.risk_metrics(outcome, [0.1, 0.2, 0.3][: len(outcome)])
    assert math.isnan(points["roc_auc"]) and math.isnan(points["average_precision"])


def test_coverage_is_the_largest_share_that_keeps_the_accuracy() -> None:
    confidence = np.linspace(1.0, 0.0, 20)
    correct = np.array([1.0] * 9 + [0.0] + [1.0] * 6 + [0.0] * 4)
    points = metrics.selective_metrics(confidence, correct)
    assert points["coverage_at_90"] == close(16 / 20)  # 15 of 16 right
    assert points["coverage_at_95"] == close(9 / 20)


def test_calibration_error_uses_bins_of_equal_mass() -> None:
    score = np.array([0.2, 0.2, 0.8, 0.8])
    assert metrics.calibration_error(score, np.array([0.0, 1.0, 1.0, 1.0]), bins=2) == close((0.3 + 0.2) / 2)
    predicted, observed, size = metrics.reliability_bins([0.1, 0.2, 0.3, 0.9, 0.8], [0, 0, 1, 1, 1], bins=2)
    assert predicted.tolist() == [close(0.2), close(0.85)]
    assert observed.tolist() == [close(1 / 3), close(1.0)]
    assert size.tolist() == [3, 2]


def test_a_tie_across_two_bins_is_shared_by_both() -> None:
    assert metrics.calibration_error(np.full(4, 0.5), np.array([0.0, 0.0, 1.0, 1.0]), bins=2) == close(0.0)


def test_out_of_scope_recall_flags_at_most_four_percent_in_scope() -> None:
    inside, outside = np.arange(100) / 100, np.array([0.96, 0.955, 0.94])
    points = metrics.scope_metrics([0] * 100 + [1] * 3, [*inside, *outside], flagged=[0] * 102 + [1])
    assert points["recall_at_4pct_false"] == close(2 / 3)  # four may be flagged; the fifth in scope has 0.95
    assert points["recall"] == close(1 / 3) and points["false_rate"] == close(0.0) and points["tickets"] == 3


def test_out_of_scope_without_both_kinds_is_undefined() -> None:
    assert math.isnan(metrics.scope_metrics([1, 1], [0.1, 0.2])["auroc"])


def test_points_of_listings_by_hand() -> None:
    lists, right = [["a", "b", "c"], ["x"], []], [frozenset("bz"), frozenset("x"), frozenset("x")]
    found = {name: values.tolist() for name, values in metrics.listing_points(lists, right).items()}
    assert found == {
        "recall@1": [0.0, 1.0, 0.0], "recall@3": [0.5, 1.0, 0.0], "MRR": [0.5, 1.0, 0.0], "hit@3": [1.0, 1.0, 0.0],
    }  # fmt: skip


def test_an_interval_repeats_with_its_seed_and_holds_the_value() -> None:
    hit = np.array([1.0] * 70 + [0.0] * 30)

    def accuracy(rows: metrics.Integers) -> dict[str, float]:
        return {"accuracy": float(hit[rows].mean()), "undefined": math.nan}

    first, again = (metrics.interval(accuracy, 100, seed=7, resamples=400) for _ in range(2))
    low, high = first["accuracy"]
    assert first["accuracy"] == again["accuracy"] and 0.58 < low < 0.7 < high < 0.82
    assert math.isnan(first["undefined"][0])


def test_curves_keep_ties_whole_and_end_at_everything() -> None:
    kept, wrong, threshold = metrics.risk_coverage_curve([0.9, 0.9, 0.5], [1, 0, 1])
    assert kept.tolist() == [close(2 / 3), 1.0]
    assert wrong.tolist() == [close(0.5), close(1 / 3)]
    assert threshold.tolist() == [0.9, 0.5]
    reviewed, found = metrics.gains_curve([1, 0, 0, 1], [0.9, 0.9, 0.1, 0.5])
    assert reviewed.tolist() == [0.0, 0.5, 0.75, 1.0] and found.tolist() == [0.0, 0.5, 1.0, 1.0]
    recall, precision = metrics.precision_recall_curve([1, 0, 0, 1], [0.9, 0.9, 0.1, 0.5])
    assert recall.tolist() == [0.5, 1.0, 1.0] and precision.tolist() == [0.5, close(2 / 3), 0.5]


def test_thinning_keeps_both_ends() -> None:
    x, y = metrics.thin(np.arange(1000.0), np.arange(1000.0) ** 2, points=50)
    assert len(x) == len(y) == 50 and x[0] == 0 and x[-1] == 999
    assert metrics.thin(np.arange(3.0))[0].tolist() == [0, 1, 2]
