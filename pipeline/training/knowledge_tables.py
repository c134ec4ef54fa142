"""What `triage articles` prints: a table of gaps, of stale articles, of faults. No ticket's text: ids and words."""

from __future__ import annotations

from pipeline.pages.formats import decimal, percent, plural
from pipeline.pages.knowledge import Check, Gaps, Stale, gaps_sentence, names_of
from pipeline.pages.tables import text_table

SHOWN = 15
"""Rows of a table on the terminal; the page and the JSON have more."""


def gaps_table(found: Gaps) -> str:
    """The gaps that weigh most."""
    heads = ("topic", "words", "tickets", "none fits", "hours", "nearest article", "its probability", "such as")
    rows = [
        (
            f"(no article in {gap.language})" if gap.language else gap.topic,
            ", ".join(gap.words),
            gap.tickets,
            percent(gap.none_fits),
            decimal(gap.waiting_hours, 1),
            gap.title or gap.article_id,
            gap.probability,
            " ".join(gap.examples),
        )
        for gap in found.gaps[:SHOWN]
    ]
    lines = [text_table(heads, rows, widest=44)] if rows else []
    if len(found.gaps) > SHOWN:
        lines.append(f"{len(found.gaps) - SHOWN} more groups")
    return "\n".join([*lines, gaps_sentence(found)])


def stale_table(found: Stale) -> str:
    """What fades, is gone, brings customers back, and was never cited."""
    parts = [_fading(found), _gone(found), _comes_back(found)]
    never = f"never cited: {plural(len(found.never), 'article')} of {found.articles:,}. {names_of(found.never, 10)}"
    return "\n\n".join([*(part for part in parts if part), never.rstrip()])


def _fading(found: Stale) -> str:
    heads = ("cited less than before", "before", f"after {found.late_from}", "expected", "last cited")
    rows = [(a.title or a.article_id, a.before, a.late, decimal(a.expected, 1), a.last) for a in found.fading[:SHOWN]]
    return text_table(heads, rows) if rows else ""


def _gone(found: Stale) -> str:
    rows = [(a.name, a.cited, a.last) for a in found.gone[:SHOWN]]
    return text_table(("cited, not in the knowledge base", "tickets", "last cited"), rows) if rows else ""


def _comes_back(found: Stale) -> str:
    heads = ("customers come back after", "tickets", "came back", "at least", "wrote", "reopened", "another ticket")
    rows = [
        (name, a.tickets, percent(a.share.value), percent(a.share.low), a.wrote, a.reopened, a.returned)
        for a in found.comes_back[:SHOWN]
        for name in (a.title or a.article_id,)
    ]
    base = f"of all tickets with a cited article: {percent(found.base_rate)} within {found.days} days"
    return f"{text_table(heads, rows)}\n{base}" if rows else ""


def check_table(found: Check) -> str:
    """The faults by code."""
    counts = f"{plural(found.articles, 'article')}, {plural(found.passages, 'passage')}"
    languages = ", ".join(f"{code or 'no language'} {n:,}" for code, n in found.languages)
    if not found.findings:
        return f"{counts}: nothing found"
    rows = [
        (one.code, len(one.groups), "; ".join(" = ".join(group) for group in one.groups[:SHOWN]), one.meaning)
        for one in found.findings
    ]
    return f"{text_table(('code', 'times', 'articles', 'what it means'), rows, widest=70)}\n{counts}; {languages}"
