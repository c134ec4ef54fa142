"""Raw text becomes the customer's own words: no HTML, no quoted mail, no signature, no machine banner."""

from __future__ import annotations

import html
import itertools
import re
import unicodedata

from selectolax.lexbor import LexborHTMLParser

from pipeline.tickets.mail import own_words

_BLOCKS = (
    "address|article|aside|blockquote|br|center|dd|details|dialog|dir|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]"
    "|header|hr|li|main|menu|nav|ol|optgroup|option|p|pre|section|summary|table|tbody|tfoot|thead|tr|ul"
)
_INLINE = (
    "a|abbr|acronym|audio|b|bdi|bdo|big|body|button|caption|cite|code|col|colgroup|data|del|dfn|em|embed|font|head|html|i|iframe"
    "|img|input|ins|kbd|label|legend|link|map|mark|meta|noscript|object|picture|q|s|samp|script|select|small|source|span|strike"
    "|strong|style|sub|sup|svg|td|template|textarea|th|time|title|tt|u|var|video|wbr|center"
)
_TAG = re.compile(rf"</?(?:{_BLOCKS}|{_INLINE})(?:[\s/>]|$)|<!(?:--|doctype)", re.IGNORECASE)
_BLOCK_TAG = re.compile(rf"<(?=/?(?:{_BLOCKS})[\s/>])", re.IGNORECASE)
_CELL_TAG = re.compile(r"<(?=/?t[dh][\s/>])", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_ANY_TAG = re.compile(r"</?[a-zA-Z!?][^<>]*>?")
_HIDDEN = re.compile(r"<(/?)(script|style|head|template|noscript)\b[^<>]*>?", re.IGNORECASE)
_QUOTING = re.compile(
    r"type\s?=\s?[\"']?cite|gmail_quote|yahoo_quoted|divRplyFwdMsg|moz-cite-prefix|moz-signature|gmail_signature"
)
_QUOTE_NODES = (
    "blockquote[type=cite], .gmail_quote, .gmail_attr, .yahoo_quoted, #divRplyFwdMsg, #divRplyFwdMsg ~ *,"
    " .moz-cite-prefix, .moz-signature, .gmail_signature"
)
_MAX_TAGS = 1_500
"""A page with more goes the plain way: a parser that repairs nesting may need time and memory quadratic in it."""
_MAX_PARSED = 400_000

_LINE_END = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_WORD = re.compile(r"\S{1,200}")
_LETTERS = re.compile(r"[^\W\d_]")
_FEWEST_LETTERS = 3
_EDITOR_TEXT = re.compile(
    r"(<(?:strong|em)>[\s#*']{0,8}|'{1,8})(?:bold|italic) text|(?:bold|italic) text(?='|\s?</?(?:strong|em|a)>)"
)
"""What an editor's buttons insert for the writer to replace, where it stands as they left it (wiki or HTML marks)."""


def clean(text: str) -> str:
    """The customer's own words as plain text.

    Tags become line ends or nothing, entities characters; scripts, styles, quoted replies, signatures, disclaimers and
    machine banners go; whitespace is folded (at most one empty line), characters are NFC without controls. Where fewer
    than three letters would be left, the text keeps everything but its tags.

    Parameters
    ----------
    text : str
        Plain text or HTML, as it was written.

    Returns
    -------
    str

    Examples
    --------
    >>> clean("<p>It won&#39;t start.</p><p>-- <br>Ada</p>")
    "It won't start."
    """
    if "bold text" in text or "italic text" in text:
        text = _EDITOR_TEXT.sub(r"\1 ", text)
    kept = fold(own_words(fold(_without_markup(text))))
    return kept if enough_letters(kept) else fold(_without_markup(text, quotes=True))


def plain(text: str) -> str:
    """A text without its markup; nothing that it says is taken away (`clean` is for what customers write)."""
    return fold(_without_markup(text, quotes=True))


def fold(text: str) -> str:
    """Whitespace folded, control characters removed, NFC."""
    if not text.isprintable():
        text = _CONTROL.sub("", _LINE_END.sub("\n", text) if _LINE_END.search(text) else text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text) if len(text) < 1_000 else _WORD.sub(_composed, text)
    lines: list[str] = []
    for line in text.split("\n"):
        words = " ".join(line.split())
        if words or (lines and lines[-1]):
            lines.append(words)
    return "\n".join(lines).rstrip()


def enough_letters(text: str) -> bool:
    """Whether there are three letters or more."""
    return len(list(itertools.islice(_LETTERS.finditer(text), _FEWEST_LETTERS))) == _FEWEST_LETTERS


def _composed(match: re.Match[str]) -> str:
    """NFC of a piece: ordering a long run of combining marks costs the square of its length."""
    return unicodedata.normalize("NFC", match[0])


def _without_markup(text: str, *, quotes: bool = False) -> str:
    if "<" in text and _TAG.search(text):
        tags = text.count("<")
        return _stripped(text) if tags > _MAX_TAGS or len(text) > _MAX_PARSED else _parsed(text, quotes=quotes)
    return html.unescape(text) if "&" in text and _ENTITY.search(text) else text


def _parsed(text: str, *, quotes: bool) -> str:
    tree = LexborHTMLParser(_with_line_ends(text))
    tree.strip_tags(["script", "style", "head", "template", "noscript"])
    if not quotes and _QUOTING.search(text):
        for node in tree.css(_QUOTE_NODES):
            node.decompose()
    return tree.body.text() if tree.body is not None else ""


def _with_line_ends(text: str) -> str:
    """Line ends of the source are spaces in HTML (but for <pre>); block tags are line ends."""
    if "<pre" not in text and "<PRE" not in text:
        text = text.replace("\n", " ").replace("\r", " ")
    return _CELL_TAG.sub(" <", _BLOCK_TAG.sub("\n<", text))


def _stripped(text: str) -> str:
    """Text of a page without building its tree: linear whatever the page is."""
    pieces, hidden, end = [], "", 0
    for match in _HIDDEN.finditer(text):
        closing, name = bool(match[1]), match[2].lower()
        if not hidden and not closing:
            pieces.append(text[end : match.start()])
            hidden = name
        elif hidden == name and closing:
            hidden, end = "", match.end()
    if not hidden:
        pieces.append(text[end:])
    return html.unescape(_ANY_TAG.sub("", _with_line_ends(" ".join(pieces))))
