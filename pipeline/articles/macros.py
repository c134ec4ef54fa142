"""Imported macros: which of them an answer was sent by, though agents fill in, greet and sign."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from pipeline.articles.replies import Names, as_reply, beyond_greeting, same_text
from pipeline.tickets.clean import clean
from pipeline.tickets.redact import redact

FEWEST_LETTERS = 30
"""A macro with fewer letters of its own stands in answers by chance."""

_PLACE, _SHOWN = "\0", "…"
_TO_FILL = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\$\{.*?\}|\[\[.*?\]\]|<<.*?>>|\{[\w .]+\}|%[\w.]+%", re.DOTALL)


class Macro(NamedTuple):
    """What an answer is known by, and what is suggested instead of it.

    Attributes
    ----------
    macro_id : str
    pieces : tuple of str
        Its letters between the places to fill in.
    text : str
        Places to fill in are `…`; without greeting and signature.
    """

    macro_id: str
    pieces: tuple[str, ...]
    text: str

    @property
    def letters(self) -> int:
        """How many letters are its own."""
        return sum(map(len, self.pieces))


def macros_of(rows: Iterable[tuple[str, str]], *, agents: Names, ordinary: Collection[str] = ()) -> tuple[Macro, ...]:
    """Macros that can be suggested, of (id, text): the longest first.

    Examples
    --------
    >>> said = "Hi {{customer.name}}, open the settings and press reset. It restarts then."
    >>> [macro] = macros_of([("7", said)], agents=Names())
    >>> macro.text
    'Open the settings and press reset. It restarts then.'
    >>> sent_by("Hello Ada! Open the settings and press reset. It restarts then. Best, Bob", (macro,)).macro_id
    '7'
    """
    found = []
    for macro_id, text in rows:
        said = as_reply(_TO_FILL.sub(_SHOWN, text), agents=agents, ordinary=ordinary)
        marked = beyond_greeting(_TO_FILL.sub(_PLACE, clean(redact(text))))
        pieces = tuple(filter(None, map(same_text, marked.split(_PLACE))))
        macro = Macro(macro_id, pieces, said or "")
        if said and macro.letters >= FEWEST_LETTERS:
            found.append(macro)
    return tuple(sorted(found, key=lambda macro: (-macro.letters, macro.macro_id)))


def sent_by(text: str, macros: tuple[Macro, ...]) -> Macro | None:
    """The longest macro whose pieces all stand in an answer, in their order; None: it was written by hand."""
    letters = same_text(clean(redact(text))) if macros else ""
    return next((macro for macro in macros if _holds(letters, macro.pieces)), None)


def _holds(letters: str, pieces: tuple[str, ...]) -> bool:
    at = 0
    for piece in pieces:
        at = letters.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return True
