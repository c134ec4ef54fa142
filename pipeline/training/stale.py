"""`triage articles stale`: articles that are cited no more, are gone, were never cited, or bring customers back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binom

from pipeline.config import History, Params
from pipeline.history.facts import end_of_data, endings, positions
from pipeline.history.forms import linked
from pipeline.history.log import DAY, NEVER, is_named, moments, objects
from pipeline.history.record import customers as customers_of
from pipeline.pages.knowledge import ComesBack, Fading, Gone, Stale
from pipeline.sources.raw import Raw, load_raw, relabel
from pipeline.training.breakdown import wilson
from pipeline.training.leak import Facts

LATE_DAYS = 90
"""Citations of the last so many days of citations are the late ones."""

SURPRISE = 0.01
"""An article fades where so few late citations have at most this probability, its share being what it was."""

BACK_DAYS = 7
"""A customer comes back within so many days of the citation; citations nearer to the end of the data don't count."""

FEWEST = 5
"""With fewer tickets nothing is said of an article."""

Titles = dict[str, str | None]

_WAYS = ("wrote", "reopened", "returned")
_SPAN = BACK_DAYS * DAY


def stale(raw: Path | Raw, params: Params) -> Stale:
    """Hold late citations against earlier ones, and what customers did after them against what they usually do.

    Parameters
    ----------
    params : Params
        Its `outcomes` are defined over those of the imports; its `history` says who is one customer.
    """
    given = load_raw(raw) if isinstance(raw, Path) else raw
    definitions, outcomes = relabel(given, params.outcomes, customers=params.history)
    facts = Facts(given.tickets, given.events, outcomes, definitions)
    return stale_of(facts, given.articles, params.history)


def stale_of(facts: Facts, articles: pd.DataFrame, customers: History) -> Stale:
    """The same of facts that were read already."""
    cited = facts.outcomes[(facts.outcomes["outcome"] == "article").to_numpy(bool)]
    said = (title if isinstance(title, str) else None for title in articles["title"])
    titles: Titles = dict(zip(articles["article_id"], said, strict=True))
    known = cited["value"].isin(list(titles)).to_numpy(bool)
    here = cited[known].reset_index(drop=True)
    last = here["known_at"].max()
    late_from = last - pd.Timedelta(days=LATE_DAYS)
    base, back = _comes_back(here, facts, customers, titles)
    named = set(here["value"])
    return Stale(
        _day(last), _day(late_from), len(here), len(titles), base, BACK_DAYS, _fading(here, late_from, titles),
        _gone(cited[~known], facts, articles), back,
        tuple((name, title) for name, title in sorted(titles.items()) if name not in named),
    )  # fmt: skip


def _fading(here: pd.DataFrame, late_from: pd.Timestamp, titles: Titles) -> tuple[Fading, ...]:
    """Articles with fewer late citations than their earlier share of all citations lets expect."""
    dated = here[here["known_at"].notna().to_numpy(bool)]
    is_late = (dated["known_at"] > late_from).to_numpy(bool)
    before, late = (dated[rows]["value"].value_counts() for rows in (~is_late, is_late))
    latest = dict(dated.groupby("value")["known_at"].max())
    found = []
    for name, times in before.items():
        share, now = times / before.sum(), int(late.get(name, 0))
        if times >= FEWEST and binom.cdf(now, int(late.sum()), share) <= SURPRISE:
            expected = float(share * late.sum())
            found.append(Fading(str(name), titles[str(name)], int(times), now, expected, _day(latest[name])))
    return tuple(sorted(found, key=lambda one: (one.late - one.expected, one.article_id)))


