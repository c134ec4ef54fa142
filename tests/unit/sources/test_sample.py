"""The generated helpdesk: repeatable, plainly synthetic, pleasant to read, and as hard as it says."""

from __future__ import annotations

import re
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.config import History, Tickets
from pipeline.errors import OutputError
from pipeline.history.identity import Identities, by_row, keys_of, links
from pipeline.history.mood import SIGNALS, signals
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
    assert {*named, *mapping["customer"].values(), mapping["created_at"]["column"], *mapping["fields"]} == header
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


def test_what_escalated_by_the_truth_escalated_by_the_log(sample: Sample) -> None:
    known = sample.outcomes[sample.outcomes["outcome"] == "escalated"].set_index("ticket_id")["value"] == "1"
    truth = sample.truth.set_index("ticket_id")["escalated"].reindex(known.index)
    assert (known == truth).all()
    end = Calendar(SMALL["days"]).end - pd.Timedelta(days=14)
    assert set(known.index) >= set(sample.tickets.loc[sample.tickets["created_at"] < end, "ticket_id"])


def first_hours(sample: Sample, kind: str, side: str = "agent") -> pd.Series:
    """Hours after which a kind of event first happened to each ticket."""
    rows = sample.events[(sample.events["kind"] == kind) & (sample.events["side"] == side)]
    first = rows.groupby("ticket_id")["occurred_at"].min()
    born = sample.tickets.set_index("ticket_id")["created_at"]
    return (first.reindex(born.index) - born) / pd.Timedelta(hours=1)


def test_the_longer_nobody_answers_the_likelier_a_ticket_escalates_the_next_day(sample: Sample) -> None:
    reply, over = first_hours(sample, "reply"), first_hours(sample, "escalated")

    def next_day(hours: float) -> float:
        waits = ~(reply <= hours) & ~(over <= hours)
        return float(((over > hours) & (over <= hours + 24))[waits].mean())

    assert next_day(48) > 1.7 * next_day(0)
    assert next_day(72) > 1.7 * next_day(12)


def test_who_waits_asks_again_in_words_that_say_so_and_the_hotter_the_oftener(sample: Sample) -> None:
    reply = first_hours(sample, "reply")
    born = sample.tickets.set_index("ticket_id")["created_at"]
    written = sample.events[(sample.events["kind"] == "reply") & (sample.events["side"] == "customer")]
    after = (written["occurred_at"] - written["ticket_id"].map(born)) / pd.Timedelta(hours=1)
    asked = written[(after < written["ticket_id"].map(reply).fillna(1e9)).to_numpy(bool)]
    assert len(asked) > 200
    languages = asked["ticket_id"].map(sample.tickets.set_index("ticket_id")["language"])
    again = signals(asked["text"].tolist(), languages.fillna("en").tolist())[:, list(SIGNALS).index("again")]
    assert again.mean() > 0.4
    times = asked["ticket_id"].value_counts().reindex(sample.truth["ticket_id"]).fillna(0)
    escalated = sample.truth.set_index("ticket_id")["escalated"]
    assert escalated[times >= 2].mean() > 2 * escalated[times == 0].mean()


def test_the_third_time_escalates_more_than_the_first() -> None:
    truth = generate(seed=1, tickets=4000).truth
    rate = truth.groupby(truth["contact"].clip(upper=3))["escalated"].mean()
    assert rate[3] > rate[2] > rate[1]
    again = truth[truth["repeats"].notna()]
    before = truth.set_index("ticket_id")
    assert (again["customer"].to_numpy() == before["customer"].reindex(again["repeats"]).to_numpy()).all()
    assert (again["contact"].to_numpy() == before["contact"].reindex(again["repeats"]).to_numpy() + 1).all()


