"""Outcomes as dated facts, made from tickets and events by their definitions; empty means unknown, never "no"."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.errors import ConfigError, TriageError
from pipeline.history.definitions import (
    NO,
    OUT_OF_SCOPE,
    OUTCOME_NAMES,
    YES,
    Definition,
    parse_definitions,
    parse_duration,
    source_columns,
)
from pipeline.history.facts import (
    column_facts,
    end_of_data,
    last_events,
    last_rows,
    replies_by_others,
)
from pipeline.history.identity import pseudonyms
from pipeline.tickets import schema

__all__ = [
    "OUTCOME_NAMES",
    "OUT_OF_SCOPE",
    "Definition",
    "check_values",
    "derive",
    "outside_levels",
    "parse_definitions",
    "parse_duration",
    "source_columns",
]

_SHOWN = 20


@dataclass(frozen=True)
class _Data:
    """What every form reads."""

    tickets: pd.DataFrame
    events: pd.DataFrame
    articles: pd.DataFrame | None
    last_row: pd.Series
    end: pd.Timestamp | None

    @property
    def created(self) -> pd.Series:
        return self.tickets["created_at"].reset_index(drop=True)


def derive(
    tickets: pd.DataFrame,
    events: pd.DataFrame,
    definitions: dict[str, Definition],
    *,
    articles: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The OUTCOMES frame: one row for each ticket and outcome that is known (several for `article`).

    Parameters
    ----------
    tickets, events : DataFrame
        By the schemas TICKETS (ids unique, `fields.*` allowed) and EVENTS.
    definitions : dict
        By `parse_definitions`.
    articles : DataFrame, optional
        Needed by `reply_links` only: slugs and ids.

    Notes
    -----
    `known_at` is, in this order: the definition's `known_at` column (a ticket where it is empty has no outcome yet);
    the row where a condition became true; for a negative the end of its window, or the ticket's last row; for a value
    the ticket's last row in an event log, else the time of the value itself, which is the ticket's creation in a
    table of one row per ticket. A ticket whose window hasn't closed by the end of the data is left out, yes or no:
    otherwise the last days would hold nothing but positives.
    """
    data = _Data(tickets, events, articles, last_rows(tickets, events), end_of_data(tickets, events))
    frames = [schema.empty("outcomes")]
    for definition in definitions.values():
        found = _FORMS[definition.form](data, definition)
        found = _known_by_column(data, definition, found)
        found["ticket_id"] = tickets["ticket_id"].to_numpy()[found["row"].to_numpy(np.int64)]
        found["outcome"] = definition.outcome
        found = found.sort_values("row", kind="stable")
        frames.append(schema.conform(found.reset_index(drop=True), "outcomes"))
    filled = [f for f in frames if len(f)] or frames[:1]
    return pd.concat(filled, ignore_index=True)


def outside_levels(
    tickets: pd.DataFrame, events: pd.DataFrame, definitions: dict[str, Definition]
) -> dict[str, dict[str, int]]:
    """By outcome: how many tickets have which value that its `levels` don't name (their outcome is unknown)."""
    counts: dict[str, dict[str, int]] = {}
    for definition in definitions.values():
        if definition.levels and definition.column:
            values = _picked(column_facts(tickets, events, definition.column), definition)["value"].dropna()
            strange = values[~values.isin([v for v, _ in definition.levels])]
            if len(strange):
                counts[definition.outcome] = {str(k): int(n) for k, n in strange.value_counts().items()}
    return counts


def check_values(
    tickets: pd.DataFrame,
    events: pd.DataFrame,
    definitions: dict[str, Definition],
    *,
    where: str,
    error: type[TriageError] = ConfigError,
) -> None:
    """Refuse an `equals` that never occurs and `levels` of which none occurs.

    Raises
    ------
    TriageError
        Of the kind `error`; it lists the values seen, at most 20.
    """
    for definition in definitions.values():
        if not definition.column or not (definition.equals or definition.levels):
            continue
        seen = column_facts(tickets, events, definition.column)["value"].dropna()
        wanted = set(definition.equals) or {v for v, _ in definition.levels}
        if len(seen) and not _among(seen, wanted).any():
            common = seen.value_counts()
            shown = ", ".join(repr(str(v)) for v in common.index[:_SHOWN])
            raise error(
                f"{'`equals`' if definition.equals else 'none of the `levels`'} never occurs"
                if definition.equals
                else "none of the `levels` occurs",
                where=f"{where}: {definition.outcome}: column {definition.column}",
                got=f"{len(common)} values, such as {shown}",
                do="write the values as the file has them",
            )


