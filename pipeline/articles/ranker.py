"""The one ranking of articles: what they say and what helpers cited on earlier tickets like this one, as evidence.

The evidence for an article is a sum, as in a kernel estimate: one term for every earlier ticket on which it was cited,
that falls off exponentially with the distance of that ticket, and one for what the article itself says; the article's
own words count once more on top. Dismissals on tickets like this one, in the same measure, leave of it its share of
what is said for and against the article. The probability is the evidence's share. Seven to thirteen weights are learned
by maximum likelihood from the tickets with a known article, each seeing only what had been cited before it was asked
(docs/decisions/0010-articles.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from pipeline.artifact import State
from pipeline.calibration import logit, sigmoid, softmax

NEVER = -1e9
"""Evidence (a logarithm) of an article that can't be suggested."""

BY_HAND_NEAR, BY_HAND_CITED = 16.0, 0.0
"""`Ranker.near` and `Ranker.cited` until there are citations enough to learn from: of those tried (8, 12, 16; -5 to 10)
the pair of the best mean recall@3 on the Thunderbird tickets of the last quarter of 2024, given the citations of one,
three and nine months before it."""

_MOST = 40.0
_PENALTY = 1e-3


class Seen(NamedTuple):
    """What is seen of n tickets, m articles and c citations.

    Attributes
    ----------
    content : ndarray, shape (n, m, k)
        What an article says, by k measures.
    near : ndarray, shape (n, c)
        Similarity to the ticket of each citation, 0 to 1.
    before : ndarray of bool, shape (n, c)
        Which citations were known by then, and are of other tickets.
    cited : ndarray of int64, shape (c,)
        Article of each citation, rising.
    allowed : ndarray of bool, shape (n, m)
        Which articles may be suggested.
    weight : ndarray, shape (c,), optional
        Below 0 where the article was dismissed, and not cited: by so much. None: all were cited.
    """

    content: np.ndarray
    near: np.ndarray
    before: np.ndarray
    cited: np.ndarray
    allowed: np.ndarray
    weight: np.ndarray | None = None

    def rows(self, rows: np.ndarray) -> Seen:
        """The same of some tickets."""
        own = (self.content[rows], self.near[rows], self.before[rows], self.cited, self.allowed[rows])
        return Seen(*own, self.weight)

    @property
    def for_it(self) -> np.ndarray:
        """Which of `before` were citations, shape (n, c)."""
        return self.before if self.weight is None else self.before & (self.weight > 0)

    @property
    def against(self) -> np.ndarray | None:
        """How much each of `before` speaks against its article, shape (n, c); None where nothing does."""
        if self.weight is None or not (self.weight < 0).any():
            return None
        return np.asarray(self.before * np.maximum(-self.weight, 0.0))


@dataclass(frozen=True)
class Ranker:
    """The weights.

    Attributes
    ----------
    near : float
        How fast a citation's evidence grows with its similarity.
    cited : float
        Logarithm of the evidence of a citation at similarity 0.
    said : float
        Logarithm of the evidence of an article whose measures are 0.
    inside, outside : ndarray, shape (k,)
        Weights of the measures, as a term of the sum and as a factor of it.
    slope, shift : float
        What makes a probability of an article's share of the evidence, on the scale of logits (Platt, 1999).
    level : float
        Mean `strength` of the tickets learned from, which is taken off: shares are blind to it, and without it the
        strengths of two rankers couldn't be compared.
    """

    near: float
    cited: float
    said: float
    inside: np.ndarray
    outside: np.ndarray
    slope: float = 1.0
    shift: float = 0.0
    level: float = 0.0

    @classmethod
    def of_content(cls, weights: np.ndarray) -> Ranker:
        """Given weights of the measures: until there are citations enough to learn from."""
        return cls(BY_HAND_NEAR, BY_HAND_CITED, 0.0, np.asarray(weights, dtype=np.float64), np.zeros(len(weights)))

    @classmethod
    def fit(cls, seen: Seen, right: np.ndarray) -> Ranker:
        """Weights under which the articles that were right are likeliest.

        Parameters
        ----------
        right : ndarray of bool, shape (n, m)
            Articles that answered each ticket; every row has one.
        """
        k = seen.content.shape[2]
        allowed = seen.allowed | right
        shown = seen.content[allowed]
        middle, spread = shown.mean(axis=0), np.maximum(shown.std(axis=0), 1e-6)
        scaled = Seen(
            (seen.content - middle) / spread, seen.near.astype(np.float32), seen.for_it, seen.cited, allowed
        )  # half the memory, and twice as fast
        target = right / right.sum(axis=1, keepdims=True)

        def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
            return _loss(x, scaled, target)

        begin = np.concatenate([[8.0, -4.0, -1.0], np.zeros(2 * k)])
        bounds = [(0.0, 30.0), (-30.0, 10.0), (-10.0, 10.0), *[(-8.0, 8.0)] * (2 * k)]
        found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 200}).x
        near, cited, said = (float(v) for v in found[:3])
        inside, outside = found[3 : 3 + k] / spread, found[3 + k :] / spread
        made = cls(near, cited, said - float(middle @ inside), inside, outside)
        return replace(made, level=float(strength(made.evidence(seen._replace(allowed=allowed))).mean()))

    def evidence(self, seen: Seen) -> np.ndarray:
        """Logarithm of the evidence for each article, shape (n, m), float64; `NEVER` where it isn't allowed."""
        _, cited, own = _terms(seen, self.near, self.cited, self.said, self.inside)
        total = cited + own
        if (against := seen.against) is not None:
            dismissed = by_article(_each(seen, self.near, self.cited) * against, seen.cited, total.shape[1])
            total = total * (total / (total + dismissed))
        return np.asarray(np.where(seen.allowed, _logarithm(seen, total, self.outside) - self.level, NEVER))

    def probabilities(self, evidence: np.ndarray) -> np.ndarray:
        """P(this article answers | one of them does), shape (n, m); 0 where it isn't allowed.

        Several articles may be right, so that a row need not add up to 1.
        """
        if evidence.shape[1] == 0:
            return evidence
        return np.where(evidence > NEVER, sigmoid(self.slope * logit(softmax(evidence)) + self.shift), 0.0)

    def state(self) -> State:
        """What is stored."""
        return {
            "near": self.near, "cited_at_0": self.cited, "said": self.said, "inside": self.inside.tolist(),
            "outside": self.outside.tolist(), "slope": self.slope, "shift": self.shift, "level": self.level,
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: State) -> Ranker:
        """The stored one again."""
        return cls(
            float(state["near"]), float(state["cited_at_0"]), float(state["said"]), np.array(state["inside"]),
            np.array(state["outside"]), float(state["slope"]), float(state["shift"]),
            float(state["level"]),
        )  # fmt: skip


