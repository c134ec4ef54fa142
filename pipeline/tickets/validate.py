"""A table of tickets becomes clean tickets: the table is checked as a whole, each row gets a code or none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.config import Tickets, nearest
from pipeline.errors import ROW_CODES, InputError
from pipeline.tickets.cells import text_of
from pipeline.tickets.clean import clean
from pipeline.tickets.language import identify, normalise
from pipeline.tickets.redact import redact
from pipeline.tickets.schema import FIELD_PREFIX, FRAMES
from pipeline.tickets.times import EARLIEST, LATEST, NO_TIME, read_times

_ID_LENGTH = 200
_BAD_ID = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NAMES = tuple(column.name for column in FRAMES["tickets"])
_TIMES = ("created_at", "as_of")

Texts = list[str | None]


def parse(tickets: pd.DataFrame, settings: Tickets) -> pd.DataFrame:
    """Clean, checked tickets: one row out for each row in, whatever is in its cells.

    Parameters
    ----------
    tickets : DataFrame
        Columns of `schema.TICKETS` by name (only `ticket_id` and one of subject, body, `fields.*` must be there),
        `as_of`, `fields.NAME`, and `error` with codes that the reader gave; other columns are ignored.
    settings : Tickets
        The limits of length and the languages to choose among.

    Returns
    -------
    DataFrame
        The same index and length: schema columns, `as_of` and `fields.*` where they were, and

        - `subject`, `body`: clean and redacted;
        - `text`: both, joined by a line end, as far as `settings.read_characters`; null where there are no words;
        - `language`: as given, normalised, or identified from `text`;
        - `error`: null, or a code of `ROW_CODES`. Such a row keeps its id, and its text is null if it is too long.

    Raises
    ------
    InputError
        For a table that holds no tickets: no `ticket_id`, no subject, body or `fields.*`, repeated column names.
    """
    _check_table(tickets)
    count = len(tickets)
    texts: dict[str, Texts] = {name: [None] * count for name in _NAMES if name not in _TIMES}
    texts |= {str(name): _texts(tickets[name]) for name in _wanted(tickets) if str(name) not in _TIMES}
    times = {name: _times(tickets, name) for name in _TIMES if name in tickets or name in _NAMES}
    errors = _errors(tickets, texts, [codes for _, codes in times.values()], settings)
    texts |= _words(texts, errors, settings)
    arrays: dict[str, Any] = {
        name: times[name][0] if name in times else pa.array(texts[name], pa.string()) for name in _NAMES
    }
    if "as_of" in times:
        arrays["as_of"] = times["as_of"][0]
    arrays |= {name: pa.array(texts[name], pa.string()) for name in sorted(texts) if name.startswith(FIELD_PREFIX)}
    arrays |= {"error": pa.array(errors, pa.string()), "text": pa.array(texts["text"], pa.string())}
    out: pd.DataFrame = pa.table(arrays).to_pandas(use_threads=False)
    out.index = tickets.index
    return out


def _check_table(tickets: pd.DataFrame) -> None:
    names = [str(name) for name in tickets.columns]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise InputError(
            "a column name is repeated",
            where="tickets",
            got=", ".join(sorted(repeated)[:5]),
            do="give each column its own name",
        )
    if "ticket_id" not in names:
        raise InputError(
            "the table has no ids",
            where="column ticket_id",
            got=_near("ticket_id", names),
            do="name it by a mapping (ticket_id: COLUMN)",
        )
    if not ({"subject", "body"} & set(names)) and not any(name.startswith(FIELD_PREFIX) for name in names):
        got = _near("subject", names) + "; " + _near("body", names)
        raise InputError(
            "the table has neither text nor fields",
            where="columns subject, body, fields.*",
            got=got,
            do="name one by a mapping",
        )


def _near(name: str, names: list[str]) -> str:
    near = nearest(name, names)
    return (
        f"nearest to {name}: {', '.join(near)}"
        if near
        else f"columns {', '.join(names[:8])}{' …' if len(names) > 8 else ''}"
    )


def _wanted(tickets: pd.DataFrame) -> list[object]:
    return [name for name in tickets.columns if str(name) in _NAMES or str(name).startswith(FIELD_PREFIX)]


def _texts(values: pd.Series) -> Texts:
    return [text_of(value) for value in values.array]


def _times(tickets: pd.DataFrame, name: str) -> tuple[pa.Array, Texts]:
    """(times in UTC, `bad_time` or null); a column of times is taken as it is, all else is read."""
    kind = pa.timestamp("us", "UTC")
    if name not in tickets:
        return pa.nulls(len(tickets), kind), [None] * len(tickets)
    values = tickets[name]
    codes: Texts = [None] * len(values)
    if not isinstance(values.dtype, pd.DatetimeTZDtype):
        values, read, _ = read_times(values)
        codes = [None if code != code else code for code in read]
    array: Any = values.array
    moments = array.as_unit("us").asi8
    absent = moments == NO_TIME
    outside = ~absent & ((moments < EARLIEST) | (moments > LATEST))
    for position in np.flatnonzero(outside):
        codes[position] = "bad_time"
    return pa.array(moments, kind, mask=absent | outside), codes


def _errors(tickets: pd.DataFrame, texts: dict[str, Texts], time_codes: Sequence[Texts], settings: Tickets) -> Texts:
    """The first code that fits each row: its reader's, a bad time, its id, its length."""
    given = _texts(tickets["error"]) if "error" in tickets else [None] * len(tickets)
    errors = [code if code is None or code in ROW_CODES else "unreadable_record" for code in given]
    seen: set[str] = set()
    for position, id_ in enumerate(texts["ticket_id"]):
        errors[position] = errors[position] or next((codes[position] for codes in time_codes if codes[position]), None)
        if errors[position] is None:
            errors[position] = _id_code(id_, seen)
        if errors[position] is None:
            length = len(texts["subject"][position] or "") + len(texts["body"][position] or "")
            errors[position] = "text_too_long" if length > settings.max_characters else None
    return errors


