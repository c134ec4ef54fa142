"""A column mapping in YAML: which column of any company's file is what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import MappingError
from pipeline.history.definitions import Definition, parse_definitions, source_columns
from pipeline.history.keys import Kind
from pipeline.history.log import STATUSES
from pipeline.sources.mapping_values import (
    TimeColumn,
    check_columns,
    known_keys,
    levels_of,
    name_of,
    names_of,
    nearest_columns,
    read_mapping,
    time_of,
    wrong,
)

__all__ = [
    "STATUSES",
    "EventColumns",
    "Mapping",
    "StatusColumn",
    "TimeColumn",
    "check",
    "load_mapping",
    "nearest_columns",
    "parse_mapping",
]

_KEYS = (
    "ticket_id", "created_at", "subject", "body", "customer_id", "customer", "channel", "language", "fields",
    "missing", "encoding", "events", "status", "outcomes",
)  # fmt: skip
_CUSTOMER_KEYS: tuple[Kind, ...] = ("email", "phone", "account", "handle")


@dataclass(frozen=True)
class EventColumns:
    """What makes a table an event log, and which columns' history is kept.

    Attributes
    ----------
    time : TimeColumn or None
        When the row was written; None: one row per ticket.
    track : tuple of str
        Columns whose values are kept as facts.
    actor : str or None
        Column that says who wrote the row.
    """

    time: TimeColumn | None = None
    track: tuple[str, ...] = ()
    actor: str | None = None


@dataclass(frozen=True)
class StatusColumn:
    """The column of the ticket's state, and our word for each of its values."""

    column: str
    levels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Mapping:
    """MAPPING.yaml, checked. Every attribute is a key of the file; `where` is the file's name.

    `outcomes` holds the definitions as they are written; `definitions` are the parsed ones.
    """

    ticket_id: str | None = None
    created_at: TimeColumn | None = None
    subject: str | None = None
    body: tuple[str, ...] = ()
    customer_id: str | None = None
    customer: dict[Kind, tuple[str, ...]] = field(default_factory=dict)
    channel: str | None = None
    language: str | None = None
    fields: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    encoding: str | None = None
    events: EventColumns = field(default_factory=EventColumns)
    status: StatusColumn | None = None
    outcomes: dict[str, Any] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)
    where: str = "mapping"

    @property
    def is_event_log(self) -> bool:
        """Whether the table has one row per event."""
        return self.events.time is not None

    def ticket_columns(self) -> tuple[str, ...]:
        """Columns that scoring needs."""
        named = [self.ticket_id, self.created_at and self.created_at.column, self.subject, *self.body]
        named += [self.customer_id, *(c for columns in self.customer.values() for c in columns)]
        named += [self.channel, self.language, *self.fields]
        return tuple(dict.fromkeys(n for n in named if n))

    def fact_columns(self) -> tuple[str, ...]:
        """Columns whose every value is kept as a fact: tracked ones and the outcomes' sources."""
        sources = (sorted(source_columns(d)) for d in self.definitions.values())
        return tuple(dict.fromkeys([*self.events.track, *(c for s in sources for c in s)]))

    def history_columns(self) -> tuple[str, ...]:
        """Columns that only an import needs."""
        time, status = self.events.time, self.status
        named = (time and time.column, self.events.actor, status and status.column)
        return tuple(dict.fromkeys([*(n for n in named if n), *self.fact_columns()]))


def load_mapping(path: Path) -> Mapping:
    """Read and check a MAPPING.yaml.

    Raises
    ------
    MappingError
        For a file that can't be read, an unknown key (the nearest right one is named) or a value of the wrong kind.
    """
    return parse_mapping(read_mapping(path), where=path.name)


def parse_mapping(raw: Any, *, where: str = "mapping") -> Mapping:
    """A mapping from plain YAML values (see `load_mapping`)."""
    raw = known_keys(raw, _KEYS, where)
    created = time_of(raw.get("created_at"), f"{where}: created_at")
    mapping = Mapping(
        ticket_id=name_of(raw, "ticket_id", where),
        created_at=created,
        subject=name_of(raw, "subject", where),
        body=names_of(raw, "body", where),
        customer_id=name_of(raw, "customer_id", where),
        customer=_customer(raw.get("customer"), f"{where}: customer"),
        channel=name_of(raw, "channel", where),
        language=name_of(raw, "language", where),
        fields=names_of(raw, "fields", where),
        missing=names_of(raw, "missing", where),
        encoding=name_of(raw, "encoding", where),
        events=_events(raw.get("events"), f"{where}: events", created or TimeColumn("")),
        status=_status(raw.get("status"), f"{where}: status"),
        outcomes=raw.get("outcomes") or {},
        definitions=parse_definitions(raw.get("outcomes") or {}, f"{where}: outcomes", error=MappingError),
        where=where,
    )
    if not (mapping.subject or mapping.body or mapping.fields):
        wrong("nothing to learn from", where, "no subject, body or fields", "name at least one of them")
    if mapping.is_event_log and not mapping.ticket_id:
        wrong("an event log needs ids", where, "events without ticket_id", "write `ticket_id: COLUMN`")
    return mapping


def check(mapping: Mapping, columns: Iterable[str], *, where: str, history: bool = True) -> None:
    """Refuse a file that lacks a mapped column.

    Parameters
    ----------
    mapping : Mapping
    columns : iterable of str
        The file's columns.
    where : str
        The file's name, for the message.
    history : bool
        Whether event and outcome columns are needed too; scoring does without.

    Raises
    ------
    MappingError
        Names each missing column and the nearest ones of the file.
    """
    wanted = mapping.ticket_columns() + (mapping.history_columns() if history else ())
    check_columns(wanted, columns, mapping=mapping.where, where=where)


def _customer(raw: Any, where: str) -> dict[Kind, tuple[str, ...]]:
    """Columns of the customer's addresses, by kind."""
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        do = "write `{email: COLUMN, phone: COLUMN}`; an id is `customer_id: COLUMN`"
        wrong("expected columns by kind of address", where, type(raw).__name__, do)
    known_keys(raw, _CUSTOMER_KEYS, where)
    named = {kind: names_of(raw, kind, where) for kind in _CUSTOMER_KEYS}
    return {kind: columns for kind, columns in named.items() if columns}


def _events(raw: Any, where: str, created: TimeColumn) -> EventColumns:
    if raw is None:
        return EventColumns()
    if not isinstance(raw, dict):
        wrong("expected `time` and `track`", where, type(raw).__name__, "write `{time: COLUMN, track: [COLUMN]}`")
    known_keys(raw, ("time", "track", "actor"), where)
    time, actor = time_of(raw.get("time"), f"{where}: time", created), name_of(raw, "actor", where)
    if actor is not None and time is None:
        do = "name the `time` of an event log, too"
        wrong("nobody wrote the rows of a plain table", f"{where}: actor", actor, do)
    return EventColumns(time, names_of(raw, "track", where), actor)


def _status(raw: Any, where: str) -> StatusColumn | None:
    if raw is None:
        return None
    do = "write `{column: NAME, levels: {VALUE: open}}`"
    if not isinstance(raw, dict):
        wrong("expected `column` and `levels`", where, type(raw).__name__, do)
    known_keys(raw, ("column", "levels"), where)
    column, levels = name_of(raw, "column", where), levels_of(raw.get("levels"), f"{where}: levels", STATUSES)
    if column is None or not levels:
        wrong("column or levels are missing", where, ", ".join(map(str, raw)), do)
    return StatusColumn(column, levels)
