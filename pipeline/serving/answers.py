"""What the service says: the tickets of several requests are scored as one frame, and each gets its own rows back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, pairwise
from typing import Any

import pandas as pd

from pipeline.errors import ScorerError
from pipeline.scorer import Scorer
from pipeline.serving import sink
from pipeline.serving.past import Moment, Past, Remembering
from pipeline.sources.mapping import Mapping
from pipeline.sources.nested import with_inner
from pipeline.sources.reader import TableReader
from pipeline.tickets.records import Record, encodable, frames_of
from pipeline.tickets.schema import FIELD_PREFIX, TICKETS

SOURCE = "request"
"""What stands for the file's name in `source`."""

MOST_COLUMNS = 600
"""Requests whose tickets have more different columns together are read one by one: tables so wide are slow."""


@dataclass(frozen=True)
class Ask:
    """The tickets of one request.

    Attributes
    ----------
    records : tuple of Record
        As they were sent.
    explain : bool
    moment : Moment
        As of when they are asked for.
    """

    records: tuple[Record, ...]
    explain: bool = False
    moment: Moment = field(default_factory=Moment)

    @property
    def items(self) -> int:
        """How many."""
        return len(self.records)

    @property
    def characters(self) -> int:
        """How long they are."""
        return sum(record.size for record in self.records)


@dataclass(frozen=True, eq=False)
class Scored:
    """What was scored at once, of one request or several.

    Attributes
    ----------
    by : Loaded
    tickets : DataFrame, n rows
        As the scorer got them.
    records : list of n dict
        What it said, as it stands in JSON Lines.
    """

    by: Loaded
    tickets: pd.DataFrame
    records: list[dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Said:
    """The answer to one request: a record for each ticket, in order, all by one scorer.

    Attributes
    ----------
    of : Scored
        What it was scored with.
    begin, end : int
        Its rows of that.
    """

    of: Scored
    begin: int
    end: int

    @property
    def records(self) -> list[dict[str, Any]]:
        """Scored tickets as they stand in JSON Lines."""
        return self.of.records[self.begin : self.end]

    @property
    def version(self) -> str:
        """Of the scorer."""
        return self.of.by.version

    def line(self, row: int, more: dict[str, Any]) -> str:
        """A record as JSON Lines have it, with more after it."""
        return sink.json_line(self.of.records[self.begin + row] | more)


@dataclass(frozen=True)
class Loaded:
    """All that an answer depends on, swapped as one.

    Attributes
    ----------
    scorer : Scorer
    past : Past or None
        Where tickets are looked up.
    mapping : Mapping or None
        None: tickets come in our own schema.
    """

    scorer: Scorer
    past: Past | None = None
    mapping: Mapping | None = None

    @property
    def version(self) -> str:
        """The scorer's."""
        return self.scorer.version

    def answer(self, asks: Sequence[Ask], *, now: pd.Timestamp) -> list[Said]:
        """One answer a request: what batch scoring of its tickets alone would say.

        Parameters
        ----------
        now : Timestamp
            Tickets from more than a day later get `future_time`.
        """
        found: dict[int, Said] = {}
        for explain in (False, True):
            alike = [place for place, ask in enumerate(asks) if ask.explain is explain]
            for group in self.apart([asks[place] for place in alike]) if alike else ():
                places = [alike[n] for n in group]
                found |= zip(places, self._scored([asks[p] for p in places], explain, now), strict=True)
        return [found[place] for place in range(len(asks))]

    def apart(self, asks: Sequence[Ask]) -> list[list[int]]:
        """Places of the requests in groups that name no ticket twice between them: each repeats only its own."""
        wide = len({name for ask in asks for record in ask.records for name in record.values or ()}) > MOST_COLUMNS
        if len(asks) == 1 or wide:
            return [[place] for place in range(len(asks))]
        groups: list[tuple[set[str], list[int]]] = []
        for place, ids in enumerate(self._ids(asks)):
            for taken, group in groups:
                if taken.isdisjoint(ids):
                    taken |= ids
                    group.append(place)
                    break
            else:
                groups.append((ids, [place]))
        return [group for _, group in groups]

    def _ids(self, asks: Sequence[Ask]) -> list[set[str]]:
        if self.mapping is None:
            values = [[r.values for r in ask.records if isinstance(r.values, dict)] for ask in asks]
            return [{i for own in each if (i := encodable(own.get("ticket_id")))} for each in values]
        name = str(self.mapping.ticket_id)
        frames = [with_inner(records, [name]) for records in _frames(asks)]
        ids = list(chain.from_iterable(f[name] if name in f else [None] * len(f) for f in frames))
        return [{i for i in ids[begin:end] if isinstance(i, str)} for begin, end in _ends(asks)]

    def _scored(self, asks: Sequence[Ask], explain: bool, now: pd.Timestamp) -> list[Said]:
        """Answers of requests that name no ticket twice between them."""
        limit = self.scorer.settings.tickets.max_characters
        tickets = _dated(read_records([r for ask in asks for r in ask.records], self.mapping, now, limit), asks)
        answered = Remembering(self.scorer, self.past, Moment()).answer(tickets, explain=explain)
        records = sink.records(*answered)
        if len(records) != len(tickets):
            raise ScorerError("the scorer lost rows", got=f"{len(records)} of {len(tickets)}", do="report this")
        together = Scored(self, tickets, records)
        return [Said(together, begin, end) for begin, end in _ends(asks)]


def read_records(
    records: Sequence[Record], mapping: Mapping | None, now: pd.Timestamp, max_characters: int
) -> pd.DataFrame:
    """Tickets of records, as batch scoring reads them from a file."""
    reader = TableReader(mapping, now=now, max_characters=max_characters, checked={SOURCE})
    if mapping is None or not records:
        return reader.tickets_of(records if mapping is None else (), SOURCE)
    columns, frames = mapping.ticket_columns(), frames_of(iter(records), len(records))
    read = [reader.tickets(with_inner(frame, columns), SOURCE, json_like=True) for frame in frames]
    return read[0] if len(read) == 1 else pd.concat(read)


def wanted(mapping: Mapping | None) -> frozenset[str]:
    """Names in a JSON object that tickets are made of (besides `fields.NAME` without a mapping); others are dropped."""
    if mapping is None:
        return frozenset({*(column.name for column in TICKETS), "as_of"})
    steps = [name.split(".") for name in mapping.ticket_columns()]
    return frozenset(".".join(path[: n + 1]) for path in steps for n in range(len(path)))


def is_field(name: str, mapping: Mapping | None) -> bool:
    """Whether a name is that of a field in our own schema."""
    return mapping is None and name.startswith(FIELD_PREFIX)


def _frames(asks: Sequence[Ask]) -> list[pd.DataFrame]:
    records = [record for ask in asks for record in ask.records]
    return list(frames_of(iter(records), max(len(records), 1)))


def _ends(asks: Sequence[Ask]) -> list[tuple[int, int]]:
    return list(pairwise(accumulate((ask.items for ask in asks), initial=0)))


def _dated(tickets: pd.DataFrame, asks: Sequence[Ask]) -> pd.DataFrame:
    """The tickets with the moments that their requests ask for."""
    if all(ask.moment == Moment() for ask in asks):
        return tickets
    parts = [
        ask.moment.of_tickets(tickets.iloc[begin:end]) for ask, (begin, end) in zip(asks, _ends(asks), strict=True)
    ]
    moments = pd.concat([part["as_of" if "as_of" in part else "created_at"] for part in parts])
    return tickets.assign(as_of=moments.to_numpy())
