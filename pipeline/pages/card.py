"""Writes a report as a model card in Markdown: what the scorer is for, how good it is, and where it fails."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pipeline.pages import words
from pipeline.pages.figures import Estimate
from pipeline.pages.formats import count, decimal, interval, metric_words, percent, plural, printable
from pipeline.pages.report import ModelReport, Report

PURPOSE = """\
The scorer reads a support ticket as it arrives and says what it is about, how urgent it is, how likely it is to be
escalated, and which queue it should go to, or that a person should decide. It is meant for tickets of the helpdesk
whose history trained it, in the languages and channels found there.

It is not meant to close tickets unseen, to judge customers or the people who answer them, or for another company's
tickets without training on them."""

ETHICS = """\
- Tickets are personal data. Addresses, numbers and tokens are replaced before anything is stored, by patterns: that is
  masking, not anonymisation. This card and the report name tickets by id only.
- The scorer repeats what history did. Where some customers, languages or channels were served worse, it learns that;
  the limits above and the slices of the report are there to see it.
- A queue or a priority is a suggestion with a reason, and people must be able to overrule it. What it isn't sure of
  goes to a person.
- Risk of escalation should bring help sooner; it should not be used to rate customers or colleagues."""


def render_card(report: Report) -> str:
    """The card; every name that comes from the data is escaped, so that no label can act as markup."""
    sections = [
        _details(report),
        ["## What it is for", "", PURPOSE],
        _data(report),
        _metrics(report),
        _calibration(report),
        _promise(report),
        _limits(report),
        ["## Ethical remarks", "", ETHICS],
        _reproduction(report),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def escaped(text: str) -> str:
    """Text from the data as inert Markdown on one line: no emphasis, link, HTML, table cell or heading."""
    flat = " ".join(printable(text).split())
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    flat = re.sub(r"([\\`*_{}\[\]#|~])", r"\\\1", flat)
    # a bare address would become a link by itself
    return flat.replace("://", "&#58;//").replace("www.", "www&#46;").replace("@", "&#64;")


def _details(report: Report) -> list[str]:
    header = report.header
    lines = [f"# Model card: scorer {escaped(header.scorer_version)}", ""]
    if header.synthetic:
        lines += ["> **Synthetic data.** These tickets were generated. No figure speaks of real ones.", ""]
    lines += [escaped(sentence) + "  " for sentence in words.summary(report)]
    warned = (f"**{escaped(w.kind)}**: {escaped(w.what)} {escaped(w.evidence)}" for w in report.warnings)
    lines += [warning.rstrip() + "  " for warning in warned]
    facts = {
        "Version": header.scorer_version,
        "Data as of": header.data_date,
        "Encoder": header.encoder,
        **{f"Model: {m.name}": "; ".join(filter(None, (m.verdict, m.chosen))) for m in report.models},
    }
    return [*lines, "", "## Model details", "", *_bullets(f"{escaped(k)}: {escaped(v)}" for k, v in facts.items())]


def _data(report: Report) -> list[str]:
    header = report.header
    lines = ["## Data", ""]
    lines += _bullets(
        [
            f"Evaluated: {words.rows_sentence(header)}, {escaped(words.period_of(header))}",
            f"Split: {escaped(header.split)}",
            *(f"{f.name}: trained on {escaped(f.trained_on)}; figures: {escaped(f.figures)}" for f in header.fits),
        ]
    )
    if report.data is not None:
        lines += _bullets(
            [
                f"Records read: {count(report.data.read)}",
                *(f"refused, {escaped(code)}: {count(n)}" for code, n in report.data.refused.items()),
                *(f"left out, {escaped(why)}: {count(n)}" for why, n in report.data.left_out.items()),
            ]
        )
    if report.taxonomy is not None:
        alive = sum(label.alive for label in report.taxonomy.labels)
        since = f"; learns from {escaped(report.taxonomy.learn_from)} on" if report.taxonomy.learn_from else ""
        lines += _bullets([f"Labels: {alive} alive, {len(report.taxonomy.labels) - alive} dead{since}"])
    return lines


def _metrics(report: Report) -> list[str]:
    lines = ["## Metrics", "", words.figures_sentence(report.header)]
    for model in report.models:
        lines += ["", f"### {model.name.capitalize()}: {model.verdict}", "", escaped(words.verdict_sentence(model))]
        if model.metrics:
            lines += ["", *_metric_table(model)]
    if unasked := words.unasked(report):
        lines += ["", f"Not measured: {escaped('; '.join(unasked))}."]
    return lines


def _metric_table(model: ModelReport) -> list[str]:
    rivals = list(dict.fromkeys(b.name for metric in model.metrics for b in metric.baselines))
    rows = []
    for metric in model.metrics:
        given = {b.name: decimal(b.estimate.value) for b in metric.baselines}
        name = metric_words(metric.name) + ("" if metric.higher_is_better else " (less is better)")
        cells = [f"**{escaped(name)}**" if metric.decides else escaped(name), _figure(metric.scorer)]
        rows.append([*cells, *(given.get(rival, "") for rival in rivals)])
    return _table(["metric", "scorer (95 %)", *map(escaped, rivals)], rows)


def _calibration(report: Report) -> list[str]:
    rows = [
        [model.name, escaped(model.calibration.says), _figure(model.calibration.ece)]
        for model in report.models
        if model.calibration is not None
    ]
    if not rows:
        return ["## Calibration", "", "Not measured."]
    note = "Expected calibration error over bins of equally many tickets; at 0, what is said with 80 % is so in 80 %."
    return ["## Calibration", "", note, "", *_table(["model", "probability that", "error (95 %)"], rows, left=2)]


def _promise(report: Report) -> list[str]:
    lines = ["## The promise", ""]
    if report.promise is None:
        return [*lines, f"Not measured: {escaped(report.missing.get('promise', 'no reason was given'))}."]
    lines.append(escaped(words.promise_sentence(report.promise)))
    if report.promise.periods:
        rows = [
            [escaped(p.name), count(p.tickets), count(p.routed), count(p.wrong), _figure(p.error, share=True)]
            for p in report.promise.periods
        ]
        lines += ["", *_table(["period", "tickets", "routed", "wrong", "error (95 %)"], rows)]
    return lines


def _limits(report: Report) -> list[str]:
    lines = []
    for model in report.models:
        if model.slices is not None:
            lines += _weak_slices(model)
        if absent := words.missing_sections(model):
            lines.append(f"{model.name}: not measured: {escaped('; '.join(absent))}")
    if report.audit is not None:
        if report.audit.rare:
            labels = ", ".join(escaped(rare.label) for rare in report.audit.rare[:20])
            lines.append(f"{plural(len(report.audit.rare), 'label')} too rare to learn: {labels}")
        lines += [f"{escaped(u.outcome)} {escaped(u.label)} can't be predicted" for u in report.audit.unpredictable]
    if report.drift is not None:
        lines += [f"{escaped(d.what)} moved since training" for d in report.drift if d.value > d.worry_above]
    lines.append("A change of labels, forms or products after training isn't known to the scorer: evaluate again.")
    return ["## Limits", "", *_bullets(lines)]


def _weak_slices(model: ModelReport) -> list[str]:
    """Slices whose whole interval lies below the figure over all tickets (above, where less is better)."""
    if model.slices is None or model.slices.whole.value is None:
        return []
    metric, whole = model.slices.metric, model.slices.whole.value
    less = any(m.name == metric and not m.higher_is_better for m in model.metrics)
    said = []
    for one in model.slices.slices:
        bound = one.estimate.low if less else one.estimate.high
        if bound is not None and (bound > whole if less else bound < whole):
            figure = _figure(one.estimate)
            said.append(
                f"{model.name}: weaker on {escaped(one.kind)} {escaped(one.name)}: {escaped(metric_words(metric))} "
                f"{figure} over {plural(one.n, 'ticket')}, over all {decimal(whole)}"
            )
    return said


def _reproduction(report: Report) -> list[str]:
    again = report.reproduction
    if again is None:
        return []
    lines = ["## How to get it again", ""]
    if again.commands:
        lines += ["```", *(printable(command).replace("```", "") for command in again.commands), "```", ""]
    facts = [f"Seed {again.seed}"] if again.seed is not None else []
    facts += [f"{escaped(name)} {escaped(version)}" for name, version in again.versions.items()]
    facts += [f"{escaped(file)}: SHA-256 {escaped(digest)}" for file, digest in again.hashes.items()]
    return [*lines, *_bullets(facts)]


def _figure(estimate: Estimate, *, share: bool = False) -> str:
    bounds = interval(estimate, as_share=share)
    shown = percent(estimate.value) if share else decimal(estimate.value)
    return f"{shown} ({bounds})" if bounds else shown


def _bullets(lines: Iterable[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> list[str]:
    head, rule = " | ".join(headers), " | ".join(["---"] * left + ["---:"] * (len(headers) - left))
    return [f"| {head} |", f"| {rule} |", *(f"| {' | '.join(row)} |" for row in rows)]
