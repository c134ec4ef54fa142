"""Agreement on shown and on held-out tickets: the last word counts, and few words say nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_ledger import decided, said

from pipeline.ledger import Decision, Feedback, Kind, Ledger
from pipeline.ledger.agreement import Agreement, Share, agreement


def about(made: Decision, kind: Kind, value: str | None, hours: float = 1.0) -> Feedback:
    return said(str(made.ticket_id), kind, value, hours=hours)


def served(count: int, *, shown: bool, first: int = 0, articles: tuple[str, ...] = ()) -> list[Decision]:
    ids = [f"{'s' if shown else 'h'}{first + i}" for i in range(count)]
    suggested = [{"article_id": one} for one in articles]
    scored = {"topic": "billing", "priority": "low", "articles": suggested}
    return [replace(one, shown=shown, scored=dict(one.scored) | scored) for one in decided(*ids)]


def test_shares_are_counted_on_either_side(ledger: Ledger) -> None:
    shown, hidden = served(40, shown=True), served(40, shown=False)
    ledger.write([*shown, *hidden])
    ledger.add_feedback([about(one, "topic", "billing" if i < 36 else "login") for i, one in enumerate(shown)])
    ledger.add_feedback([about(one, "topic", "billing" if i < 20 else "login") for i, one in enumerate(hidden)])
    (found,) = agreement(ledger)
    assert found == Agreement("topic", Share(36, 40), Share(20, 40)) and found.enough
    assert found.difference is not None and found.difference[0] == pytest.approx(0.4)


def test_the_interval_is_that_of_the_paper() -> None:
    """Newcombe (1998), table II, case (a): 56 of 70 against 48 of 80, method 10."""
    gap = Agreement("topic", Share(56, 70), Share(48, 80)).difference
    assert gap == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_the_last_word_on_a_decision_counts_and_of_others_nothing(ledger: Ledger) -> None:
    (made,) = served(1, shown=True)
    ledger.write([made])
    early = said(str(made.ticket_id), "topic", "login", hours=-2)  # before anything was decided
    ledger.add_feedback([early, about(made, "topic", "login", 1), about(made, "topic", "billing", 2), said("other")])
    assert agreement(ledger) == [Agreement("topic", Share(1, 1), Share(0, 0))]


def test_articles_agree_where_they_were_suggested_and_none_fits_where_nothing_was(ledger: Ledger) -> None:
    made = served(4, shown=True, articles=("a1", "a2")) + served(1, shown=True, first=9)
    ledger.write(made)
    ledger.add_feedback(
        [
            about(made[0], "article_attached", "a2"),
            about(made[1], "article_attached", "a9"),
            about(made[2], "none_fits", None),
            about(made[3], "article_attached", "a1"),
            about(made[3], "article_dismissed", "a2", 2),
            about(made[4], "none_fits", None),
        ]
    )
    assert agreement(ledger) == [
        Agreement("article_attached", Share(2, 3), Share(0, 0)),
        Agreement("none_fits", Share(1, 2), Share(0, 0)),
    ]


def test_with_few_tickets_on_one_side_no_difference_is_named() -> None:
    found = Agreement("topic", Share(900, 1_000), Share(20, 29))
    assert not found.enough and found.difference is None


def test_without_feedback_there_is_nothing(ledger: Ledger) -> None:
    ledger.write(decided("t1"))
    assert agreement(ledger) == []
