"""The generated helpdesk: repeatable, plainly synthetic, pleasant to read, and as hard as it says."""

from __future__ import annotations

import re
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.config import Tickets
from pipeline.errors import OutputError
from pipeline.history.outcomes import derive
from pipeline.sources.raw import load_raw
from pipeline.sources.sample import Sample, generate, iter_tickets, write
from pipeline.sources.sample.grammar import lines, parse, phrases, speak, weighted
from pipeline.sources.sample.hours import Calendar
from pipeline.sources.sample.subjects import topics
from pipeline.tickets import parse as parse_tickets
from pipeline.tickets.redact import redact

FRAMES = ("tickets", "events", "outcomes", "articles", "arrivals", "truth")
SMALL = {"seed": 7, "tickets": 1500, "days": 365}


@pytest.fixture(scope="module")
def sample() -> Sample:
    return generate(**SMALL)


@pytest.fixture(scope="module")
def topic_of(sample: Sample) -> pd.Series:
    return sample.outcomes[sample.outcomes["outcome"] == "topic"].set_index("ticket_id")["value"]


def test_the_same_seed_gives_the_same_frames_and_another_seed_others() -> None:
    one, two, other = (generate(seed=seed, tickets=120, days=60) for seed in (3, 3, 4))
    for name in FRAMES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(two, name))
    assert not one.tickets["body"].equals(other.tickets["body"])


def test_the_folder_in_git_is_what_its_command_makes(sample: Sample, root: Path, tmp_path: Path) -> None:
    write(sample, tmp_path / "made")
    kept = root / "data" / "sample"
    made = sorted(p.name for p in (tmp_path / "made").iterdir())
    assert made == sorted(p.name for p in kept.iterdir())
    for name in made:
        here, there = kept / name, tmp_path / "made" / name
        if here.read_bytes() == there.read_bytes():
            continue
        # Another version of the writer may lay out the same table otherwise.
        assert name.endswith(".parquet"), name
        assert pq.read_metadata(here).created_by != pq.read_metadata(there).created_by, name
        pd.testing.assert_frame_equal(pd.read_parquet(here), pd.read_parquet(there))


def test_the_folder_in_git_is_under_a_megabyte(root: Path) -> None:
    assert sum(p.stat().st_size for p in (root / "data" / "sample").iterdir()) < 1_000_000


def test_everything_in_the_folder_says_that_it_is_synthetic(sample: Sample, tmp_path: Path) -> None:
    write(sample, tmp_path / "made")
    assert load_raw(tmp_path / "made").imports[0]["synthetic"] is True
    for name in ("README.md", "mapping.yaml"):
        assert "synthetic" in (tmp_path / "made" / name).read_text("utf-8")


def test_a_folder_that_holds_something_is_refused_unless_forced(tmp_path: Path) -> None:
    made = generate(seed=1, tickets=20, days=10)
    write(made, tmp_path)
    with pytest.raises(OutputError, match="isn't empty"):
        write(made, tmp_path)
    write(made, tmp_path, force=True)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError):
        write(made, tmp_path, force=True)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_what_was_written_is_read_back_as_raw_data_with_its_outcomes_and_their_order(
    sample: Sample, tmp_path: Path
) -> None:
    write(sample, tmp_path / "made")
    raw = load_raw(tmp_path / "made")
    pd.testing.assert_frame_equal(raw.outcomes, sample.outcomes)
    assert raw.definitions["priority"].order == ("low", "medium", "high", "urgent")
    again = derive(raw.tickets, raw.events, raw.definitions, articles=raw.articles)
    pd.testing.assert_frame_equal(again, raw.outcomes)


@pytest.mark.parametrize("chunk", [7, 100, 1000])
def test_streamed_tickets_are_those_of_the_whole_helpdesk_whatever_the_chunk(chunk: int) -> None:
    streamed = pd.concat(list(iter_tickets(seed=5, tickets=150, days=90, chunk=chunk)), ignore_index=True)
    whole = generate(seed=5, tickets=150, days=90).tickets
    pd.testing.assert_frame_equal(streamed, whole[list(streamed.columns)])


def test_no_ticket_in_the_raw_data_holds_personal_data(sample: Sample) -> None:
    texts = pd.concat([sample.tickets["subject"], sample.tickets["body"], sample.events["text"]]).dropna()
    assert [t for t in texts if redact(t) != t] == []


