"""Who writes, about what, and how urgent and angry it is: the truth behind each generated ticket."""

from __future__ import annotations

import math
import random as standard
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from typing import Any

from pipeline.sources.sample.grammar import Phrase, Random, bell, lines, pick, read, weighted

START = datetime(2025, 9, 1, tzinfo=UTC)
RENAMED = ("billing", "invoices-and-payments", 0.6)
"""A topic's name, its later name, and the share of the time after which it is used."""
LEVELS = ("low", "medium", "high", "urgent")
_CUTS = (-0.62, 0.48, 1.25)
_MAX_CUSTOMERS = 40_000
_WEEK = (1.15, 1.05, 1.0, 0.95, 0.9, 0.5, 0.42)
_DAY = (1, 1, 1, 1, 1, 2, 4, 8, 12, 14, 14, 12, 10, 11, 12, 11, 10, 9, 8, 8, 9, 8, 5, 3)


@dataclass(frozen=True, slots=True)
class Intent:
    """One kind of matter within a topic; `urgency` and `escalation` are shifts in deviations."""

    name: str
    weight: float
    urgency: float
    escalation: float
    symptoms: float
    products: tuple[str, ...]
    articles: tuple[str, ...]
    said: dict[str, tuple[Phrase, ...]]


@dataclass(frozen=True, slots=True)
class Topic:
    """What a ticket is about; `since` and `until` are shares of the time."""

    name: str
    weight: float
    since: float
    until: float
    symptom: bool
    machine: bool
    sisters: tuple[str, ...]
    subjects: dict[str, tuple[Phrase, ...]]
    intents: dict[str, Intent]


@dataclass(slots=True)
class Customer:
    """Somebody who writes, with a temper and a past."""

    customer_id: str
    language: str
    first: str
    surname: str
    country: str
    tier: str
    products: tuple[str, ...]
    fuse: float
    sloppy: bool
    escalations: int = 0


@dataclass(frozen=True, slots=True)
class Matter:
    """The truth behind one ticket."""

    number: int
    at: datetime
    share: float
    customer: Customer
    language: str
    topic: Topic
    intent: Intent
    product: str
    channel: str
    version: str
    mood: int
    hurry: int
    urgency: float
    escalation_probability: float
    escalated: bool
    other: tuple[str, str] | None = None
    chases: int | None = None
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def ticket_id(self) -> str:
        """Its number as the helpdesk writes it."""
        return f"Q-{100_000 + self.number}"

    @property
    def priority(self) -> str:
        """The level that a careful agent gives."""
        return level(self.urgency)

    @property
    def queue(self) -> str:
        """Where it belongs: the topic decides, and in some cases the intent, product or language."""
        return queue_of(self)


@cache
def topics() -> dict[str, Topic]:
    """The topics of topics.yaml."""
    return {name: _topic(name, raw) for name, raw in read("topics").items()}


def living_name(topic: str, share: float) -> str:
    """What the helpdesk calls a topic at a share of the time."""
    old, new, since = RENAMED
    return new if topic == old and share >= since else topic


def level(urgency: float) -> str:
    """The priority level of a latent urgency."""
    return LEVELS[bisect(_CUTS, urgency)]


def queue_of(matter: Matter) -> str:
    """Where a ticket belongs."""
    topic, intent = matter.topic.name, matter.intent.name
    if topic in ("warranty", "grinder", "fleet-alerts") or (matter.product == "Heron Pro" and matter.topic.symptom):
        return "workshop"
    if topic in ("billing", "gift-cards") or intent == "money_missing":
        return "finance"
    if topic in ("delivery", "returns-and-refunds") or intent in ("lost_part", "new_lid"):
        return "logistics"
    if topic in ("app-connection", "account-access"):
        return "digital"
    return "kundendienst" if matter.language == "de" else "care"


