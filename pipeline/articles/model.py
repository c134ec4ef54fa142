"""Suggestions for tickets: index, earlier citations and ranking together, and when nothing fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from pipeline.articles.around import SHARES, Around, Uncovered
from pipeline.articles.earlier import Asked, Earlier, alike_in_language
from pipeline.articles.habit import Habit, no_habit
from pipeline.articles.index import ArticleIndex
from pipeline.articles.ranker import Ranker, Seen, by_article, likeliest, strength
from pipeline.artifact import State
from pipeline.calibration import sigmoid
from pipeline.features.build import Blocks
from pipeline.features.text import Terms
from pipeline.history.log import DAY, NEVER

MEASURES = ("passage", "article", "words", "popular", "habit")
"""What an article is measured by: cosine of its best passage and of its mean, ln(1 + BM25) of its best passage, how
often it was cited lately, and what a classifier says that learned which article is cited on such tickets. Without
citations to learn from, the first four; without an encoder, `WITHOUT_ENCODER`."""

WITHOUT_ENCODER = ("words", "popular")

BY_HAND = {"passage": 8.0, "article": 7.1, "words": 0.83, "popular": 0.0}
BY_HAND_WORDS = {"words": 3.4, "popular": 0.0}
"""Weights before there is a history to learn from; as learned without citations on the Thunderbird tickets of before
2024-10, where plain rank fusion was worse than the vectors alone."""

HALF_LIFE = 60 * DAY
"""Citations count half in `popular` after so long."""

_PRIOR = 0.5
_LONGEST = 1_000.0

SURENESS = ("evidence", "share", "lead", "passage", "words", *SHARES)
"""What tells whether anything fits: logarithm of all evidence, share of the first, its lead over the second, the
first one's measures (`passage` is 0 without an encoder), and what earlier tickets around were answered by."""


class Citations(NamedTuple):
    """Articles cited or dismissed on earlier tickets, in order of the articles; arrays of shape (c,).

    Attributes
    ----------
    ticket : ndarray of str
        Id of the ticket.
    article : ndarray of int64
        Position in the index.
    known : ndarray of int64
        When it was cited, in microseconds; `NEVER` where nobody knows.
    vectors : ndarray of shape (c, d), or csr_matrix of shape (c, terms)
        Of the tickets, of unit length.
    weight : ndarray, optional
        1 for a citation; below 0 where the article was dismissed: by how many citations. None: all are citations.
    """

    ticket: np.ndarray
    article: np.ndarray
    known: np.ndarray
    vectors: Any
    weight: np.ndarray | None = None

    @property
    def cited(self) -> np.ndarray:
        """Article of each that is a citation."""
        return self.article if self.weight is None else self.article[self.weight > 0]


