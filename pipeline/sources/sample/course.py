"""What happens to a ticket after it has arrived, as the helpdesk logs it: assignments, replies, changes, the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pipeline.sources.sample.grammar import Random, bell, phrases, pick, read, speak, weighted
from pipeline.sources.sample.letters import Slots
from pipeline.sources.sample.matter import LEVELS, Matter, level
from pipeline.sources.sample.subjects import living_name, topics
from pipeline.sources.sample.waits import Course, hours

Event = tuple[str, datetime, str, str, str | None, str | None, str | None, str | None]
"""ticket_id, occurred_at, kind, side, actor, field, value, text."""

DESK, LEAD = "front-desk", "team-lead"
"""Who isn't an agent of a queue: the rules that file and close tickets, and the person to whom tickets escalate."""

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


def events(
    matter: Matter, course: Course, filed: dict[str, str], random: Random, *, customer: str | None
) -> list[Event]:
    """Everything that happens to a ticket, in order of time.

    Parameters
    ----------
    filed : dict
        By `labels`.
    customer : str or None
        The customer's number, where the ticket has it.
    """
    slots = Slots(matter, random)
    slots["first"] = matter.customer.first
    log = _Log(matter, course, filed, random, slots, customer, pick(read("words")["agents"], random))
    for moment, what in course.steps:
        log.tell(moment, what)
    return log.events


@dataclass(slots=True)
class _Log:
    """The log of a ticket as it grows."""

    matter: Matter
    course: Course
    filed: dict[str, str]
    random: Random
    slots: Slots
    customer: str | None
    agent: str
    events: list[Event] = field(default_factory=list)
    hours: float = 0.0
    waiting_since: float = 0.0
    messages: int = 1
    replied: bool = False

    def tell(self, moment: float, what: str) -> None:
        """One step of its course."""
        self.hours = moment
        getattr(self, f"_{what.replace(' ', '_')}")()

    def _by(self, side: str, kind: str, value: str | None = None, *, name: str | None = None, text: str = "") -> None:
        """Write down what was done by the customer, a machine of theirs, the desk's rules, the lead or an agent."""
        actor = {"customer": self.customer, "machine": self.customer, "system": DESK, "lead": LEAD}.get(
            side, self.agent
        )
        side = {"machine": "system", "lead": "agent"}.get(side, side)
        at = self.matter.at + hours(self.hours)
        self.events.append((self.matter.ticket_id, at, kind, side, actor, name, value, text or None))

    def _set(self, side: str, name: str, value: str) -> None:
        """A column's new value; where it says who has the ticket, an assignment too."""
        self._by(side, "field", value, name=name)
        if name in ("queue", "assignee"):
            self._by(side, "assignment", value, name="assignee" if name == "assignee" else None)

    def _created(self) -> None:
        side = "machine" if self.matter.topic.machine else "customer"
        self._by(side, "created")
        self._by(side, "status", "new")
        self._by("system", "field", "0", name="escalation_level")

    def _filed(self) -> None:
        first, random = dict(self.filed), self.random
        if self.course.misrouted:
            first["queue"] = pick(QUEUES, random)
        if self.course.underrated:
            first["priority"] = LEVELS[max(0, LEVELS.index(first["priority"]) - 1)]
        for name in ("queue", "priority", "topic"):
            self._set("system", name, first[name])
        self._set("system", "assignee", self.agent)
        self._by("agent", "status", "open")
        self.filed = {**self.filed, **{f"first {name}": value for name, value in first.items()}}

    def _reply(self) -> None:
        if not self.replied:
            self._put_right()
        self._by("agent", "reply", text=_reply(self.matter, self.slots, self.random))
        self._by("agent", "status", "pending")
        self.replied = True

    def _put_right(self) -> None:
        """What was filed wrong at first is seen when somebody reads the ticket."""
        wrong = [name for name in ("queue", "priority") if self.filed[f"first {name}"] != self.filed[name]]
        for name in wrong:
            self._set("agent", name, self.filed[name])
        if wrong:
            self._by("agent", "note")

    def _asked(self) -> None:
        self.messages += 1
        self.slots.count_up(self.messages + self.matter.contact - 1)
        self.slots.wait(self.hours - self.waiting_since)
        anger = self.matter.mood + self.messages - 1
        kind = "asked" if anger < 2 else "asked_more" if anger < 4 or self.random() < 0.3 else "asked_angry"
        self._write(kind)

    def _answered(self) -> None:
        self.waiting_since, self.messages = self.hours, 1
        self._write("answer")
        self._by("customer", "status", "open")

    def _back(self) -> None:
        self.waiting_since, self.messages = self.hours, 1
        self._write("back")
        self._by("customer", "reopened")
        self._by("customer", "status", "open")

    def _write(self, kind: str) -> None:
        text = speak(pick(phrases(self.matter.language)[kind], self.random), self.random, self.slots)
        self._by("customer", "reply", text=text[:1].upper() + text[1:])

    def _escalated(self) -> None:
        self._by("agent", "field", "1", name="escalation_level")
        self._by("agent", "escalated")
        self._by("lead", "note")

    def _escalated_further(self) -> None:
        self._by("lead", "field", "2", name="escalation_level")

    def _resolved(self) -> None:
        if self.random() < 0.25:
            self._by("agent", "note")
        self._by("agent", "status", "resolved")

    def _rated(self) -> None:
        course, mood = self.course, self.matter.mood
        liked = (
            1.05 - 0.1 * mood - 0.4 * min(course.waited_hours / 96, 1.0) - 0.35 * (course.escalated_hours is not None)
        )
        liked += 0.18 * bell(self.random)
        self._by("customer", "satisfaction", f"{round(4 * min(max(liked, 0.0), 1.0)) / 4:g}")

    def _closed(self) -> None:
        self._by("system", "status", "closed")


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