def _id_code(id_: str | None, seen: set[str]) -> str | None:
    if id_ is None or not id_.strip():
        return "missing_id"
    if len(id_) > _ID_LENGTH or _BAD_ID.search(id_):
        return "bad_id"
    if id_ in seen:
        return "duplicate_id"
    seen.add(id_)
    return None


def _words(texts: dict[str, Texts], errors: Texts, settings: Tickets) -> dict[str, Texts]:
    """Clean subjects and bodies, both as one text, and the language."""
    limit = settings.max_characters
    subjects = [_clean(value, limit) for value in texts["subject"]]
    bodies = [_clean(value, limit) for value in texts["body"]]
    for position, error in enumerate(errors):
        if error == "text_too_long":
            subjects[position] = bodies[position] = None
    joined = [_beginning(pair, settings.read_characters) for pair in zip(subjects, bodies, strict=True)]
    languages: Texts = [normalise(code) if code else None for code in texts["language"]]
    unknown = [position for position, code in enumerate(languages) if code is None]
    for position, code in zip(unknown, identify([joined[p] or "" for p in unknown], settings.languages), strict=True):
        languages[position] = code
    return {"subject": subjects, "body": bodies, "text": joined, "language": languages}


def _beginning(parts: tuple[str | None, ...], limit: int) -> str | None:
    """The parts as one text; a longer one ends with a whole word. A log says no more than its first pages."""
    whole = "\n".join(part for part in parts if part)
    if len(whole) > limit:
        end = max(whole.rfind(gap, 0, limit + 1) for gap in " \n")
        whole = whole[: end if end > limit // 2 else limit].rstrip()
    return whole or None


def _clean(text: str | None, limit: int) -> str | None:
    """Redacted before (the same whether the source did it already) and after (what tags and entities hid)."""
    return redact(clean(redact(text))) or None if text is not None and len(text) <= limit else None
