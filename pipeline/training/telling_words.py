"""Words that speak for a class, by how much more often its tickets hold them: for the report and the keyword rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pipeline.pages.findings import MIN_TICKETS_PER_WORD, ClassWords, TopWord
from pipeline.tickets.schema import FIELD_PREFIX
from pipeline.training.looked import Looked

SHOWN = 10
CERTAIN = 2.5
"""Standard errors by which a word must lean towards a class to be shown."""

MOST_WORDS = 30_000

_WORD = r"(?u)\b[^\W\d_]{2,}\b"
_CELL = r"[^\x1f]+"


@dataclass(frozen=True)
class Documents:
    """What simple models read: the text of each ticket, or its fields where no ticket has text.

    Attributes
    ----------
    texts : list of n str
    fields : bool
        Whether the texts are cells `name=value`, between unit separators.
    """

    texts: list[str]
    fields: bool = False

    @property
    def pattern(self) -> str:
        """What a word is."""
        return _CELL if self.fields else _WORD

    def take(self, rows: np.ndarray) -> Documents:
        """The same of some rows."""
        return Documents([self.texts[i] for i in rows], self.fields)


def documents(parsed: pd.DataFrame, *, has_text: bool, hidden: Sequence[str] = ()) -> Documents:
    """Texts of parsed tickets, or their fields but for the `hidden` ones (they give the outcome away)."""
    if has_text:
        return Documents(parsed["text"].fillna("").astype(object).tolist())
    names = [c for c in parsed.columns if c.startswith(FIELD_PREFIX) and c.removeprefix(FIELD_PREFIX) not in hidden]
    rows = parsed[names].astype(object).to_numpy()
    short = [n.removeprefix(FIELD_PREFIX) for n in names]
    return Documents(
        ["\x1f".join(f"{n}={v}" for n, v in zip(short, row, strict=True) if isinstance(v, str)) for row in rows], True
    )


@dataclass(frozen=True)
class Held:
    """Which of n texts hold which of m words."""

    words: np.ndarray
    matrix: sp.csr_matrix


def count(texts: Documents, *, fewest: int, words: np.ndarray | None = None) -> Held | None:
    """Words in at least `fewest` of the texts, or the given ones; None where there is no such word."""
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(
        binary=True,
        token_pattern=texts.pattern,
        lowercase=not texts.fields,
        vocabulary=None if words is None else list(words),
        dtype=np.float32,
    )
    try:
        matrix = sp.csr_matrix(vectorizer.fit_transform(texts.texts))
    except ValueError:  # no text holds a word
        return None
    found = np.array(vectorizer.get_feature_names_out(), dtype=object)
    if words is None:
        frequency = np.asarray(matrix.sum(axis=0)).ravel()
        keep = np.flatnonzero(frequency >= fewest)
        keep = np.sort(keep[np.argsort(-frequency[keep], kind="stable")[:MOST_WORDS]])
        found, matrix = found[keep], matrix[:, keep]
    return Held(found, matrix) if len(found) else None


def leaning(held: Held, codes: np.ndarray, size: int) -> np.ndarray:
    """How far each word leans towards each class, in standard errors of its log odds ratio, shape (size, m).

    Half a ticket is added to each count, so that a word that only one class has gets a finite figure (Haldane, 1956).
    """
    n = len(codes)
    members = sp.csr_matrix((np.ones(n, dtype=np.float32), (codes, np.arange(n))), shape=(size, n))
    mine = np.asarray((members @ held.matrix).todense(), dtype=np.float64)
    total, per_class = mine.sum(axis=0), np.bincount(codes, minlength=size)[:, None].astype(float)
    theirs = total[None, :] - mine
    inside, outside = per_class - mine, (n - per_class) - theirs
    cells = [part + 0.5 for part in (mine, inside, theirs, outside)]
    ratio = np.log(cells[0]) - np.log(cells[1]) - np.log(cells[2]) + np.log(cells[3])
    return np.asarray(ratio / np.sqrt(sum(1.0 / part for part in cells)))


def spoken_of(looked: Looked) -> dict[str, str]:
    """Classes whose words are shown, most frequent first, and how the page names them."""
    if looked.target == "escalated":
        return {"1": "escalated"}
    return {c: c for c in sorted(looked.trained, key=lambda c: (-looked.trained[c], c))}


def class_words(texts: Documents, labels: np.ndarray, *, classes: Mapping[str, str]) -> tuple[ClassWords, ...]:
    """The words that speak most for each class, only those that ten tickets and more hold.

    Parameters
    ----------
    labels : ndarray of str, shape (n,)
        Of the training tickets.
    classes : dict
        Those to speak of, in the order of the answer → how they are named there.
    """
    held = count(texts, fewest=MIN_TICKETS_PER_WORD)
    if held is None or len(texts.texts) < 2 * MIN_TICKETS_PER_WORD:
        return ()
    names, codes = np.unique(labels, return_inverse=True)
    scores = leaning(held, codes, len(names))
    tickets = np.asarray(held.matrix.sum(axis=0)).ravel().astype(int)
    found = []
    for label, named in classes.items():
        place = np.flatnonzero(names == label)
        if not len(place):
            continue
        row = scores[place[0]]
        best = [j for j in np.argsort(-row, kind="stable")[:SHOWN] if row[j] >= CERTAIN]
        if best:
            top = tuple(TopWord(str(held.words[j]), round(float(row[j]), 2), int(tickets[j])) for j in best)
            found.append(ClassWords(named, top))
    return tuple(found)