@dataclass(frozen=True)
class ArticleModel:
    """Suggests articles.

    Attributes
    ----------
    index : ArticleIndex
    citations : Citations
    ranker : Ranker
    fits : ndarray, shape (16,)
        Weights of `SURENESS` and a constant: logit of P(something fits). Empty where it was never learned.
    least : float
        Below this probability nothing is suggested.
    shown : int
        Most suggestions for a ticket.
    stays : ndarray, shape (m,)
        Share of customers who didn't come back after each article was cited; nan where too few were answered by it.
    sure : float
        From this probability on the first suggestion is an auto-answer candidate; infinite: never.
    uncovered : Uncovered or None
        Earlier tickets that nothing in the index answered.
    habit : Habit or None
        Which article is cited on tickets of such meaning.
    """

    index: ArticleIndex
    citations: Citations = field(repr=False)
    ranker: Ranker
    fits: np.ndarray
    least: float
    shown: int
    stays: np.ndarray = field(default_factory=lambda: np.zeros(0))
    sure: float = np.inf
    uncovered: Uncovered | None = field(default=None, repr=False)
    habit: Habit | None = field(default=None, repr=False)

    def look(self, asked: Asked) -> Seen:
        """What the ranking goes by."""
        known = self.citations
        near, before = self._earlier.similarity(asked), self._earlier.seen(asked)
        for_it = before if known.weight is None else before & (known.weight > 0)
        measures = [np.log1p(self.index.best(self.index.scores(asked.texts))), self._popular(asked.at[:, None], for_it)]
        if self.index.vectors.shape[1] and not sp.issparse(asked.vectors):
            meaning = self.index.best(self.index.meanings(asked.vectors))
            measures = [meaning, np.asarray(asked.vectors @ self.index.centres.T), *measures]
            if self.habit is not None:
                measures.append(self.habit.says(asked.vectors, len(self.index)))
        content = np.moveaxis(np.stack(measures, dtype=np.float64), 0, -1)  # measure by measure in memory
        allowed = self.index.fitting(asked.languages, asked.products)
        return Seen(content, near, before, known.article, allowed, known.weight)

    def suggest(self, asked: Asked) -> list[list[dict[str, Any]]]:
        """For each ticket the articles, the likeliest first; an empty list where none fits."""
        found: list[list[dict[str, Any]]] = []
        for _, part in asked.pieces():
            seen = self.look(part)
            evidence = self.ranker.evidence(seen)
            likely = self.ranker.probabilities(evidence)
            fits = self.fitting(part, seen, evidence, likely) >= self.least
            speaks = np.array([bool(text.strip()) for text in part.texts]) & fits
            for row, articles in enumerate(likeliest(likely, self.shown)):
                good = [a for a in articles if speaks[row] and likely[row, a] > 0]
                found.append([self._said(a, float(likely[row, a])) for a in good])
        return found

    def auto_answers(self, suggested: Sequence[list[dict[str, Any]]]) -> list[dict[str, Any] | None]:
        """For each ticket an article that is nearly sure to answer it, and the share of customers who don't come back.

        Of the first suggestion, if it is as probable as `sure`, and enough tickets were answered by it before.
        """
        found: list[dict[str, Any] | None] = []
        for articles in suggested:
            first = articles[0] if articles and articles[0]["probability"] >= self.sure else None
            stays = float(self.stays[self.index.place[first["article_id"]]]) if first and len(self.stays) else np.nan
            known = first is not None and not np.isnan(stays)
            found.append({"article_id": first["article_id"], "probability": stays} if first and known else None)
        return found

    def fitting(self, asked: Asked, seen: Seen, evidence: np.ndarray, likely: np.ndarray) -> np.ndarray:
        """P(something fits), shape (n,); 1 where that was never learned."""
        if not len(self.fits) or not evidence.shape[1]:
            return np.ones(len(evidence))
        told = sureness(seen, evidence, likely, self.around(asked, seen))
        return np.asarray(sigmoid(told @ self.fits[:-1] + self.fits[-1]))

    def around(self, asked: Asked, seen: Seen) -> Around:
        """What earlier tickets like these were answered by; an article of another product is as good as gone."""
        cited = np.where(seen.for_it, seen.near, -1.0)
        known, earlier = self.uncovered, self._uncovered
        found = Around(cited, np.zeros((len(cited), 0)), np.zeros(0, dtype=bool))
        if known is not None and earlier is not None:
            visible = earlier.seen(asked) & alike_in_language(asked.languages, known.language)
            found = Around(cited, np.where(visible, earlier.similarity(asked), -1.0), known.gone)
        if not any(asked.products):
            return found
        elsewhere = self.index.fitting(asked.languages) & ~seen.allowed  # a translation is another matter
        return found.deleted(elsewhere[:, seen.cited] & seen.for_it)

    def explain(
        self, asked: Asked, suggested: Sequence[list[dict[str, Any]]], *, words: int, tickets: int
    ) -> list[Any]:
        """Why these articles: the passage that fits best, words in common, earlier tickets that cite it, the habit."""
        found: list[list[dict[str, Any]]] = []
        for where, part in asked.pieces():
            seen = self.look(part)
            scores = self.index.scores(part.texts)
            if self.index.vectors.shape[1] and not sp.issparse(part.vectors):
                scores = self.index.meanings(part.vectors)
            for row, some in enumerate(suggested[where]):
                found.append([self._why(seen, scores, part, row, s["article_id"], words, tickets) for s in some])
        return found

    @cached_property
    def _earlier(self) -> Earlier:
        known = self.citations
        return Earlier(known.ticket, known.known, known.vectors)

    @cached_property
    def _uncovered(self) -> Earlier | None:
        known = self.uncovered
        return None if known is None else Earlier(known.ticket, known.known, known.vectors)

    def _why(
        self, seen: Seen, scores: np.ndarray, asked: Asked, row: int, article_id: str, words: int, tickets: int
    ) -> dict[str, Any]:
        article = self.index.place[article_id]
        own = np.flatnonzero(self.index.owner == article)
        passage = int(own[scores[row, own].argmax()])
        cited = np.flatnonzero((seen.cited == article) & seen.for_it[row])
        nearest = cited[np.argsort(-seen.near[row, cited], kind="stable")][:tickets]
        return {
            "article_id": article_id,
            "passage": self.index.passages[passage],
            "words": self.index.shared(asked.texts[row], passage, words),
            "tickets": [
                {"ticket_id": str(self.citations.ticket[c]), "similarity": float(seen.near[row, c])} for c in nearest
            ],
            "habit": None if self.habit is None else self.habit.probability(asked.vectors[row : row + 1], article),
        }

    def _said(self, article: int, probability: float) -> dict[str, Any]:
        title, url = self.index.titles[article], self.index.urls[article]
        return {"article_id": self.index.ids[article], "title": title, "url": url, "probability": probability}

    def _popular(self, at: np.ndarray, before: np.ndarray) -> np.ndarray:
        """Logarithm of each article's share of the late citations, shape (n, m).

        How much a citation counts is what it counts when the newest is made, times what has passed since.
        """
        known = self.citations
        newest = known.known.max(initial=0)
        oldest = known.known[known.known != NEVER].min(initial=newest)
        if newest - oldest > _LONGEST * HALF_LIFE:  # a date so far off would make all the others count nothing
            age = np.where(before & (at != NEVER), (at - known.known[None]) / HALF_LIFE, 0.0)
            return self._logged(by_article(np.where(before, np.exp2(-age), 0.0), known.article, len(self.index)))
        recent = np.exp2((np.where(known.known == NEVER, newest, known.known) - newest) / HALF_LIFE)
        timeless = (at == NEVER).ravel()
        weight = before * recent
        weight[timeless] = before[timeless]
        since = np.exp2(np.clip(np.where(at == NEVER, 0, newest - at) / HALF_LIFE, -_LONGEST, _LONGEST))
        return self._logged(by_article(weight, known.article, len(self.index)) * since)

    def _logged(self, counts: np.ndarray) -> np.ndarray:
        """Logarithm of each article's share."""
        counts = counts + _PRIOR
        return np.asarray(np.log(counts / counts.sum(axis=1, keepdims=True)))

    def state(self) -> State:
        """What is stored."""
        known = self.citations
        weight = np.ones(len(known.article)) if known.weight is None else known.weight
        habit = no_habit() if self.habit is None else self.habit.state()
        return self.index.state() | self.ranker.state() | _uncovered_state(self.uncovered) | habit | {
            "cited_ticket": [str(t) for t in known.ticket], "cited_article": known.article, "cited_known": known.known,
            "cited_vectors": known.vectors, "cited_weight": weight, "fits": self.fits.tolist(), "least": self.least,
            "shown": self.shown, "stays": self.stays, "sure": None if self.sure == np.inf else self.sure,
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: State) -> ArticleModel:
        """The stored one again."""
        known = Citations(
            np.array(state["cited_ticket"], dtype=object), state["cited_article"], state["cited_known"],
            state["cited_vectors"], state["cited_weight"],
        )  # fmt: skip
        return cls(
            ArticleIndex.from_state(state), known, Ranker.from_state(state), np.array(state["fits"], dtype=np.float64),
            float(state["least"]), int(state["shown"]), state["stays"],
            np.inf if state["sure"] is None else float(state["sure"]), _uncovered_from(state), Habit.from_state(state),
        )  # fmt: skip


