"""The rivals are simple, and each does what it says."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.training.baselines import KEYWORDS, MAJORITY, PLAIN, Lesson, joined, majority, plain_rows, rivals
from pipeline.training.looked import Rival
from pipeline.training.telling_words import Documents, class_words, count, leaning

MAIL = ["my mail is late", "no mail today", "where is the mail of monday", "mail bounced"]
DOOR = ["the door is stuck", "a door fell off", "door handle gone", "door and door frame"]


def made(times: int = 20) -> tuple[Documents, np.ndarray]:
    return Documents((MAIL * 2 + DOOR) * times), np.repeat([["mail"] * 8 + ["door"] * 4], times, axis=0).ravel()


def by_name(found: tuple[Rival, ...]) -> dict[str, Rival]:
    return {r.name: r for r in found}


def test_all_three_name_what_they_would_say() -> None:
    texts, labels = made()
    look = Documents(["the door again", "mail for you", "nothing known here"])
    found = by_name(rivals("topic", Lesson(texts, labels), look, np.array(["door", "mail", "mail"]), seed=0))
    assert found[MAJORITY].guess.tolist() == ["mail"] * 3
    assert found[KEYWORDS].guess.tolist() == ["door", "mail", "mail"]
    assert found[PLAIN].guess.tolist()[:2] == ["door", "mail"]
    assert found[PLAIN].first_three is not None and found[PLAIN].first_three.all()
    assert ((found[PLAIN].confidence > 0.4) & (found[PLAIN].confidence <= 1)).all()


def test_an_escalation_gets_risks() -> None:
    texts, labels = made()
    lesson = Lesson(texts, np.where(labels == "door", "1", "0"))
    found = by_name(rivals("escalated", lesson, Documents(["door", "mail"]), np.array(["1", "0"]), seed=0))
    assert found[MAJORITY].confidence.tolist() == pytest.approx([1 / 3, 1 / 3])
    for name in (KEYWORDS, PLAIN):
        assert found[name].confidence[0] > 0.5 > found[name].confidence[1]


@pytest.mark.parametrize("texts", [[""] * 30, ["??"] * 30])
def test_without_words_only_the_majority_is_left(texts: list[str]) -> None:
    labels = np.array(["a", "b", "b"] * 10)
    found = rivals("topic", Lesson(Documents(texts), labels), Documents(texts[:3]), labels[:3], seed=0)
    assert MAJORITY in by_name(found) and KEYWORDS not in by_name(found)


def test_one_class_only_leaves_the_majority() -> None:
    texts, labels = made()
    found = rivals("topic", Lesson(texts, np.full(len(labels), "a")), Documents(["x"]), np.array(["a"]), seed=0)
    assert [r.name for r in found] == [MAJORITY]


def test_fields_stand_in_for_texts() -> None:
    texts = Documents(["site=North Pole\x1fgroup=1", "site=South Pole\x1fgroup=2"] * 30, fields=True)
    lesson = Lesson(texts, np.array(["cold", "colder"] * 30))
    found = by_name(rivals("topic", lesson, texts.take(np.array([0, 1])), np.array(["cold", "colder"]), seed=0))
    assert found[KEYWORDS].guess.tolist() == found[PLAIN].guess.tolist() == ["cold", "colder"]


def test_the_majority_of_nothing_but_counts() -> None:
    found = majority("topic", {"a": 0.2, "b": 0.5, "c": 0.2, "d": 0.1}, np.array(["d", "c"]))
    assert found.guess.tolist() == ["b", "b"]
    assert found.first_three is not None and found.first_three.tolist() == [False, True]


def test_the_plain_pipeline_is_capped_for_big_data() -> None:
    assert plain_rows(500_000, 10) == 20_000
    assert plain_rows(500_000, 1_000) == 5_000
    assert plain_rows(300, 10) == 300


def test_parts_are_joined_in_the_order_of_the_tickets() -> None:
    parts = [
        (np.array([2, 0]), (Rival("r", np.array(["c", "a"]), np.array([0.3, 0.1])),)),
        (np.array([1]), (Rival("r", np.array(["longer"]), np.array([0.2])), Rival("s", np.array(["x"]), np.ones(1)))),
    ]
    (whole,) = joined(parts, 3)
    assert whole.guess.tolist() == ["a", "longer", "c"] and whole.confidence.tolist() == [0.1, 0.2, 0.3]


def test_words_that_few_tickets_hold_are_never_shown() -> None:
    texts, labels = made()
    rare = Documents([*texts.texts[:-9], *["unmistakable door"] * 9], texts.fields)
    said = {
        c.label: [w.word for w in c.words] for c in class_words(rare, labels, classes={"door": "door", "mail": "post"})
    }
    assert said["door"][0] == "door" and said["post"][0] == "mail"
    assert "unmistakable" not in said["door"]


def test_leaning_is_in_standard_errors() -> None:
    held = count(Documents(["a1 yes", "a1 yes", "a1", "a1"] * 25), fewest=1)
    assert held is not None
    scores = leaning(held, np.array([0, 0, 1, 1] * 25), 2)
    assert scores[0, held.words.tolist().index("yes")] > 4
    assert scores == pytest.approx(-scores[::-1])
