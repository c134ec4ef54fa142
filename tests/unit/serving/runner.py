"""Runs batches in forked children and kills them: one JSON job a line in, one JSON answer a line out.

A fork costs milliseconds where a fresh Python costs seconds, and SIGKILL is the real one.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from made_history import MANY, time_of
from unit.serving.made_open import NOW as LATER
from unit.serving.made_open import Told
from unit.serving.standin import StandIn, made_intake

from pipeline.config import Params, Rescore
from pipeline.errors import TriageError
from pipeline.history.store import open_store
from pipeline.scorer import Scorer
from pipeline.serving.batch import Settings, score_file
from pipeline.serving.faults import VARIABLE
from pipeline.serving.intake import open_intake
from pipeline.serving.ledgered import Keep, nowhere, open_ledgered
from pipeline.serving.order_file import write_order
from pipeline.serving.past import StorePast
from pipeline.serving.rescore import rescore_file
from pipeline.serving.rescored import Targets
from pipeline.tickets import parse

NOW = datetime(2026, 11, 23, tzinfo=UTC)
Job = dict[str, Any]


class Runner:
    """Asks the process below to run a job; what its children say on standard error is kept in a file."""

    def __init__(self, process: subprocess.Popen[str], errors: Path) -> None:
        self.process, self.errors = process, errors

    def __call__(self, **job: Any) -> Job:
        """Run one job: `source`, `out`, and what `run` and `child` look for."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({k: str(v) if isinstance(v, Path) else v for k, v in job.items()}) + "\n")
        self.process.stdin.flush()
        answer: Job = json.loads(self.process.stdout.readline())
        return answer


@contextmanager
def started(folder: Path) -> Iterator[Runner]:
    """The process, until the block ends; `folder` takes what it says on standard error."""
    tests = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{tests}{os.pathsep}{tests.parent}", "OMP_NUM_THREADS": "1"}
    errors, pipe = folder / "errors.txt", subprocess.PIPE
    command = [sys.executable, __file__]
    with (
        errors.open("w") as kept,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=kept, text=True, env=environment) as process,
    ):
        yield Runner(process, errors)


def left(out: Path) -> dict[str, bytes]:
    """Every file of a run; of the summary, what doesn't depend on the clock."""
    files = {p.name: p.read_bytes() for p in out.parent.iterdir() if p.name.lstrip(".").startswith(out.name)}
    for name in files:
        if name.endswith(".summary.json"):
            told = json.loads(files[name])
            kept = {k: v for k, v in told.items() if k not in ("seconds", "rows_per_second", "resumed_rows")}
            files[name] = json.dumps(kept).encode()
    return files


def finish(ask: Runner, out: Path, **job: Any) -> None:
    """Start again: it ends well, or says that it had ended."""
    over = out.exists() and not (out.parent / f".{out.name}.part" / "journal.jsonl").exists()
    code = ask(out=out, **job)["code"]
    assert code == (2 if over and not job.get("force") else 0)
    assert not (out.parent / f".{out.name}.part").exists()


@cache
def loaded(folder: str) -> Scorer:
    """A real scorer; loaded before the fork."""
    return Scorer.load(Path(folder))


def run(job: Job) -> int:
    """Run one job; the exit code that the command would give."""
    if "limit" in job:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["limit"], job["limit"]))
    source = Path(job["source"])
    kept: Keep = nowhere
    try:
        if "ledger" in job:
            kept = open_ledgered(job["ledger"], Path(job["out"]).parent, Params(), history=False)
        settings = Settings(force=job.get("force", False), keep=kept)
        if "scorer" in job:
            intake, scorer = open_intake(source, batch_rows=job["chunk_rows"]), loaded(job["scorer"])
            score_file(intake, Path(job["out"]), scorer, now=NOW, settings=settings)
        else:
            made = made_intake(source, chunk_rows=job.get("chunk_rows", 6))
            score_file(made, Path(job["out"]), StandIn(pause=job.get("pause", 0.0)), now=NOW, settings=settings)
    except TriageError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


@cache
def read_once(desk: str) -> None:
    """Read the tickets before the fork: the language model unpacks itself into a file, which a limit would stop."""
    for tickets in open_intake(Path(desk) / "tickets.jsonl").read(LATER):
        parse(tickets, Params().tickets)


def rescored(job: Job) -> int:
    """`triage rescore` on an open desk that lies in `desk`; its files go to `folder`, the changes to `stream`, too."""
    desk, folder, moment = Path(job["desk"]), Path(job["folder"]), time_of(10.0)
    assert moment is not None
    names: dict[str, Path | None] = {"changes": folder / "changes.csv", "state": folder / "state.parquet"}
    if "stream" in job:
        names |= {"changes": None, "summary": folder / "told.json"}
    targets = Targets(force=True, **names)  # type: ignore[arg-type]
    try:
        with open_store(f"sqlite:///{desk}/store.db", MANY) as store, open(job.get("stream", os.devnull), "wb") as told:
            if "limit" in job:
                resource.setrlimit(resource.RLIMIT_FSIZE, (job["limit"], job["limit"]))
            kept: Keep = nowhere
            if "ledger" in job:
                kept = open_ledgered(job["ledger"], folder, Params(), history=True, door="rescore")
            rescore_file(
                open_intake(desk / "tickets.jsonl"), desk / "scored.jsonl", Told(says=job["says"]),
                StorePast(store, "made"), targets, told, moment=moment, now=LATER, settings=Rescore(), keep=kept,
            )  # fmt: skip
    except TriageError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def ordered(job: Job) -> int:
    """Write an order of so many `rows` to `out`."""
    if "limit" in job:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["limit"], job["limit"]))
    rows = pd.DataFrame({"rank": range(job["rows"]), "ticket_id": "t", "reasons": "waiting, and waiting, and waiting"})
    try:
        write_order(rows, Path(job["out"]))
    except TriageError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


VERBS = {"score": run, "rescore": rescored, "order": ordered}


def child(job: Job) -> Job:
    """Fork, perhaps kill, wait; the exit code (or minus the signal), seconds, and the peak of memory."""
    if "scorer" in job:
        loaded(job["scorer"])
    if "desk" in job:
        read_once(job["desk"])
    begun = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        if "kill_at" in job:
            os.environ[VARIABLE] = job["kill_at"]
        code = 3
        try:
            code = VERBS[job.get("verb", "score")](job)
        finally:
            os._exit(code)
    if "kill_after" in job:
        time.sleep(job["kill_after"])
        os.kill(pid, signal.SIGKILL)
    _, status, used = os.wait4(pid, 0)
    seconds = time.perf_counter() - begun
    return {"code": os.waitstatus_to_exitcode(status), "seconds": seconds, "peak_kilobytes": used.ru_maxrss}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(child(json.loads(line))), flush=True)
