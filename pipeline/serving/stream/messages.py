"""What a message tells: a ticket, an event of one, or both, or which known one to score again; or what is wrong.

A message is a JSON object in UTF-8: `{"ticket": {…}}`, `{"event": {…}}`, both beside each other, or a ticket by itself.
Tickets come in our own schema or in a helpdesk's (by the mapping), events by the names of `serving.happenings.NAMES`.
`{"again": {"ticket_id": …, "as_of": …}}` asks for a known ticket as of a moment.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pipeline.ledger.decisions import digest
from pipeline.serving.answers import is_field, wanted
from pipeline.serving.happenings import event_record
from pipeline.sources.mapping import Mapping
from pipeline.tickets.json_records import record_of
from pipeline.tickets.records import Record

_PARTS = frozenset({"ticket", "event"})
_AGAIN = "again"


@dataclass(frozen=True)
class Told:
    """What one message tells.

    Attributes
    ----------
    ticket : Record or None
        With its error, where the message can't be read at all.
    event : Record or None
    again : Record or None
        A known ticket's id and moment, by the names of an event.
    """

    ticket: Record | None = None
    event: Record | None = None
    again: Record | None = None

    @property
    def content(self) -> str:
        """SHA-256 of what the ticket says: a changed ticket is another question. Empty where it can't be read."""
        return digest(sorted(_values(self.ticket).items())) if _values(self.ticket) else ""

    @property
    def step(self) -> str:
        """After what it is to be scored: the event that is told, or nothing but the ticket's arrival."""
        for name, record in (("event", self.event), ("again", self.again)):
            if values := _values(record):
                return f"{name} {digest(sorted(values.items()))[:32]}"
        return ""


def ask_again(ticket_id: str, as_of: str) -> bytes:
    """The message that asks for a known ticket as of a moment (ISO 8601)."""
    return json.dumps({_AGAIN: {"ticket_id": ticket_id, "as_of": as_of}}, ensure_ascii=False).encode()


def read_message(value: bytes, mapping: Mapping | None) -> Told:
    """Read one message; it never raises for what stands in it."""
    try:
        said = json.loads(value.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return Told(Record(None, "bad_encoding", len(value)))
    except (ValueError, RecursionError):
        return Told(Record(None, "unreadable_record", len(value)))
    if isinstance(said, dict) and said.keys() == {_AGAIN}:
        return Told(again=_again(said[_AGAIN], len(value)))
    if not _wrapped(said, mapping):
        return Told(_ticket(said, len(value), mapping))
    ticket = _ticket(said["ticket"], len(value), mapping) if "ticket" in said else None
    event = event_record(said["event"], len(value)) if "event" in said else None
    return Told(ticket, event)


def _wrapped(said: Any, mapping: Mapping | None) -> bool:
    """Whether it is a message of parts: a helpdesk's own object may have a part named `ticket` too."""
    if not isinstance(said, dict) or not said or not said.keys() <= _PARTS:
        return False
    return "event" in said or mapping is None or not any(n.startswith("ticket.") for n in mapping.ticket_columns())


def _ticket(item: Any, size: int, mapping: Mapping | None) -> Record:
    """The ticket's record, without what nobody reads."""
    record, names = record_of(item, size), wanted(mapping)
    if not isinstance(record.values, dict):
        return record
    return Record({n: v for n, v in record.values.items() if n in names or is_field(n, mapping)}, None, size)


def _again(item: Any, size: int) -> Record:
    """Read as an event is that changes nothing: its id and its time are checked alike."""
    if isinstance(item, dict):
        item = {"ticket_id": item.get("ticket_id"), "occurred_at": item.get("as_of"), "kind": "updated"}
    return event_record(item, size)


def _values(record: Record | None) -> dict[str, str | None]:
    return record.values if record is not None and isinstance(record.values, dict) else {}
