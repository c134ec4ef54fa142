"""The charts of the report: reliability, risk by coverage, the promise over time, gains, precision by recall, levels.

Drawn `svg.WIDTH` wide: readable on a phone as they are, two or three side by side on a desk. Colour never carries a
meaning alone: the scorer is filled, rivals are thin or hollow, a broken promise has a cross.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from pipeline.pages.figures import Calibration, Curve, Gains, LevelConfusion, Promise, PromisePeriod, RiskCoverage
from pipeline.pages.formats import compact, count, decimal, interval, listing, month_label, percent, shorten
from pipeline.pages.svg import (
    WIDTH,
    Scale,
    dot,
    element,
    line,
    nice_ceiling,
    path,
    picture,
    rect,
    spread,
    text,
    ticks,
    tooltip,
)

LEFT, RIGHT, TOP = 44.0, 308.0, 28.0
HEIGHT, BOTTOM = 254.0, 210.0
MARGIN = 266.0
"""Right end of the promise's plot: what was asked is written beside its line."""


def reliability(calibration: Calibration) -> Markup:
    """Probability said against the share that came true, one dot a bin; the stroke to the diagonal is the error."""
    top = min(1.0, nice_ceiling(max((max(b.predicted, b.observed) for b in calibration.bins), default=1.0)))
    x, y = Scale(0, top, LEFT, RIGHT), Scale(0, top, BOTTOM, TOP)
    parts = frame(x, y, "said", "came true")
    parts.append(line(x(0), y(0), x(top), y(top), "guide"))
    parts.append(text(x(top), y(top) - 5, "as said", anchor="end", class_="quiet"))
    for b in calibration.bins:
        parts.append(line(x(b.predicted), y(b.predicted), x(b.predicted), y(b.observed), "error"))
    for b in calibration.bins:
        tip = f"said {percent(b.predicted)}, came true {percent(b.observed)}, {count(b.n)} tickets"
        parts.append(dot(x(b.predicted), y(b.observed), 4, "mark", tip))
    label = f"Reliability: {calibration.says}. Calibration error {decimal(calibration.ece.value)}."
    return picture(parts, height=HEIGHT, label=label)


def risk_coverage(section: RiskCoverage) -> Markup:
    """Share wrong among the tickets that the machine keeps, surest first."""
    top = nice_ceiling(max((wrong for _, wrong in section.curve), default=1.0))
    x, y = Scale(0, 1, LEFT, RIGHT), Scale(0, top, BOTTOM, TOP)
    parts = frame(x, y, "routed by the machine, surest first", "wrong among them")
    for limit, kept in ((0.10, section.coverage_at_90), (0.05, section.coverage_at_95)):
        if limit < top and kept > 0:
            parts.append(line(x(0), y(limit), x(kept), y(limit), "guide"))
            parts.append(line(x(kept), y(limit), x(kept), y(0), "guide"))
    parts.append(path([(x(a), y(b)) for a, b in section.curve], "curve"))
    if section.curve:
        share, wrong = section.curve[-1]
        parts.append(text(x(share), y(wrong) - 7, f"all: {percent(wrong)}", anchor="end", class_="quiet"))
    if section.chosen:
        share, wrong = section.chosen
        parts.append(dot(x(share), y(wrong), 4.5, "mark", "where the scorer works"))
        parts += _beside(x(share), y(wrong), (f"{percent(share)} routed,", f"{percent(wrong)} wrong"))
    label = f"Share wrong by share routed; area under the curve {decimal(section.aurc)}."
    return picture(parts, height=HEIGHT, label=label)


def gains(section: Gains) -> Markup:
    """Share of escalations found by share of tickets reviewed, riskiest first."""
    x, y = Scale(0, 1, LEFT, RIGHT), Scale(0, 1, BOTTOM, TOP)
    parts = frame(x, y, "tickets reviewed, riskiest first", "escalations found")
    parts.append(path([(x(0), y(0)), (x(section.base_rate), y(1)), (x(1), y(1))], "guide"))
    parts.append(path([(x(0), y(0)), (x(1), y(1))], "guide"))
    parts.append(text(x(0.99), y(1) - 5, "at best", anchor="end", class_="quiet"))
    parts.append(text(x(1), y(0.64), "by chance", anchor="end", class_="quiet"))
    parts.append(path([(x(a), y(b)) for a, b in section.gains], "curve"))
    shown = [w for w in section.workloads if w.recall.value is not None]
    heights = spread([y(w.recall.value or 0) + 15 for w in shown], 15, TOP, BOTTOM - 4)
    for work, height in zip(shown, heights, strict=True):
        found = work.recall.value or 0.0
        tip = f"{percent(work.share)} reviewed, {percent(found)} found"
        parts.append(dot(x(work.share), y(found), 4.5, "mark", tip))
        side, anchor = (-9, "end") if work.share > 0.65 else (9, None)
        words = f"{percent(found)} in {percent(work.share)}"
        parts.append(text(x(work.share) + side, height, words, anchor=anchor, class_="strong"))
    label = "Escalations found by share reviewed: " + listing(
        [f"{percent(w.recall.value)} found in {percent(w.share)}" for w in shown] or ["no workload given"]
    )
    return picture(parts, height=HEIGHT, label=label)


