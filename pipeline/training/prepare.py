"""Stage prepare: raw tickets and their outcomes → clean, labelled rows in order, and what was left out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config import Params
from pipeline.errors import ConfigError, InputError
from pipeline.history.definitions import OUT_OF_SCOPE, source_columns
from pipeline.routing import check_policy
from pipeline.sources.raw import Raw, load_raw, relabel
from pipeline.tickets import files, parse
from pipeline.tickets.clean import clean
from pipeline.tickets.schema import FIELD_PREFIX
from pipeline.training.audit import give_away_columns
from pipeline.training.labels import KNOWN_PREFIX, LABEL_PREFIX, TARGETS, attach
from pipeline.training.split import stable_order

RAW_PREFIX = "raw."

DESCRIPTION_ID = "\x1fdescription:"
"""Ids of rows made from `topic: descriptions`; a control character stands in no ticket's id."""

DATED_SHARE = 0.9
"""With fewer tickets than this having a creation time, the split is by a stable hash."""


@dataclass(frozen=True)
class Prepared:
    """Rows that may train, and what is known about them.

    Attributes
    ----------
    frame : DataFrame
        Parsed tickets without refused ones, oldest first (by a stable hash without times), with `label.*`, `known.*`.
    about : dict
        `dated`, `cut`, `data_end`, `levels`, `counts`, `refused`, `left_out_fields` (outcome → fields), `synthetic`,
        `definitions` as written.
    """

    frame: pd.DataFrame
    about: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Write `rows.parquet` and `about.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.frame.to_parquet(folder / "rows.parquet", index=False)
        (folder / "about.json").write_text(
            json.dumps(self.about, indent=1, sort_keys=True, ensure_ascii=False), "utf-8"
        )

    @classmethod
    def load(cls, folder: Path) -> Prepared:
        """Read what `save` wrote."""
        if not (folder / "about.json").is_file():
            raise InputError("nothing was prepared here", where=str(folder), do="run `triage prepare` first")
        return cls(files.read_parquet(folder / "rows.parquet"), json.loads((folder / "about.json").read_text("utf-8")))


def prepare(raw_dir: Path, params: Params, *, test_from: pd.Timestamp | None = None) -> Prepared:
    """Read, parse, label and order; check the routing policy against what the history has.

    Parameters
    ----------
    test_from : Timestamp, optional
        Nothing known from this moment on is used.

    Raises
    ------
    InputError, ConfigError
        No usable ticket or outcome; a policy that names what isn't there; `test_from` without times.
    """
    return prepare_raw(load_raw(raw_dir), params, test_from=test_from)


def prepare_raw(raw: Raw, params: Params, *, test_from: pd.Timestamp | None = None) -> Prepared:
    """`prepare` of what was read already."""
    definitions, outcomes = relabel(raw, params.outcomes)
    parsed = parse(raw.tickets, params.tickets)
    for name in ("subject", "body"):  # as they came: what the drift of tonight's input is held against
        parsed[RAW_PREFIX + name] = raw.tickets[name]
    refused = parsed["error"].dropna().value_counts().to_dict()
    parsed = parsed[parsed["error"].isna()].drop(columns=["error"])
    if parsed.empty:
        raise InputError(
            "no ticket can be used",
            where="tickets.parquet",
            got=f"{len(raw.tickets)} tickets, all refused",
            do="see rejects.jsonl",
        )
    dated = bool(parsed["created_at"].notna().mean() >= DATED_SHARE)
    if test_from is not None and not dated:
        raise ConfigError(
            "tickets without times can't be split by time",
            where="--test-from",
            got="no created_at",
            do="leave it out, or map created_at",
        )
    parsed = _ordered(parsed, dated)
    labelled = attach(parsed, outcomes, cut=test_from)
    frame = _with_descriptions(labelled.frame, params)
    levels = list(definitions["priority"].order) if "priority" in definitions else []
    if "priority" in definitions and not levels:
        levels = (
            sorted(frame[LABEL_PREFIX + "priority"].dropna().unique()) if LABEL_PREFIX + "priority" in frame else []
        )
    found = [t for t in TARGETS if LABEL_PREFIX + t in frame and frame[LABEL_PREFIX + t].notna().any()]
    if not found:
        raise InputError(
            "there is no outcome to learn from",
            where="outcomes",
            got=f"{len(outcomes)} dated outcomes, none known before the cut",
            do="define outcomes in the mapping or in params.yaml",
        )
    _check_policy(frame, params, levels)
    fields = {t: sorted(source_columns(definitions[t])) if t in definitions else [] for t in found}
    if params.features.give_away == "leave_out":
        for t in found:
            fields[t] = sorted({*fields[t], *(g.column for g in give_away_columns(frame, t))})
    about = {
        "dated": dated,
        "cut": None if test_from is None else test_from.isoformat(),
        "data_end": _end(frame, dated),
        "levels": levels,
        "targets": found,
        "counts": labelled.counts,
        "read": len(raw.tickets),
        "refused": {str(k): int(v) for k, v in refused.items()},
        "after_cut": int(len(parsed) - len(labelled.frame)),
        "left_out_fields": fields,
        "synthetic": any(bool(r.get("synthetic")) for r in raw.imports),
        "outcomes": raw.outcomes_as_written | params.outcomes,
    }
    return Prepared(frame, about)


def known_rows(frame: pd.DataFrame, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Positions of rows with a label of `target` in scope, and of those known to be out of scope."""
    labels = frame[LABEL_PREFIX + target]
    outside = (labels == OUT_OF_SCOPE).to_numpy(dtype=bool, na_value=False)
    known = labels.notna().to_numpy() & ~outside
    known[described_rows(frame)] = False
    return np.flatnonzero(known), np.flatnonzero(outside)


def described_rows(frame: pd.DataFrame) -> np.ndarray:
    """Positions of rows that are descriptions of labels, not tickets."""
    return np.flatnonzero(frame["ticket_id"].astype(str).str.startswith(DESCRIPTION_ID).to_numpy())


def moments(times: pd.Series) -> np.ndarray:
    """Times as whole microseconds, int64; a missing one is the smallest."""
    return np.asarray(times.astype("datetime64[us, UTC]").astype("int64"))


def known_moments(frame: pd.DataFrame, target: str) -> np.ndarray:
    """When the outcome of each row was known, as `moments`."""
    return moments(frame[KNOWN_PREFIX + target])


def _with_descriptions(frame: pd.DataFrame, params: Params) -> pd.DataFrame:
    """The rows, and one more for each described topic: a label can start from a sentence or two."""
    said = params.topic.descriptions
    if not said:
        return frame
    texts = [clean(t) for t in said.values()]
    extra = pd.DataFrame({"ticket_id": [DESCRIPTION_ID + label for label in said], "body": texts, "text": texts})
    extra[LABEL_PREFIX + "topic"] = list(said)
    extra["created_at"] = frame["created_at"].max()
    both = pd.concat([frame, extra.reindex(columns=frame.columns.union(extra.columns, sort=False))], ignore_index=True)
    return both.astype({c: frame[c].dtype for c in frame.columns})


def _ordered(parsed: pd.DataFrame, dated: bool) -> pd.DataFrame:
    if dated:
        return parsed.sort_values(["created_at", "ticket_id"], kind="stable", na_position="first").reset_index(
            drop=True
        )
    order = np.argsort(stable_order(parsed["text"].fillna("") + parsed["ticket_id"]), kind="stable")
    return parsed.iloc[order].reset_index(drop=True)


def _end(frame: pd.DataFrame, dated: bool) -> str | None:
    if not dated or frame.empty:
        return None
    known = [frame[c].max() for c in frame.columns if c.startswith(KNOWN_PREFIX)]
    return str(max([frame["created_at"].max(), *(k for k in known if not pd.isna(k))]).isoformat())


def _check_policy(frame: pd.DataFrame, params: Params, levels: list[str]) -> None:
    def values(target: str) -> list[str]:
        column = LABEL_PREFIX + target
        return sorted(set(frame[column].dropna()) - {OUT_OF_SCOPE}) if column in frame else []

    fields = [c.removeprefix(FIELD_PREFIX) for c in frame.columns if c.startswith(FIELD_PREFIX)]
    queues = values("queue") or [params.routing.queues.get(t, t) for t in values("topic")]
    check_policy(params.routing, topics=values("topic"), queues=queues, levels=levels, fields=fields)
