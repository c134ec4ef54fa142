"""What a verb prints on the terminal: the headline of a report, and of a backtest."""

from __future__ import annotations

from pipeline.pages.backtest import Replay, Waits, cautions
from pipeline.pages.formats import decimal, percent, plural
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


def replayed(replay: Replay) -> str:
    """Waits of urgent tickets and of the rest under each order; what weakens them below."""
    heads = ("order", "urgent: median", "90 %", "mean", "the rest: median", "90 %", "mean", "SLA missed", "mean queue")
    rows = [
        (name, *_waits(o.urgent), *_waits(o.rest), percent(o.sla_missed), decimal(o.mean_queue, 1))
        for name, o in replay.result.orders.items()
    ]
    counts = f"{replay.result.first_come.urgent.tickets:,} urgent ({replay.urgent})"
    told = (
        f"{replay.tickets:,} tickets, {counts}; {plural(replay.hands, 'hand')}, load {percent(replay.result.load)}; "
        f"waits in {replay.clock}"
    )
    return "\n".join([text_table(heads, rows), told, *(f"! {line}" for line in cautions(replay))])


def _waits(waits: Waits) -> tuple[str, ...]:
    return tuple(decimal(hours, 2) for hours in (waits.median, waits.p90, waits.mean))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
