"""The page about the SLA clock is right: its settings, its moments and its hours."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.config import Sla, load_params
from pipeline.history.calendar import WEEKDAYS, Calendar
from pipeline.history.targets import Targets

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "sla.md").read_text("utf-8")
ARRIVALS = re.findall(r"^\| (\d\S+ \d\S+) \| (\w+) \| (\d\S+ \d\S+) \|", PAGE, flags=re.MULTILINE)
NIGHTS = re.findall(r"^\| (\d\S+-\d\S+) \| (\d{4}-\d\d-\d\d)\b.* \| (\d) h", PAGE, flags=re.MULTILINE)


def test_the_example_is_due_when_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(re.findall(r"```yaml params\n(.*?)```", PAGE, flags=re.DOTALL)[0], "utf-8")
    settings = load_params(tmp_path / "params.yaml").sla
    arrivals, levels, expected = zip(*ARRIVALS, strict=True)
    starts = pd.DatetimeIndex(arrivals, tz="UTC").as_unit("us").asi8
    due = Calendar.of(settings).due(starts, Targets.of(settings).first_response_hours(np.array(levels, dtype=object)))
    local = pd.DatetimeIndex(due.astype("datetime64[us]"), tz="UTC").tz_convert(settings.timezone)
    assert tuple(local.strftime("%Y-%m-%d %H:%M")) == expected and len(expected) >= 5
    assert {*settings.hours} < {*WEEKDAYS} and settings.resolution and settings.paused


@pytest.mark.parametrize(("interval", "night", "expected"), NIGHTS)
def test_a_change_of_the_clock_counts_as_the_page_says(interval: str, night: str, expected: str) -> None:
    calendar = Calendar.of(Sla(timezone="Europe/Berlin", hours=dict.fromkeys(WEEKDAYS, (interval,))))
    noon = pd.Timestamp(f"{night} 12:00", tz="Europe/Berlin")
    start, end = pd.DatetimeIndex([noon, noon + pd.DateOffset(days=1)]).as_unit("us").asi8
    assert calendar.elapsed(np.array([start]), np.array([end])) == [float(expected)]


def test_both_changes_of_the_clock_are_on_the_page() -> None:
    assert {night for _, night, _ in NIGHTS} == {"2026-03-28", "2026-10-24"}
