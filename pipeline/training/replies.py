"""Suggested replies: the answers that settled earlier tickets, and how likely one of them is right."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.articles.earlier import Asked
from pipeline.articles.macros import macros_of, sent_by
from pipeline.articles.model import ticket_vectors
from pipeline.articles.replies import SURENESS, Answers, ReplyModel, as_reply, names_of, same_text, small_words
from pipeline.calibration import sigmoid
from pipeline.config import Params
from pipeline.history.log import moments, objects
from pipeline.training.breakdown import wilson
from pipeline.training.featurize import Featurized
from pipeline.training.labels import LABEL_PREFIX
from pipeline.training.metrics import calibration_error
from pipeline.training.prepare import Prepared

FEWEST = 150
"""With fewer tickets to learn from nobody can tell how likely a reply is right, so none is suggested."""

HELD_OUT = 0.25
_MOST_ROWS = 2_000


@dataclass(frozen=True)
class Made:
    """What came out.

    Attributes
    ----------
    model : ReplyModel or None
    note : str
        Why there is none, or what it was learned from.
    figures : dict
        Of the latest quarter of the tickets that were learned from, by a model of the others.
    """

    model: ReplyModel | None
    note: str
    figures: dict[str, float]


def make(prepared: Prepared, featurized: Featurized, params: Params, *, say: Callable[[str], None]) -> Made:
    """Gather the answers, learn from tickets whose matter is known, judge on the latest of them.

    A reply is taken for right if what settled its ticket is what settles this one: the same article was cited on both;
    where too few tickets have a cited article, both have the same topic.
    """
    vectors = ticket_vectors(featurized.blocks, featurized.builder.terms)
    model = gathered(prepared, vectors, params, say=say)
    answers, settings = model.answers, params.articles
    most = 0
    for what, matter in _matters(prepared):
        rows = np.flatnonzero([bool(m) for m in matter])[-_MOST_ROWS:]
        if len(answers.ticket) < FEWEST or len(rows) < FEWEST:
            continue
        frame = prepared.frame.iloc[rows].drop(columns="as_of", errors="ignore")
        asked, own = Asked.of(frame, vectors[rows]), [matter[row] for row in rows]
        pairs, replies = _beside_earlier(model, asked, own, _of_answers(prepared, answers, matter))
        most = max(most, len(replies.row))
        if len(replies.row) < FEWEST:
            continue
        since = int(replies.row[int(len(replies.row) * (1 - HELD_OUT))])
        figures = _figures(pairs, replies, since, settings.reply, params.seed)
        if not _better_than_chance(pairs.take(pairs.row >= since).right, own):
            return Made(None, "no replies: similar tickets are no more often about the same than any others", figures)
        alike, fits = _logistic(pairs, params.seed), _logistic(replies, params.seed)
        note, least = f"replies: right means that {what}", settings.reply
        if not _kept(replies, since, settings.reply, params.seed):
            note, least = (
                f"{note}; none is given: on the latest tickets fewer were right than the probability says",
                np.inf,
            )
        return Made(replace(model, alike=alike, fits=fits, least=least), note, figures)
    return Made(None, f"no replies: {most} tickets to learn from, {FEWEST} are needed", {})


def gathered(prepared: Prepared, vectors: Any, params: Params, *, say: Callable[[str], None]) -> ReplyModel:
    """The answers there are, with weights that know nothing.

    Parameters
    ----------
    vectors : ndarray or csr_matrix, n rows
        `ticket_vectors` of the prepared rows.
    """
    answers, texts, macros = _answers(prepared, vectors, params)
    say(f"replies: {len(answers.ticket):,} answers that settled a ticket, {len(texts):,} different ones")
    if len(prepared.macros):
        sent = len({macro for macro in macros if macro is not None})
        say(f"replies: {sent:,} of {len(prepared.macros):,} imported macros were sent")
    settings, none = params.articles, np.zeros(len(SURENESS) + 1)
    return ReplyModel(answers, texts, np.zeros(2), none, settings.reply, settings.shown, macros)


Texts = tuple[str, ...]


def _answers(prepared: Prepared, vectors: Any, params: Params) -> tuple[Answers, Texts, tuple[str | None, ...]]:
    """The newest answers of tickets that are there, by text, and the macro of each text.

    The same text of the same language stands there once, and so does the same macro.
    """
    found, frame = prepared.answers, prepared.frame
    place = pd.Index(frame["ticket_id"]).get_indexer(pd.Index(found["ticket_id"]))
    known = moments(found["known_at"])
    order = np.argsort(known, kind="stable")
    order = order[place[order] >= 0][-params.articles.max_answers :] if params.articles.max_answers else order[:0]
    both = _sendable(found.iloc[order], objects(frame["customer_id"])[place[order]].tolist(), prepared.macros)
    good = np.array([text is not None for text, _ in both], dtype=bool)
    order, sent = order[good], [(text, macro) for text, macro in both if text is not None]
    rows = place[order].astype(np.int64)
    language = np.array([name or "" for name in objects(frame["language"])[rows].tolist()], dtype=object)
    first: dict[tuple[str, str], int] = {}
    keys = [(name, f"\x1f{macro}" if macro else same_text(t)) for name, (t, macro) in zip(language, sent, strict=True)]
    own = [first.setdefault(key, len(first)) for key in keys]
    kept: dict[int, tuple[str, str | None]] = {}
    for number, one in zip(own, sent, strict=True):
        kept.setdefault(number, one)  # as it was sent first
    by_text = np.argsort(own, kind="stable")
    ids = objects(frame["ticket_id"])[rows]
    sorted_ = (ids[by_text], np.array(own, dtype=np.int64)[by_text], known[order][by_text], language[by_text])
    texts = tuple(text for text, _ in kept.values())
    return (
        Answers(*sorted_, vectors[rows[by_text]]),
        texts,
        tuple(m for _, m in kept.values()) if len(prepared.macros) else (),
    )


def _sendable(
    answers: pd.DataFrame, customers: list[str | None], imported: pd.DataFrame
) -> list[tuple[str | None, str | None]]:
    """Each answer as it may be sent to somebody else, and the macro that it is.

    Neither its customer nor any agent is named in it; of a macro it is what the helpdesk holds.
    """
    texts = objects(answers["text"]).tolist()
    ordinary = small_words(texts)
    agents = names_of(objects(answers["actor"]).tolist(), ordinary=ordinary)
    rows = zip(objects(imported["macro_id"]).tolist(), objects(imported["text"]).tolist(), strict=True)
    macros = macros_of(rows, agents=agents, ordinary=ordinary)
    found: list[tuple[str | None, str | None]] = []
    for text, customer in zip(texts, customers, strict=True):
        macro = sent_by(text, macros)
        if macro is not None:
            found.append((macro.text, macro.macro_id))
        else:
            found.append((as_reply(text, agents=agents, customer=customer, ordinary=ordinary), None))
    return found


def _matters(prepared: Prepared) -> list[tuple[str, list[frozenset[str]]]]:
    """What two tickets may have in common, in words, and that of each row of the frame; empty where nobody knows."""
    ids = prepared.frame["ticket_id"]
    cited = prepared.citations.groupby("ticket_id")["value"].agg(frozenset)
    articles = [v if isinstance(v, frozenset) else frozenset() for v in ids.map(cited).to_numpy(dtype=object)]
    found = [("both were answered by the same article", articles)]
    column = LABEL_PREFIX + "topic"
    if column in prepared.frame:
        topics = objects(prepared.frame[column]).tolist()
        found.append(("both have the same topic", [frozenset([t] if t is not None else []) for t in topics]))
    return found


class _Looked(NamedTuple):
    """What was looked at of which ticket, and whether it was right; arrays of shape (pairs,) and (pairs, measures)."""

    row: np.ndarray
    measures: np.ndarray
    right: np.ndarray

    def take(self, chosen: np.ndarray) -> _Looked:
        return _Looked(self.row[chosen], self.measures[chosen], self.right[chosen])


def _of_answers(prepared: Prepared, answers: Answers, matter: list[frozenset[str]]) -> list[frozenset[str]]:
    """The matter of each answer's ticket."""
    place = pd.Index(prepared.frame["ticket_id"]).get_indexer(pd.Index(answers.ticket))
    return [matter[row] for row in place.tolist()]


