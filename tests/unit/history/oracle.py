"""What `AsOf.look` has to say, counted slowly and plainly: one event after the other, one ticket after the other.

Nothing of it comes from the package but the calendar and the settings; hours are whole microseconds since `MONDAY`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from made_history import LOOK, MONDAY, Scene, Ticket
from unit.history.oracle_course import HOUR, NAN, STATUSES, Course, course_of, hours, micros, number, rank_of

from pipeline.history.calendar import Calendar

DAY = 24 * HOUR
PAUSED = ["pending", "on_hold"]
FIRST_RESPONSE, RESOLUTION = {"high": 2.0}, 48.0
STRENGTH = ["id", "account", "email", "phone", "handle"]
DESK = Calendar.of(LOOK.sla)
START = int(MONDAY.timestamp() * 1_000_000)


def numbers_of(scene: Scene, ticket: Ticket, at: float | None, reason: str | None = None) -> dict[str, float]:
    """Everything but what the ticket's own words give away; `reason` names what says what a ticket is about."""
    moment = micros(ticket.created if at is None else at)
    if moment is None:
        return {}
    course = course_of(scene, ticket, moment)
    others = [(t, course_of(scene, t, moment)) for t in scene.tickets if t.id != ticket.id]
    found = {} if reason is None else same_reason(scene, course, others, moment, reason)
    return (
        own_numbers(course, moment) | clock(course, moment) | customer(scene, course, others, moment)
        | load(course, others, moment) | found
    )  # fmt: skip


def own_numbers(course: Course, moment: int) -> dict[str, float]:
    age = hours(course.created, moment)
    count = course.counts.get
    spent = {s: sum(end - start for start, end in course.spent(s, moment)) / HOUR for s in STATUSES}
    answer = course.first_response
    first_response = NAN if answer is None or course.created is None else hours(course.created, answer)
    began = course.since_last("status", moment)
    moved = course.since_last("queue", moment)
    columns = {}
    for name in ("product", "size"):
        columns[f"{name}.changes"] = count(f"{name}.changes", 0.0)
        columns[f"{name}.quiet_hours"] = course.since_last(f"{name}.changed", moment)
    columns["size.number"] = number(course.columns.get("size")) if "column size" in course.newest else NAN
    return columns | {
        "age_hours": age,
        "quiet_hours": least(course.since_last("anything", moment), age),
        "customer_quiet_hours": least(course.since_last("customer", moment), age),
        "agent_quiet_hours": course.since_last("agent", moment),
        "customer_spoke_last": float(course.spoke != "agent" or not count("agent_replies", 0.0)),
        "customer_replies": count("customer_replies", 0.0),
        "agent_replies": count("agent_replies", 0.0),
        "notes": count("note", 0.0),
        "unanswered_replies": float(course.unanswered),
        "first_response_hours": first_response,
        "updates": float(len(course.updates)),
        "people": float(len(course.people)),
        "assignments": count("assignments", 0.0),
        "assignees": float(len(course.assignees)),
        "queues_visited": float(len(course.queues)),
        "queue_hours": age if "queue" not in course.last and course.ticket.queue is not None else moved,
        "status": float(STATUSES.index(course.status or "new")),
        "status_hours": began if "status" in course.last else age,
        "status_changes": count("status_changes", 0.0),
        **{f"{s}_hours": spent[s] for s in STATUSES},
        "reopened": count("taken_up", 0.0),
        "priority_level": rank_of(course.priority),
        "priority_changes": count("priority_changes", 0.0),
        "priority_raised": count("priority_raised", 0.0),
        "escalations": count("escalated", 0.0),
        "satisfaction": course.satisfaction,
        "mood_last": course.mood,
        "mood_lowest": course.lowest,
        **{name: count(name, 0.0) for name in ("again", "legal", "cancel")},
    }


def least(one: float, other: float) -> float:
    return other if math.isnan(one) else one if math.isnan(other) else min(one, other)


def clock(course: Course, moment: int) -> dict[str, float]:
    found = {"first_response_hours_left": NAN, "resolution_hours_left": NAN}
    if course.created is None:
        return found
    if course.first_response is None:
        due = FIRST_RESPONSE.get(course.priority or "", 8.0)
        found["first_response_hours_left"] = due - open_hours(course.created, moment)
    if course.open:
        paused = sum(open_hours(start, end) for s in PAUSED for start, end in course.spent(s, moment))
        found["resolution_hours_left"] = RESOLUTION - open_hours(course.created, moment) + paused
    return found


