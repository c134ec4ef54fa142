"""Replies: what was seen by then counts, a text sent often is a macro, and personal data stay where they are."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_articles import directions

from pipeline.articles.earlier import Asked
from pipeline.articles.replies import Answers, Names, ReplyModel, as_reply, names_of, same_text, small_words
from pipeline.history.log import DAY, NEVER

NOW = 100 * DAY
TEXTS = ("Open the outbox and press send.", "Choose the printer and print again.")


def model(sent: list[tuple[str, int, int, str]], **changes: Any) -> ReplyModel:
    """With answers (ticket, text, when, the ticket's words)."""
    sent = sorted(sent, key=lambda one: one[1])
    answers = Answers(
        np.array([t for t, *_ in sent], dtype=object),
        np.array([text for _, text, *_ in sent], dtype=np.int64),
        np.array([at for *_, at, _ in sent], dtype=np.int64),
        np.array(["en"] * len(sent), dtype=object),
        directions([words for *_, words in sent]),
    )
    weights = {"alike": np.array([8.0, -4.0]), "fits": np.array([8.0, 1.0, 0.5, -4.0]), "least": 0.5, "shown": 3}
    return ReplyModel(answers, TEXTS, **{**weights, **changes})


def asked(text: str, *, at: int = NOW, name: str = "new", language: str | None = "en") -> Asked:
    return Asked([name], [text], [language], np.array([at]), directions([text]))


def test_the_reply_is_what_settled_a_ticket_like_it() -> None:
    similar, replies = model([("A", 0, DAY, "mail"), ("B", 1, DAY, "print")]).suggest(asked("my mail"))
    assert similar[0][0]["ticket_id"] == "A" and similar[0][0]["probability"] > 0.9
    assert replies[0] is not None
    assert (replies[0]["text"], replies[0]["source"]) == (TEXTS[0], "ticket:A")
    assert 0.5 <= replies[0]["probability"] <= 1.0


def test_a_text_that_was_sent_often_is_a_macro() -> None:
    _, replies = model([(f"A{i}", 0, DAY, "mail") for i in range(3)]).suggest(asked("my mail"))
    assert replies[0] is not None and replies[0]["source"].startswith("macro:A")


def test_an_unsure_reply_is_none() -> None:
    similar, replies = model([("A", 0, DAY, "mail")], least=0.9999).suggest(asked("my mail"))
    assert similar[0] and replies == [None]


@pytest.mark.parametrize(
    ("when", "ticket"), [(NOW, "T"), (NOW + DAY, "T"), (DAY, "new"), (NEVER, "T")],
    ids=["at that moment", "later", "on the ticket itself", "nobody knows when"],
)  # fmt: skip
def test_what_was_not_known_by_then_is_not_seen(when: int, ticket: str) -> None:
    assert model([(ticket, 0, when, "mail")]).suggest(asked("my mail")) == ([[]], [None])


def test_a_ticket_without_a_time_is_asked_after_all_that_is_known() -> None:
    assert model([("A", 0, DAY, "mail")]).suggest(asked("my mail", at=NEVER))[1][0] is not None


def test_only_answers_in_the_customers_language() -> None:
    found = model([("A", 0, DAY, "mail")])
    assert found.suggest(asked("my mail", language="de")) == ([[]], [None])
    assert found.suggest(asked("my mail", language="und"))[1][0] is not None


def test_a_ticket_without_words_gets_nothing() -> None:
    assert model([("A", 0, DAY, "mail")]).suggest(asked("  ")) == ([[]], [None])


def test_without_answers_nothing_is_suggested() -> None:
    none = model([])
    assert none.suggest(asked("mail")) == ([[]], [None])


def test_it_is_stored_and_read_again() -> None:
    made = model([("A", 0, DAY, "mail"), ("B", 1, DAY, "print")])
    assert ReplyModel.from_state(made.state()).suggest(asked("my mail")) == made.suggest(asked("my mail"))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            "<p>Hi Ada,</p><p>open the settings and press reset, then wait.</p><p>-- <br>Bob</p>",
            "Open the settings and press reset, then wait.",
        ),
        ("Dear Mr Smith: please open the settings and press reset.", "Please open the settings and press reset."),
        ("Write to help@example.org and they will open the settings.", None),
        ("Call +49 30 1234567 and they will open the settings for you.", None),
        ("Thanks, done!", None),
        ("", None),
    ],
)
def test_an_answer_for_somebody_else_holds_nobodys_name_or_address(said: str, expected: str | None) -> None:
    assert as_reply(said) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Hi Ada, open the settings as Ada Smith did, and press reset.", None),
        ("Hi Ada, open the settings and then, Ada, please press reset.", None),
        ("Hello, open the settings and press reset. Greta will look at it.", None),
        ("Hello, open the settings that C-Smith_77 has sent, and press reset.", None),
        ("Hello, write to dario.b about the settings, and press reset.", None),
        ("Hello, open the settings. Support will reset it now.", "Open the settings. Support will reset it now."),
        ("Hello there, it is there: There you press reset and wait.", "It is there: There you press reset and wait."),
        ("Hello, open the greta settings and press the reset.", "Open the greta settings and press the reset."),
    ],
)  # fmt: skip
def test_an_answer_that_names_its_customer_an_agent_or_whom_it_greets_is_none(said: str, expected: str | None) -> None:
    ordinary = small_words([said, "ask our support"])
    agents = names_of(["greta", "dario.b", "support", None], ordinary=small_words(["ask our support"]))
    assert as_reply(said, agents=agents, customer="c-smith_77", ordinary=ordinary) == expected


def test_nothing_known_gives_nobody_away() -> None:
    assert names_of([None, ""]) == Names() and names_of(["17", "ab"]) == Names()
    assert names_of(["Ann Lee", "bob_77"]) == Names(frozenset({"ann", "lee", "bob"}), frozenset({"ann lee", "bob_77"}))


def test_a_long_answer_ends_after_a_sentence() -> None:
    said = as_reply("Open the settings and press the reset button. " * 40)
    assert said is not None and said.endswith(".") and len(said.split()) <= 120


def test_two_sendings_of_one_text_are_alike() -> None:
    assert same_text("Your number is 17. Thank you!") == same_text("your number is 4711 —  thank you")


def test_a_model_that_gives_none_still_shows_similar_tickets_and_comes_back_so() -> None:
    silent = model([("A", 0, DAY, "mail")], least=np.inf)
    again = ReplyModel.from_state(json.loads(json.dumps({"least": silent.state()["least"]})) | {
        name: part for name, part in silent.state().items() if name != "least"
    })  # fmt: skip
    similar, replies = again.suggest(asked("my mail"))
    assert similar[0] and replies == [None]


def test_where_nothing_was_answered_nothing_is_shown() -> None:
    assert replace(model([]), texts=()).suggest(asked("my mail")) == ([[]], [None])
