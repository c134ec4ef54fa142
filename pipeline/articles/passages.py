"""An article becomes passages: a few sentences each, under its title and the heading that they stand below."""

from __future__ import annotations

import re

from pipeline.tickets.clean import plain

MOST = 200
"""Passages of one article that can be found; what a longer one says after them can't."""

_MARK = "\ue000"
_HTML_HEADING = re.compile(r"<h[1-6]\b[^<>]*>", re.IGNORECASE)
_MARKDOWN_HEADING = re.compile(r"^#{1,6}\s+", re.MULTILINE)


def passages(title: str | None, text: str | None, words: int, *, most: int = MOST) -> list[str]:
    """The passages of an article, at least one, in its order.

    Parameters
    ----------
    title, text : str or None
        As the source holds them: HTML, Markdown or plain text.
    words : int
        Most words of a passage, its title and heading aside.
    most : int
        Most passages.

    Examples
    --------
    >>> passages("Mail", "<p>Open it.</p><h2>On a phone</h2><p>Tap it.</p>", 90)
    ['Mail. Open it.', 'Mail. On a phone. Tap it.']
    """
    marked = _MARKDOWN_HEADING.sub(f"\n{_MARK}", _HTML_HEADING.sub(f"<p>{_MARK}", (text or "").replace(_MARK, " ")))
    name, found = " ".join(plain(title or "").split()), list[str]()
    heading, said = "", list[str]()
    for line in [*plain(marked).splitlines(), _MARK]:
        fresh = line.split()
        if line.startswith(_MARK):
            found += _pieces(name, heading, said, words)
            heading, said = " ".join(fresh).removeprefix(_MARK).strip(), []
        else:
            said += fresh
        if len(found) >= most:
            return found[:most]
    return found or [name]


def _pieces(title: str, heading: str, said: list[str], words: int) -> list[str]:
    """The words below one heading, evenly cut."""
    number = -(-len(said) // words)
    size = -(-len(said) // max(number, 1))
    above = [part.rstrip(".") + "." for part in (title, heading) if part]
    return [" ".join([*above, *said[at * size : (at + 1) * size]]) for at in range(number)]
