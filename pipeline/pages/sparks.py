"""Small pictures for the cells of a table: a figure beside its rivals, a slice beside the whole, a label over time."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from pipeline.pages.figures import Estimate, Metric, known
from pipeline.pages.findings import Drift, LabelLife, Taxonomy
from pipeline.pages.formats import count, decimal, metric_words, percent
from pipeline.pages.svg import Scale, dot, element, line, nice_ceiling, path, picture, rect, text, tooltip

ROW = 22.0
BASELINE_MARKS = ("stroke", "diamond", "ring", "square")
"""Forms of the rivals, in the order in which they are listed: told apart without colour."""


def compare(metric: Metric, order: Sequence[str], *, width: float = 236.0) -> Markup:
    """The scorer (dot and interval) and its rivals on one line from 0 to 1, or to a round value above all."""
    rivals = {b.name: b.estimate.value for b in metric.baselines if b.estimate.value is not None}
    seen = [v for v in (metric.scorer.value, metric.scorer.low, metric.scorer.high, *rivals.values()) if v is not None]
    high, low = (1.0 if max(seen, default=0) <= 1 else nice_ceiling(max(seen))), min([0.0, *seen])
    x = Scale(low, high, 6, width - 6)
    parts = [line(x.start, ROW / 2, x.end, ROW / 2, "hair"), line(x(0), 5, x(0), ROW - 5, "hair")]
    for i, name in enumerate(order):
        if name in rivals:
            parts.append(rival(x(rivals[name]), i, f"{name} {decimal(rivals[name])}"))
    parts += _estimate(metric.scorer, x)
    label = f"{metric_words(metric.name)}: scorer {decimal(metric.scorer.value)}" + "".join(
        f", {name} {decimal(value)}" for name, value in rivals.items()
    )
    return picture(parts, height=ROW, width=width, label=label, class_="spark")


def rival(x: float, place: int, tip: str = "") -> Markup:
    """The form of the rival at this place of the list."""
    y, tips = ROW / 2, [tooltip(tip)] if tip else []
    match BASELINE_MARKS[place % len(BASELINE_MARKS)]:
        case "stroke":
            return element("line", *tips, x1=x, y1=y - 6, x2=x, y2=y + 6, class_="rival")
        case "diamond":
            return element("path", *tips, d=f"M{x},{y - 5}L{x + 5},{y}L{x},{y + 5}L{x - 5},{y}Z", class_="rival")
        case "ring":
            return element("circle", *tips, cx=x, cy=y, r=4, class_="rival")
        case _:
            return element("rect", *tips, x=x - 4, y=y - 4, width=8, height=8, class_="rival")


def key(place: int | None) -> Markup:
    """The sign of the scorer (None) or of a rival, for the head of its column."""
    mark = dot(8, ROW / 2, 4, "mark") if place is None else rival(8, place)
    return element("svg", mark, viewBox=f"0 0 16 {ROW:.0f}", width=16, height=ROW, class_="key", aria_hidden="true")


def against(estimate: Estimate, whole: Estimate, low: float, high: float, *, width: float = 150.0) -> Markup:
    """A slice's figure with its interval; the upright line is the figure over all tickets."""
    x = Scale(low, high, 6, width - 6)
    parts = [line(x.start, ROW / 2, x.end, ROW / 2, "hair")]
    if whole.value is not None:
        parts.append(line(x(whole.value), 0, x(whole.value), ROW, "guide"))
    parts += _estimate(estimate, x)
    label = f"{decimal(estimate.value)}, over all {decimal(whole.value)}"
    return picture(parts, height=ROW, width=width, label=label, class_="spark")


def moved(drift: Drift, *, width: float = 120.0) -> Markup:
    """How far something moved, with a stroke where to worry."""
    x = Scale(0, nice_ceiling(max(drift.value, 2 * drift.worry_above)), 0, width)
    parts = [rect(0, 6, width, ROW - 12, "trough"), rect(0, 6, x(drift.value), ROW - 12, "bar")]
    parts.append(line(x(drift.worry_above), 2, x(drift.worry_above), ROW - 2, "limit"))
    label = f"{drift.statistic} {decimal(drift.value)}, worry above {decimal(drift.worry_above)}"
    return picture(parts, height=ROW, width=width, label=label, class_="spark")