def precision_recall(section: Gains) -> Markup:
    """Precision by recall, as steps; the thin line is what chance gives."""
    steady = [p for r, p in section.precision_recall if r >= 0.05] or [p for _, p in section.precision_recall]
    top = min(1.0, nice_ceiling(1.05 * max([*steady, section.base_rate])))
    x, y = Scale(0, 1, LEFT, RIGHT), Scale(0, top, BOTTOM, TOP)
    parts = frame(x, y, "escalations found", "of those flagged, escalated")
    parts.append(line(x(0), y(section.base_rate), x(1), y(section.base_rate), "guide"))
    words = f"base rate {percent(section.base_rate)}"
    parts.append(text(x(0) + 5, y(section.base_rate) - 5, words, class_="quiet"))
    parts.append(path(steps([(x(a), y(b)) for a, b in section.precision_recall]), "curve"))
    label = f"Precision by recall; average precision {decimal(section.average_precision.value)}."
    return picture(parts, height=HEIGHT, label=label)


def promise(section: Promise) -> Markup:
    """Realised error of each period with its interval, against what was asked; the share routed stands below."""
    periods = [*section.periods, *([section.whole] if section.whole and len(section.periods) != 1 else [])]
    tops = [v for p in periods for v in (p.error.high, p.error.value) if v is not None]
    top = min(1.0, nice_ceiling(1.1 * max([*tops, section.asked or 0.0, 0.01])))
    y, step = Scale(0, top, 172.0, TOP), (MARGIN - LEFT) / max(len(periods), 1)
    parts = [*height_axis(y, "wrong among the routed"), line(LEFT, 172, MARGIN, 172, "axis")]
    if section.asked is not None:
        parts.append(line(LEFT, y(section.asked), MARGIN, y(section.asked), "limit"))
        parts.append(text(MARGIN + 5, y(section.asked) - 3, "asked:", class_="quiet"))
        parts.append(text(MARGIN + 5, y(section.asked) + 11, f"≤ {percent(section.asked)}", class_="strong"))
    for i, period in enumerate(periods):
        parts += _period(period, LEFT + (i + 0.5) * step, y, section, i == len(section.periods))
    names = [p.name for p in section.periods] + ["all"] * (len(periods) - len(section.periods))
    parts += _names_below(names, step, 188.0)
    parts.append(text(LEFT - 6, 228, "routed", anchor="end", class_="quiet"))
    parts += _routed_below(periods, step)
    label = f"Share wrong among the routed, by period; asked: at most {percent(section.asked)}; {section.verdict}."
    return picture(parts, height=HEIGHT, label=label)


def levels(section: LevelConfusion) -> Markup:
    """Counts of true level by predicted level; the darker, the larger the share of its row."""
    n = max(len(section.levels), 1)
    left, top = 84.0, 40.0
    size = min(56.0, (RIGHT - left) / n)
    parts = [text(left, 12, "said →", class_="quiet"), text(left - 8, 12, "true ↓", anchor="end", class_="quiet")]
    for i, (level, row) in enumerate(zip(section.levels, section.counts, strict=True)):
        parts.append(text(left + (i + 0.5) * size, top - 8, shorten(level, int(size / 6.2)), anchor="middle"))
        parts.append(text(left - 8, top + (i + 0.5) * size + 4, shorten(level, 12), anchor="end"))
        total = sum(row)
        for j, cell in enumerate(row):
            parts += _cell(left + j * size, top + i * size, size, cell, cell / total if total else 0.0, i == j)
    label = f"True level by predicted level, {count(sum(map(sum, section.counts)))} tickets; the table follows."
    return picture(parts, height=top + n * size + 8, label=label)