def strength(evidence: np.ndarray) -> np.ndarray:
    """Logarithm of all the evidence of each row, shape (n,); -50 where no article is allowed."""
    highest = evidence.max(axis=1, initial=NEVER)
    rest = np.exp(np.maximum(evidence - highest[:, None], -700.0)).sum(axis=1)
    return np.where(highest > NEVER, highest + np.log(np.maximum(rest, 1.0)), -50.0)


def by_article(values: np.ndarray, cited: np.ndarray, size: int) -> np.ndarray:
    """Sums over each article's citations, shape (n, size); `cited` rises."""
    if not len(cited):
        return np.zeros((len(values), size), dtype=values.dtype)
    start = np.flatnonzero(np.append(True, cited[1:] != cited[:-1]))
    found = np.add.reduceat(values, start, axis=1)
    if len(start) == size:
        return np.asarray(found)
    sums = np.zeros((len(values), size), dtype=values.dtype)
    sums[:, cited[start]] = found
    return sums


def likeliest(likely: np.ndarray, most: int) -> list[list[int]]:
    """Of each row the columns with the highest values, the highest first, of equals the leftmost first.

    A knowledge base is large and few are shown: to sort all of it would take longer than to rank it.

    Examples
    --------
    >>> likeliest(np.array([[0.1, 0.4, 0.2, 0.4], [0.0, 0.0, 0.0, 0.1]]), 3)
    [[1, 3, 2], [3, 0, 1]]
    """
    left, rows = likely.copy(), np.arange(len(likely))
    found = []
    for _ in range(min(most, likely.shape[1])):
        best = left.argmax(axis=1)
        left[rows, best] = -np.inf
        found.append(best)
    return np.column_stack(found).tolist() if found else [[]] * len(likely)


def _terms(
    seen: Seen, near: float, cited: float, said: float, inside: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Evidence of each citation, shape (n, c); of each article's citations together and of what it says, (n, m)."""
    each = _each(seen, near, cited) * seen.for_it
    own = np.exp(np.clip(seen.content @ inside + said, -_MOST, _MOST))
    return each, by_article(each, seen.cited, own.shape[1]), own


def _each(seen: Seen, near: float, cited: float) -> np.ndarray:
    """What a ticket so near says, shape (n, c)."""
    return np.asarray(np.exp(np.minimum(near * seen.near + cited, _MOST)))


def _logarithm(seen: Seen, total: np.ndarray, outside: np.ndarray) -> np.ndarray:
    return np.where(seen.allowed, np.log(total) + seen.content @ outside, NEVER)


def _loss(x: np.ndarray, seen: Seen, target: np.ndarray) -> tuple[float, np.ndarray]:
    """Negative log-likelihood per ticket with a small penalty, and its gradient."""
    n, _, k = seen.content.shape
    inside, outside = x[3 : 3 + k], x[3 + k :]
    each, cited, own = _terms(seen, x[0], x[1], x[2], inside)
    total = cited + own
    likely = softmax(_logarithm(seen, total, outside))
    loss = -float((target * np.log(likely + 1e-300)).sum()) / n + _PENALTY * float(x[3:] @ x[3:])
    slope = np.where(seen.allowed, (likely - target) / n, 0.0)
    by_term = slope / total
    named, times = np.unique(seen.cited, return_counts=True)
    of_citation = each * np.repeat(by_term[:, named].astype(each.dtype), times, axis=1)
    gradient = np.concatenate(
        [
            [float((of_citation * seen.near).sum()), float((by_term * cited).sum()), float((by_term * own).sum())],
            np.einsum("nm,nmk->k", by_term * own, seen.content) + 2 * _PENALTY * inside,
            np.einsum("nm,nmk->k", slope, seen.content) + 2 * _PENALTY * outside,
        ]
    )
    return loss, gradient
