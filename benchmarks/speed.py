"""Ratios of speed and memory, each in alternation with its baseline, in one run on one machine.

    python benchmarks/speed.py
    python benchmarks/speed.py one fit

Unlike `quality.py` this imports the package: how long a scorer takes that is loaded already can't be seen from outside,
and the baselines need the same cleaned texts. Scorers come from the public verbs.
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from plain import Plain
from quality import RESULTS, common_ground
from verbs import ROOT, Workshop

from pipeline.config import load_params
from pipeline.features.encoder import load_encoder
from pipeline.scorer import Scorer
from pipeline.serving.batch import Settings, score_file
from pipeline.serving.intake import open_intake
from pipeline.tickets import parse

Row = dict[str, Any]
TICKETS, SINGLE, SMALL, LARGE, TO_FIT = 10_000, 200, 50_000, 500_000, 10_000
JOB = "speed-full"

_PEAK = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


@dataclass(frozen=True)
class Bench:
    """What the measurements share.

    Attributes
    ----------
    shop, bare : Workshop
        With the encoder, and without one.
    repeats : int
        How often each side is measured.
    tickets : int
        Thunderbird tickets of a batch.
    """

    shop: Workshop
    bare: Workshop
    repeats: int
    tickets: int

    @property
    def folder(self) -> Path:
        """Where inputs and outputs go."""
        made = self.shop.work / "speed"
        made.mkdir(parents=True, exist_ok=True)
        return made

    def batch(self) -> Path:
        """The newest Thunderbird tickets, as they lie in RAW_DIR."""
        path = self.folder / f"thunderbird-{self.tickets}.parquet"
        tickets = pd.read_parquet(self.shop.imported("thunderbird") / "tickets.parquet")
        tickets.sort_values("created_at").tail(self.tickets).to_parquet(path, index=False)
        return path


def main() -> int:
    """Measure, print, and write results/speed.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(MEASURES)}; all without a name")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="the folder with data/ and bench/")
    parser.add_argument(
        "--work", type=Path, default=ROOT / ".cache" / "benchmarks", help="where RAW_DIRs and scorers go"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="where speed.json goes")
    parser.add_argument("--repeats", type=int, default=3, help="how often each side is measured")
    parser.add_argument("--tickets", type=int, default=TICKETS, help="Thunderbird tickets of a batch")
    args = parser.parse_args()
    if unknown := [n for n in args.names if n not in MEASURES]:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(MEASURES)}")
    shared, work = args.shared.resolve(), args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    bench = Bench(Workshop(shared, work), Workshop(shared, work, "none"), args.repeats, args.tickets)
    path = args.results / "speed.json"
    rows: dict[str, Row] = {}
    for name in args.names or MEASURES:
        measured = {"name": name} | MEASURES[name](bench)
        if path.exists() and args.names:  # now, as another run may have written since this one began
            rows = {r["name"]: r for r in json.loads(path.read_text("utf-8"))["rows"]}
        rows[name] = measured
        print(line(rows[name]), flush=True)
        gc.collect()
        result = {"kind": "speed", **common_ground(), "rows": [rows[n] for n in MEASURES if n in rows]}
        path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0


def batch(bench: Bench, precision: str, limit: float) -> Row:
    """A batch file against sentence-transformers' own `encode` of the same cleaned texts."""
    from sentence_transformers import SentenceTransformer

    scorer = at_precision(Scorer.load(bench.shop.trained(JOB)), precision)
    source, encoder = bench.batch(), scorer.builder.encoder
    texts = cleaned(source, scorer)
    own = SentenceTransformer(str(encoder.folder), device="cpu", model_kwargs={"torch_dtype": precision})
    own.max_seq_length = encoder.max_tokens
    own.encode(texts[:64], show_progress_bar=False)
    scorer.score(pd.read_parquet(source).head(64))
    ours, theirs = alternate(
        lambda: score_batch(scorer, source, bench.folder),
        lambda: own.encode(texts, show_progress_bar=False),
        bench.repeats,
    )
    explained = timed(lambda: score_batch(scorer, source, bench.folder, explain=True))
    return ratio(
        f"batch of {len(texts):,} Thunderbird tickets, {precision}",
        ours,
        "sentence-transformers' `encode`",
        theirs,
        limit,
        beside=f"explained {explained:.1f} s, {explained / theirs:.2f} ×; {len(texts) / ours:,.0f} tickets/s",
    )


