"""The service against what it is made of, each in one run on one machine: the scorer itself, an empty FastAPI answer,
batch scoring, and `mlflow models serve` of the same model.

    python benchmarks/service.py
    python benchmarks/service.py one many --encoder none
    python benchmarks/service.py one --scorer DIR --tickets FILE.parquet

Callers run in this process, or, where there are many, in one of their own; what they cost is shown apart. Scorers,
services and batches come from the public verbs; only the scorer's own time needs the package.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from callers import Answered, Caller, ask_together
from quality import RESULTS, common_ground
from verbs import ROOT, Workshop

from pipeline.config import load_params
from pipeline.scorer import Scorer
from pipeline.tickets import parse

Row = dict[str, Any]
JOB = "speed-full"
TICKETS, SINGLE, CALLERS, MLFLOW_CALLERS = 10_000, 400, 64, 16
SHORT, LONG = 10_000, 100_000

_EMPTY = """
import sys, uvicorn
from fastapi import FastAPI
app = FastAPI()
@app.post("/")
async def empty(): return {}
uvicorn.run(app, port=int(sys.argv[1]), http="httptools", loop="asyncio", log_config=None, access_log=False,
            timeout_keep_alive=75)
"""


@dataclass(frozen=True)
class Bench:
    """What the measurements share.

    Attributes
    ----------
    scorer : Path
    tickets : list of dict
        As they are sent.
    source : Path
        The same in a file.
    folder : Path
        Where outputs go.
    encoder : str
        Of the scorer, for the headlines.
    """

    scorer: Path
    tickets: list[dict[str, Any]]
    source: Path
    folder: Path
    encoder: str


def main() -> int:
    """Measure, print, and write results/service.json."""
    return run(MEASURES, "service", __doc__ or "")


def run(measures: dict[str, Callable[[Bench], Iterator[Row]]], kind: str, about: str) -> int:
    """Measure what the command line asks for, print it, and write results/KIND.json."""
    parser = argparse.ArgumentParser(description=about.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(measures)}; all without a name")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="the folder with data/ and bench/")
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "benchmarks", help="where scorers go")
    parser.add_argument("--results", type=Path, default=RESULTS, help=f"where {kind}.json goes")
    parser.add_argument("--encoder", choices=("minilm", "none", "both"), default="both", help="of the scorers")
    parser.add_argument("--count", type=int, default=TICKETS, help="Thunderbird tickets that are sent")
    parser.add_argument("--scorer", type=Path, help="measure this scorer instead, on --tickets, and write nothing")
    parser.add_argument("--tickets", type=Path, help="tickets in our own schema, Parquet")
    args = parser.parse_args()
    if unknown := [n for n in args.names if n not in measures]:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(measures)}")
    rows: list[Row] = []
    for bench in benches(args):
        for name in args.names or measures:
            if name == "memory" and bench.encoder == "minilm":
                continue  # asked without an encoder: with one it takes an hour and more
            for row in measures[name](bench):
                rows.append({"name": name, "encoder": bench.encoder} | row)
                print(line(rows[-1]), flush=True)
            if args.scorer is None:
                write(args.results / f"{kind}.json", rows, kind)
    return 0


def benches(args: argparse.Namespace) -> Iterator[Bench]:
    """One for each encoder, or one for the scorer that is named."""
    work = args.work.resolve()
    if args.scorer is not None:
        yield bench_of(args.scorer.resolve(), args.tickets.resolve(), work / "service", "given", args.count)
        return
    for encoder in ("minilm", "none") if args.encoder == "both" else (args.encoder,):
        shop = Workshop(args.shared.resolve(), work, encoder)
        tickets = shop.imported("thunderbird") / "tickets.parquet"
        yield bench_of(shop.trained(JOB), tickets, work / "service", encoder, args.count)


def bench_of(scorer: Path, tickets: Path, folder: Path, encoder: str, count: int) -> Bench:
    """The newest tickets, in a file and as a helpdesk would send them."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"tickets-{encoder}.parquet"
    newest = pd.read_parquet(tickets).sort_values("created_at").tail(count)
    newest.to_parquet(source, index=False)
    plain = newest.drop(columns="source", errors="ignore").assign(created_at=newest["created_at"].astype("str"))
    sent = [{k: v for k, v in row.items() if isinstance(v, str)} for row in plain.to_dict("records")]
    return Bench(scorer, sent, source, folder, encoder)


