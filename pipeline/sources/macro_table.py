"""Macros of any helpdesk, the texts that agents send with a click: a table by a mapping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.errors import InputError
from pipeline.sources.mapped_table import good_and_refused, mapped_records
from pipeline.sources.mapping_values import (
    Words,
    known_keys,
    name_of,
    names_of,
    read_mapping,
    words_of,
    wrong,
)
from pipeline.sources.part import Part, Summary
from pipeline.sources.raw import add, prior_record
from pipeline.sources.rows import IdsSeen, file_names, redacted
from pipeline.tickets import schema
from pipeline.tickets.language import normalise

TEXTS = ("macro_id", "title", "text", "language")
STATES = ("active", "inactive")
"""What a state can be; only what is active is imported."""


@dataclass(frozen=True)
class MacroMapping:
    """MAPPING.yaml of macros, checked: a column for each name, and what a state means."""

    columns: dict[str, str] = field(default_factory=lambda: dict(zip(TEXTS, TEXTS, strict=True)))
    state: Words = field(default_factory=lambda: Words("state"))
    missing: tuple[str, ...] = ()
    encoding: str | None = None
    where: str = ""

    def needed(self) -> list[str]:
        """Columns that a file must have: all that are named, or by our own names the id and the text."""
        if not self.where:
            return ["macro_id", "text"]
        return [*self.columns.values(), *([self.state.column] if self.state.column else [])]


def load_macro_mapping(path: Path) -> MacroMapping:
    """Read and check a MAPPING.yaml of macros.

    Raises
    ------
    MappingError
        For a file that can't be read, an unknown key or word (the nearest right one is named), no `macro_id` or `text`.
    """
    return parse_macro_mapping(read_mapping(path), where=path.name)


def parse_macro_mapping(raw: Any, *, where: str = "mapping") -> MacroMapping:
    """A mapping of macros from plain YAML values (see `load_macro_mapping`)."""
    raw = known_keys(raw, (*TEXTS, "state", "missing", "encoding"), where)
    columns = {key: name for key in TEXTS if (name := name_of(raw, key, where)) is not None}
    for key in ("macro_id", "text"):
        if key not in columns:
            wrong(f"macros need `{key}`", where, f"keys {', '.join(map(str, raw))}", f"write `{key}: COLUMN`")
    state = words_of(raw.get("state"), f"{where}: state", STATES)
    return MacroMapping(columns, state, names_of(raw, "missing", where), name_of(raw, "encoding", where), where)


def import_macros(
    paths: Sequence[Path],
    out: Path,
    *,
    mapping: MacroMapping | None = None,
    replace: bool = False,
    progress: Callable[[str, int], None] | None = None,
) -> Summary:
    """Import macros into RAW_DIR; of one that is there already, what it says now counts.

    Parameters
    ----------
    paths : sequence of Path
        Tables (CSV, JSONL or Parquet, gzipped or not).
    mapping : MacroMapping, optional
        Without one the columns have our own names.
    replace : bool
        Whether these are all the macros: others leave RAW_DIR.
    progress : callable, optional
        Called with a file's name and the records read of it so far.

    Raises
    ------
    MappingError
        For a column that a file doesn't have.
    InputError
        For a file that can't be read, or holds nothing.
    """
    prior_record(out)  # a folder that can't be used is said before the files are read
    if absent := [p for p in paths if not p.is_file()]:
        raise InputError("no such file", where=absent[0].name, do="check the path")
    reader = _Reader(mapping or MacroMapping())
    for path, name in zip(paths, file_names(paths), strict=True):
        reader.table(path, name, progress)
    if not reader.rows:
        raise InputError("no macro in it", where=", ".join(p.name for p in paths), do="check the files")
    record = {
        "kind": "macros",
        "files": [p.name for p in paths],
        "mapping_file": reader.mapping.where or "none",
        "counts": {"rows_in": reader.rows} | dict(sorted(reader.counts.items())),
    }
    macros, rejects = (pd.concat(parts, ignore_index=True) for parts in (reader.parts, reader.refused))
    none = (schema.empty("tickets"), schema.empty("events"))
    return add(
        out,
        Part(*none, rejects=rejects.astype("str"), record=record, rows="macros", macros=macros, all_macros=replace),
    )


@dataclass
class _Reader:
    """Records become macros and refused rows."""

    mapping: MacroMapping
    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    seen: IdsSeen = field(default_factory=IdsSeen)
    parts: list[pd.DataFrame] = field(default_factory=lambda: [schema.empty("macros")])
    refused: list[pd.DataFrame] = field(default_factory=list)

    def table(self, path: Path, name: str, progress: Callable[[str, int], None] | None) -> None:
        """All macros of a table."""
        columns = {key: self.mapping.columns.get(key) for key in TEXTS} | {"state": self.mapping.state.column}
        for records in mapped_records(path, name, self.mapping, columns, progress):
            self._take(records)

    def _take(self, records: pd.DataFrame) -> None:
        self.rows += len(records)
        good, refused = good_and_refused(records, "macro_id", self.seen, records["text"].isna())
        self.refused.append(refused)
        state = good["state"].map(self.mapping.state.levels) if self.mapping.state.levels else good["state"]
        off = (state != "active").fillna(True).to_numpy(bool) & good["state"].notna().to_numpy(bool)
        self.counts["macros_left_out_not_active"] += int(off.sum())
        kept = good[~off]
        language = kept["language"].map(normalise, na_action="ignore")
        texts = {name: redacted(kept[name]) for name in ("title", "text")}
        self.parts.append(schema.conform(kept.assign(language=language, **texts).reset_index(drop=True), "macros"))
