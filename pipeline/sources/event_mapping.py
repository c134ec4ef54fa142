"""A mapping of events in YAML: which column of any table says what happened to which ticket, when, and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.history.definitions import as_text
from pipeline.history.log import KINDS, SIDES, STATUSES
from pipeline.sources.mapping_values import (
    TimeColumn,
    known_keys,
    levels_of,
    name_of,
    names_of,
    read_mapping,
    time_of,
    wrong,
)

_KEYS = (
    "ticket_id", "occurred_at", "received_at", "kind", "side", "actor", "value", "field", "text", "missing", "encoding",
)  # fmt: skip
_WORDS = ("column", "levels", "always")


@dataclass(frozen=True)
class Words:
    """A column and what its values mean, or one word for every row.

    Attributes
    ----------
    column : str or None
    levels : dict of str to str
        The source's value → our word; none: the values are our words already.
    left_out : tuple of str
        Values whose rows are left out on purpose.
    always : str or None
        The word for every row.
    """

    column: str | None = None
    levels: dict[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    always: str | None = None


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


def words_of(raw: Any, where: str, allowed: Sequence[str] = (), *, may_leave_out: bool = False) -> Words:
    """A column, `{column, levels}` or `{always}`; a level of null leaves the row out, where that may be."""
    if not isinstance(raw, dict):
        return Words(None if raw is None else name_of({"column": raw}, "column", where))
    known_keys(raw, _WORDS, where)
    column, always = name_of(raw, "column", where), name_of(raw, "always", where)
    if (column is None) == (always is None) or (always is not None and "levels" in raw):
        do = "write `{column: COLUMN, levels: {VALUE: WORD}}` or `{always: WORD}`"
        wrong("expected a column or one word for every row", where, f"keys {', '.join(map(str, raw))}", do)
    levels, left_out = raw.get("levels"), []
    if may_leave_out and isinstance(levels, dict):
        left_out = [k for k, v in levels.items() if v is None]
        levels = {k: v for k, v in levels.items() if v is not None}
    if always is not None:
        levels_of({always: always}, where, allowed)
    made = levels_of(levels, f"{where}: levels", allowed)
    return Words(column, made, tuple(as_text(k) for k in left_out), always)