def one(bench: Bench) -> Iterator[Row]:
    """One caller, one ticket at a time: the service, an empty FastAPI answer, and the scorer itself, in turn."""
    scorer = Scorer.load(bench.scorer)
    tickets = bench.tickets[-SINGLE:]
    frames = [f for _, f in pd.read_parquet(bench.source).tail(SINGLE).groupby("ticket_id", sort=False)]
    bodies = [json.dumps(ticket).encode() for ticket in tickets]
    times: dict[str, list[float]] = {"service": [], "empty": [], "scorer": []}
    with served(bench) as service, empty_app(bench.folder) as empty:
        asked, idle = Caller(service.port, "/v1/score"), Caller(empty, "/")
        calls: dict[str, Callable[[int], object]] = {
            "service": lambda n: asked.post(bodies[n]),
            "empty": lambda n: idle.post(bodies[n]),
            "scorer": lambda n: scorer.score(frames[n]),
        }
        for number in range(-30, len(frames)):
            for name, call in calls.items():
                seconds = timed(lambda call=call, number=number: call(number))
                if number >= 0:
                    times[name].append(1000 * seconds)
    for share, factor, words in ((0.5, 1.5, "median"), (0.99, 3.0, "p99")):
        ours, empty_ms, own = (at(times[name], share) for name in ("service", "empty", "scorer"))
        allowed = own + factor * empty_ms
        yield {
            "what": f"one ticket, {words} of {len(frames)}",
            "ours": f"{ours:.1f} ms",
            "baseline": f"the scorer's own {own:.1f} ms + {factor:g} × an empty answer's {empty_ms:.1f} ms",
            "ratio": round(ours / allowed, 3),
            "asked": 1.0,
            "beside": "client included in both answers",
        }


def many(bench: Bench) -> Iterator[Row]:
    """64 callers at once against batch scoring of the same tickets; then the same with a ledger."""
    rates: dict[str, Answered] = {}
    for name in ("alone", "ledger"):
        ledger = bench.folder / "ledger.db"
        for path in bench.folder.glob("ledger.db*"):
            path.unlink()
        with served(bench, *(("--ledger", f"sqlite:///{ledger}") if name == "ledger" else ())) as service:
            ask_together(service.port, "/v1/score", bench.tickets[:500], CALLERS)
            rates[name] = ask_together(service.port, "/v1/score", bench.tickets, CALLERS)
    batch = batch_rate(bench)
    alone, kept = rates["alone"], rates["ledger"]
    yield {
        "what": f"{CALLERS} callers, {len(bench.tickets):,} tickets one by one",
        "ours": f"{alone.rate:,.0f} tickets/s",
        "baseline": f"batch {batch:,.0f} tickets/s",
        "ratio": round(alone.rate / batch, 3),
        "asked": 0.65,
        "at_least": True,
        "beside": f"median {alone.median:.0f} ms, p99 {alone.p99:.0f} ms; callers' CPU {alone.cpu:.1f} s "
        f"of {alone.seconds:.1f} s; other answers {alone.bad}",
    }
    yield {
        "what": f"{CALLERS} callers with a ledger",
        "ours": f"{kept.rate:,.0f} tickets/s",
        "baseline": f"without {alone.rate:,.0f} tickets/s",
        "ratio": round(kept.rate / alone.rate, 3),
        "asked": 0.9,
        "at_least": True,
        "beside": f"p99 {kept.p99:.0f} ms; other answers {kept.bad}",
    }


def mlflow(bench: Bench) -> Iterator[Row]:
    """16 callers against `mlflow models serve` of the same model."""
    tickets = bench.tickets[-2_000:]
    with served(bench) as service:
        ask_together(service.port, "/v1/score", tickets[:200], MLFLOW_CALLERS)
        ours = ask_together(service.port, "/v1/score", tickets, MLFLOW_CALLERS)
    with mlflow_served(bench) as port:
        bodies = [{"dataframe_records": [ticket]} for ticket in tickets]
        ask_together(port, "/invocations", bodies[:100], MLFLOW_CALLERS)
        theirs = ask_together(port, "/invocations", bodies[:500], MLFLOW_CALLERS)
    gain, words = encoding_gain(bench)
    yield {
        "what": f"{MLFLOW_CALLERS} callers, {len(tickets):,} tickets",
        "ours": f"{ours.rate:,.0f} tickets/s",
        "baseline": f"mlflow models serve {theirs.rate:,.0f} tickets/s",
        "ratio": round(ours.rate / theirs.rate, 2),
        "asked": round(gain, 2),
        "at_least": True,
        "beside": f"{words}; median {ours.median:.0f} against {theirs.median:.0f} ms; "
        f"other answers {ours.bad} and {theirs.bad}",
    }


def memory(bench: Bench) -> Iterator[Row]:
    """Memory after 100,000 requests against that after 10,000."""
    with served(bench) as service:
        sizes: dict[int, float] = {}
        asked = 0
        for total in (SHORT, LONG):
            while asked < total:
                part = min(len(bench.tickets), total - asked)
                ask_together(service.port, "/v1/score", bench.tickets[:part], CALLERS)
                asked += part
            sizes[total] = resident(service.pid)
    yield {
        "what": f"memory after {LONG:,} requests",
        "ours": f"{sizes[LONG]:,.0f} MiB",
        "baseline": f"{sizes[SHORT]:,.0f} MiB after {SHORT:,}",
        "ratio": round(sizes[LONG] / sizes[SHORT], 3),
        "asked": 1.05,
        "beside": f"{CALLERS} callers",
    }