def open_hours(start: int, end: int) -> float:
    """Hours in which the desk of `LOOK` is open."""
    return float(DESK.elapsed(np.array([START + start]), np.array([START + max(start, end)]))[0])


def keys_of(ticket: Ticket) -> list[str]:
    """The strongest first."""
    keys = [*ticket.keys, *([f"id:{ticket.customer}"] if ticket.customer else [])]
    return sorted(keys, key=lambda k: (STRENGTH.index(k.split(":")[0]), k))


def together(scene: Scene, ticket: Ticket, moment: int) -> set[str]:
    """All keys that are the ticket's customer as of a moment."""
    found = set(keys_of(ticket))
    met = [set(keys_of(t)) for t in scene.tickets if t.created is None or micros(t.created) < moment]
    while True:
        more = set().union(found, *(keys for keys in met if keys & found)) if found else found
        if more == found:
            return found
        found = more


def customer(scene: Scene, course: Course, others: Sequence[tuple[Ticket, Course]], moment: int) -> dict[str, float]:
    keys = together(scene, course.ticket, moment)
    theirs = [(t, c) for t, c in others if keys_of(t)[:1] and keys_of(t)[0] in keys]
    came = [c for _, c in theirs if c.created is not None and c.created < moment]
    ratings = [r for _, c in theirs for r in c.ratings]
    known = {i for i, at in scene.escalated if at is not None and micros(at) < moment}
    found = earlier("customer", course, came, moment, (1, 7, 30, 90, 365)) | {
        "customer_escalated": sum(c.counts.get("escalated", 0.0) + (t.id in known) for t, c in theirs),
        "customer_reopened": sum(c.counts.get("taken_up", 0.0) for _, c in theirs),
        "customer_unanswered": float(sum(not c.answered for c in came)),
        "customer_satisfaction": sum(ratings) / len(ratings) if ratings else NAN,
    }
    for name in ("escalated", "reopened", "unanswered"):
        found[f"customer_{name}_share"] = found[f"customer_{name}"] / len(came) if came else NAN
    return found if keys else dict.fromkeys(found, NAN)


def same_reason(
    scene: Scene, course: Course, others: Sequence[tuple[Ticket, Course]], moment: int, reason: str
) -> dict[str, float]:
    keys, own = together(scene, course.ticket, moment), reason_of(course.ticket, reason)
    theirs = [c for t, c in others if keys_of(t)[:1] and keys_of(t)[0] in keys and reason_of(t, reason) == own]
    came = [c for c in theirs if c.created is not None and c.created < moment]
    found = earlier("same_reason", course, came, moment, (7, 30))
    return found if keys and own is not None else dict.fromkeys(found, NAN)


def reason_of(ticket: Ticket, reason: str) -> str | None:
    return ticket.queue if reason == "queue" else ticket.fields.get(reason.removeprefix("fields."))


def earlier(prefix: str, course: Course, came: Sequence[Course], moment: int, days: Sequence[int]) -> dict[str, float]:
    before = min(moment, moment if course.created is None else course.created)
    last = [c.created for c in came if c.created is not None and c.created < before]
    found = {f"{prefix}_tickets_{d}d": float(sum((c.created or 0) >= moment - d * DAY for c in came)) for d in days}
    return found | {
        f"{prefix}_tickets": float(len(came)),
        f"{prefix}_open": float(sum(c.open for c in came)),
        f"{prefix}_hours_since": hours(max(last), moment) if last else NAN,
    }


def load(course: Course, others: Sequence[tuple[Ticket, Course]], moment: int) -> dict[str, float]:
    came = [c for _, c in others if c.created is not None and c.created < moment]
    week = moment - 7 * DAY
    replied = [max(c.answered_at, c.created) for c in came if c.answered_at is not None and c.created is not None]
    arrived = [(q, at) for c in came for q, at in c.arrivals if q == course.queue]
    found = {
        "queue_open": float(sum(c.open and c.queue == course.queue for c in came)),
        "queue_tickets_1d": float(sum(at >= moment - DAY for _, at in arrived)),
        "queue_tickets_7d": float(sum(at >= moment - 7 * DAY for _, at in arrived)),
    }
    if course.queue is None:
        found = dict.fromkeys(found, NAN)
    return found | {
        "desk_open": float(sum(c.open for c in came)),
        "desk_tickets_1d": float(sum(c.created >= moment - DAY for c in came)),
        "desk_unanswered": float(sum(not c.answered for c in came)),
        "desk_unanswered_7d": float(sum(c.created >= week for c in came) - sum(at >= week for at in replied)),
        "queue": float(LOOK.queues.index(course.queue)) if course.queue in LOOK.queues else NAN,
    }
