"""What was decided about a ticket: one value for each scored row, with the redacted ticket beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.config import History
from pipeline.config import Ledger as Settings
from pipeline.history.keys import keys_each
from pipeline.history.store.people import customers
from pipeline.tickets.cells import text_of
from pipeline.tickets.redact import redact
from pipeline.tickets.schema import FIELD_PREFIX

_KEPT = ("ticket_id", "created_at", "subject", "body", "customer_id", "customer_keys", "channel", "language")
"""Columns of a ticket that are kept, and `fields.*`: all that the scorer reads of it."""

_TEXTS = ("subject", "body", "channel")

OWN_WORDS = ("summary", "explanation")
"""Parts of a scored ticket that hold its own words: they are kept as long as the ticket is."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Decision:
    """One answer of a scorer, as the ledger keeps it.

    Attributes
    ----------
    ticket_id : str or None
        None for a record without an id, and once it is forgotten.
    as_of : datetime or None
        The moment from which the world was seen (aware).
    decided_at : datetime
        When the scorer said so (aware).
    door : str
        `batch`, `http` and so on.
    content : str
        SHA-256 of the redacted ticket; empty once it is forgotten.
    scored : mapping
        The whole scored ticket, as in JSON Lines.
    scorer_version : str
    shown : bool
        Whether a door may show it as a suggestion: see `is_shown`.
    history : bool
        Whether dated facts were looked at.
    customer_keys : tuple of str
        Keys of the customer (`history/keys.py`), by which a customer can be forgotten.
    ticket : mapping or None
        The redacted ticket; None where it isn't kept, or not any more.
    key : str
        Hash of ticket id, content, `as_of`, version and row code (a repeated record is refused, and not the ticket's
        answer): the same answer to the same question is one row.
    """

    ticket_id: str | None
    as_of: datetime | None
    decided_at: datetime
    door: str
    content: str
    scored: Mapping[str, Any]
    scorer_version: str
    shown: bool = True
    history: bool = False
    customer_keys: tuple[str, ...] = ()
    ticket: Mapping[str, Any] | None = None
    key: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ticket_id", text_of(self.ticket_id))
        if not self.key:
            asked = "" if self.as_of is None else str(micros(self.as_of))
            said = [self.ticket_id, self.content, asked, self.scorer_version, self.scored.get("error")]
            object.__setattr__(self, "key", digest(said))


def decisions_of(
    tickets: pd.DataFrame,
    scored: pd.DataFrame | Sequence[Mapping[str, Any]],
    *,
    door: str,
    decided_at: datetime,
    settings: Settings | None = None,
    people: History | None = None,
    history: bool = False,
    keys: Sequence[str] | None = None,
) -> list[Decision]:
    """The decisions of one call of `Scorer.score`, ready to be written.

    Parameters
    ----------
    tickets : DataFrame, n rows
        As they were scored. What is kept of them is redacted here, whether or not a door did so before.
    scored : DataFrame, n rows, or sequence of n mappings
        What the scorer said, row for row; or as the door says it in JSON, where it has made that already.
    door : str
        Who asks.
    decided_at : datetime
        Now (aware).
    settings : Ledger, optional
        Whether tickets are kept (else `OWN_WORDS` aren't either), and how many are held out.
    people : History, optional
        Who counts as one customer: keys that many share (`history.shared`) are nobody's.
    history : bool
        Whether the scorer was given one.
    keys : sequence of str, optional
        Keys of the decisions, where the door has its own.
    """
    settings, kept = settings or Settings(), kept_tickets(tickets)
    answers = records(scored) if isinstance(scored, pd.DataFrame) else scored
    ids, others = ([ticket.get(name) for ticket in kept] for name in ("customer_id", "customer_keys"))
    own = keys_each(ids, others, people or History())
    made = []
    named = [""] * len(kept) if keys is None else keys
    for ticket, answer, people_keys, key in zip(kept, answers, own, named, strict=True):
        if answer["error"] == "text_too_long":
            ticket = {k: v for k, v in ticket.items() if k not in ("subject", "body")}
        as_of = answer["as_of"]
        made.append(
            Decision(
                ticket_id=answer["ticket_id"],
                as_of=None if as_of is None else datetime.fromisoformat(as_of),
                decided_at=decided_at,
                door=door,
                content=content_of(ticket),
                scored=answer if settings.keep_tickets_days else without_words(answer),
                scorer_version=answer["scorer_version"],
                shown=is_shown(answer["ticket_id"], settings.held_out_share),
                history=history,
                customer_keys=tuple(people_keys),
                ticket=ticket if settings.keep_tickets_days else None,
                key=key,
            )
        )
    return made


