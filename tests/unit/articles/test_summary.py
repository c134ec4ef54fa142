"""Summaries: at most four sentences, each of the ticket itself, and who waits for whom."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.articles.summary import MOST, sentences, summary, waiting
from pipeline.history.log import STATUSES
from pipeline.tickets.clean import clean
from pipeline.tickets.redact import redact

LETTER = """Hello,

I have used your coffee machine for three years and I was always happy with it. Since Monday the machine does not start
any more. When I press the button, an error E42 appears on the display and nothing else happens. My neighbour has the
same model in red. I tried to restart it and I already reset it to the factory settings, e.g. by holding both buttons.
The weather is nice here. It still shows error E42 today. We bought it together with a mill. What should I do?
"""


def folded(text: str) -> str:
    return " ".join(text.split())


def test_a_summary_says_what_is_wrong_what_was_tried_and_how_it_is_now() -> None:
    said = summary("Machine shows error E42", clean(LETTER))
    assert said is not None
    lines = said.split("\n")
    assert len(lines) <= MOST
    assert any("error E42 appears" in line for line in lines)
    assert any(line.startswith("I tried to restart it") and line.endswith("both buttons.") for line in lines)
    assert any("still shows" in line for line in lines)
    assert "weather" not in said and "neighbour" not in said


words = st.text(alphabet="abcdeäß .!?\n,'()0123日本。", max_size=40)


@given(st.none() | words, st.lists(words | st.sampled_from(LETTER.split(".")), max_size=12).map(". ".join))
def test_every_sentence_occurs_in_the_ticket(subject: str | None, body: str) -> None:
    subject, body = (None if text is None else redact(clean(text)) for text in (subject, body))
    said = summary(subject, body)
    if said is None:
        assert not (subject or "").strip() and not sentences(body or "")
        return
    lines = said.split("\n")
    assert 0 < len(lines) <= MOST
    own = {folded(subject or ""), *map(folded, sentences(body or ""))}
    for line in lines:
        assert line in own or any(one.startswith(line.removesuffix(" …")) for one in own)
        assert folded(line.removesuffix(" …")) in folded(f"{subject or ''}\n{body or ''}")


@pytest.mark.parametrize(
    ("subject", "body", "expected"),
    [
        ("It leaks", "There is water under the machine.", "It leaks"),
        (None, "There is water under the machine.", "There is water under the machine."),
        ("It leaks", None, "It leaks"),
        (None, None, None),
        ("", "   ", None),
        ("???", "There is water under it.", "There is water under it."),
    ],
)
def test_one_short_message_is_its_subject(subject: str | None, body: str | None, expected: str | None) -> None:
    assert summary(subject, body) == expected


def test_a_sentence_without_an_end_is_cut() -> None:
    said = summary(None, "It broke. " + "and then " * 400)
    assert said is not None and len(said.split()) < 130 and said.endswith("…")


@pytest.mark.parametrize(
    "piece", ["a. A. B. ", "e.g. It. ", "... ", '." "', "Mr. ", "word ", "。", "http://a.b/ ", "İ. ", "ab-"]
)
def test_a_hostile_ticket_of_the_greatest_length_is_summed_up_too(piece: str) -> None:
    said = summary("It leaks", piece * (1_000_000 // len(piece)))
    assert said is not None and len(said) < 2_100


def test_abbreviations_and_versions_end_no_sentence() -> None:
    assert sentences("It fails, e.g. with version 115.3.1 of the app. Then it stops again.") == [
        "It fails, e.g. with version 115.3.1 of the app.",
        "Then it stops again.",
    ]


NAN = math.nan


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"customer_spoke_last": 1.0, "customer_quiet_hours": 5.0, "status": 1.0}, "Waiting for an agent, 5 h."),
        ({"customer_spoke_last": 0.0, "agent_quiet_hours": 96.0, "status": 2.0}, "Waiting for the customer, 4.0 days."),
        ({"customer_spoke_last": 1.0, "customer_quiet_hours": NAN, "age_hours": 2.0}, "Waiting for an agent, 2 h."),
        ({"status": float(STATUSES.index("resolved")), "customer_spoke_last": 1.0}, "It is resolved."),
        ({"customer_spoke_last": NAN, "status": NAN}, None),
        ({}, None),
    ],
)
def test_who_waits_for_whom(known: dict[str, float], expected: str | None) -> None:
    assert waiting(known) == expected
