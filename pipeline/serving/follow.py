"""One ticket through its life: its risk as of fixed ages while it was open, and what raised it each time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from pipeline.errors import InputError
from pipeline.estimators.course import AGES
from pipeline.serving.intake import Intake
from pipeline.serving.past import Past, as_asked
from pipeline.serving.scores import AsOfScores

REASONS = 3
"""So many of the strongest reasons are said of each moment."""

_SILENT = ("base", "meaning", "rest")
"""Kinds of shares that say nothing to a person."""

Shares = dict[tuple[str, str], float]


@dataclass(frozen=True)
class Step:
    """The ticket as of a moment.

    Attributes
    ----------
    moment : Timestamp
    age_hours : float
    risk : float
        P(escalated).
    reasons : tuple of str
        What raised it most, the strongest first, in words: at creation of all that speaks for an escalation, later of
        what does so more than at the look before.
    """

    moment: pd.Timestamp
    age_hours: float
    risk: float
    reasons: tuple[str, ...]


def follow(ticket: pd.DataFrame, scorer: AsOfScores, past: Past, moment: pd.Timestamp) -> list[Step]:
    """The ticket at each of `AGES` while it was open, and as of the moment.

    Parameters
    ----------
    ticket : DataFrame, 1 row
        By the schema, with `created_at`.

    Raises
    ------
    InputError
        A ticket without a time, or created after the moment; a scorer without an escalation model.
    """
    created = ticket["created_at"].iloc[0]
    if pd.isna(created) or created > moment:
        got = "no created_at" if pd.isna(created) else f"created {created.isoformat()}"
        do = "name a ticket that was there"
        raise InputError("no life to follow", where=f"as of {moment.isoformat()}", got=got, do=do)
    name = str(ticket["ticket_id"].iloc[0])
    ages = [created + pd.Timedelta(hours=age) for age in AGES]
    looks = [at for at in ages if at < moment and (at == created or name in past.open_tickets(at))]
    rows = pd.concat([ticket] * (len(looks) + 1), ignore_index=True).assign(as_of=[*looks, moment])
    rows["as_of"] = rows["as_of"].astype("datetime64[us, UTC]")
    scored = [_at(rows.iloc[[i]], scorer, past, explain=True).iloc[0] for i in range(len(rows))]
    refused = [line["error"] for line in scored if isinstance(line["error"], str)]
    if refused:
        raise InputError("the ticket can't be scored", where=name, got=refused[0], do="see the reference of codes")
    if pd.isna(scored[0]["escalation_risk"]):
        do = "train on a history that has the outcome `escalated`"
        raise InputError("the scorer has no escalation model", where=f"scorer {scorer.version}", do=do)
    steps, before = [], Shares()
    for at, line in zip(rows["as_of"], scored, strict=True):
        shares = _shares(line["explanation"])
        age = (at - created) / pd.Timedelta(hours=1)
        steps.append(Step(at, age, float(line["escalation_risk"]), _reasons(shares, before)))
        before = shares
    return steps


def find(intake: Intake, ticket_id: str, now: datetime) -> pd.DataFrame:
    """The row of a ticket.

    Raises
    ------
    InputError
        It isn't there.
    """
    for frame in intake.read(now):
        found = frame[(frame["ticket_id"] == ticket_id).to_numpy(bool, na_value=False)]
        if len(found):
            return found.head(1).reset_index(drop=True)
    raise InputError("no such ticket", where=intake.name, got=ticket_id, do="check the id")


def most_risen(intake: Intake, scorer: AsOfScores, past: Past, moment: pd.Timestamp, now: datetime) -> pd.DataFrame:
    """The row of the open ticket whose risk has risen most since its creation; the first of equals.

    Raises
    ------
    InputError
        No ticket of the input is open as of the moment.
    """
    is_open = past.open_tickets(moment)
    best, found, undated = -2.0, None, 0
    for frame in intake.read(now):
        here = frame["ticket_id"].isin(is_open) & frame["error"].isna()
        undated += int((here & frame["created_at"].isna()).sum())
        here &= frame["created_at"] < moment
        rows = frame[here.to_numpy(bool, na_value=False)].reset_index(drop=True)
        if not len(rows):
            continue
        first = _at(rows.assign(as_of=rows["created_at"]), scorer, past)["escalation_risk"]
        rise = _at(rows.assign(as_of=moment), scorer, past)["escalation_risk"].to_numpy() - first.to_numpy()
        rise = pd.Series(rise).fillna(-1.0)
        if rise.max() > best:
            best, found = float(rise.max()), rows.iloc[[int(rise.argmax())]].reset_index(drop=True)
    if found is None:
        got, do = f"as of {moment.isoformat()}", "choose another moment"
        if undated:
            got, do = f"{undated} open tickets without created_at", "give the tickets their times"
        raise InputError("no open ticket can be followed", where=intake.name, got=got, do=do)
    return found


def _at(rows: pd.DataFrame, scorer: AsOfScores, past: Past, *, explain: bool = False) -> pd.DataFrame:
    return scorer.score(
        rows, history=past.read(as_asked(rows, scorer.queue_column, scorer.reason_column)), explain=explain
    )


def _shares(explanation: dict[str, dict[str, list[dict[str, str | float]]]]) -> Shares:
    parts = explanation["escalation"]["contributions"]
    return {(str(p["kind"]), str(p["name"])): float(p["value"]) for p in parts if p["kind"] not in _SILENT}


def _reasons(shares: Shares, before: Shares) -> tuple[str, ...]:
    risen = {part: value - max(before.get(part, 0.0), 0.0) for part, value in shares.items() if value > 0}
    order = sorted((part for part in risen if risen[part] > 0), key=lambda part: (-risen[part], part))
    return tuple(name for _, name in order[:REASONS])
