"""Three simple rivals, fitted on the same tickets as the model: majority, keyword rules, and the plain pipeline."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from pipeline.training.looked import Rival
from pipeline.training.telling_words import Documents, count, leaning

MAJORITY, KEYWORDS, PLAIN = "majority", "keyword rules", "plain pipeline"

WORDS_PER_CLASS = 5
FEWEST_WITH_WORD = 3

PLAIN_ROWS = 20_000
"""The plain pipeline learns from at most so many tickets, the newest."""

PLAIN_WORK = 5_000_000
"""And from at most so many tickets times classes: some ten seconds for each million on one core."""


@dataclass(frozen=True)
class Lesson:
    """What a rival learns from: documents and labels of the same tickets, oldest first."""

    texts: Documents
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def newest(self, rows: int) -> Lesson:
        """The last so many."""
        if len(self) <= rows:
            return self
        kept = np.arange(len(self) - rows, len(self))
        return Lesson(self.texts.take(kept), self.labels[kept])


def plain_rows(rows: int, classes: int, fits: int = 1) -> int:
    """How many of so many tickets the plain pipeline may learn from."""
    return int(min(rows, PLAIN_ROWS, max(1_000, PLAIN_WORK // max(classes, 1) // fits)))


def rivals(
    target: str, lesson: Lesson, look: Documents, truth: np.ndarray, *, seed: int, fits: int = 1
) -> tuple[Rival, ...]:
    """All three, where there is enough to learn from.

    Parameters
    ----------
    target : str
        The outcome; an escalation gets risks instead of labels.
    look : Documents
        The tickets that are looked at.
    truth : ndarray of str
        Their labels: only to say whether the truth is among a rival's first three.
    fits : int
        In how many parts the tickets are looked at: the plain pipeline's work is shared among them.
    """
    if not len(lesson):
        return ()
    classes, counts = np.unique(lesson.labels, return_counts=True)
    share = dict(zip(classes.tolist(), (counts / counts.sum()).tolist(), strict=True))
    found = [majority(target, share, truth)]
    if len(classes) < 2:
        return tuple(found)
    found += [r for r in (_keywords(target, lesson, look), _plain(target, lesson, look, truth, seed, fits)) if r]
    return tuple(found)


def majority(target: str, shares: Mapping[str, float], truth: np.ndarray) -> Rival:
    """Always the most frequent label; of an escalation, the base rate for everyone."""
    ranked = sorted(shares, key=lambda label: (-shares[label], label))
    n = len(truth)
    if target == "escalated":
        return Rival(MAJORITY, np.full(n, "0"), np.full(n, shares.get("1", 0.0)))
    return Rival(MAJORITY, np.full(n, ranked[0]), np.full(n, shares[ranked[0]]), np.isin(truth, ranked[:3]))


def joined(parts: list[tuple[np.ndarray, tuple[Rival, ...]]], n: int) -> tuple[Rival, ...]:
    """Rivals of several parts of the tickets as rivals of all of them; those that some part lacks are left out.

    Parameters
    ----------
    parts : list of (positions, rivals)
    """
    names = [r.name for r in parts[0][1]] if parts else []
    whole = []
    for name in names:
        given = [(rows, r) for rows, found in parts for r in found if r.name == name]
        if len(given) < len(parts):
            continue
        order = np.argsort(np.concatenate([rows for rows, _ in given]), kind="stable")
        if len(order) != n:
            continue
        first = None
        if all(r.first_three is not None for _, r in given):
            first = np.concatenate([r.first_three for _, r in given if r.first_three is not None])[order]
        guess = np.concatenate([r.guess.astype(object) for _, r in given])[order].astype(str)
        whole.append(Rival(name, guess, np.concatenate([r.confidence for _, r in given])[order], first))
    return tuple(whole)


def _keywords(target: str, lesson: Lesson, look: Documents) -> Rival | None:
    """For each class the words that lean most towards it, surest rule first; the first that a ticket holds decides."""
    held = count(lesson.texts, fewest=FEWEST_WITH_WORD)
    if held is None:
        return None
    classes, codes = np.unique(lesson.labels, return_inverse=True)
    scores = leaning(held, codes, len(classes))
    rules: list[tuple[float, int, int]] = []
    for code in range(len(classes)):
        if target == "escalated" and classes[code] != "1":
            continue
        mine = held.matrix[codes == code]
        share = np.asarray(mine.sum(axis=0)).ravel() / np.maximum(np.asarray(held.matrix.sum(axis=0)).ravel(), 1)
        best = np.argsort(-scores[code], kind="stable")[:WORDS_PER_CLASS]
        rules += [(float(share[j]), int(j), code) for j in best if scores[code, j] > 0]
    rules.sort(key=lambda rule: (-rule[0], rule[1]))
    top = int(np.bincount(codes).argmax())
    learned = _first_rule(held.matrix, [j for _, j, _ in rules])
    seen = count(look, fewest=1, words=held.words)
    place = _first_rule(seen.matrix, [j for _, j, _ in rules]) if seen else np.full(len(look.texts), -1)
    if target == "escalated":
        return Rival(KEYWORDS, np.full(len(place), "0"), _rates(learned, codes == list(classes).index("1"), place))
    said = np.array([code for _, _, code in rules] + [top])
    return Rival(KEYWORDS, classes[said[place]], np.full(len(place), np.nan))


def _first_rule(matrix: sp.csr_matrix, columns: list[int]) -> np.ndarray:
    """Position of the first rule whose word each row holds; -1 for none."""
    if not columns:
        return np.full(matrix.shape[0], -1)
    found = matrix[:, columns].toarray() > 0
    return np.where(found.any(axis=1), found.argmax(axis=1), -1)


def _rates(learned: np.ndarray, happened: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Share that escalated among the training tickets that the same rule decides, drawn a little to the base rate."""
    base = float(happened.mean())
    size = int(max(learned.max(initial=-1), place.max(initial=-1))) + 2
    n = np.bincount(learned + 1, minlength=size)
    yes = np.bincount(learned + 1, weights=happened, minlength=size)
    rate = (yes + 2 * base) / (n + 2)
    return np.asarray(rate[place + 1])