def is_shown(ticket_id: str | None, held_out_share: float) -> bool:
    """Whether a door may show suggestions for a ticket: all but a share of the ids, always the same ones.

    Examples
    --------
    >>> sum(is_shown(f"t{i}", 0.05) for i in range(1000))
    938
    """
    told = hashlib.sha256(f"held out: {text_of(ticket_id) or ''}".encode()).digest()
    return int.from_bytes(told[:8], "big") / 2.0**64 >= held_out_share


def without_words(scored: Mapping[str, Any]) -> dict[str, Any]:
    """A scored ticket that holds no words of the ticket itself."""
    return {name: None if name in OWN_WORDS else value for name, value in scored.items()}


def kept_tickets(tickets: pd.DataFrame) -> list[dict[str, str]]:
    """What is kept of tickets: all that the scorer reads, personal data redacted; scored again it says the same."""
    columns: dict[str, list[str | None]] = {}
    for name in map(str, tickets.columns):
        if name in _KEPT or name.startswith(FIELD_PREFIX):
            cells = _cells(tickets[name])
            columns[name] = [v and redact(v) for v in cells] if name in _TEXTS or name not in _KEPT else cells
    if "customer_id" in columns:
        keys = columns.get("customer_keys", [None] * len(tickets))
        columns["customer_id"], columns["customer_keys"] = customers(columns["customer_id"], keys)
    rows = zip(*columns.values(), strict=True)
    return [{name: v for name, v in zip(columns, row, strict=True) if v is not None} for row in rows]


def content_of(ticket: Mapping[str, Any]) -> str:
    """SHA-256 of a redacted ticket."""
    return digest(sorted(ticket.items()))


def digest(value: Any) -> str:
    """SHA-256 of a plain value."""
    return hashlib.sha256(_as_json(value).encode()).hexdigest()


def micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware moment."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_of(micros: int) -> datetime:
    """The aware moment of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=micros)


def _cells(values: pd.Series) -> list[str | None]:
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return _iso(values)
    return [text_of(value) for value in _objects(values)]


def records(scored: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Scored rows as in JSON Lines: what is no number is null, times are ISO 8601 in UTC."""
    names = [str(name) for name in scored.columns]
    for row in zip(*(_told(scored[name]) for name in names), strict=True):
        yield dict(zip(names, row, strict=True))


def _told(values: pd.Series) -> list[Any]:
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return _iso(values)
    return [None if value is pd.NA or value != value else value for value in _objects(values)]


def _objects(values: pd.Series) -> list[Any]:
    found: list[Any] = pa.array(values).to_pylist() if isinstance(values.dtype, pd.StringDtype) else values.tolist()
    return found


def _iso(values: pd.Series) -> list[str | None]:
    texts = np.datetime_as_string(values.dt.tz_convert(None).to_numpy(dtype="datetime64[us]"), unit="us")
    return [None if text == "NaT" else text.removesuffix(".000000") + "Z" for text in texts.tolist()]


def as_json(value: Any) -> str:
    """Plain ASCII: what PostgreSQL and UTF-8 can't hold stands there as `\\u0000`, and comes back."""
    try:
        return _as_json(value)
    except (ValueError, TypeError):  # nan and infinity, which JSON hasn't, or numbers of numpy
        return _as_json(plain(value))


_as_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def plain(value: Any) -> Any:
    """A value as JSON can hold it; what it can't hold (nan, infinity) becomes null."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if -np.inf < value < np.inf else None
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    return None if value is pd.NA or value is pd.NaT else str(value)
