"""Similar tickets that were settled, and a reply out of what settled them: an earlier answer, or one sent often."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from pipeline.articles.earlier import Asked, Earlier, alike_in_language
from pipeline.articles.ranker import BY_HAND_NEAR, by_article, likeliest
from pipeline.articles.summary import sentences
from pipeline.artifact import State
from pipeline.calibration import sigmoid
from pipeline.tickets.clean import clean
from pipeline.tickets.redact import PLACEHOLDERS, redact

MACRO_FROM = 3
"""An answer that was sent on so many tickets is a macro."""

IMPORTED = "imported"
"""Before the id of an imported macro in a reply's `source`."""

NEARNESS = BY_HAND_NEAR
"""How fast an answer's evidence grows with the similarity of its ticket: as a citation's does."""

SURENESS = ("nearest", "evidence", "times")
"""What tells whether a reply is right: similarity of its nearest ticket, logarithm of its share of all evidence, and
ln(1 + number of tickets on which it was sent before)."""

_FEWEST_WORDS, _MOST_WORDS = 6, 120
_SHORTEST_ID = 4
_GREETING = re.compile(
    r"^\W{0,3}(?:hi|hello|hey|dear|greetings|good (?:morning|day|afternoon|evening)|hallo|guten (?:tag|morgen|abend)"
    r"|lieber?|sehr geehrter?|bonjour|bonsoir|salut|cher|chère|hola|buenos días|buenas tardes|estimad[oa]|ciao"
    r"|buongiorno|salve|gentile|beste|geachte|dag|goedendag|olá|oi|prezad[oa]|caro|cara|dzień dobry|cześć|dobrý den"
    r"|ahoj|szia|kedves|hei|moi|hej|merhaba|živjo|pozdravljeni)\b(?P<name>[^.!?\n,:]{0,40})(?:[,!.:]+\s*|\n+|$)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]{3,}")
_ID = re.compile(r"\w(?:[\w.+-]*\w)?")
_VARIES = re.compile(r"[\W\d_]+")


class Answers(NamedTuple):
    """Answers that settled tickets, in order of `text`; arrays of shape (e,).

    Attributes
    ----------
    ticket : ndarray of str
    text : ndarray of int64
        Which of the texts was sent.
    known : ndarray of int64
        When it was known to have settled the ticket, in microseconds; `NEVER` where nobody knows.
    language : ndarray of str
        Of the ticket; empty where it isn't known.
    vectors : ndarray of shape (e, d), or csr_matrix of shape (e, terms)
        Of the tickets, of unit length.
    """

    ticket: np.ndarray
    text: np.ndarray
    known: np.ndarray
    language: np.ndarray
    vectors: Any


class Names(NamedTuple):
    """What gives people away in a text: words, where they have a capital, and ids with a sign in them, always."""

    words: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()


NOBODY = Names()


class Near(NamedTuple):
    """What is seen of n tickets: arrays of shape (n, e) and (n, texts)."""

    similarity: np.ndarray
    evidence: np.ndarray

    def best(self) -> np.ndarray:
        """The text with most evidence, shape (n,)."""
        return np.asarray(self.evidence.argmax(axis=1))


