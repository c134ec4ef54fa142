"""Thunderbird's support forum, as it lies in the shared data: every count that its README gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.sources.kitsune import import_kitsune
from pipeline.sources.raw import Raw, load_raw, relabel

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "thunderbird"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data/thunderbird isn't there"),
]

BUG_LINK = r"""bugzilla\.mozilla\.org/(?:show_bug\.cgi\?(?:[^"'\s<>]*?[&;])?id=\d+|\d{5,7})|bugzil\.la/\d{5,7}"""
BUG_WORDS = r"\bbug\s*(?:#|no\.?|number)?\s*\d{6,7}\b"
DELETED_USERS = "user-f5af1827c1f1"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Raw:
    out = tmp_path_factory.mktemp("thunderbird") / "raw"
    summary = import_kitsune(
        sorted(DATA.glob("questions-*")),
        out,
        answers=sorted(DATA.glob("answers-*")),
        articles=[DATA / "articles.csv.gz"],
        now=pd.Timestamp("2026-11-01", tz="UTC"),
    )
    assert summary.refused == {}
    return load_raw(out)


def labels(raw: Raw, outcomes: dict[str, Any], name: str = "escalated") -> pd.DataFrame:
    frame = relabel(raw, outcomes)[1]
    found = frame[frame["outcome"] == name].set_index("ticket_id")
    created = raw.tickets.set_index("ticket_id")["created_at"]
    return found.assign(year=created.reindex(found.index).dt.year)


def by_year(frame: pd.DataFrame) -> list[int]:
    return [int((frame["year"] == year).sum()) for year in (2023, 2024, 2025)]


def test_every_question_answer_and_article_is_there(raw: Raw) -> None:
    assert len(raw.tickets) == 35_555
    assert (raw.events["kind"] == "reply").sum() == 76_804
    assert len(raw.articles) == 174
    assert raw.tickets["fields.locale"].value_counts()["en-US"] == 29_891
    assert raw.tickets["fields.kb_visits_prior"].notna().sum() == 709


def test_every_ticket_has_a_topic_known_at_creation(raw: Raw) -> None:
    topics = labels(raw, {}, "topic")
    assert len(topics) == 35_555
    assert topics["value"].nunique() == 46
    assert int((topics["value"] == "other").sum()) >= 5_206
    created = raw.tickets.set_index("ticket_id")["created_at"]
    assert (topics["known_at"] == created.reindex(topics.index)).all()


def test_escalated_to_engineering_is_as_the_data_readme_counts_it(raw: Raw) -> None:
    either = labels(raw, {"escalated": {"reply_matches": [BUG_LINK, BUG_WORDS]}})
    positive = either[either["value"] == "1"]
    assert (len(either), len(positive)) == (35_555, 646)
    assert by_year(positive) == [262, 265, 119]
    link = labels(raw, {"escalated": {"reply_matches": [BUG_LINK]}})
    assert (link["value"] == "1").sum() == 635


def test_unanswered_after_72_hours_leaves_out_the_questions_of_the_last_72(raw: Raw) -> None:
    frame = labels(raw, {"escalated": {"no_reply_within": "72h"}})
    assert (len(frame), int((frame["value"] == "1").sum())) == (35_464, 10_807)
    assert by_year(frame[frame["value"] == "1"])[:2] == [4_145, 4_924]


def test_returns_within_a_week_leave_out_the_questions_of_the_last_one(raw: Raw) -> None:
    frame = labels(raw, {"escalated": {"returns_within": "7d", "except": [DELETED_USERS]}})
    assert (len(frame), int((frame["value"] == "1").sum())) == (35_282, 2_631)
    assert by_year(frame[frame["value"] == "1"])[:2] == [954, 1_089]


def test_returns_about_the_same_are_the_pairs_of_one_customer_and_topic(raw: Raw) -> None:
    frame = labels(raw, {"escalated": {"returns_within": "7d", "same": "topic", "except": [DELETED_USERS]}})
    assert (len(frame), int((frame["value"] == "1").sum())) == (35_282, 1_511)
    assert by_year(frame[frame["value"] == "1"]) == [586, 681, 244]


def test_never_answered_in_a_forum_that_closes_nothing_is_no_reply_in_time(raw: Raw) -> None:
    frame = labels(raw, {"escalated": {"never_answered": "30d"}})
    assert (len(frame), int((frame["value"] == "1").sum())) == (34_499, 9_297)
    assert labels(raw, {"escalated": {"reopened_within": "14d"}}).empty


def test_gold_pairs_of_tickets_and_articles_are_as_the_data_readme_counts_them(raw: Raw) -> None:
    pairs = labels(raw, {}, "article")
    pairs = pairs[pairs["value"].isin(raw.articles["article_id"]).to_numpy(bool)]  # others are gone, or elsewhere
    assert (len(pairs), pairs.index.nunique(), pairs["value"].nunique()) == (3_254, 2_826, 126)
    locale = raw.tickets.set_index("ticket_id")["fields.locale"]
    english = pairs[(locale.reindex(pairs.index) == "en-US").to_numpy()]
    assert (len(english), english.index.nunique()) == (3_212, 2_785)
    assert by_year(english[~english.index.duplicated()]) == [833, 1_150, 802]


def test_nothing_that_came_later_is_a_field(raw: Raw) -> None:
    fields = {c for c in raw.tickets.columns if c.startswith("fields.")}
    assert not fields & {f"fields.{n}" for n in ("tags", "solver_id", "is_solved", "answers", "updated", "num_votes")}