def _plain(target: str, lesson: Lesson, look: Documents, truth: np.ndarray, seed: int, fits: int) -> Rival | None:
    """TF-IDF of words (1-2) and characters in words (2-5), sublinear, into a logistic regression."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    lesson = lesson.newest(plain_rows(len(lesson), len(set(lesson.labels.tolist())), fits))
    if len(set(lesson.labels.tolist())) < 2:
        return None
    features = _features(lesson.texts, look)
    if features is None:
        return None
    model = LogisticRegression(solver="newton-cg", random_state=seed)  # the default's optimum, in a tenth of its time
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features[0], lesson.labels)
    probabilities = model.predict_proba(features[1])
    classes = np.array(model.classes_, dtype=str)
    if target == "escalated":
        risk = probabilities[:, list(classes).index("1")]
        return Rival(PLAIN, np.full(len(truth), "0"), risk)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :3]
    first = (classes[order] == truth[:, None]).any(axis=1)
    return Rival(PLAIN, classes[order[:, 0]], probabilities[np.arange(len(truth)), order[:, 0]], first)


def _features(learn: Documents, look: Documents) -> tuple[sp.csr_matrix, sp.csr_matrix] | None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    shared = {"sublinear_tf": True, "dtype": np.float32, "min_df": 2 if len(learn.texts) > 100 else 1}
    vectorizers = [
        TfidfVectorizer(ngram_range=(1, 2), **shared),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **shared),
    ]
    if learn.fields:
        vectorizers = [TfidfVectorizer(token_pattern=learn.pattern, lowercase=False, **shared)]
    blocks = []
    for vectorizer in vectorizers:
        try:
            blocks.append((vectorizer.fit_transform(learn.texts), vectorizer.transform(look.texts)))
        except ValueError:  # no text holds a word
            continue
    if not blocks:
        return None
    return sp.hstack([a for a, _ in blocks], format="csr"), sp.hstack([b for _, b in blocks], format="csr")