def test_the_new_tickets_hold_personal_data_that_is_redacted_when_they_are_read(sample: Sample) -> None:
    texts = sample.arrivals["description"].dropna()
    assert sum(redact(t) != t for t in texts) >= 2


def test_times_go_forward_and_nothing_happens_after_the_end_or_before_the_ticket(sample: Sample) -> None:
    assert sample.tickets["created_at"].is_monotonic_increasing
    end = Calendar(SMALL["days"]).end
    assert sample.tickets["created_at"].max() < end
    assert sample.events["occurred_at"].max() < end
    born = sample.tickets.set_index("ticket_id")["created_at"]
    assert (sample.events["occurred_at"] >= sample.events["ticket_id"].map(born)).all()
    assert pd.to_datetime(sample.arrivals["opened_at"], utc=True).min() >= end


def test_events_of_a_ticket_stand_in_the_order_of_time(sample: Sample) -> None:
    for _, times in sample.events.groupby("ticket_id")["occurred_at"]:
        assert times.is_monotonic_increasing


@pytest.mark.parametrize(
    ("column", "value", "least", "most"),
    [("language", "de", 0.19, 0.31), ("channel", "email", 0.4, 0.6), ("fields.plan", "business", 0.05, 0.2)],
)
def test_shares_are_as_described(sample: Sample, column: str, value: str, least: float, most: float) -> None:
    assert least < (sample.tickets[column] == value).sum() / sample.tickets[column].notna().sum() < most


def test_outcomes_are_as_unequal_as_described(sample: Sample, topic_of: pd.Series) -> None:
    shares = topic_of.value_counts(normalize=True)
    assert shares.iloc[0] < 0.25
    assert len(shares) >= 15
    escalated = sample.outcomes.loc[sample.outcomes["outcome"] == "escalated", "value"].astype(int)
    assert 0.05 < escalated.mean() < 0.12
    priority = sample.outcomes.loc[sample.outcomes["outcome"] == "priority", "value"].value_counts(normalize=True)
    assert set(priority.index) == {"low", "medium", "high", "urgent"} and priority.min() > 0.05
    assert sample.outcomes.loc[sample.outcomes["outcome"] == "queue", "value"].nunique() == 6


def test_a_topic_is_renamed_one_dies_and_one_appears(sample: Sample, topic_of: pd.Series) -> None:
    order = sample.tickets["ticket_id"].map(topic_of)
    where = {name: order.index[order == name] / len(order) for name in order.dropna().unique()}
    assert where["billing"].max() < 0.7 < where["invoices-and-payments"].max()
    assert where["invoices-and-payments"].min() > 0.5
    assert where["gift-cards"].max() < 0.6
    assert where["safety-recall"].min() > 0.45


def test_some_labels_are_wrong_and_some_are_spelled_twice(sample: Sample, topic_of: pd.Series) -> None:
    truth = sample.truth.set_index("ticket_id")
    assert 0.03 < truth["label_is_wrong"].dropna().astype(float).mean() < 0.08
    names = topic_of.unique()
    folded = [re.sub(r"[\s-]+", "-", n.strip().lower()) for n in names]
    assert len(set(folded)) < len(names)


def test_the_tags_give_the_topic_away(sample: Sample, topic_of: pd.Series) -> None:
    tags = sample.tickets.set_index("ticket_id")["fields.tags"].dropna()
    known = topic_of.reindex(tags.index).fillna("")
    hits = [topic.strip().lower() in tag for topic, tag in zip(known, tags, strict=True)]
    assert sum(hits) / len(hits) > 0.8


def test_queue_does_not_follow_from_the_topic_alone(sample: Sample) -> None:
    queues = sample.truth.groupby("topic")["queue"].nunique()
    assert queues.max() >= 3
    assert sample.truth.groupby("queue")["topic"].nunique().max() >= 4


def test_there_are_repeats_by_people_and_by_machines(sample: Sample) -> None:
    assert sample.truth["repeats"].notna().sum() > 20
    machine = sample.truth.loc[sample.truth["machine"], "ticket_id"]
    texts = sample.tickets.set_index("ticket_id")["body"].reindex(machine).dropna()
    assert len(texts) > 10
    assert texts.str.startswith("Automatic message from Fleetwatch").all()


def test_texts_have_a_readable_length_and_no_unfilled_slot(sample: Sample) -> None:
    bodies = sample.tickets["body"]
    assert bodies.str.len().between(20, 1000).all()
    assert not bodies.str.contains(r"[{}\[\]|]").any()
    assert bodies.duplicated().mean() < 0.02


