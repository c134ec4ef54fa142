"""With a real scorer: killed at random moments and started again, a batch ends with the same bytes."""

from __future__ import annotations

import os
import random

import pandas as pd
from unit.serving.runner import finish, left, started

MOMENTS = int(os.environ.get("KILLS", "5"))
"""Random moments: five in every test run, a hundred with KILLS=100."""


def test_killed_at_random_moments_and_started_again_it_leaves_the_same_files(helpdesk, tmp_path):
    source = tmp_path / "in.parquet"
    tickets = pd.read_parquet(helpdesk / "tickets.parquet").head(60)
    pd.concat([tickets, tickets.head(3)]).to_parquet(source)  # three repeated ids: there are rejects, too
    job = {"source": source, "scorer": helpdesk / "scorer", "chunk_rows": 12}
    chance, killed = random.Random(7), 0
    with started(tmp_path) as run:
        first = run(out=tmp_path / "first.jsonl", **job)
        assert first["code"] == 0, run.errors.read_text()
        seconds = run(out=tmp_path / "whole.jsonl", **job)["seconds"]
        expected = [content for _, content in sorted(left(tmp_path / "whole.jsonl").items())]
        assert len(expected) == 3
        for number in range(MOMENTS):
            out = tmp_path / f"{number}.jsonl"
            moment = chance.uniform(0, seconds)
            killed += run(out=out, kill_after=moment, **job)["code"] == -9
            finish(run, out, **job)
            assert [content for _, content in sorted(left(out).items())] == expected, (number, moment)
    assert killed >= MOMENTS / 2
