"""A column mapping in YAML: which column of any company's file is what."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import yaml

from pipeline.errors import MappingError
from pipeline.history.definitions import Definition, as_text, parse_definitions, source_columns
from pipeline.history.keys import Kind
from pipeline.history.log import STATUSES

_KEYS = (
    "ticket_id", "created_at", "subject", "body", "customer_id", "customer", "channel", "language", "fields",
    "missing", "encoding", "events", "status", "outcomes",
)  # fmt: skip
_CUSTOMER_KEYS: tuple[Kind, ...] = ("email", "phone", "account", "handle")
_SHOWN = 30


@dataclass(frozen=True)
class TimeColumn:
    """A column of times.

    Attributes
    ----------
    column : str
        Its name.
    dayfirst : bool
        Whether 3/4/2025 is the third of April.
    timezone : str
        Zone of times that don't say theirs (IANA name).
    """

    column: str
    dayfirst: bool = False
    timezone: str = "UTC"


@dataclass(frozen=True)
class EventColumns:
    """What makes a table an event log, and which columns' history is kept.

    Attributes
    ----------
    time : TimeColumn or None
        When the row was written; None: one row per ticket.
    track : tuple of str
        Columns whose values are kept as facts.
    """

    time: TimeColumn | None = None
    track: tuple[str, ...] = ()


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
        named = [self.events.time and self.events.time.column, self.status and self.status.column]
        return tuple(dict.fromkeys([*(n for n in named if n), *self.fact_columns()]))


def load_mapping(path: Path) -> Mapping:
    """Read and check a MAPPING.yaml.

    Raises
    ------
    MappingError
        For a file that can't be read, an unknown key (the nearest right one is named) or a value of the wrong kind.
    """
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        got = type(error).__name__
        if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
            got += f" in line {error.problem_mark.line + 1}"
        do = "check path and YAML; quote a name that holds ? : , # or brackets"
        raise MappingError("the mapping can't be read", where=str(path), got=got, do=do) from error
    return parse_mapping(raw, where=path.name)


def parse_mapping(raw: Any, *, where: str = "mapping") -> Mapping:
    """A mapping from plain YAML values (see `load_mapping`)."""
    if not isinstance(raw, dict):
        _wrong("expected `key: column` lines", where, type(raw).__name__, "see docs/import.md")
    _known(raw, _KEYS, where)
    created = _time(raw.get("created_at"), f"{where}: created_at", TimeColumn(""))
    mapping = Mapping(
        ticket_id=_name(raw, "ticket_id", where),
        created_at=created,
        subject=_name(raw, "subject", where),
        body=_names(raw, "body", where),
        customer_id=_name(raw, "customer_id", where),
        customer=_customer(raw.get("customer"), f"{where}: customer"),
        channel=_name(raw, "channel", where),
        language=_name(raw, "language", where),
        fields=_names(raw, "fields", where),
        missing=_names(raw, "missing", where),
        encoding=_name(raw, "encoding", where),
        events=_events(raw.get("events"), f"{where}: events", created or TimeColumn("")),
        status=_status(raw.get("status"), f"{where}: status"),
        outcomes=raw.get("outcomes") or {},
        definitions=parse_definitions(raw.get("outcomes") or {}, f"{where}: outcomes", error=MappingError),
        where=where,
    )
    if not (mapping.subject or mapping.body or mapping.fields):
        _wrong("nothing to learn from", where, "no subject, body or fields", "name at least one of them")
    if mapping.is_event_log and not mapping.ticket_id:
        _wrong("an event log needs ids", where, "events without ticket_id", "write `ticket_id: COLUMN`")
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
    present = list(dict.fromkeys(columns))
    known = set(present)
    wanted = mapping.ticket_columns() + (mapping.history_columns() if history else ())
    missing = [c for c in dict.fromkeys(wanted) if c not in known]
    if not missing:
        return
    hints = []
    for name in missing[:_SHOWN]:
        near = nearest_columns(name, present)
        hints.append(
            f"{name!r}: did you mean {' or '.join(map(repr, near))}?" if near else f"{name!r}: nothing like it"
        )
    more = "" if len(present) <= _SHOWN else f" and {len(present) - _SHOWN} more"
    named = ", ".join(map(repr, missing[:_SHOWN]))
    plural = len(missing) > 1
    raise MappingError(
        f"{'columns' if plural else 'column'} {named} of the mapping {'are' if plural else 'is'} missing",
        where=f"{mapping.where} against {where}",
        got=f"columns {', '.join(map(repr, present[:_SHOWN]))}{more}",
        do="; ".join(hints),
    )


def nearest_columns(name: str, columns: Iterable[str], count: int = 3) -> list[str]:
    """The columns that look most like `name`, best first; upper and lower case, spaces and `_` count little."""
    plain: dict[str, str] = {}
    for column in columns:
        plain.setdefault(_plain(column), column)
    return [plain[p] for p in difflib.get_close_matches(_plain(name), plain, n=count, cutoff=0.5)]


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum() or c == ".")


def _known(raw: dict[Any, Any], keys: tuple[str, ...], where: str) -> None:
    for key in raw:
        if key not in keys:
            near = nearest_columns(str(key), keys)
            do = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(keys)}"
            _wrong(f"unknown key {str(key)!r}", where, str(key), do)


def _name(raw: dict[str, Any], key: str, where: str) -> str | None:
    value = raw.get(key)
    if value is None:
        return None
    if isinstance(value, dict | list) or as_text(value) == "":
        _wrong("expected one name", f"{where}: {key}", type(value).__name__, f"write `{key}: NAME`")
    return as_text(value)


def _names(raw: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = raw.get(key)
    if value is None:
        return ()
    items = value if isinstance(value, list) else [value]
    if any(isinstance(i, dict | list) or i is None for i in items):
        _wrong("expected names", f"{where}: {key}", type(value).__name__, f"write `{key}: [A, B]`")
    return tuple(dict.fromkeys(as_text(i) for i in items))


def _customer(raw: Any, where: str) -> dict[Kind, tuple[str, ...]]:
    """Columns of the customer's addresses, by kind."""
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        do = "write `{email: COLUMN, phone: COLUMN}`; an id is `customer_id: COLUMN`"
        _wrong("expected columns by kind of address", where, type(raw).__name__, do)
    _known(raw, _CUSTOMER_KEYS, where)
    named = {kind: _names(raw, kind, where) for kind in _CUSTOMER_KEYS}
    return {kind: columns for kind, columns in named.items() if columns}


