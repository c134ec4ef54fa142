"""The knowledge base as it is searched: passages, their words (BM25) and their vectors."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pipeline.articles.earlier import multiplied
from pipeline.articles.passages import passages
from pipeline.artifact import State
from pipeline.tickets.schema import UNDETERMINED

Encode = Callable[[list[str]], np.ndarray]

_WORD = re.compile(r"[^\W_]{2,}")
_ADDRESS = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)


@dataclass(frozen=True, repr=False)  # nobody reads a knowledge base in a message
class ArticleIndex:
    """m articles in p passages, of d dimensions and v words.

    Attributes
    ----------
    ids, titles, urls, languages, products : tuple of str or None, each of length m
        Several products of one article stand between `;`.
    passages : tuple of str, length p
        In order of their articles.
    owner : ndarray of int64, shape (p,)
        Position of each passage's article; every article has one.
    vectors : ndarray of float32, shape (p, d)
        Of unit length; d = 0 without an encoder.
    vocabulary : tuple of str, length v
    words : csr_matrix of float32, shape (v, p)
        What each word of a query adds to a passage's score (Robertson and others, 1994; weights of Lucene by bm25s).
    """

    ids: tuple[str, ...]
    titles: tuple[str | None, ...]
    urls: tuple[str | None, ...]
    languages: tuple[str | None, ...]
    products: tuple[str | None, ...]
    passages: tuple[str, ...]
    owner: np.ndarray
    vectors: np.ndarray
    vocabulary: tuple[str, ...]
    words: sp.csr_matrix

    @classmethod
    def build(cls, articles: pd.DataFrame, encode: Encode | None, *, words: int) -> ArticleIndex:
        """Cut, count and encode articles by the schema ARTICLES; of a repeated id the first counts.

        Parameters
        ----------
        encode : callable or None
            Texts → vectors of unit length.
        words : int
            See `passages`.
        """
        kept = articles[articles["article_id"].notna().to_numpy(bool)].drop_duplicates("article_id")
        columns = {n: _texts(kept[n]) for n in ("article_id", "title", "url", "language", "product", "text")}
        cut = [passages(t, x, words) for t, x in zip(columns["title"], columns["text"], strict=True)]
        texts = [passage for one in cut for passage in one]
        owner = np.repeat(np.arange(len(kept)), [len(one) for one in cut]).astype(np.int64)
        vectors = np.zeros((len(texts), 0), dtype=np.float32)
        if encode is not None and texts:
            vectors = np.asarray(encode(texts), dtype=np.float32)
        vocabulary, weights = _weights(texts)
        return cls(
            tuple(str(i) for i in columns["article_id"]), tuple(columns["title"]), tuple(columns["url"]),
            tuple(columns["language"]), tuple(columns["product"]), tuple(texts), owner, vectors, vocabulary, weights,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def place(self) -> dict[str, int]:
        """Position of each article."""
        return {name: at for at, name in enumerate(self.ids)}

    @cached_property
    def centres(self) -> np.ndarray:
        """Mean direction of each article's passages, shape (m, d), unit length."""
        sums = np.zeros((len(self), self.vectors.shape[1]), dtype=np.float64)
        np.add.at(sums, self.owner, self.vectors)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        return np.asarray(np.divide(sums, length, out=np.zeros_like(sums), where=length > 0), dtype=np.float32)

    def meanings(self, vectors: np.ndarray) -> np.ndarray:
        """Cosine of n tickets to every passage, shape (n, p)."""
        return np.asarray(vectors @ self.vectors.T)

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """BM25 of n texts with every passage, shape (n, p), float32; addresses in a text aren't words of it."""
        queries = [sorted({self._word[w] for w in words_of(text) if w in self._word}) for text in texts]
        indptr = np.append(0, np.cumsum([len(q) for q in queries]))
        columns = np.array([w for q in queries for w in q], dtype=np.int64)
        asked = sp.csr_matrix((np.ones(len(columns), np.float32), columns, indptr), shape=(len(texts), len(self._word)))
        return multiplied(asked, self.words)

    def best(self, scores: np.ndarray) -> np.ndarray:
        """Of scores by passage, shape (n, p), the best of each article, shape (n, m)."""
        if not len(self):
            return np.zeros((len(scores), 0), dtype=np.float32)
        found = np.take(scores, self._passages[0][1], axis=1)
        for articles, own in self._passages[1:]:
            found[:, articles] = np.maximum(found[:, articles], np.take(scores, own, axis=1))
        return found

    def fitting(self, languages: Sequence[str | None], products: Sequence[str | None] = ()) -> np.ndarray:
        """Which articles are in a ticket's language and about its product, shape (n, m), bool.

        An unknown language forbids nothing, and so does a product that no article names.
        """
        rows = {name: self._in_language(name) for name in {*languages}}
        readable = np.array([rows[name] for name in languages], dtype=bool).reshape(len(languages), len(self))
        about = {name: self._of_product(name) for name in {*products}}
        for row, name in enumerate(products):
            readable[row] &= about[name]
        return readable

    def shared(self, text: str, passage: int, most: int) -> list[str]:
        """Words of a text that found a passage, the strongest first."""
        column = self._by_passage[:, passage]
        weight = dict(zip(column.indices.tolist(), column.data.tolist(), strict=True))
        found = {self._word[w] for w in words_of(text) if w in self._word} & weight.keys()
        return [self.vocabulary[w] for w in sorted(found, key=lambda w: (-weight[w], self.vocabulary[w]))[:most]]

    @cached_property
    def _passages(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """The articles that have a first passage, a second, a third ..., and that passage of each."""
        first, size = np.searchsorted(self.owner, np.arange(len(self))), np.bincount(self.owner, minlength=len(self))
        some = (np.flatnonzero(size > rank) for rank in range(int(size.max())))
        return [(articles, first[articles] + rank) for rank, articles in enumerate(some)]

    @cached_property
    def _own(self) -> np.ndarray:
        """Language of each article, empty where it isn't known."""
        return np.array([name or "" for name in self.languages], dtype=str)

    def _in_language(self, name: str | None) -> np.ndarray:
        if not name or name == UNDETERMINED:
            return np.ones(len(self), dtype=bool)
        return np.asarray((self._own == name) | (self._own == ""))

    def _of_product(self, said: str | None) -> np.ndarray:
        """Articles about any product that a ticket names, or about none at all, shape (m,), bool."""
        known = [self._about[name] for name in product_names(said) if name in self._about]
        return np.logical_or.reduce(known) if known else np.ones(len(self), dtype=bool)

    @cached_property
    def _about(self) -> dict[str, np.ndarray]:
        named = [product_names(said) for said in self.products]
        every = {name for names in named for name in names}
        return {name: np.array([not names or name in names for names in named]) for name in every}

    @cached_property
    def _word(self) -> dict[str, int]:
        return {word: at for at, word in enumerate(self.vocabulary)}

    @cached_property
    def _by_passage(self) -> Any:
        return sp.csc_matrix(self.words)

    def state(self) -> State:
        """What is stored."""
        return {
            "ids": list(self.ids),
            "titles": list(self.titles),
            "urls": list(self.urls),
            "languages": list(self.languages),
            "products": list(self.products),
            "passages": list(self.passages),
            "vocabulary": list(self.vocabulary),
            "owner": self.owner,
            "passage_vectors": self.vectors,
            "words": self.words,
        }

    @classmethod
    def from_state(cls, state: State) -> ArticleIndex:
        """The stored one again."""
        names = ("ids", "titles", "urls", "languages", "products", "passages")
        texts = {name: tuple(state[name]) for name in names}
        return cls(
            **texts, owner=state["owner"], vectors=state["passage_vectors"], vocabulary=tuple(state["vocabulary"]),
            words=state["words"],
        )  # fmt: skip


def words_of(text: str) -> list[str]:
    """Words of a text in lower case, without addresses."""
    return _WORD.findall(_ADDRESS.sub(" ", text).lower())


def product_names(said: str | None) -> frozenset[str]:
    """The products in a cell, between `;`, as they are compared: without case."""
    return frozenset(name.strip().casefold() for name in (said or "").split(";")) - {""}


def _weights(texts: list[str]) -> tuple[tuple[str, ...], sp.csr_matrix]:
    """The words of passages, and what each adds to each passage's score."""
    import bm25s

    said = [words_of(text) for text in texts]
    vocabulary = {word: at for at, word in enumerate(sorted({w for words in said for w in words}))}
    if not vocabulary:
        return (), sp.csr_matrix((0, len(texts)), dtype=np.float32)
    counted = bm25s.BM25(method="lucene")
    counted.index(
        ([[vocabulary[w] for w in words] for words in said], {**vocabulary}), show_progress=False
    )  # it adds one
    parts = (counted.scores["data"], counted.scores["indices"], counted.scores["indptr"])
    weights = sp.csr_matrix(parts, shape=(len(parts[2]) - 1, len(texts)), dtype=np.float32)
    weights = sp.csr_matrix(weights[: len(vocabulary)])
    weights.sort_indices()  # the library's order differs from process to process
    return tuple(vocabulary), weights


def _texts(values: pd.Series) -> list[str | None]:
    return [v if isinstance(v, str) else None for v in values.tolist()]
