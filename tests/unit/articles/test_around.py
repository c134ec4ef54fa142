"""What lies around a ticket: shares by hand, and what becomes of them when articles are taken out of the index."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.articles.around import SHARES, WIDTHS, Around

NOTHING = Around(np.full((2, 3), -1.0), np.full((2, 2), -1.0), np.array([True, False]))


def shares(around: Around) -> dict[str, list[float]]:
    return dict(zip(SHARES, around.shares().T.tolist(), strict=True))


def test_shares_by_hand() -> None:
    found = shares(Around(np.array([[1.0, 0.5]]), np.array([[0.75, 1.0, -1.0]]), np.array([True, False, True])))
    for width in WIDTHS:
        cited, gone = 1 + np.exp(-0.5 * width), np.exp(-0.25 * width)
        assert found[f"cited {width}"] == pytest.approx([cited / (cited + gone + 1)])
        assert found[f"gone {width}"] == pytest.approx([gone / (cited + gone)])


def test_where_nothing_can_be_seen_there_are_no_shares() -> None:
    assert not NOTHING.shares().any()
    assert not Around(np.zeros((2, 0)), np.zeros((2, 0)), np.zeros(0, bool)).shares().any()


def test_a_deleted_article_is_still_cited_and_one_never_written_is_not() -> None:
    before = Around(np.array([[1.0, 0.9, 0.8]]), np.array([[0.5]]), np.array([False]))
    removed, late = np.array([[True, False, True]]), np.array([True, True, False])
    deleted, never = before.deleted(removed), before.never_written(removed, late)
    assert deleted.cited.tolist() == never.cited.tolist() == [[-1.0, 0.9, -1.0]]
    assert deleted.uncovered.tolist() == [[0.5, 1.0, -1.0, 0.8]] and deleted.gone.tolist() == [False, True, True, True]
    assert never.uncovered.tolist() == [[0.5, 1.0, -1.0, -1.0]] and not never.gone.any()
    assert shares(deleted)["gone 8"][0] > shares(before)["gone 8"][0] == 0 == shares(never)["gone 8"][0]
    assert shares(never)["cited 8"] < shares(before)["cited 8"]
