"""A table of tickets becomes clean tickets: the table is checked as a whole, each row gets a code or none."""

from __future__ import annotations

import json
import re
from collections import Counter

import pandas as pd

from pipeline.config import Tickets, nearest
from pipeline.errors import ROW_CODES, InputError
from pipeline.tickets.clean import clean
from pipeline.tickets.language import identify, normalise
from pipeline.tickets.redact import redact
from pipeline.tickets.schema import FIELD_PREFIX, FRAMES, conform
from pipeline.tickets.times import read_times

_ID_LENGTH = 200
_BAD_ID = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NUL_OR_SURROGATE = re.compile(r"[\x00\ud800-\udfff]")
_TIMES = ("created_at", "as_of")


def parse(tickets: pd.DataFrame, settings: Tickets) -> pd.DataFrame:
    """Clean, checked tickets: one row out for each row in, whatever is in its cells.

    Parameters
    ----------
    tickets : DataFrame
        Columns of `schema.TICKETS` by name (only `ticket_id` and one of subject, body, `fields.*` must be there),
        `as_of`, `fields.NAME`, and `error` with codes that the reader gave; other columns are ignored.
    settings : Tickets
        The limit of length and the languages to choose among.

    Returns
    -------
    DataFrame
        The same index and length: schema columns, `as_of` and `fields.*` where they were, and

        - `subject`, `body`: clean and redacted;
        - `text`: both, joined by a line end; null where there are no words;
        - `language`: as given, normalised, or identified from `text`;
        - `error`: null, or a code of `ROW_CODES`. Such a row keeps its id, and its text is null if it is too long.

    Raises
    ------
    InputError
        For a table that holds no tickets: no `ticket_id`, no subject, body or `fields.*`, repeated column names.
    """
    _check_table(tickets)
    table = pd.DataFrame({str(name): _column(tickets, name) for name in _wanted(tickets)}, index=tickets.index)
    error = _given_error(tickets)
    for name in _TIMES:
        if name in table:
            table[name], codes, _ = read_times(table[name])
            error = error.where(error.notna() | codes.isna(), codes)
    out = conform(table, "tickets").drop(columns=["error"], errors="ignore")
    error = error.where(error.notna(), _id_codes(out["ticket_id"]))
    error = error.where(error.notna(), _length_codes(out, settings.max_characters))
    return _with_text(out, error, settings)


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
    known = {c.name for c in FRAMES["tickets"]} | {"as_of"}
    return [name for name in tickets.columns if str(name) in known or str(name).startswith(FIELD_PREFIX)]


def _column(tickets: pd.DataFrame, name: object) -> pd.Series:
    values = tickets[name]
    if str(name) in _TIMES:
        return values
    return pd.Series([_text(value) for value in values], index=values.index, dtype="str")


def _text(value: object) -> str | None:
    """Any cell as text; null for what is empty. A whole float is an id that met a null: 12.0 is 12."""
    if isinstance(value, str):
        if _NUL_OR_SURROGATE.search(value):
            value = _NUL_OR_SURROGATE.sub("", value)
        return value or None
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, bytes | bytearray | memoryview):
        return _text(bytes(value).decode("utf-8", "replace"))
    if isinstance(value, float):
        return None if value != value else str(int(value)) if value.is_integer() and abs(value) < 1e15 else str(value)
    if isinstance(value, dict | list | tuple | set | frozenset):
        return _text(_json(value)) if value else None
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return _text(value.tolist())
    try:
        return _text(str(value))
    except Exception:  # a cell may hold any object, with any __str__
        return None


def _json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return ""


def _given_error(tickets: pd.DataFrame) -> pd.Series:
    given = [_text(value) for value in tickets["error"]] if "error" in tickets else [None] * len(tickets)
    return pd.Series(
        [code if code is None or code in ROW_CODES else "unreadable_record" for code in given],
        index=tickets.index,
        dtype="str",
    )


def _id_codes(ids: pd.Series) -> pd.Series:
    codes: list[str | None] = []
    seen: set[str] = set()
    for value in ids:
        if not isinstance(value, str) or not value.strip():
            codes.append("missing_id")
        elif len(value) > _ID_LENGTH or _BAD_ID.search(value):
            codes.append("bad_id")
        elif value in seen:
            codes.append("duplicate_id")
        else:
            seen.add(value)
            codes.append(None)
    return pd.Series(codes, index=ids.index, dtype="str")


def _length_codes(table: pd.DataFrame, limit: int) -> pd.Series:
    length = table["subject"].str.len().fillna(0) + table["body"].str.len().fillna(0)
    return pd.Series(["text_too_long" if n > limit else None for n in length], index=table.index, dtype="str")


def _with_text(table: pd.DataFrame, error: pd.Series, settings: Tickets) -> pd.DataFrame:
    readable = ~error.isin(["text_too_long"])
    subjects = [_clean(value) if ok else None for value, ok in zip(table["subject"], readable, strict=True)]
    bodies = [_clean(value) if ok else None for value, ok in zip(table["body"], readable, strict=True)]
    texts = ["\n".join(part for part in pair if part) or None for pair in zip(subjects, bodies, strict=True)]
    given = [normalise(code) if isinstance(code, str) else None for code in table["language"]]
    unknown = [position for position, code in enumerate(given) if code is None]
    for position, code in zip(unknown, identify([texts[p] or "" for p in unknown], settings.languages), strict=True):
        given[position] = code
    new = {"subject": subjects, "body": bodies, "language": given}
    out = table.assign(**{name: pd.Series(values, index=table.index, dtype="str") for name, values in new.items()})
    return out.assign(error=error.astype("str"), text=pd.Series(texts, index=table.index, dtype="str"))


def _clean(value: object) -> str | None:
    """Redacted before (the same whether the source did it already) and after (what tags and entities hid)."""
    return redact(clean(redact(value))) or None if isinstance(value, str) else None
