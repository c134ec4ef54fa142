"""`triage view`: the first rows of a scored file as a table for people."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.terminal import console

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table


def view(
    scored: Annotated[
        Path, typer.Argument(metavar="SCORED", help="A file that `triage score` wrote: CSV, JSONL or Parquet.")
    ],
    tickets: Annotated[
        Path | None, typer.Option(metavar="IN", help="The tickets that were scored: shows their subjects too.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(metavar="MAPPING.yaml", help="Which column of IN is what, as for `triage score`.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="How many rows to show.")] = 12,
    none_fits: Annotated[bool, typer.Option("--none-fits", help="Only tickets that no article fits.")] = False,
) -> None:
    """Show a scored file as a table: topic, priority, escalation risk, queue and its reason, the first article."""
    frame = _read(scored)
    if "queue_reason" not in frame:
        from pipeline.errors import InputError

        raise InputError(
            "no scored tickets",
            where=scored.name,
            got=f"{len(frame.columns)} other columns",
            do="give the OUT of `triage score`",
        )
    if none_fits:
        frame = frame[[not _article(value) for value in _articles(frame)]]
    subjects = _subjects(tickets, mapping) if tickets else {}
    out = console()
    out.print(_table(frame.head(rows), subjects))
    routed = int((~frame["queue_reason"].astype("str").str.startswith(("abstained", "fallback"))).sum())
    out.print(f"{len(frame):,} tickets: {routed:,} routed, {len(frame) - routed:,} for a person to decide.")


def _table(frame: pd.DataFrame, subjects: dict[str, str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    articles = [_article(value) for value in _articles(frame)]
    names = ["ticket", *(["subject"] if subjects else []), "topic", "", "priority", "risk", "queue", "because"]
    for name in [*names, *(["article"] if any(articles) else [])]:
        justify: Any = "right" if name in ("", "risk") else "left"
        least = 8 if name in ("ticket", "priority", "queue", "because") else None  # the words give way to these
        table.add_column(name, no_wrap=True, overflow="ellipsis", justify=justify, min_width=least)
    for at, row in enumerate(frame.to_dict("records")):
        ticket = _word(row["ticket_id"])
        cells = [
            ticket,
            *([subjects.get(ticket, "")] if subjects else []),
            _word(row["topic"]),
            _share(row["topic_confidence"]),
            _word(row["priority"]),
            _share(row["escalation_risk"]),
            _word(row["queue"]),
            _word(row["queue_reason"]),
            *([articles[at] or "none fits"] if any(articles) else []),
        ]
        waits = _word(row["queue_reason"]).startswith(("abstained", "fallback"))
        # Text, not markup: a subject may hold square brackets.
        table.add_row(*(Text(cell, style="dim" if waits else "") for cell in cells))
    return table


def _articles(frame: pd.DataFrame) -> list[object]:
    """What each row suggests; nothing where an older file has no such column."""
    return frame["articles"].tolist() if "articles" in frame else [None] * len(frame)


def _article(value: object) -> str:
    """The first suggestion and its probability; empty for none, and for what no scorer wrote."""
    try:
        found: Any = json.loads(value) if isinstance(value, str) else value
        first = dict(next(iter(found)))
        return f"{first['probability']:.2f} {_word(first['title'] or first['article_id'])}"
    except (TypeError, ValueError, KeyError, StopIteration):
        return ""


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    from pipeline.errors import InputError

    suffix = (path.suffixes or [""])[-2 if path.suffix == ".gz" and len(path.suffixes) > 1 else -1]
    try:
        if suffix == ".parquet":
            return pd.read_parquet(path)
        if suffix == ".csv":
            return pd.read_csv(path, dtype={"ticket_id": "str"})
        return pd.read_json(path, lines=True, dtype=False)
    except FileNotFoundError:
        raise InputError("the file isn't there", where=str(path), do="check the path") from None
    except ValueError as error:
        raise InputError(
            "the file can't be read", where=path.name, got=type(error).__name__, do="give the OUT of `triage score`"
        ) from None


def _subjects(path: Path, mapping: Path | None) -> dict[str, str]:
    from pipeline.serving.intake import open_intake

    found: dict[str, str] = {}
    for chunk in open_intake(path, mapping=mapping).read(datetime.now(UTC)):
        found |= {_word(i): _word(s) for i, s in zip(chunk["ticket_id"], chunk["subject"], strict=True)}
    return found


def _word(value: object) -> str:
    if value is None or value != value:
        return "–"
    text = " ".join(str(value).split())
    return text if len(text) <= 44 else text[:43] + "…"


def _share(value: object) -> str:
    return "–" if value is None or value != value else f"{float(str(value)):.2f}"
