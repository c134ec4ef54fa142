"""Draws a report as one HTML page that needs nothing but a browser: no script, no file, no network."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from pipeline.pages import charts, charts_backtest, charts_waiting, formats, sparks, words
from pipeline.pages.backtest import Replay, cautions, summary
from pipeline.pages.figures import Metric, Slice, Slices
from pipeline.pages.findings import MIN_TICKETS_PER_WORD, ClassWords, LabelLife, Queue, Taxonomy
from pipeline.pages.knowledge import Knowledge, gaps_sentence
from pipeline.pages.report import ModelReport, Report
from pipeline.pages.waiting import age_words

SHOWN = {"suspects": 40, "ids": 5, "classes": 12, "alive": 30, "dead": 15, "slices": 24, "confusions": 12, "rest": 25}
"""How many entries of a list stand on the page before the rest is folded away or counted."""


def generator(kind: str) -> str:
    """What a page says of its maker and its kind: by it a file that may be replaced is known."""
    return f"triage {kind}"


def render(report: Report) -> str:
    """The page, as text in UTF-8.

    Everything that comes from outside (labels, queues, ids, columns) is escaped; no style or script but our own may
    run (a content security policy names the style sheet's hash).
    """
    return _filled("report.html.j2", "report", report=report)


def render_replay(replay: Replay) -> str:
    """The page of a backtest; what `render` promises holds for it too."""
    told = {"summary": summary(replay), "cautions": cautions(replay)}
    return _filled("backtest.html.j2", "backtest", replay=replay, **told)


def render_knowledge(knowledge: Knowledge) -> str:
    """The page of `triage articles`; what `render` promises holds for it too."""
    return _filled("knowledge.html.j2", "articles", knowledge=knowledge)


def _filled(template: str, kind: str, **values: Any) -> str:
    style = _resource("report.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    values |= {"style": Markup(style), "style_hash": digest, "generator": generator(kind)}
    return _environment().get_template(template).render(**values)


def baseline_names(report: Report) -> list[str]:
    """Every rival that any metric is compared with, in order of first appearance."""
    return list(dict.fromkeys(b.name for m in report.models for metric in m.metrics for b in metric.baselines))


def named(label: str, characters: int = 48) -> Markup:
    """A label as it stands in a table: outer spaces visible, cut where it is too long (whole on hovering)."""
    shown = formats.printable(formats.shorten(formats.visible(label), characters))
    whole = Markup(' title="{}"').format(formats.printable(label)) if len(label) > characters else Markup("")
    return Markup('<span class="label"{}>{}</span>').format(whole, shown)


def rival_values(metric: Metric) -> dict[str, float | None]:
    """What each rival reaches."""
    return {b.name: b.estimate.value for b in metric.baselines}


def slice_range(slices: Slices) -> tuple[float, float]:
    """The axis on which all slices of a table are drawn: round tenths around every interval."""
    estimates = [slices.whole, *(s.estimate for s in slices.slices)]
    seen = [v for e in estimates for v in (e.value, e.low, e.high) if v is not None and math.isfinite(v)]
    if not seen:
        return 0.0, 1.0
    low, high = math.floor(10 * min(seen) + 1e-9) / 10, math.ceil(10 * max(seen) - 1e-9) / 10
    return low, high if high > low else low + 0.1


def by_kind(slices: Iterable[Slice]) -> dict[str, list[Slice]]:
    """Slices under their kind, in the order given."""
    kinds: dict[str, list[Slice]] = {}
    for one in slices:
        kinds.setdefault(one.kind, []).append(one)
    return kinds


def frequent_words(classes: Iterable[ClassWords]) -> list[tuple[str, list[str]]]:
    """Label and its words, without those that too few tickets hold."""
    return [(c.label, [w.word for w in c.words if w.tickets >= MIN_TICKETS_PER_WORD]) for c in classes]


def lives(taxonomy: Taxonomy) -> tuple[list[LabelLife], list[LabelLife]]:
    """Labels to show and labels to fold away: the living before the dead, each by how many tickets they have."""
    ordered = sorted(taxonomy.labels, key=lambda label: (-sum(label.counts), label.label))
    alive, dead = [lab for lab in ordered if lab.alive], [lab for lab in ordered if not lab.alive]
    shown = alive[: SHOWN["alive"]] + dead[: SHOWN["dead"]]
    return shown, alive[SHOWN["alive"] :] + dead[SHOWN["dead"] :]


def by_queue(queues: Iterable[Queue]) -> list[tuple[str, int, dict[str, int]]]:
    """Queue, its tickets, and how many of them by the model, a rule, abstention or fallback; largest first."""
    table: dict[str, dict[str, int]] = {}
    for q in queues:
        row, kind = table.setdefault(q.queue, {}), words.reason_kind(q.reason)
        row[kind] = row.get(kind, 0) + q.n
    return sorted(((name, sum(row.values()), row) for name, row in table.items()), key=lambda r: (-r[1], r[0]))


def grouped(settings: Mapping[str, str]) -> dict[str, list[tuple[str, str]]]:
    """Dotted settings under their section."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for name, value in settings.items():
        section, _, rest = name.rpartition(".")
        sections.setdefault(section, []).append((rest, value))
    return sections


def gap(model: ModelReport) -> str:
    """Sections that the model's part lacks, in one sentence."""
    absent = words.missing_sections(model)
    return f"Not here: {'; '.join(absent)}." if absent else ""


_VIEWS: tuple[Callable[..., Any], ...] = (
    baseline_names,
    rival_values,
    slice_range,
    by_kind,
    frequent_words,
    lives,
    by_queue,
    grouped,
    gap,
    age_words,
    gaps_sentence,
)
"""What the templates may call."""


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_resource),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("percent", "share", "decimal", "visible", "count", "interval", "metric_words", "shorten"):
        environment.filters[name] = getattr(formats, name)
    environment.filters["named"] = named
    environment.globals.update(
        charts=charts,
        waiting_charts=charts_waiting,
        backtest_charts=charts_backtest,
        sparks=sparks,
        words=words,
        shown=SHOWN,
        plural=formats.plural,
    )
    for function in _VIEWS:
        environment.globals[function.__name__] = function
    return environment


def _resource(name: str) -> str:
    return files("pipeline.pages").joinpath("templates", name).read_text("utf-8")


def _finalize(value: Any) -> Any:
    """Last stop before escaping: no control characters, no direction overrides."""
    return formats.printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
