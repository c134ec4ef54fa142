"""Words and characters of a text as hashed counts, and the TF-IDF weights that are learned on top of them.

Counting needs no vocabulary: a term is its hash. So all tickets are counted once, every split only learns which terms to
keep and their weights, and a scorer carries no word list of somebody's tickets. The names of the terms that an
explanation shows are found again by counting the one ticket.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from pipeline.artifact import State
from pipeline.config import Features

BITS = 24
"""Words hash into [0, 2^24), characters into the next 2^24: of 300,000 terms about 2 % share a place with another."""


def _vectorizers(settings: Features) -> tuple[object, object]:
    from sklearn.feature_extraction.text import HashingVectorizer

    shared = {"n_features": 2**BITS, "alternate_sign": False, "norm": None, "dtype": np.float32, "lowercase": True}
    words = HashingVectorizer(analyzer="word", ngram_range=settings.word_ngrams, token_pattern=r"(?u)\b\w+\b", **shared)
    characters = HashingVectorizer(analyzer="char_wb", ngram_range=settings.character_ngrams, **shared)
    return words, characters


def count_terms(texts: Sequence[str], settings: Features) -> sp.csr_matrix:
    """Hashed counts, shape (n, 2^25): words on the left, characters on the right."""
    words, characters = _vectorizers(settings)
    blocks = [v.transform(list(texts)) for v in (words, characters)]  # type: ignore[attr-defined]
    return sp.hstack(blocks, format="csr", dtype=np.float32)


def term_names(text: str, settings: Features) -> dict[int, str]:
    """Hashed place → the term of this one text that hashes there (for explanations); words only."""
    words, _ = _vectorizers(settings)
    terms = sorted(set(words.build_analyzer()(text)))  # type: ignore[attr-defined]
    if not terms:
        return {}
    from sklearn.feature_extraction import FeatureHasher

    hasher = FeatureHasher(n_features=2**BITS, input_type="string", alternate_sign=False)
    places = hasher.transform([[t] for t in terms]).indices
    return {int(p): t for p, t in zip(places, terms, strict=True)}


@dataclass(frozen=True)
class Terms:
    """TF-IDF over the kept terms: sublinear counts, smoothed inverse document frequency, each half of unit length.

    Attributes
    ----------
    places : ndarray of int32, shape (m,)
        Hashed places of the kept terms, rising.
    weights : ndarray of float32, shape (m,)
        Their inverse document frequencies, ln((1 + n) / (1 + df)) + 1 as in scikit-learn.
    words : int
        How many of them are words.
    """

    places: np.ndarray
    weights: np.ndarray
    words: int

    @classmethod
    def fit(cls, counts: sp.csr_matrix, *, min_documents: int, max_terms: int) -> Terms:
        """Keep terms of at least `min_documents` tickets, at most `max_terms`, the most frequent first."""
        frequency = np.bincount(counts.indices, minlength=counts.shape[1])
        kept = np.flatnonzero(frequency >= min(min_documents, max(1, counts.shape[0])))
        if len(kept) > max_terms:
            order = np.argsort(-frequency[kept], kind="stable")[:max_terms]
            kept = np.sort(kept[order])
        idf = np.log((1 + counts.shape[0]) / (1 + frequency[kept])) + 1
        return cls(kept.astype(np.int32), idf.astype(np.float32), int(np.searchsorted(kept, 2**BITS)))

    def transform(self, counts: sp.csr_matrix) -> sp.csr_matrix:
        """Weighted terms, shape (n, m), float32; words and characters each of unit length."""
        place = np.searchsorted(self.places, counts.indices)
        found = place < len(self.places)
        found[found] = self.places[place[found]] == counts.indices[found]
        rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))[found]
        columns = place[found]
        values = (np.log(counts.data[found]) + 1).astype(np.float32) * self.weights[columns]
        half = 2 * rows + (columns >= self.words)
        length = np.sqrt(np.bincount(half, values.astype(np.float64) ** 2, minlength=2 * counts.shape[0]))
        values = (values / length[half]).astype(np.float32)
        indptr = np.append(0, np.cumsum(np.bincount(rows, minlength=counts.shape[0])))
        matrix = sp.csr_matrix((values, columns.astype(np.int32), indptr), shape=(counts.shape[0], len(self.places)))
        matrix.has_sorted_indices = False
        matrix.sort_indices()
        return matrix

    def state(self) -> State:
        """What is stored."""
        return {"places": self.places, "weights": self.weights, "words": self.words}

    @classmethod
    def from_state(cls, state: State) -> Terms:
        """The stored one again."""
        return cls(state["places"], state["weights"], int(state["words"]))
