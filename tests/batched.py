"""What batch scoring writes of some tickets: what every other door is held against."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.scorer import Scorer
from pipeline.serving.batch import Settings, score_file
from pipeline.serving.intake import open_intake
from pipeline.serving.past import Moment, Remembering, open_past


def batch_records(
    scorer: Scorer,
    rows: list[dict[str, Any]],
    folder: Path,
    *,
    now: datetime,
    history: str | None = None,
    explain: bool = False,
) -> list[dict[str, Any]]:
    """The JSON lines of `triage score`; the tickets lie in `folder/in.jsonl`."""
    source, out = folder / "in.jsonl", folder / "batch.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with open_past(history, scorer.settings) as past:
        seeing = Remembering(scorer, past, Moment())
        score_file(open_intake(source), out, seeing, now=now, settings=Settings(explain=explain, force=True))
    return [json.loads(line) for line in out.read_text("utf-8").splitlines()]