def _gone(away: pd.DataFrame, facts: Facts, articles: pd.DataFrame) -> tuple[Gone, ...]:
    """Cited ids, or linked names, that no article has."""
    definition = facts.definitions.get("article")
    named = away.rename(columns={"value": "name", "known_at": "at"})
    if definition is not None and definition.form == "reply_links":
        links = linked(facts.tickets, facts.events, definition)
        links = links[~links["slug"].isin(articles["slug"].dropna()).to_numpy(bool)]
        named = links.rename(columns={"slug": "name", "occurred_at": "at"})
    found = [Gone(str(name), len(rows), _day(rows["at"].max())) for name, rows in named.groupby("name")]
    return tuple(sorted(found, key=lambda one: (-one.cited, one.name)))


def _comes_back(
    here: pd.DataFrame, facts: Facts, customers: History, titles: Titles
) -> tuple[float | None, tuple[ComesBack, ...]]:
    """The share of all tickets with a citation whose customers came back, and the articles, most beyond it first."""
    end = end_of_data(facts.tickets, facts.events)
    row, at = positions(facts.tickets, here["ticket_id"]), moments(here["known_at"])
    closed = (row >= 0) & (at != NEVER)
    closed &= at + _SPAN <= (NEVER if end is None else moments(pd.Series([end]))[0])
    kept = here[closed].reset_index(drop=True)
    if kept.empty:
        return None, ()
    came = _ways(facts, customers, row[closed], at[closed])
    either = came.any(axis=1)
    found = []
    for name, rows in kept.groupby("value").groups.items():
        if len(rows) >= FEWEST:
            wrote, opened, other = (int(came.loc[rows, way].sum()) for way in _WAYS)
            back = int(either[rows].sum())
            title, share = titles[str(name)], wilson(back, len(rows))
            found.append(ComesBack(str(name), title, len(rows), back, wrote, opened, other, share))
    ordered = sorted(found, key=lambda one: (-(one.share.low or 0.0), one.article_id))
    return float(either.groupby(kept["ticket_id"]).any().mean()), tuple(ordered)


def _ways(facts: Facts, customers: History, row: np.ndarray, at: np.ndarray) -> pd.DataFrame:
    """Whether, in time, the customer wrote on the ticket, it was opened again, they opened another: bool, (n, 3)."""
    tickets = facts.tickets
    wrote, again = _replies_by_customers(facts), endings(tickets, facts.events).dropna(subset="reopened_at")
    who = pd.factorize(customers_of(tickets, customers))[0]  # -1: nobody knows
    other = np.flatnonzero(who >= 0)
    found = {
        "wrote": _within(row, at, wrote["row"].to_numpy(np.int64), moments(wrote["occurred_at"])),
        "reopened": _within(row, at, again["row"].to_numpy(np.int64), moments(again["reopened_at"])),
        "returned": _within(who[row], at, who[other], moments(tickets["created_at"])[other]),
    }
    return pd.DataFrame(found)


def _replies_by_customers(facts: Facts) -> pd.DataFrame:
    """`row` and `occurred_at` of replies that aren't by others."""
    replies = facts.events[(facts.events["kind"] == "reply").to_numpy(bool)]
    row = positions(facts.tickets, replies["ticket_id"])
    asker = objects(facts.tickets["customer_id"])[row]
    side, actor = objects(replies["side"]), objects(replies["actor"])
    own = (side == "customer") | (~is_named(side) & is_named(actor) & (actor == asker))
    dated = pd.DataFrame({"row": row, "occurred_at": replies["occurred_at"].array})
    return dated[np.asarray(own & (row >= 0), dtype=bool)]


def _within(group: np.ndarray, at: np.ndarray, groups: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Whether anything of the same group happened after each moment and in time, shape of `at`, bool."""
    marks = np.unique(times)
    wide = len(marks) + 1
    keys = np.sort(groups * wide + np.searchsorted(marks, times))
    first, stop = (
        np.searchsorted(keys, group * wide + np.searchsorted(marks, moment, side="right"))
        for moment in (at, at + _SPAN)
    )
    return np.asarray((stop > first) & (group >= 0))


def _day(moment: pd.Timestamp | None) -> str:
    return "" if moment is None or pd.isna(moment) else str(moment.strftime("%Y-%m-%d"))
