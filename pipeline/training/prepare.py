"""Stage prepare: raw tickets and their outcomes → clean, labelled rows in order, and what was left out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config import Params, nearest
from pipeline.errors import ConfigError, InputError
from pipeline.estimators.trees import MAX_CATEGORY
from pipeline.history.answers import came_back, settling_answers
from pipeline.history.as_of import AsOf
from pipeline.history.calendar import Calendar
from pipeline.history.definitions import OUT_OF_SCOPE, source_columns
from pipeline.history.log import moments
from pipeline.history.outcomes import turned
from pipeline.history.reasons import reason_column
from pipeline.history.record import History, Roles, record, tracked_columns
from pipeline.history.targets import Targets
from pipeline.routing import check_policy
from pipeline.sources.raw import Raw, load_raw, relabel
from pipeline.tickets import files, parse
from pipeline.tickets.clean import clean
from pipeline.tickets.schema import FIELD_PREFIX, empty
from pipeline.training.audit import give_away_columns
from pipeline.training.corrections import corrected, weigh
from pipeline.training.labels import KNOWN_PREFIX, LABEL_PREFIX, TARGETS, attach, citations
from pipeline.training.split import stable_order

RAW_PREFIX = "raw."

HISTORY = ("tickets", "events", "amounts", "links")
"""Parts of a history, each a file of the prepared folder."""

KNOWLEDGE = ("articles", "citations", "answers", "returns", "dismissed", "macros")
"""What suggestions are learned from, each a file of the prepared folder."""

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
        `definitions` as written, `as_of` (what is looked at in a history), `feedback` (what was taken of it).
    history : History or None
        Dated facts of all that was imported; None where no escalation is learned, or nothing has times.
    articles : DataFrame
        By the schema ARTICLES.
    citations : DataFrame
        `ticket_id`, `value` (an article's id), `known_at`: what answered tickets of the frame, known by the cut.
    answers : DataFrame
        `history.answers.settling_answers` of all that was imported, known by the cut.
    returns : DataFrame
        `history.answers.came_back`, likewise.
    dismissed : DataFrame
        As `citations`: articles that people said don't answer the ticket.
    macros : DataFrame
        By the schema MACROS.
    """

    frame: pd.DataFrame
    about: dict[str, Any]
    history: History | None = None
    articles: pd.DataFrame = field(default_factory=lambda: empty("articles"))
    citations: pd.DataFrame = field(default_factory=lambda: empty("outcomes"))
    answers: pd.DataFrame = field(default_factory=lambda: settling_answers(empty("tickets"), empty("events"), cut=None))
    returns: pd.DataFrame = field(default_factory=lambda: empty("outcomes")[["ticket_id", "value"]])
    dismissed: pd.DataFrame = field(default_factory=lambda: empty("outcomes")[["ticket_id", "value", "known_at"]])
    macros: pd.DataFrame = field(default_factory=lambda: empty("macros"))

    def as_of(self, params: Params) -> AsOf | None:
        """What is looked at in the history."""
        said = self.about.get("as_of")
        return AsOf.from_state(said, sla=params.sla, customers=params.history) if said and self.history else None

    def save(self, folder: Path) -> None:
        """Write `rows.parquet`, `about.json`, and a file of each part of the history."""
        folder.mkdir(parents=True, exist_ok=True)
        self.frame.to_parquet(folder / "rows.parquet", index=False)
        for name in KNOWLEDGE:
            getattr(self, name).to_parquet(folder / f"{name}.parquet", index=False)
        for name in HISTORY:
            if self.history is not None:
                getattr(self.history, name).to_parquet(folder / f"history-{name}.parquet", index=False)
        (folder / "about.json").write_text(
            json.dumps(self.about, indent=1, sort_keys=True, ensure_ascii=False), "utf-8"
        )

    @classmethod
    def load(cls, folder: Path) -> Prepared:
        """Read what `save` wrote."""
        if not (folder / "about.json").is_file():
            raise InputError("nothing was prepared here", where=str(folder), do="run `triage prepare` first")
        about = json.loads((folder / "about.json").read_text("utf-8"))
        history = None
        if about["as_of"]:
            history = History(*(files.read_parquet(folder / f"history-{name}.parquet") for name in HISTORY))
        knowledge = {name: files.read_parquet(folder / f"{name}.parquet") for name in KNOWLEDGE}
        return cls(files.read_parquet(folder / "rows.parquet"), about, history, **knowledge)


def prepare(
    raw_dir: Path, params: Params, *, test_from: pd.Timestamp | None = None, feedback: pd.DataFrame | None = None
) -> Prepared:
    """Read, parse, label and order; check the routing policy against what the history has.

    Parameters
    ----------
    test_from : Timestamp, optional
        Nothing known from this moment on is used.
    feedback : DataFrame, optional
        What people said of decisions, by `ledger.lessons`.

    Raises
    ------
    InputError, ConfigError
        No usable ticket or outcome; a policy that names what isn't there; `test_from` without times.
    """
    return prepare_raw(load_raw(raw_dir), params, test_from=test_from, feedback=feedback)