def matters(*, seed: int, tickets: int, days: int, arrivals: int = 0) -> Iterator[Matter]:
    """The truth behind `tickets` tickets in order of time, then behind `arrivals` more of the three days after them."""
    random = standard.Random(f"{seed}:world").random
    people = _customers(max(8, min(int(tickets * 0.42), _MAX_CUSTOMERS)), random)
    reach = list(accumulate(math.exp(1.1 * bell(random)) for _ in people))
    calendar = Calendar(days)
    recent: list[Matter] = []
    for number in range(tickets + arrivals):
        at = (
            calendar.moment((number + random()) / tickets)
            if number < tickets
            else calendar.end + timedelta(seconds=int((number - tickets + random()) / arrivals * 3 * 86_400))
        )
        customer = people[bisect(reach, random() * reach[-1])]
        if recent and random() < 0.04:
            matter = _chase(pick(recent, random), number, at, calendar.share(at), random)
        else:
            matter = _matter(number, at, calendar.share(at), customer, random)
        matter.customer.escalations += matter.escalated
        if not matter.topic.machine:
            recent = [*recent[-39:], matter]
        yield matter


class Calendar:
    """How many people write in which hour."""

    def __init__(self, days: int) -> None:
        self.days = days
        self.end = START + timedelta(days=days)
        hours = (_rush(START + timedelta(hours=h)) * (1 + 0.3 * h / (24 * days)) for h in range(24 * days))
        self._sums = [0.0, *accumulate(hours)]

    def moment(self, position: float) -> datetime:
        """The time at which a share of all tickets has arrived."""
        goal = position * self._sums[-1]
        hour = min(bisect(self._sums, goal) - 1, len(self._sums) - 2)
        part = (goal - self._sums[hour]) / (self._sums[hour + 1] - self._sums[hour])
        return START + timedelta(hours=hour, seconds=int(part * 3600))

    def share(self, at: datetime) -> float:
        """How much of the time has passed, 0 to 1 and a little more for arrivals."""
        return (at - START).total_seconds() / (self.days * 86_400)


def _rush(at: datetime) -> float:
    season = 1.4 if (11, 20) <= (at.month, at.day) < (12, 25) else 1.0
    return _WEEK[at.weekday()] * _DAY[at.hour] * season


def _topic(name: str, raw: dict[str, Any]) -> Topic:
    intents = {
        key: Intent(
            name=key,
            weight=value["weight"],
            urgency=raw["urgency"] + value["urgency"],
            escalation=raw["escalation"] + value["escalation"],
            symptoms=value.get("symptoms", 0.0),
            products=tuple(value.get("products", raw.get("products", ()))),
            articles=tuple(value["articles"]),
            said={language: lines(value[language]) for language in ("en", "de")},
        )
        for key, value in raw["intents"].items()
    }
    return Topic(
        name=name,
        weight=raw["weight"],
        since=raw.get("from", 0.0),
        until=raw.get("until", math.inf),
        symptom=raw.get("symptom", False),
        machine=raw.get("machine", False),
        sisters=tuple(raw["sisters"]),
        subjects={language: lines(block) for language, block in raw["subjects"].items()},
        intents=intents,
    )


def _customers(count: int, random: Random) -> list[Customer]:
    words = read("words")
    return [_customer(f"C{10_001 + i}", words, random) for i in range(count)]


def _customer(customer_id: str, words: dict[str, Any], random: Random) -> Customer:
    language = "de" if random() < 0.25 else "en"
    tier = weighted(words["tiers"], random)
    first = weighted(words["shares"], random)
    second = weighted(words["shares"], random)
    owned = (first, second) if random() < 0.4 else (first,)
    if tier == "business" and random() < 0.7:
        owned = ("Heron Pro", first)
    return Customer(
        customer_id=customer_id,
        language=language,
        first=pick(words[language]["first"], random),
        surname=pick(words[language]["surname"], random),
        country=weighted(words["countries"][language], random),
        tier=tier,
        products=tuple(dict.fromkeys(owned)),
        fuse=bell(random),
        sloppy=random() < 0.2,
    )


