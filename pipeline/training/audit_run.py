"""`triage audit`: the label audit of every outcome of a RAW_DIR, its clocks, and what to say of it all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from pipeline.config import Params
from pipeline.pages.findings import Audit, ClockShift
from pipeline.pages.tables import text_table
from pipeline.training.audit import audit
from pipeline.training.clock import clock_shifts
from pipeline.training.featurize import featurize
from pipeline.training.prepare import described_rows, prepare
from pipeline.training.world import of_prepared

SHOWN = 15


@dataclass(frozen=True)
class Found:
    """What an audit found: of each outcome's labels, and of the tickets' clocks."""

    outcomes: dict[str, Audit] = field(default_factory=dict)
    clock: tuple[ClockShift, ...] = ()


def audit_raw(raw_dir: Path, params: Params, *, say: Callable[[str], None] = print) -> Found:
    """Findings of a RAW_DIR."""
    prepared = prepare(raw_dir, params)
    for target, found in of_prepared(prepared, params.topic).items():
        if found.another:
            say(f"! {target}: the latest fifth of the tickets are another world than the ones before. {found.words}")
    features = featurize(prepared, params, say=say)
    outcomes = {
        target: audit(prepared.frame, target, terms=features.blocks.terms, groups=features.groups, seed=params.seed)
        for target in prepared.about["targets"]
    }
    tickets = np.delete(np.arange(len(prepared.frame)), described_rows(prepared.frame))
    return Found(outcomes, clock_shifts(prepared.frame.iloc[tickets]))


def tables(found: Found) -> list[tuple[str, str]]:
    """(title, text table) of each kind of finding that there is, most useful first."""
    made: list[tuple[str, str]] = []
    _Tables(made, "clock")(
        "a part of the tickets is off by whole hours: see `timezone` in its mapping",
        ("seen by", "hours", "tickets", "evidence"),
        [(c.seen_by, " or ".join(map(str, c.hours)), f"{c.tickets:,} of {c.n:,}", c.evidence) for c in found.clock],
    )
    for target, one in found.outcomes.items():
        add = _Tables(made, target)
        add("columns that give the label away", ("column", "why"), [(g.column, g.strength) for g in one.give_aways])
        add(
            f"labels that are likely wrong ({one.suspects_found:,} found)",
            ("ticket", "given", "rather", "how sure"),
            [(s.ticket_id, s.given, s.predicted, f"{s.probability:.2f}") for s in one.suspects],
        )
        add(
            "twin labels",
            ("labels", "tickets", "differ in"),
            [(" · ".join(t.labels), " · ".join(map(str, t.counts)), t.why) for t in one.twins],
        )
        add("labels too rare to learn", ("label", "tickets"), [(r.label, str(r.n)) for r in one.rare])
        add(
            "labels that nothing predicts",
            ("label", "tickets", "evidence"),
            [(u.label, str(u.n), u.evidence) for u in one.unpredictable],
        )
        add(
            "one text, several labels",
            ("tickets", "labels", "for example"),
            [(str(r.n), " · ".join(r.labels), ", ".join(r.ticket_ids[:3])) for r in one.labelled_both_ways],
        )
        add(
            "repeated texts",
            ("tickets", "labels", "for example"),
            [(str(r.n), " · ".join(r.labels), ", ".join(r.ticket_ids[:3])) for r in one.repeats],
        )
    return made


class _Tables:
    """Collects the tables of one outcome; empty ones are left out."""

    def __init__(self, made: list[tuple[str, str]], target: str) -> None:
        self._made, self._target = made, target

    def __call__(self, title: str, headers: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        if rows:
            more = f"\n… and {len(rows) - SHOWN:,} more (--out writes all)" if len(rows) > SHOWN else ""
            self._made.append((f"{self._target}: {title}", text_table(headers, rows[:SHOWN]) + more))


def write_json(found: Found, path: Path) -> None:
    """All findings, for a spreadsheet or a script: those of each outcome under its name, and `clock`."""
    plain = {t: asdict(a) for t, a in found.outcomes.items()} | {"clock": [asdict(c) for c in found.clock]}
    path.write_text(json.dumps(plain, indent=1, ensure_ascii=False), "utf-8")
