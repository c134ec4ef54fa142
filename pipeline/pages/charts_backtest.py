"""The charts of a backtest: waits of urgent tickets and of the rest under three orders, and by number of hands."""

from __future__ import annotations

import math

from markupsafe import Markup

from pipeline.pages.backtest import Backtest, Replay
from pipeline.pages.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, height_axis
from pipeline.pages.figures import Curve, known
from pipeline.pages.formats import count, decimal, listing, percent
from pipeline.pages.svg import Scale, dot, line, path, picture, text

MARKS = (("first come", "plain"), ("predicted", "curve"), ("truth known", "guide"))
"""The three orders in short, and how the line of each is drawn: grey, thick, dashed."""

KEY = HEIGHT + 14.0
"""Height at which the lines are named, below the axis."""

HOURS = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10_000.0)
MINUTES = (0.0, 0.1, 0.2, 0.5, 1.0)
"""Ticks of an axis of hours, which is drawn by log(1 + hours): where no wait is above an hour, the second."""


def waits(result: Backtest, replay: Replay, *, of_urgent: bool) -> Markup:
    """Share of tickets taken within so many hours, a curve for each order; both groups on one axis of hours."""
    shown = [order.urgent if of_urgent else order.rest for order in result.orders.values()]
    every = [w for order in result.orders.values() for w in (order.urgent, order.rest)]
    longest = max([w.curve[-1][0] for w in every if w.curve] or [1.0])
    x, y = _hours_scale(longest, LEFT, RIGHT), Scale(0, 1, BOTTOM, TOP)
    parts = [*height_axis(y, "taken"), line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis")]
    for hours in _ticks(longest):
        at = x(math.log1p(hours))
        parts += [line(at, BOTTOM, at, BOTTOM + 4, "axis"), text(at, BOTTOM + 18, f"{hours:g}", anchor="middle")]
    parts.append(text((LEFT + RIGHT) / 2, BOTTOM + 38, f"{replay.clock} waited", anchor="middle", class_="quiet"))
    for i, ((name, mark), group) in enumerate(zip(MARKS, shown, strict=True)):
        drawn = [(x(math.log1p(h)), y(share)) for h, share in _steps(group.curve)]
        parts.append(path([*drawn, (RIGHT, y(1))] if drawn else [], mark))
        at = LEFT + 92 * i
        parts += [line(at, KEY - 4, at + 17, KEY - 4, mark), text(at + 22, KEY, name)]
    said = listing([f"{name} median {decimal(w.median, 1)}" for (name, _), w in zip(MARKS, shown, strict=True)])
    kind = "that turned out urgent" if of_urgent else "of the rest"
    return picture(parts, height=KEY + 8, label=f"Waits of the tickets {kind}, in {replay.clock}: {said}.")


def staffing(replay: Replay) -> Markup:
    """Mean wait of the urgent tickets by number of hands: first come, first served (ring), predicted (filled)."""
    seen = [m for _, r in replay.staffing for m in (r.first_come.urgent.mean, r.predicted.urgent.mean) if known(m)]
    longest = max([*seen, 0.1])
    y, step = _hours_scale(longest, BOTTOM - 14, TOP), (RIGHT - LEFT) / max(len(replay.staffing), 1)
    parts = [text(2, 10, f"mean wait of urgent tickets, {replay.clock} ↑", class_="quiet")]
    parts += [line(LEFT, BOTTOM - 14, RIGHT, BOTTOM - 14, "axis"), line(LEFT, BOTTOM - 14, LEFT, TOP, "axis")]
    for hours in _ticks(longest):
        at = y(math.log1p(hours))
        parts += [line(LEFT - 4, at, LEFT, at, "axis"), text(LEFT - 7, at + 4, f"{hours:g}", anchor="end")]
    for i, (hands, result) in enumerate(replay.staffing):
        x, first, then = LEFT + (i + 0.5) * step, result.first_come.urgent.mean, result.predicted.urgent.mean
        if known(first) and known(then):
            parts.append(line(x, y(math.log1p(first)), x, y(math.log1p(then)), "error"))
            parts.append(dot(x, y(math.log1p(first)), 4.5, "rival", f"first come, first served {decimal(first, 1)}"))
            parts.append(dot(x, y(math.log1p(then)), 4.5, "mark", f"predicted order {decimal(then, 1)}"))
        chosen = "strong" if hands == replay.hands else None
        parts.append(text(x, BOTTOM + 4, count(hands), anchor="middle", class_=chosen))
        parts.append(text(x, BOTTOM + 20, percent(result.load), anchor="middle", class_="quiet"))
    parts.append(text(LEFT - 7, BOTTOM + 4, "hands", anchor="end", class_="quiet"))
    parts.append(text(LEFT - 7, BOTTOM + 20, "load", anchor="end", class_="quiet"))
    said = listing([f"{count(n)} hands {decimal(r.predicted.urgent.mean, 1)}" for n, r in replay.staffing])
    return picture(parts, height=HEIGHT - 14, label=f"Mean wait of urgent tickets, predicted order: {said}.")


def _hours_scale(longest: float, start: float, end: float) -> Scale:
    return Scale(0, math.log1p(max(longest, 0.05)), start, end)


def _ticks(longest: float) -> list[float]:
    return [h for h in (HOURS if longest > MINUTES[-1] else MINUTES) if h <= longest]


def _steps(curve: Curve) -> Curve:
    """A share holds until the next wait: horizontal, then vertical."""
    drawn, share = [], 0.0
    for hours, reached in curve:
        drawn += [(hours, share), (hours, reached)]
        share = reached
    return tuple(drawn)
