"""Earlier tickets: how like they are doesn't depend on who else is asked, and nobody sees what wasn't known yet."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from pipeline.articles.earlier import Asked, Earlier
from pipeline.history.log import NEVER

DRAW = np.random.default_rng(3)


def unit(rows: int) -> sp.csr_matrix:
    matrix = sp.random(rows, 400, 0.1, format="csr", dtype=np.float32, random_state=DRAW)
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)))
    return sp.csr_matrix(matrix / length, dtype=np.float32)


def asked(vectors: sp.csr_matrix, at: list[int] | None = None) -> Asked:
    size = vectors.shape[0]
    ids = [f"t{i}" for i in range(size)]
    return Asked(ids, ["x"] * size, [None] * size, np.array(at or [NEVER] * size), vectors)


@pytest.fixture
def earlier() -> Earlier:
    return Earlier(np.array([f"e{i}" for i in range(300)], dtype=object), np.arange(300), unit(300))


def test_sparse_tickets_are_compared_by_their_cosine(earlier: Earlier) -> None:
    tickets = unit(20)
    expected = np.clip((tickets @ earlier.vectors.T).toarray(), 0, 1)
    assert np.array_equal(earlier.similarity(asked(tickets)), expected)


def test_dense_tickets_are_compared_by_their_cosine(earlier: Earlier) -> None:
    dense = Earlier(earlier.ticket, earlier.known, earlier.vectors.toarray() - np.float32(0.01))
    tickets = unit(20).toarray()
    expected = np.clip(tickets @ dense.vectors.T, 0, 1)
    assert np.allclose(dense.similarity(asked(tickets)), expected, atol=1e-6)
    assert expected.min() == 0.0


def test_a_sparse_ticket_is_compared_alike_in_a_batch_and_alone_to_the_last_bit(earlier: Earlier) -> None:
    tickets = unit(20)
    alone = [earlier.similarity(asked(tickets[row])) for row in range(20)]
    assert np.array_equal(earlier.similarity(asked(tickets)), np.vstack(alone))


def test_a_ticket_without_any_term_is_like_nothing(earlier: Earlier) -> None:
    assert not earlier.similarity(asked(sp.csr_matrix((1, 400), dtype=np.float32))).any()


def test_only_what_was_known_before_is_seen_and_of_a_ticket_without_time_everything() -> None:
    three = Earlier(np.array(["a", "b", "t1"], dtype=object), np.array([5, NEVER, 7]), unit(3))
    seen = three.seen(asked(unit(4), [6, NEVER, 5, 9]))
    assert seen.tolist() == [
        [True, False, False],
        [True, True, False],
        [False, False, False],
        [True, False, True],
    ]
