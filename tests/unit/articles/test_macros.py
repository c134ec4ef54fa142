"""Answers that were sent by an imported macro are known, whatever was filled in; others aren't."""

from __future__ import annotations

import pytest

from pipeline.articles.macros import macros_of, sent_by
from pipeline.articles.replies import names_of

RESET = "<p>Hi {{customer.first_name}},</p><p>Open the settings of {{device}} and press reset. It restarts then.</p>"
LONG = "Open the settings of {{device}} and press reset. It restarts then. Tell us whether that has helped you."
FOUND = macros_of([("7", RESET), ("8", LONG), ("9", "Thanks, we are closing this.")], agents=names_of([]))


@pytest.mark.parametrize(
    ("text", "macro_id"),
    [
        ("<p>Hi Ada,</p><p>Open the settings of your Quill 3 and press reset. It restarts then.</p>", "7"),
        ("Hello Ada! Open the settings of it and press  reset.\nIt restarts then. Best regards, Bob", "7"),
        (LONG.replace("{{device}}", "the lamp"), "8"),
        ("Open the settings. Press reset, and it restarts then.", None),
        ("Press reset. It restarts then. Open the settings of it.", None),
        ("Thanks, we are closing this.", None),
        ("", None),
    ],
)
def test_an_answer_is_the_longest_macro_all_of_which_stands_in_it(text: str, macro_id: str | None) -> None:
    found = sent_by(text, FOUND)
    assert (found.macro_id if found else None) == macro_id


def test_a_macro_is_suggested_without_greeting_and_shows_what_is_to_be_filled_in() -> None:
    assert {m.macro_id: m.text for m in FOUND} == {
        "7": "Open the settings of … and press reset. It restarts then.",
        "8": "Open the settings of … and press reset. It restarts then. Tell us whether that has helped you.",
    }


@pytest.mark.parametrize(
    "text", ["Write to ann@example.org about the lamp that is broken, please.", "", "{{all_of_it}}"]
)
def test_what_cannot_be_sent_is_no_macro(text: str) -> None:
    assert macros_of([("1", text)], agents=names_of([])) == ()


def test_a_macro_that_names_an_agent_is_none() -> None:
    text = "Open the settings and press reset, and ask Dagmar if it doesn't restart then."
    assert macros_of([("1", text)], agents=names_of(["dagmar"])) == ()
    assert len(macros_of([("1", text)], agents=names_of([]))) == 1


def test_without_macros_nothing_is_one() -> None:
    assert sent_by("Open the settings.", ()) is None
