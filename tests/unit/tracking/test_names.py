"""Names and values that MLflow takes, from any settings and figures."""

from __future__ import annotations

import doctest
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_report import made_up

from pipeline.config import Params, Promise, Rule, as_dict, build
from pipeline.tracking import names
from pipeline.training.report_files import figures

TEXT = st.text(max_size=400)
FIGURES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def test_the_examples_in_the_docstrings_are_right() -> None:
    assert doctest.testmod(names).failed == 0


@given(TEXT)
def test_mlflow_takes_every_safe_name(name: str) -> None:
    validation = pytest.importorskip("mlflow.utils.validation")
    safe = names.safe_name(name)
    validation._validate_metric_name(safe)
    validation._validate_param(safe, "value")
    assert names.safe_name(safe) == safe


@given(FIGURES)
def test_mlflow_takes_the_metrics_of_any_figures(value: Any) -> None:
    validation = pytest.importorskip("mlflow.utils.validation")
    for name, number in names.metrics_of(value).items():
        validation._validate_metric_name(name)
        assert math.isfinite(number)


def test_names_that_become_the_same_are_all_kept() -> None:
    found = names.metrics_of({"a/b": 1, "a:b": 2, "a_b": 3})
    assert sorted(found) == ["a_b", "a_b_2", "a_b_3"]
    assert sorted(found.values()) == [1, 2, 3]


def test_a_figure_of_a_report_has_its_value_its_bounds_and_its_rivals() -> None:
    found = names.metrics_of(figures(made_up()))
    wanted = figures(made_up())["topic"]["accuracy"]
    assert found["topic.accuracy"] == wanted["value"]
    assert found["topic.accuracy.low"] == wanted["low"]
    assert found["topic.accuracy.baselines.majority"] == wanted["baselines"]["majority"]
    assert "promise.verdict" not in found


def test_more_metrics_than_a_run_should_have_are_cut_from_the_bottom() -> None:
    many = {"top": 1.0, "deep": {str(i): {"value": i, "low": 0} for i in range(3 * names.MAX_METRICS)}}
    found = names.metrics_of(many)
    assert len(found) == names.MAX_METRICS
    assert found["top"] == 1.0


def test_every_setting_is_a_parameter_that_reads_back() -> None:
    settings = Params(promise=Promise(max_error=0.05))
    flat = names.params_of(as_dict(settings))
    assert flat["promise.max_error"] == "0.05"
    assert flat["encoder.name"] == "minilm"
    assert json.loads(flat["topic.candidates"]) == list(settings.topic.candidates)
    sections = {k.partition(".")[0] for k in flat}
    assert sections == set(as_dict(Params())) - {"tracking"}


def test_the_address_isnt_among_the_parameters() -> None:
    settings = build(Params, {"tracking": {"uri": "postgresql://user:secret@host/db"}}, where="test")
    assert "secret" not in json.dumps(names.params_of(as_dict(settings)))


def test_a_long_value_is_cut_to_what_mlflow_takes() -> None:
    rule = Rule(name="many", queue="q", keywords=tuple(f"word-{i}" for i in range(5_000)))
    value = names.params_of({"routing": {"rules": [as_dict(rule)]}})["routing.rules"]
    assert len(value) == names.PARAM_LENGTH
    assert value.endswith("…")
