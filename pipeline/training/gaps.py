"""`triage articles gaps`: topics, and groups of tickets within them, for which the knowledge base has no article."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.articles.earlier import Asked
from pipeline.articles.model import ArticleModel, ticket_vectors
from pipeline.errors import InputError
from pipeline.history.facts import end_of_data, endings, positions, replies_by_others
from pipeline.history.log import HOUR, NEVER, moments
from pipeline.pages.knowledge import Gap, Gaps, TopicGap
from pipeline.scorer import Scorer
from pipeline.sources.raw import Raw, load_raw, relabel
from pipeline.tickets import parse
from pipeline.training.groups import grouped, middle_first
from pipeline.training.leak import Facts
from pipeline.training.served import serve
from pipeline.training.telling_words import Documents, class_words

DAYS = 90
"""So many of the data's last days are looked at."""

BELOW = 0.2
"""A suggestion less probable than this is none."""

FEWEST = 5
"""Fewer tickets are no gap that is worth a page."""

SHOWN_WORDS, EXAMPLES = 6, 3


def gaps(
    raw: Path | Raw,
    scorer: Scorer,
    *,
    since: pd.Timestamp | None = None,
    below: float = BELOW,
    say: Callable[[str], None] = print,
) -> Gaps:
    """Score the tickets of a period, and group those that no article fits.

    Parameters
    ----------
    since : Timestamp, optional
        Tickets created from this moment on; the last `DAYS` days of the data without it. Tickets without a time are
        looked at only where no ticket has one.
    below : float
        See `Gaps`.

    Raises
    ------
    InputError
        The scorer suggests no articles, or no ticket is in the period.
    """
    given = load_raw(raw) if isinstance(raw, Path) else raw
    if scorer.models.articles is None:
        raise InputError("the scorer suggests no articles", do="import articles and what was cited, then train again")
    tickets = _of_period(given.tickets, since)
    definitions, outcomes = relabel(given, scorer.settings.outcomes, customers=scorer.settings.history)
    say(f"{len(tickets):,} tickets to look at")
    scored = serve(scorer, tickets, say=say).scored
    facts = Facts(given.tickets, given.events, outcomes, definitions)
    return gaps_among(parse(tickets, scorer.settings.tickets), scored, facts, scorer, below=below)


def gaps_among(
    parsed: pd.DataFrame, scored: pd.DataFrame, facts: Facts, scorer: Scorer, *, below: float = BELOW
) -> Gaps:
    """The same of tickets that were scored already.

    Parameters
    ----------
    parsed, scored : DataFrame, n rows
        The same tickets, row for row.
    """
    model = scorer.models.articles
    assert model is not None  # nobody asks a scorer without articles
    spoken = parsed["text"].notna().to_numpy(bool) & scored["error"].isna().to_numpy(bool)
    parsed, scored = (frame[spoken].reset_index(drop=True) for frame in (parsed, scored))
    named = facts.outcomes[(facts.outcomes["outcome"] == "article").to_numpy(bool)]
    cited = named.loc[named["value"].isin(list(model.index.ids)).to_numpy(bool), "ticket_id"]
    likeliest = np.array([row[0]["probability"] if row else 0.0 for row in scored["articles"]])
    lacks = np.flatnonzero((likeliest < below) & ~parsed["ticket_id"].isin(cited).to_numpy(bool))
    topics = [t if isinstance(t, str) else None for t in scored["topic"]]
    lacking = _lacking(parsed.iloc[lacks].reset_index(drop=True), likeliest[lacks], facts, scorer, model)
    codes, kinds = _codes([topics[row] for row in lacks], lacking, scorer.settings.seed)
    said, nearest = _words(parsed["text"].tolist(), lacks, codes), _nearest(model, lacking.asked, codes, len(kinds))
    found = [
        lacking.gap(np.flatnonzero(codes == code), kind, () if kind[1] else said.get(code, ()), nearest[code])
        for code, kind in enumerate(kinds)
    ]
    first, last = _dates(parsed["created_at"])
    return Gaps(
        first, last, len(parsed), len(lacks), below, int((codes < 0).sum()), _by_topic(topics, lacks),
        tuple(sorted(found, key=lambda gap: (-gap.weight, -gap.tickets, gap.examples))),
    )  # fmt: skip


def hours_waited(tickets: pd.DataFrame, facts: Facts) -> np.ndarray:
    """Hours from each ticket's creation to its first answer or its end, shape (n,); to the end of the data without.

    Nan where the ticket has no time.
    """
    created = moments(tickets["created_at"])
    end = end_of_data(facts.tickets, facts.events)
    until = np.full(len(tickets), NEVER if end is None else moments(pd.Series([end]))[0])
    for dated in (replies_by_others(facts.tickets, facts.events), endings(facts.tickets, facts.events)):
        at = moments(dated["occurred_at"])
        row = positions(tickets, facts.tickets["ticket_id"].iloc[dated["row"].to_numpy()])
        known = (row >= 0) & (at != NEVER)
        np.minimum.at(until, row[known], at[known])
    hours = np.maximum(until - created, 0) / HOUR
    return np.where(created == NEVER, np.nan, hours)


Nearest = tuple[str | None, str | None, float | None]
"""An article's id and title, and its mean probability."""


