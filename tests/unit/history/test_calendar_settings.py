"""Opening hours, holidays and the zone as people write them; what can't be is an error that names the setting."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipeline.config import load_params
from pipeline.errors import ConfigError
from pipeline.history.calendar import Calendar


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ("{timezone: Europe/Berln}", r"sla\.timezone\s+got: 'Europe/Berln'\s+do: did you mean Europe/Berlin"),
        ("{timezone: ''}", r"sla\.timezone"),
        ("{timezone: /etc/localtime}", r"sla\.timezone"),
        ("{timezone: Europe}", r"sla\.timezone"),
        ("{hours: {monday: ['09:00-17:00']}}", r"sla\.hours\s+got: monday\s+do: did you mean 'mon'"),
        ("{hours: {xyz: ['09:00-17:00']}}", r"sla\.hours\s+got: xyz\s+do: one of mon, tue"),
        ("{hours: {mon: ['9-17']}}", r"sla\.hours: mon\s+got: '9-17'\s+do: write HH:MM-HH:MM"),
        ("{hours: {mon: ['09:00-25:00']}}", r"sla\.hours: mon"),
        ("{hours: {mon: ['09:60-17:00']}}", r"sla\.hours: mon"),
        ("{hours: {mon: ['24:00-06:00']}}", r"sla\.hours: mon"),
        ("{hours: {mon: ['09:00-24:01']}}", r"sla\.hours: mon"),
        ("{hours: {mon: ['09:00-09:00']}}", r"sla\.hours: mon"),
        (
            "{hours: {mon: ['09:00-13:00', '12:00-17:00']}}",
            r"overlap\s+where: \S+ sla\.hours: mon\s+got: 09:00-13:00 and",
        ),
        ("{hours: {mon: ['09:00-13:00', '09:00-13:00']}}", "overlap"),
        ("{hours: {mon: ['22:00-06:00'], tue: ['05:00-12:00']}}", r"overlap\s+where: \S+ sla\.hours: tue"),
        ("{hours: {sun: ['22:00-06:00'], mon: ['05:00-12:00']}}", r"overlap\s+where: \S+ sla\.hours: mon"),
        ("{hours: {mon: []}}", "never open"),
        ("{holidays: ['25.12.2026']}", r"sla\.holidays\s+got: '25\.12\.2026'\s+do: write YYYY-MM-DD"),
        ("{holidays: ['2026-02-30']}", r"sla\.holidays"),
        ("{holidays: [2026-02-30]}", "day is out of range"),
        ("{holidays: ['20261225']}", r"sla\.holidays"),
        ("{holidays: [2026-12-25 10:00:00]}", r"sla\.holidays"),
        ("{holidays: ['0226-12-25']}", r"sla\.holidays"),
        ("{paused: [waiting]}", r"sla: paused\s+got: 'waiting'\s+do: one of new, open, pending"),
        ("{hour: {}}", "did you mean 'hours'"),
    ],
)
def test_a_setting_that_can_not_be_is_named_with_what_to_do(tmp_path: Path, settings: str, named: str) -> None:
    (tmp_path / "params.yaml").write_text(f"sla: {settings}", "utf-8")
    with pytest.raises(ConfigError, match=named):
        Calendar.of(load_params(tmp_path / "params.yaml").sla)


def test_settings_are_read_as_people_write_them(tmp_path: Path) -> None:
    written = (
        "{timezone: Europe/Berlin, hours: {mon: 9:00 - 17:00, fri: [09:00-12:00, 22:00-06:00]}, holidays: [2026-12-25]}"
    )
    (tmp_path / "params.yaml").write_text(f"sla: {written}", "utf-8")
    settings = load_params(tmp_path / "params.yaml").sla
    assert settings.holidays == ("2026-12-25",)
    start, end = pd.DatetimeIndex(["2026-12-24T12:00", "2026-12-28T12:00"], tz="UTC").as_unit("us").asi8
    assert Calendar.of(settings).elapsed(start, end) == 6.0 + 4.0