def test_mails_are_html_quoted_and_signed_now_and_then(sample: Sample) -> None:
    mails = sample.tickets.loc[sample.tickets["channel"] == "email", "body"]
    for pattern, least in ((r"^<div", 0.2), (r"Quillfeather (?:Care|Kundendienst)", 0.1), (r"(?m)^-- |<p>-- ", 0.1)):
        assert mails.str.contains(pattern).mean() > least, pattern


def test_the_parser_reads_every_ticket_and_drops_quotes(sample: Sample) -> None:
    read = parse_tickets(sample.tickets, Tickets())
    assert read["error"].isna().all()
    assert not read["body"].str.contains("<p>", regex=False).any()
    quoted = read["body"].str.contains(r"Quillfeather (?:Care|Kundendienst)(?: wrote)?:", regex=True)
    assert quoted.mean() < 0.01


def test_new_tickets_fit_their_mapping(sample: Sample, tmp_path: Path) -> None:
    write(sample, tmp_path / "made")
    mapping = yaml.safe_load((tmp_path / "made" / "mapping.yaml").read_text("utf-8"))
    header = set(pd.read_csv(tmp_path / "made" / "new-tickets.csv").columns)
    named = [mapping[k] for k in ("ticket_id", "subject", "body", "customer_id", "channel", "language")]
    assert {*named, mapping["created_at"]["column"], *mapping["fields"]} == header
    assert sample.arrivals["number"].is_unique
    learned = {c.removeprefix("fields.") for c in sample.tickets.columns if c.startswith("fields.")}
    assert set(mapping["fields"]) == learned, "a field that training knows by another name would be null in service"


def test_cited_articles_exist(sample: Sample) -> None:
    cited = sample.outcomes.loc[sample.outcomes["outcome"] == "article", "value"]
    assert len(cited) > 300
    assert set(cited) <= set(sample.articles["article_id"])
    assert 30 <= sample.articles.loc[sample.articles["language"] == "en", "article_id"].nunique() <= 40


def test_escalations_follow_from_what_the_truth_says(sample: Sample) -> None:
    truth = sample.truth.sort_values("escalation_probability")
    quarter = len(truth) // 4
    assert truth["escalated"].tail(quarter).mean() > 5 * truth["escalated"].head(2 * quarter).mean()


@pytest.mark.parametrize("topic", sorted(topics()))
def test_every_topic_speaks_both_languages_and_names_articles_and_sisters_that_exist(topic: str) -> None:
    from pipeline.sources.sample.grammar import read

    known = topics()[topic]
    assert set(known.sisters) <= set(topics())
    for intent in known.intents.values():
        assert set(intent.articles) <= set(read("articles"))
        assert set(intent.products) <= set(read("words")["products"])
        assert all(intent.said[language] for language in ("en", "de"))


def test_both_languages_know_the_same_kinds_of_phrases() -> None:
    assert set(phrases("en")) == set(phrases("de"))


def test_a_choice_may_hold_a_choice_and_nothing() -> None:
    phrase = parse("a[ b[c|d]|]e")
    draws = iter([0.0, 0.9])
    assert speak(phrase, lambda: next(draws), {}) == "a bde"
    assert speak(phrase, lambda: 0.9, {}) == "ae"


@pytest.mark.parametrize("broken", ["[a|b", "a]", "a|b"])
def test_a_template_with_loose_brackets_is_refused(broken: str) -> None:
    with pytest.raises(ValueError):
        lines(broken)


def test_a_weighted_choice_follows_its_weights() -> None:
    draws = [i / 100 for i in range(100)]
    picked = [weighted({"a": 3.0, "b": 1.0, "c": 0.0}, lambda d=d: d) for d in draws]
    assert picked.count("a") == 75 and picked.count("b") == 25


def test_more_people_write_by_day_than_by_night() -> None:
    calendar = Calendar(28)
    moments = [calendar.moment(i / 5000) for i in range(5000)]
    assert all(a <= b for a, b in pairwise(moments))
    assert sum(8 <= m.hour < 18 for m in moments) > 5 * sum(m.hour < 5 for m in moments)


def test_a_sample_has_the_frames_that_are_documented() -> None:
    assert {f.name for f in fields(Sample)} == {*FRAMES, "seed", "days"}
