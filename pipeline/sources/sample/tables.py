"""The generated helpdesk as frames of our own schema."""

from __future__ import annotations

import random as standard
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any

import pandas as pd

from pipeline.history.keys import customer_keys
from pipeline.history.outcomes import derive, parse_definitions
from pipeline.sources.sample.arrivals import as_exported, oddities
from pipeline.sources.sample.course import Event, events, labels, link, tags
from pipeline.sources.sample.grammar import Random, read
from pipeline.sources.sample.hours import START
from pipeline.sources.sample.letters import chase, compose
from pipeline.sources.sample.matter import Matter
from pipeline.sources.sample.subjects import living_name
from pipeline.sources.sample.waits import Course, course_of
from pipeline.sources.sample.world import matters
from pipeline.tickets import schema

OUTCOMES: dict[str, Any] = {
    "topic": {"column": "topic", "at": "last", "out_of_scope": ["out_of_scope"]},
    "queue": {"column": "queue", "at": "last"},
    "priority": {"column": "priority", "at": "last", "levels": {n: n for n in ("low", "medium", "high", "urgent")}},
    "escalated": {"column": "escalation_level", "at_least": 1, "within": "14d"},
    "article": {"reply_links": [r"quillfeather\.example/help/([\w-]+)"]},
}
"""How the outcomes follow from the events, in the words of a mapping."""

ADDRESSES = ("email", "phone")
_ARRIVALS = 288
_BLOCK = 10_000
_COURSES = 8
_OF_EVENTS = ("kind", "side", "actor", "field", "value", "text")


@dataclass(frozen=True)
class Sample:
    """A generated helpdesk.

    Attributes
    ----------
    tickets, events, outcomes, articles : DataFrame
        In our own schema.
    arrivals : DataFrame
        Tickets of the three days after the others, as a helpdesk would export them: no outcomes.
    truth : DataFrame
        What is behind each ticket: customer, true topic, intent, queue, priority, urgency, escalation probability.
    """

    tickets: pd.DataFrame
    events: pd.DataFrame
    outcomes: pd.DataFrame
    articles: pd.DataFrame
    arrivals: pd.DataFrame
    truth: pd.DataFrame
    seed: int
    days: int


def generate(*, seed: int = 7, tickets: int = 4000, days: int = 365) -> Sample:
    """A helpdesk of `tickets` tickets within `days` days; the same seed gives the same bytes."""
    parts: dict[str, list[pd.DataFrame]] = {"tickets": [], "events": [], "new": [], "truth": []}
    for block in _blocks(seed=seed, tickets=tickets, days=days):
        for name, frame in block.items():
            parts[name].append(frame)
    made = {name: pd.concat([f for f in frames if len(f)], ignore_index=True) for name, frames in parts.items()}
    made["events"]["seq"] = pd.Series(range(len(made["events"])), dtype="Int64")
    arrivals = as_exported(made["new"])
    pages = articles()
    definitions = parse_definitions(OUTCOMES, "sample")
    return Sample(
        tickets=made["tickets"],
        events=made["events"],
        outcomes=derive(made["tickets"], made["events"], definitions, articles=pages),
        articles=pages,
        arrivals=pd.concat([arrivals, oddities(arrivals)], ignore_index=True),
        truth=made["truth"],
        seed=seed,
        days=days,
    )


def iter_tickets(*, seed: int = 7, tickets: int = 4000, days: int = 365, chunk: int = 10_000) -> Iterator[pd.DataFrame]:
    """Only the tickets of `generate`, without tags, in frames of `chunk` rows: any number, in flat memory."""
    rows = (row for _, _, row in _written(seed=seed, tickets=tickets, days=days, arrivals=0))
    while block := list(islice(rows, chunk)):
        yield _typed(block)


def articles() -> pd.DataFrame:
    """The made-up company's help pages, one row a language."""
    rows = []
    for key, page in read("articles").items():
        for language in ("en", "de"):
            if language in page:
                title, *text = page[language].splitlines()
                article_id = key if language == "en" else f"{key}-de"
                body = "".join(f"<p>{p}</p>" for p in text)
                rows.append((article_id, title, article_id, link(article_id), language, "Quillfeather", body))
    return schema.conform(pd.DataFrame(rows, columns=schema.names("articles")), "articles")