def test_events_are_of_many_kinds_and_outcomes_still_follow_from_fields(sample: Sample) -> None:
    assert not sample.events.drop(columns="seq").duplicated().any()
    assert set(sample.events["kind"]) == {
        "created", "reply", "note", "status", "assignment", "reopened", "escalated", "satisfaction", "field",
    }  # fmt: skip
    of_fields = sample.events[sample.events["field"].isin(["queue", "assignee"]) & (sample.events["kind"] == "field")]
    assigned = sample.events[sample.events["kind"] == "assignment"]
    same = ["ticket_id", "occurred_at", "side", "actor", "value"]
    assert of_fields[same].to_numpy().tolist() == assigned[same].to_numpy().tolist()
    assert set(assigned["field"].dropna()) == {"assignee"}
    levels = sample.events[sample.events["field"] == "escalation_level"]
    first = levels[levels["value"] == "1"].set_index("ticket_id")["occurred_at"]
    over = sample.events[sample.events["kind"] == "escalated"].set_index("ticket_id")["occurred_at"]
    pd.testing.assert_series_equal(first, over)


def test_some_resolved_tickets_are_rated_and_long_waits_are_liked_less(sample: Sample) -> None:
    rated = sample.events[sample.events["kind"] == "satisfaction"].set_index("ticket_id")["value"].astype(float)
    assert rated.between(0, 1).all() and rated.nunique() == 5
    resolved = sample.events.loc[sample.events["value"] == "resolved", "ticket_id"].nunique()
    assert 0.2 < len(rated) / resolved < 0.5
    waited = sample.truth.set_index("ticket_id")["hours_waited"].reindex(rated.index)
    assert rated[waited < 24].mean() > rated[waited > 72].mean() + 0.1


def test_every_event_says_whose_it_is_also_where_the_customer_has_no_number(sample: Sample) -> None:
    events = sample.events
    assert events["side"].notna().all()
    numbers = events["ticket_id"].map(sample.tickets.set_index("ticket_id")["customer_id"])
    customers = events["side"] == "customer"
    assert (events["actor"].fillna("-") == numbers.fillna("-"))[customers].all()
    others = ~customers & (events["actor"] != "fleetwatch")
    assert events["actor"][others].notna().all()
    assert (events["actor"] != numbers.fillna("-"))[others].all()


def test_customers_come_by_several_channels_with_and_without_their_number(sample: Sample) -> None:
    tickets = sample.tickets
    assert 0.1 < tickets["customer_id"].isna().mean() < 0.3
    assert tickets.loc[tickets["customer_id"].isna(), "customer_keys"].notna().mean() > 0.8
    by_id = tickets.assign(who=sample.truth["customer"][: len(tickets)].to_numpy()).dropna(
        subset=["who", "customer_id"]
    )
    assert by_id.groupby("customer_id")["who"].nunique().max() == 1
    assert (by_id.groupby("who")["customer_id"].nunique() > 1).sum() >= 5


def test_links_find_a_customer_whom_the_number_alone_loses_and_never_take_two_for_one(sample: Sample) -> None:
    tickets, who = sample.tickets, sample.truth["customer"][: len(sample.tickets)].to_numpy()
    keys = keys_of(tickets, History())
    met = links(keys, np.asarray(tickets["created_at"].astype("int64")), ticket_ids=tickets["ticket_id"])
    whole = Identities.build(met, History()).together(by_row(keys, len(tickets)), np.full(len(tickets), 2**62))
    first = whole.drop_duplicates("row").assign(who=lambda f: who[f["row"]]).dropna(subset="who")
    assert first.groupby("key")["who"].nunique().max() == 1
    found = first.groupby("who")["key"].nunique()
    by_number = tickets.assign(who=who).groupby("who")["customer_id"].nunique(dropna=False)
    assert (found > 1).sum() < 0.6 * (by_number > 1).sum()


def test_addresses_of_new_tickets_are_in_domains_and_ranges_that_nobody_has(sample: Sample) -> None:
    mails, phones = (sample.arrivals[f"requester_{name}"].dropna() for name in ("email", "phone"))
    assert len(mails) > 100 and mails.str.fullmatch(r"[a-z]+\.[a-z]+\d+@(?:mail|post|letterbox)\.example").all()
    free = r"\+44 (?:20 7946|1\d\d? 496) 0\d{3}|\+49 (?:30 23125|40 66969|69 90009|89 99998|221 4710) \d{3}"
    assert len(phones) > 10 and phones.str.fullmatch(free).all()


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
