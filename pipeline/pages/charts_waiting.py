"""The charts of the risk through a ticket's life: what the history adds, gains and precision at ages, time won."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from pipeline.pages.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, frame, height_axis, steps
from pipeline.pages.figures import Curve
from pipeline.pages.formats import count, decimal, percent
from pipeline.pages.svg import Scale, dot, line, nice_ceiling, path, picture, spread, text
from pipeline.pages.waiting import AtAge, Lead, Waiting, age_words

ROOM = 262.0
"""Right end of a plot whose curves are named beside it."""

HOURS = (1.0, 4.0, 24.0, 72.0, 168.0)


def history(section: Waiting) -> Markup:
    """Average precision at each age: of the risk with the history (filled), and of that at creation alone (ring)."""
    ages = [a for a in section.ages if a.average_precision.value is not None]
    seen = [v for a in ages for v in (a.average_precision.high, a.average_precision.value) if v is not None]
    top = min(1.0, nice_ceiling(max([*seen, 0.01])))
    y, step = Scale(0, top, BOTTOM, TOP), (RIGHT - LEFT) / max(len(ages), 1)
    parts = [*height_axis(y, "average precision"), line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis")]
    for i, age in enumerate(ages):
        x, figure = LEFT + (i + 0.5) * step, age.average_precision
        parts.append(line(x - step * 0.3, y(age.base_rate), x + step * 0.3, y(age.base_rate), "guide"))
        if figure.low is not None and figure.high is not None:
            parts.append(line(x, y(figure.low), x, y(figure.high), "whisker"))
        alone = age.alone.average_precision
        if alone is not None:
            parts.append(dot(x, y(alone), 4, "rival", f"at creation alone {decimal(alone)}"))
        parts.append(dot(x, y(figure.value or 0), 4.5, "mark", f"with the history {decimal(figure.value)}"))
        parts.append(text(x, BOTTOM + 18, _short(age.hours), anchor="middle"))
    parts.append(text((LEFT + RIGHT) / 2, BOTTOM + 38, "age of the ticket", anchor="middle", class_="quiet"))
    words = ", ".join(f"{age_words(a.hours)} {decimal(a.average_precision.value)}" for a in ages)
    return picture(parts, height=HEIGHT, label=f"Average precision by age: {words}.")


def gains(section: Waiting) -> Markup:
    """Share of escalations found by share of tickets reviewed, a curve for each age."""
    x, y = Scale(0, 1, LEFT, ROOM), Scale(0, 1, BOTTOM, TOP)
    parts = frame(x, y, "tickets reviewed, riskiest first", "escalations found")
    parts.append(path([(x(0), y(0)), (x(1), y(1))], "guide"))
    parts += _curves(section.ages, [a.gains for a in section.ages], x, y, at=0.25)
    return picture(parts, height=HEIGHT, label="Escalations found by share reviewed, by age.")


def precision_recall(section: Waiting) -> Markup:
    """Precision by recall, a curve for each age."""
    steady = [p for a in section.ages for r, p in a.precision_recall if r >= 0.05]
    top = min(1.0, nice_ceiling(1.05 * max(steady, default=1.0)))
    x, y = Scale(0, 1, LEFT, ROOM), Scale(0, top, BOTTOM, TOP)
    parts = frame(x, y, "escalations found", "of those flagged, escalated")
    parts += _curves(section.ages, [steps(a.precision_recall) for a in section.ages], x, y, at=0.3)
    return picture(parts, height=HEIGHT, label="Precision by recall, by age.")


def reliability(section: Waiting) -> Markup:
    """Risk said against the share that came true, a line for each age."""
    tops = [max(b.predicted, b.observed) for a in section.ages for b in a.bins]
    top = min(1.0, nice_ceiling(max(tops, default=1.0)))
    x, y = Scale(0, top, LEFT, ROOM), Scale(0, top, BOTTOM, TOP)
    parts = frame(x, y, "said", "came true")
    parts.append(line(x(0), y(0), x(top), y(top), "guide"))
    curves = [tuple((b.predicted, b.observed) for b in a.bins) for a in section.ages]
    parts += _curves(section.ages, curves, x, y, at=None)
    return picture(parts, height=HEIGHT, label="Reliability of the risk, by age.")


def lead(section: Lead) -> Markup:
    """Share of all escalations that were alerted at least so many hours before; dashed: flagging all at creation."""
    longest = max([HOURS[-1], *(h for h, _ in section.ceiling_curve)])
    x, y = Scale(0, math.log1p(longest), LEFT, RIGHT), Scale(0, 1, BOTTOM, TOP)
    parts = [*height_axis(y, "escalations alerted"), line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis")]
    for hours in HOURS:
        at = x(math.log1p(hours))
        parts += [line(at, BOTTOM, at, BOTTOM + 4, "axis"), text(at, BOTTOM + 18, _short(hours), anchor="middle")]
    parts.append(text((LEFT + RIGHT) / 2, BOTTOM + 38, "at least so long before", anchor="middle", class_="quiet"))
    for curve, mark in ((section.ceiling_curve, "guide"), (section.curve, "curve")):
        parts.append(path([(x(math.log1p(h)), y(share)) for h, share in steps(curve)], mark))
    parts.append(text(RIGHT, TOP + 4, "all flagged at creation", anchor="end", class_="quiet"))
    caught = section.caught / section.escalations if section.escalations else 0.0
    parts.append(text(LEFT + 6, y(caught) - 6, f"{percent(caught)} alerted", class_="strong"))
    label = f"{count(section.caught)} of {count(section.escalations)} escalations were alerted before they happened."
    return picture(parts, height=HEIGHT, label=label)


def _curves(ages: Sequence[AtAge], curves: Sequence[Curve], x: Scale, y: Scale, *, at: float | None) -> list[Markup]:
    """Curves from the palest (the youngest) to the darkest, each named on the right at the height of its end."""
    drawn = [(a, c) for a, c in zip(ages, curves, strict=True) if c]
    parts = []
    for i, (_, curve) in enumerate(drawn):
        parts.append(path([(x(a), y(b)) for a, b in curve], f"curve age-{min(i, 5)}"))
    ends = [_height(curve, at) for _, curve in drawn]
    for i, ((age, _), place) in enumerate(zip(drawn, spread([y(e) + 4 for e in ends], 14, TOP, BOTTOM), strict=True)):
        parts.append(line(ROOM + 4, place - 4, ROOM + 12, place - 4, f"curve age-{min(i, 5)}"))
        parts.append(text(ROOM + 15, place, _short(age.hours)))
    return parts


def _height(curve: Curve, at: float | None) -> float:
    return curve[-1][1] if at is None else next((b for a, b in curve if a >= at), curve[-1][1])


def _short(hours: float) -> str:
    return "new" if hours == 0 else f"{hours:g} h" if hours < 48 else f"{hours / 24:g} d"
