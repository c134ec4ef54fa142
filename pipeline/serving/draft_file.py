"""The door of `triage draft`: scored tickets and their tickets in, one line with a draft or a reason out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.config import Tickets
from pipeline.errors import InputError, OutputError
from pipeline.serving.drafts import Asked, drafts, sources_of
from pipeline.serving.endpoint import Client
from pipeline.serving.intake import Intake
from pipeline.serving.scored_file import read_scored
from pipeline.serving.work import sync, writing
from pipeline.tickets import parse

SUFFIX = ".jsonl"


@dataclass(frozen=True)
class Told:
    """What was done: rows, drafts among them, and how many have none for which reason."""

    rows: int
    drafts: int
    reasons: dict[str, int]

    @property
    def failed_share(self) -> float:
        """Of the rows that were sent, the share that got no answer."""
        sent = self.rows - sum(self.reasons.get(r, 0) for r in ("no_articles", "no_ticket", "not_scored"))
        return self.reasons.get("endpoint_failed", 0) / sent if sent else 0.0


def draft_file(
    scored: Path,
    intake: Intake,
    out: Path,
    client: Client,
    *,
    now: datetime,
    at_once: int = 2,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Told:
    """Draft replies for a scored file; OUT appears whole or not at all.

    Parameters
    ----------
    scored : Path
        Of `triage score --explain`.
    intake : Intake
        The tickets that were scored.
    progress : callable, optional
        Called with how many rows are done, and how many there are.

    Raises
    ------
    InputError
        The scored file has suggestions without explanations, or the endpoint refuses everybody.
    OutputError
        OUT is there already, isn't a `.jsonl`, or can't be written.
    """
    if out.suffix != SUFFIX:
        raise OutputError(
            "drafts are JSON lines", where=out.name, got=out.suffix or "no suffix", do="name it OUT.jsonl"
        )
    if out.exists() and not force:
        raise OutputError("the output is there already", where=str(out), do="name another, or give --force")
    rows = read_scored(scored)
    _check_explained(rows, scored)
    asked = _asked(rows, _texts(intake, set(rows["ticket_id"].dropna()), now))
    fresh = out.with_name(f".{out.name}.part")
    try:
        with writing(out.parent):
            counts = _write(fresh, asked, client, at_once, progress)
            fresh.replace(out)
    finally:
        fresh.unlink(missing_ok=True)
    return Told(len(asked), counts.pop("", 0), dict(sorted(counts.items())))


def _write(
    path: Path, asked: list[Asked], client: Client, at_once: int, progress: Callable[[int, int], None] | None
) -> Counter[str]:
    counts: Counter[str] = Counter()
    with path.open("w", encoding="utf-8", errors="replace") as handle:
        for done, one in enumerate(drafts(asked, client, at_once=at_once), start=1):
            handle.write(json.dumps(asdict(one), ensure_ascii=False) + "\n")
            counts[one.reason or ""] += 1
            if progress is not None:
                progress(done, len(asked))
        sync(handle)
    return counts


def _asked(rows: pd.DataFrame, texts: dict[str, str]) -> list[Asked]:
    found = []
    for row in rows.to_dict("records"):
        name: Any = row["ticket_id"] if isinstance(row["ticket_id"], str) else None
        sources = sources_of(row["articles"], row["explanation"])
        found.append(Asked(name, texts.get(name, ""), sources, error=isinstance(row["error"], str)))
    return found


def _texts(intake: Intake, wanted: set[str], now: datetime) -> dict[str, str]:
    """Clean, redacted texts of the wanted tickets; of a repeated id the first, as in scoring."""
    texts: dict[str, str] = {}
    for chunk in intake.read(now):
        parsed = parse(chunk, Tickets())
        good = parsed["error"].isna() & parsed["text"].notna() & parsed["ticket_id"].isin(wanted)
        for name, text in parsed.loc[good, ["ticket_id", "text"]].itertuples(index=False):
            texts.setdefault(name, text)
    return texts


def _check_explained(rows: pd.DataFrame, path: Path) -> None:
    suggested = [bool(row) for row in rows["articles"]]
    explained = [bool((why or {}).get("articles")) if isinstance(why, dict) else False for why in rows["explanation"]]
    if any(suggested) and not any(explained):
        got = "articles without passages"
        raise InputError("nothing to ground a draft in", where=path.name, got=got, do="score with --explain")
