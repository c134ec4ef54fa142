"""Writes a report's files: the page, the figures for scripts, and the model card."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from pipeline.errors import OutputError
from pipeline.pages.backtest import Backtest, Replay, Replayed, Waits
from pipeline.pages.card import render_card
from pipeline.pages.figures import known
from pipeline.pages.knowledge import Knowledge
from pipeline.pages.page import generator, render, render_knowledge, render_replay
from pipeline.pages.report import Report
from pipeline.pages.waiting import Waiting

DRAWN = ("gains", "precision_recall", "bins", "curve", "ceiling_curve")
_HEAD = 4_096
"""So many bytes of a page say who made it."""

Kind = Literal["report", "backtest"]
PAGE, CARD, FIGURES, BACKTEST = "index.html", "model_card.md", "metrics.json", "backtest.json"


def check_folder(folder: Path, kind: Kind) -> None:
    """Refuse a folder whose page is somebody else's, or of another kind: before the work, not after it.

    Raises
    ------
    OutputError
    """
    page, head = folder / PAGE, b""
    if not page.exists():
        return
    with suppress(OSError), page.open("rb") as handle:  # a folder of this name, or what may not be read: none of ours
        head = handle.read(_HEAD)
    if f'<meta name="generator" content="{generator(kind)}">'.encode() in head:
        return
    ours = next((k for k in ("report", "backtest") if generator(k).encode() in head), None)
    got = f"an {PAGE} that is no {kind}" + (f" but a {ours}" if ours else "")
    raise OutputError("the folder holds another page", where=str(folder), got=got, do="name another folder")


def report_files(report: Report, folder: Path) -> Path:
    """Write all three, each whole or not at all, the page last; returns the page's path.

    Raises
    ------
    OutputError
        The folder can't be made or written, or `check_folder` refuses it.
    """
    check_folder(folder, "report")
    return _written({FIGURES: _json(figures(report)), CARD: render_card(report), PAGE: render(report)}, folder)


def replay_files(replay: Replay, folder: Path) -> Path:
    """Write a backtest's two, each whole or not at all, the page last; returns the page's path.

    Raises
    ------
    OutputError
        The folder can't be made or written, or `check_folder` refuses it.
    """
    check_folder(folder, "backtest")
    return _written({BACKTEST: _json(replay_figures(replay)), PAGE: render_replay(replay)}, folder)


def knowledge_files(knowledge: Knowledge, *, figures: Path | None = None, page: Path | None = None) -> None:
    """Write what `triage articles` found where it is wanted: all of it as JSON, and as a page.

    Raises
    ------
    OutputError
        A file can't be written.
    """
    if figures is not None:
        _one(figures, _json(asdict(knowledge)))
    if page is not None:
        _one(page, render_knowledge(knowledge))


def _one(path: Path, text: str) -> None:
    try:
        _write(path, text.encode("utf-8"))
    except OSError as error:
        got = os.strerror(error.errno or 0)
        raise OutputError("a file can't be written", where=str(path), got=got, do="check the path") from error


def _written(contents: dict[str, str], folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            _write(folder / name, text.encode("utf-8"))
    except OSError as error:
        what = "the report can't be written"
        raise OutputError(
            what, where=str(folder), got=os.strerror(error.errno or 0), do="name another folder"
        ) from error
    return folder / PAGE


def figures(report: Report) -> dict[str, Any]:
    """`{model: {metric: {value, low, high, baselines}}}`, and what else the report has.

    `waiting` (by age, of alerts), `articles`, `replies`, `inner` (of both, from a training), `promise`.
    """
    found: dict[str, Any] = {
        model.name: {
            metric.name: {
                "value": metric.scorer.value,
                "low": metric.scorer.low,
                "high": metric.scorer.high,
                "baselines": {b.name: b.estimate.value for b in metric.baselines},
            }
            for metric in model.metrics
        }
        for model in report.models
        if model.metrics
    }
    for waiting in [m.waiting for m in report.models if m.waiting is not None]:
        found["waiting"] = _waiting(waiting)
    if report.articles is not None:
        about = report.articles
        found["articles"] = {
            metric.name: {"value": metric.scorer.value, "low": metric.scorer.low, "high": metric.scorer.high}
            for metric in about.metrics
        } | {"tickets": about.tickets, "shown": about.shown, "none": about.none, "none_of_all": about.none_of_all}
    if report.replies is not None:
        replies = report.replies
        found["replies"] = {
            name: {"value": of.value, "low": of.low, "high": of.high}
            for name, of in (("right", replies.right), ("similar right", replies.similar))
        } | {"tickets": replies.tickets, "shown": replies.shown, "judged": replies.judged, "compared": replies.compared}
    if report.inner:
        found["inner"] = {part.name: dict(part.figures) | {"tickets": part.tickets} for part in report.inner}
    if report.promise is not None:
        whole = report.promise.whole
        found["promise"] = {
            "verdict": report.promise.verdict,
            "asked": report.promise.asked,
            "error_if_all": report.promise.error_if_all,
            "tickets": whole.tickets if whole else None,
            "routed": whole.routed if whole else None,
            "wrong": whole.wrong if whole else None,
            "error": {"value": whole.error.value, "low": whole.error.low, "high": whole.error.high} if whole else None,
        }
    return found


def replay_figures(replay: Replay) -> dict[str, Any]:
    """Every number of the page but the curves; null where there is none."""
    return {
        "scorer_version": replay.scorer_version,
        "synthetic": replay.synthetic,
        "first_ticket": replay.first_ticket,
        "last_ticket": replay.last_ticket,
        "tickets": replay.tickets,
        "left_out": replay.left_out,
        "hands": replay.hands,
        "handling_hours": replay.handling_hours,
        "clock": replay.clock,
        "urgent": replay.urgent,
        **_backtest(replay.result),
        "staffing": [{"hands": hands, **_backtest(result)} for hands, result in replay.staffing],
        "costs": dict(replay.costs),
        "notes": list(replay.notes),
        "assumptions": list(replay.result.assumptions),
    }


def _backtest(result: Backtest) -> dict[str, Any]:
    orders = {"first_come": result.first_come, "predicted": result.predicted, "oracle": result.oracle}
    return {"load": _number(result.load), **{name: _replayed(order) for name, order in orders.items()}}


def _replayed(order: Replayed) -> dict[str, Any]:
    return {
        "urgent": _waits(order.urgent),
        "rest": _waits(order.rest),
        "sla_missed": _number(order.sla_missed),
        "handled": order.handled,
        "mean_queue": _number(order.mean_queue),
    }


def _waits(waits: Waits) -> dict[str, Any]:
    return {"tickets": waits.tickets, **{name: _number(getattr(waits, name)) for name in ("median", "p90", "mean")}}


def _number(value: float) -> float | None:
    return value if known(value) else None


def _json(found: dict[str, Any]) -> str:
    return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _waiting(section: Waiting) -> dict[str, Any]:
    """The figures by age and of alerts, without what is only drawn."""

    def kept(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {name: value for name, value in pairs if name not in DRAWN}

    return asdict(section, dict_factory=kept)


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    fresh.replace(path)
