"""From finished chunks to the files that people see: put together, made durable, renamed into place."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.serving import sink, tally
from pipeline.serving.faults import point
from pipeline.serving.progress import Event, Report
from pipeline.serving.resume import State, outline, seal
from pipeline.serving.scores import Scores
from pipeline.serving.summary import LISTED_REJECTS, Summary, summarise
from pipeline.serving.work import Work, sync, writing
from pipeline.tickets.files import sync_folder

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def side_files(out: Path, summary: Path | None = None) -> dict[str, Path]:
    """Paths of what lies beside an output: its summary, and its list of refused rows where there are any."""
    return {
        "summary": summary or out.with_name(f"{out.name}.summary.json"),
        "rejects": out.with_name(f"{out.name}.rejects.jsonl"),
    }


def assemble(work: Work, scorer: Scores, form: sink.Format, report: Report) -> None:
    """Put the chunks together beside the output's name, and note it."""
    begun = time.perf_counter()
    chunks = [work.chunk(number) for number in range(sum(1 for r in outline(work) if "chunk" in r))]
    report(Event("assembling", {"chunks": len(chunks)}))
    point("assembly_begun")
    with writing(work.folder), work.copy.open("wb") as target:
        sink.assemble(chunks, target, form, scorer.levels, _half_done)
        sync(target)
    point("assembled")
    work.note({"assembled": seal(work.copy), "seconds": time.perf_counter() - begun})
    point("assembly_recorded")


def publish(work: Work, out: Path, scorer: Scores, state: State, *, summary: Path | None) -> Summary:
    """Give the files their names, the output last: who sees it finds the others beside it."""
    told, names = sum_up(work, scorer, state), side_files(out, summary)
    with writing(out.parent):
        _publish_rejects(work, names["rejects"])
        point("rejects_published")
        write_summary(told, names["summary"])
        point("summary_published")
        work.copy.replace(out)
        sync_folder(out.parent)
    point("out_published")
    return told


def write_summary(summary: DataclassInstance, path: Path) -> None:
    """Write a summary as JSON; the file appears whole or not at all."""
    draft = path.with_name(f".{path.name}.part")
    with writing(path.parent):
        with draft.open("w", encoding="utf-8", errors="replace") as handle:
            handle.write(json.dumps(asdict(summary), indent=2, ensure_ascii=False) + "\n")
            sync(handle)
        draft.replace(path)


def sum_up(work: Work, scorer: Scores, state: State) -> Summary:
    """The summary that the journal gives."""
    total = tally.add(r["tally"] for r in work.records() if "tally" in r)
    total["seconds"] += sum(r["seconds"] for r in work.records() if "assembled" in r)
    return summarise(
        total,
        list(islice(_rejects(work), LISTED_REJECTS)),
        version=scorer.version,
        reference=scorer.reference,
        started_at=state.now.isoformat(),
        resumed_rows=state.rows,
        ledger=tally.together(r["kept"] for r in work.records() if "kept" in r) or None,
    )


def _half_done() -> None:
    point("assembly_half_done")


def _publish_rejects(work: Work, target: Path) -> None:
    draft = work.folder / "rejects"
    with draft.open("w", encoding="utf-8", errors="replace") as handle:
        handle.writelines(json.dumps(r, ensure_ascii=False) + "\n" for r in _rejects(work))
        sync(handle)
    if draft.stat().st_size:
        draft.replace(target)
    else:
        target.unlink(missing_ok=True)  # one of an earlier run under the same name


def _rejects(work: Work) -> Iterator[dict[str, str]]:
    for record in work.records():
        yield from record.get("rejects", [])
