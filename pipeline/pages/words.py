"""Sentences about a report that the page and the model card both say."""

from __future__ import annotations

from pipeline.pages.figures import Promise, PromisePeriod
from pipeline.pages.findings import Queue
from pipeline.pages.formats import count, interval, listing, percent, plural
from pipeline.pages.report import Header, ModelReport, Report

MODELS = ("topic", "queue", "priority", "escalation")

EXPECTED: dict[str, tuple[str, ...]] = {
    "topic": ("calibration", "risk_coverage", "out_of_scope", "confusions", "classes", "slices", "words"),
    "queue": ("calibration", "risk_coverage", "confusions", "classes", "slices", "words"),
    "priority": ("calibration", "level_confusion", "confusions", "slices", "words"),
    "escalation": ("calibration", "gains", "waiting", "slices", "words"),
}
"""Sections that a model's part has when everything was measured."""

SECTION_WORDS = {
    "calibration": "calibration",
    "risk_coverage": "share wrong by share routed",
    "gains": "gains at a given capacity for review",
    "waiting": "the risk as tickets wait",
    "out_of_scope": "out-of-scope tickets",
    "confusions": "most confused labels",
    "level_confusion": "true by predicted level",
    "slices": "slices",
    "classes": "each class",
    "words": "words that speak for a class",
    "promise": "The promise",
    "routing": "Where the tickets went",
    "taxonomy": "Labels over time",
    "audit": "Labels to look at",
    "drift": "How far the input moved",
    "data": "What became of the rows",
    "settings": "Settings",
    "reproduction": "The same bytes again",
}


def summary(report: Report) -> list[str]:
    """What a reader with ten seconds should know."""
    said = [verdicts(report)]
    if report.promise is not None:
        said.append(promise_sentence(report.promise))
    return [sentence for sentence in said if sentence]


def verdicts(report: Report) -> str:
    """Which models are in service, and which aren't."""
    groups: dict[str, list[str]] = {}
    for model in report.models:
        groups.setdefault(model.verdict, []).append(model.name)
    said = [
        f"{listing(names).capitalize()} {'is' if len(names) == 1 else 'are'} {verdict}."
        for verdict, names in groups.items()
    ]
    return " ".join(said) or "No model was evaluated."


def verdict_sentence(model: ModelReport) -> str:
    """What the verdict means, and what qualifies it."""
    said = {
        "in service": "It beats the baseline outside the interval.",
        "no better than the baseline": "It is left out, and its fields stay null.",
    }.get(model.verdict, "")
    return f"{said} {_sentence(model.note)}".strip()


def promise_sentence(promise: Promise) -> str:
    """What was promised and what came of it."""
    asked = f"at most {percent(promise.asked)} wrong among the tickets routed by the machine"
    if promise.verdict == "not asked" or promise.asked is None:
        return f"No promise was asked for. {_sentence(promise.reason)}".strip()
    if promise.verdict == "withdrawn":
        return f"The promise of {asked} is withdrawn. {_sentence(promise.reason)}".strip()
    error = promise.whole.error.value if promise.whole else None
    barely = promise.verdict == "kept" and (error or 0.0) > promise.asked
    verdict = "counts as kept" if barely else f"was {promise.verdict}"
    end = ", and the interval still reaches what was asked." if barely else "."
    return f"The promise of {asked} {verdict}: {outcome_of(promise.whole)}{end} {_sentence(promise.reason)}".strip()


def outcome_of(period: PromisePeriod | None) -> str:
    """`12.1 % (10.4 to 13.9 %) of 2,113 tickets routed were wrong, 41 % of all`."""
    if period is None or period.error.value is None:
        return "nothing was routed"
    bounds = interval(period.error, as_share=True)
    share = percent(period.routed / period.tickets) if period.tickets else percent(None)
    return (
        f"{percent(period.error.value)}{f' ({bounds})' if bounds else ''} of {plural(period.routed, 'ticket')} routed "
        f"({share} of all) were wrong"
    )


def figures_sentence(header: Header) -> str:
    """Which fit the figures belong to."""
    if header.figures_from == "inner splits":
        return (
            "These figures were measured on inner splits of the training time. The scorer in service was then fitted "
            "to all rows with the same settings and thresholds; it is not measured here."
        )
    return "These figures are those of the scorer in service, on tickets that it was not trained on."


def period_of(header: Header) -> str:
    """First and last day of the evaluated tickets."""
    if not header.first_ticket:
        return "no times"
    return f"{header.first_ticket} to {header.last_ticket}" if header.last_ticket else header.first_ticket


def missing_sections(model: ModelReport) -> list[str]:
    """Sections that this model's part lacks, each with its reason."""
    absent = [name for name in EXPECTED.get(model.name, ()) if getattr(model, name) is None]
    return [f"{SECTION_WORDS[name]} ({model.missing.get(name, 'not measured')})" for name in absent]


def unasked(report: Report) -> list[str]:
    """Models that the report doesn't have at all."""
    absent = [name for name in MODELS if name not in {model.name for model in report.models}]
    return [f"{name} ({report.missing[name]})" if name in report.missing else name for name in absent]


def reason_kind(reason: str) -> str:
    """`rule:billing` → `rule`."""
    return reason.partition(":")[0]


def routing_sentence(queues: tuple[Queue, ...]) -> str:
    """Who decided, in shares of all tickets."""
    total, by = sum(q.n for q in queues), dict[str, int]()
    for q in queues:
        by[reason_kind(q.reason)] = by.get(reason_kind(q.reason), 0) + q.n
    kinds = {
        "model": "routed by the model",
        "rule": "by a rule",
        "abstained": "left to a person (the scorer wasn't sure)",
        "fallback": "sent to the triage queue with a code",
    }
    said = [f"{percent(by[k] / total)} {words}" for k, words in kinds.items() if by.get(k)]
    return f"Of {plural(total, 'ticket')}: {listing(said)}." if total and said else "No ticket was routed."


def rows_sentence(header: Header) -> str:
    """Tickets evaluated and left out."""
    out = f"; {count(header.rows_left_out)} left out" if header.rows_left_out else ""
    return f"{plural(header.rows, 'ticket')}{out}"


def _sentence(words: str) -> str:
    words = words.strip()
    if not words:
        return ""
    return words[0].upper() + words[1:] + ("" if words[-1] in ".!?" else ".")
