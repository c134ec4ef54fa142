"""`triage audit`: the label audit of every outcome of a RAW_DIR, and what to say of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from pipeline.config import Params
from pipeline.pages.findings import Audit
from pipeline.pages.tables import text_table
from pipeline.training.audit import audit
from pipeline.training.featurize import featurize
from pipeline.training.prepare import prepare
from pipeline.training.world import of_prepared

SHOWN = 15


def audit_raw(raw_dir: Path, params: Params, *, say: Callable[[str], None] = print) -> dict[str, Audit]:
    """Findings by outcome."""
    prepared = prepare(raw_dir, params)
    for target, found in of_prepared(prepared, params.topic).items():
        if found.another:
            say(f"! {target}: the latest fifth of the tickets are another world than the ones before. {found.words}")
    features = featurize(prepared, params, say=say)
    return {
        target: audit(prepared.frame, target, terms=features.blocks.terms, groups=features.groups, seed=params.seed)
        for target in prepared.about["targets"]
    }


def tables(found: dict[str, Audit]) -> list[tuple[str, str]]:
    """(title, text table) of each kind of finding that there is, most useful first."""
    made: list[tuple[str, str]] = []
    for target, one in found.items():
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


def write_json(found: dict[str, Audit], path: Path) -> None:
    """All findings, for a spreadsheet or a script."""
    path.write_text(json.dumps({t: asdict(a) for t, a in found.items()}, indent=1, ensure_ascii=False), "utf-8")
