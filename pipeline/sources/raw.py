"""RAW_DIR: what imports leave and training reads; every change of it happens as a whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.config import History, nearest
from pipeline.errors import ConfigError, InputError, MappingError, OutputError
from pipeline.history.definitions import Definition, parse_definitions, source_columns
from pipeline.history.events import merge_events
from pipeline.history.outcomes import check_values, derive, outside_levels
from pipeline.sources.part import Part, Summary
from pipeline.sources.raw_files import FRAMES, MACROS, RECORD, REJECTS, finish, locked, prior_record, record, write
from pipeline.tickets import files, schema
from pipeline.tickets.schema import FIELD_PREFIX

__all__ = [
    "FRAMES",
    "RECORD",
    "REJECTS",
    "Part",
    "Raw",
    "Summary",
    "add",
    "kept_still",
    "known_tickets",
    "load_raw",
    "merged",
    "prior_record",
    "raw_batches",
    "relabel",
    "summary_of",
]

NEEDED = {
    "tickets": ("ticket_id",),
    "events": ("ticket_id", "kind"),
    "outcomes": ("ticket_id", "outcome"),
    "articles": ("article_id",),
    "macros": ("macro_id", "text"),
}
"""Columns without which a file isn't this frame."""

_NOT_NOTES = ("rows_in", "tickets_in", "events_in", "articles_in", "macros_in", "refused")


@dataclass(frozen=True)
class Raw:
    """What lies in a RAW_DIR.

    Attributes
    ----------
    tickets, events, outcomes, articles, macros : DataFrame
        By their schemas; tickets have `fields.NAME` columns too.
    outcomes_as_written : dict
        The outcome definitions of all imports, later ones winning, as YAML values.
    imports : list of dict
        One record for each import: kind, files, mapping, tracked columns, counts.
    """

    tickets: pd.DataFrame
    events: pd.DataFrame
    outcomes: pd.DataFrame
    articles: pd.DataFrame
    outcomes_as_written: dict[str, Any]
    imports: list[dict[str, Any]]
    macros: pd.DataFrame = field(default_factory=lambda: schema.empty("macros"))

    @property
    def definitions(self) -> dict[str, Definition]:
        """The parsed outcome definitions of the imports."""
        return parse_definitions(self.outcomes_as_written, RECORD)

    @property
    def columns(self) -> list[str]:
        """The source columns that the facts know, which an outcome may name."""
        tracked = [c for one in self.imports for c in one.get("tracked", ())]
        fields = [str(c).removeprefix(FIELD_PREFIX) for c in self.tickets.columns if str(c).startswith(FIELD_PREFIX)]
        return sorted({*tracked, *fields})


def load_raw(folder: Path) -> Raw:
    """Read a RAW_DIR.

    Raises
    ------
    InputError
        For a folder that no import made, a damaged file in it, or one that holds another frame.
    """
    finish(folder)
    said = record(folder)
    there = (*FRAMES, *(["macros"] if (folder / MACROS).exists() else []))
    for name in there:
        _check_frame(folder / f"{name}.parquet", name)
    frames = {name: schema.conform(files.read_parquet(folder / f"{name}.parquet"), name) for name in there}
    return Raw(**frames, outcomes_as_written=said["outcomes"], imports=said["imports"])


@contextmanager
def kept_still(folder: Path) -> Iterator[dict[str, Any]]:
    """No import changes RAW_DIR until the block ends; gives the outcomes as they were written.

    Raises
    ------
    InputError
        For a folder that no import made.
    OutputError
        An import is writing it.
    """
    record(folder)
    with locked(folder, shared=True):
        finish(folder)
        yield record(folder)["outcomes"]


def contents_hash(folder: Path) -> str:
    """First 16 hexadecimal digits of the SHA-256 of what a RAW_DIR holds: another import gives another."""
    digest = hashlib.sha256()
    macros = [MACROS] if (folder / MACROS).exists() else []
    for name in (RECORD, *(f"{frame}.parquet" for frame in FRAMES), *macros):
        with (folder / name).open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


