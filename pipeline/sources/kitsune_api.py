"""Kitsune's public REST API: pages fetched in order, kept aside as they come, imported when all are there."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pandas as pd
import urllib3

from pipeline import __version__
from pipeline.errors import ConfigError, InputError, OutputError
from pipeline.history.identity import pseudonyms
from pipeline.sources.kitsune import ANSWER, ARTICLE, QUESTION, as_records, kitsune_part
from pipeline.sources.raw import Summary, add, prior_record, summary_of
from pipeline.tickets.redact import redact

Record = dict[str, str | None]
Progress = Callable[[str, int], None]

_TRIES = 7
_TIMEOUT = urllib3.Timeout(connect=10, read=60)
_BUSY = (408, 429, 500, 502, 503, 504)
_QUESTION_KEYS = ("id", "created", "updated", "title", "content", "topic", "locale", "product", "creator", "metadata",
                  "is_solved", "is_spam", "is_locked", "num_answers")  # fmt: skip
_ANSWER_KEYS = ("id", "question", "created", "content", "creator", "is_spam")
_ARTICLE_KEYS = ("id", "title", "slug", "url", "locale", "products", "html")


def fetch_kitsune(
    product: str,
    since: str,
    out: Path,
    *,
    url: str = "https://support.mozilla.org",
    now: pd.Timestamp,
    progress: Progress | None = None,
    backoff_seconds: float = 1.0,
) -> Summary:
    """Import a product's questions since a day, with their answers and the product's articles, from the live API.

    What was fetched is kept in a hidden folder of RAW_DIR, personal data redacted, until the import is done: a fetch
    that was killed goes on where it was when the same command is given again.

    Parameters
    ----------
    product : str
        The platform's name of the product, such as `thunderbird`.
    since : str
        First day, YYYY-MM-DD.
    out : Path
        RAW_DIR, new or existing.
    url : str
        The platform's address.
    now : Timestamp
        Moment of import; later times are refused.
    progress : callable, optional
        Called with what is being fetched, and how much of it so far.
    backoff_seconds : float
        Wait before a second try; doubled each time, unless the server says how long.

    Raises
    ------
    ConfigError
        For a day or an address that can't be read.
    InputError
        If the platform doesn't answer after seven tries, or not as expected.
    """
    day = _day(since)
    _check_address(url)
    prior_record(out)
    out.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(json.dumps([url, product, day]).encode()).hexdigest()[:12]
    aside = out / f".fetch-{key}"
    aside.mkdir(exist_ok=True)
    with _Journal(aside / "pages.jsonl") as journal:
        _Fetch(url, product, day, journal, progress, backoff_seconds).all_pages()
        summary = _import(out, journal, {"product": product, "since": day, "url": url}, now)
    shutil.rmtree(aside)
    return summary


def _import(out: Path, journal: _Journal, what: dict[str, str], now: pd.Timestamp) -> Summary:
    """All pages as one part of RAW_DIR; once only, even if the first time was killed before it could clean up."""
    digest = journal.digest()
    done = [r for r in prior_record(out)["imports"] if r.get("fetched", {}).get("digest") == digest]
    if done:
        return summary_of(out, done[-1])
    part = kitsune_part(
        _frame(journal, "question", QUESTION),
        _frame(journal, "answer", ANSWER),
        _frame(journal, "article", ARTICLE),
        record={"kind": "kitsune", "files": [], "fetched": what | {"digest": digest}},
        now=now,
        repeats="skip",
    )
    return add(out, part)


def _frame(journal: _Journal, kind: str, needed: tuple[str, ...]) -> pd.DataFrame:
    by_id = {r["id"]: r for page in journal.pages if page["kind"] == kind for r in page["records"]}
    return as_records(by_id.values(), needed, f"api {kind}s")


class _Journal:
    """Pages as they came, one JSON line each; a line that was cut off by a kill is dropped."""

    def __init__(self, path: Path) -> None:
        self._handle = path.open("a+b")
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._handle.close()
            what = "another import is fetching into this folder"
            raise OutputError(what, where=str(path.parent), do="wait for it") from error
        self._handle.seek(0)
        whole = self._handle.read()
        end = whole.rfind(b"\n") + 1
        self._handle.truncate(end)
        self.pages: list[dict[str, Any]] = [json.loads(line) for line in whole[:end].split(b"\n") if line]
        self.last = {(page["kind"], page["of"]): page for page in self.pages}

    def __enter__(self) -> _Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.close()

    def append(self, page: dict[str, Any]) -> None:
        """Keep one page, on the disk."""
        self._handle.write(json.dumps(page, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace") + b"\n")
        self._handle.flush()
        os.fsync(self._handle.fileno())
        self.pages.append(page)
        self.last[page["kind"], page["of"]] = page

    def digest(self) -> str:
        """SHA-256 of all pages."""
        lines = (json.dumps(page, sort_keys=True) for page in self.pages)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@dataclass
class _Fetch:
    """Asks for the pages that the journal doesn't hold yet."""

    url: str
    product: str
    day: str
    journal: _Journal
    progress: Progress | None
    backoff_seconds: float

    def __post_init__(self) -> None:
        retries = urllib3.Retry(
            total=_TRIES - 1,
            backoff_factor=self.backoff_seconds,
            status_forcelist=_BUSY,
            allowed_methods=["GET"],
            respect_retry_after_header=True,
            raise_on_status=False,
        )
        agent = {"User-Agent": f"triage/{__version__}", "Accept": "application/json"}
        self._pool = urllib3.PoolManager(retries=retries, timeout=_TIMEOUT, headers=agent)

    def all_pages(self) -> None:
        """Questions, the answers of each that has any, the list of articles, each article."""
        ask = {"product": self.product, "created__gt": self.day, "ordering": "+created"}
        self._pages("question", "", "/api/2/question/", ask, question_record)
        for number, question in enumerate(self._having_answers(), start=1):
            self._pages("answer", question, "/api/2/answer/", {"question": question}, answer_record)
            self._say("answers to question", number)
        self._pages("slug", "", "/api/1/kb/", {"product": self.product, "locale": "en-US"}, _slug_record)
        slugs = [str(r["slug"]) for r in self._records("slug") if r.get("slug")]
        for number, slug in enumerate(dict.fromkeys(slugs), start=1):
            if ("article", slug) not in self.journal.last:
                found = self._get(f"/api/1/kb/{slug}", {"locale": "en-US"}, missing_is_end=True)
                records = [article_record(found, self.url)] if found else []
                self.journal.append({"kind": "article", "of": slug, "page": 1, "records": records, "more": False})
            self._say("article", number)

    def _pages(
        self, kind: str, of: str, path: str, ask: dict[str, str], record: Callable[[dict[str, Any]], Record]
    ) -> None:
        """All pages of one list, from the first that isn't there yet."""
        last = self.journal.last.get((kind, of))
        number, more = (last["page"], last["more"]) if last else (0, True)
        while more:
            number += 1
            found = self._get(path, ask | {"page": str(number)}, missing_is_end=number > 1)
            results = found.get("results", [])
            more = bool(found.get("next"))
            records = [record(r) for r in results if isinstance(r, dict)]
            self.journal.append({"kind": kind, "of": of, "page": number, "records": records, "more": more})
            if kind == "question":
                self._say("page of questions", number)

    def _records(self, kind: str) -> Iterator[Record]:
        return (r for page in self.journal.pages if page["kind"] == kind for r in page["records"])

    def _having_answers(self) -> list[str]:
        asked = {str(r["id"]) for r in self._records("question") if r.get("num_answers") not in (None, "0")}
        return sorted(asked, key=lambda i: (len(i), i))

    def _get(self, path: str, ask: dict[str, str], *, missing_is_end: bool = False) -> dict[str, Any]:
        address = f"{self.url.rstrip('/')}{path}?{urlencode(ask)}"
        do = "give the same command again later: it goes on from here"
        try:
            answer = self._pool.request("GET", address)
        except urllib3.exceptions.HTTPError as error:
            raise InputError("the platform doesn't answer", where=path, got=type(error).__name__, do=do) from error
        if answer.status == 404 and missing_is_end:
            return {}
        if answer.status != 200:
            raise InputError("the platform refuses", where=path, got=f"status {answer.status}", do=do)
        try:
            found = json.loads(answer.data)
        except ValueError as error:
            raise InputError("the platform's answer is no JSON", where=path, got="other text", do=do) from error
        if not isinstance(found, dict):
            raise InputError("the platform's answer has another form", where=path, got=type(found).__name__, do=do)
        return found

    def _say(self, what: str, number: int) -> None:
        if self.progress is not None:
            self.progress(what, number)