def sureness(seen: Seen, evidence: np.ndarray, likely: np.ndarray, around: Around) -> np.ndarray:
    """`SURENESS` of n tickets, shape (n, 15)."""
    rows = np.arange(len(evidence))
    best = evidence.argmax(axis=1)
    first_two = np.array(likeliest(likely, 2), dtype=np.int64).reshape(len(rows), min(2, likely.shape[1]))
    top = np.take_along_axis(likely, first_two, axis=1)
    lead = top[:, 0] - (top[:, 1] if top.shape[1] > 1 else 0.0)
    first = seen.content[rows, best]
    names = MEASURES[: first.shape[1]] if first.shape[1] > len(WITHOUT_ENCODER) else WITHOUT_ENCODER
    passage = first[:, 0] if names[0] == "passage" else np.zeros(len(rows))
    words = first[:, names.index("words")]
    return np.column_stack([strength(evidence), top[:, 0], lead, passage, words, around.shares()])


def _uncovered_state(known: Uncovered | None) -> State:
    if known is None:
        return {"uncovered": False}
    return {
        "uncovered": True, "uncovered_ticket": [str(t) for t in known.ticket], "uncovered_known": known.known,
        "uncovered_gone": known.gone, "uncovered_language": [str(name) for name in known.language],
        "uncovered_vectors": known.vectors,
    }  # fmt: skip


def _uncovered_from(state: State) -> Uncovered | None:
    if not state["uncovered"]:
        return None
    ticket, language = (
        np.array(state["uncovered_ticket"], dtype=object),
        np.array(state["uncovered_language"], dtype=str),
    )
    gone, vectors = np.asarray(state["uncovered_gone"], dtype=bool), state["uncovered_vectors"]
    return Uncovered(ticket, state["uncovered_known"], gone, language, vectors)


def ticket_vectors(blocks: Blocks, terms: Terms) -> Any:
    """What tickets are compared by: their meaning, or, without an encoder, their rarer terms; rows of unit length."""
    return blocks.meaning if blocks.meaning.shape[1] else terms.compared(blocks.terms)
