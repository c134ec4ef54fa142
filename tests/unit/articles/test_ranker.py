"""The ranking: its gradient, what it learns, and what it never suggests."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad

from pipeline.articles.ranker import NEVER, Ranker, Seen, _loss, strength


def made(n: int = 60, m: int = 5, c: int = 40, seed: int = 0) -> tuple[Seen, np.ndarray]:
    """Tickets whose right article was cited on those nearby, and, for half of them, has the largest first measure."""
    random = np.random.default_rng(seed)
    right = np.zeros((n, m), dtype=bool)
    truth = random.integers(m, size=n)
    right[np.arange(n), truth] = True
    cited = np.sort(random.integers(m, size=c))
    near = np.clip(random.random((n, c)) * 0.6 + 0.4 * (cited[None] == truth[:, None]), 0, 1)
    content = random.normal(size=(n, m, 2))
    content[..., 0] += right * random.integers(0, 2, size=(n, 1)) * 2
    return Seen(content, near, random.random((n, c)) < 0.8, cited, np.ones((n, m), dtype=bool)), right


def test_the_gradient_is_that_of_the_loss() -> None:
    seen, right = made()
    target = right / right.sum(axis=1, keepdims=True)
    at = np.array([2.0, -1.0, 0.3, 0.5, -0.2, 0.1, 0.4])
    off = check_grad(lambda x: _loss(x, seen, target)[0], lambda x: _loss(x, seen, target)[1], at)
    assert off < 1e-5


def test_citations_and_content_are_both_learned() -> None:
    seen, right = made(400)
    learned = Ranker.fit(seen.rows(np.arange(300)), right[:300])
    later = seen.rows(np.arange(300, 400))
    best = learned.evidence(later).argmax(axis=1)
    assert right[300:][np.arange(100), best].mean() > 0.9
    assert learned.near > 1
    blind = later._replace(before=np.zeros_like(later.before))
    assert right[300:][np.arange(100), learned.evidence(blind).argmax(axis=1)].mean() > 0.45


def test_scaling_a_measure_changes_nothing() -> None:
    seen, right = made(200)
    scaled = seen._replace(content=seen.content * np.array([100.0, 0.01]) + 7)
    one, other = Ranker.fit(seen, right), Ranker.fit(scaled, right)
    assert one.probabilities(one.evidence(seen)) == pytest.approx(other.probabilities(other.evidence(scaled)), abs=1e-3)


def test_what_is_not_allowed_has_no_probability_and_nothing_allowed_is_no_error() -> None:
    seen, right = made()
    learned = Ranker.fit(seen, right)
    allowed = seen.allowed.copy()
    allowed[:, 1] = False
    allowed[0] = False
    evidence = learned.evidence(seen._replace(allowed=allowed))
    likely = learned.probabilities(evidence)
    assert (evidence[:, 1] == NEVER).all() and not likely[:, 1].any() and not likely[0].any()
    assert ((likely >= 0) & (likely <= 1)).all() and np.isfinite(likely).all()


def test_each_ticket_ranks_as_it_does_alone() -> None:
    seen, right = made()
    learned = Ranker.fit(seen, right)
    alone = np.vstack([learned.evidence(seen.rows(np.array([i]))) for i in range(60)])
    assert alone == pytest.approx(learned.evidence(seen), abs=1e-9)


def test_without_citations_what_articles_say_decides() -> None:
    ranker = Ranker.of_content(np.array([1.0, 0.0]))
    nothing = Seen(np.array([[[0.1, 5.0], [0.9, 0.0]]]), np.zeros((1, 0)), np.zeros((1, 0), bool), np.zeros(0, int),
                   np.ones((1, 2), bool))  # fmt: skip
    assert ranker.evidence(nothing).argmax() == 1


def test_what_was_stored_is_read_again() -> None:
    seen, right = made()
    learned = Ranker.fit(seen, right)
    again = Ranker.from_state(learned.state())
    assert (again.evidence(seen) == learned.evidence(seen)).all()


def test_a_dismissal_weighs_against_its_article_as_its_weight_of_citations_would_for_it() -> None:
    """One article is cited on a ticket and dismissed on another, both as near: by hand."""
    ranker = Ranker(4.0, 0.0, -30.0, np.zeros(1), np.zeros(1))
    near, none = np.array([[0.5, 0.5, 0.5]]), np.zeros((1, 2, 1))
    seen = Seen(none, near, np.ones((1, 3), bool), np.array([0, 0, 1]), np.ones((1, 2), bool), np.array([1.0, -2, 1.0]))
    first, second = ranker.probabilities(ranker.evidence(seen))[0]
    assert (first, second) == (pytest.approx(1 / 4), pytest.approx(3 / 4)), "1 · 1 / (1 + 2) against 1"
    later = seen._replace(before=np.array([[True, False, True]]))
    assert ranker.probabilities(ranker.evidence(later))[0] == pytest.approx([0.5, 0.5]), "it wasn't known yet"
    far = seen._replace(near=np.array([[0.5, 0.0, 0.5]]))
    assert 0.4 < ranker.probabilities(ranker.evidence(far))[0, 0] < 0.5, "on another kind of ticket"


def test_weights_are_learned_from_citations_alone() -> None:
    seen, right = made()
    weight = np.where(np.arange(40) % 4 == 0, -2.0, 1.0)
    one = Ranker.fit(seen._replace(weight=weight), right)
    other = Ranker.fit(seen._replace(before=seen.before & (weight > 0)), right)
    assert one.state() | {"level": 0} == other.state() | {"level": 0}
    plain = seen._replace(weight=np.ones(40))
    assert (one.evidence(plain) == one.evidence(seen)).all()


def test_strengths_of_two_rankers_can_be_compared() -> None:
    seen, right = made(200)
    moved = seen._replace(content=seen.content + np.array([40.0, -9.0]))
    for one in (seen, moved):
        learned = Ranker.fit(one, right)
        assert strength(learned.evidence(one)).mean() == pytest.approx(0.0, abs=1e-9)
        again = Ranker.from_state(learned.state())
        assert np.array_equal(again.evidence(one), learned.evidence(one))


def test_where_nothing_is_allowed_the_strength_is_least() -> None:
    assert strength(np.full((2, 3), NEVER)).tolist() == [-50.0, -50.0]
    assert strength(np.zeros((1, 0))).tolist() == [-50.0]
