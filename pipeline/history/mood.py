"""What the words of a message give away: its mood, and whether they speak of "again", of the law or of leaving.

Moods follow VADER's rules: Hutto, C.J. & Gilbert, E.E. (2014), VADER: A Parsimonious Rule-based Model for Sentiment
Analysis of Social Media Text, ICWSM-14. Its English lexicon and the French one (MIT), and the German Polarity Lexicon
(Apache-2.0) lie in `lexicons/`, each with its source and licence; what stands beside them is in `mood.yaml`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

SIGNALS = ("again", "legal", "cancel")
"""The columns of `signals`."""

MOST = 5
"""Counts of a signal end here: more repetitions say no more."""

MOOD_LANGUAGES = ("en", "de", "fr")
SIGNAL_LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl")

# Hutto & Gilbert (2014): what a degree word, an exclamation mark and capitals add, what a negation multiplies by.
_DEGREE = 0.293
_NEARNESS = (1.0, 0.95, 0.9)
_EXCLAMATION = 0.292
_EXCLAMATIONS = 4
_CAPITALS = 0.733
_NEGATED = -0.74
_SPREAD = 15.0

_SIGNS = r"(?<!\w)[:;]-?[()]|[☹-☺😀-🙂👍👎]|[.,;:!?\n]"
_JOINED = re.compile(rf"[^\W\d_]+(?:'[^\W\d_]+)*|{_SIGNS}")
_ELIDED = re.compile(rf"[^\W\d_]+|{_SIGNS}")
_BREAKS = frozenset(".,;:!?\n")
_BETWEEN = frozenset(("mir", "mich", "uns", "sich", "es", "das", "leider", "auch", "aber"))
"""What may stand between a German verb and its `nicht`."""
_NO_GE = ("be", "emp", "ent", "er", "ge", "miss", "ver", "zer")
"""How German verbs begin that make their participle without `ge`."""
_CASES = ("e", "em", "en", "er", "es")
_START = re.compile(r"\w(?![?*{])")
"""A first letter that every text of the phrase has."""


def moods(texts: Sequence[str | None], languages: Sequence[str | None]) -> NDArray[np.float32]:
    """The mood of each text: the valence of its words, turned by negations, weighed by degree words and shouting.

    Courtesies ("please", "Mit freundlichen Grüßen") don't count. A word weighs on no other beyond a comma or the end of
    a sentence.

    Parameters
    ----------
    texts : sequence of str or None
        Clean texts (NFC); anything but a string is no text.
    languages : sequence of str or None
        Their languages, ISO 639-1.

    Returns
    -------
    ndarray of float32, shape (n,)
        From -1 (bad) to 1 (good); nan without a known word, or in a language not among `MOOD_LANGUAGES`.

    Raises
    ------
    ValueError
        `texts` and `languages` differ in length.

    Examples
    --------
    >>> moods(["Great, thank you!", "Das ist gar nicht gut.", "Où ?", None], ["en", "de", "fr", "en"]).round(1)
    array([ 0.8, -0.4,  nan,  nan], dtype=float32)
    """
    rows = zip(texts, languages, strict=True)
    return np.fromiter((_mood(text, _grammar(_known(code, MOOD_LANGUAGES))) for text, code in rows), np.float32)


def signals(texts: Sequence[str | None], languages: Sequence[str | None]) -> NDArray[np.int64]:
    """How often each text says that something happened again, speaks of the law, and of leaving or money back.

    A text in a language not among `SIGNAL_LANGUAGES` is held against the English phrases and those of the other
    languages that mean nothing else in any of them.

    Parameters
    ----------
    texts : sequence of str or None
        Clean texts (NFC); anything but a string is no text.
    languages : sequence of str or None
        Their languages, ISO 639-1.

    Returns
    -------
    ndarray of int64, shape (n, 3)
        Counts of the `SIGNALS`, from 0 to `MOST`.

    Raises
    ------
    ValueError
        `texts` and `languages` differ in length.

    Examples
    --------
    >>> signals(["Broken again! I want a refund.", "Schon wieder. Mein Anwalt meldet sich."], ["en", "de"])
    array([[1, 0, 1],
           [1, 1, 0]])
    """
    rows = zip(texts, languages, strict=True)
    counts = [_counts(text, _phrases(_known(code, SIGNAL_LANGUAGES))) for text, code in rows]
    return np.array(counts, dtype=np.int64).reshape(-1, len(SIGNALS))


@dataclass(frozen=True)
class _Grammar:
    """What the mood of one language is read with."""

    token: re.Pattern[str]
    valences: Mapping[str, float]
    degrees: Mapping[str, float]
    negators: frozenset[str]
    verbs: frozenset[str]
    """Words that a negator may also follow."""


def _mood(text: object, grammar: _Grammar | None) -> float:
    if grammar is None or not isinstance(text, str):
        return math.nan
    written = grammar.token.findall(_plain(text))
    words = [word.lower() for word in written]
    places = [place for place, word in enumerate(words) if word in grammar.valences]
    if not places:
        return math.nan
    all_capitals = text.isupper()
    total = 0.0
    for place in places:
        shouted = not all_capitals and len(written[place]) > 1 and written[place].isupper()
        total += _valence(words, place, grammar, shouted=shouted)
    total += math.copysign(_EXCLAMATION, total) * min(text.count("!"), _EXCLAMATIONS) if total else 0.0
    return total / math.sqrt(total * total + _SPREAD)


def _valence(words: Sequence[str], place: int, grammar: _Grammar, *, shouted: bool) -> float:
    """The valence of one word where it stands."""
    own = grammar.valences[words[place]]
    size = abs(own) + _CAPITALS * shouted
    negated = words[place] in grammar.verbs and _negated_after(words, place, grammar)
    for back, weight in enumerate(_NEARNESS, 1):
        before = words[place - back] if place >= back else "."
        if before in _BREAKS:
            break
        size += weight * grammar.degrees.get(before, 0.0)
        negated = negated or before in grammar.negators
    return math.copysign(max(size, 0.0), own) * (_NEGATED if negated else 1.0)


def _negated_after(words: Sequence[str], place: int, grammar: _Grammar) -> bool:
    """Whether "hilft nicht", "gefällt mir nicht" stands there."""
    after = words[place + 1 : place + 3]
    return any(word in grammar.negators for word in after[: 2 if after and after[0] in _BETWEEN else 1])


def _counts(text: object, phrases: re.Pattern[str]) -> tuple[int, ...]:
    found = dict.fromkeys(SIGNALS, 0)
    if isinstance(text, str):
        for match in phrases.finditer(_plain(text).lower()):
            found[match.lastgroup or ""] += 1
    return tuple(min(count, MOST) for count in found.values())


def _plain(text: str) -> str:
    return text if text.isascii() else text.replace("’", "'")


def _known(code: object, languages: tuple[str, ...]) -> str | None:
    return code if isinstance(code, str) and code in languages else None


# ── what lies beside this file ───────────────────────────────────────────────────────────────────────────────────────


@cache
def _settings() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(files("pipeline.history").joinpath("mood.yaml").read_text("utf-8"))
    return read


@cache
def _grammar(language: str | None) -> _Grammar | None:
    if language is None:
        return None
    own = _settings()["moods"][language]
    degrees = dict.fromkeys(own["stronger"].split(), _DEGREE) | dict.fromkeys(own["weaker"].split(), -_DEGREE)
    negators = frozenset(own["negators"].split())
    valences, verbs = _lexicon(language)
    for word in (*own["left_out"].split(), *degrees, *negators):
        valences.pop(word, None)
    valences |= _added("en") | _added(language)
    return _Grammar(
        token=_ELIDED if language == "fr" else _JOINED,
        valences=valences,
        degrees=degrees,
        negators=negators,
        verbs=verbs | frozenset(own.get("verbs", "").split()),
    )


def _added(language: str) -> dict[str, float]:
    added = _settings()["moods"][language]["added"]
    return {word: float(valence) for valence, words in added.items() for word in words.split()}


def _lexicon(language: str) -> tuple[dict[str, float], frozenset[str]]:
    """The valence of each word form, and which forms are of verbs; a form that the source lists keeps its own."""
    listed: dict[str, float] = {}
    made: dict[str, float] = {}
    verbs: set[str] = set()
    text = files("pipeline.history").joinpath("lexicons", f"{language}.txt").read_text("utf-8")
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        kind, valence, words = line.split("\t")
        for word in words.split():
            listed.setdefault(word, float(valence))
            forms = _german_forms(word, kind) if kind != "as" else ()
            made.update((form, float(valence)) for form in forms if form not in made)
            verbs.update((word, *forms) if kind == "verb" else ())
    return made | listed, frozenset(verbs)


def _german_forms(word: str, kind: str) -> Iterator[str]:
    """Inflected forms by rule: some don't exist, and those with another vowel are missing."""
    if kind == "noun":
        yield from (word + ending for ending in ("e", "en", "n", "s", "es"))
        return
    if kind == "verb":
        stem = word.removesuffix("n").removesuffix("e")
        past = stem + ("et" if stem.endswith(("d", "t")) else "t")
        yield from (stem + "e", past, past + "e", past + "en")
        word = past if word.startswith(_NO_GE) or word.endswith("ieren") else "ge" + past
        yield word
    base = word.removesuffix("e")
    yield from (base + ending for ending in _CASES)
    if kind == "adjective":
        yield from (base + "er" + ending for ending in _CASES)
        if base.endswith(("el", "er")):
            yield from (base[:-2] + base[-1] + ending for ending in _CASES)


@cache
def _phrases(language: str | None) -> re.Pattern[str]:
    """All phrases of a language as one pattern, of which each signal is a group."""
    read = _settings()["signals"]
    lists = [read[language]] if language is not None else [read["en"], read["und"]]
    groups = (
        f"(?P<{name}>{_alternatives(line for each in lists for line in each[name].splitlines())})" for name in SIGNALS
    )
    return re.compile(rf"\b(?:{'|'.join(groups)})\b")


def _alternatives(phrases: Iterable[str]) -> str:
    """The phrases grouped by how they begin, so that a place in the text is held against few of them."""
    groups: dict[str, list[str]] = {}
    for phrase in phrases:
        start = _START.match(phrase)
        head = start[0] if start else ""
        rest = phrase[len(head) :].replace(" ?", r"\s{0,3}").replace(" ", r"\s{1,3}")
        groups.setdefault(head, []).append(rest)
    return "|".join(f"{head}(?:{'|'.join(rest)})" for head, rest in groups.items())
