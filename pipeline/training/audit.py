"""The label audit: likely wrong labels, twins, rare and hopeless ones, repeats, columns that give the label away."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pipeline.calibration import fit_temperature, softmax
from pipeline.estimators.linear import fit_margins
from pipeline.pages.findings import Audit, GiveAway, RareLabel, Repeats, Suspect, Twins, Unpredictable
from pipeline.tickets.schema import FIELD_PREFIX

FOLDS = 3
MAX_ROWS = 20_000
"""The audit's own model learns from at most so many rows, the newest."""

SHOWN = 200
"""Suspects listed; `suspects_found` counts them all."""

RARE = 10
GIVEN_AWAY_CONTAINS = 0.9
"""A column whose value holds the label's own name in nine of ten rows of some quarter of the time gives it away."""

GIVEN_AWAY_ACCURACY = 0.98
"""So does a column whose values alone predict the label this often (and many labels at that)."""


@dataclass(frozen=True)
class _Guess:
    """Out-of-fold guesses of the audit's own model, for the rows at `rows`."""

    rows: np.ndarray
    classes: np.ndarray
    codes: np.ndarray
    probabilities: np.ndarray


def audit(frame: pd.DataFrame, outcome: str, *, terms: sp.csr_matrix, groups: np.ndarray, seed: int) -> Audit:
    """Findings for one outcome.

    Parameters
    ----------
    frame : DataFrame, n rows
        Prepared tickets with `label.OUTCOME`.
    terms : csr_matrix, shape (n, m)
        Weighted terms of the same rows.
    groups : ndarray of int, shape (n,)
        Near-duplicate groups.
    """
    labels = frame[f"label.{outcome}"]
    known = np.flatnonzero(labels.notna())
    if len(known) == 0:
        return Audit()
    guess = _guess(labels, known, terms, groups, seed)
    suspects = _suspects(frame, outcome, guess) if guess else []
    return Audit(
        suspects=tuple(suspects[:SHOWN]),
        suspects_found=len(suspects),
        twins=twin_labels(labels) if outcome != "escalated" else (),
        rare=rare_labels(labels),
        repeats=_repeats(frame, labels, groups),
        labelled_both_ways=_both_ways(frame, labels, groups),
        give_aways=give_away_columns(frame, outcome),
        unpredictable=_unpredictable(outcome, guess, seed) if guess else (),
    )


def twin_labels(labels: pd.Series) -> tuple[Twins, ...]:
    """Labels that differ in case, spaces or one letter."""
    counts = labels.dropna().value_counts()
    found: list[Twins] = []
    by_shape: dict[str, list[str]] = {}
    for label in counts.index:
        by_shape.setdefault(re.sub(r"[\W_]+", "", str(label).casefold()), []).append(str(label))
    for names in by_shape.values():
        if len(names) > 1:
            folded = {re.sub(r"[\W_]+", " ", n).strip() for n in names}
            why = "spaces" if len({n.casefold() for n in folded}) > 1 or len(folded) == 1 else "case"
            found.append(_twins(sorted(names), counts, why))
    shapes = [s for s in by_shape if len(s) >= 6 and not s.isdigit()]
    for i, shape in enumerate(shapes[:500]):
        for other in difflib.get_close_matches(shape, shapes[i + 1 : 500], n=2, cutoff=0.93):
            # plurals and numbered labels are different labels often enough to be only a hint
            if re.sub(r"\d", "", shape) == re.sub(r"\d", "", other) and shape != other:
                continue
            found.append(_twins(sorted(by_shape[shape] + by_shape[other]), counts, "spelling"))
    return tuple(sorted(found, key=lambda t: -min(t.counts)))


def rare_labels(labels: pd.Series, fewest: int = RARE) -> tuple[RareLabel, ...]:
    """Labels with fewer than `fewest` tickets."""
    counts = labels.dropna().value_counts()
    return tuple(
        RareLabel(str(label), int(n), "learned from too little" if n > 1 else "never predicted")
        for label, n in counts.items()
        if n < fewest
    )


def give_away_columns(frame: pd.DataFrame, outcome: str) -> tuple[GiveAway, ...]:
    """Fields that hold the label's name, or predict it alone: set after the fact, or a copy of it."""
    labels = frame[f"label.{outcome}"]
    found: list[GiveAway] = []
    for column in [c for c in frame.columns if c.startswith(FIELD_PREFIX)]:
        both = labels.notna() & frame[column].notna()
        if both.sum() < 50 or labels[both].nunique() < 2:
            continue
        said, truth = frame.loc[both, column], labels[both]
        strength = ""
        if outcome in ("topic", "queue") and (share := _contains(said, truth)) >= GIVEN_AWAY_CONTAINS:
            strength = f"holds the label's own name in {share:.0%} of the tickets of some quarter"
        else:
            accuracy, constant = _alone(said, truth)
            if accuracy >= GIVEN_AWAY_ACCURACY and accuracy > 1 - 0.2 * (1 - constant):
                strength = f"its values alone predict {accuracy:.0%} of the labels"
        if strength:
            found.append(GiveAway(column.removeprefix(FIELD_PREFIX), outcome, strength))
    return tuple(found)


def _contains(said: pd.Series, truth: pd.Series) -> float:
    """Share of values that hold the label's own name as a whole element, in the quarter of the rows that has most."""
    hits = np.array(
        [str(label).casefold() in _elements(str(value).casefold()) for value, label in zip(said, truth, strict=True)]
    )
    return float(max(part.mean() for part in np.array_split(hits, 4) if len(part)))


def _elements(value: str) -> set[str]:
    """A value, its elements as a list of names would have them, and its words."""
    return {value, *(part.strip() for part in re.split(r"[;,|/]", value)), *re.split(r"[;,|/\s]+", value)}


