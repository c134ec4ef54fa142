"""On real histories: a changed default and a changed set of labels are another world, ordinary months aren't."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.training.world import between, inside

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data isn't here")


def read(path: str, *columns: str) -> pd.DataFrame:
    return pd.read_csv(DATA / path, dtype=str, keep_default_na=False, usecols=list(columns))


def bugs(name: str, label: str) -> tuple[np.ndarray, pd.Series]:
    table = read(f"bugs/{name}.csv.gz", "ct", "pr", label)
    table = table[table["pr"] != "--"]
    times = pd.to_datetime(table["ct"], utc=True)
    order = np.argsort(times.to_numpy(), kind="stable")
    return table[label].to_numpy(dtype=str)[order], times.iloc[order]


def topics() -> tuple[np.ndarray, pd.Series]:
    table = pd.concat(
        [read(f"thunderbird/questions-{y}.csv.gz", "created", "topic") for y in ("2023", "2024", "2025H1")]
    )
    return table["topic"].to_numpy(dtype=str), pd.to_datetime(table["created"], utc=True)


def split(
    labels: np.ndarray, times: pd.Series, cut: str, first: str = "1970", last: str = "2100"
) -> tuple[np.ndarray, np.ndarray]:
    moments = [pd.Timestamp(m, tz="UTC") for m in (first, cut, last)]
    old = ((times >= moments[0]) & (times < moments[1])).to_numpy()
    return labels[old], labels[((times >= moments[1]) & (times < moments[2])).to_numpy()]


def counted(labels: np.ndarray) -> dict[str, int]:
    return {str(k): int(n) for k, n in zip(*np.unique(labels, return_counts=True), strict=True)}


def test_the_moved_default_of_openoffice_is_another_world_in_training_and_in_test() -> None:
    old, new = split(*bugs("openoffice", "pr"), "2016-06-29T21:21:00")
    assert inside(old).another
    assert between(counted(old), new, past=old).another


@pytest.mark.parametrize(
    ("name", "label", "cut"),
    [
        ("mozilla", "pr", "2019-12-14T17:34:32"),
        ("mozilla", "pd", "2019-12-14T17:34:32"),
        ("openoffice", "pd", "2016-06-29T21:21:00"),
    ],
)
def test_other_labels_of_the_bug_trackers_stay_in_one_world(name: str, label: str, cut: str) -> None:
    old, new = split(*bugs(name, label), cut)
    assert not inside(old).another
    assert not between(counted(old), new, past=old).another


@pytest.mark.parametrize("cut", ["2024-08-01", "2024-10-15", "2024-12-01"])
def test_a_forum_model_trained_before_the_new_topics_sees_another_world(cut: str) -> None:
    until = str((pd.Timestamp(cut) + pd.Timedelta(days=90)).date())
    old, new = split(*topics(), cut, last=until)
    assert between(counted(old), new, past=old).another


@pytest.mark.parametrize(
    ("first", "cut"), [("2023", "2023-10-01"), ("2024-12-11", "2025-03-01"), ("2024-12-11", "2025-04-01")]
)
def test_a_forum_model_of_one_set_of_topics_stays_in_its_world(first: str, cut: str) -> None:
    until = "2024-01-01" if first == "2023" else "2025-07-01"
    old, new = split(*topics(), cut, first=first, last=until)
    assert not inside(old).another
    assert not between(counted(old), new, past=old).another


def test_intents_split_at_random_are_one_world() -> None:
    train, test = (
        read(f"banking77/{part}.csv.gz", "category")["category"].to_numpy(dtype=str) for part in ("train", "test")
    )
    assert not between(counted(train), test).another
