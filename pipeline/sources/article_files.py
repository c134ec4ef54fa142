"""Articles of any knowledge base: a table by a mapping, or pages in folders (Markdown, HTML, text)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

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
from pipeline.sources.rows import IdsSeen, as_articles, file_names
from pipeline.tickets import schema
from pipeline.tickets.clean import plain

TEXTS = ("article_id", "title", "text", "slug", "url", "language", "product")
STATES, SIGHTS = ("published", "draft", "archived"), ("public", "internal")
"""What a state and a visibility can be; only what is published and public is imported."""

PAGES = {".md", ".markdown", ".html", ".htm", ".txt"}

_FRONT = re.compile(r"\A---\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_HEADING = re.compile(r"^#\s+([^\n]+)$|<(?:title|h1)\b[^<>]*>(.*?)</(?:title|h1)>", re.M | re.I | re.S)


@dataclass(frozen=True)
class ArticleMapping:
    """MAPPING.yaml of articles, checked: a column for each name, and what state and visibility mean."""

    columns: dict[str, str] = field(default_factory=lambda: dict(zip(TEXTS, TEXTS, strict=True)))
    state: Words = field(default_factory=lambda: Words("state"))
    visibility: Words = field(default_factory=lambda: Words("visibility"))
    missing: tuple[str, ...] = ()
    encoding: str | None = None
    where: str = ""

    def needed(self) -> list[str]:
        """Columns that a file must have: all that are named, or by our own names only the id."""
        if not self.where:
            return ["article_id"]
        return [*self.columns.values(), *(w.column for w in (self.state, self.visibility) if w.column)]


def load_article_mapping(path: Path) -> ArticleMapping:
    """Read and check a MAPPING.yaml of articles.

    Raises
    ------
    MappingError
        For a file that can't be read, an unknown key or word (the nearest right one is named), or no `article_id`.
    """
    return parse_article_mapping(read_mapping(path), where=path.name)


def parse_article_mapping(raw: Any, *, where: str = "mapping") -> ArticleMapping:
    """A mapping of articles from plain YAML values (see `load_article_mapping`)."""
    raw = known_keys(raw, (*TEXTS, "state", "visibility", "missing", "encoding"), where)
    columns = {key: name for key in TEXTS if (name := name_of(raw, key, where)) is not None}
    for key in ("article_id", "text"):
        if key not in columns:
            wrong(f"articles need `{key}`", where, f"keys {', '.join(map(str, raw))}", f"write `{key}: COLUMN`")
    return ArticleMapping(
        columns,
        words_of(raw.get("state"), f"{where}: state", STATES),
        words_of(raw.get("visibility"), f"{where}: visibility", SIGHTS),
        names_of(raw, "missing", where),
        name_of(raw, "encoding", where),
        where,
    )


def import_articles(
    paths: Sequence[Path],
    out: Path,
    *,
    mapping: ArticleMapping | None = None,
    replace: bool = False,
    progress: Callable[[str, int], None] | None = None,
) -> Summary:
    """Import articles into RAW_DIR; of one that is there already, what it says now counts.

    Parameters
    ----------
    paths : sequence of Path
        Tables (CSV, JSONL or Parquet, gzipped or not), pages (`PAGES`), and folders of pages.
    mapping : ArticleMapping, optional
        Of the tables; without one they have our own column names.
    replace : bool
        Whether these are all the articles: others leave RAW_DIR.
    progress : callable, optional
        Called with a file's name and the records read of it so far.

    Raises
    ------
    MappingError
        For a column that a file doesn't have.
    InputError
        For a file or folder that can't be read, or holds nothing.
    """
    prior_record(out)  # a folder that can't be used is said before the files are read
    if absent := [p for p in paths if not p.exists()]:
        raise InputError("no such file or folder", where=absent[0].name, do="check the path")
    reader = _Reader(mapping or ArticleMapping())
    tables = [p for p in paths if not p.is_dir() and p.suffix.lower() not in PAGES]
    for path, name in zip(tables, file_names(tables), strict=True):
        reader.table(path, name, progress)
    for place in (p for p in paths if p not in tables):
        reader.pages(place, progress)
    if not reader.rows:
        raise InputError("no article in it", where=", ".join(p.name for p in paths), do="check the files")
    record = {
        "kind": "articles",
        "files": [p.name for p in paths],
        "mapping_file": reader.mapping.where or "none",
        "counts": {"rows_in": reader.rows} | dict(sorted(reader.counts.items())),
    }
    return add(
        out,
        Part(
            schema.empty("tickets"), schema.empty("events"), reader.articles(), reader.rejects(), record=record,
            rows="articles", all_articles=replace,
        ),
    )  # fmt: skip


@dataclass
class _Reader:
    """Records become articles and refused rows."""

    mapping: ArticleMapping
    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    seen: IdsSeen = field(default_factory=IdsSeen)
    parts: list[pd.DataFrame] = field(default_factory=lambda: [schema.empty("articles")])
    refused: list[pd.DataFrame] = field(default_factory=list)

    def table(self, path: Path, name: str, progress: Callable[[str, int], None] | None) -> None:
        """All articles of a table."""
        words = {"state": self.mapping.state.column, "visibility": self.mapping.visibility.column}
        columns = {key: self.mapping.columns.get(key) for key in TEXTS} | words
        for records in mapped_records(path, name, self.mapping, columns, progress):
            self._take(records)

    def pages(self, place: Path, progress: Callable[[str, int], None] | None) -> None:
        """A page, or all pages below a folder."""
        found = [_page(path, place) for path in _below(place)]
        if found:
            self._take(pd.DataFrame(found, columns=[*TEXTS, "state", "visibility", "source", "error"], dtype="str"))
            if progress is not None:
                progress(place.name, len(found))

    def _take(self, records: pd.DataFrame) -> None:
        self.rows += len(records)
        wordless = records["title"].isna() & records["text"].isna()
        good, refused = good_and_refused(records, "article_id", self.seen, wordless)
        self.refused.append(refused)
        self.parts.append(as_articles(good[~self._hidden(good)]))

    def _hidden(self, records: pd.DataFrame) -> Any:
        """Which articles customers mustn't see; what nobody can tell isn't shown."""
        hidden = pd.Series(False, index=records.index)
        for name, words, good in (
            ("state", self.mapping.state, "published"), ("visibility", self.mapping.visibility, "public"),
        ):  # fmt: skip
            said = records[name].map(words.levels) if words.levels else records[name]
            away = (said != good).fillna(True).astype(bool) & records[name].notna()
            self.counts[f"articles_left_out_not_{good}"] += int((away & ~hidden).sum())
            hidden |= away
        return hidden.to_numpy(bool)

    def articles(self) -> pd.DataFrame:
        return pd.concat(self.parts, ignore_index=True)

    def rejects(self) -> pd.DataFrame:
        return pd.concat(self.refused, ignore_index=True).astype("str")


def _below(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        yield place
        return
    yield from sorted(p for p in place.rglob("*") if p.suffix.lower() in PAGES and p.is_file())


def _page(path: Path, place: Path) -> dict[str, str | None]:
    """One page: what stands in its front matter, else its first heading as title and its path as id."""
    name = (path.relative_to(place) if place.is_dir() else Path(path.name)).with_suffix("").as_posix()
    page: dict[str, str | None] = dict.fromkeys([*TEXTS, "state", "visibility"])
    page |= {"article_id": name, "slug": path.stem, "source": f"{path.name}:row-1", "error": None}
    try:
        text = path.read_bytes().decode("utf-8-sig")
        front = _FRONT.match(text)
        said = yaml.safe_load(front[1]) if front else {}
    except UnicodeDecodeError:
        return page | {"error": "bad_encoding"}
    except (OSError, yaml.YAMLError, ValueError):
        return page | {"error": "unreadable_record"}
    text = text[front.end() :] if front else text
    heading = _HEADING.search(text)
    title = " ".join(plain(heading[1] or heading[2]).split()) if heading else path.stem.replace("-", " ")
    page |= {"title": title or path.stem, "text": text if text.strip() else None}
    if isinstance(said, dict):
        known = {key: said.get("id" if key == "article_id" else key) for key in [*TEXTS, "state", "visibility"]}
        page |= {key: str(value) for key, value in known.items() if value is not None}
    return page
