"""What a verb prints on the terminal: the headline of a report."""

from __future__ import annotations

from pipeline.pages.report import Report
from pipeline.pages.tables import text_table


def headline(report: Report) -> str:
    """The scorer beside its baselines, one line a metric; warnings below."""
    rows: list[tuple[str, str, str, str, str]] = []
    for model in report.models:
        if not model.metrics:
            rows.append((model.name, model.verdict, "", "", ""))
        for metric in model.metrics:
            rivals = ", ".join(f"{b.name} {_number(b.estimate.value)}" for b in metric.baselines)
            span = "" if metric.scorer.low is None else f"{_number(metric.scorer.low)} … {_number(metric.scorer.high)}"
            rows.append((model.name, metric.name, _number(metric.scorer.value), span, rivals))
    lines = [text_table(("model", "metric", "scorer", "95 % interval", "baselines"), rows)]
    if report.promise is not None and report.promise.asked is not None:
        asked = f"promise: at most {report.promise.asked:.1%} wrong among the routed"
        lines.append(f"{asked}: {report.promise.verdict}. {report.promise.reason}".rstrip())
    lines += [f"! {w.what}" for w in report.warnings]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
