"""Stale articles: cited less than before, gone, never cited, or followed by customers who come back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest
from factories import NOON, tickets
from made_articles import articles
from made_knowledge import event, events

from pipeline.config import Params
from pipeline.pages.knowledge import Stale
from pipeline.sources.raw import Raw
from pipeline.tickets.schema import empty
from pipeline.training.knowledge_tables import stale_table
from pipeline.training.stale import stale

DAY = pd.Timedelta(days=1)


def raw(cited: list[tuple[str | None, pd.Timestamp]], more: Sequence[dict[str, Any]] = (), **columns: Any) -> Raw:
    """Tickets that cite an article at their creation, and what happened to them; the data go on for 30 days."""
    times = [at for _, at in cited]
    names = [f"c{i}" for i in range(len(cited))]
    made = tickets(len(cited), created_at=times, fields_cited=[name for name, _ in cited], customer_id=names, **columns)
    last = event("t0", "note", max(times) + 30 * DAY)
    return Raw(made, events([*more, last]), empty("outcomes"), articles(), {"article": "cited"}, [])


def found(*given: Any, **columns: Any) -> Stale:
    return stale(raw(*given, **columns), Params())


def test_an_article_that_is_cited_no_more_fades_and_one_that_others_outgrew_does_not() -> None:
    old = [("mail", NOON + i * DAY) for i in range(40)] + [("print", NOON + i * DAY) for i in range(40)]
    late = [("print", NOON + (200 + i) * DAY) for i in range(30)]
    one, *others = found(old + late).fading
    assert not others and (one.article_id, one.title) == ("mail", "Send mail")
    assert (one.before, one.late, one.expected, one.last) == (40, 0, 15.0, "2026-04-10")


def test_what_chance_explains_is_no_fading() -> None:
    old = [("mail", NOON + i * DAY) for i in range(8)] + [("print", NOON + i * DAY) for i in range(40)]
    late = [("print", NOON + (200 + i) * DAY) for i in range(10)]
    assert found(old + late).fading == ()


def test_a_cited_article_that_is_gone_is_told_by_its_id() -> None:
    gone = found([("old-one", NOON), ("old-one", NOON + DAY), ("mail", NOON)]).gone
    assert [(g.name, g.cited, g.last) for g in gone] == [("old-one", 2, "2026-03-03")]


def test_a_link_to_an_article_that_is_gone_is_told_by_its_name() -> None:
    made = tickets(2, customer_id=["a", "b"])
    texts = ["see https://x.example/kb/Gone-Page and /kb/mail", "see /kb/gone-page", "see /kb/own"]
    said = [event(f"t{i % 2}", "reply", NOON + i * DAY, actor="helper", text=text) for i, text in enumerate(texts)]
    said.append(event("t0", "reply", NOON, actor="a", text="I read /kb/not-by-an-agent"))
    links = {"articles": {"reply_links": r"/kb/([\w-]+)"}}
    here = articles().assign(slug=articles()["article_id"])
    one = stale(Raw(made, events(said), empty("outcomes"), here, links, []), Params())
    assert [(g.name, g.cited) for g in one.gone] == [("gone-page", 2), ("own", 1)]
    assert one.citations == 1 and [name for name, _ in one.never] == ["de", "pass", "print"]


def test_articles_that_nobody_cited_are_listed() -> None:
    assert found([("mail", NOON)]).never == (
        ("de", "Drucken"),
        ("pass", "Forgotten password"),
        ("print", "Print a page"),
    )


@pytest.mark.parametrize(
    ("way", "happened"),
    [
        ("wrote", [event("t0", "reply", NOON + DAY, actor="c0")]),
        ("wrote", [event("t0", "reply", NOON + 7 * DAY, side="customer")]),
        ("reopened", [event("t0", "status", NOON + DAY, value="resolved"), event("t0", "reopened", NOON + 2 * DAY)]),
        (None, [event("t0", "reply", NOON - DAY, actor="c0")]),
        (None, [event("t0", "reply", NOON + 8 * DAY, actor="c0")]),
        (None, [event("t0", "reply", NOON + DAY, actor="helper")]),
        (None, [event("t0", "reply", NOON + DAY, side="agent", actor="c0")]),
        (None, [event("t0", "status", NOON + DAY, value="resolved")]),
    ],
)
def test_a_customer_comes_back_by_writing_again_or_a_ticket_opened_anew(
    way: str | None, happened: list[dict[str, Any]]
) -> None:
    one = found([("mail", NOON)] * 5, happened).comes_back[0]
    assert one.tickets == 5 and one.came_back == (way is not None)
    assert {name: getattr(one, name) for name in ("wrote", "reopened", "returned")} == {
        name: int(name == way) for name in ("wrote", "reopened", "returned")
    }


def test_a_customer_comes_back_by_another_ticket_in_time() -> None:
    made = raw([("mail", NOON)] * 5 + [(None, NOON + 3 * DAY), (None, NOON + 9 * DAY), (None, NOON + 2 * DAY)])
    made.tickets["customer_id"] = ["c0", "c1", None, None, "c4", "c0", "c1", None]
    one = stale(made, Params()).comes_back[0]
    assert (one.tickets, one.came_back, one.returned) == (5, 1, 1)


def test_articles_are_held_against_all_and_the_surest_excess_comes_first() -> None:
    cited = [("mail", NOON)] * 10 + [("print", NOON)] * 10
    back = [event(f"t{i}", "reply", NOON + DAY, actor=f"c{i}") for i in (*range(9), 10)]
    made = found(cited, back)
    assert made.base_rate == 0.5 and [one.article_id for one in made.comes_back] == ["mail", "print"]
    first = made.comes_back[0].share
    assert first.value == 0.9 and first.low is not None and 0.5 < first.low < 0.9
    assert "Send mail" in stale_table(made) and "50" in stale_table(made)


def test_the_end_of_the_data_is_no_end_of_the_wait() -> None:
    made = raw([("mail", NOON)] * 5 + [("print", NOON + 29 * DAY)] * 5)
    short = Raw(made.tickets, events([]), made.outcomes, made.articles, made.outcomes_as_written, [])
    assert [one.article_id for one in stale(short, Params()).comes_back] == ["mail"]


def test_few_tickets_say_nothing_and_none_say_so() -> None:
    assert found([("mail", NOON)] * 4).comes_back == ()
    bare = raw([(None, NOON)])
    for one in (bare, Raw(bare.tickets, bare.events, bare.outcomes, empty("articles"), {}, [])):
        nothing = stale(one, Params())
        assert (nothing.citations, nothing.base_rate, nothing.last) == (0, None, "")
        assert stale_table(nothing).startswith("never cited: ")


def test_without_times_only_what_needs_none_is_said() -> None:
    made = raw([("mail", NOON)] * 5 + [("gone", NOON)])
    timeless = Raw(
        made.tickets.assign(created_at=pd.NaT), events([]), made.outcomes, made.articles, made.outcomes_as_written, []
    )
    one = stale(timeless, Params())
    assert one.citations == 5 and one.gone[0].last == "" and not one.fading and not one.comes_back
