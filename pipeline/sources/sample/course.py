"""What happens to a ticket after it has arrived: assignments, replies with links, changes, escalations, the end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pipeline.sources.sample.grammar import Random, bell, phrases, pick, read, speak, weighted
from pipeline.sources.sample.letters import Slots
from pipeline.sources.sample.subjects import living_name, topics
from pipeline.sources.sample.world import LEVELS, Matter, level

Event = tuple[str, datetime, str, str, str | None, str | None, str | None]
"""ticket_id, occurred_at, kind, actor, field, value, text."""

QUEUES = ("care", "kundendienst", "logistics", "finance", "workshop", "digital")
_WRONG_TOPIC, _WRONG_QUEUE = 0.05, 0.03
_TWINS = {"delivery": ("Delivery ", "delivery "), "returns-and-refunds": ("Returns and refunds",)}


def labels(matter: Matter, random: Random) -> dict[str, str]:
    """Topic, queue and priority as an agent files them: late to learn a new name, now and then wrong."""
    topic = matter.topic.name
    if random() < _WRONG_TOPIC:
        living = [n for n, t in topics().items() if t.since <= matter.share < t.until and n != topic]
        near = [n for n in matter.topic.sisters if n in living]
        topic = pick(near, random) if near and random() < 0.7 else pick(living, random)
    lag = 0.03 * random() * random()
    name = living_name(topic, matter.share - lag)
    if topic in _TWINS and random() < 0.025:
        name = pick(_TWINS[topic], random)
    queue = pick(QUEUES, random) if random() < _WRONG_QUEUE else matter.queue
    return {"topic": name, "queue": queue, "priority": level(matter.urgency + 0.38 * bell(random))}


def tags(matter: Matter, random: Random) -> str | None:
    """What the contact form sends along: mostly the topic itself, which a model must not be shown."""
    if random() < 0.12:
        return None
    parts = [living_name(matter.topic.name, matter.share)] if random() < 0.95 else []
    return ";".join([*parts, matter.customer.tier]) if random() < 0.5 or not parts else parts[0]


def events(matter: Matter, filed: dict[str, str], random: Random) -> list[Event]:
    """Everything that happens to a ticket, in order of time."""
    agent, customer, ticket = pick(read("words")["agents"], random), matter.customer.customer_id, matter.ticket_id
    slots = Slots(matter, random)
    slots["first"] = matter.customer.first
    log: list[Event] = []
    now = matter.at

    def note(kind: str, actor: str, value: str | None = None, *, name: str | None = None, text: str = "") -> None:
        log.append((ticket, now, kind, actor, name, value, text or None))

    note("created", customer)
    note("status", customer, "new")
    note("field", "front-desk", "0", name="escalation_level")
    now += _hours(2.0 + 7.0 * (3 - LEVELS.index(filed["priority"])), random)
    first_queue = pick(QUEUES, random) if random() < 0.12 else filed["queue"]
    first_level = LEVELS[max(0, LEVELS.index(filed["priority"]) - 1)] if random() < 0.15 else filed["priority"]
    first = {"queue": first_queue, "priority": first_level, "topic": filed["topic"], "assignee": agent}
    for name, value in first.items():
        note("field", "front-desk", value, name=name)
    note("status", agent, "open")
    if matter.topic.machine:
        now += _hours(6, random)
        note("status", agent, "closed")
        return log
    if matter.escalated and random() < 0.4:
        now += _hours(20, random)
        note("field", agent, "1", name="escalation_level")
    for turn in range(1 + int(random() * (2.2 + matter.escalated))):
        now += _hours(9, random)
        if turn == 0 and first_queue != filed["queue"]:
            note("field", agent, filed["queue"], name="queue")
        if turn == 0 and first_level != filed["priority"]:
            note("field", agent, filed["priority"], name="priority")
        note("reply", agent, text=_reply(matter, slots, random))
        note("status", agent, "pending")
        if random() < 0.7:
            now += _hours(16, random)
            note("reply", customer, text=speak(pick(phrases(matter.language)["answer"], random), random, slots))
            note("status", customer, "open")
    if first_queue != filed["queue"] and not any(e[4] == "queue" and e[5] == filed["queue"] for e in log):
        note("field", agent, filed["queue"], name="queue")
    if matter.escalated and not any(e[4] == "escalation_level" and e[5] != "0" for e in log):
        now = min(now + _hours(10, random), matter.at + timedelta(days=13))
        note("field", agent, "1", name="escalation_level")
    if matter.escalated and random() < 0.2:
        now += _hours(10, random)
        note("field", "team-lead", "2", name="escalation_level")
    now += _hours(12, random)
    note("status", agent, "resolved")
    if random() < 0.06 + 0.1 * matter.escalated:
        now += _hours(30, random)
        note("reply", customer, text=speak(pick(phrases(matter.language)["answer"], random), random, slots))
        note("status", customer, "open")
        now += _hours(14, random)
        note("status", agent, "resolved")
    now += timedelta(days=3)
    note("status", "front-desk", "closed")
    return sorted(log, key=_when)


def link(article_id: str) -> str:
    """Where a customer finds an article."""
    return f"https://quillfeather.example/help/{article_id}"


def _reply(matter: Matter, slots: Slots, random: Random) -> str:
    slots["link"] = ""
    choices = matter.intent.articles
    if choices and random() < 0.9:
        article = pick(choices, random) if random() < 0.93 else weighted(dict.fromkeys(read("articles"), 1.0), random)
        german = matter.language == "de" and "de" in read("articles")[article]
        slots["link"] = link(f"{article}-de" if german else article)
    slots["ask"] = speak(pick(phrases(matter.language)["ask"], random), random, slots)
    return " ".join(speak(pick(phrases(matter.language)["reply"], random), random, slots).split())


def _hours(mean: float, random: Random) -> timedelta:
    """A wait with a long tail (cubed uniform has mean 1/4), in whole seconds."""
    return timedelta(seconds=60 + int(mean * 4 * 3600 * random() ** 3))


def _when(event: Any) -> datetime:
    when: datetime = event[1]
    return when
