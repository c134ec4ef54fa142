"""docs/ops.md: every key, event and exit code stands there, and its scripts do what they say."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pandas as pd
import pytest

from pipeline.features.drift import Judgement
from pipeline.serving.progress import Event
from pipeline.serving.summary import Summary

BLOCK = re.compile(r"^```\w+ file=(\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def page(root) -> str:
    return (root / "docs" / "ops.md").read_text("utf-8")


@pytest.fixture
def scripts(page, tmp_path) -> Path:
    for name, text in BLOCK.findall(page):
        (tmp_path / name).write_text(text)
    return tmp_path


def call(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *args], cwd=folder, capture_output=True, text=True)


def summary(folder: Path, name: str, **changed: object) -> str:
    plain = {"rows_in": 100, "rows_out": 100, "refused_share": 0.0, "refused": {}, "abstained": 20}
    plain |= {"drift": {"verdict": "steady", "moved": []}} | changed
    (folder / name).write_text(json.dumps(plain))
    return name


@pytest.mark.parametrize("kind", [Summary, Judgement])
def test_every_key_of_the_summary_is_documented(page, kind):
    for part in dataclasses.fields(kind):
        assert f"`{part.name}`" in page, part.name


def test_every_event_of_the_log_is_documented(page):
    for name in get_args(get_type_hints(Event)["name"]):
        assert f"`{name}`" in page, name


def test_only_new_and_changed_rows_are_kept(scripts):
    (scripts / "old.csv").write_text("number,text\n1,a\n2,b\n3,\n")
    (scripts / "new.csv").write_text("number,text\n1,a\n2,B\n3,\n4,d\n")
    assert call(scripts, "changed.py", "old.csv", "new.csv", "out.csv").returncode == 0
    assert (scripts / "out.csv").read_text() == "number,text\n2,B\n4,d\n"


def test_a_new_column_makes_only_the_rows_that_fill_it_changed(scripts):
    (scripts / "old.csv").write_text("number\n1\n2\n")
    (scripts / "new.csv").write_text("number,kind\n1,\n2,x\n")
    assert call(scripts, "changed.py", "old.csv", "new.csv", "out.csv").returncode == 0
    assert (scripts / "out.csv").read_text() == "number,kind\n2,x\n"


def test_the_latest_score_of_each_ticket_is_kept_and_refused_rows_are_left_out(scripts):
    (scripts / "a.csv").write_text("ticket_id,topic,error\n01,x,\n02,x,\n")
    (scripts / "b.csv").write_text("ticket_id,topic,error\n02,y,\n02,,duplicate_id\n,,missing_id\n")
    assert call(scripts, "latest.py", "a.csv", "b.csv", "out.csv").returncode == 0
    found = pd.read_csv(scripts / "out.csv", dtype=str)
    assert found[["ticket_id", "topic"]].values.tolist() == [["01", "x"], ["02", "y"]]


def test_a_usual_night_needs_nobody(scripts):
    done = call(scripts, "watch.py", summary(scripts, "now.json"), summary(scripts, "usual.json", abstained=18))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rows_in": 10}, "10 rows, where 100 are usual"),
        ({"refused_share": 0.2, "refused": {"bad_time": 20}}, "bad_time"),
        ({"drift": {"verdict": "moved", "moved": ["language"]}}, "language"),
        ({"abstained": 60}, "60 tickets left to people"),
    ],
)
def test_an_unusual_night_ends_with_an_error_that_says_why(scripts, changed, message):
    done = call(scripts, "watch.py", summary(scripts, "now.json", **changed), summary(scripts, "usual.json"))
    assert done.returncode == 1
    assert message in done.stderr


def test_the_nightly_script_is_valid_shell(scripts):
    assert subprocess.run(["bash", "-n", "nightly.sh"], cwd=scripts).returncode == 0
