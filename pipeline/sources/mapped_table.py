"""A table of things that aren't tickets, such as articles or macros: its rows by a mapping, and which are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pandas as pd

from pipeline.sources.mapping_values import check_columns
from pipeline.sources.nested import with_inner
from pipeline.sources.rows import Columns, IdsSeen
from pipeline.tickets.files import read_records

Progress = Callable[[str, int], None]


class TableMapping(Protocol):
    """What the mappings of such tables have in common."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Values that are read as empty."""

    @property
    def encoding(self) -> str | None:
        """Of the file."""

    @property
    def where(self) -> str:
        """The mapping's own name; empty for our own column names."""

    def needed(self) -> list[str]:
        """Columns that a file must have."""


def mapped_records(
    path: Path, name: str, mapping: TableMapping, columns: Mapping[str, str | None], progress: Progress | None
) -> Iterator[pd.DataFrame]:
    """A table's records by our names, with `source` and `error`.

    Parameters
    ----------
    name : str
        Of the file, in sources and messages.
    columns : mapping
        Our names → the file's; None where it has none.

    Raises
    ------
    MappingError
        For a column that the file doesn't have.
    """
    wanted = mapping.needed()
    for records in read_records(path, encoding=mapping.encoding):
        wide = with_inner(records, wanted)
        if wide["error"].isna().any():
            check_columns(wanted, wide.columns, mapping=mapping.where or "no --mapping", where=name)
        values = Columns(wide, mapping.missing)
        made = pd.DataFrame({ours: values(theirs) for ours, theirs in columns.items()})
        source = pd.Series([f"{name}:row-{n}" for n in wide.index], index=wide.index, dtype="str")
        yield made.assign(source=source, error=wide["error"])
        if progress is not None and len(records):
            progress(name, int(records.index[-1]))


def good_and_refused(
    records: pd.DataFrame, id_name: str, seen: IdsSeen, wordless: pd.Series
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Good records, and the rejects of the others: unreadable, with a bad id, or without words."""
    readable = records["error"].isna().to_numpy(bool)
    ids = pd.Series(None, index=records.index, dtype="str")
    ids[readable] = seen.codes(records[id_name][readable])
    codes = records["error"].where(~readable, ids)
    codes = codes.mask(codes.isna() & wordless, "no_text")
    bad = codes.notna().to_numpy(bool)
    refused = pd.DataFrame({"source": records["source"], "code": codes, "ticket_id": None})[bad]
    return records[~bad], refused