@dataclass(frozen=True)
class _Lacking:
    """Tickets without an article, as the model looks at them.

    Attributes
    ----------
    parsed : DataFrame, n rows
    asked : Asked
    readable : ndarray of bool, shape (n,)
        Whether any article is in the ticket's language and about its product.
    likeliest, hours : ndarray, shape (n,)
        Probability of what was suggested, 0 where none fits; hours waited.
    """

    parsed: pd.DataFrame
    asked: Asked
    readable: np.ndarray
    likeliest: np.ndarray
    hours: np.ndarray

    def gap(
        self, rows: np.ndarray, kind: tuple[str | None, str | None], words: tuple[str, ...], nearest: Nearest
    ) -> Gap:
        """Some of the tickets as one gap, of a kind: topic and language."""
        hours = self.hours[rows][~np.isnan(self.hours[rows])]
        middle = rows[middle_first(self.asked.vectors[rows])][:EXAMPLES]
        (topic, language), (article_id, title, probability) = kind, nearest
        return Gap(
            topic=topic,
            language=language,
            words=words,
            tickets=len(rows),
            none_fits=float(np.mean(self.likeliest[rows] == 0.0)),
            waiting_hours=float(np.median(hours)) if len(hours) else None,
            examples=tuple(self.parsed["ticket_id"].iloc[middle]),
            article_id=article_id,
            title=title,
            probability=probability,
        )


def _lacking(
    parsed: pd.DataFrame, likeliest: np.ndarray, facts: Facts, scorer: Scorer, model: ArticleModel
) -> _Lacking:
    vectors = ticket_vectors(scorer.builder.transform(parsed, None), scorer.builder.terms)
    asked = Asked.of(parsed, vectors, product=scorer.settings.articles.product)
    readable = np.asarray(model.index.fitting(asked.languages, asked.products).any(axis=1))
    return _Lacking(parsed, asked, readable, likeliest, hours_waited(parsed, facts))


def _nearest(model: ArticleModel, asked: Asked, codes: np.ndarray, groups: int) -> list[Nearest]:
    """Of each group the article that says what is nearest to its tickets, by the first of the model's measures.

    What is likeliest would be the article that is cited most, whatever the tickets are about.
    """
    near, likely = np.zeros((groups, len(model.index))), np.zeros((groups, len(model.index)))
    for where, part in asked.pieces():
        seen = model.look(part)
        said = model.ranker.probabilities(model.ranker.evidence(seen))
        for row in np.flatnonzero(codes[where] >= 0):
            near[codes[where][row]] += np.where(seen.allowed[row], seen.content[row, :, 0], -1.0)
            likely[codes[where][row]] += said[row]
    found: list[Nearest] = []
    for code in range(groups):
        if not likely[code].any():
            found.append((None, None, None))
            continue
        best = int(near[code].argmax())
        mean = float(likely[code, best] / (codes == code).sum())
        found.append((model.index.ids[best], model.index.titles[best], mean))
    return found


def _codes(
    topics: list[str | None], lacking: _Lacking, seed: int
) -> tuple[np.ndarray, list[tuple[str | None, str | None]]]:
    """Group of each ticket (-1: none), and topic and language of each group.

    Tickets in a language without any article are one group a language; all others are grouped within their topic.
    """
    codes = np.full(len(topics), -1)
    kinds: list[tuple[str | None, str | None]] = []
    keys = [
        (topic, None) if readable else (None, str(language))
        for topic, readable, language in zip(topics, lacking.readable, lacking.asked.languages, strict=True)
    ]
    for key in sorted(set(keys), key=lambda key: tuple(map(str, key))):
        rows = np.array([row for row, its in enumerate(keys) if its == key])
        inner = np.zeros(len(rows), dtype=int) if key[1] else grouped(lacking.asked.vectors[rows], seed=seed)
        for one in range(inner.max(initial=-1) + 1):
            if (inner == one).sum() >= FEWEST:
                codes[rows[inner == one]] = len(kinds)
                kinds.append(key)
    return codes, kinds


def _words(texts: list[str], lacks: np.ndarray, codes: np.ndarray) -> dict[int, tuple[str, ...]]:
    """Words that tell each group from all other tickets."""
    labels = np.full(len(texts), "", dtype=object)
    labels[lacks] = [str(code) if code >= 0 else "" for code in codes]
    classes = {str(code): str(code) for code in sorted(set(codes[codes >= 0]))}
    found = class_words(Documents(texts), labels.astype(str), classes=classes)
    return {int(one.label): tuple(w.word for w in one.words[:SHOWN_WORDS]) for one in found}


def _by_topic(topics: list[str | None], lacks: np.ndarray) -> tuple[TopicGap, ...]:
    without = [topics[row] for row in lacks]
    found = [TopicGap(topic, topics.count(topic), without.count(topic)) for topic in {*without}]
    return tuple(sorted(found, key=lambda one: (-one.lacking, str(one.topic))))


def _of_period(tickets: pd.DataFrame, since: pd.Timestamp | None) -> pd.DataFrame:
    created = tickets["created_at"]
    if created.isna().all() and since is None:
        return tickets.reset_index(drop=True)
    begin = since if since is not None else created.max() - pd.Timedelta(days=DAYS)
    kept = tickets[(created >= begin).to_numpy(bool, na_value=False)].reset_index(drop=True)
    if kept.empty:
        raise InputError("no ticket was created then", where="--from", got=str(begin), do="name an earlier day")
    return kept


def _dates(created: pd.Series) -> tuple[str, str]:
    if created.isna().all():
        return "", ""
    return created.min().strftime("%Y-%m-%d"), created.max().strftime("%Y-%m-%d")
