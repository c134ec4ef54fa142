"""Splits: by time or by a stable hash, and near-duplicate texts never on both sides."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Features, Split
from pipeline.features.text import count_terms
from pipeline.training.split import Plan, near_duplicates, plan, stable_order

SETTINGS = Split()
LETTER = "the printer on the third floor eats paper since monday and nobody knows what to do about the jam in tray two"


def counted(texts: list[str]) -> sp.csr_matrix:
    """Words, single and in pairs."""
    return sp.csr_matrix(count_terms(texts, Features())[:, : 2**24])


def groups_of(texts: list[str], similarity: float = 0.9) -> list[int]:
    return [int(g) for g in near_duplicates(counted(texts), similarity)]


def made(groups: list[int], *, dated: bool) -> Plan:
    numbers = np.array(groups)
    order = stable_order(pd.Series([f"text {g}" for g in groups]))
    return plan(np.arange(len(groups)) * 10, numbers, order, SETTINGS, dated=dated)


def disjoint(found: Plan, groups: list[int]) -> None:
    """No group on both sides of any fold."""
    of = dict(zip(range(0, len(groups) * 10, 10), groups, strict=True))
    for fold in (*found.choose, *found.calibrate):
        assert not {of[int(r)] for r in fold.fit} & {of[int(r)] for r in fold.look}
        assert not set(fold.fit) & set(fold.look)


@given(groups=st.lists(st.integers(0, 30), min_size=1, max_size=120), dated=st.booleans())
def test_a_group_never_stands_on_both_sides(groups: list[int], dated: bool) -> None:
    disjoint(made(groups, dated=dated), groups)


def test_with_times_later_rows_are_looked_at_and_earlier_ones_learned_from() -> None:
    found = made(list(range(1000)), dated=True)
    (choose,), (calibrate,) = found.choose, found.calibrate
    assert found.dated and found.left_out == 0
    assert choose.fit.max() < choose.look.min() and choose.look.max() < calibrate.look.min()
    assert calibrate.fit.max() < calibrate.look.min()
    assert (len(choose.fit), len(choose.look), len(calibrate.fit), len(calibrate.look)) == (700, 150, 850, 150)


def test_repeats_of_earlier_texts_are_not_looked_at_and_counted() -> None:
    groups = [*range(850), *range(30), *range(850, 970)]
    found = made(groups, dated=True)
    assert found.left_out == 30
    assert len(found.calibrate[0].look) == 120


def test_without_times_every_row_is_looked_at_once() -> None:
    groups = [i // 2 for i in range(400)]
    found = made(groups, dated=False)
    assert not found.dated and found.choose == found.calibrate and len(found.choose) == SETTINGS.folds
    looked = np.concatenate([f.look for f in found.choose])
    assert sorted(looked) == list(range(0, 4000, 10))
    for fold in found.choose:
        assert len(fold.fit) + len(fold.look) == 400 and 60 < len(fold.look) < 140


@pytest.mark.parametrize("dated", [True, False])
def test_where_every_text_is_the_same_there_is_nothing_to_look_at(dated: bool) -> None:
    assert not made([0] * 100, dated=dated).looks
    assert made(list(range(100)), dated=dated).looks


def test_the_stable_order_depends_on_the_text_alone() -> None:
    assert [int(n) for n in stable_order(pd.Series(["printer", ""]))] == [13434486018289426855, 16406829232824261652]
    one, other = stable_order(pd.Series(["a", "b", "\ud800"], dtype=object)), stable_order(pd.Series(["b", "a"]))
    assert one[0] == other[1] and one[1] == other[0]


def test_the_same_text_is_one_group_named_after_its_first_row() -> None:
    assert groups_of([LETTER, "my password is refused", LETTER, LETTER.upper(), LETTER + " !!"]) == [0, 1, 0, 0, 0]


def test_a_text_with_one_other_word_is_a_near_duplicate() -> None:
    words = [f"word{i}" for i in range(200)]
    other = [*words[:100], "else", *words[101:]]
    assert groups_of([" ".join(words), " ".join(other)]) == [0, 0]


def test_texts_that_share_half_their_words_are_not() -> None:
    first, second = [f"a{i}" for i in range(60)], [f"b{i}" for i in range(60)]
    assert groups_of([" ".join(first), " ".join([*first[:30], *second[:30]]), " ".join(second)]) == [0, 1, 2]


def test_texts_without_a_word_are_each_their_own() -> None:
    assert groups_of(["", "...", LETTER, "", LETTER]) == [0, 1, 2, 3, 2]
    assert groups_of([""]) == [0]


def test_likeness_is_the_share_of_common_words() -> None:
    draw = np.random.default_rng(0)
    words = np.array([f"w{i}" for i in range(5000)])
    missed = wrongly = 0
    for _ in range(60):
        base = list(draw.choice(words, 150, replace=False))
        near, far = base[:], base[:]
        near[:2] = ["x1", "x2"]  # Jaccard of words and pairs about 0.95
        far[::6] = [f"y{i}" for i in range(len(far[::6]))]  # about 0.6
        found = groups_of([" ".join(t) for t in (base, near, far)])
        missed += found[1] != 0
        wrongly += found[2] == 0
    assert missed <= 6 and wrongly == 0