def _time(raw: Any, where: str, default: TimeColumn) -> TimeColumn | None:
    """A time column; what it doesn't say it takes from `default`."""
    if raw is None:
        return None
    if not isinstance(raw, dict):
        return TimeColumn(as_text(raw), default.dayfirst, default.timezone)
    _known(raw, ("column", "dayfirst", "timezone"), where)
    column = _name(raw, "column", where)
    if column is None:
        do = "write `{column: NAME, dayfirst: true, timezone: UTC}`"
        _wrong("the column is missing", where, "no `column`", do)
    dayfirst = raw.get("dayfirst", default.dayfirst)
    if not isinstance(dayfirst, bool):
        _wrong("expected true or false", f"{where}: dayfirst", repr(dayfirst), "write `dayfirst: true`")
    timezone = as_text(raw.get("timezone", default.timezone))
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        _wrong("unknown time zone", f"{where}: timezone", repr(timezone), "write an IANA name such as Europe/Berlin")
    return TimeColumn(column, dayfirst, timezone)


def _events(raw: Any, where: str, created: TimeColumn) -> EventColumns:
    if raw is None:
        return EventColumns()
    if not isinstance(raw, dict):
        _wrong("expected `time` and `track`", where, type(raw).__name__, "write `{time: COLUMN, track: [COLUMN]}`")
    _known(raw, ("time", "track"), where)
    return EventColumns(_time(raw.get("time"), f"{where}: time", created), _names(raw, "track", where))


def _status(raw: Any, where: str) -> StatusColumn | None:
    if raw is None:
        return None
    do = "write `{column: NAME, levels: {VALUE: open}}`"
    if not isinstance(raw, dict):
        _wrong("expected `column` and `levels`", where, type(raw).__name__, do)
    _known(raw, ("column", "levels"), where)
    column, levels = _name(raw, "column", where), raw.get("levels")
    if column is None or not isinstance(levels, dict) or not levels:
        _wrong("column or levels are missing", where, ", ".join(map(str, raw)), do)
    made = {as_text(k): as_text(v) for k, v in levels.items()}
    for name in made.values():
        if name not in STATUSES:
            _wrong("unknown status", f"{where}: levels", repr(name), f"one of {', '.join(STATUSES)}")
    return StatusColumn(column, made)


def _wrong(what: str, where: str, got: str, do: str) -> NoReturn:
    raise MappingError(what, where=where, got=got, do=do)