def stack(shares: Sequence[tuple[str, float]], *, width: float = 150.0) -> Markup:
    """Parts of one bar; each is (kind of mark, share)."""
    parts, at = [rect(0, 6, width, ROW - 12, "trough")], 0.0
    for kind, share in shares:
        parts.append(rect(at * width, 6, share * width, ROW - 12, kind))
        at += share
    label = ", ".join(f"{kind.removeprefix('by-')} {percent(share)}" for kind, share in shares)
    return picture(parts, height=ROW, width=width, label=label, class_="spark")


def pair(precision: float | None, recall: float | None, *, width: float = 150.0) -> Markup:
    """Precision (ring) and recall (dot) of a class on one line from 0 to 1."""
    x = Scale(0, 1, 6, width - 6)
    parts = [line(x.start, ROW / 2, x.end, ROW / 2, "hair")]
    if known(precision) and known(recall):
        parts.append(line(x(precision), ROW / 2, x(recall), ROW / 2, "whisker"))
    if known(recall):
        parts.append(dot(x(recall), ROW / 2, 4, "mark", f"recall {percent(recall)}"))
    if known(precision):
        parts.append(rival(x(precision), 2, f"precision {percent(precision)}"))
    label = f"precision {percent(precision)}, recall {percent(recall)}"
    return picture(parts, height=ROW, width=width, label=label, class_="spark")


def life(label: LabelLife, taxonomy: Taxonomy, *, width: float = 220.0) -> Markup:
    """Share of one label by month, scaled to its own peak; the upright line is where learning starts."""
    height, shares = 26.0, label_shares(label, taxonomy)
    peak, step = max(shares, default=0.0) or 1.0, width / max(len(shares), 1)
    kind = "bar" if label.alive else "dead"
    parts = [line(0, height - 0.5, width, height - 0.5, "hair")]
    for i, share in enumerate(shares):
        tall = (height - 3) * share / peak
        if share > 0:
            parts.append(rect(i * step + 0.5, height - 1 - max(tall, 1), max(step - 1, 1), max(tall, 1), kind))
    if taxonomy.learn_from in taxonomy.months:
        at = taxonomy.months.index(taxonomy.learn_from) * step
        parts.append(line(at, 0, at, height, "start"))
    state = "alive" if label.alive else "dead"
    words = f"{label.label}: {state}, at most {percent(max(shares, default=0.0))} of a month"
    return picture(parts, height=height, width=width, label=words, class_="spark")


def living_share(taxonomy: Taxonomy) -> Markup:
    """Share of each month's tickets whose label is alive today: a change of the taxonomy is a cliff."""
    height, base, left, right = 132.0, 96.0, 44.0, 308.0
    alive = [lab.counts for lab in taxonomy.labels if lab.alive]
    shares = [sum(c[i] for c in alive) / n if n else 0.0 for i, n in enumerate(taxonomy.totals)]
    step, y = (right - left) / max(len(shares), 1), Scale(0, 1, base, 18)
    parts = [text(2, 10, "labels alive today, share of tickets ↑", class_="quiet")]
    outline = [(left + (i + side) * step, y(s)) for i, s in enumerate(shares) for side in (0, 1)]
    parts.append(path([(left, base), *outline, (left + len(shares) * step, base)], "area", close=True))
    parts.append(line(left, base, right, base, "axis"))
    parts += [text(left - 7, y(v) + 4, percent(v), anchor="end") for v in (0, 0.5, 1)]
    if taxonomy.months:
        parts.append(text(left, base + 16, taxonomy.months[0]))
        parts.append(text(right, base + 16, taxonomy.months[-1], anchor="end"))
    if taxonomy.learn_from in taxonomy.months:
        at = left + taxonomy.months.index(taxonomy.learn_from) * step
        side = "end" if at > (left + right) / 2 else None
        parts.append(line(at, 18, at, base + 22, "start"))
        parts.append(text(at, base + 33, f"learns from {taxonomy.learn_from}", anchor=side, class_="strong"))
    total = count(sum(taxonomy.totals))
    return picture(parts, height=height, label=f"Share of {total} tickets whose label is alive today, by month.")


def label_shares(label: LabelLife, taxonomy: Taxonomy) -> list[float]:
    """Share of each month's labelled tickets that carry this label."""
    return [n / total if total else 0.0 for n, total in zip(label.counts, taxonomy.totals, strict=True)]


def _estimate(estimate: Estimate, x: Scale) -> list[Markup]:
    if estimate.value is None:
        return []
    parts = []
    if estimate.low is not None and estimate.high is not None:
        parts.append(line(x(estimate.low), ROW / 2, x(estimate.high), ROW / 2, "whisker"))
    return [*parts, dot(x(estimate.value), ROW / 2, 4, "mark", decimal(estimate.value))]
