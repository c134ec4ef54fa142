"""One command per row of the table of figures: import, run and score through the public verbs, judged by the referee.

    python benchmarks/quality.py banking77 endava
    python benchmarks/quality.py all --encoder none

Each row is printed and written to benchmarks/results/NAME.json; `python benchmarks/figures.py` makes docs/figures.md of
them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import promises
import suggested
from forms import Figure, LeadRow, Pair, PromiseRow, Row
from sklearn.metrics import roc_auc_score
from tasks import LEADS, NAMES, PAIRS, PROMISES, ROWS
from truth import TRUTHS
from verbs import HERE, ROOT, FailedError, Workshop, code_hash

RESULTS = HERE / "results"
LIBRARIES = ("scikit-learn", "numpy", "pandas", "torch", "sentence-transformers")


def main() -> int:
    """Measure the rows asked for; 1 when one can't be measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="+", metavar="NAME", help=f"all, or: {', '.join(NAMES)}")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="the folder with data/ and bench/")
    parser.add_argument(
        "--work", type=Path, default=ROOT / ".cache" / "benchmarks", help="where RAW_DIRs and scorers go"
    )
    parser.add_argument("--encoder", default="minilm", help="minilm, static, none, or a folder")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where NAME.json goes")
    parser.add_argument("--triage", nargs="+", help="the command, where it isn't beside this Python")
    parser.add_argument(
        "--again", action="store_true", help="do steps again that were done with the same code and data"
    )
    args = parser.parse_args()
    names = list(NAMES) if "all" in args.names else args.names
    if unknown := [n for n in names if n not in NAMES]:
        parser.error(f"unknown: {', '.join(unknown)}; known: all, {', '.join(NAMES)}")
    shop = Workshop(args.shared.resolve(), args.work.resolve(), args.encoder, again=args.again)
    if args.triage:
        shop.triage = tuple(args.triage)
    shop.work.mkdir(parents=True, exist_ok=True)
    args.results.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in names:
        try:
            result = measured(name, shop)
        except FailedError as error:
            print(f"{name}: {error}", file=sys.stderr, flush=True)
            failed = 1
            continue
        path = args.results / f"{name}.json"
        path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
        print("\n".join(lines(result)), flush=True)
    return failed


def measured(name: str, shop: Workshop) -> dict[str, Any]:
    """One row of any kind."""
    if name in PROMISES:
        return promise(name, PROMISES[name], shop)
    if name in PAIRS:
        return pair(name, PAIRS[name], shop)
    return lead(name, LEADS[name], shop) if name in LEADS else row(name, ROWS[name], shop)


def row(name: str, spec: Row, shop: Workshop) -> dict[str, Any]:
    """One row of the table."""
    scored = shop.scored(spec.job, spec.scored)
    if spec.then:
        parts = [pd.read_parquet(scored), *(pd.read_parquet(shop.scored(job, spec.scored)) for job in spec.then)]
        scored = shop.work / f"{name}.parquet"
        pd.concat(parts, ignore_index=True).to_parquet(scored, index=False)
    evaluated = shop.evaluated(spec.job) if spec.evaluate else []
    result = common(name, spec.title, spec.job, shop) | {"kind": "row", "evaluated": evaluated}
    model = result["models"][spec.model]
    if not model["in_service"]:
        return result | {"left_out": model["why_none"], "figures": [], "also": {}}
    said = shop.judged(scored, spec.truth, spec.judge)
    also = {}
    for words, truth, asked in spec.also:
        part = shop.judged(scored, truth, spec.judge)
        also[words] = {"tickets": part["tickets"], "figures": [figure(f, part) for f in asked]}
    figures = [figure(f, said) for f in spec.figures]
    if spec.suggested:
        levels = [shop.scored(job, spec.scored) for job in spec.none_fits]
        more = suggested.judged(shop, scored, TRUTHS[spec.truth](shop.data), levels)
        figures += [figure(f, more) for f in spec.suggested]
        for job in spec.none_fits:
            result["seconds"] |= shop.seconds(job)
    return result | {
        "tickets": said["tickets"],
        "figures": figures,
        "also": also,
        "referee": said["metrics"],
        "baseline": said["baseline"],
    }


def promise(name: str, spec: PromiseRow, shop: Workshop) -> dict[str, Any]:
    """One promise."""
    parts = []
    for scored, truth in spec.parts:
        frame = pd.read_parquet(
            shop.scored(spec.job, scored), columns=["ticket_id", "topic", "queue", "queue_reason", "as_of"]
        )
        parts.append(promises.realised(frame, TRUTHS[truth](shop.data)).assign(part=scored))
    rows = pd.concat(parts, ignore_index=True)
    rows["key"] = rows["part"] + " " + rows["key"]
    given = shop.about(spec.job)["promise"] or {"max_error": None, "note": "there is none"}
    found = promises.judged(rows, given["max_error"], spec.by)
    found["evaluated"] = shop.evaluated(spec.job) if spec.by == "month" else []
    result = common(name, spec.title, spec.job, shop) | {"kind": "promise", "asked_words": spec.asked}
    return result | {"note": given["note"], "scorer_expected": given, **found}


