"""A ticket in at most four of its own sentences: what is wrong, what was tried, how it is now; and who waits."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping

from pipeline.articles.index import words_of
from pipeline.history.log import ENDED, STATUSES
from pipeline.history.phrases import hours_in_words

MOST = 4
"""Sentences of a summary."""

SHORT = 25
"""A message of at most so many words is its own summary: its subject stands for it."""

_LONGEST, _SHORTEST = 50, 3
_WIDEST, _LONGEST_ABBREVIATION = 500, 8
_WORD = re.compile(r"[^\W\d_]{2,}")
_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]{0,2}\s+(?=[\"'“‘(\[¿¡]{0,2}[^\W_a-z])|(?<=[。！？])")
_ABBREVIATED = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|mr|mrs|ms|dr|st|no|nr|ca|z\.b|d\.h|u\.a|bzw|usw|evtl|inkl|p\.ex|sig|sr|sra|art|ver|v)"
    r"|\b\w)\.$",
    re.IGNORECASE,
)

# These three look at small letters: to heed case takes several times as long.
_TRIED = re.compile(
    r"\b(?:tried|already|re-?start(?:ed|ing)|re-?install(?:ed|ing)|re-?boot(?:ed|ing)|un-?install(?:ed|ing)|attempted"
    r"|followed|cleared|disabled|turned (?:it|them )?off|removed|reset|updated|upgraded"
    r"|versucht|probiert|bereits|neu gestartet|neu installiert|essayé|déjà|réinstallé|redémarré|intenté|probado"
    r"|he reiniciado|provato|già|reinstallato|riavviato|geprobeerd|opnieuw|tentei|já|reinstalei"
    r"|próbowa\w+|zkusil\w*|próbált\w*)\b"
)
_NOW = re.compile(
    r"\b(?:now|still|currently|at the moment|no longer|any ?more|again|today|yesterday|since|jetzt|immer noch"
    r"|noch immer|weiterhin|seit|wieder|maintenant|toujours|depuis|encore|ahora|todavía|sigue|desde|adesso|ancora"
    r"|da quando|nu|nog steeds|sinds|agora|ainda|teraz|nadal|teď|stále|most|még mindig)\b"
)
_WRONG = re.compile(
    r"\b(?:can ?n[o']t|can[’']t|won[’']?t|does ?n[o’']?t|did ?n[o’']?t|is ?n[o’']?t|not|never|unable|fail\w*|error\w*"
    r"|problem\w*|issue\w*|broken|crash\w*|lost|missing|wrong|stopp?ed|stuck|refus\w+|denied|disappear\w*|impossible|nothing"
    r"|nicht|kein\w*|fehler\w*|defekt\w*|kaputt|pas|erreur\w*|bloqué\w*|no puedo|falla\w*|fallo|non|errore"
    r"|errori|bloccat\w+|niet|geen|fout\w*|não|erro|falha|nie|błąd|nelze|chyba|nem|hiba)\b"
)


def summary(subject: str | None, body: str | None) -> str | None:
    """At most four sentences of a ticket, a line each, in its order and its own words; None for a ticket without any.

    A sentence that finds no end is cut, with an ellipsis.

    Parameters
    ----------
    subject, body : str or None
        Cleaned and redacted (`tickets.parse`).

    Examples
    --------
    >>> summary("It leaks", "There is water.")
    'It leaks'
    """
    title = " ".join((subject or "").split())
    said = sentences(body or "")
    if not said:
        return title or None
    if sum(len(s.split()) for s in said) <= SHORT or len(said) == 1:
        return title if _WORD.search(title) else "\n".join(map(_cut, said[:MOST]))
    return "\n".join(_cut(said[i]) for i in sorted(_chosen(said, title)))


def waiting(known: Mapping[str, float]) -> str | None:
    """Who waits for whom, and for how long, in one sentence; None where no history tells.

    Parameters
    ----------
    known : mapping
        Numbers of the ticket's course by name (`history.course.COURSE`); nan: not known.
    """
    spoke, status = known.get("customer_spoke_last", math.nan), known.get("status", math.nan)
    if status in ENDED:
        return f"It is {STATUSES[int(status)]}."
    if math.isnan(spoke):
        return None
    who, quiet = ("an agent", "customer_quiet_hours") if spoke else ("the customer", "agent_quiet_hours")
    hours = known.get(quiet, math.nan)
    if math.isnan(hours):
        hours = known.get("age_hours", math.nan)
    return f"Waiting for {who}." if math.isnan(hours) else f"Waiting for {who}, {hours_in_words(hours)}."


def sentences(text: str) -> list[str]:
    """Sentences of a text, whitespace folded; greetings and scraps left out. Linear in the text, whatever it holds."""
    found: list[str] = []
    for line in text.split("\n"):
        start = 0
        for match in _END.finditer(line):
            end = match.start()
            if not _ABBREVIATED.search(line, max(start, end - _LONGEST_ABBREVIATION), end):
                found.append(" ".join(line[start:end].split()))
                start = match.end()
        found.append(" ".join(line[start:].split()))
    return [s for s in found if len(_WORD.findall(s)) >= _SHORTEST]


def _chosen(said: list[str], title: str) -> set[int]:
    """Places of the sentences that say most: two of what is wrong, one of what was tried, one of how it is now."""
    central, small = _central(said, title), [s.lower() for s in said]
    wrong = [c * (1.6 if _WRONG.search(s) else 1.0) for s, c in zip(small, central, strict=True)]
    chosen = {max(range(len(said)), key=lambda i: wrong[i])}
    for cue, latest in ((_TRIED, False), (_NOW, True)):
        able = [i for i, s in enumerate(small) if i not in chosen and cue.search(s)]
        if able:
            chosen.add(able[-1] if latest else max(able, key=lambda i: central[i]))
    rest = sorted((i for i in range(len(said)) if i not in chosen), key=lambda i: -wrong[i])
    return chosen | {*rest[: max(min(3, MOST) - len(chosen), 0)]}


def _central(said: list[str], title: str) -> list[float]:
    """How much of the ticket each sentence holds: its frequent words, its subject's twice; an early one counts more."""
    words = [set(words_of(s)) for s in said]
    common = Counter(w for one in words for w in one)
    for word in set(words_of(title)):
        common[word] += 2
    return [
        sum(math.log1p(common[w]) for w in one) / math.sqrt(len(one) + 8.0) * (1.0 + 0.5 / (1.0 + i)) * _length(s)
        for i, (one, s) in enumerate(zip(words, said, strict=True))
    ]


def _length(sentence: str) -> float:
    """A run of words without an end (a list, a log) is worth less."""
    return min(1.0, _LONGEST / max(len(sentence.split()), 1))


def _cut(sentence: str) -> str:
    """The beginning of a sentence that has no end."""
    words = sentence.split()
    kept = " ".join(words[:_LONGEST])[:_WIDEST].rstrip()
    return sentence if kept == sentence else f"{kept} …"
