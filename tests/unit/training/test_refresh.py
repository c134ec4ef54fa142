"""A refreshed scorer knows what was cited and written since; with what it was trained on it stays as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alike import same, same_parts
from factories import tickets
from made_articles import articles as pages
from made_articles import cited_tickets
from made_desk import Desk

from pipeline.config import Encoder, Params
from pipeline.errors import ConfigError, InputError
from pipeline.scorer import Scorer
from pipeline.sources.raw import Raw, load_raw
from pipeline.tickets.schema import empty
from pipeline.training.assemble import assemble, id_hash
from pipeline.training.evaluate import evaluate
from pipeline.training.featurize import featurize
from pipeline.training.prepare import prepare_raw
from pipeline.training.refresh import refresh
from pipeline.training.train import train

PARAMS = replace(Params(), encoder=Encoder(name="static", cache=""))


def quiet(line: str) -> None:
    """Say nothing."""


def desk(n: int, **changes: Any) -> Raw:
    """Of `cited_tickets`."""
    rows = cited_tickets(n)
    return replace(Raw(rows, empty("events"), empty("outcomes"), pages(), {"article": "cited"}, []), **changes)


def trained(raw: Raw, params: Params = PARAMS, *, cut: pd.Timestamp | None = None) -> Scorer:
    prepared = prepare_raw(raw, params, test_from=cut)
    blocks = featurize(prepared, params, say=quiet)
    return assemble(prepared, blocks, {"article": train("article", prepared, blocks, params, say=quiet)}, params)


@pytest.fixture(scope="module")
def raw() -> Raw:
    return desk(600)


@pytest.fixture(scope="module")
def cut(raw: Raw) -> pd.Timestamp:
    return pd.Timestamp(raw.tickets["created_at"].iloc[450])


@pytest.fixture(scope="module")
def scorer(raw: Raw, cut: pd.Timestamp) -> Scorer:
    return trained(raw, cut=cut)


@pytest.mark.parametrize("encoder", ["static", "none"])
def test_with_what_it_was_trained_on_it_stays_as_it_was(raw: Raw, cut: pd.Timestamp, encoder: str) -> None:
    first = trained(raw, replace(PARAMS, encoder=Encoder(name=encoder, cache="")), cut=cut)
    again = refresh(first, raw, until=cut, say=quiet)
    assert first.models.articles is not None and again.scorer.models.articles is not None
    assert (first.models.articles.habit is not None) == (encoder == "static")
    same_parts(first.models.articles.state(), again.scorer.models.articles.state())
    assert all(before == now for before, now in again.counts.values()) and not any(again.changes.values())


def test_the_replies_of_a_desk_stay_as_they_were_too(desk: Desk) -> None:
    until = pd.Timestamp(desk.scorer.about["trained"]["cut"])
    again = refresh(desk.scorer, load_raw(desk.raw_dir), until=until, say=quiet).scorer
    assert desk.scorer.models.replies is not None and again.models.replies is not None
    same_parts(desk.scorer.models.replies.state(), again.models.replies.state())
    later = load_raw(desk.raw_dir).tickets.tail(20)
    same(desk.scorer.score(later).drop(columns="scorer_version"), again.score(later).drop(columns="scorer_version"))


def test_what_was_cited_since_counts(raw: Raw, scorer: Scorer) -> None:
    made = refresh(scorer, raw, say=quiet)
    assert made.counts["citations"] == (450, 600)
    old, new = scorer.models.articles, made.scorer.models.articles
    assert old is not None and new is not None
    assert (new.ranker, new.least, new.fits.tolist()) == (old.ranker, old.least, old.fits.tolist())


def test_helpers_who_cite_another_article_now_are_followed(raw: Raw, cut: pd.Timestamp, scorer: Scorer) -> None:
    late = (raw.tickets["created_at"] >= cut).to_numpy()
    mail = late & (raw.tickets["fields.cited"] == "mail").to_numpy(bool)
    moved = raw.tickets.assign(**{"fields.cited": raw.tickets["fields.cited"].mask(mail, "print")})
    day = raw.tickets["created_at"].max() + pd.Timedelta("1D")
    new = tickets(
        1, ticket_id=["new"], created_at=day, subject=None, body="smtp inbox folder send message case1", language="en"
    )
    before, after = (
        {a["article_id"]: a["probability"] for a in one.score(new)["articles"].iloc[0]}
        for one in (scorer, refresh(scorer, replace(raw, tickets=moved), say=quiet).scorer)
    )
    assert after["print"] > before.get("print", 0.0) + 0.1


def test_articles_come_change_and_go(raw: Raw, scorer: Scorer) -> None:
    known = raw.articles
    more = known.iloc[:1].assign(article_id="new", title="A new article", text="It tells of the moon and its tides.")
    changed = known.assign(text=[f"{known['text'].iloc[0]} And more of it.", *known["text"].iloc[1:]]).iloc[:-1]
    made = refresh(scorer, replace(raw, articles=pd.concat([changed, more], ignore_index=True)), say=quiet)
    assert made.changes == {"new": 1, "changed": 1, "gone": 1}
    day = raw.tickets["created_at"].max() + pd.Timedelta("1D")
    ticket = tickets(1, ticket_id=["n"], created_at=day, subject=None, body="inbox smtp folder", language="en")
    gone = str(known["article_id"].iloc[-1])
    assert gone not in {a["article_id"] for a in made.scorer.score(ticket)["articles"].iloc[0]}


def test_nothing_known_later_counts(raw: Raw, cut: pd.Timestamp, scorer: Scorer) -> None:
    until = cut + pd.Timedelta("10D")
    early = replace(raw, tickets=raw.tickets[raw.tickets["created_at"] < until])
    one, other = refresh(scorer, raw, until=until, say=quiet), refresh(scorer, early, until=until, say=quiet)
    assert one.scorer.models.articles is not None and other.scorer.models.articles is not None
    same_parts(one.scorer.models.articles.state(), other.scorer.models.articles.state())


def test_nobody_judges_it_by_tickets_that_it_knows(raw: Raw, scorer: Scorer) -> None:
    about, last = refresh(scorer, raw, say=quiet).scorer.about, id_hash(str(raw.tickets["ticket_id"].iloc[-1]))
    assert last in about["refreshed"]["ids"] and last not in about["trained"]["ids"], "its models never saw it"
    assert about["refreshed"]["from"] == scorer.version and about["refreshed"]["now"]["citations"] == 600


def test_a_scorer_that_learned_from_people_needs_the_ledger_again(raw: Raw, scorer: Scorer) -> None:
    told = replace(scorer, about=scorer.about | {"trained": scorer.about["trained"] | {"feedback": True}})
    with pytest.raises(InputError, match="--ledger"):
        refresh(told, raw, say=quiet)
    assert refresh(told, raw, feedback=pd.DataFrame(), say=quiet).counts["citations"] == (450, 600)


def test_suggestions_are_judged_by_tickets_that_no_refresh_has_shown(desk: Desk, tmp_path: Path) -> None:
    def judged(one: Scorer) -> tuple[int, int]:
        found = evaluate(desk.raw_dir, one.save(tmp_path / one.version), where=tmp_path, say=quiet)
        return found.header.rows, 0 if found.articles is None else found.articles.tickets

    rows, cited = judged(desk.scorer)
    again = judged(refresh(desk.scorer, load_raw(desk.raw_dir), say=quiet).scorer)
    assert cited > 20 and again == (rows, 0)


def test_a_scorer_of_replies_is_not_left_without_any(desk: Desk) -> None:
    alone = replace(desk.scorer, models=replace(desk.scorer.models, articles=None))
    early = pd.Timestamp(desk.raw.tickets["created_at"].min()) + pd.Timedelta("1h")
    with pytest.raises(InputError, match=r"nothing to refresh from|no answer here settled"):
        refresh(alone, load_raw(desk.raw_dir), until=early, say=quiet)
    masked = desk.raw.events.assign(text=desk.raw.events["text"].where(desk.raw.events["text"].isna(), "[email]"))
    with pytest.raises(InputError, match="no answer here settled"):
        refresh(alone, replace(load_raw(desk.raw_dir), events=masked), say=quiet)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"articles": empty("articles")}, "there are no articles"),
        ({"tickets": desk(3).tickets.assign(**{"fields.cited": None})}, "nothing to refresh from"),
        ({"tickets": desk(600).tickets.assign(**{"fields.cited": "mail"})}, "too few articles were cited"),
    ],
    ids=["no articles", "nothing cited", "one article cited"],
)
def test_what_cannot_be_refreshed_says_why(raw: Raw, scorer: Scorer, changes: dict[str, Any], what: str) -> None:
    with pytest.raises(InputError, match=what):
        refresh(scorer, replace(raw, **changes), say=quiet)


def test_a_scorer_that_suggests_nothing_is_refused(raw: Raw, scorer: Scorer) -> None:
    bare = replace(scorer, models=replace(scorer.models, articles=None, replies=None))
    with pytest.raises(InputError, match="suggests nothing"):
        refresh(bare, raw, say=quiet)


def test_without_times_there_is_no_until(raw: Raw, scorer: Scorer) -> None:
    undated = replace(scorer, about=scorer.about | {"trained": scorer.about["trained"] | {"dated": False}})
    with pytest.raises(ConfigError, match="without times"):
        refresh(undated, raw, until=pd.Timestamp("2024-01-01", tz="UTC"), say=quiet)


def test_what_fits_is_still_suggested_on_later_tickets(raw: Raw, cut: pd.Timestamp, scorer: Scorer) -> None:
    later = raw.tickets[raw.tickets["created_at"] >= cut]
    for one in (scorer, refresh(scorer, raw, say=quiet).scorer):
        found = one.score(later)["articles"]
        right = [
            bool(some) and some[0]["article_id"] == said
            for some, said in zip(found, later["fields.cited"], strict=True)
        ]
        assert np.mean(right) > 0.8


def test_what_the_habit_says_is_part_of_the_reasons(raw: Raw, cut: pd.Timestamp, scorer: Scorer) -> None:
    why = scorer.score(raw.tickets[raw.tickets["created_at"] >= cut].head(1), explain=True)["explanation"].iloc[0]
    said = [one["habit"] for one in why["articles"]]
    assert said and max(said) > 0.5 and sum(said) <= 1.0 + 1e-6
