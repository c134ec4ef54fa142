"""Faults of a stream: workers and brokers are killed, frozen and fed with poison, and an oracle counts what came of it.

    python benchmarks/faults.py                          # every scenario but the soak
    python benchmarks/faults.py redis-kills --kills 200 --seed 1
    python benchmarks/faults.py soak --minutes 20

Tickets are synthetic, the encoder is off, workers are those of `triage stream`. Kafka is librdkafka's mock, which keeps
nothing: what rests on a real one isn't tested here. The table is printed and written to benchmarks/results/faults.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import fault_brokers  # noqa: F401  it knows where the tests' servers are
from fault_changes import ages, swaps
from fault_scenarios import SCENARIOS, Stage
from fault_soak import soak
from fault_tickets import made_desk
from nursery import nursery
from quality import RESULTS, common_ground
from verbs import ROOT

Row = dict[str, Any]
SHORT = {**SCENARIOS, "swaps": swaps, "ages": ages}
ALL = {**SHORT, "soak": soak}


def main() -> int:
    """Run scenarios, print the table, write results/faults.json; 1 where the oracle finds anything wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(ALL)}; all but soak without a name")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn")
    parser.add_argument("--kills", type=int, help="how many faults; without it each scenario's own number")
    parser.add_argument("--minutes", type=float, default=20.0, help="of the soak")
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "benchmarks" / "faults", help="for what is made")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where faults.json goes")
    parser.add_argument("--again", action="store_true", help="make and train the helpdesk anew")
    parser.add_argument("--keep", action="store_true", help="keep the workers' logs")
    args = parser.parse_args()
    if unknown := [n for n in args.names if n not in ALL]:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(ALL)}")
    desk = made_desk(args.work.resolve(), nursery(), again=args.again)
    rows: list[Row] = []
    try:
        for name in args.names or SHORT:
            begun = time.monotonic()
            row = ALL[name](Stage(desk, Random(f"{name} {args.seed}"), args.kills, args.minutes))
            rows.append({"name": name, "seed": args.seed, "seconds": time.monotonic() - begun} | row)
            print(line(rows[-1]), flush=True)
            write(args.results / "faults.json", rows)
    finally:
        if not args.keep:
            shutil.rmtree(desk.folder, ignore_errors=True)
    return int(any(row["wrong"] for row in rows))


def line(row: Row) -> str:
    """A row as it is printed."""
    faults = ", ".join(f"{count} {name}" for name, count in row["faults"].items())
    counts = ", ".join(f"{row[n]} {n}" for n in ("messages", "tickets", "results", "letters", "repeats"))
    more = ", ".join(f"{row[n]} {n}" for n in ("dropped", "claims", "starts", "died", "lost") if row[n] is not None)
    wrong = f"WRONG {row['wrong']} {row['examples'][:5]}" if row["wrong"] else "nothing wrong"
    return f"{row['name']} (seed {row['seed']}, {row['seconds']:.0f} s): {counts}; {more}; {faults}: {wrong}"


def write(path: Path, rows: list[Row]) -> None:
    """Rows of this run, and those before that weren't run anew."""
    old = json.loads(path.read_text("utf-8"))["rows"] if path.exists() else []
    known = {row["name"] for row in rows}
    order = list(ALL)
    kept = sorted([*(row for row in old if row["name"] not in known), *rows], key=lambda row: order.index(row["name"]))
    result = {"kind": "faults", **common_ground(), "rows": kept}
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
