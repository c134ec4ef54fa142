"""Words and characters: hashed the same everywhere, weighted as scikit-learn weighs them, segment by segment."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from factories import tickets
from sklearn.feature_extraction.text import TfidfVectorizer

from pipeline.config import Features
from pipeline.features.text import BITS, SEGMENTS, Terms, count_terms, count_tickets, term_names

DRAW = np.random.default_rng(0)
WORDS = ["printer", "paper", "jam", "toner", "login", "mail", "inbox", "Straße", "naïve", "日本", "don't", "e-mail"]
TEXTS = [" ".join(DRAW.choice(WORDS, 12)) + f" #{i}!" for i in range(60)]
EVERYTHING = Features(min_documents=1)


def weighted(counts: sp.csr_matrix, fewest: int = 1, most: int = 10**6) -> tuple[Terms, sp.csr_matrix]:
    terms = Terms.fit(counts, min_documents=fewest, max_terms=most)
    return terms, terms.transform(counts)


def segment(matrix: sp.csr_matrix, terms: Terms, number: int) -> sp.csr_matrix:
    return matrix[:, np.flatnonzero(terms.places >> BITS == number)]


def test_a_term_has_the_same_place_on_every_machine() -> None:
    counts = count_terms(["Printer jam"], Features(character_ngrams=(2, 2)))
    assert sorted(p for p in counts.indices if p < 2**BITS) == [506369, 13915301, 14262368]
    assert counts.sum() == 3 + 12


@pytest.mark.parametrize("number", [0, 1], ids=SEGMENTS[:2])
def test_weights_are_those_of_scikit_learn_on_the_same_analyzer(number: int) -> None:
    options = [
        {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"},
        {"analyzer": "char_wb", "ngram_range": (2, 5)},
    ][number]
    theirs = TfidfVectorizer(sublinear_tf=True, **options).fit_transform(TEXTS)
    terms, ours = weighted(count_terms(TEXTS, EVERYTHING))
    mine = segment(ours, terms, number)
    assert theirs.shape[1] - 5 <= mine.shape[1] <= theirs.shape[1]  # a few terms may share a place
    np.testing.assert_allclose((mine @ mine.T).toarray(), (theirs @ theirs.T).toarray(), atol=2e-3)


def test_every_segment_of_a_ticket_has_unit_length() -> None:
    terms, found = weighted(count_terms(TEXTS, EVERYTHING, TEXTS[::-1]))
    for number in range(len(SEGMENTS)):
        length = np.sqrt(segment(found, terms, number).power(2).sum(axis=1))
        np.testing.assert_allclose(length, 1.0, atol=1e-6)


def test_rows_are_weighted_as_they_are_alone() -> None:
    counts = count_terms(TEXTS, EVERYTHING)
    terms, whole = weighted(counts)
    for i in (0, 7, 59):
        np.testing.assert_array_equal(terms.transform(counts[i]).toarray(), whole[i].toarray())


def test_terms_that_training_did_not_keep_are_ignored() -> None:
    terms, _ = weighted(count_terms(TEXTS, EVERYTHING))
    found = terms.transform(count_terms(["zzzz qqqq", "", "printer"], EVERYTHING))
    assert found[0].nnz == found[1].nnz == 0
    assert found[2].nnz > 0


def test_rare_terms_are_dropped_and_the_most_frequent_kept() -> None:
    counts = count_terms(TEXTS, EVERYTHING)
    frequency = np.bincount(np.unique(counts.indices, return_inverse=True)[1])
    terms, _ = weighted(counts, fewest=3)
    assert len(terms.places) == (frequency >= 3).sum()
    few, _ = weighted(counts, most=50)
    assert len(few.places) == 50
    kept = np.isin(np.unique(counts.indices), few.places)
    assert frequency[kept].min() >= frequency[~kept].max()
    assert (np.diff(few.places) > 0).all()


@pytest.mark.parametrize("texts", [[], [""], ["", ""], ["!!!"]])
def test_no_words_give_no_terms(texts: list[str]) -> None:
    terms, found = weighted(count_terms(texts, Features(character_ngrams=(4, 4))))
    assert found.shape == (len(texts), len(terms.places))


def test_the_subject_counts_again_only_where_a_body_stands_beside_it() -> None:
    rows = tickets(2, subject=["printer jam", "printer jam"], body=["it eats paper", None])
    rows["text"] = ["printer jam\nit eats paper", "printer jam"]
    counts = count_tickets(rows, EVERYTHING)
    again = counts.indices[counts.indptr[0] : counts.indptr[1]] >= 2 * 2**BITS
    assert again.any()
    assert (counts.indices[counts.indptr[1] :] < 2 * 2**BITS).all()


def test_the_names_of_words_are_found_again() -> None:
    text = "Printer jam in the printer"
    counts = count_terms([text], EVERYTHING)
    names = term_names(text, EVERYTHING)
    assert set(names) == {int(p) for p in counts.indices if p < 2**BITS}
    assert set(names.values()) >= {"printer", "jam", "printer jam", "the printer"}
    assert term_names("", EVERYTHING) == {}


def test_stored_terms_weigh_the_same() -> None:
    counts = count_terms(TEXTS, EVERYTHING)
    terms, found = weighted(counts, fewest=2)
    np.testing.assert_array_equal(Terms.from_state(terms.state()).transform(counts).toarray(), found.toarray())


def test_tickets_are_compared_by_their_rarer_terms_alone() -> None:
    texts = ["always the same"] * 300 + [f"always the same toner{i % 50}" for i in range(100)]
    terms, matrix = weighted(count_terms(texts, EVERYTHING))
    compared = terms.compared(matrix)
    often = np.asarray((matrix > 0).sum(axis=0)).ravel() > 100
    assert often.any() and not often.all()
    assert np.array_equal(np.unique(compared.indices), np.flatnonzero(~often))
    length = np.sqrt(np.asarray(compared.multiply(compared).sum(axis=1)).ravel())
    assert np.allclose(length[300:], 1.0) and not length[:300].any()


def test_of_few_tickets_every_term_is_compared() -> None:
    terms, matrix = weighted(count_terms(TEXTS, EVERYTHING))
    assert terms.compared(matrix).nnz == matrix.nnz


def test_what_tickets_are_compared_by_does_not_depend_on_the_tickets_beside_them() -> None:
    terms, matrix = weighted(count_terms(TEXTS * 5, EVERYTHING))
    together = terms.compared(matrix)
    alone = sp.vstack([terms.compared(matrix[row]) for row in range(20)])
    assert (together[:20] != alone).nnz == 0
