"""A mapping of events in YAML: which column of any table says what happened to which ticket, when, and by whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.history.log import KINDS, SIDES, STATUSES
from pipeline.sources.mapping_values import (
    TimeColumn,
    Words,
    known_keys,
    name_of,
    names_of,
    read_mapping,
    time_of,
    words_of,
    wrong,
)

_KEYS = (
    "ticket_id", "occurred_at", "received_at", "kind", "side", "actor", "value", "field", "text", "missing", "encoding",
)  # fmt: skip


@dataclass(frozen=True)
class EventMapping:
    """MAPPING.yaml of events, checked. Every attribute is a key of the file; `where` is the file's name."""

    ticket_id: str
    occurred_at: TimeColumn
    kind: Words
    received_at: TimeColumn | None = None
    side: Words = field(default_factory=Words)
    actor: str | None = None
    value: Words = field(default_factory=Words)
    field: Words = field(default_factory=Words)
    text: str | None = None
    missing: tuple[str, ...] = ()
    encoding: str | None = None
    where: str = "mapping"

    def columns(self) -> tuple[str, ...]:
        """Columns that a file must have."""
        named = [self.ticket_id, self.occurred_at.column, self.received_at and self.received_at.column]
        named += [self.kind.column, self.side.column, self.actor, self.value.column, self.field.column, self.text]
        return tuple(dict.fromkeys(n for n in named if n))


def load_event_mapping(path: Path) -> EventMapping:
    """Read and check a MAPPING.yaml of events.

    Raises
    ------
    MappingError
        For a file that can't be read, an unknown key or word (the nearest right one is named), or a missing key.
    """
    return parse_event_mapping(read_mapping(path), where=path.name)


def parse_event_mapping(raw: Any, *, where: str = "mapping") -> EventMapping:
    """A mapping of events from plain YAML values (see `load_event_mapping`)."""
    raw = known_keys(raw, _KEYS, where)
    for key, do in (
        ("ticket_id", "write `ticket_id: COLUMN`"),
        ("occurred_at", "write `occurred_at: COLUMN`; an event without a time can't be known as of any moment"),
        ("kind", "write `kind: {column: COLUMN, levels: {VALUE: reply}}` or `kind: {always: reply}`"),
    ):
        if raw.get(key) is None:
            wrong(f"events need `{key}`", where, f"keys {', '.join(map(str, raw))}", do)
    ticket_id, occurred = name_of(raw, "ticket_id", where), time_of(raw["occurred_at"], f"{where}: occurred_at")
    assert ticket_id is not None and occurred is not None
    kind = words_of(raw["kind"], f"{where}: kind", KINDS, may_leave_out=True)
    named = words_of(raw.get("field"), f"{where}: field")
    if raw.get("field") is None and "field" in (kind.always, *kind.levels.values()):
        wrong("a changed field needs its name", f"{where}: field", "kind field", "write `field: COLUMN`")
    return EventMapping(
        ticket_id=ticket_id,
        occurred_at=occurred,
        received_at=time_of(raw.get("received_at"), f"{where}: received_at", occurred),
        kind=kind,
        side=words_of(raw.get("side"), f"{where}: side", SIDES),
        actor=name_of(raw, "actor", where),
        value=words_of(raw.get("value"), f"{where}: value", STATUSES if kind.always == "status" else ()),
        field=named,
        text=name_of(raw, "text", where),
        missing=names_of(raw, "missing", where),
        encoding=name_of(raw, "encoding", where),
        where=where,
    )
