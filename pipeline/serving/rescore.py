"""The open tickets, scored again as of a moment: the changes that matter, and the newest state of every ticket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from pipeline.config import Rescore
from pipeline.errors import ScorerError
from pipeline.serving.changes import COLUMNS, FIELDS, changed_fields, with_people
from pipeline.serving.intake import Intake
from pipeline.serving.ledgered import Keep, nowhere
from pipeline.serving.past import Past, as_asked
from pipeline.serving.people import TRACKS, set_by_people
from pipeline.serving.rescored import Rescored, Summary, Targets, publish
from pipeline.serving.scored_file import newest, read_scored
from pipeline.serving.scores import AsOfScores
from pipeline.serving.sink import Columns
from pipeline.serving.work import claimed
from pipeline.tickets import schema

ROWS = 2_000
"""Open tickets that are scored at a time."""


def rescore_file(
    intake: Intake,
    scored: Path,
    scorer: AsOfScores,
    past: Past,
    targets: Targets,
    stream: BinaryIO,
    *,
    moment: pd.Timestamp,
    now: datetime,
    settings: Rescore,
    keep: Keep = nowhere,
) -> Summary:
    """Go over the open tickets and write what changed: the changes first, the state last, each whole or not at all.

    So a run that is cut off tells a change again rather than never.

    Parameters
    ----------
    scored : Path
        What was written before.
    stream : binary stream
        Gets the changes as JSON lines where they have no file.
    moment : Timestamp
        As of when (aware).
    now : datetime
        The moment of the run, for times that lie in the future, and for the ledger.
    keep : callable
        Takes the decisions of the tickets that changed: the others were told to nobody.

    Raises
    ------
    InputError, OutputError, ScorerError, StoreError
    """
    targets = targets.checked(intake, scored)
    with ExitStack() as stack:
        drafts = {p: stack.enter_context(claimed(p)).copy for p in (targets.changes, targets.state) if p is not None}
        found = rescore(intake, read_scored(scored), scorer, past, moment=moment, now=now, settings=settings)
        intake.check_unchanged()
        decided = dict if found.changes.empty else partial(keep, found.tickets, found.said, now)
        return publish(found, targets, drafts, stream, levels=scorer.levels, keep=decided)


def rescore(
    intake: Intake,
    scored: pd.DataFrame,
    scorer: AsOfScores,
    past: Past,
    *,
    moment: pd.Timestamp,
    now: datetime,
    settings: Rescore,
) -> Rescored:
    """Score the open tickets as of a moment and hold them against the lines that were last written of them."""
    last, told = newest(scored), _Told()
    is_open = set(past.open_tickets(moment))
    parts = [
        _changes(rows.assign(as_of=moment.as_unit("us")), last, scorer, past, told, settings)
        for rows in _open_rows(intake.read(now), is_open, told)
    ]
    changes = _joined([p.told for p in parts], COLUMNS)
    counts = told.counts
    summary = Summary(
        scorer_version=scorer.version,
        as_of=moment.isoformat(),
        tickets=counts["tickets"],
        open=len(told.seen),
        missing=len(is_open - told.seen),
        changed=len(changes),
        unchanged=counts["unchanged"],
        new=counts["new"],
        newer=counts["newer"],
        fields={n: int(sum(n in names for names in changes["changed"])) for n in FIELDS},
        kept={n: told.kept[n] for n in TRACKS},
        refused_rows=sum(told.refused.values()),
        refused=dict(sorted(told.refused.items())),
    )
    tickets, said = (_below(frames) for frames in ([p.tickets for p in parts], [p.said for p in parts]))
    return Rescored(changes, _merged(last, changes), summary, tickets, said)


@dataclass(frozen=True)
class _Changes:
    """Row for row: the tickets that changed, what the scorer says, and what is told."""

    tickets: pd.DataFrame
    said: pd.DataFrame
    told: pd.DataFrame


@dataclass
class _Told:
    """What is counted on the way."""

    counts: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    seen: set[str] = field(default_factory=set)


def _open_rows(frames: Iterable[pd.DataFrame], is_open: set[str], told: _Told) -> Iterator[pd.DataFrame]:
    """The good rows of open tickets, about `ROWS` at a time: most of a file may be closed."""
    waiting: list[pd.DataFrame] = []
    for frame in frames:
        told.counts["tickets"] += len(frame)
        nameless, mine = frame["ticket_id"].isna(), frame["ticket_id"].isin(is_open)
        wrong = frame["error"].notna()
        told.refused.update(frame.loc[(wrong & (mine | nameless)).to_numpy(bool), "error"].tolist())
        told.seen.update(frame.loc[mine.to_numpy(bool), "ticket_id"].tolist())
        waiting.append(frame[(mine & ~wrong).to_numpy(bool)])
        if sum(map(len, waiting)) >= ROWS:
            yield pd.concat(waiting, ignore_index=True)
            waiting = []
    if sum(map(len, waiting)):
        yield pd.concat(waiting, ignore_index=True)


def _changes(
    rows: pd.DataFrame, last: pd.DataFrame, scorer: AsOfScores, past: Past, told: _Told, settings: Rescore
) -> _Changes:
    """The changes among some open tickets."""
    history = past.read(as_asked(rows, scorer.queue_column, scorer.reason_column))
    scored = scorer.score(rows, history=history)
    if len(scored) != len(rows):
        got = f"{len(scored)} of {len(rows)}"
        raise ScorerError("the scorer lost rows", got=got, do="report this; no output was written")
    before = last.reindex(pd.Index(last["ticket_id"]).get_indexer(pd.Index(rows["ticket_id"]))).reset_index(drop=True)
    people = set_by_people(history, rows, machines=settings.machines)
    now, kept = with_people(scored, people)
    names = changed_fields(before, now, people, settings)
    refused = scored["error"].notna().to_numpy(bool)
    newer = (before["as_of"] > rows["as_of"]).to_numpy(bool)
    good = ~refused & ~newer
    changed = good & np.array([bool(n) for n in names], dtype=bool)
    told.refused.update(scored.loc[refused, "error"].tolist())
    told.kept.update({name: int((of & good).sum()) for name, of in kept.items()})
    told.counts["newer"] += int((newer & ~refused).sum())
    told.counts["unchanged"] += int((good & ~changed).sum())
    told.counts["new"] += int((changed & before["ticket_id"].isna().to_numpy(bool)).sum())
    named: pd.DataFrame = now.assign(changed=pd.Series(names, index=now.index, dtype="object"))
    return _Changes(rows[changed], scored[changed], named[changed])


def _below(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Frames one below the other; without columns where there is none."""
    filled = [frame for frame in frames if len(frame)]
    below: pd.DataFrame = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()
    return below


def _joined(parts: Sequence[pd.DataFrame], columns: Columns) -> pd.DataFrame:
    """Frames of scored rows one below the other; typed where there is none."""
    nothing = schema.empty("scored").assign(changed=pd.Series(dtype="object"))
    filled = [part for part in parts if len(part)] or [nothing]
    joined: pd.DataFrame = pd.concat(filled, ignore_index=True)
    return joined[[c.name for c in columns]]


def _merged(last: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """The last lines with the changed ones in their places."""
    both = _joined([last, changes], schema.SCORED)
    places = {ticket: place for place, ticket in reversed([*enumerate(both["ticket_id"].tolist())])}
    state = both.drop_duplicates("ticket_id", keep="last")
    order = np.argsort([places[ticket] for ticket in state["ticket_id"].tolist()], kind="stable")
    return state.iloc[order].reset_index(drop=True)
