"""SVG elements, scales and axes: small pure functions from numbers to markup; every text is escaped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from pipeline.pages.formats import printable

WIDTH = 320
"""Charts are drawn this wide, so that they are readable on a phone as they are and stand side by side on a desk."""

Attribute = str | float | int | None


@dataclass(frozen=True)
class Scale:
    """A straight line from values (`low`, `high`) to positions (`start`, `end`)."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Position of a value; values outside are drawn at the edge, undefined ones at the start."""
        if not math.isfinite(value):
            return self.start
        span = self.high - self.low
        share = 0.0 if span == 0 else (min(max(value, self.low), self.high) - self.low) / span
        return round(self.start + share * (self.end - self.start), 1)


def element(name: str, *children: Markup, **attributes: Attribute) -> Markup:
    """One element; `class_` and `text_anchor` become `class` and `text-anchor`; None is left out."""
    pairs = [(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items() if value is not None]
    head = "".join(f' {key}="{escape(printable(_short(value)))}"' for key, value in pairs)
    return Markup(f"<{name}{head}>{''.join(children)}</{name}>")


def text(x: float, y: float, words: str, *, anchor: str | None = None, class_: str | None = None) -> Markup:
    """Words at a place; `anchor`: start (default), middle, end."""
    return element("text", escape(printable(words)), x=x, y=y, text_anchor=anchor, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def rect(x: float, y: float, width: float, height: float, class_: str, *, opacity: float | None = None) -> Markup:
    """A filled rectangle."""
    return element("rect", x=x, y=y, width=max(width, 0), height=max(height, 0), class_=class_, fill_opacity=opacity)


def dot(x: float, y: float, radius: float, class_: str, tip: str = "") -> Markup:
    """A dot, with words on hovering."""
    return element("circle", *([tooltip(tip)] if tip else []), cx=x, cy=y, r=radius, class_=class_)


def tooltip(words: str) -> Markup:
    """A `title` element: shown on hovering, read by screen readers."""
    return element("title", escape(printable(words)))


def path(points: Iterable[tuple[float, float]], class_: str, *, close: bool = False) -> Markup:
    """A line through points."""
    drawn = "L".join(f"{_short(x)},{_short(y)}" for x, y in points)
    return element("path", d=f"M{drawn}{'Z' if close else ''}", class_=class_) if drawn else Markup("")


def picture(
    parts: Sequence[Markup], *, height: float, label: str, width: float = WIDTH, class_: str = "chart"
) -> Markup:
    """The whole drawing, with words for those who can't see it."""
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {_short(width)} {_short(height)}",
        width=width,
        height=height,
        class_=class_,
        role="img",
        aria_label=label,
    )


def nice_ceiling(value: float) -> float:
    """The least of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 × 10^k that isn't below the value."""
    if not value > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    steps = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
    return float(f"{next(s for s in steps if s * power >= value * (1 - 1e-9)) * power:.6g}")


def ticks(high: float, low: float = 0.0, most: int = 5) -> list[float]:
    """Round values from `low` to `high`."""
    span = high - low
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw)) if raw > 0 else 1.0
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [float(f"{i * step:.6g}") for i in range(first, math.floor(high / step + 1e-9) + 1)]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near the wanted ones, in the same order, at least `gap` apart: for labels that would overlap."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed: dict[int, float] = {}
    floor = low
    for i in order:
        placed[i] = max(wanted[i], floor)
        floor = placed[i] + gap
    ceiling = high
    for i in reversed(order):
        placed[i] = min(placed[i], ceiling)
        ceiling = placed[i] - gap
    return [placed[i] for i in range(len(wanted))]


def _short(value: Attribute) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value)
