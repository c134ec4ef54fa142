"""Knowledge gaps: the tickets that no article fits are found, grouped, named by words, and put in order."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from factories import NOON, tickets
from made_knowledge import PARAMS, UNFIT, WORDS, desk, event, events, scorer

from pipeline.errors import InputError
from pipeline.pages.knowledge import Gap, Gaps, gaps_sentence
from pipeline.sources.raw import Raw, relabel
from pipeline.training.gaps import gaps, hours_waited
from pipeline.training.groups import TYPICAL, grouped, middle_first
from pipeline.training.knowledge_tables import gaps_table
from pipeline.training.leak import Facts


@pytest.fixture(scope="module")
def found() -> Gaps:
    return gaps(desk(), scorer(), below=0.5, say=str)


def kind_of(raw: Raw) -> dict[str, str]:
    own = {word: kind for kind, words in WORDS.items() for word in words}
    return {i: own[text.split()[0]] for i, text in zip(raw.tickets["ticket_id"], raw.tickets["body"], strict=True)}


def test_the_tickets_that_nobody_answered_by_an_article_are_the_gaps(found: Gaps) -> None:
    kinds = kind_of(desk())
    assert found.tickets == 400 and 0 < found.lacking <= 160
    assert {kinds[name] for gap in found.gaps for name in gap.examples} <= {*UNFIT}
    assert sum(gap.tickets for gap in found.gaps) + found.scattered == found.lacking
    assert found.topics[0].topic == "sky" and found.topics[0].lacking == found.lacking
    assert (found.first, found.last) == ("2026-03-02", "2026-03-19")


def test_each_group_is_alike_and_named_by_its_words(found: Gaps) -> None:
    kinds = kind_of(desk())
    for gap in found.gaps:
        own = {kinds[name] for name in gap.examples}
        assert len(own) == 1 and {*gap.words} <= {*WORDS[own.pop()]} and gap.words
        assert gap.topic == "sky" and gap.language is None and 0 <= gap.none_fits <= 1
        assert gap.article_id in {"mail", "print", "pass"} and 0 < (gap.probability or 0) < 1


def test_the_order_goes_by_tickets_times_hours_waited(found: Gaps) -> None:
    assert [gap.weight for gap in found.gaps] == sorted((gap.weight for gap in found.gaps), reverse=True)
    hours = {kind_of(desk())[gap.examples[0]]: gap.waiting_hours for gap in found.gaps}
    assert hours["moon"] == 10 and (hours["sea"] or 0) > 100
    one = found.gaps[0]
    assert replace(one, tickets=3, waiting_hours=2.0).weight == 6
    assert replace(one, tickets=3, waiting_hours=None).weight == 3
    assert replace(one, tickets=3, waiting_hours=9999.0).weight == 3 * 168


def test_the_same_input_gives_the_same_gaps_whoever_asks(found: Gaps) -> None:
    assert gaps(desk(), scorer(), below=0.5, say=str) == found
    json.dumps(asdict(found), allow_nan=False)


def test_a_ticket_on_which_an_article_was_cited_is_no_gap(found: Gaps) -> None:
    raw = desk()
    everything = replace(raw, tickets=raw.tickets.assign(**{"fields.cited": "mail"}))
    assert gaps(everything, scorer(), below=0.5, say=str).lacking == 0
    elsewhere = replace(raw, tickets=raw.tickets.assign(**{"fields.cited": "an article that was deleted"}))
    assert gaps(elsewhere, scorer(), below=0.5, say=str).lacking >= found.lacking
    assert gaps(raw, scorer(), below=0.0, say=str).lacking < found.lacking


def test_tickets_in_a_language_without_articles_are_one_gap() -> None:
    raw = desk()
    moon = raw.tickets["body"].str.split().str[0].isin(WORDS["moon"])
    abroad = replace(raw, tickets=raw.tickets.assign(language=raw.tickets["language"].mask(moon, "fr")))
    foreign = [gap for gap in gaps(abroad, scorer(), below=0.5, say=str).gaps if gap.language]
    assert [(gap.language, gap.topic, gap.tickets, gap.none_fits) for gap in foreign] == [
        ("fr", None, int(moon.sum()), 1)
    ]
    assert foreign[0].article_id is None and foreign[0].words == ()
    assert "no article in fr" in gaps_table(Gaps("", "", 9, 9, 0.2, 0, (), tuple(foreign)))


def test_only_the_tickets_of_the_period_are_looked_at() -> None:
    since = NOON + pd.Timedelta(hours=300)
    assert gaps(desk(), scorer(), since=since, below=0.5, say=str).tickets == 100
    raw = desk()
    long_ago = raw.tickets["created_at"].mask(np.arange(400) < 50, NOON - pd.Timedelta(days=200))
    assert gaps(replace(raw, tickets=raw.tickets.assign(created_at=long_ago)), scorer(), say=str).tickets == 350
    with pytest.raises(InputError, match="no ticket was created then"):
        gaps(desk(), scorer(), since=NOON + pd.Timedelta(days=500), say=str)


def test_without_times_all_tickets_count_and_nobody_waited() -> None:
    raw = desk()
    timeless = replace(raw, tickets=raw.tickets.assign(created_at=pd.NaT), events=events([]))
    found = gaps(timeless, scorer(), below=0.9, say=str)
    assert found.tickets == 400 and found.first == "" and all(gap.waiting_hours is None for gap in found.gaps)
    assert gaps_sentence(found).startswith("Of 400 tickets, ")


def test_tickets_without_words_and_refused_ones_are_no_gaps() -> None:
    raw = desk()
    silent = raw.tickets["body"].mask(np.arange(400) < 30)
    assert gaps(replace(raw, tickets=raw.tickets.assign(body=silent)), scorer(), say=str).tickets == 370
    nobody = replace(raw, tickets=raw.tickets.assign(body=None))
    found = gaps(nobody, scorer(), say=str)
    assert (found.tickets, found.lacking, found.gaps) == (0, 0, ())
    assert "No ticket" in gaps_table(found)


def test_a_scorer_without_articles_is_refused() -> None:
    bare = replace(scorer(), models=replace(scorer().models, articles=None))
    with pytest.raises(InputError, match="suggests no articles"):
        gaps(desk(), bare, say=str)


@pytest.mark.parametrize(
    ("rows", "hours"),
    [
        ([("reply", 3, {"side": "agent"})], 3),
        ([("reply", 3, {"side": "customer"}), ("reply", 5, {"actor": "helper"})], 5),
        ([("status", 4, {"value": "resolved"}), ("reply", 6, {"side": "agent"})], 4),
        ([("reply", 1, {"actor": "c0"})], 48),
        ([], 48),
    ],
    ids=["an answer", "not the customer's own", "an end", "never", "nothing"],
)
def test_waiting_ends_with_an_answer_or_the_ticket(rows: list[tuple[str, int, dict[str, str]]], hours: int) -> None:
    both = tickets(2, created_at=[NOON, NOON + pd.Timedelta(hours=48)])
    happened = events([event("t0", kind, NOON + pd.Timedelta(hours=at), **more) for kind, at, more in rows])
    raw = Raw(both, happened, events([]), desk().articles, {}, [])
    facts = Facts(both, happened, relabel(raw, {})[1], {})
    assert hours_waited(both.iloc[:1], facts).tolist() == [hours]


def test_few_tickets_are_one_group_and_many_are_told_apart() -> None:
    axes = np.repeat(np.eye(3, dtype=np.float32), TYPICAL, axis=0)
    for vectors in (axes, sp.csr_matrix(np.hstack([axes, axes]))):
        codes = grouped(vectors, seed=0)
        assert len({*codes}) == 3 and all(len({*codes[i : i + TYPICAL]}) == 1 for i in range(0, 3 * TYPICAL, TYPICAL))
        assert grouped(vectors, seed=0).tolist() == codes.tolist()
    assert not grouped(axes[:5], seed=0).any() and grouped(axes[:0], seed=0).shape == (0,)


def test_examples_are_from_the_middle() -> None:
    vectors = np.array([[1, 0], [0.9, 0.1], [0.8, 0.3], [0, 1]], dtype=np.float32)
    assert (
        middle_first(vectors)[-1] == 3
        and middle_first(sp.csr_matrix(vectors)).tolist() == middle_first(vectors).tolist()
    )


def test_the_table_names_topics_words_and_ids(found: Gaps) -> None:
    said = gaps_table(found)
    assert "sky" in said and found.gaps[0].examples[0] in said and found.gaps[0].words[0] in said
    many = gaps_table(replace(found, gaps=tuple(replace(found.gaps[0], tickets=i) for i in range(1, 40))))
    assert "25 more groups" in many or "24 more groups" in many
    assert isinstance(found.gaps[0], Gap) and PARAMS.seed == 0