def _picked(facts: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """One fact per ticket: the first or the last."""
    return facts.drop_duplicates("row", keep="first" if definition.at == "first" else "last")


def _value(data: _Data, definition: Definition) -> pd.DataFrame:
    facts = column_facts(data.tickets, data.events, str(definition.column))
    if definition.at == "any":
        return _split(facts.rename(columns={"occurred_at": "known_at"}), definition)
    found = _picked(facts, definition)
    known = found["occurred_at"] if definition.at == "first" else _last_row_of(data, found)
    found = pd.DataFrame({"row": found["row"], "value": found["value"], "known_at": known}).dropna(subset="value")
    if definition.outcome == "article":
        return _split(found, definition)
    if definition.outcome == "escalated":
        names = dict.fromkeys(YES, "1") | dict.fromkeys(NO, "0")
        return found.assign(value=found["value"].str.lower().map(names)).dropna(subset="value")
    if definition.out_of_scope:
        strange = found["value"].isin(definition.out_of_scope)
        found = found.assign(value=found["value"].where(~strange, OUT_OF_SCOPE))
    if definition.levels:
        names = dict(definition.levels) | dict.fromkeys(definition.out_of_scope and (OUT_OF_SCOPE,), OUT_OF_SCOPE)
        found = found.assign(value=found["value"].map(names)).dropna(subset="value")
    return found


def _split(found: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """Several article ids in one value become several rows, each id once, at its first time."""
    found = found.dropna(subset="value")
    if definition.separator:
        found = found.assign(value=found["value"].str.split(definition.separator, regex=False)).explode("value")
    found = found.assign(value=found["value"].str.strip())
    return found[found["value"] != ""].drop_duplicates(["row", "value"])


def _equals(data: _Data, definition: Definition) -> pd.DataFrame:
    found = _picked(column_facts(data.tickets, data.events, str(definition.column)), definition).dropna(subset="value")
    yes = _among(found["value"], set(definition.equals))
    known = _last_row_of(data, found)
    if definition.at == "first":
        known = found["occurred_at"]
    elif definition.at is None:
        known = found["occurred_at"].where(yes, known)
    return _answers(found["row"], yes, known)


def _at_least(data: _Data, definition: Definition) -> pd.DataFrame:
    facts = column_facts(data.tickets, data.events, str(definition.column))
    facts = facts.assign(number=pd.to_numeric(facts["value"], errors="coerce")).dropna(subset="number")
    reached = facts["number"] >= (definition.at_least or 0.0)
    closed = _closed(data, definition)
    if definition.window is not None:
        reached &= facts["occurred_at"] <= (data.created + definition.window).reindex(facts["row"]).array
    hits = facts[reached].sort_values(["row", "occurred_at"], kind="stable").drop_duplicates("row")
    rows = facts.drop_duplicates("row", keep="last")
    rows = rows[closed.reindex(rows["row"]).to_numpy(bool)]
    yes = rows["row"].isin(hits["row"])
    ends = _last_row_of(data, rows)
    if definition.window is not None:
        ends = pd.Series((data.created + definition.window).reindex(rows["row"]).array, index=rows.index)
    first_hits = pd.Series(hits.set_index("row")["occurred_at"].reindex(rows["row"]).array, index=rows.index)
    return _answers(rows["row"], yes, first_hits.where(yes, ends))


def _reply_matches(data: _Data, definition: Definition) -> pd.DataFrame:
    replies = replies_by_others(data.tickets, data.events)
    patterns = [re.compile(p, re.IGNORECASE) for p in definition.patterns]
    matched = [isinstance(t, str) and any(p.search(t) for p in patterns) for t in replies["text"]]
    hits = _earliest(replies[np.array(matched, dtype=bool)])
    yes = pd.Series(np.isin(np.arange(len(data.tickets)), hits.index))
    known = hits.reindex(np.arange(len(data.tickets)))
    return _answers(yes.index.to_series(), yes, known.where(yes, last_events(data.tickets, data.events)))


def _reply_links(data: _Data, definition: Definition) -> pd.DataFrame:
    if data.articles is None or data.articles.empty:
        return pd.DataFrame({"row": pd.Series(dtype="int64"), "value": pd.Series(dtype="str"), "known_at": data.created[:0]})
    slugs = dict(zip(data.articles["slug"], data.articles["article_id"], strict=True))
    patterns = [re.compile(p, re.IGNORECASE) for p in definition.patterns]
    replies = replies_by_others(data.tickets, data.events).sort_values("occurred_at", kind="stable")
    cited = replies.assign(slug=[_slugs(t, patterns) for t in replies["text"]]).explode("slug").dropna(subset="slug")
    cited = cited[cited["slug"].isin(list(slugs))].drop_duplicates(["row", "slug"])
    asked = data.tickets[["subject", "body"]].fillna("").iloc[cited["row"].to_numpy(np.int64)]
    own = [slug in _slugs(f"{s}\n{b}", patterns) for slug, s, b in zip(cited["slug"], asked["subject"], asked["body"], strict=True)]
    cited = cited[~np.array(own, dtype=bool)]
    return pd.DataFrame({"row": cited["row"], "value": cited["slug"].map(slugs), "known_at": cited["occurred_at"]})


def _no_reply_within(data: _Data, definition: Definition) -> pd.DataFrame:
    first = _earliest(replies_by_others(data.tickets, data.events)).reindex(np.arange(len(data.tickets)))
    ends = data.created + definition.window
    yes = first.isna() | (first > ends)
    closed = _closed(data, definition)
    return _answers(ends.index.to_series()[closed], yes[closed], ends.where(yes, first)[closed])


def _returns_within(data: _Data, definition: Definition) -> pd.DataFrame:
    customers = data.tickets["customer_id"].reset_index(drop=True)
    by_customer = pd.DataFrame({"customer": customers, "created": data.created}).dropna()
    by_customer = by_customer.sort_values(["customer", "created"], kind="stable")
    following = by_customer.groupby("customer")["created"].shift(-1).reindex(customers.index)
    ends = data.created + definition.window
    excluded = pseudonyms(pd.Series(definition.excluded, dtype="str"))
    yes = following.notna() & (following <= ends) & ~customers.isin(excluded.to_numpy())
    closed = _closed(data, definition) & customers.notna()
    return _answers(ends.index.to_series()[closed], yes[closed], following.where(yes, ends)[closed])


def _slugs(text: object, patterns: list[re.Pattern[str]]) -> list[str]:
    """Slugs that a text links, in lower case, each once."""
    found = (m[1].lower() for p in patterns for m in p.finditer(text)) if isinstance(text, str) else ()
    return list(dict.fromkeys(found))


def _earliest(dated: pd.DataFrame) -> pd.Series:
    """The earliest `occurred_at` of each `row`."""
    return dated.sort_values("occurred_at", kind="stable").drop_duplicates("row").set_index("row")["occurred_at"]


def _closed(data: _Data, definition: Definition) -> pd.Series:
    """Whether each ticket's window closed by the end of the data; without a window: always."""
    if definition.window is None:
        return pd.Series(True, index=data.created.index)
    if data.end is None:
        return pd.Series(False, index=data.created.index)
    return (data.created + definition.window <= data.end).fillna(False).astype(bool)


def _last_row_of(data: _Data, found: pd.DataFrame) -> pd.Series:
    """When the ticket's last row was written; where there is no event log, when the value itself was."""
    last = pd.Series(data.last_row.reindex(found["row"]).array, index=found.index)
    return last.where(last.notna(), found["occurred_at"])


def _answers(rows: pd.Series, yes: pd.Series, known_at: pd.Series) -> pd.DataFrame:
    value = pd.Series(np.where(yes.to_numpy(bool), "1", "0"), index=rows.index, dtype="str")
    return pd.DataFrame({"row": rows.to_numpy(), "value": value.to_numpy(), "known_at": known_at.array})


def _among(values: pd.Series, wanted: set[str]) -> pd.Series:
    """Whether each value is one of those wanted; `true` and `false` in any case."""
    if wanted & {"true", "false"}:
        return values.str.lower().isin(wanted)
    return values.isin(wanted)


def _known_by_column(data: _Data, definition: Definition, found: pd.DataFrame) -> pd.DataFrame:
    if definition.known_at is None:
        return found.copy()
    dates = column_facts(data.tickets, data.events, definition.known_at).drop_duplicates("row", keep="last")
    times = pd.to_datetime(dates["value"], utc=True, errors="coerce", format="ISO8601")
    by_row = pd.Series(times.array, index=dates["row"])
    return found.assign(known_at=by_row.reindex(found["row"]).array).dropna(subset="known_at")


_FORMS: dict[str, Callable[[_Data, Definition], pd.DataFrame]] = {
    "value": _value,
    "equals": _equals,
    "at_least": _at_least,
    "reply_matches": _reply_matches,
    "reply_links": _reply_links,
    "no_reply_within": _no_reply_within,
    "returns_within": _returns_within,
}