@dataclass(frozen=True)
class Service:
    """A running service."""

    port: int
    pid: int


@contextmanager
def served(bench: Bench, *options: str) -> Iterator[Service]:
    """`triage serve`, ready."""
    triage = str(Path(sys.executable).with_name("triage"))
    command = [triage, "serve", "--scorer", str(bench.scorer), "--port", "0", "--log", "json", *options]
    process = subprocess.Popen(command, cwd=bench.folder, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        told: dict[str, Any] = {}
        while told.get("event") != "ready":
            text = process.stderr.readline()
            if not text:
                raise SystemExit("the service ended before it was ready")
            told |= json.loads(text) if text.startswith("{") else {}
        yield Service(int(told["port"]), process.pid)
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def empty_app(folder: Path) -> Iterator[int]:
    """A FastAPI application that answers nothing, on the same server."""
    port = 18_765
    process = subprocess.Popen([sys.executable, "-c", _EMPTY, str(port)], cwd=folder)
    try:
        Caller(port, "/").wait()
        yield port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def mlflow_served(bench: Bench) -> Iterator[int]:
    """`mlflow models serve` of the scorer, tracked as a training tracks it."""
    from pipeline.tracking.signature import requirements_of, signature_of

    import mlflow.pyfunc as pyfunc  # isort: skip

    model, port, package = bench.folder / f"mlflow-{bench.encoder}", 18_766, ROOT / "pipeline"
    if not model.exists():
        pyfunc.save_model(
            str(model),
            python_model=str(package / "tracking" / "model.py"),
            artifacts={"scorer": str(bench.scorer)},
            code_paths=[str(package)],
            signature=signature_of(Scorer.load(bench.scorer)),
            pip_requirements=requirements_of(load_params(None)),
        )
    serve = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model), "--env-manager", "local"]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    process = subprocess.Popen([*serve, "-p", str(port)], cwd=bench.folder, env=environment, **quiet)
    try:
        Caller(port, "/ping").wait(seconds=180)
        yield port
    finally:
        os.killpg(process.pid, 15)  # it starts processes of its own
        process.wait()


def encoding_gain(bench: Bench) -> tuple[float, str]:
    """What is asked of the ratio: with an encoder 0.7 × what batches win in encoding, without one 4."""
    scorer = Scorer.load(bench.scorer)
    encoder = scorer.builder.encoder
    if encoder is None:
        return 4.0, "encoder off"
    texts = [str(t) for t in parse(pd.read_parquet(bench.source).tail(500), scorer.settings.tickets)["text"].fillna("")]
    encoder.encode(texts[:64])
    singly = timed(lambda: [encoder.encode([text]) for text in texts])
    together = timed(lambda: encoder.encode(texts))
    return 0.7 * singly / together, f"encoding in batches is {singly / together:.1f} × one by one"


def batch_rate(bench: Bench) -> float:
    """Tickets a second of `triage score`, without loading the scorer: what its summary says."""
    out = bench.folder / "scored.jsonl"
    triage = str(Path(sys.executable).with_name("triage"))
    words = ["score", str(bench.source), str(out), "--scorer", str(bench.scorer), "--force", "--max-refused", "1"]
    subprocess.run([triage, *words], cwd=bench.folder, check=True, stderr=subprocess.DEVNULL)
    return float(json.loads(out.with_name(f"{out.name}.summary.json").read_text("utf-8"))["rows_per_second"])


def resident(pid: int) -> float:
    """Resident memory of a process in MiB."""
    text = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(next(row for row in text.splitlines() if row.startswith("VmRSS")).split()[1]) / 1024


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def at(values: list[float], share: float) -> float:
    """The value below which a share of all lies."""
    return statistics.median(values) if share == 0.5 else sorted(values)[min(int(share * len(values)), len(values) - 1)]


def line(row: Row) -> str:
    """A row as it is printed."""
    met = row["ratio"] >= row["asked"] if row.get("at_least") else row["ratio"] <= row["asked"]
    sign, state = "≥" if row.get("at_least") else "≤", "within" if met else "beyond"
    head = f"encoder {row['encoder']}: {row['what']}: {row['ours']} against {row['baseline']}"
    return f"{head}: {row['ratio']:.2f} ({sign} {row['asked']:g}) {state}; {row['beside']}"


def write(path: Path, rows: list[Row], kind: str) -> None:
    """Rows of this run, and those before that weren't measured anew."""
    old = json.loads(path.read_text("utf-8"))["rows"] if path.exists() else []
    known = {(row["name"], row["encoder"]) for row in rows}
    kept = [row for row in old if (row["name"], row["encoder"]) not in known]
    result = {"kind": kind, **common_ground(), "rows": [*kept, *rows]}
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")


MEASURES: dict[str, Callable[[Bench], Iterator[Row]]] = {"one": one, "many": many, "mlflow": mlflow, "memory": memory}


if __name__ == "__main__":
    sys.exit(main())
