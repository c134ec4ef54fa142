"""Writes a report's three files: the page, the model card, and the figures for scripts."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pipeline.errors import OutputError
from pipeline.pages.card import render_card
from pipeline.pages.page import render
from pipeline.pages.report import Report

PAGE, CARD, FIGURES = "index.html", "model_card.md", "metrics.json"


def report_files(report: Report, folder: Path) -> Path:
    """Write all three, each whole or not at all, the page last; returns the page's path.

    Raises
    ------
    OutputError
        The folder can't be made or written.
    """
    contents = {
        FIGURES: json.dumps(figures(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        CARD: render_card(report),
        PAGE: render(report),
    }
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
    """`{model: {metric: {value, low, high, baselines}}}`, and the promise's figures under `promise`."""
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


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    fresh.replace(path)