def question_record(question: dict[str, Any]) -> Record:
    """A question of the API in the form of the export, personal data redacted."""
    cells = _cells(question, _QUESTION_KEYS)
    pairs = question.get("metadata")
    if isinstance(pairs, list):
        named = [(p.get("name"), p.get("value")) for p in pairs if isinstance(p, dict)]
        cells["metadata"] = redact("".join(f";{name}:{value}" for name, value in named if name and value)) or None
    return cells


def answer_record(answer: dict[str, Any]) -> Record:
    """An answer of the API in the form of the export, personal data redacted."""
    cells = _cells(answer, _ANSWER_KEYS)
    return cells | {"question_id": cells.pop("question")}


def article_record(article: dict[str, Any], url: str) -> Record:
    """An article of the API in the form of the export."""
    cells = _cells(article, _ARTICLE_KEYS)
    products = article.get("products")
    address = cells["url"]
    return cells | {
        "url": url.rstrip("/") + address if address and address.startswith("/") else address,
        "products_str": ";".join(map(str, products)) if isinstance(products, list) else cells.get("products"),
    }


def _slug_record(article: dict[str, Any]) -> Record:
    return _cells(article, ("slug",))


def _cells(record: dict[str, Any], keys: tuple[str, ...]) -> Record:
    return {key: _cell(key, record.get(key)) for key in keys}


def _cell(key: str, value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("username" if key == "creator" else "slug")
    if value is None or isinstance(value, dict | list):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if key == "creator":
        return str(pseudonyms(pd.Series([str(value)], dtype="str")).iloc[0])
    return redact(str(value)) if key in ("title", "content", "html") else str(value)


def _day(since: str) -> str:
    try:
        return str(pd.Timestamp(since).strftime("%Y-%m-%d"))
    except ValueError as error:
        raise ConfigError(
            "a day that can't be read", where="--since", got=repr(since), do="write YYYY-MM-DD"
        ) from error


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigError("no address", where="--url", got=repr(url), do="write https://HOST")
