"""The label audit: every finding is planted and found, and nothing is found in clean data."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from factories import tickets

from pipeline.config import Features
from pipeline.features.text import Terms, count_terms
from pipeline.pages.findings import Audit
from pipeline.training.audit import audit, give_away_columns, rare_labels, twin_labels
from pipeline.training.split import near_duplicates

WORDS = {
    "printing": "printer paper toner jam tray ink scanner cartridge".split(),  # noqa: SIM905
    "signing in": "password account locked login reset token code username".split(),  # noqa: SIM905
    "mail": "inbox smtp folder send receive attachment message address".split(),  # noqa: SIM905
}
LABELS = list(WORDS)


@dataclass
class Made:
    """Tickets whose words fit their labels, and what a test changed about them."""

    labels: list[str | None]
    texts: list[str]
    columns: dict[str, list[str | None]] = field(default_factory=dict)

    def frame(self, outcome: str) -> pd.DataFrame:
        rows = tickets(len(self.labels), body=self.texts, **{f"fields_{k}": v for k, v in self.columns.items()})
        return rows.assign(**{f"label.{outcome}": pd.Series(self.labels, dtype="str")})

    def audit(self, outcome: str = "topic") -> Audit:
        counts = count_terms(self.texts, Features(character_ngrams=(4, 4)))
        terms = Terms.fit(counts, min_documents=2, max_terms=10_000).transform(counts)
        groups = near_duplicates(counts[:, : 2**24].tocsr(), 0.9)
        return audit(self.frame(outcome), outcome, terms=terms, groups=groups, seed=0)


def clean(n: int = 240, seed: int = 0) -> Made:
    draw = np.random.default_rng(seed)
    labels = [LABELS[i % 3] for i in range(n)]
    texts = [" ".join([*draw.choice(WORDS[label], 6), f"number{draw.integers(1e9)}"]) for label in labels]
    return Made(list(labels), texts)


def test_nothing_is_found_in_clean_data() -> None:
    made = clean()
    made.columns["floor"] = [str(i) for i in np.random.default_rng(1).integers(0, 5, 240)]
    assert made.audit() == Audit()


def test_wrong_labels_are_found_with_the_right_ones_the_likeliest_first() -> None:
    made = clean()
    wrong = [10, 60, 110, 160, 210]
    for i in wrong:
        made.labels[i] = LABELS[(i + 1) % 3]
    found = made.audit()
    assert {s.ticket_id for s in found.suspects} >= {f"t{i}" for i in wrong}
    assert found.suspects_found == len(found.suspects) <= 8
    assert {s.ticket_id for s in found.suspects[:5]} == {f"t{i}" for i in wrong}
    for suspect in found.suspects[:5]:
        assert suspect.predicted == LABELS[int(suspect.ticket_id[1:]) % 3] != suspect.given


def test_a_label_that_its_words_predict_is_not_called_hopeless() -> None:
    made = clean(300)
    draw = np.random.default_rng(2)
    made.labels = ["mail" if label == "mail" else str(draw.choice(["left", "right"])) for label in made.labels]
    mixed = [" ".join(draw.choice([*WORDS["printing"], *WORDS["signing in"]], 6)) for _ in range(300)]
    made.texts = [t if label == "mail" else m for t, label, m in zip(made.texts, made.labels, mixed, strict=True)]
    names = {u.label for u in made.audit().unpredictable}
    assert "mail" not in names


def test_random_labels_are_all_named_as_such() -> None:
    made = clean(1500)
    made.labels = [str(v) for v in np.random.default_rng(2).choice(["a", "b", "c"], 1500)]
    found = made.audit().unpredictable
    assert {u.label for u in found} == {"a", "b", "c"}
    assert all("ROC-AUC" in u.evidence for u in found)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("Sign In", "sign in"), "case"),
        (("sign in", "sign  in"), "spaces"),
        (("sign-in", "sign_in"), "spaces"),
        (("log in", "login"), "spaces"),
        (("password reset", "pasword reset"), "spelling"),
    ],
)
def test_twin_labels_are_found_and_why(names: tuple[str, str], why: str) -> None:
    labels = pd.Series([*[names[0]] * 9, *[names[1]] * 4, *["printing"] * 9], dtype="str")
    (twins,) = twin_labels(labels)
    assert set(twins.labels) == set(names) and sorted(twins.counts) == [4, 9] and twins.why == why


@pytest.mark.parametrize("names", [("queue 12", "queue 13"), ("mail", "main"), ("printing", "signing in")])
def test_labels_that_merely_look_alike_are_no_twins(names: tuple[str, str]) -> None:
    assert twin_labels(pd.Series([*names] * 5, dtype="str")) == ()


def test_labels_too_rare_to_learn_are_counted_and_one_row_alone_is_never_predicted() -> None:
    labels = pd.Series(["often"] * 30 + ["seldom"] * 4 + ["once", None], dtype="str")
    found = {r.label: (r.n, r.done) for r in rare_labels(labels)}
    assert found == {"seldom": (4, "learned from too little"), "once": (1, "never predicted")}


def test_one_text_with_several_labels_is_found() -> None:
    made = clean()
    for i, label in ((3, "mail"), (33, "mail"), (63, "printing")):
        made.texts[i], made.labels[i] = "the very same words about toner and paper in the tray", label
    (both,) = made.audit().labelled_both_ways
    assert both.n == 3 and set(both.labels) == {"mail", "printing"} and set(both.ticket_ids) == {"t3", "t33", "t63"}


def test_machine_filed_repeats_are_found_largest_first() -> None:
    made = clean()
    for i in range(0, 36, 3):
        made.texts[i] = "disk check on server failed please look at it as soon as you can thank you"
    for i in range(100, 124, 3):
        made.texts[i] = "automatic report about inbox number nine which is full again"
    found = made.audit().repeats
    assert [r.n for r in found] == [12, 8]
    assert found[0].labels == ("printing",) and found[0].ticket_ids[:2] == ("t0", "t3")


def test_a_column_that_holds_the_labels_name_gives_it_away() -> None:
    made = clean()
    made.columns["tags"] = [f"desktop; {str(label).upper()};new" for label in made.labels]
    (found,) = give_away_columns(made.frame("topic"), "topic")
    assert found.column == "tags" and "own name" in found.strength


def test_a_column_that_gives_the_label_away_only_lately_is_found() -> None:
    made = clean(400)
    made.columns["tags"] = [label if i >= 300 else "none" for i, label in enumerate(made.labels)]
    assert [g.column for g in give_away_columns(made.frame("topic"), "topic")] == ["tags"]


@pytest.mark.parametrize("outcome", ["topic", "queue", "priority", "escalated"])
def test_a_column_whose_codes_stand_for_the_labels_gives_them_away(outcome: str) -> None:
    made = clean()
    codes = {label: f"k{i}" for i, label in enumerate(LABELS)}
    made.columns["closed_as"] = [codes[str(label)] for label in made.labels]
    (found,) = give_away_columns(made.frame(outcome), outcome)
    assert found.column == "closed_as" and "alone predict 100%" in found.strength


def test_a_column_of_the_form_that_only_helps_does_not_give_the_label_away() -> None:
    made = clean(600)
    draw = np.random.default_rng(3)
    helpful = [str(label)[0] if draw.random() < 0.85 else "x" for label in made.labels]
    made.columns |= {"area": list(helpful), "serial": [f"s{i}" for i in range(600)], "empty": [None] * 600}
    assert give_away_columns(made.frame("topic"), "topic") == ()


def test_a_rare_outcome_is_not_given_away_by_being_rare() -> None:
    made = clean(600)
    made.labels = ["1" if i % 100 == 0 else "0" for i in range(600)]
    made.columns["floor"] = [str(i) for i in np.random.default_rng(1).integers(0, 5, 600)]
    assert give_away_columns(made.frame("escalated"), "escalated") == ()


def test_no_label_at_all_finds_nothing() -> None:
    made = clean(30)
    made.labels = [None] * 30
    assert made.audit() == Audit()


def test_few_labels_are_audited_as_far_as_they_go() -> None:
    made = clean(12)
    found = made.audit()
    assert not found.suspects and {r.n for r in found.rare} == {4}
