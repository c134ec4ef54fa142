"""What a number of the history says, in words: "no reply for 31 h", "2 other tickets of the customer in 7 days"."""

from __future__ import annotations

import math

from pipeline.history.log import STATUSES

_PLAIN = {
    "age_hours": "{h} old",
    "quiet_hours": "nothing happened for {h}",
    "customer_quiet_hours": "customer silent for {h}",
    "agent_quiet_hours": "no reply for {h}",
    "customer_replies": "{n} follow-up{s} by the customer",
    "agent_replies": "{n} repl{ies} by agents",
    "notes": "{n} internal note{s}",
    "unanswered_replies": "{n} follow-up{s} since the last reply",
    "first_response_hours": "first reply after {h}",
    "updates": "{n} update{s} so far",
    "people": "{people} worked on it",
    "assignments": "moved to another queue {times}",
    "assignees": "handed to another person {times}",
    "queues_visited": "{n} queue{s} so far",
    "queue_hours": "in this queue for {h}",
    "status_hours": "in this status for {h}",
    "status_changes": "{n} change{s} of status",
    "reopened": "reopened {times}",
    "priority_level": "priority level {n}, from 0",
    "priority_changes": "priority changed {times}",
    "priority_raised": "priority raised by {n} level{s} in all",
    "escalations": "escalated {times} so far",
    "satisfaction": "satisfaction {x}",
    "mood_last": "mood of the last message {x}, from -1 to 1",
    "mood_lowest": "lowest mood so far {x}, from -1 to 1",
    "first_mood": "mood of the ticket {x}, from -1 to 1",
    "first_response_hours_left": "{h} of business time left to the first reply",
    "resolution_hours_left": "{h} of business time left to the resolution",
    "customer_open": "{n} other open ticket{s} of the customer",
    "customer_hours_since": "customer's last ticket {h} ago",
    "customer_escalated": "{n} escalations of the customer's other tickets",
    "customer_reopened": "{n} reopenings of the customer's other tickets",
    "customer_unanswered": "{n} other ticket{s} of the customer without an answer so far",
    "customer_satisfaction": "customer's satisfaction so far {x}",
    "same_reason_tickets": "{n} other ticket{s} of the customer for the same contact reason",
    "same_reason_tickets_7d": "{n} other ticket{s} of the customer for the same contact reason in 7 days",
    "same_reason_tickets_30d": "{n} other ticket{s} of the customer for the same contact reason in 30 days",
    "same_reason_open": "{n} other open ticket{s} of the customer for the same contact reason",
    "same_reason_hours_since": "customer's last ticket for the same contact reason {h} ago",
    "queue_open": "{n} other open ticket{s} in the queue",
    "queue_tickets_1d": "{n} ticket{s} came to the queue in a day",
    "queue_tickets_7d": "{n} ticket{s} came to the queue in 7 days",
    "desk_open": "{n} other open ticket{s} on the desk",
    "desk_tickets_1d": "{n} ticket{s} came in a day",
    "desk_unanswered": "{n} ticket{s} that nobody answered so far",
    "desk_unanswered_7d": "{n} more came than {were} answered in 7 days",
    "queue": "in queue number {n}",
}
_BELOW_ZERO = {
    "first_response_hours_left": "the first reply is {h} of business time late",
    "resolution_hours_left": "the resolution is {h} of business time late",
    "desk_unanswered_7d": "{n} more {were} answered than came in 7 days",
    "priority_raised": "priority lowered by {n} level{s} in all",
}
_WORDS = {"again": "word{s} of “again”", "legal": "word{s} of the law", "cancel": "word{s} of leaving"}
_NEVER = {
    "agent_quiet_hours": "no reply so far",
    "first_response_hours": "no reply so far",
    "customer_hours_since": "the customer's first ticket",
    "same_reason_hours_since": "the customer's first ticket for this contact reason",
    "mood_last": "no mood in later messages",
    "mood_lowest": "no mood in later messages",
    "first_mood": "no mood in the ticket's words",
}


def phrase(name: str, value: float) -> str:
    """One number of `AsOf.names` in words.

    Examples
    --------
    >>> phrase("agent_quiet_hours", 31.2), phrase("customer_tickets_7d", 2.0)
    ('no reply for 31 h', '2 other tickets of the customer in 7 days')
    >>> phrase("reassignment_count.number", 2.0), phrase("agent_quiet_hours", float("nan"))
    ('reassignment_count is 2', 'no reply so far')
    """
    if math.isnan(value):
        return _NEVER.get(name, f"{_readable(name)} isn't known")
    if name == "customer_spoke_last":
        return "the customer spoke last" if value else "the desk spoke last"
    if name == "status":
        return f"status {STATUSES[int(value)].replace('_', ' ')}"
    if name.endswith("_share"):
        ended = {"unanswered": "have no answer so far", "reopened": "were reopened", "escalated": "escalated"}
        what = name.split("_")[1]
        if value > 1:  # one ticket may be reopened, or escalate, several times
            return f"{value:.1f} times {what} per other ticket of the customer"
        return f"{value:.0%} of the customer's other tickets {ended[what]}"
    if name.startswith("customer_tickets"):
        span = name.removeprefix("customer_tickets").strip("_").removesuffix("d")
        said = "{n} other ticket{s} of the customer".format(**_counted(value))
        return said + (f" in {span} day{'s' if span != '1' else ''}" if span else "")
    if name.removesuffix("_hours") in STATUSES:
        return f"{hours_in_words(value)} in status {name.removesuffix('_hours').replace('_', ' ')}"
    if name.removeprefix("first_") in _WORDS:
        where = "in the ticket" if name.startswith("first_") else "in follow-ups"
        words = _WORDS[name.removeprefix("first_")].format(**_counted(value))
        return f"{value:g} {words} {where}"
    if value < 0 and name in _BELOW_ZERO:
        return _BELOW_ZERO[name].format(h=hours_in_words(-value), **_counted(-value))
    if name in _PLAIN:
        return _PLAIN[name].format(h=hours_in_words(value), x=f"{value:.2f}", **_counted(value))
    column, _, what = name.rpartition(".")
    known = {"number": f"is {value:g}", "changes": f"changed {_counted(value)['times']}"}
    return f"{column} {known.get(what, f'last changed {hours_in_words(value)} ago')}"


def hours_in_words(hours: float) -> str:
    """`5 min`, `31 h` or `3.5 days`; a sign where they are below 0."""
    size = abs(hours)
    if size < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.0f} h" if size < 72 else f"{hours / 24:.1f} days"


def _counted(value: float) -> dict[str, str]:
    """A count and the endings that go with it."""
    one = value == 1
    number = f"{value:g}"
    return {
        "n": number,
        "s": "" if one else "s",
        "ies": "y" if one else "ies",
        "were": "was" if one else "were",
        "times": "once" if one else f"{number} times",
        "people": "1 person" if one else f"{number} people",
    }


def _readable(name: str) -> str:
    return name.replace("_", " ").replace(".", " ")
