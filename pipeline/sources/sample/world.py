"""Who writes, about what, and how urgent and angry it is: the truth behind each generated ticket."""

from __future__ import annotations

import math
import random as standard
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate

from pipeline.sources.sample.grammar import Random, bell, pick, read, weighted
from pipeline.sources.sample.hours import Calendar
from pipeline.sources.sample.people import Customer, customers
from pipeline.sources.sample.subjects import Intent, Topic, topics

LEVELS = ("low", "medium", "high", "urgent")
_CUTS = (-0.62, 0.48, 1.25)


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
    people = customers(tickets, random)
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
    product = _product(intent, customer, random)
    matter = Matter(
        number=number,
        at=at,
        share=share,
        customer=customer,
        language="en" if topic.machine or (customer.language == "de" and random() < 0.03) else customer.language,
        topic=topic,
        intent=intent,
        product=product,
        channel="email" if topic.machine else weighted(read("words")["channels"], random),
        version=_version(share, random),
        mood=1,
        hurry=0 if topic.machine else (random() < 0.13 + 0.12 * (customer.tier == "business")) - (random() < 0.12),
        urgency=0.0,
        escalation_probability=0.0,
        escalated=False,
        other=_other({**chances, topic.name: 0.0}, product, random) if random() < 0.32 else None,
    )
    return _felt(matter, random)


def _other(chances: dict[str, float], product: str, random: Random) -> tuple[str, str] | None:
    """Another matter that the same person could have: topic and intent."""
    name = weighted(chances, random)
    fitting = {n: i.weight for n, i in topics()[name].intents.items() if not i.products or product in i.products}
    return (name, weighted(fitting, random)) if fitting and not topics()[name].machine else None


def _felt(matter: Matter, random: Random) -> Matter:
    """Mood, urgency and escalation, which follow from all the rest."""
    customer, intent = matter.customer, matter.intent
    business = customer.tier == "business"
    temper = 0.7 * customer.fuse + 0.45 * intent.escalation + 0.75 * bell(random)
    mood = 1 if matter.topic.machine or matter.topic.name == "out_of_scope" else bisect((-0.35, 0.75, 1.45), temper)
    hurry = max(matter.hurry, 0) if mood >= 2 else matter.hurry
    urgency = intent.urgency + 0.9 * hurry + 0.35 * business + 0.3 * (mood >= 2) + 0.35 * bell(random)
    new_fault = matter.version == "4.3.0" and matter.topic.name == "app-connection"
    drive = (
        -4.4
        + 1.1 * (mood - 1)
        + 0.25 * temper
        + 1.1 * intent.escalation
        + 0.3 * urgency
        + 1.1 * business
        + 0.5 * min(customer.escalations, 2)
        + 0.5 * (matter.product == "Heron Pro")
        + 0.9 * new_fault
        + 0.5 * (matter.chases is not None)
        - 1.5 * (matter.topic.name == "out_of_scope")
    )
    risk = 1.0 / (1.0 + math.exp(-drive))
    return replace(
        matter, mood=mood, hurry=hurry, urgency=urgency, escalation_probability=risk, escalated=random() < risk
    )


def _chase(matter: Matter, number: int, at: datetime, share: float, random: Random) -> Matter:
    """The same customer writes the same thing once more."""
    return _felt(replace(matter, number=number, at=at, share=share, chases=matter.number, other=None), random)


def _version(share: float, random: Random) -> str:
    known = ("3.9.8", "4.1.2", "4.2.1", "4.3.0", "4.3.2")
    newest = bisect((0.1, 0.25, 0.4, 0.62), share)
    return known[max(0, newest - int(random() * random() * 3))]
