"""What every source does to its rows: where they come from, empty values, ids, personal data."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import pandas as pd

from pipeline.tickets import schema
from pipeline.tickets.language import normalise
from pipeline.tickets.redact import redact

_ID_LENGTH = 200
_BAD_ID = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def file_names(files: Sequence[Path]) -> list[str]:
    """Names of files as sources show them; two of one name keep their folder."""
    times = Counter(p.name for p in files)
    return [p.name if times[p.name] == 1 else f"{p.parent.name}/{p.name}" for p in files]


def without_missing(values: pd.Series, missing: tuple[str, ...]) -> pd.Series:
    """Null where a value is empty, blank, or one of the source's words for "missing"."""
    empty = values.isna() | values.isin(["", *missing])
    blank = values.str.isspace().fillna(False).astype(bool)
    return values.where(~(empty | blank))


@dataclass(frozen=True)
class Columns:
    """A frame's columns by name, without what means "missing"; null where there is none of that name."""

    records: pd.DataFrame
    missing: tuple[str, ...]

    def __call__(self, name: str | None) -> pd.Series:
        if name is None or name not in self.records:
            return pd.Series(None, index=self.records.index, dtype="str")
        return without_missing(self.records[name], self.missing)


@dataclass(frozen=True)
class Cells:
    """The same as `Columns` for plain lists: of a few rows it is much the quicker one.

    Attributes
    ----------
    columns : mapping of str to sequence
        By name; what is no text is null.
    size : int
        Rows.
    missing : tuple of str
    """

    columns: Mapping[str, Sequence[object]]
    size: int
    missing: tuple[str, ...]

    def __call__(self, name: str | None) -> list[str | None]:
        if name is None or name not in self.columns:
            return [None] * self.size
        return [v if self._says(v) else None for v in self.columns[name]]  # type: ignore[misc]

    def _says(self, value: object) -> bool:
        return isinstance(value, str) and not (not value or value.isspace() or value in self.missing)


def each(values: Sequence[str | None], made: Callable[[str], str | None]) -> list[str | None]:
    """What is made of each value; equal ones are looked at once, and null stays null."""
    found: dict[str | None, str | None] = {v: made(v) for v in dict.fromkeys(values) if v is not None}
    return [found.get(value) for value in values]


def redacted(values: pd.Series) -> pd.Series:
    """Personal data replaced by placeholders; equal values are looked at once."""
    kept = {value: redact(value) for value in values.dropna().unique()}
    return values.map(kept).astype("str")


def as_articles(records: pd.DataFrame) -> pd.DataFrame:
    """Records with the columns of the schema ARTICLES as articles: languages by their codes, personal data replaced."""
    language = records["language"].map(normalise, na_action="ignore")
    texts = {name: redacted(records[name]) for name in ("title", "text")}
    return schema.conform(records.assign(language=language, **texts).reset_index(drop=True), "articles")


def id_code(value: object) -> str | None:
    """`missing_id`, `bad_id`, or None for a good id."""
    if not isinstance(value, str) or not value.strip():
        return "missing_id"
    return "bad_id" if len(value) > _ID_LENGTH or _BAD_ID.search(value) else None


class IdsSeen:
    """The ids of a source so far: codes for those that are missing, bad, or there already. Holds 16 bytes for each."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def codes(self, ids: pd.Series) -> pd.Series:
        """`missing_id`, `bad_id`, `duplicate_id` or null for each id, in their order; good ones count as seen."""
        return pd.Series([self.code(value) for value in ids], index=ids.index, dtype="str")

    def code(self, value: object) -> str | None:
        """The code of one id; a good one counts as seen."""
        code = id_code(value)
        if code is not None:
            return code
        key = blake2b(str(value).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if key in self._seen:
            return "duplicate_id"
        self._seen.add(key)
        return None
