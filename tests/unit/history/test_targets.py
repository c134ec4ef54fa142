"""Targets by priority level: looked up, unknown levels, durations that aren't."""

from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pandas as pd
import pytest

from pipeline.config import Sla, load_params
from pipeline.errors import ConfigError
from pipeline.history.targets import Targets
from pipeline.sources.mapping import STATUSES

DESK = Targets.of(
    Sla(first_response={"urgent": "30m", "*": "1d"}, resolution={"urgent": "4h", "high": "1.5d", "low": "1w"})
)


def levels(*names: object) -> np.ndarray:
    return np.array(names, dtype=object)


def test_a_target_is_in_business_hours_and_a_day_has_24_of_them() -> None:
    assert list(DESK.first_response_hours(levels("urgent", "urgent"))) == [0.5, 0.5]
    assert list(DESK.resolution_hours(levels("urgent", "high", "low"))) == [4.0, 36.0, 168.0]


@pytest.mark.parametrize("level", ["normal", "", "URGENT", None, np.nan, pd.NA, 3, ["urgent"]])
def test_any_other_level_has_the_target_of_the_star_and_without_it_none(level: object) -> None:
    rows = np.empty(2, dtype=object)
    rows[:] = [level, "urgent"]
    assert list(DESK.first_response_hours(rows)) == [24.0, 0.5]
    assert np.array_equal(DESK.resolution_hours(rows), [np.nan, 4.0], equal_nan=True)


def test_without_settings_nothing_is_promised_and_the_clock_stands_still_while_someone_else_is_waited_for() -> None:
    targets = Targets.of(Sla())
    found = targets.first_response_hours(levels("urgent", None))
    assert found.dtype == np.float64 and np.isnan(found).all()
    assert targets.resolution_hours(levels()).shape == (0,)
    assert targets.paused == {"pending", "on_hold"}


def test_the_statuses_that_may_pause_are_those_of_the_events() -> None:
    kind = get_type_hints(Sla)["paused"]
    assert get_args(get_args(kind)[0]) == STATUSES
    assert Targets.of(Sla(paused=())).paused == frozenset()


@pytest.mark.parametrize(
    "duration", ["8", "soon", "", "0h", "-2h", "2 days", "1h30m", "99999999999999w", "0.00000000001s"]
)
@pytest.mark.parametrize("key", ["first_response", "resolution"])
def test_what_is_no_duration_is_named_with_its_level(tmp_path: Path, key: str, duration: str) -> None:
    (tmp_path / "params.yaml").write_text(f"sla: {{{key}: {{low: 1d, high: '{duration}'}}}}", "utf-8")
    with pytest.raises(ConfigError, match=rf"sla\.{key}: high\s+got: .*\s+do: write a number with a unit"):
        Targets.of(load_params(tmp_path / "params.yaml").sla)


def test_a_level_that_is_not_there_is_named_with_the_nearest() -> None:
    DESK.check_levels(["low", "medium", "high", "urgent"])
    with pytest.raises(ConfigError, match=r"sla\.resolution: high\s+got: high\s+do: did you mean highest"):
        DESK.check_levels(["low", "highest", "urgent"])
    with pytest.raises(ConfigError, match="known: none"):
        DESK.check_levels([])
