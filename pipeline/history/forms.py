"""The forms that an outcome can have, one function each: tickets and events in, dated answers out.

Those of columns and of what replies say stand here; `happenings.py` and `returns.py` have the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

from pipeline.history.definitions import NO, OUT_OF_SCOPE, YES, Definition
from pipeline.history.facts import column_facts, last_events, replies_by_others
from pipeline.history.happenings import happens_within, never_answered, no_reply_within, reopened_within
from pipeline.history.returns import returns_within
from pipeline.history.windows import Data, answers, closed, earliest, no_answers


def picked(facts: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """One fact per ticket: the first or the last."""
    return facts.drop_duplicates("row", keep="first" if definition.at == "first" else "last")


def _value(data: Data, definition: Definition) -> pd.DataFrame:
    facts = column_facts(data.tickets, data.events, str(definition.column))
    if definition.at == "any":
        return _split(facts.rename(columns={"occurred_at": "known_at"}), definition)
    found = picked(facts, definition)
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


def _equals(data: Data, definition: Definition) -> pd.DataFrame:
    found = picked(column_facts(data.tickets, data.events, str(definition.column)), definition).dropna(subset="value")
    yes = among(found["value"], set(definition.equals))
    known = _last_row_of(data, found)
    if definition.at == "first":
        known = found["occurred_at"]
    elif definition.at is None:
        known = found["occurred_at"].where(yes, known)
    return answers(found["row"], yes, known)


def _at_least(data: Data, definition: Definition) -> pd.DataFrame:
    facts = column_facts(data.tickets, data.events, str(definition.column))
    facts = facts.assign(number=pd.to_numeric(facts["value"], errors="coerce")).dropna(subset="number")
    reached = facts["number"] >= (definition.at_least or 0.0)
    over = closed(data, definition)
    if definition.window is not None:
        reached &= facts["occurred_at"] <= data.window_ends(definition).reindex(facts["row"]).array
    hits = facts[reached].sort_values(["row", "occurred_at"], kind="stable").drop_duplicates("row")
    rows = facts.drop_duplicates("row", keep="last")
    rows = rows[over.reindex(rows["row"]).to_numpy(bool)]
    yes = rows["row"].isin(hits["row"])
    ends = _last_row_of(data, rows)
    if definition.window is not None:
        ends = pd.Series(data.window_ends(definition).reindex(rows["row"]).array, index=rows.index)
    first_hits = pd.Series(hits.set_index("row")["occurred_at"].reindex(rows["row"]).array, index=rows.index)
    return answers(rows["row"], yes, first_hits.where(yes, ends))


def _reply_matches(data: Data, definition: Definition) -> pd.DataFrame:
    replies = replies_by_others(data.tickets, data.events)
    patterns = [re.compile(p, re.IGNORECASE) for p in definition.patterns]
    matched = [isinstance(t, str) and any(p.search(t) for p in patterns) for t in replies["text"]]
    hits = earliest(replies[np.array(matched, dtype=bool)])["occurred_at"]
    yes = pd.Series(np.isin(np.arange(len(data.tickets)), hits.index))
    known = hits.reindex(np.arange(len(data.tickets)))
    return answers(yes.index.to_series(), yes, known.where(yes, last_events(data.tickets, data.events)))


def _reply_links(data: Data, definition: Definition) -> pd.DataFrame:
    """What replies link: the article's id, or the name in the link where the knowledge base has no such article."""
    if data.articles is None or data.articles.empty:
        return no_answers(data)
    slugs = dict(zip(data.articles["slug"], data.articles["article_id"], strict=True))
    cited = linked(data.tickets, data.events, definition)
    value = cited["slug"].map(slugs).fillna(cited["slug"])
    return pd.DataFrame({"row": cited["row"], "value": value, "known_at": cited["occurred_at"]})


def linked(tickets: pd.DataFrame, events: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """Every slug that replies link and their ticket doesn't, whether an article has it or not.

    `row`, `slug` and `occurred_at`: each slug once a ticket, when it was linked first. `definition` is of the form
    `reply_links`.
    """
    patterns = [re.compile(p, re.IGNORECASE) for p in definition.patterns]
    replies = replies_by_others(tickets, events).sort_values("occurred_at", kind="stable")
    slugs_cited = pd.Series([_slugs(t, patterns) for t in replies["text"]], index=replies.index, dtype="object")
    cited = replies.assign(slug=slugs_cited).explode("slug").dropna(subset="slug").drop_duplicates(["row", "slug"])
    asked = tickets[["subject", "body"]].fillna("").iloc[cited["row"].to_numpy(np.int64)]
    texts = asked["subject"] + "\n" + asked["body"]
    own = [slug in _slugs(text, patterns) for slug, text in zip(cited["slug"], texts, strict=True)]
    return cited[~np.array(own, dtype=bool)].drop(columns="text")


def _slugs(text: object, patterns: list[re.Pattern[str]]) -> list[str]:
    """Slugs that a text links, in lower case, each once."""
    found = (m[1].lower() for p in patterns for m in p.finditer(text)) if isinstance(text, str) else ()
    return list(dict.fromkeys(found))


def _last_row_of(data: Data, found: pd.DataFrame) -> pd.Series:
    """When the ticket's last row was written; where there is no event log, when the value itself was."""
    last = pd.Series(data.last_row.reindex(found["row"]).array, index=found.index)
    return last.where(last.notna(), found["occurred_at"])


def among(values: pd.Series, wanted: set[str]) -> pd.Series:
    """Whether each value is one of those wanted; `true` and `false` in any case."""
    if wanted & {"true", "false"}:
        return values.str.lower().isin(wanted)
    return values.isin(wanted)


def known_by_column(data: Data, definition: Definition, found: pd.DataFrame) -> pd.DataFrame:
    if definition.known_at is None:
        return found.copy()
    dates = column_facts(data.tickets, data.events, definition.known_at).drop_duplicates("row", keep="last")
    times = pd.to_datetime(dates["value"], utc=True, errors="coerce", format="ISO8601")
    by_row = pd.Series(times.array, index=dates["row"])
    return found.assign(known_at=by_row.reindex(found["row"]).array).dropna(subset="known_at")


FORMS: dict[str, Callable[[Data, Definition], pd.DataFrame]] = {
    "value": _value,
    "equals": _equals,
    "at_least": _at_least,
    "reply_matches": _reply_matches,
    "reply_links": _reply_links,
    "no_reply_within": no_reply_within,
    "never_answered": never_answered,
    "returns_within": returns_within,
    "reopened_within": reopened_within,
    "kind": happens_within,
    "satisfaction_below": happens_within,
}