def encoder_off(bench: Bench) -> Row:
    """A batch file without an encoder against plain's `predict_proba` on the same cleaned texts."""
    folder = bench.bare.trained(JOB)
    scorer, source = Scorer.load(folder), bench.batch()
    texts, plain = cleaned(source, scorer), Plain.of_thunderbird(bench.bare.imported("thunderbird"), scorer)
    scorer.score(pd.read_parquet(source).head(64))
    plain.predict_proba(texts[:64])
    ours, theirs = alternate(
        lambda: score_batch(scorer, source, bench.folder), lambda: plain.predict_proba(texts), bench.repeats
    )
    alone = timed(lambda: scorer.score(pd.read_parquet(source)))
    explained = timed(lambda: score_batch(scorer, source, bench.folder, explain=True))
    return ratio(
        f"batch of {len(texts):,} Thunderbird tickets, encoder off",
        ours,
        "plain's `predict_proba`",
        theirs,
        2.0,
        beside=f"explained {explained:.1f} s; `Scorer.score` alone {alone:.1f} s; {len(texts) / ours:,.0f} tickets/s; "
        f"plain has {plain.terms:,} terms, {len(plain.classes)} classes",
    )


def memory(bench: Bench) -> Row:
    """Peak memory of `triage score` on generated tickets, encoder off: 500,000 against 50,000."""
    helpdesk, scorer = generated(bench, TO_FIT), bench.folder / "sample-scorer"
    params = bench.folder / "bare.yaml"
    params.write_text("encoder: {name: none}\n", "utf-8")
    if not scorer.exists():
        verb(bench, "run", "--raw", helpdesk, "--scorer", scorer, "--params", params)
    peaks, seconds = {}, {}
    for rows in (SMALL, LARGE):
        source, out = many(bench, rows), bench.folder / "scored.jsonl"
        peaks[rows], seconds[rows] = verb(
            bench, "score", source, out, "--scorer", scorer, "--force", "--max-refused", "1"
        )
    return {
        "what": f"peak memory, {LARGE:,} generated tickets, encoder off",
        "ours": f"{peaks[LARGE]:,.0f} MiB",
        "baseline": f"{peaks[SMALL]:,.0f} MiB for {SMALL:,}",
        "ratio": round(peaks[LARGE] / peaks[SMALL], 3),
        "asked": 1.2,
        "beside": f"synthetic; {seconds[LARGE]:,.0f} s, {LARGE / seconds[LARGE]:,.0f} tickets/s",
    }


def one(bench: Bench) -> Row:
    """One ticket through a loaded scorer against one `encode` call."""
    from sentence_transformers import SentenceTransformer

    scorer = Scorer.load(bench.shop.trained(JOB))
    source, encoder = bench.batch(), scorer.builder.encoder
    frames = [f for _, f in pd.read_parquet(source).tail(SINGLE).groupby("ticket_id", sort=False)]
    texts = [cleaned_frame(f, scorer)[0] for f in frames]
    own = SentenceTransformer(str(encoder.folder), device="cpu", model_kwargs={"torch_dtype": encoder.precision})
    own.max_seq_length = encoder.max_tokens
    for frame, text in zip(frames[:10], texts[:10], strict=True):
        scorer.score(frame), own.encode(text, show_progress_bar=False)
    ours, theirs, explained = [], [], []
    for frame, text in zip(frames, texts, strict=True):
        ours.append(timed(lambda frame=frame: scorer.score(frame)))
        theirs.append(timed(lambda text=text: own.encode(text, show_progress_bar=False)))
        explained.append(timed(lambda frame=frame: scorer.score(frame, explain=True)))
    a, b, c = (1000 * statistics.median(x) for x in (ours, theirs, explained))
    return {
        "what": f"one ticket through a loaded scorer, median of {len(ours)}, {encoder.precision}",
        "ours": f"{a:.1f} ms",
        "baseline": f"one `encode` call {b:.1f} ms",
        "ratio": round((a - 3) / b, 3),
        "asked": 1.5,
        "beside": f"the ratio is (ours − 3 ms) / `encode`; explained {c:.1f} ms",
    }


def fit(bench: Bench) -> Row:
    """Fitting topic, priority and escalation with settings fixed against plain's fit of a topic."""
    from pipeline.training.assemble import assemble
    from pipeline.training.featurize import featurize
    from pipeline.training.prepare import prepare
    from pipeline.training.train import train

    fixed = load_params(ROOT / "benchmarks" / "params" / "speed-fixed.yaml")
    cache = str(bench.shop.work / "embeddings")
    fixed = replace(fixed, encoder=replace(fixed.encoder, cache=cache))
    open_settings = replace(load_params(None), outcomes=fixed.outcomes, encoder=fixed.encoder, gates=fixed.gates)
    prepared = prepare(generated(bench, TO_FIT), fixed)
    featurize(prepared, fixed, say=_quiet)

    def ours(params: Any) -> None:
        blocks = featurize(prepared, params, say=_quiet)
        models = {t: train(t, prepared, blocks, params, say=_quiet) for t in ("topic", "priority", "escalated")}
        assemble(prepared, blocks, models, params)

    frame = prepared.frame[prepared.frame["label.topic"].notna()]
    texts, labels = frame["text"].fillna("").tolist(), frame["label.topic"].astype(str).tolist()
    a, b = alternate(lambda: ours(fixed), lambda: Plain.fit(texts, labels), bench.repeats)
    search = timed(lambda: ours(open_settings))
    return ratio(
        f"fitting topic, priority and escalation, settings fixed, {len(prepared.frame):,} generated tickets",
        a,
        "plain's fit of the topic",
        b,
        3.0,
        beside=f"synthetic; the search for settings takes {search - a:,.0f} s more",
    )


