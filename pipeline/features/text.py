"""Words and characters of a text as hashed counts, and the TF-IDF weights that are learned on top of them.

Counting needs no vocabulary: a term is its hash. So all tickets are counted once, every split only learns which terms
to keep and their weights, and a scorer carries no word list of somebody's tickets. The names of the terms that an
explanation shows are found again by counting the one ticket.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pipeline.artifact import State
from pipeline.config import Features
from pipeline.features.hashing import hashed_counts, hashed_words

BITS = 24
"""Each segment hashes into 2^24 places: of 300,000 terms about 2 % share a place with another."""

SEGMENTS = ("words", "characters", "subject words", "subject characters")
"""What is counted, side by side: the whole text, and the subject once more where a body stands beside it."""


def count_terms(texts: Sequence[str], settings: Features, subjects: Sequence[str] | None = None) -> sp.csr_matrix:
    """Hashed counts, shape (n, 4 · 2^24): the segments of `SEGMENTS` from left to right.

    Parameters
    ----------
    texts : sequence of n str
        Whole texts.
    subjects : sequence of n str, optional
        Subjects that are to count once more; empty where a ticket has no body.
    """
    each = [settings.word_ngrams, settings.character_ngrams]
    if subjects is None:
        counts = hashed_counts(texts, *each, bits=BITS)
        parts = (counts.data, counts.indices, counts.indptr)
    else:  # a subject's row stands behind its text's, and goes on the right of it
        counts = hashed_counts([t for pair in zip(texts, subjects, strict=True) for t in pair], *each, bits=BITS)
        shift = np.repeat(np.tile(np.array([0, 2 << BITS], dtype=np.int32), len(texts)), np.diff(counts.indptr))
        parts = (counts.data, counts.indices + shift, counts.indptr[::2])
    return sp.csr_matrix(parts, shape=(len(texts), len(SEGMENTS) << BITS))


def count_tickets(tickets: pd.DataFrame, settings: Features) -> sp.csr_matrix:
    """`count_terms` of parsed tickets, as far as they are read; the subject counts twice where there is a body."""
    texts, subjects, bodies = (written(tickets[name]) for name in ("text", "subject", "body"))
    return count_terms(
        texts, settings, [s[: len(t)] if b else "" for t, s, b in zip(texts, subjects, bodies, strict=True)]
    )


def written(values: pd.Series) -> list[str]:
    """Texts of a column, empty where there is none."""
    return [value if isinstance(value, str) else "" for value in values.tolist()]


def term_names(text: str, settings: Features) -> dict[int, str]:
    """Hashed place → the word or pair of words of this one text that hashes there (for explanations)."""
    return hashed_words(text, settings.word_ngrams, bits=BITS)


COMMON_SHARE, FEWEST_COMMON = 0.05, 100
"""A term of more than this share of the tickets, and of more tickets than this, isn't what makes two tickets alike."""


@dataclass(frozen=True)
class Terms:
    """TF-IDF over the kept terms: sublinear counts, smoothed inverse document frequency, each segment of unit length.

    Attributes
    ----------
    places : ndarray of int32, shape (m,)
        Hashed places of the kept terms, rising.
    weights : ndarray of float32, shape (m,)
        Their inverse document frequencies, ln((1 + n) / (1 + df)) + 1 as in scikit-learn.
    common : float
        Terms of a lower weight are left out where tickets are compared with each other.
    """

    places: np.ndarray
    weights: np.ndarray
    common: float = 0.0

    @classmethod
    def fit(cls, counts: sp.csr_matrix, *, min_documents: int, max_terms: int) -> Terms:
        """Keep terms of at least `min_documents` tickets, at most `max_terms`, the most frequent first."""
        kept, frequency = np.unique(counts.indices, return_counts=True)
        often = frequency >= min(min_documents, max(1, counts.shape[0]))
        kept, frequency = kept[often], frequency[often]
        if len(kept) > max_terms:
            chosen = np.sort(np.argsort(-frequency, kind="stable")[:max_terms])
            kept, frequency = kept[chosen], frequency[chosen]
        common = np.log((1 + counts.shape[0]) / (1 + max(COMMON_SHARE * counts.shape[0], FEWEST_COMMON))) + 1
        idf = np.log((1 + counts.shape[0]) / (1 + frequency)) + 1
        return cls(kept.astype(np.int32), idf.astype(np.float32), float(np.float32(common)))

    def transform(self, counts: sp.csr_matrix) -> sp.csr_matrix:
        """Weighted terms, shape (n, m), float32."""
        place = np.searchsorted(self.places, counts.indices)
        found = place < len(self.places)
        found[found] = self.places[place[found]] == counts.indices[found]
        rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))[found]
        columns = place[found]
        values = (np.log(counts.data[found]) + 1).astype(np.float32) * self.weights[columns]
        part = len(SEGMENTS) * rows + (self.places >> BITS)[columns]
        length = np.sqrt(np.bincount(part, values.astype(np.float64) ** 2, minlength=len(SEGMENTS) * counts.shape[0]))
        values = (values / length[part]).astype(np.float32)
        indptr = np.append(0, np.cumsum(np.bincount(rows, minlength=counts.shape[0])))
        matrix = sp.csr_matrix((values, columns.astype(np.int32), indptr), shape=(counts.shape[0], len(self.places)))
        matrix.has_sorted_indices = False
        matrix.sort_indices()
        return matrix

    def compared(self, weighted: sp.csr_matrix) -> sp.csr_matrix:
        """What tickets are compared by: their rarer terms, rows of unit length (zero where there are none), float32.

        Common terms say next to nothing, and take nearly all the time of a comparison.

        Parameters
        ----------
        weighted : csr_matrix, shape (n, m)
            As `transform` gives it.
        """
        n = weighted.shape[0]
        rare = self.weights[weighted.indices] >= self.common
        rows = np.repeat(np.arange(n), np.diff(weighted.indptr))[rare]
        values, columns = weighted.data[rare], weighted.indices[rare]
        length = np.sqrt(np.bincount(rows, values.astype(np.float64) ** 2, minlength=n))
        indptr = np.append(0, np.cumsum(np.bincount(rows, minlength=n)))
        return sp.csr_matrix(((values / length[rows]).astype(np.float32), columns, indptr), shape=weighted.shape)

    def state(self) -> State:
        """What is stored."""
        return {"places": self.places, "weights": self.weights, "common": self.common}

    @classmethod
    def from_state(cls, state: State) -> Terms:
        """The stored one again."""
        return cls(state["places"], state["weights"], float(state["common"]))