def _beside_earlier(
    model: ReplyModel, asked: Asked, own: list[frozenset[str]], theirs: list[frozenset[str]]
) -> tuple[_Looked, _Looked]:
    """The most similar earlier tickets of each, and the reply that it would get, where what they are about is known."""
    known = np.array([bool(m) for m in theirs])
    similar: list[tuple[int, float, bool]] = []
    replies: list[tuple[int, np.ndarray, bool]] = []
    at = 0
    for part, near in model.looks(asked):
        best, measures = near.best(), model.measures(near)
        likest = np.argsort(-np.where(known, near.similarity, -1.0), axis=1, kind="stable")[:, : model.shown]
        for row in range(len(part.ids)):
            seen = known & (near.similarity[row] > 0)
            for e in likest[row][seen[likest[row]]].tolist():
                similar.append((at + row, float(near.similarity[row, e]), bool(own[at + row] & theirs[e])))
            sent = np.flatnonzero(seen & (model.answers.text == best[row]))
            if len(sent):
                source = int(sent[near.similarity[row, sent].argmax()])
                replies.append((at + row, measures[row], bool(own[at + row] & theirs[source])))
        at += len(part.ids)
    pairs = _Looked(*(np.array(v) for v in zip(*similar, strict=True))) if similar else _nothing(1)
    found = _Looked(*(np.array(v) for v in zip(*replies, strict=True))) if replies else _nothing(len(SURENESS))
    return pairs._replace(measures=pairs.measures.reshape(len(pairs.row), -1)), found


