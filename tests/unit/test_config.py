"""Settings: ranges and candidates are checked as they are read."""

from pathlib import Path

import pytest

from pipeline.config import load_params
from pipeline.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("split: {tune_share: 3}", "split.tune_share"),
        ("split: {folds: 0}", "split.folds"),
        ("topic: {regularisation: [0]}", "topic.regularisation"),
        ("promise: {max_error: 1.5}", "promise.max_error"),
        ("topic: {candidates: []}", "topic.candidates"),
        ("topic: {candidates: [average]}", "topic.candidates"),
        ("escalation: {candidates: [magic]}", "escalation.candidates"),
        ("history: {contact_reason: category}", "history.contact_reason"),
        ("history: {contact_reason: fields.}", "history.contact_reason"),
        ("rescore: {risk_step: 0}", "rescore.risk_step"),
        ("rescore: {risk_lines: [0.5, 1.0]}", "rescore.risk_lines"),
    ],
)
def test_a_setting_out_of_its_range_is_named_with_what_it_may_be(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "params.yaml").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=named.replace(".", r"\.")):
        load_params(tmp_path / "params.yaml")


def test_settings_that_are_not_there_are_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_params(tmp_path / "nowhere.yaml")