@dataclass(frozen=True, repr=False)  # nobody reads other people's letters in a message
class ReplyModel:
    """Finds similar tickets, and suggests a reply.

    Attributes
    ----------
    answers : Answers
    texts : tuple of str
        Personal data masked, without greeting.
    alike : ndarray, shape (2,)
        Weight of a similarity and a constant: logit of P(what settled that ticket settles this one).
    fits : ndarray, shape (4,)
        Weights of `SURENESS` and a constant: logit of P(the reply is right).
    least : float
        Below this probability no reply is suggested; infinite: none is.
    shown : int
        Most similar tickets.
    macros : tuple of str or None
        Of each text the id of the imported macro that it is; empty where none was imported.
    """

    answers: Answers
    texts: tuple[str, ...]
    alike: np.ndarray
    fits: np.ndarray
    least: float
    shown: int
    macros: tuple[str | None, ...] = ()

    def suggest(self, asked: Asked) -> tuple[list[list[dict[str, Any]]], list[dict[str, Any] | None]]:
        """For each ticket the similar ones, the likeliest first, and a reply or None."""
        similar: list[list[dict[str, Any]]] = []
        replies: list[dict[str, Any] | None] = []
        if not self.texts:
            return [[] for _ in asked.ids], [None for _ in asked.ids]
        for part, near in self.looks(asked):
            size = (len(part.ids), min(self.shown, near.similarity.shape[1]))
            order = np.array(likeliest(near.similarity, self.shown), dtype=np.int64).reshape(size)
            likely = sigmoid(np.take_along_axis(near.similarity, order, axis=1) * self.alike[0] + self.alike[1])
            sure = self.sure(near)
            speaks = [bool(text.strip()) for text in part.texts]
            for row, best in enumerate(near.best().tolist()):
                known = [(e, p) for e, p in zip(order[row], likely[row], strict=True) if near.similarity[row, e] > 0]
                shown = known if speaks[row] else []
                similar.append([{"ticket_id": str(self.answers.ticket[e]), "probability": float(p)} for e, p in shown])
                good = bool(shown) and sure[row] >= self.least
                replies.append(self._said(near.similarity[row], best, float(sure[row])) if good else None)
        return similar, replies

    def looks(self, asked: Asked) -> Iterator[tuple[Asked, Near]]:
        """What is seen of the tickets, a few at a time."""
        for _, part in asked.pieces():
            yield part, self.look(part)

    def look(self, asked: Asked) -> Near:
        """Similarities of the answered tickets, -1 where one can't be seen, and the evidence for each text."""
        near = self._earlier.similarity(asked)
        hidden = ~self._visible(asked)
        near[hidden] = -1.0
        each = np.exp(np.float32(NEARNESS) * (near - np.float32(1.0)))
        each[hidden] = 0.0
        return Near(near, by_article(each, self.answers.text, len(self.texts)))

    def sure(self, near: Near) -> np.ndarray:
        """P(the reply with most evidence is right), shape (n,)."""
        if not len(self.texts):
            return np.zeros(len(near.evidence))
        return np.asarray(sigmoid(self.measures(near) @ self.fits[:-1] + self.fits[-1]))

    def measures(self, near: Near) -> np.ndarray:
        """`SURENESS` of the reply with most evidence, shape (n, 3)."""
        best = near.best()
        nearest, times = np.zeros(len(best)), np.zeros(len(best))
        for row, text in enumerate(best.tolist()):
            own = near.similarity[row, self._places[text] : self._places[text + 1]]
            nearest[row], times[row] = max(own.max(initial=0.0), 0.0), (own >= 0).sum()
        most = near.evidence[np.arange(len(best)), best].astype(np.float64)
        share = np.log((most + 1e-12) / (near.evidence.sum(axis=1, dtype=np.float64) + 1e-12))
        return np.column_stack([nearest, share, np.log1p(times)])

    def _visible(self, asked: Asked) -> np.ndarray:
        """Which answers were known by then, are of other tickets, and in the ticket's language; shape (n, e)."""
        return np.asarray(self._earlier.seen(asked) & alike_in_language(asked.languages, self.answers.language))

    def _said(self, near: np.ndarray, text: int, probability: float) -> dict[str, Any]:
        imported = self.macros[text] if self.macros else None
        if imported is not None:
            return {"text": self.texts[text], "source": f"{IMPORTED}:{imported}", "probability": probability}
        sent = np.flatnonzero((self.answers.text == text) & (near >= 0))
        nearest = self.answers.ticket[sent[near[sent].argmax()]]
        kind = "macro" if len(sent) >= MACRO_FROM else "ticket"
        return {"text": self.texts[text], "source": f"{kind}:{nearest}", "probability": probability}

    @cached_property
    def _places(self) -> list[int]:
        """Where the answers of each text begin, and the last of them end."""
        return [int(at) for at in np.searchsorted(self.answers.text, np.arange(len(self.texts) + 1))]

    @cached_property
    def _earlier(self) -> Earlier:
        return Earlier(self.answers.ticket, self.answers.known, self.answers.vectors)

    def state(self) -> State:
        """What is stored."""
        a = self.answers
        return {
            "ticket": [str(t) for t in a.ticket], "text": a.text, "known": a.known, "vectors": a.vectors,
            "language": [str(name) for name in a.language], "texts": list(self.texts), "alike": self.alike.tolist(),
            "fits": self.fits.tolist(), "least": None if self.least == np.inf else self.least, "shown": self.shown,
            "macros": list(self.macros),
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: State) -> ReplyModel:
        """The stored one again."""
        ticket, language = np.array(state["ticket"], dtype=object), np.array(state["language"], dtype=str)
        answers = Answers(ticket, state["text"], state["known"], language, state["vectors"])
        alike, fits = (np.array(state[name], dtype=np.float64) for name in ("alike", "fits"))
        texts, macros = tuple(state["texts"]), tuple(state["macros"])
        least = np.inf if state["least"] is None else float(state["least"])
        return cls(answers, texts, alike, fits, least, int(state["shown"]), macros)


