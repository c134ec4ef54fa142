"""POST /v1/events: what a body tells."""

from __future__ import annotations

from pipeline.serving.happenings import Happenings, event_record
from pipeline.serving.http.body import items_of, parse_json, ticket_records
from pipeline.serving.http.limits import Limits
from pipeline.sources.mapping import Mapping

_PARTS = frozenset({"tickets", "events"})


def read_happenings(body: bytes, mapping: Mapping | None, limits: Limits) -> Happenings:
    """What a body tells: an event, a list of them, or `{tickets, events}`.

    Raises
    ------
    ProblemError
        A body that can't be read, or with too much in it.
    """
    value = parse_json(body)
    told = value if isinstance(value, dict) and value and value.keys() <= _PARTS else {"events": value}
    tickets, events = (items_of(told.get(name, []), limits) for name in ("tickets", "events"))
    if len(tickets) + len(events) > limits.items:
        items_of([*tickets, *events], limits)
    size = len(body) // max(len(tickets) + len(events), 1)
    of_tickets = ticket_records(tickets, size, mapping, limits)
    return Happenings(of_tickets, tuple(event_record(item, size) for item in events))
