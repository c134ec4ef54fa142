"""What people said of decisions becomes labels: the latest known truth, from when it was said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pipeline.history.definitions import Definition
from pipeline.ledger import open_ledger
from pipeline.ledger.lessons import LABELS, lessons
from pipeline.tickets.schema import conform, empty

WEIGHT_PREFIX = "weight."
"""Column of a prepared frame: how much a row weighs in learning an outcome; absent: all alike."""

_SAID = ["ticket_id", "value", "known_at"]
_DATED = ["given_at", "ticket_id", "kind", "value"]


@dataclass(frozen=True)
class Corrected:
    """Outcomes as people put them right.

    Attributes
    ----------
    outcomes : DataFrame
        By the schema OUTCOMES.
    dismissed : DataFrame
        `ticket_id`, `value` (an article's id), `known_at`: articles that people said don't answer the ticket, and that
        were neither attached nor cited after it.
    tickets : dict of str to frozenset of str
        Outcome → tickets of which a person said it.
    counts : dict of str to int
        What was taken, by kind, and why the rest wasn't.
    """

    outcomes: pd.DataFrame
    dismissed: pd.DataFrame = field(default_factory=lambda: empty("outcomes")[_SAID])
    tickets: dict[str, frozenset[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


def feedback_words(counts: Mapping[str, int]) -> str:
    """What was taken of the feedback, for a log line."""
    return "feedback: " + (", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none")


def read_feedback(url: str) -> pd.DataFrame:
    """`lessons` of a ledger that is there.

    Raises
    ------
    StoreError
    """
    with open_ledger(url, as_it_is=True, timeout_seconds=30.0) as ledger:
        return lessons(ledger)


def corrected(
    outcomes: pd.DataFrame,
    feedback: pd.DataFrame | None,
    tickets: pd.DataFrame,
    definitions: Mapping[str, Definition],
    *,
    cut: pd.Timestamp | None,
) -> Corrected:
    """Put outcomes right by feedback.

    A topic, priority or queue takes the place of the ticket's outcome. That somebody agreed with what they were shown
    is no label; it only takes an earlier correction back. An attached article is a citation more; a dismissed one is
    none and speaks against the article on tickets like it, and where none fits no earlier one is.

    Parameters
    ----------
    outcomes : DataFrame
        By the schema OUTCOMES.
    feedback : DataFrame or None
        By `lessons`.
    tickets : DataFrame
        Feedback on others says nothing.
    definitions : mapping of str to Definition
        Outcomes that are learned; a priority that isn't among its levels is left out.
    cut : Timestamp or None
        What was said from this moment on isn't known.
    """
    if feedback is None or feedback.empty:
        return Corrected(outcomes)
    known = feedback["ticket_id"].isin(tickets["ticket_id"]).to_numpy(bool)
    late = (feedback["given_at"] >= cut).to_numpy(bool) if cut is not None else ~known & known
    counts = {"of unknown tickets": int((~known).sum()), "not known yet": int((known & late).sum())}
    said = feedback[known & ~late].sort_values(_DATED, kind="stable")
    labels, by_ticket = [], dict[str, frozenset[str]]()
    for name in LABELS:
        mine = said[(said["kind"] == name).to_numpy(bool)]
        found, told = _labels(mine, _levels(name, definitions, outcomes)) if name in definitions else (mine[:0], {})
        told |= {} if name in definitions else {"not learned": mine["ticket_id"].nunique()}
        counts |= {f"{why} of {name}": count for why, count in told.items()}
        if len(found):
            labels.append(found)
            by_ticket[name] = frozenset(found["ticket_id"])
    left = outcomes[~_replaced(outcomes, by_ticket)].reset_index(drop=True)
    kept, attached, dismissed = _citations(left, said)
    counts |= {"articles attached": len(attached), "articles dismissed": len(dismissed)}
    counts |= {"citations taken back": len(left) - len(kept)}
    made = pd.concat([kept, *labels, *([attached] if len(attached) else [])], ignore_index=True)
    counts = {name: count for name, count in counts.items() if count}
    return Corrected(conform(made, "outcomes"), conform(dismissed, "outcomes")[_SAID], by_ticket, counts)


def weigh(frame: pd.DataFrame, tickets: Mapping[str, frozenset[str]], weight: float) -> pd.DataFrame:
    """The frame with a column of weights for each outcome that people put right."""
    columns = {}
    for name, ids in tickets.items():
        own = frame["ticket_id"].isin(ids).to_numpy(bool)
        columns[WEIGHT_PREFIX + name] = pd.Series(1.0, index=frame.index).mask(own, weight)
    return frame.assign(**columns)


def _levels(name: str, definitions: Mapping[str, Definition], outcomes: pd.DataFrame) -> frozenset[str] | None:
    """Values that an outcome may have; None: any, as new topics and queues come up."""
    if name != "priority":
        return None
    return frozenset(definitions[name].order or outcomes.loc[outcomes["outcome"] == name, "value"])


def _labels(said: pd.DataFrame, levels: frozenset[str] | None) -> tuple[pd.DataFrame, dict[str, int]]:
    """Outcomes of one kind, and how many tickets were corrected, or why not."""
    inside = (said["value"].isin(levels) if levels is not None else said["value"].notna()).to_numpy(bool)
    counts = {"outside the levels": int((~inside).sum())}
    said = said[inside]
    last = said.drop_duplicates("ticket_id", keep="last")
    own = said[~said["accepted"].to_numpy(bool)].drop_duplicates(["ticket_id", "value"], keep="last")
    found = last[["ticket_id", "value"]].merge(own, on=["ticket_id", "value"])
    counts |= {"corrections": len(found), "only accepted": len(last) - len(found)}
    made = found.assign(outcome=found["kind"], known_at=found["given_at"])
    return made[["ticket_id", "outcome", "value", "known_at"]], counts


def _replaced(outcomes: pd.DataFrame, tickets: Mapping[str, frozenset[str]]) -> pd.Series:
    replaced = pd.Series(False, index=outcomes.index)
    for name, ids in tickets.items():
        replaced |= (outcomes["outcome"] == name) & outcomes["ticket_id"].isin(ids)
    return replaced.astype(bool)


def _citations(outcomes: pd.DataFrame, said: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Outcomes without the citations that were taken back; articles that people attached, and those they dismissed."""
    attached: dict[tuple[str, str], pd.Timestamp] = {}
    until: dict[tuple[str, str | None], pd.Timestamp] = {}  # when an article was taken back; None: all of them
    for ticket, kind, value, at in said[["ticket_id", "kind", "value", "given_at"]].itertuples(index=False):
        if kind == "article_attached":
            attached[ticket, value] = at
        elif kind == "article_dismissed":
            attached.pop((ticket, value), None)
            until[ticket, value] = at
        elif kind == "none_fits":
            attached = {pair: known for pair, known in attached.items() if pair[0] != ticket}
            until[ticket, None] = at
    cited = outcomes[(outcomes["outcome"] == "article").to_numpy(bool)]
    cited = cited[cited["ticket_id"].isin(said["ticket_id"]).to_numpy(bool)]
    there, gone = set[tuple[str, str]](), []
    for row, ticket, value, known_at in cited[["ticket_id", "value", "known_at"]].itertuples():
        ends = [until[pair] for pair in ((ticket, value), (ticket, None)) if pair in until]
        if any(not known_at > end for end in ends):  # what has no moment was known always
            gone.append(row)
        else:
            there.add((ticket, value))
    rows = [(*pair, at) for pair, at in attached.items() if pair not in there]
    against = [(*pair, at) for pair, at in until.items() if pair[1] and pair not in there and pair not in attached]
    made, taken = (pd.DataFrame(found, columns=_SAID).assign(outcome="article") for found in (rows, against))
    return outcomes.drop(index=gone), made, taken


def weights_of(frame: pd.DataFrame, target: str) -> np.ndarray | None:
    """How much each row weighs in learning an outcome, shape (n,); None: all alike."""
    name = WEIGHT_PREFIX + target
    return frame[name].to_numpy(np.float64) if name in frame else None
