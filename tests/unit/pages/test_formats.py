"""Numbers and places as they are written and drawn."""

from __future__ import annotations

import pytest

from pipeline.pages import svg
from pipeline.pages.figures import Estimate, estimate
from pipeline.pages.formats import decimal, interval, listing, metric_words, month_label, percent, printable, share


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.452, "45.2 %"), (0.2, "20 %"), (1.0, "100 %"), (0.0031, "0.31 %"), (0.0, "0 %"), (None, "–")],
)
def test_shares_are_written_with_the_digits_that_they_need(value: float | None, written: str) -> None:
    assert percent(value).replace("\u00a0", " ") == written


def test_figures_have_a_true_minus_and_no_negative_zero() -> None:
    assert decimal(-0.25) == "\u22120.250" and decimal(-0.0001) == "0.000"
    assert share(0.45).replace("\u00a0", " ") == "45.0 %"


def test_intervals_need_both_ends() -> None:
    assert interval(Estimate(0.5, 0.4, 0.6)) == "0.400 to 0.600"
    assert interval(Estimate(0.5, 0.4, 0.6), as_share=True).replace("\u00a0", " ") == "40.0 to 60.0 %"
    assert interval(Estimate(0.5, 0.4)) == interval(None) == ""


def test_an_estimate_is_made_of_what_the_metrics_give() -> None:
    points, bounds = {"accuracy": 0.5, "kappa": float("nan")}, {"accuracy": (0.4, 0.6)}
    assert estimate("accuracy", points, bounds) == Estimate(0.5, 0.4, 0.6)
    assert estimate("kappa", points, bounds) == estimate("absent", points) == Estimate(None)


def test_metric_names_become_words() -> None:
    assert metric_words("recall_at_0.1177").replace("\u00a0", " ") == "found, reviewing 11.8 %"
    assert metric_words("macro_f1") == "macro-F1" and metric_words("made_up") == "made up"


def test_months_and_lists_in_words() -> None:
    assert month_label("2025-04") == ("Apr", "2025") and month_label("fifth 1") == ("fifth 1", "")
    assert month_label("2025-13") == ("2025-13", "")
    assert listing(["a", "b", "c"]) == "a, b and c" and listing([]) == ""


def test_controls_and_direction_overrides_are_replaced() -> None:
    assert printable("a\x00b\u202ec\ud800") == "a\ufffdb\ufffdc\ufffd"


@pytest.mark.parametrize(("value", "top"), [(0.031, 0.04), (0.11, 0.15), (1.0, 1.0), (7.2, 8.0), (0.0, 1.0)])
def test_axes_end_at_round_numbers_above_the_data(value: float, top: float) -> None:
    assert svg.nice_ceiling(value) == pytest.approx(top)


def test_ticks_are_round_and_inside_the_axis() -> None:
    assert svg.ticks(1.0) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert svg.ticks(0.04) == [0.0, 0.01, 0.02, 0.03, 0.04]


def test_labels_that_would_overlap_move_apart_in_their_order() -> None:
    placed = svg.spread([10.0, 11.0, 50.0], gap=15, low=0, high=100)
    assert placed == [10.0, 25.0, 50.0]
    assert svg.spread([95.0, 99.0], gap=15, low=0, high=100) == [85.0, 100.0]


def test_a_scale_draws_what_lies_outside_at_its_edge() -> None:
    scale = svg.Scale(0, 1, 10, 110)
    assert [scale(v) for v in (-5, 0.5, 9, float("nan"))] == [10, 60, 110, 10]