def _weight(topic: Topic, at: datetime, share: float) -> float:
    if not topic.since <= share < topic.until:
        return 0.0
    if at.month == 12:
        return topic.weight * {"delivery": 1.5, "gift-cards": 2.0}.get(topic.name, 1.0)
    if topic.name == "safety-recall":
        return topic.weight * max(0.7, 1.6 - 3 * (share - topic.since))
    return topic.weight


def _product(intent: Intent, customer: Customer, random: Random) -> str:
    own = [p for p in customer.products if p in intent.products] if intent.products else list(customer.products)
    return pick(own, random) if own else pick(intent.products, random)


def _fits(topic: Topic, customer: Customer) -> float:
    """People mostly write about what they own."""
    wanted = {p for i in topic.intents.values() for p in i.products}
    return 1.0 if not wanted or wanted & set(customer.products) or "Nest app" in wanted else 0.25


def _matter(number: int, at: datetime, share: float, customer: Customer, random: Random) -> Matter:
    all_topics = topics()
    chances = {n: _weight(t, at, share) * _fits(t, customer) for n, t in all_topics.items()}
    topic = all_topics[weighted(chances, random)]
    intent = topic.intents[weighted({n: i.weight for n, i in topic.intents.items()}, random)]
    words = read("words")
    other = weighted({n: w for n, w in chances.items() if n != topic.name and not all_topics[n].machine}, random)
    aside = weighted({n: i.weight for n, i in all_topics[other].intents.items()}, random)
    matter = Matter(
        number=number,
        at=at,
        share=share,
        customer=customer,
        language="en" if topic.machine or (customer.language == "de" and random() < 0.03) else customer.language,
        topic=topic,
        intent=intent,
        product=_product(intent, customer, random),
        channel="email" if topic.machine else weighted(words["channels"], random),
        version=_version(share, random),
        mood=1,
        hurry=0 if topic.machine else (random() < 0.13 + 0.12 * (customer.tier == "business")) - (random() < 0.12),
        urgency=0.0,
        escalation_probability=0.0,
        escalated=False,
        other=(other, aside) if random() < 0.4 else None,
    )
    return _felt(matter, random)


def _felt(matter: Matter, random: Random) -> Matter:
    """Mood, urgency and escalation, which follow from all the rest."""
    customer, intent = matter.customer, matter.intent
    business = customer.tier == "business"
    temper = 0.7 * customer.fuse + 0.45 * intent.escalation + 0.75 * bell(random)
    mood = 1 if matter.topic.machine or matter.topic.name == "out_of_scope" else bisect((-0.35, 0.85, 1.7), temper)
    urgency = intent.urgency + 0.9 * matter.hurry + 0.35 * business + 0.3 * (mood >= 2) + 0.35 * bell(random)
    new_fault = matter.version == "4.3.0" and matter.topic.name == "app-connection"
    drive = (
        -4.05
        + 0.95 * temper
        + 0.85 * intent.escalation
        + 0.35 * urgency
        + 0.8 * business
        + 0.5 * min(customer.escalations, 2)
        + 0.5 * (matter.product == "Heron Pro")
        + 0.9 * new_fault
        + 0.5 * (matter.chases is not None)
        - 1.5 * (matter.topic.name == "out_of_scope")
    )
    probability = 1.0 / (1.0 + math.exp(-drive))
    return replace(
        matter, mood=mood, urgency=urgency, escalation_probability=probability, escalated=random() < probability
    )


def _chase(matter: Matter, number: int, at: datetime, share: float, random: Random) -> Matter:
    """The same customer writes the same thing once more."""
    return _felt(replace(matter, number=number, at=at, share=share, chases=matter.number, other=None), random)


def _version(share: float, random: Random) -> str:
    known = ("3.9.8", "4.1.2", "4.2.1", "4.3.0", "4.3.2")
    newest = bisect((0.1, 0.25, 0.4, 0.62), share)
    return known[max(0, newest - int(random() * random() * 3))]
