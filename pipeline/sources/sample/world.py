"""Who writes, about what, and how urgent and angry it is: the truth behind each generated ticket."""

from __future__ import annotations

import heapq
import math
import random as standard
from bisect import bisect
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import accumulate

from pipeline.sources.sample.grammar import Random, bell, pick, read, weighted
from pipeline.sources.sample.hours import Calendar
from pipeline.sources.sample.matter import Matter
from pipeline.sources.sample.people import Customer, customers
from pipeline.sources.sample.subjects import Intent, Topic, topics
from pipeline.sources.sample.waits import Course, comes_back_after, course_of, hours

_USUAL_DRIVE = -7.2
_FORGOTTEN = timedelta(days=20)


def matters(*, seed: int, tickets: int, days: int, arrivals: int = 0) -> Iterator[tuple[Matter, Course]]:
    """The truth behind `tickets` tickets in order of time, then behind `arrivals` more of the three days after them.

    Each comes with the course that it takes: who waits too long writes again, and who escalated once is quicker to.
    """
    random = standard.Random(f"{seed}:world").random
    people = customers(tickets, random)
    reach = list(accumulate(math.exp(1.1 * bell(random)) for _ in people))
    calendar = Calendar(days)
    returning: list[tuple[datetime, int, Matter]] = []
    for number in range(tickets + arrivals):
        at = (
            calendar.moment((number + random()) / tickets)
            if number < tickets
            else calendar.end + timedelta(seconds=int((number - tickets + random()) / arrivals * 3 * 86_400))
        )
        customer = people[bisect(reach, random() * reach[-1])]
        while returning and returning[0][0] < at - _FORGOTTEN:
            heapq.heappop(returning)
        if returning and returning[0][0] <= at:
            matter = _once_more(heapq.heappop(returning)[2], number, at, calendar.share(at), random)
        else:
            matter = _matter(number, at, calendar.share(at), customer, random)
        course = course_of(matter, random)
        if course.escalated_hours is not None:
            matter.customer.escalations.append(at + hours(course.escalated_hours))
        later = comes_back_after(matter, course, random)
        if later is not None:
            matter = replace(matter, comes_back=True)
            heapq.heappush(returning, (at + hours(later), number, matter))
        yield matter, course


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
        temper=0.7 * customer.fuse + 0.45 * intent.escalation + 0.75 * bell(random),
        hurry=0 if topic.machine else (random() < 0.13 + 0.12 * (customer.tier == "business")) - (random() < 0.12),
        urgency=0.0,
        drive=0.0,
        other=_other({**chances, topic.name: 0.0}, product, random) if random() < 0.32 else None,
    )
    return _felt(matter, random)


def _other(chances: dict[str, float], product: str, random: Random) -> tuple[str, str] | None:
    """Another matter that the same person could have: topic and intent."""
    name = weighted(chances, random)
    fitting = {n: i.weight for n, i in topics()[name].intents.items() if not i.products or product in i.products}
    return (name, weighted(fitting, random)) if fitting and not topics()[name].machine else None


def _felt(matter: Matter, random: Random) -> Matter:
    """Mood and urgency, which follow from all the rest."""
    calm = matter.topic.machine or matter.topic.name == "out_of_scope"
    mood = 1 if calm else bisect((-0.35, 0.75, 1.45), matter.temper)
    hurry = max(matter.hurry, 0) if mood >= 2 else matter.hurry
    business = matter.customer.tier == "business"
    urgency = matter.intent.urgency + 0.9 * hurry + 0.35 * business + 0.3 * (mood >= 2) + 0.35 * bell(random)
    return _driven(replace(matter, mood=mood, hurry=hurry, urgency=urgency))


def _driven(matter: Matter) -> Matter:
    """How easily it boils over; what happened to the customer before counts, and the third time more than the first."""
    new_fault = matter.version == "4.3.0" and matter.topic.name == "app-connection"
    before = sum(moment < matter.at for moment in matter.customer.escalations)
    drive = (
        _USUAL_DRIVE
        + 1.0 * (matter.mood - 1)
        + 0.25 * matter.temper
        + 1.1 * matter.intent.escalation
        + 0.3 * matter.urgency
        + 1.1 * (matter.customer.tier == "business")
        + 0.5 * min(before, 2)
        + 0.5 * (matter.product == "Heron Pro")
        + 0.9 * new_fault
        + 0.7 * min(matter.contact - 1, 3)
        - 1.5 * (matter.topic.name == "out_of_scope")
    )
    return replace(matter, drive=min(drive, 1.5))


def _once_more(matter: Matter, number: int, at: datetime, share: float, random: Random) -> Matter:
    """The same customer writes the same thing once more, by whatever channel, and no friendlier than before."""
    again = replace(
        matter,
        number=number,
        at=at,
        share=share,
        channel=weighted(read("words")["channels"], random),
        mood=min(3, max(1, matter.mood) + (random() < 0.5)),
        urgency=matter.urgency + 0.2 * random(),
        other=None,
        chases=matter.number,
        contact=matter.contact + 1,
        comes_back=False,
    )
    return _driven(again)


def _version(share: float, random: Random) -> str:
    known = ("3.9.8", "4.1.2", "4.2.1", "4.3.0", "4.3.2")
    newest = bisect((0.1, 0.25, 0.4, 0.62), share)
    return known[max(0, newest - int(random() * random() * 3))]
