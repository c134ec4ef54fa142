"""One ticket's course, event by event: the part of the oracle that reads a log. Hours are whole microseconds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from made_history import LEVELS, Event, Scene, Ticket

NAN = math.nan
HOUR = 3_600_000_000
KNOWN = {
    "created", "reply", "note", "status", "assignment", "priority", "reopened", "escalated", "satisfaction", "field",
    "updated",
}  # fmt: skip
STATUSES = ["new", "open", "pending", "on_hold", "resolved", "closed"]
ENDED = ["resolved", "closed"]


def micros(hour: float | None) -> int | None:
    return None if hour is None else round(hour * HOUR)


def hours(start: float | None, end: int) -> float:
    return NAN if start is None else max(end - start, 0) / HOUR


@dataclass
class Course:
    """A ticket's course, event by event."""

    ticket: Ticket
    newest: dict[str, int] = field(default_factory=dict)
    updates: set[int] = field(default_factory=set)
    people: set[str] = field(default_factory=set)
    counts: dict[str, float] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    spoke: str | None = None
    unanswered: int = 0
    first_response: int | None = None
    queue: str | None = None
    queues: set[str] = field(default_factory=set)
    assignees: set[str] = field(default_factory=set)
    arrivals: list[tuple[str, int]] = field(default_factory=list)
    status: str | None = None
    stays: list[tuple[str, int | None, int]] = field(default_factory=list)
    since: int | None = None
    taken_up_by_status: bool = False
    priority: str | None = None
    ranked: bool = False
    satisfaction: float = NAN
    ratings: list[float] = field(default_factory=list)
    mood: float = NAN
    lowest: float = NAN
    columns: dict[str, str | None] = field(default_factory=dict)
    answered: bool = False
    answered_at: int | None = None

    def __post_init__(self) -> None:
        self.queue, self.since = self.ticket.queue, self.created
        if self.queue is not None:
            self.queues.add(self.queue)
        self.columns = dict(self.ticket.fields)
        if self.created is not None and self.queue is not None:
            self.arrivals.append((self.queue, self.created))

    @property
    def created(self) -> int | None:
        return micros(self.ticket.created)

    @property
    def open(self) -> bool:
        return self.status not in ENDED

    def stands(self, thing: str, at: int) -> bool:
        """Whether nothing newer was said of it."""
        if at < self.newest.get(thing, at):
            return False
        self.newest[thing] = at
        return True

    def add(self, name: str, amount: float = 1.0) -> None:
        self.counts[name] = self.counts.get(name, 0.0) + amount

    def take(self, event: Event) -> None:
        received = micros(event.at)
        assert received is not None
        at = received if event.happened is None else min(micros(event.happened), received)
        self.add(event.kind)
        side = self.side(event)
        if event.kind != "created":
            self.updates.add(received)
            if self.stands("anything", at):
                self.last["anything"] = at
            if side == "agent" and event.actor is not None:
                self.people.add(event.actor)
        if event.kind == "reply" and side in ("customer", "agent"):
            self.hear(event, side, at, received)
        if event.kind == "assignment" and event.field == "assignee":
            self.assignees |= {event.value} - {None}
        if event.kind == "assignment" and event.field != "assignee":
            self.move(event.value, at, received)
        if event.kind in ("status", "reopened"):
            self.become(event, at, received)
        if event.kind == "priority":
            self.rank(event.value, at)
        if event.kind == "satisfaction":
            self.rate(event.value, at)
        if event.kind == "field":
            self.column(str(event.field), event.value, at)

    def side(self, event: Event) -> str:
        if event.side in ("customer", "agent", "system"):
            return str(event.side)
        if event.kind == "created":
            return "customer"
        if event.actor is None:
            return "system"
        return "customer" if event.actor == self.ticket.customer else "agent"

    def hear(self, event: Event, side: str, at: int, received: int) -> None:
        self.add(f"{side}_replies")
        if side == "agent" and self.first_response is None:
            self.first_response, self.answered, self.answered_at = at, True, received
        if self.stands(side, at):
            self.last[side] = at
        if self.stands("talk", at):
            self.spoke, self.unanswered = side, self.unanswered + 1 if side == "customer" else 0
        if side == "customer" and event.words is not None:
            for name, count in zip(("again", "legal", "cancel"), event.words[1:], strict=True):
                self.add(name, count)
            mood = float(np.float32(event.words[0]))
            if not math.isnan(mood):
                self.lowest = mood if math.isnan(self.lowest) else min(self.lowest, mood)
                if self.stands("mood", at):
                    self.mood = mood

    def move(self, queue: str | None, at: int, received: int) -> None:
        self.queues |= {queue} - {None}
        spoken = "queue" in self.newest or self.ticket.queue is not None
        if not self.stands("queue", at):
            return
        if spoken and queue != self.queue:
            self.add("assignments")
            self.last["queue"] = at
        if not spoken:
            self.last["queue"] = at
        if self.open and queue != self.queue and queue is not None and self.created is not None:
            self.arrivals.append((queue, max(received, self.created)))
        self.queue = queue

    def become(self, event: Event, at: int, received: int) -> None:
        status = "open" if event.kind == "reopened" else event.value
        if event.kind == "reopened" and not self.taken_up_by_status:
            self.add("taken_up")
        if status not in STATUSES or not self.stands("status", at):
            return
        self.taken_up_by_status = event.kind == "status" and self.status in ENDED and status not in ENDED
        if self.taken_up_by_status:
            self.add("taken_up")
        if self.status is not None and status != self.status:
            self.add("status_changes")
        if status != (self.status or "new"):
            self.last["status"] = at
        begun = at if self.created is None else max(at, self.created)
        self.stays.append((self.status or "new", self.since, begun))
        self.status, self.since = status, begun

    def rank(self, level: str | None, at: int) -> None:
        if not self.stands("priority", at):
            return
        if self.ranked and level != self.priority:
            self.add("priority_changes")
            if level in LEVELS.values() and self.priority in LEVELS.values():
                self.add("priority_raised", rank_of(level) - rank_of(self.priority))
        self.priority, self.ranked = level, True

    def rate(self, value: str | None, at: int) -> None:
        rating = number(value)
        if 0 <= rating <= 1:
            self.ratings.append(round(rating * 2**20) / 2**20)
            if self.stands("rating", at):
                self.satisfaction = rating

    def column(self, name: str, value: str | None, at: int) -> None:
        spoken = f"column {name}" in self.newest or self.ticket.fields.get(name) is not None
        if not self.stands(f"column {name}", at):
            return
        if spoken and value != self.columns.get(name):
            self.add(f"{name}.changes")
            self.last[f"{name}.changed"] = at
        self.columns[name] = value

    def since_last(self, thing: str, moment: int) -> float:
        """Hours; what happened before the ticket came counts from there."""
        at = self.last.get(thing)
        if at is not None and self.created is not None:
            at = max(at, self.created)
        return hours(at, moment)

    def spent(self, status: str, moment: int) -> list[tuple[int, int]]:
        stays = [*self.stays, (self.status or "new", self.since, moment)]
        return [(start, end) for name, start, end in stays if name == status and start is not None and start < end]


def rank_of(level: str | None) -> float:
    names = list(LEVELS.values())
    return float(names.index(level)) if level in names else NAN


def number(text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        return NAN
    return value if abs(value) < 1e38 else NAN


def course_of(scene: Scene, ticket: Ticket, moment: int) -> Course:
    """The course of a ticket as of a moment."""
    seen: dict[Event, int] = {}
    for event in scene.events:
        at = micros(event.at)
        if event.ticket == ticket.id and event.kind in KNOWN and at is not None and at < moment:
            seen.setdefault(replace(event, seq=None, as_field=False, occurred=event.happened), event.seq or 0)
    course = Course(ticket)
    for event in sorted(seen, key=lambda e: (e.at, e.at if e.happened is None else min(e.happened, e.at), seen[e])):
        course.take(event)
    return course