def raw_batches(folder: Path, name: str, columns: Sequence[str], *, rows: int) -> Iterator[pd.DataFrame]:
    """Some columns of a frame of RAW_DIR, by their schema, some rows at a time; columns that aren't there are null.

    Raises
    ------
    InputError
        For a damaged file, or one that holds another frame.
    """
    path = folder / f"{name}.parquet"
    _check_frame(path, name)
    for batch in files.parquet_batches(path, columns, rows=rows):
        yield schema.conform(batch, name)


def _check_frame(path: Path, name: str) -> None:
    """Raise where the file lacks what makes it this frame."""
    there = files.parquet_columns(path)
    lacking = [column for column in NEEDED[name] if column not in there]
    if lacking:
        raise InputError(f"these aren't {name}", where=str(path), got=f"no column {lacking[0]}", do="import again")


def relabel(
    raw: Raw, outcomes: dict[str, Any], *, customers: History | None = None, where: str = "params.yaml: outcomes"
) -> tuple[dict[str, Definition], pd.DataFrame]:
    """The outcomes by the import's definitions and those of params.yaml, which win; null there drops one.

    Parameters
    ----------
    customers : History, optional
        Who counts as one customer, as for `derive`.

    Raises
    ------
    ConfigError
        For a definition that can't be read, names a column that the import kept no facts of, or fits no value.
    """
    definitions = parse_definitions(merged(raw.outcomes_as_written, outcomes), where)
    known = raw.columns
    for definition in definitions.values():
        for column in sorted(source_columns(definition)):
            if column not in known:
                near = nearest(column, known)
                raise ConfigError(
                    f"the import kept no facts of column {column!r}",
                    where=f"{where}: {definition.outcome}",
                    got=f"kept: {', '.join(known[:30])}",
                    do=(f"did you mean {near[0]!r}? Otherwise " if near else "")
                    + "name it in the mapping (outcomes, or events: {track: [...]}) and import again",
                )
    check_values(raw.tickets, raw.events, definitions, where=where)
    return definitions, derive(raw.tickets, raw.events, definitions, articles=raw.articles, customers=customers)


def merged(outcomes: dict[str, Any], winning: dict[str, Any]) -> dict[str, Any]:
    """Definitions as written, those of `winning` instead of their namesakes."""
    both = [(("article" if k == "articles" else str(k)), v) for part in (outcomes, winning) for k, v in part.items()]
    return dict(both)


def summary_of(folder: Path, done: dict[str, Any]) -> Summary:
    """The summary of an import that was done before, from its record."""
    raw, counts = load_raw(folder), done["counts"]
    return Summary(
        rows_in=int(counts["rows_in"]),
        tickets_in=int(counts["tickets_in"]),
        tickets=len(raw.tickets),
        events=len(raw.events),
        articles=len(raw.articles),
        refused=counts["refused"],
        notes=_notes(counts),
        outside_levels=outside_levels(raw.tickets, raw.events, raw.definitions),
        outcomes=_counted(raw.outcomes["outcome"]),
    )


def known_tickets(folder: Path) -> pd.Series:
    """When each ticket that RAW_DIR holds was created, by its id."""
    path = folder / "tickets.parquet"
    if not path.exists():
        return pd.Series(index=pd.Index([], dtype="str"), dtype="datetime64[us, UTC]")
    return files.read_parquet(path, ["ticket_id", "created_at"]).set_index("ticket_id")["created_at"]


