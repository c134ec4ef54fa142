"""The habit: what helpers cite on tickets of a kind is likelier on the next one of that kind."""

from __future__ import annotations

import numpy as np

from pipeline.articles.habit import FLOOR, Habit, had_never_cited, no_habit

KINDS = np.eye(4, dtype=np.float32)


def learned() -> Habit:
    rng = np.random.default_rng(0)
    article = np.repeat([5, 2, 7], [40, 20, 10])
    vectors = KINDS[[{5: 0, 2: 1, 7: 2}[a] for a in article]] + rng.normal(0, 0.1, (70, 4)).astype(np.float32)
    found = Habit.fit(vectors, article, seed=0)
    assert found is not None
    return found


def test_each_kind_of_ticket_has_its_article() -> None:
    assert learned().says(KINDS[:3], 9).argmax(axis=1).tolist() == [5, 2, 7]


def test_an_article_that_was_never_cited_is_not_impossible() -> None:
    said = learned().says(KINDS[:1], 9)[0]
    assert np.isfinite(said).all()
    assert np.allclose(said[[0, 1, 3, 4, 6, 8]], np.log(FLOOR))


def test_probabilities_of_the_cited_ones_add_up_to_one() -> None:
    said = np.exp(learned().says(KINDS, 9)) - FLOOR
    assert np.allclose(said.sum(axis=1), 1.0)


def test_of_two_articles_nothing_is_learned() -> None:
    assert Habit.fit(KINDS[[0, 1, 0, 1]], np.array([1, 2, 1, 2]), seed=0) is None


def test_of_articles_cited_hardly_twice_each_nothing_is_learned() -> None:
    assert Habit.fit(KINDS[[0, 1, 2, 3, 0]], np.array([1, 2, 3, 4, 1]), seed=0) is None


def test_it_comes_back_as_it_was_stored() -> None:
    kept = learned()
    again = Habit.from_state(kept.state())
    assert again is not None
    assert np.array_equal(again.says(KINDS, 9), kept.says(KINDS, 9))
    assert Habit.from_state(no_habit()) is None


def test_had_an_article_never_been_cited_the_others_share_its_probability() -> None:
    removed = np.zeros((4, 9), dtype=bool)
    removed[:, 5] = True
    likely = np.exp(had_never_cited(learned().says(KINDS, 9), removed)) - FLOOR
    assert np.allclose(likely.sum(axis=1), 1.0) and np.allclose(likely[:, 5], 0.0)
    nothing = had_never_cited(learned().says(KINDS, 9), np.ones((4, 9), dtype=bool))
    assert np.allclose(nothing, np.log(FLOOR))


def test_one_ticket_and_one_article() -> None:
    assert learned().probability(KINDS[:1], 5) > 0.9
    assert max(learned().probability(KINDS[:1], other) for other in (3, 8)) < 1e-9