def as_reply(
    text: str, *, agents: Names = NOBODY, customer: str | None = None, ordinary: Collection[str] = ()
) -> str | None:
    """An answer as it may be sent to somebody else; None where nothing of it can.

    Without markup, quotes, signature and greeting, cut after a sentence. An answer that still holds somebody's address,
    number or secret (a placeholder of `tickets.redact`), or a known name, is none.

    Parameters
    ----------
    agents : Names
    customer : str, optional
        What the ticket's customer is called in the record; whoever is greeted counts too.
    ordinary : collection of str
        As in `names_of`.

    Examples
    --------
    >>> as_reply("<p>Hi Ada,</p><p>Open the settings and press reset. It restarts by itself then.</p><p>-- <br>Bob</p>")
    'Open the settings and press reset. It restarts by itself then.'
    """
    whole = clean(redact(text))
    greeting = _GREETING.match(whole)
    said = whole[greeting.end() :].strip() if greeting else whole.strip()
    greeted = [w for w in _WORD.findall(greeting["name"]) if w[:1].isupper()] if greeting else []
    if any(mark in said for mark in PLACEHOLDERS):
        return None
    if _names_somebody(said, agents) or _names_somebody(said, names_of([customer, *greeted], ordinary=ordinary)):
        return None
    said = said[:1].upper() + said[1:]
    words = said.split()
    if len(words) < _FEWEST_WORDS:
        return None
    return said if len(words) <= _MOST_WORDS else _beginning(said)


def beyond_greeting(text: str) -> str:
    """A cleaned text without its greeting."""
    greeting = _GREETING.match(text)
    return text[greeting.end() :].strip() if greeting else text.strip()


def names_of(called: Iterable[str | None], *, ordinary: Collection[str] = ()) -> Names:
    """What gives away somebody who is called so in the record.

    Parameters
    ----------
    called : iterable of str or None
        Ids, accounts or names.
    ordinary : collection of str
        Words that are no names, such as the "support" of an account of that name: see `small_words`.
    """
    known = [name.casefold() for name in called if name]
    words = {word for name in known for word in _WORD.findall(name)} - {*ordinary}
    ids = {name for name in known if len(name) >= _SHORTEST_ID and not name.isalpha() and _WORD.search(name)}
    return Names(frozenset(words), frozenset(ids))


def small_words(texts: Iterable[str]) -> frozenset[str]:
    """Words that somebody wrote in small letters: no names."""
    return frozenset(word for text in texts for word in _WORD.findall(text) if word.islower())


def _names_somebody(text: str, names: Names) -> bool:
    if any(word.casefold() in names.words for word in _WORD.findall(text) if word[:1].isupper()):
        return True
    return bool(names.ids) and any(part.casefold() in names.ids for part in _ID.findall(text))


def same_text(text: str) -> str:
    """What two sendings of one text have in common: its letters."""
    return _VARIES.sub("", text.lower())


def _beginning(text: str) -> str | None:
    """Whole sentences from the start, as many as fit."""
    kept, words = "", 0
    for sentence in sentences(text):
        words += len(sentence.split())
        if words > _MOST_WORDS:
            break
        kept = f"{kept} {sentence}".strip()
    return kept or None