def pair(name: str, spec: Pair, shop: Workshop) -> dict[str, Any]:
    """The difference of two ROC-AUC on the same tickets, with a paired bootstrap; not the referee's, who has none."""
    truth = TRUTHS[spec.truth](shop.data)
    risks = []
    for part in (spec.scored, spec.against):
        frame = pd.read_parquet(shop.scored(spec.job, part), columns=["ticket_id", "escalation_risk"])
        risks.append(truth["ticket_id"].map(frame.set_index("ticket_id")["escalation_risk"]).to_numpy())
    happened, rng = truth["escalated"].to_numpy(), np.random.default_rng(0)

    def gain(rows: np.ndarray) -> float:
        later, first = (roc_auc_score(happened[rows], risk[rows]) for risk in risks)
        return float(later - first)

    draws = [gain(rng.integers(0, len(truth), len(truth))) for _ in range(1_000)]
    low, high = np.quantile(draws, [0.025, 0.975])
    said = {"metrics": {"gain": gain(np.arange(len(truth)))}, "ci95": {"gain": [float(low), float(high)]}}
    return common(name, spec.title, spec.job, shop) | {
        "kind": "pair",
        "evaluated": [],
        "tickets": len(truth),
        "figures": [figure(Figure("gain", f"difference of ROC-AUC, {int(happened.sum())} positives"), said)],
    }


def lead(name: str, spec: LeadRow, shop: Workshop) -> dict[str, Any]:
    """The time that alerts win; measured by `triage evaluate`, as the referee has no such figure."""
    shop.trained(spec.job)
    found = shop.waited(spec.job)["lead"]
    median, ceiling = found["hours"]["median"], found["ceiling"]["median"]
    asked = Figure("hours", "median hours from alert to escalation", spec.reach * ceiling)
    words = (
        f"{found['caught']} of {found['escalations']} escalations alerted before, {found['alerts']} alerts; quartiles "
        f"{found['hours']['low']:.1f} and {found['hours']['high']:.1f} h; at creation {found['at_creation']['count']}, "
        f"while they waited {found['later']['count']}"
        f"{_median(found['later'])}; by the risk at creation alone {found['alone']['count']}{_median(found['alone'])}; "
        f"flagging everything at creation: median {ceiling:.1f} h, {found['ceiling']['above_a_day']:.0%} above a day"
    )
    return common(name, spec.title, spec.job, shop) | {
        "kind": "lead",
        "evaluated": [words],
        "tickets": found["escalations"],
        "figures": [figure(asked, {"metrics": {"hours": median}, "ci95": {}})],
        "lead": found,
    }


def _median(hours: dict[str, Any]) -> str:
    return f" (median {hours['median']:.1f} h)" if hours["count"] else ""


def common(name: str, title: str, job: str, shop: Workshop) -> dict[str, Any]:
    """What every result says: where, when and with what it was measured."""
    about = shop.about(job)
    return {
        "name": name,
        "title": title,
        "encoder": about["encoder"],
        **common_ground(),
        "seconds": shop.seconds(job),
        "trained_rows": about["trained"]["rows"],
        "models": {
            target: {k: m[k] for k in ("in_service", "why_none", "chosen")} for target, m in about["models"].items()
        },
    }


def common_ground() -> dict[str, Any]:
    """When, where and with what."""
    return {
        "measured": f"{datetime.now().astimezone():%Y-%m-%d}",
        "code": code_hash(),
        "machine": machine(),
        "libraries": {n: _version(n) for n in LIBRARIES},
    }


def figure(asked: Figure, said: dict[str, Any]) -> dict[str, Any]:
    """One figure of the referee's, with its interval and whether it reaches what is asked."""
    value: Any = said["metrics"]
    for key in asked.metric.split(".") if asked.metric.startswith("out_of_scope.") else [asked.metric]:
        value = None if value is None else value.get(key)
    low, high = said["ci95"].get(asked.metric, [None, None])
    met = None
    if asked.reach is not None and value is not None:
        met = value <= asked.reach if asked.at_most else value >= asked.reach
    given = {"reach": asked.reach, "at_most": asked.at_most, "plain": asked.plain, "best": asked.best, "met": met}
    return {"metric": asked.metric, "words": asked.words, "reached": value, "low": low, "high": high} | given


def lines(result: dict[str, Any]) -> list[str]:
    """A result as it is printed."""
    if result["kind"] == "promise":
        w, asked = result["whole"], result["asked"]
        state = {True: "kept", False: "broken", None: "nothing is routed"}[result["kept"]]
        share = "–" if w["error"] is None else f"{w['error']:.4f} ({w['low']:.4f}–{w['high']:.4f})"
        promised = "nothing" if asked is None else f"{asked:.4f}"
        return [
            f"{result['title']:<42} asked {promised:<8} realised {share}  {w['wrong']} wrong of {w['routed']} routed "
            f"of {w['tickets']}; all: {w['error_if_all']:.4f}  {state}"
        ]
    if "left_out" in result:
        return [f"{result['title']:<42} left out: {result['left_out']}", *(f"    {x}" for x in result["evaluated"])]
    made = [_line(result["title"], f) for f in result["figures"]]
    also = result.get("also", {}).items()
    made += [_line(f"{result['title']}, {words}", f) for words, part in also for f in part["figures"]]
    return [*made, *(f"    {x}" for x in result["evaluated"] if result["kind"] == "lead")]


def _line(title: str, f: dict[str, Any]) -> str:
    interval = "" if f["low"] is None else f"({f['low']:.3f}–{f['high']:.3f})"
    reach = "" if f["reach"] is None else f"{'≤' if f['at_most'] else '≥'} {f['reach']:g}"
    state = {True: "reached", False: "short", None: ""}[f["met"]]
    value = "–" if f["reached"] is None else f"{f['reached']:.4f}"
    return f"{title:<42} {f['words']:<20} {value:>8} {interval:<15} {reach:<8} {state}"


def machine() -> str:
    """The processor and how many of its cores may be used."""
    info = Path("/proc/cpuinfo")
    models = [x for x in info.read_text("utf-8").splitlines() if x.startswith("model name")] if info.exists() else []
    name = models[0].partition(":")[2].strip() if models else platform.processor() or platform.machine()
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


def _version(library: str) -> str | None:
    try:
        return version(library)
    except ModuleNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main())