def _blocks(*, seed: int, tickets: int, days: int) -> Iterator[dict[str, pd.DataFrame]]:
    """Frames of a block of tickets after the other, so that half a million don't lie about as Python objects."""
    random = standard.Random(f"{seed}:course").random
    end = START + timedelta(days=days)
    written = _written(seed=seed, tickets=tickets, days=days, arrivals=_ARRIVALS)
    while block := list(islice(written, _BLOCK)):
        rows: list[dict[str, Any]] = []
        new: list[dict[str, Any]] = []
        truth: list[dict[str, Any]] = []
        log: list[Event] = []
        for matter, course, row in block:
            filed = labels(matter, random) if matter.number < tickets else {}
            row["fields.tags"] = tags(matter, random)
            truth.append(_truth(matter, course, filed, seed))
            (rows if filed else new).append(row)
            happened = events(matter, course, filed, random, customer=row["customer_id"]) if filed else []
            log += [e for e in happened if e[1] < end]
        yield {
            "tickets": _typed(rows),
            "events": _events(log),
            "new": _typed(new).assign(**{name: [row[name] for row in new] for name in ADDRESSES}),
            "truth": _facts(truth),
        }


def _written(*, seed: int, tickets: int, days: int, arrivals: int) -> Iterator[tuple[Matter, Course, dict[str, Any]]]:
    random = standard.Random(f"{seed}:letters").random
    waiting: dict[int, tuple[str, str]] = {}
    for matter, course in matters(seed=seed, tickets=tickets, days=days, arrivals=arrivals):
        if matter.chases is None:
            subject, body = compose(matter, random)
        else:
            subject, body = chase(*waiting.pop(matter.chases), matter, random)
        if matter.comes_back:
            waiting[matter.number] = (subject, body)
        yield matter, course, _row(matter, subject, body, random)


def _row(matter: Matter, subject: str, body: str, random: Random) -> dict[str, Any]:
    customer = matter.customer
    known = customer.known_as(matter.channel, matter.share, random)
    if matter.topic.machine:
        known = dict.fromkeys(known) | {"customer_id": "fleetwatch"}
    return {
        "ticket_id": matter.ticket_id,
        "created_at": matter.at,
        "subject": subject or None,
        "body": body,
        **known,
        "channel": matter.channel,
        "language": matter.language if random() < 0.85 else None,
        "source": f"sample:row-{matter.number + 1}",
        "fields.product": matter.product if random() < 0.8 else None,
        "fields.plan": customer.tier,
        "fields.country": customer.country,
        "fields.app_version": matter.version if random() < 0.45 else None,
    }


def _truth(matter: Matter, course: Course, filed: dict[str, str], seed: int) -> dict[str, Any]:
    return {
        "ticket_id": matter.ticket_id,
        "customer": None if matter.topic.machine else f"customer {matter.customer.number}",
        "topic": matter.topic.name,
        "topic_living": living_name(matter.topic.name, 1.0),
        "intent": matter.intent.name,
        "queue": matter.queue,
        "priority": matter.priority,
        "urgency": round(matter.urgency, 4),
        "mood": matter.mood,
        "escalation_probability": round(_chance(matter, seed), 4),
        "escalated": course.escalated_hours is not None,
        "hours_waited": round(course.waited_hours, 2),
        "label_is_wrong": _is_wrong(matter, filed["topic"]) if filed else None,
        "repeats": None if matter.chases is None else f"Q-{100_000 + matter.chases}",
        "contact": matter.contact,
        "machine": matter.topic.machine,
    }


def _chance(matter: Matter, seed: int) -> float:
    """P(escalated) when the ticket arrives: the mean over courses that it might take."""
    random = standard.Random(f"{seed}:chance:{matter.number}").random
    return sum(course_of(matter, random, calm=True).escalation_probability for _ in range(_COURSES)) / _COURSES


def _is_wrong(matter: Matter, filed: str) -> bool:
    """Whether an agent took another topic; the old name or another spelling of the right one isn't wrong."""
    name = filed.strip().lower().replace(" ", "-")
    return name not in (matter.topic.name, living_name(matter.topic.name, 1.0))


def _facts(truth: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(truth).astype({"repeats": "str", "customer": "str", "label_is_wrong": "boolean"})


def _events(log: list[Event]) -> pd.DataFrame:
    frame = pd.DataFrame(log, columns=["ticket_id", "occurred_at", *_OF_EVENTS])
    frame["received_at"] = frame["occurred_at"]
    return schema.conform(frame, "events")


def _typed(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """TICKETS; addresses become keys, as in any import."""
    frame = pd.DataFrame(rows)
    if frame.empty:
        return schema.empty("tickets")
    known = {name: frame[name].astype("str") for name in ("customer_id", *ADDRESSES)}
    none = pd.Series(None, index=frame.index, dtype="str")
    keys, _ = customer_keys(known["customer_id"], {"email": [known["email"]], "phone": [known["phone"]]}, none)
    return schema.conform(frame.assign(customer_keys=keys), "tickets")
