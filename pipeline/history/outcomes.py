"""Outcomes as dated facts, made from tickets and events by their definitions; empty means unknown, never "no"."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.config import History, nearest
from pipeline.errors import ConfigError, TriageError
from pipeline.history.definitions import (
    OUT_OF_SCOPE,
    OUTCOME_NAMES,
    SAME_TOPIC,
    YES,
    Definition,
    parse_definitions,
    parse_duration,
    source_columns,
)
from pipeline.history.facts import column_facts, end_of_data, last_rows
from pipeline.history.forms import FORMS, among, known_by_column, picked
from pipeline.history.windows import Data
from pipeline.tickets import schema
from pipeline.tickets.schema import FIELD_PREFIX

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
    "turned",
]

_SHOWN = 20


def derive(
    tickets: pd.DataFrame,
    events: pd.DataFrame,
    definitions: dict[str, Definition],
    *,
    articles: pd.DataFrame | None = None,
    customers: History | None = None,
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
    customers : History, optional
        Who counts as one customer, for `returns_within`; the settings' defaults if it isn't given.

    Notes
    -----
    `known_at` is, in this order: the definition's `known_at` column (a ticket where it is empty has no outcome yet);
    the row where a condition became true; for a negative the end of its window, or the ticket's last row; for a value
    the ticket's last row in an event log, else the time of the value itself, which is the ticket's creation in a
    table of one row per ticket. A ticket whose window hasn't closed by the end of the data is left out, yes or no:
    otherwise the last days would hold nothing but positives.
    """
    data = Data(
        tickets, events, articles, last_rows(tickets, events), end_of_data(tickets, events), customers or History()
    )
    frames = [schema.empty("outcomes")]
    for definition in sorted(definitions.values(), key=_place):
        found = FORMS[definition.form](data, definition)
        found = known_by_column(data, definition, found)
        if definition.outcome == "topic":  # the first that is made
            data = replace(data, topics=found)
        found["ticket_id"] = tickets["ticket_id"].to_numpy()[found["row"].to_numpy(np.int64)]
        found["outcome"] = definition.outcome
        found = found.sort_values("row", kind="stable")
        frames.append(schema.conform(found.reset_index(drop=True), "outcomes"))
    filled = [f for f in frames if len(f)] or frames[:1]
    return pd.concat(filled, ignore_index=True)


def turned(tickets: pd.DataFrame, events: pd.DataFrame, definition: Definition | None) -> pd.Series:
    """When each ticket was first seen to look as if its outcome were yes, by ticket id; empty where no column tells.

    The value may still change, and a definition may say that only the last one counts: so `known_at` can be much later.
    From this moment on nobody would ask any more whether it will come to that. A definition that names a `known_at`
    column says that the value's own time means nothing: no column tells then.
    """
    forms = ("equals", "at_least", "value")
    if definition is None or not definition.column or definition.known_at or definition.form not in forms:
        return pd.Series(index=pd.Index([], dtype="str"), dtype="datetime64[us, UTC]")
    facts = column_facts(tickets, events, definition.column).dropna(subset="value")
    if definition.form == "at_least":
        yes = pd.to_numeric(facts["value"], errors="coerce") >= (definition.at_least or 0.0)
    elif definition.form == "equals":
        yes = among(facts["value"], set(definition.equals))
    else:
        yes = facts["value"].str.lower().isin(YES)
    facts = facts.assign(seen_at=facts[["occurred_at", "received_at"]].max(axis=1))
    first = facts[yes.to_numpy(bool)].sort_values(["row", "seen_at"], kind="stable").drop_duplicates("row")
    return pd.Series(first["seen_at"].array, index=pd.Index(tickets["ticket_id"].iloc[first["row"]]))


def outside_levels(
    tickets: pd.DataFrame, events: pd.DataFrame, definitions: dict[str, Definition]
) -> dict[str, dict[str, int]]:
    """By outcome: how many tickets have which value that its `levels` don't name (their outcome is unknown)."""
    counts: dict[str, dict[str, int]] = {}
    for definition in definitions.values():
        if definition.levels and definition.column:
            values = picked(column_facts(tickets, events, definition.column), definition)["value"].dropna()
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
    """Refuse an `equals` that never occurs, `levels` of which none occurs, and a `same` that nothing tells.

    Raises
    ------
    TriageError
        Of the kind `error`; it lists the values seen, at most 20.
    """
    _check_same(tickets, events, definitions, where=where, error=error)
    for definition in definitions.values():
        if not definition.column or not (definition.equals or definition.levels):
            continue
        seen = column_facts(tickets, events, definition.column)["value"].dropna()
        wanted = set(definition.equals) or {v for v, _ in definition.levels}
        if len(seen) and not among(seen, wanted).any():
            common = seen.value_counts()
            shown = ", ".join(repr(str(v)) for v in common.index[:_SHOWN])
            raise error(
                "the `equals` value never occurs" if definition.equals else "none of the `levels` occurs",
                where=f"{where}: {definition.outcome}: column {definition.column}",
                got=f"{len(common)} values, such as {shown}",
                do="write the values as the file has them",
            )


def _check_same(
    tickets: pd.DataFrame,
    events: pd.DataFrame,
    definitions: dict[str, Definition],
    *,
    where: str,
    error: type[TriageError],
) -> None:
    """Refuse a `same` that names the topic where none is defined, or a column of which nothing was kept."""
    same = definitions["escalated"].same if "escalated" in definitions else None
    where = f"{where}: escalated: same"
    if same == SAME_TOPIC and "topic" not in definitions:
        raise error("no topic is defined", where=where, got=same, do="define `topic`, or name a column")
    fields = {str(c).removeprefix(FIELD_PREFIX) for c in tickets.columns if str(c).startswith(FIELD_PREFIX)}
    known = sorted(fields | set(events.loc[events["kind"] == "field", "field"].dropna()))
    if same not in (None, SAME_TOPIC, *known):
        near = nearest(str(same), known)
        do = "name it under `fields`, or under `events: {track: [...]}`, in the mapping, and import again"
        raise error(
            f"the import kept no facts of column {same!r}",
            where=where,
            got=f"kept: {', '.join(known[:_SHOWN])}",
            do=f"did you mean {near[0]!r}? Otherwise {do}" if near else do,
        )


def _place(definition: Definition) -> int:
    return OUTCOME_NAMES.index(definition.outcome)
