"""Kitsune, the platform of Mozilla's support forums: its questions, answers and articles become tickets and facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.config import Tickets
from pipeline.errors import InputError
from pipeline.history.answers import ACCEPTED
from pipeline.history.events import created_events, field_events, joined, make_events
from pipeline.history.identity import pseudonyms
from pipeline.sources.kitsune_fields import creation_fields
from pipeline.sources.mapping import nearest_columns
from pipeline.sources.raw import Part, Summary, add
from pipeline.sources.rows import IdsSeen, as_articles, redacted, without_missing
from pipeline.tickets import schema
from pipeline.tickets.files import read_records
from pipeline.tickets.language import normalise
from pipeline.tickets.times import read_times

ARTICLE_LINK = (
    r"""(?:support\.mozilla\.(?:org|com)|["'\s(]|^)/(?:[a-z]{2,3}(?:-[A-Za-z]{2,4})?/)?kb/([A-Za-z0-9_%-]+)"""
)
"""A link to a help article; its group is the slug."""

OUTCOMES: dict[str, Any] = {"topic": "topic", "article": {"reply_links": ARTICLE_LINK}}
"""Outcomes of a Kitsune import unless params.yaml says otherwise."""

TRACKED = ("topic", "is_solved", "is_spam", "is_locked")
"""Columns of questions that are kept as facts. All but the topic are dated by the question's last change."""

QUESTION = ("id", "created", "title", "content", "creator")
ANSWER = ("id", "question_id", "created", "content", "creator")
ARTICLE = ("id", "title", "slug")


def import_kitsune(
    questions: Sequence[Path],
    out: Path,
    *,
    answers: Sequence[Path] = (),
    articles: Sequence[Path] = (),
    now: pd.Timestamp | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> Summary:
    """Import the platform's records as they lie in files: CSV, JSONL or Parquet, gzipped or not.

    Parameters
    ----------
    questions, answers, articles : sequence of Path
        Files of records with the platform's own column names.
    out : Path
        RAW_DIR, new or existing.
    now : Timestamp, optional
        Moment of import; later times are refused.
    progress : callable, optional
        Called with a file's name and the records read of it so far.

    Raises
    ------
    InputError
        For a file that can't be read or lacks a column.
    """
    record = {
        "kind": "kitsune",
        "files": {
            "questions": [p.name for p in questions],
            "answers": [p.name for p in answers],
            "articles": [p.name for p in articles],
        },
    }
    part = kitsune_part(
        _read(questions, QUESTION, progress),
        _read(answers, ANSWER, progress),
        _read(articles, ARTICLE, progress),
        record=record,
        now=now,
    )
    return add(out, part)


def kitsune_part(
    questions: pd.DataFrame,
    answers: pd.DataFrame,
    articles: pd.DataFrame,
    *,
    record: dict[str, Any],
    now: pd.Timestamp | None = None,
    repeats: str = "reject",
) -> Part:
    """Records of the platform as one part of a RAW_DIR.

    Parameters
    ----------
    questions, answers, articles : DataFrame
        `str` columns by the platform's names, with `error` and `source`.
    record : dict
        Kind and files, for import.json.
    now : Timestamp, optional
        Moment of import.
    repeats : {'reject', 'skip'}
        See `Part`.
    """
    tickets, codes, counts = _tickets(questions, now)
    good = codes.isna().to_numpy(bool)
    rejects = pd.DataFrame({"source": questions["source"], "code": codes, "ticket_id": questions["id"]})[~good]
    kept = tickets[good].reset_index(drop=True)
    facts = questions[good].reset_index(drop=True)
    replies, reply_rejects = _replies(answers, now, first_seq=len(kept), accepted=set(facts["solution"].dropna()))
    articles_frame, article_rejects = _articles(articles)
    events = joined([created_events(kept, _positions(kept)), _field_events(kept, facts), replies])
    counts |= {"rows_in": len(questions), "answers_in": len(answers), "articles_in": len(articles)}
    counts |= {"answers_without_question": int((~replies["ticket_id"].isin(kept["ticket_id"])).sum())}
    counts |= {"answers_refused": len(reply_rejects), "articles_refused": len(article_rejects)}
    return Part(
        tickets=kept,
        events=events,
        articles=articles_frame,
        rejects=rejects,
        outcomes=OUTCOMES,
        record=record | {"tracked": list(TRACKED), "counts": counts},
        repeats=repeats,
    )


def _tickets(questions: pd.DataFrame, now: pd.Timestamp | None) -> tuple[pd.DataFrame, pd.Series, dict[str, int]]:
    times, time_codes, counts = read_times(questions["created"], timezone="UTC", now=now)
    codes = questions["error"]
    ids = pd.Series(None, index=questions.index, dtype="str")
    readable = codes.isna().to_numpy(bool)
    ids[readable] = IdsSeen().codes(questions["id"][readable])
    codes = codes.where(codes.notna(), ids).where(lambda c: c.notna(), time_codes)
    too_long = _lengths(questions, "title", "content") > Tickets.max_characters
    codes = codes.mask(codes.isna() & too_long, "text_too_long")
    questions = questions.assign(content=questions["content"].mask(too_long), title=questions["title"].mask(too_long))
    fields = {schema.FIELD_PREFIX + name: values for name, values in creation_fields(questions).items()}
    tickets = pd.DataFrame(
        {
            "ticket_id": questions["id"],
            "created_at": times,
            "subject": redacted(questions["title"]),
            "body": redacted(questions["content"]),
            "customer_id": pseudonyms(questions["creator"]),
            "channel": "web",
            "language": questions["locale"].map(normalise, na_action="ignore"),
            "source": questions["source"],
            **fields,
        },
        index=questions.index,
    )
    return schema.conform(tickets, "tickets"), codes, {f"{k}_times": v for k, v in counts.items()}


def _field_events(tickets: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    created, seq = tickets["created_at"], _positions(tickets)
    topic = {"topic": redacted(facts["topic"])}
    at_creation = field_events(tickets["ticket_id"], topic, at=created, received_at=created, seq=seq)
    flags = {name: facts[name] for name in TRACKED if name != "topic"}
    changed = read_times(facts["updated"], timezone="UTC")[0]
    unknown = pd.Series(pd.NaT, index=facts.index, dtype=created.dtype)
    later = field_events(tickets["ticket_id"], flags, at=changed.fillna(created.max()), received_at=unknown, seq=seq)
    return joined([at_creation, later])


def _replies(
    answers: pd.DataFrame, now: pd.Timestamp | None, *, first_seq: int, accepted: set[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    times, codes, _ = read_times(answers["created"], timezone="UTC", now=now)
    codes = answers["error"].where(answers["error"].notna(), codes)
    codes = codes.where(codes.notna() | answers["question_id"].notna(), "missing_id")
    copies = answers["id"].notna() & answers["id"].duplicated()
    codes = codes.mask(codes.isna() & copies, "duplicate_id")
    good = codes.isna().to_numpy(bool)
    kept, when = answers[good], times[good]
    replies = make_events(
        "reply",
        kept["question_id"],
        occurred_at=when,
        received_at=when,
        seq=pd.Series(range(first_seq, first_seq + len(kept)), index=kept.index, dtype="Int64"),
        actor=pseudonyms(kept["creator"]),
        value=pd.Series(ACCEPTED, index=kept.index, dtype="str").where(kept["id"].isin(accepted)),
        text=redacted(kept["content"].mask(_lengths(kept, "content") > Tickets.max_characters)),
    )
    return replies.reset_index(drop=True), answers[~good]


def _articles(articles: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    good = (articles["error"].isna() & articles["id"].notna()).to_numpy(bool)
    kept = articles[good].drop_duplicates("id")
    named = {"id": "article_id", "locale": "language", "products_str": "product", "html": "text"}
    own = kept[["id", "title", "slug", "url", "locale", "products_str", "html"]]
    return as_articles(own.rename(columns=named)), articles[~good]


_OPTIONAL = (
    "locale", "product", "topic", "updated", "metadata", "is_solved", "solution", "is_spam", "is_locked",
    "url", "html", "products_str",
)  # fmt: skip


def _read(paths: Sequence[Path], needed: tuple[str, ...], progress: Callable[[str, int], None] | None) -> pd.DataFrame:
    """All records of one kind, with every column that this file reads, `error` and `source`."""
    frames = []
    for path in paths:
        for frame in read_records(path):
            frames.append(_prepared(frame, needed, path.name))
            if progress is not None and len(frame):
                progress(path.name, int(frame.index[-1]))
    return pd.concat(frames, ignore_index=True) if frames else as_records([], needed, "")


def as_records(records: Iterable[dict[str, str | None]], needed: tuple[str, ...], name: str) -> pd.DataFrame:
    """Records from memory in the form of `_read`."""
    frame = pd.DataFrame(list(records), dtype="str")
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    wide = frame.reindex(columns=list(dict.fromkeys([*needed, *frame.columns])))
    return _prepared(wide, needed, name).reset_index(drop=True)


def _prepared(frame: pd.DataFrame, needed: tuple[str, ...], name: str) -> pd.DataFrame:
    absent = [c for c in needed if c not in frame]
    if absent:
        near = nearest_columns(absent[0], [str(c) for c in frame.columns])
        raise InputError(
            f"column {absent[0]!r} is missing",
            where=name,
            got=f"columns {', '.join(map(str, frame.columns[:30]))}",
            do=f"nearest: {', '.join(near)}" if near else "give the platform's own export",
        )
    columns = list(dict.fromkeys([*needed, *_OPTIONAL, "error"]))
    wide = frame.reindex(columns=columns).astype("str")
    cleaned = {c: wide[c] if c == "error" else without_missing(wide[c], ()) for c in columns}
    source = pd.Series([f"{name}:row-{n}" for n in frame.index], index=frame.index, dtype="str")
    return pd.DataFrame(cleaned, index=frame.index).assign(source=source)


def _lengths(frame: pd.DataFrame, *columns: str) -> pd.Series:
    """Characters in some columns together, row by row."""
    return sum((frame[c].str.len().fillna(0) for c in columns), start=pd.Series(0.0, index=frame.index))


def _positions(frame: pd.DataFrame) -> pd.Series:
    return pd.Series(range(len(frame)), index=frame.index, dtype="Int64")