def add(folder: Path, part: Part) -> Summary:
    """Add one import's tickets, events and articles to RAW_DIR, and make its outcomes anew.

    The first ticket of an id stays, and the newest article; events that are there already aren't doubled. The same
    input gives the same bytes.

    Raises
    ------
    MappingError
        For an `equals` that never occurs or `levels` of which none occurs; nothing is written.
    OutputError
        For a folder that holds something else, or is being written.
    """
    prior_record(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        do = "name a folder that can be made"
        raise OutputError("RAW_DIR can't be made", where=str(folder), got=str(error.strerror), do=do) from error
    with locked(folder):
        return _add(folder, part, prior_record(folder))


def _add(folder: Path, part: Part, prior: dict[str, Any]) -> Summary:
    old = load_raw(folder) if prior["imports"] else _nothing()
    again = part.tickets["ticket_id"].isin(old.tickets["ticket_id"]).to_numpy(bool)
    rejects = part.rejects
    if part.repeats == "reject" and again.any():
        copies = part.tickets.loc[again, ["source", "ticket_id"]].assign(code="duplicate_id")
        rejects = pd.concat([rejects, copies], ignore_index=True)
    tickets = pd.concat([old.tickets, part.tickets[~again]], ignore_index=True) if len(old.tickets) else part.tickets
    tickets = schema.conform(tickets.reset_index(drop=True), "tickets")
    events = merge_events(old.events, _new_events(part, set(part.tickets.loc[again, "ticket_id"])))
    before = old.articles.iloc[:0] if part.all_articles else old.articles
    both = pd.concat([before, part.articles], ignore_index=True)
    articles = schema.conform(both.drop_duplicates("article_id", keep="last", ignore_index=True), "articles")
    macros = pd.concat([old.macros.iloc[: 0 if part.all_macros else None], part.macros], ignore_index=True)
    macros = schema.conform(macros.drop_duplicates("macro_id", keep="last", ignore_index=True), "macros")
    written = merged(prior["outcomes"], part.outcomes)
    where = str(part.record.get("mapping_file", RECORD))
    definitions = parse_definitions(written, where, error=MappingError)
    check_values(tickets, events, definitions, where=where, error=MappingError)
    outcomes = derive(tickets, events, definitions, articles=articles)
    counts = dict(part.record.get("counts", {}))
    clashing = _clashing(old.articles, part.articles)
    counts |= {"articles_that_replace_another_page": len(clashing)} if clashing else {}
    summary = Summary(
        rows_in=int(counts.get("rows_in", part.came)),
        tickets_in=part.came if part.rows == "tickets" else 0,
        events_in=part.came if part.rows == "events" else 0,
        articles_in=part.came if part.rows == "articles" else 0,
        tickets=len(tickets),
        events=len(events),
        articles=len(articles),
        macros_in=part.came if part.rows == "macros" else 0,
        macros=len(macros),
        refused=_counted(rejects["code"]),
        notes=_notes(counts),
        outside_levels=outside_levels(tickets, events, definitions),
        outcomes=_counted(outcomes["outcome"]),
        redefined=tuple(k for k, v in part.outcomes.items() if k in prior["outcomes"] and prior["outcomes"][k] != v),
    )
    said = (
        part.record
        | ({"clashing_articles": clashing} if clashing else {})
        | {"counts": counts | {f"{part.rows}_in": part.came, "refused": summary.refused}}
    )
    frames = {"tickets": tickets, "events": events, "outcomes": outcomes, "articles": articles}
    if len(macros) or len(old.macros):
        frames["macros"] = macros
    write(folder, frames, rejects, {"imports": [*prior["imports"], said], "outcomes": written})
    return summary


def _clashing(old: pd.DataFrame, new: pd.DataFrame) -> list[str]:
    """Ids under which another page was known: one with another title and another address."""
    both = new.merge(old, on="article_id", suffixes=("", "_before"))
    other = pd.Series(True, index=both.index)
    for name in ("title", "url"):
        before = both[f"{name}_before"]
        other &= both[name].notna() & before.notna() & (both[name] != before).fillna(False)
    return sorted(both.loc[other.to_numpy(bool), "article_id"])


def _counted(values: pd.Series) -> dict[str, int]:
    return {str(k): int(v) for k, v in values.value_counts().sort_index().items()}


def _notes(counts: dict[str, Any]) -> dict[str, int]:
    return {k: v for k, v in counts.items() if k not in _NOT_NOTES and v}


def _new_events(part: Part, again: set[str]) -> pd.DataFrame:
    """Without what a ticket brings that is there already: its creation, and a copy's values."""
    first = ["created"] if part.repeats == "skip" and part.record.get("kind") == "table" else ["created", "field"]
    stale = part.events["ticket_id"].isin(list(again)) & part.events["kind"].isin(first)
    return part.events[~stale.to_numpy(bool)].reset_index(drop=True)


def _nothing() -> Raw:
    return Raw(**{name: schema.empty(name) for name in FRAMES}, outcomes_as_written={}, imports=[])