def prepare_raw(
    raw: Raw, params: Params, *, test_from: pd.Timestamp | None = None, feedback: pd.DataFrame | None = None
) -> Prepared:
    """`prepare` of what was read already."""
    Calendar.of(params.sla)  # a wrong clock is found before anything is trained
    Targets.of(params.sla)
    definitions, derived = relabel(raw, params.outcomes, customers=params.history)
    told = corrected(derived, feedback, raw.tickets, definitions, cut=test_from)
    outcomes = told.outcomes
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
    parsed = ordered(parsed, dated=dated)
    looked_so = turned(raw.tickets, raw.events, definitions.get("escalated"))
    labelled = attach(parsed, outcomes, cut=test_from, turned=looked_so)
    frame = weigh(_with_descriptions(labelled.frame, params), told.tickets, params.ledger.correction_weight)
    levels = list(definitions["priority"].order) if "priority" in definitions else []
    if "priority" in definitions and not levels:
        levels = (
            sorted(frame[LABEL_PREFIX + "priority"].dropna().unique()) if LABEL_PREFIX + "priority" in frame else []
        )
    found = [t for t in TARGETS if LABEL_PREFIX + t in frame and frame[LABEL_PREFIX + t].notna().any()]
    cited = len(raw.articles) > 0 and bool((outcomes["outcome"] == "article").any())
    if not found and not cited:
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
        "as_of": None,
        "feedback": told.counts,
    }
    knowledge = (
        raw.articles,
        citations(outcomes, frame, cut=test_from),
        settling_answers(raw.tickets, raw.events, cut=test_from),
        came_back(raw.tickets, raw.events, customers=params.history, cut=test_from),
        told.dismissed,
        raw.macros,
    )
    made = Prepared(frame, about, None, *knowledge)
    if "escalated" not in found or not dated:
        return made
    history = record(raw.tickets, raw.events, outcomes, definitions, params.history)
    roles = Roles.of(definitions, raw.events)
    if params.history.contact_reason is not None:
        _check_reason(params, frame, roles, gives_away=fields["escalated"])
    looked = _looked_at(history, frame, params, levels, roles.queue, test_from)
    return replace(made, about=about | {"as_of": looked.state()}, history=history)


def _looked_at(
    history: History,
    frame: pd.DataFrame,
    params: Params,
    levels: list[str],
    queue: str | None,
    test_from: pd.Timestamp | None,
) -> AsOf:
    """What is looked at: columns that changed before the cut, the desk's clock, and the column of the first queue."""
    Targets.of(params.sla).check_levels(levels)
    events = history.events
    if test_from is not None:
        events = events[(events["received_at"] < test_from).to_numpy(bool, na_value=False)]
    fields = _fields(frame)
    tracked, counted = tracked_columns(events, fields)
    column = f"{FIELD_PREFIX}{queue}"
    first = column if column in frame else None
    lay = pd.concat([events.loc[_assigned(events), "value"], frame[first] if first else events["value"][:0]])
    counts = lay.dropna().value_counts()
    queues = sorted(counts.index, key=lambda name: (-int(counts[name]), str(name)))[:MAX_CATEGORY]
    return AsOf(tuple(tracked), tuple(counted), tuple(levels), params.sla, params.history, first, tuple(queues))


def _assigned(events: pd.DataFrame) -> np.ndarray:
    """Which events put a ticket into a queue."""
    assigned = (events["kind"] == "assignment").to_numpy(bool)
    return np.asarray(assigned & ~(events["field"] == "assignee").to_numpy(bool, na_value=False))


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


def cut_of(prepared: Prepared) -> int:
    """The moment from which nothing is known, in microseconds."""
    cut = prepared.about["cut"] or prepared.about["data_end"]
    return int(np.datetime64(cut.split("+")[0], "us").astype(np.int64)) + 1


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


def ordered(parsed: pd.DataFrame, *, dated: bool) -> pd.DataFrame:
    """Parsed tickets, oldest first; by a stable hash without times."""
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

    fields = _fields(frame)
    if params.articles.product is not None:
        _check_field(params.articles.product, fields, "params.yaml: articles: product")
    queues = values("queue") or [params.routing.queues.get(t, t) for t in values("topic")]
    check_policy(params.routing, topics=values("topic"), queues=queues, levels=levels, fields=fields)


def _fields(frame: pd.DataFrame) -> list[str]:
    return [c.removeprefix(FIELD_PREFIX) for c in frame.columns if c.startswith(FIELD_PREFIX)]


def _check_field(name: str, fields: list[str], where: str) -> None:
    if name in fields:
        return
    near = nearest(name, fields)
    hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(sorted(fields)[:10]) or 'none'}"
    raise ConfigError("a field that isn't there", where=where, got=name, do=hint)


def _check_reason(params: Params, frame: pd.DataFrame, roles: Roles, *, gives_away: list[str]) -> None:
    """What says a contact reason is there at creation, and isn't kept from the risk for what it gives away."""
    column, where = reason_column(params.history), "params.yaml: history: contact_reason"
    if column is None and f"{FIELD_PREFIX}{roles.queue}" not in frame:
        do = "name a field of the tickets (fields.NAME), or leave it out"
        raise ConfigError("no ticket names its first queue", where=where, got=str(params.history.contact_reason), do=do)
    if column is not None:
        name = column.removeprefix(FIELD_PREFIX)
        _check_field(name, _fields(frame), where)
        if params.features.give_away == "leave_out" and name in gives_away:
            do = "name another one; `triage audit` says what gives it away"
            raise ConfigError("a field that gives the escalation away", where=where, got=name, do=do)