def _better_than_chance(right: np.ndarray, matter: list[frozenset[str]]) -> bool:
    """Whether similar tickets are about the same more often than two drawn at random (one-sided, 95 %)."""
    counts = np.unique(np.array([m for one in matter for m in one]), return_counts=True)[1]
    chance = float(((counts / len(matter)) ** 2).sum())
    found = float(right.mean()) if len(right) else 0.0
    return found - 1.645 * math.sqrt(found * (1 - found) / max(len(right), 1)) > chance


def _kept(replies: _Looked, since: int, least: float, seed: int) -> bool:
    """Whether those shown from `since` on may have been right as often as `least` says (95 % interval)."""
    shown, later, _ = _shown(replies, since, least, seed)
    return _highest(later.right[shown]) >= least


def _highest(right: np.ndarray) -> float:
    """The upper end of the share's 95 % interval."""
    high = wilson(int(right.sum()), len(right)).high
    return 1.0 if high is None else high


def _shown(replies: _Looked, since: int, least: float, seed: int) -> tuple[np.ndarray, _Looked, np.ndarray]:
    """Which replies from `since` on a model of those before would give, these replies, and how likely each is."""
    later, weights = replies.take(replies.row >= since), _logistic(replies.take(replies.row < since), seed)
    likely = sigmoid(later.measures @ weights[:-1] + weights[-1])
    return likely >= least, later, likely


def _nothing(measures: int) -> _Looked:
    return _Looked(np.zeros(0, dtype=int), np.zeros((0, measures)), np.zeros(0, dtype=bool))


def _logistic(looked: _Looked, seed: int) -> np.ndarray:
    """Weights of the measures and a constant: logit of P(right); a middling pair of either kind is added."""
    from sklearn.linear_model import LogisticRegression

    middle = looked.measures.mean(axis=0) if len(looked.row) else np.zeros(looked.measures.shape[1])
    measures, right = np.vstack([looked.measures, middle, middle]), np.append(looked.right, [True, False])
    fitted = LogisticRegression(C=10.0, random_state=seed).fit(measures, right)
    return np.append(fitted.coef_[0], fitted.intercept_)


def _figures(pairs: _Looked, replies: _Looked, since: int, least: float, seed: int) -> dict[str, float]:
    """How often what would be shown was right, and how well that is told, on the tickets from `since` on."""
    from sklearn.metrics import roc_auc_score

    shown, later, likely = _shown(replies, since, least, seed)
    if not len(later.row):
        return {}
    nearest = pairs.take(pairs.row >= since)
    found = {
        "similar right": float(nearest.right.mean()) if len(nearest.right) else math.nan,
        "replies right if all were shown": float(later.right.mean()),
        "replies right of those shown": float(later.right[shown].mean()) if shown.any() else math.nan,
        "share shown": float(shown.mean()),
        "ROC-AUC": float(roc_auc_score(later.right, likely)) if len(np.unique(later.right)) == 2 else math.nan,
        "ECE": calibration_error(likely, later.right.astype(float)),
    }
    return {name: value for name, value in found.items() if not math.isnan(value)}