def at_precision(scorer: Scorer, precision: str) -> Scorer:
    """The same scorer with its encoder in another precision."""
    settings = replace(scorer.settings.encoder, precision=precision)
    return replace(scorer, builder=scorer.builder.with_encoder(load_encoder(settings)))


def score_batch(scorer: Scorer, source: Path, folder: Path, *, explain: bool = False) -> None:
    """What `triage score` does once the scorer is loaded: from the input file to the finished output."""
    settings = Settings(explain=explain, force=True)
    score_file(open_intake(source), folder / "scored.parquet", scorer, now=datetime.now(UTC), settings=settings)


def cleaned(source: Path, scorer: Scorer) -> list[str]:
    """The texts that the encoder gets."""
    return cleaned_frame(pd.read_parquet(source), scorer)


def cleaned_frame(tickets: pd.DataFrame, scorer: Scorer) -> list[str]:
    """See `cleaned`."""
    return [str(t) for t in parse(tickets, scorer.settings.tickets)["text"].fillna("")]


def generated(bench: Bench, tickets: int, seed: int = 7) -> Path:
    """A generated helpdesk."""
    folder = bench.folder / f"sample-{tickets}-{seed}"
    if not (folder / "import.json").exists():
        verb(bench, "sample", "--out", folder, "--tickets", str(tickets), "--seed", str(seed), "--force")
    return folder


def many(bench: Bench, rows: int) -> Path:
    """So many generated tickets as one CSV, in our schema; helpdesks of several seeds, each with ids of its own."""
    path = bench.folder / f"tickets-{rows}.csv"
    if path.exists():
        return path
    fresh = path.with_suffix(".part")
    for seed in range(rows // SMALL):
        tickets = pd.read_parquet(generated(bench, SMALL, seed) / "tickets.parquet").head(SMALL)
        tickets["ticket_id"] = f"{seed}-" + tickets["ticket_id"].astype(str)
        tickets.to_csv(fresh, mode="w" if seed == 0 else "a", header=seed == 0, index=False)
    shutil.move(fresh, path)
    return path


def verb(bench: Bench, *words: object) -> tuple[float, float]:
    """Peak memory in MiB and seconds of one verb in a process of its own.

    A small process starts it: a child's peak begins with what its parent held when it was started.
    """
    begun = time.perf_counter()
    command = [sys.executable, "-c", _PEAK, *bench.shop.triage, *map(str, words)]
    done = subprocess.run(command, cwd=bench.folder, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"triage {words[0]} ended with {done.returncode}")
    return int(done.stdout) / 1024, time.perf_counter() - begun


def alternate(ours: Callable[[], object], theirs: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median seconds of both, measured in turn."""
    pairs = [(timed(ours), timed(theirs)) for _ in range(repeats)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def ratio(what: str, ours: float, against: str, theirs: float, asked: float, *, beside: str) -> Row:
    """One row of the table."""
    said = {"what": what, "ours": f"{ours:.1f} s", "baseline": f"{against} {theirs:.1f} s"}
    return said | {"ratio": round(ours / theirs, 3), "asked": asked, "beside": beside}


def line(row: Row) -> str:
    """A row as it is printed."""
    state = "within" if row["ratio"] <= row["asked"] else "beyond"
    asked = f"{row['ratio']:.2f} (≤ {row['asked']:g}) {state}"
    return f"{row['what']}: {row['ours']} against {row['baseline']}: {asked}; {row['beside']}"


def _quiet(_: str) -> None:
    """Nothing."""


MEASURES: dict[str, Callable[[Bench], Row]] = {
    "batch-float32": lambda bench: batch(bench, "float32", 1.25),
    "batch-bfloat16": lambda bench: batch(bench, "bfloat16", 1.5),
    "encoder-off": encoder_off,
    "memory": memory,
    "one": one,
    "fit": fit,
}


if __name__ == "__main__":
    sys.exit(main())
