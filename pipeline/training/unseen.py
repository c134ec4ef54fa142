"""Which tickets of a RAW_DIR a scorer has not seen, which it was trained on, and what came of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import InputError
from pipeline.history.outcomes import turned
from pipeline.scorer import Scorer
from pipeline.sources.raw import Raw, relabel
from pipeline.tickets import parse
from pipeline.training.assemble import id_hash
from pipeline.training.baselines import PLAIN_ROWS
from pipeline.training.corrections import corrected
from pipeline.training.labels import KNOWN_PREFIX, LABEL_PREFIX, TARGETS, TURNED, attach


@dataclass(frozen=True)
class Unseen:
    """Tickets to look at, and those that were learned from.

    Attributes
    ----------
    tickets : DataFrame, n rows
        As they are stored: what `Scorer.score` gets. Oldest first where they have times.
    parsed : DataFrame, n rows
        The same tickets, parsed, with `label.*` and `known.*`.
    trained : DataFrame
        Parsed training tickets with the labels that were known at the cut, the newest `PLAIN_ROWS` of them.
    read : int
        Tickets in RAW_DIR.
    left_out : dict
        Why a ticket isn't looked at → how many.
    synthetic : bool
        Whether an import says that its tickets are generated.
    """

    tickets: pd.DataFrame
    parsed: pd.DataFrame
    trained: pd.DataFrame
    read: int
    left_out: dict[str, int]
    synthetic: bool
    cited: int = 0
    """Tickets to look at on which an article was cited."""

    @property
    def targets(self) -> list[str]:
        """Outcomes that some ticket has."""
        return [t for t in TARGETS if LABEL_PREFIX + t in self.parsed and self.parsed[LABEL_PREFIX + t].notna().any()]


def unseen(
    raw: Raw, scorers: Sequence[Scorer], *, with_outcome: bool = True, feedback: pd.DataFrame | None = None
) -> Unseen:
    """Tickets that none of the scorers was trained on; outcomes by the first one's definitions.

    Parameters
    ----------
    with_outcome : bool
        Only those of which some outcome is known.
    feedback : DataFrame, optional
        What people said of decisions, by `ledger.lessons`: it puts outcomes right.
    """
    settings = scorers[0].settings
    definitions, derived = relabel(raw, settings.outcomes, customers=settings.history)
    outcomes = corrected(derived, feedback, raw.tickets, definitions, cut=None).outcomes
    looked_so = turned(raw.tickets, raw.events, definitions.get("escalated"))
    labelled = attach(raw.tickets, outcomes, cut=None, turned=looked_so).frame
    known = labelled[_columns(labelled, LABEL_PREFIX)].notna().any(axis=1).to_numpy()
    said = outcomes[(outcomes["outcome"] == "article").to_numpy(bool)]
    model = scorers[0].models.articles
    if model is not None:  # what was cited and isn't there any more, no suggestion can be held against
        said = said[said["value"].isin(list(model.index.ids)).to_numpy(bool)]
    cited = labelled["ticket_id"].isin(said["ticket_id"]).to_numpy()
    if model is not None:
        known = known | cited
    hashes = np.array([id_hash(str(i)) for i in raw.tickets["ticket_id"]])
    learned = np.isin(hashes, sorted(scorers[0].about["trained"]["ids"]))
    seen = learned.copy()
    for scorer in scorers[1:]:
        seen |= np.isin(hashes, sorted(scorer.about["trained"]["ids"]))
    order = _in_time(labelled)
    kept = order[((known | (not with_outcome)) & ~seen)[order]]
    parsed = _parsed(raw, labelled, kept, settings)
    good = parsed["error"].isna().to_numpy()
    before = _known_at_cut(labelled.iloc[order[(known & learned)[order]]], scorers[0].about["trained"].get("cut"))
    trained = _parsed(raw, labelled, before.index.to_numpy()[-PLAIN_ROWS:], settings)
    trained[before.columns] = before.iloc[-PLAIN_ROWS:].to_numpy()
    counts = {
        "the scorer was trained on them": int(seen.sum()),
        "no outcome known": int((~known & ~seen).sum()) if with_outcome else 0,
        "refused": int((~good).sum()),
    }
    return Unseen(
        tickets=raw.tickets.iloc[kept[good]].reset_index(drop=True),
        parsed=parsed[good].reset_index(drop=True),
        trained=trained[trained["error"].isna()].reset_index(drop=True),
        read=len(raw.tickets),
        left_out={k: n for k, n in counts.items() if n},
        synthetic=any(bool(one.get("synthetic")) for one in raw.imports),
        cited=int(cited[kept[good]].sum()),
    )


def require(found: Unseen, where: Path | None) -> None:
    """Raise where nothing with an outcome is left to look at.

    Raises
    ------
    InputError
        Names the report that `run` wrote beside the scorer: its figures are from inner splits of the training time.
    """
    if found.targets or found.cited:
        return
    beside = (
        "SCORER.report/index.html" if where is None else str(where.with_name(f"{where.name}.report") / "index.html")
    )
    raise InputError(
        "every ticket with an outcome is one that the scorer was trained on",
        where="RAW_DIR",
        got=", ".join(f"{why}: {n:,}" for why, n in found.left_out.items()) or f"{found.read:,} tickets",
        do=f"bring later tickets, or train with --test-from; figures from inner splits are in {beside}",
    )


def lesson_rows(found: Unseen, scorer: Scorer, target: str) -> np.ndarray:
    """Positions in `trained` of the tickets that this model learned from: known at the cut, of a label it knows."""
    about = scorer.about["models"].get(target, {})
    labels = found.trained.get(LABEL_PREFIX + target)
    if labels is None:
        return np.zeros(0, dtype=np.int64)
    good = labels.isin(list(about.get("counts", {}))).to_numpy()
    if about.get("first") is not None:
        good = good & (found.trained["created_at"] >= pd.Timestamp(about["first"])).to_numpy()
    return np.flatnonzero(good)


def _in_time(frame: pd.DataFrame) -> np.ndarray:
    if frame["created_at"].isna().all():
        return np.arange(len(frame))
    return np.asarray(frame["created_at"].reset_index(drop=True).sort_values(kind="stable", na_position="first").index)


def _parsed(raw: Raw, labelled: pd.DataFrame, rows: np.ndarray, settings: Any) -> pd.DataFrame:
    parsed = parse(raw.tickets.iloc[rows], settings.tickets).reset_index(drop=True)
    for name in [*_columns(labelled, LABEL_PREFIX), *_columns(labelled, KNOWN_PREFIX), *_columns(labelled, TURNED)]:
        parsed[name] = labelled[name].iloc[rows].reset_index(drop=True)
    return parsed


def _known_at_cut(labelled: pd.DataFrame, cut: str | None) -> pd.DataFrame:
    """The labels of these rows without those that became known at the cut or later."""
    labels = labelled[_columns(labelled, LABEL_PREFIX)].copy()
    if cut is not None:
        for name in _columns(labelled, LABEL_PREFIX):
            late = labelled[KNOWN_PREFIX + name.removeprefix(LABEL_PREFIX)] >= pd.Timestamp(cut)
            labels[name] = labels[name].mask(late.to_numpy())
    return labels


def _columns(frame: pd.DataFrame, prefix: str) -> list[str]:
    return [c for c in map(str, frame.columns) if c.startswith(prefix)]