def _cell(x: float, y: float, size: float, cell: int, share: float, diagonal: bool) -> list[Markup]:
    box = rect(x + 1, y + 1, size - 2, size - 2, "heat", opacity=round(0.05 + 0.95 * share, 3))
    words = text(
        x + size / 2,
        y + size / 2 + 4,
        compact(cell, int(size / 7)),
        anchor="middle",
        class_="on" if share > 0.5 else "off",
    )
    ring = [rect(x + 1, y + 1, size - 2, size - 2, "ring")] if diagonal else []
    return [element("g", tooltip(f"{count(cell)} tickets, {percent(share)} of this row"), box, words, *ring)]


def _period(period: PromisePeriod, x: float, y: Scale, section: Promise, whole: bool) -> list[Markup]:
    error = period.error
    if error.value is None:
        return [text(x, y(0) - 5, "none", anchor="middle", class_="quiet")]
    parts = []
    if error.low is not None and error.high is not None:
        parts.append(line(x, y(error.low), x, y(error.high), "whisker"))
    broken = section.asked is not None and error.low is not None and error.low > section.asked
    tip = f"{period.name}: {count(period.wrong)} of {count(period.routed)} wrong, {percent(error.value)}"
    tip += f" ({interval(error, as_share=True)})" if interval(error) else ""
    parts.append(dot(x, y(error.value), 5.5 if whole else 4, "cross" if broken else "mark", tip))
    if broken:
        at = y(error.value)
        parts += [line(x - 7, at - 7, x + 7, at + 7, "strike"), line(x - 7, at + 7, x + 7, at - 7, "strike")]
    return parts


def _names_below(names: Sequence[str], step: float, y: float) -> list[Markup]:
    """Months with their year under the first of each; only as many as fit."""
    every = max(1, -(-34 // max(int(step), 1)))
    parts, year = [], ""
    for i, name in enumerate(names):
        if i % every and i != len(names) - 1:
            continue
        short, this_year = month_label(name)
        parts.append(text(LEFT + (i + 0.5) * step, y, shorten(short, max(3, int(step * every / 6.5))), anchor="middle"))
        if this_year and this_year != year:
            parts.append(text(LEFT + (i + 0.5) * step, y + 14, this_year, anchor="middle", class_="quiet"))
        year = this_year or year
    return parts


def _routed_below(periods: Sequence[PromisePeriod], step: float) -> list[Markup]:
    parts = []
    for i, period in enumerate(periods):
        x, share = LEFT + (i + 0.5) * step, period.routed / period.tickets if period.tickets else 0.0
        width = min(step * 0.7, 30.0)
        parts.append(rect(x - width / 2, 214, width, 20, "trough"))
        parts.append(rect(x - width / 2, 234 - 20 * share, width, 20 * share, "bar"))
        if step >= 30:
            parts.append(text(x, 247, f"{100 * share:.0f} %", anchor="middle", class_="quiet"))
    return parts


def frame(x: Scale, y: Scale, across: str, up: str) -> list[Markup]:
    """Two quiet axes with ticks at round shares, and their names in words."""
    parts = [*height_axis(y, up), line(x.start, y.start, x.end, y.start, "axis")]
    for value in ticks(x.high):
        parts += [line(x(value), y.start, x(value), y.start + 4, "axis")]
        parts.append(text(x(value), y.start + 18, percent(value), anchor="middle"))
    parts.append(text((x.start + x.end) / 2, y.start + 38, across, anchor="middle", class_="quiet"))
    return parts


def height_axis(y: Scale, up: str) -> list[Markup]:
    parts = [text(2, 10, f"{up} ↑", class_="quiet"), line(LEFT, y.start, LEFT, y.end, "axis")]
    for value in ticks(y.high):
        parts.append(line(LEFT - 4, y(value), LEFT, y(value), "axis"))
        parts.append(text(LEFT - 7, y(value) + 4, percent(value), anchor="end"))
    return parts


def _beside(x: float, y: float, lines: Sequence[str]) -> list[Markup]:
    """Short lines where a rising curve leaves room: right below a point, or left above it near the right edge."""
    left = x + 8 + 7.0 * max(map(len, lines)) > WIDTH
    first = y - 8 - 15 * (len(lines) - 1) if left else min(y + 14, BOTTOM - 5 - 15 * (len(lines) - 1))
    at, anchor = (x - 8, "end") if left else (x + 8, None)
    return [text(at, first + 15 * i, words, anchor=anchor, class_="strong") for i, words in enumerate(lines)]


def steps(points: Sequence[tuple[float, float]]) -> Curve:
    """Precision holds from the last recall up to this one: horizontal, then vertical."""
    drawn: list[tuple[float, float]] = []
    for x, y in points:
        if drawn:
            drawn.append((drawn[-1][0], y))
        drawn.append((x, y))
    return tuple(drawn)
