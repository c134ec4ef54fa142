"""How a ticket goes: how long it waits, when its customer asks again, and whether the waiting makes it boil over."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import timedelta

from pipeline.sources.sample.grammar import Random, bell
from pipeline.sources.sample.matter import LEVELS, Matter

Step = tuple[float, str]
"""Hours after the ticket came, and what happened then: one of created, filed, reply, asked, answered, escalated,
escalated further, resolved, back, rated, closed."""

COUNTED_HOURS = 14 * 24 - 3.0
"""What boils over later is no escalation any more."""

_AT_SIGHT, _WAITING, _ASKING = 2.4, 0.6, 0.7
_DAY = 24.0
_SLOW = {"workshop": 1.5, "finance": 1.2, "digital": 0.8}
_NEGLECTED = 0.09


@dataclass(frozen=True, slots=True)
class Course:
    """How a ticket goes.

    Attributes
    ----------
    steps : tuple of Step
        In order of time.
    misrouted, underrated : bool
        Whether it is first filed under another queue, and below its level.
    escalated_hours : float or None
        When it boiled over.
    waited_hours : float
        The longest time that its customer waited for an agent.
    heat : float
        What came together; it boils over with probability 1 - exp(-heat).
    """

    steps: tuple[Step, ...]
    misrouted: bool
    underrated: bool
    escalated_hours: float | None
    waited_hours: float
    heat: float

    @property
    def escalation_probability(self) -> float:
        """How likely it was, given how long its customer had to wait."""
        return 1.0 - math.exp(-self.heat)


def course_of(matter: Matter, random: Random, *, calm: bool = False) -> Course:
    """One way that a ticket may go.

    Parameters
    ----------
    calm : bool
        Whether it is looked at as if it didn't boil over, so that `heat` is that of all its waiting.
    """
    limit = math.inf if calm else -math.log(1.0 - random())
    misrouted, underrated = random() < 0.12, random() < 0.15
    ticket = _Going(matter, random, limit)
    first = _wait(2.0 + 7.0 * (3 - LEVELS.index(matter.priority)), random)
    ticket.steps.append((first, "filed"))
    if matter.topic.machine:
        ticket.steps.append((first + _wait(6.0, random), "closed"))
        return ticket.course(misrouted, underrated)
    ticket.look(first)
    ticket.wait(first + _agents_wait(matter, random) * (1.6 if misrouted else 1.0))
    ticket.steps[1] = (min(first, 0.8 * ticket.now, ticket.escalated or math.inf), "filed")
    for _ in range(int(random() * 2.2)):
        if random() < 0.7:
            ticket.step(_wait(16.0, random), "answered")
            ticket.wait(_agents_wait(matter, random))
        else:
            ticket.step(_wait(9.0, random), "reply")
    if random() < 0.7:
        ticket.step(_wait(16.0, random), "answered")
    ticket.step(_wait(12.0, random), "resolved")
    if random() < 0.07 + 0.03 * matter.mood:
        ticket.step(_wait(30.0, random), "back")
        ticket.wait(_agents_wait(matter, random), anew=True)
        ticket.step(_wait(12.0, random), "resolved")
    if random() < 0.35:
        ticket.steps.append((ticket.now + 1.0 + _wait(14.0, random), "rated"))
    ticket.steps.append((ticket.now + 3 * _DAY, "closed"))
    return ticket.course(misrouted, underrated)


def comes_back_after(matter: Matter, course: Course, random: Random) -> float | None:
    """Hours after which the customer opens another ticket about the same; None: never."""
    if matter.topic.machine or matter.topic.name == "out_of_scope":
        return None
    long = course.waited_hours > 36.0
    chance = 0.015 + 0.08 * long + 0.02 * (matter.mood >= 2)
    if random() > chance * (4.0 if matter.contact > 1 else 1.0):
        return None
    return course.waited_hours * (0.4 + 0.6 * random()) if long else 20.0 + 200.0 * random()


def hours(count: float) -> timedelta:
    """Hours in whole seconds."""
    return timedelta(seconds=int(count * 3600))


@dataclass(slots=True)
class _Going:
    """A ticket that is on its way."""

    matter: Matter
    random: Random
    limit: float
    steps: list[Step] = field(default_factory=lambda: [(0.0, "created")])
    now: float = 0.0
    heat: float = 0.0
    waited: float = 0.0
    escalated: float | None = None
    rate: float = 0.0

    def __post_init__(self) -> None:
        self.rate = math.exp(self.matter.drive)

    def step(self, later: float, what: str) -> None:
        """Something happens after some hours."""
        self.now += later
        self.steps.append((self.now, what))

    def look(self, at: float) -> None:
        """Somebody reads it for the first time: some matters are escalated at sight."""
        self.heat += _AT_SIGHT * self.rate
        if self.heat >= self.limit:
            self._boil_over(at + 0.2 + 3 * self.random())

    def wait(self, planned: float, *, anew: bool = False) -> None:
        """The customer waits for an agent's reply: the longer, and the oftener they asked in vain, the hotter."""
        if self.escalated is not None:
            planned = min(planned, max(0.5, self.escalated - self.now) + 4 * self.random())
        started, asked, until = 0.0, 1 if anew else 0, planned
        for moment, asks in self._asking(planned):
            rate = self.rate * (_WAITING + _ASKING * asked) / _DAY**3
            end = max(started, min(moment, COUNTED_HOURS - self.now))
            rise = rate * (end**3 - started**3)
            if self.escalated is None and self.heat + rise >= self.limit:
                over = (started**3 + (self.limit - self.heat) / rate) ** (1 / 3)
                self._boil_over(self.now + over)
                until = min(until, over + 0.5 + 4 * self.random())
                break
            self.heat += rise
            if asks:
                self.steps.append((self.now + moment, "asked"))
            started, asked = moment, asked + asks
        self.waited = max(self.waited, until)
        self.step(until, "reply")

    def course(self, misrouted: bool, underrated: bool) -> Course:
        """What it was."""
        steps = tuple(sorted(self.steps, key=_moment))
        return Course(steps, misrouted, underrated, self.escalated, self.waited, self.heat)

    def _asking(self, planned: float) -> list[tuple[float, bool]]:
        """When the customer asks again while they wait, and the end of the waiting."""
        patience = 34.0 * math.exp(-0.3 * self.matter.temper - 0.35 * self.matter.hurry) * (0.6 + 0.8 * self.random())
        moments: list[tuple[float, bool]] = []
        at = patience
        while at < planned and len(moments) < 4:
            if self.random() < 0.8:
                moments.append((at, True))
            at += patience * (0.5 + 0.5 * self.random())
        return [*moments, (planned, False)]

    def _boil_over(self, at: float) -> None:
        self.escalated = at
        self.steps.append((at, "escalated"))
        if self.random() < 0.2:
            self.steps.append((at + _wait(10.0, self.random), "escalated further"))


def _agents_wait(matter: Matter, random: Random) -> float:
    """Hours until an agent writes: longer in some queues, before the holidays, and where a ticket is forgotten."""
    rush = 1.6 if (11, 20) <= (matter.at.month, matter.at.day) < (12, 28) else 1.0
    usual = _wait(9.0, random) * rush * _SLOW.get(matter.queue, 1.0) * math.exp(0.15 * bell(random))
    return usual + (30.0 + 90.0 * random() if random() < _NEGLECTED * rush else 0.0)


def _wait(mean: float, random: Random) -> float:
    """Hours with a long tail (cubed uniform has mean 1/4), a minute at least."""
    return 1 / 60 + mean * 4 * random() ** 3


def _moment(step: Step) -> float:
    return step[0]
