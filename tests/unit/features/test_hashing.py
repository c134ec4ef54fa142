"""Counting all texts at once gives what scikit-learn counts term by term, whatever the texts hold."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import HashingVectorizer

from pipeline.features.hashing import Spans, hashed_counts, hashed_words, murmur3, place

BITS = 24
ALPHABET = "aB ßİ\n\t\x1c\u2003é漢🙂_-1.'"
RUNS = [((1, 2), (2, 5)), ((1, 1), (3, 3)), ((2, 3), (4, 6))]


def counted(texts: list[str], words: tuple[int, int], characters: tuple[int, int]) -> sp.csr_matrix:
    shared = {"n_features": 2**BITS, "alternate_sign": False, "norm": None, "dtype": np.float32}
    analyzers = [
        {"analyzer": "word", "ngram_range": words, "token_pattern": r"(?u)\b\w+\b"},
        {"analyzer": "char_wb", "ngram_range": characters},
    ]
    return sp.hstack([HashingVectorizer(**shared, **one).transform(texts) for one in analyzers], format="csr")


@pytest.mark.parametrize(("words", "characters"), RUNS)
@settings(max_examples=30)
@example(texts=[""])
@example(texts=["", "It won't start. It won't!", " \n", "Straße naïve 日本"])
@given(texts=st.lists(st.text(st.sampled_from(ALPHABET), max_size=40), min_size=1, max_size=5))
def test_the_counts_are_those_of_scikit_learn(
    texts: list[str], words: tuple[int, int], characters: tuple[int, int]
) -> None:
    ours, theirs = hashed_counts(texts, words, characters, bits=BITS), counted(texts, words, characters)
    for part in ("indptr", "indices", "data"):
        assert np.array_equal(getattr(ours, part), getattr(theirs, part)), part


def test_texts_of_more_characters_than_are_looked_at_together_are_counted_alike() -> None:
    texts = [f"number {i} " + "of the same words " * (i % 700) for i in range(60)]
    ours, theirs = hashed_counts(texts, *RUNS[0], bits=BITS), counted(texts, *RUNS[0])
    assert (ours != theirs).nnz == 0


def test_the_words_of_a_text_are_found_again_by_their_places() -> None:
    places = hashed_words("Printer jam", (1, 2), bits=BITS)
    assert sorted(places.values()) == ["jam", "printer", "printer jam"]
    assert sorted(places) == counted(["Printer jam"], (1, 2), (9, 9)).indices[:3].tolist()
    assert hashed_words(" ", (1, 2), bits=BITS) == {}


def test_the_hash_is_murmur_hash_3() -> None:
    data = np.frombuffer(b"Hello, world!", np.uint8)
    whole = Spans(*[np.zeros(1, np.int64)] * 3, np.full(1, len(data)))
    assert murmur3(data, whole).view(np.uint32).tolist() == [0xC0363E43]


def test_the_least_number_has_a_place_too() -> None:
    assert place(np.array([-(2**31), -5, 5], np.int32), 24).tolist() == [1, 5, 5]
