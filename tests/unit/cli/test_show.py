"""How a run is told: JSON lines for machines, few lines in a log, a bar only on a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from pipeline.cli.show import shown
from pipeline.serving.progress import Event

DRIFT = {"verdict": "moved", "moved": ["fields.category"], "moving": ["language"]}
ENDED = {"rows_out": 12_000, "refused_rows": 20, "abstained": 3_000, "seconds": 31.25, "drift": DRIFT}
EVENTS = [
    Event("started", {"input": "in.csv", "output": "out.csv", "scorer": "abc"}),
    Event("chunk", {"rows": 512, "total": None, "rows_per_second": 321.0}),
    Event("assembling", {"chunks": 24}),
    Event("finished", ENDED),
]


def told(capsys: pytest.CaptureFixture[str], log: str, *events: Event) -> list[str]:
    with shown(log) as report:
        for event in events:
            report(event)
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def test_json_lines_hold_every_event_with_its_time_and_values(capsys):
    lines = [json.loads(line) for line in told(capsys, "json", *EVENTS)]
    assert [line["event"] for line in lines] == ["started", "chunk", "assembling", "finished"]
    assert all(line["at"].endswith("+00:00") for line in lines)
    assert lines[1]["rows"] == 512


def test_a_log_file_gets_few_lines_and_no_control_characters(capsys):
    lines = told(capsys, "text", *EVENTS, *[EVENTS[1]] * 50)
    assert lines == [
        "scoring in.csv with abc",
        "12,000 rows in 31.2 s: 8,980 routed, 3,000 left to a person, 20 refused",
        "the input has moved from training: fields.category, language",
    ]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Event("resumed", {"output": "out.csv", "rows": 5120}), "going on with out.csv: 5,120 rows were done before"),
        (
            Event("restarted", {"output": "out.csv", "changed": ["input", "scorer"]}),
            "starting out.csv anew: input, scorer changed since it was cut off",
        ),
    ],
)
def test_resuming_and_starting_anew_are_said(capsys, event, line):
    assert told(capsys, "text", event) == [line]


def test_a_terminal_gets_a_bar(tmp_path):
    script = (
        "from pipeline.cli.show import shown\nfrom pipeline.serving.progress import Event\n"
        "with shown('text') as report:\n"
        "    report(Event('started', {'input': 'in.csv', 'output': 'o', 'scorer': 'abc'}))\n"
        "    report(Event('chunk', {'rows': 512, 'total': 1024, 'rows_per_second': 321.0}))\n"
    )
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    done = subprocess.run([sys.executable, "-c", script], stderr=theirs, env=environment, cwd=tmp_path)
    os.close(theirs)
    shown_text = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.returncode == 0
    assert "512/1024" in shown_text
    assert "321 rows/s" in shown_text
