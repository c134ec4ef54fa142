"""Write a generated helpdesk as a RAW_DIR, with a file of new tickets beside it, its mapping, and the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import OutputError
from pipeline.sources.raw import FRAMES, RECORD, REJECTS, Part, add
from pipeline.sources.sample.arrivals import MAPPING
from pipeline.sources.sample.grammar import read
from pipeline.sources.sample.tables import OUTCOMES, Sample

FILES = (
    *(f"{name}.parquet" for name in (*FRAMES, "truth")),
    REJECTS,
    RECORD,
    "mapping.yaml",
    "new-tickets.csv",
    "README.md",
)
LOCK = ".lock"

README = """\
# A generated helpdesk (synthetic)

Every ticket, name, order and article in this folder is made up by a program: Quillfeather Coffee Works doesn't exist.
Made by `triage sample --out DIR --tickets {tickets} --seed {seed} --days {days}`:
the same command gives the same bytes.

| file | what it holds |
|---|---|
| tickets.parquet, events.parquet, outcomes.parquet, articles.parquet | the raw data that `triage run --raw` reads |
| rejects.jsonl, import.json | refused rows (none), and how the data came here |
| new-tickets.csv, mapping.yaml | tickets to score, as a helpdesk exports them, and how to read them |
| truth.parquet | what is behind each ticket: no model may see it |
"""


def write(sample: Sample, out: Path, *, force: bool = False) -> None:
    """Write all files of a generated helpdesk into a folder.

    Raises
    ------
    OutputError
        For a folder that holds something already, unless `force` is set: then an earlier sample's files are replaced.
    """
    if force and out.is_dir():
        for name in FILES:
            (out / name).unlink(missing_ok=True)
    if out.is_dir() and any(p.name != LOCK for p in out.iterdir()):
        raise OutputError("the folder isn't empty", where=str(out), do="name a new folder, or use --force")
    part = Part(sample.tickets, sample.events, sample.articles, outcomes=OUTCOMES, record=_record(sample))
    add(out, part)
    (out / LOCK).unlink(missing_ok=True)
    _parquet(sample.truth, out / "truth.parquet")
    _text(out / "mapping.yaml", MAPPING)
    _text(out / "new-tickets.csv", sample.arrivals.to_csv(index=False, lineterminator="\n"))
    about = README.format(tickets=len(sample.tickets), seed=sample.seed, days=sample.days)
    _text(out / "README.md", about)


def _record(sample: Sample) -> dict[str, Any]:
    return {
        "kind": "sample",
        "synthetic": True,
        "company": read("words")["company"],
        "files": [],
        "mapping": {"tickets": len(sample.tickets), "seed": sample.seed, "days": sample.days},
        "tracked": ["assignee", "escalation_level", "priority", "queue", "topic"],
        "counts": {"rows_in": len(sample.tickets)},
    }


def _parquet(frame: pd.DataFrame, path: Path) -> None:
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(table, path, compression="zstd", compression_level=12)


def _text(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8"))