def _alone(said: pd.Series, truth: pd.Series) -> tuple[float, float]:
    """Accuracy of the likeliest label per value, learned on even rows and looked at on odd ones; that of a constant."""
    learn = pd.DataFrame({"value": said.to_numpy()[::2], "label": truth.to_numpy()[::2]})
    best = learn.groupby("value")["label"].agg(lambda s: s.mode().iloc[0])
    if len(best) > 0.5 * len(learn):
        return 0.0, 1.0
    guess, looked = pd.Series(said.to_numpy()[1::2]).map(best), truth.iloc[1::2]
    return float((guess == looked.to_numpy()).mean()), float(looked.value_counts(normalize=True).iloc[0])


def _guess(labels: pd.Series, known: np.ndarray, terms: sp.csr_matrix, groups: np.ndarray, seed: int) -> _Guess | None:
    counts = labels.iloc[known].value_counts()
    learnable = set(counts.index[counts >= 2 * FOLDS])
    rows = np.array([i for i in known if labels.iloc[i] in learnable])[-MAX_ROWS:]
    if len(learnable) < 2 or len(rows) < 30 or terms.nnz == 0:
        return None
    classes, codes = np.unique(labels.iloc[rows].astype(object).to_numpy(dtype=str), return_inverse=True)
    margins = np.zeros((len(rows), len(classes)))
    # groups stay together, so a repeat can't vouch for itself; by lot, so that no rhythm of the rows stands in a fold
    fold = np.random.default_rng(seed).integers(0, FOLDS, int(groups.max()) + 1)[groups[rows]]
    for f in range(FOLDS):
        fit, look = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        present = np.unique(codes[fit])
        if len(look) == 0 or len(present) < 2:
            continue
        place = np.searchsorted(present, codes[fit])
        model = fit_margins(terms[rows[fit]], place, len(present), strength=0.3, weights=None, seed=seed)
        margins[look] = -4.0
        margins[np.ix_(look, present)] = model.scores(terms[rows[look]])
    return _Guess(rows, classes, codes, softmax(margins / fit_temperature(margins, codes)))


def _suspects(frame: pd.DataFrame, outcome: str, guess: _Guess) -> list[Suspect]:
    """Confident learning (Northcutt et al., 2021): another class is above its mean self-confidence, the given not."""
    given = guess.probabilities[np.arange(len(guess.rows)), guess.codes]
    bar = np.array(
        [given[guess.codes == c].mean() if (guess.codes == c).any() else 1.0 for c in range(len(guess.classes))]
    )
    above = np.where(guess.probabilities >= bar, guess.probabilities, 0.0)
    best = above.argmax(axis=1)
    odd = np.flatnonzero((above.max(axis=1) > 0) & (best != guess.codes) & (given < bar[guess.codes]))
    order = odd[np.argsort(given[odd] - above[odd, best[odd]], kind="stable")]
    ids = frame["ticket_id"].to_numpy()
    return [
        Suspect(
            str(ids[guess.rows[i]]),
            outcome,
            str(guess.classes[guess.codes[i]]),
            str(guess.classes[best[i]]),
            float(above[i, best[i]]),
        )
        for i in order
    ]


def _unpredictable(outcome: str, guess: _Guess, seed: int) -> tuple[Unpredictable, ...]:
    """Classes whose probability ranks their tickets no better than chance (upper 95 % bound of ROC-AUC below 0.6)."""
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(seed)
    found = []
    for c, label in enumerate(guess.classes):
        mine = guess.codes == c
        n = int(mine.sum())
        if n < 30 or n == len(mine):
            continue
        score = guess.probabilities[:, c]
        area = float(roc_auc_score(mine, score))
        # Hanley and McNeil's standard error at an area of one half
        error = float(np.sqrt((0.25 + (n - 1 + len(mine) - n - 1) / 12) / (n * (len(mine) - n))))
        shuffled = float(roc_auc_score(rng.permutation(mine), score))
        if area + 1.96 * error < 0.6:
            found.append(
                Unpredictable(
                    str(label), outcome, n, f"ROC-AUC {area:.2f} ± {1.96 * error:.2f}; shuffled labels {shuffled:.2f}"
                )
            )
    return tuple(found)


def _repeats(frame: pd.DataFrame, labels: pd.Series, groups: np.ndarray, fewest: int = 5) -> tuple[Repeats, ...]:
    sizes = np.bincount(groups, minlength=len(frame))
    big = [g for g in np.argsort(-sizes, kind="stable")[:50] if sizes[g] >= fewest]
    return tuple(_group(frame, labels, np.flatnonzero(groups == g)) for g in big)


def _both_ways(frame: pd.DataFrame, labels: pd.Series, groups: np.ndarray) -> tuple[Repeats, ...]:
    table = pd.DataFrame({"group": groups, "label": labels.to_numpy()}).dropna()
    ways = table.groupby("group")["label"].nunique()
    found = [_group(frame, labels, np.flatnonzero(groups == g)) for g in ways.index[ways > 1]]
    return tuple(sorted(found, key=lambda r: -r.n)[:50])


def _group(frame: pd.DataFrame, labels: pd.Series, rows: np.ndarray) -> Repeats:
    names = labels.iloc[rows].dropna().value_counts()
    return Repeats(
        len(rows), tuple(str(n) for n in names.index[:5]), tuple(str(i) for i in frame["ticket_id"].iloc[rows[:5]])
    )


def _twins(names: list[str], counts: pd.Series, why: str) -> Twins:
    return Twins(tuple(names), tuple(int(counts[n]) for n in names), why)
