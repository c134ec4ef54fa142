"""What every source does to its rows: empty values, ids, personal data."""

from __future__ import annotations

import re
from hashlib import blake2b

import pandas as pd

from pipeline.tickets.redact import redact

_ID_LENGTH = 200
_BAD_ID = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def without_missing(values: pd.Series, missing: tuple[str, ...]) -> pd.Series:
    """Null where a value is empty, blank, or one of the source's words for "missing"."""
    empty = values.isna() | values.isin(["", *missing])
    blank = values.str.isspace().fillna(False).astype(bool)
    return values.where(~(empty | blank))


def redacted(values: pd.Series) -> pd.Series:
    """Personal data replaced by placeholders; equal values are looked at once."""
    kept = {value: redact(value) for value in values.dropna().unique()}
    return values.map(kept).astype("str")


class IdsSeen:
    """The ids of a source so far: codes for those that are missing, bad, or there already. Holds 16 bytes for each."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def codes(self, ids: pd.Series) -> pd.Series:
        """`missing_id`, `bad_id`, `duplicate_id` or null for each id, in their order; good ones count as seen."""
        return pd.Series([self._code(value) for value in ids], index=ids.index, dtype="str")

    def _code(self, value: object) -> str | None:
        if not isinstance(value, str) or not value.strip():
            return "missing_id"
        if len(value) > _ID_LENGTH or _BAD_ID.search(value):
            return "bad_id"
        key = blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if key in self._seen:
            return "duplicate_id"
        self._seen.add(key)
        return None
