"""`triage articles check`: what is wrong with a knowledge base before anybody searches it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.articles.index import words_of
from pipeline.articles.passages import MOST, passages
from pipeline.config import Params
from pipeline.pages.knowledge import Check, Finding
from pipeline.sources.raw import Raw, load_raw
from pipeline.tickets.clean import plain
from pipeline.tickets.language import identify
from pipeline.tickets.schema import UNDETERMINED
from pipeline.training.split import near_duplicates

ALIKE = 0.9
"""Texts with at least so similar sets of words (Jaccard) are one text twice."""

SHORT = 20
"""Words below which an article says next to nothing."""

CODES = {
    "no_text": "there is a title and nothing below it",
    "short_text": f"fewer than {SHORT} words",
    "long_text": f"more than {MOST} passages: what stands behind them can't be found",
    "same_text": "nearly the same text",
    "same_title": "the same title, in one language",
    "same_url": "the same address",
    "same_slug": "the same name in links, so nobody can tell which is meant",
    "clashing_id": "ids that differ in case, spaces or leading zeros alone, or one that another page had before",
    "no_title": "no title",
    "no_url": "no address: customers can't be sent there",
    "no_language": "no language, in a knowledge base of several: it is suggested to everybody",
    "other_language": "written in another language than it says",
}
"""What is looked for, and what it means."""

Groups = list[list[int]]

_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")


def check(raw: Path | Raw, params: Params) -> Check:
    """Look at every article of a RAW_DIR.

    Parameters
    ----------
    params : Params
        Its `articles.passage_words` and `tickets.languages` count.
    """
    given = load_raw(raw) if isinstance(raw, Path) else raw
    read = _Read.of(given.articles, params)
    ids = read.columns["article_id"]
    replaced = {name for one in given.imports for name in one.get("clashing_articles", ())}
    groups = _faults(read, replaced, params)
    findings = [
        Finding(code, CODES[code], tuple(tuple(ids[i] for i in rows) for rows in groups[code])) for code in CODES
    ]
    languages = sorted(Counter(read.columns["language"]).items(), key=lambda one: (-one[1], one[0]))
    return Check(
        len(ids), sum(min(n, MOST) for n in read.passages), tuple(languages),
        tuple(one for one in findings if one.groups),
    )  # fmt: skip


@dataclass(frozen=True)
class _Read:
    """Articles as they are looked at: columns, "" for what isn't said; texts without marks; numbers of passages."""

    columns: dict[str, list[str]]
    texts: list[str]
    words: np.ndarray
    passages: list[int]

    @classmethod
    def of(cls, articles: pd.DataFrame, params: Params) -> _Read:
        columns = {str(n): [v.strip() if isinstance(v, str) else "" for v in articles[n]] for n in articles.columns}
        size = params.articles.passage_words
        pairs = zip(columns["title"], columns["text"], strict=True)
        pieces = [len(passages(title, text, size, most=MOST + 1)) for title, text in pairs]
        texts = [plain(text) for text in columns["text"]]
        return cls(columns, texts, np.array([len(words_of(text)) for text in texts], dtype=int), pieces)


def _faults(read: _Read, replaced: set[str], params: Params) -> dict[str, Groups]:
    """Positions of the articles with each fault, by `CODES`; those that belong together in one group."""
    columns, languages, ids = read.columns, read.columns["language"], read.columns["article_id"]
    several = len({*languages} - {"", UNDETERMINED}) > 1
    known = params.tickets.languages
    spoken = list(zip(languages, identify(read.texts, known), strict=True))
    titles = [
        f"{own}\x1f{title.casefold()}" if title else "" for own, title in zip(languages, columns["title"], strict=True)
    ]
    slugs = [slug.casefold() for slug in columns["slug"]]
    return {
        "no_text": _where(read.words == 0),
        "short_text": _where((read.words > 0) & (read.words < SHORT)),
        "long_text": _where([n > MOST for n in read.passages]),
        "same_text": _alike(read.texts),
        "same_title": _same(titles),
        "same_url": _same([url.rstrip("/") for url in columns["url"]]),
        "same_slug": _same(slugs),
        "clashing_id": [*_same([_bare(name) for name in ids]), *_where([name in replaced for name in ids])],
        "no_title": _where([not title for title in columns["title"]]),
        "no_url": _where([not url for url in columns["url"]]),
        "no_language": _where([several and own in ("", UNDETERMINED) for own in languages]),
        "other_language": _where([own in known and UNDETERMINED != said != own for own, said in spoken]),
    }  # fmt: skip


def _where(faulty: Iterable[bool]) -> Groups:
    return [[row] for row, bad in enumerate(faulty) if bad]


def _same(keys: list[str]) -> Groups:
    """Positions that share a key; an empty one is none."""
    found: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        if key:
            found.setdefault(key, []).append(row)
    return [rows for rows in found.values() if len(rows) > 1]


def _alike(texts: list[str]) -> Groups:
    from sklearn.feature_extraction.text import HashingVectorizer

    if not texts:
        return []
    counted = HashingVectorizer(analyzer=words_of, norm=None, alternate_sign=False, binary=True)
    groups = near_duplicates(counted.transform(texts), ALIKE)
    return _same([str(group) for group in groups])


def _bare(name: str) -> str:
    """An id as careless people compare it."""
    return _ZEROS.sub("", "".join(name.split()).casefold())
