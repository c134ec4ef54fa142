"""What some messages come to: scored tickets, by the same scorer, reader and words as at every other door.

Tickets and events go into the history store first. Then each ticket is scored as of its arrival, and each known ticket
to which something happened as of just after that. Who follows gets the newest word on a ticket under a key of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import ScorerError
from pipeline.history.record import Roles, known_tickets
from pipeline.ledger import Decision, Journal, decisions_of
from pipeline.ledger.decisions import digest
from pipeline.serving import faults, sink
from pipeline.serving.answers import Ask, Loaded, read_records
from pipeline.serving.changes import with_people
from pipeline.serving.happenings import read_events
from pipeline.serving.past import StorePast, as_asked
from pipeline.serving.people import set_by_people
from pipeline.serving.stream.messages import Told, read_message
from pipeline.serving.stream.patience import unhurried
from pipeline.serving.stream.transport import Message, Result
from pipeline.tickets import schema
from pipeline.tickets.records import Record

DOOR = "stream"

UNSCORABLE, DIED = "unscorable", "worker_died"
"""Codes of what raises alone, and of what its workers didn't survive."""

QUIET = frozenset({"created", "updated", "escalated"})
"""Kinds of events after which a ticket isn't scored again: they say nothing that a person still needs a word on."""

OTHER_TICKET = "other_ticket"
"""Code of a message whose ticket and event have two ids: neither says which of them is meant."""

_ENDED = frozenset({"resolved", "closed"})
_INSTANT = pd.Timedelta(1, "us")


@dataclass(frozen=True)
class Outcome:
    """What one message came to.

    Attributes
    ----------
    result : Result or None
        None for an event after which nothing is said.
    code : str or None
        Of `ROW_CODES`: then the message belongs to the dead letters too.
    decision : Decision or None
        For the ledger.
    """

    result: Result | None = None
    code: str | None = None
    decision: Decision | None = None


@dataclass(frozen=True)
class Due:
    """A known ticket that is to be scored again.

    Attributes
    ----------
    ticket_id : str
    as_of : Timestamp
        In UTC.
    step : str
        After what: part of the result's key.
    partition : int
    tries : int
        How often it was begun, this time included.
    """

    ticket_id: str
    as_of: pd.Timestamp
    step: str
    partition: int
    tries: int = 1


@dataclass
class Scoring:
    """Scores messages.

    Attributes
    ----------
    journal : Journal or None
        The ledger: it keeps what was decided, and the words of known tickets.
    clock : callable
        The present, as a Timestamp in UTC.
    unscored : int
        Events so far after which the ticket could not be scored again, as nobody keeps its words.
    unlogged : int
        Decisions so far that neither the ledger nor its spool could take.
    """

    journal: Journal | None
    clock: Callable[[], pd.Timestamp]
    unscored: int = 0
    unlogged: int = 0

    @property
    def refused(self) -> int:
        """Decisions so far that the ledger's database refuses: they are set aside."""
        return 0 if self.journal is None else self.journal.refused

    def answer(self, loaded: Loaded, messages: Sequence[Message], *, code: str | None = None) -> list[Outcome]:
        """One outcome for each message, in order.

        Parameters
        ----------
        loaded : Loaded
            Scorer, history and mapping.
        messages : sequence of Message
        code : str, optional
            Why none of these can be scored: they aren't read, and each gets the triage queue with this code.

        Raises
        ------
        StoreError
            The history or the ledger can't be asked: nothing is wrong with the messages.
        """
        if code is not None:
            told = [Told(Record(None, code, len(m.value))) for m in messages]
        else:
            told = [read_message(m.value, loaded.mapping) for m in messages]
        now, found = self.clock(), [Outcome()] * len(messages)
        events, event_codes = _read([one.event for one in told], now)
        groups = [(places, self._tickets(loaded, messages, told, places, now)) for places in _apart(loaded, told)]
        groups, events = _of_one_ticket(groups, events)
        if isinstance(loaded.past, StorePast):
            with unhurried():
                _put(loaded.past, [frame for _, frame in groups], events)
        faults.point("stored")
        for places, tickets in groups:
            faults.poison(tickets["ticket_id"][tickets["error"].isna().to_numpy(bool)])
            new = self._new(loaded, messages, told, places, tickets, events)
            self.keep(new)  # an event beside it may need its words
            for place, outcome in zip(places, new, strict=True):
                found[place] = outcome
        for place, event_code in event_codes.items():
            if event_code is not None and found[place].code is None:
                found[place] = replace(found[place], code=event_code)
        known = [p for p, one in enumerate(told) if one.ticket is None and p in events.index]
        due = {p: due for p in known if (due := _due(events.loc[p], told[p], messages[p].partition)) is not None}
        asked, asked_codes = _read([one.again for one in told], now)
        for place, code in asked_codes.items():
            if code is not None:
                found[place] = Outcome(code=code)
            else:
                row: Any = asked.loc[place]
                due[place] = Due(str(row["ticket_id"]), row["occurred_at"], told[place].step, messages[place].partition)
        again = self.again(loaded, list(due.values()))
        self.keep(again)
        for place, outcome in zip(due, again, strict=True):
            found[place] = outcome
        return found

    def keep(self, outcomes: Iterable[Outcome]) -> None:
        """Put what was decided into the ledger."""
        made = [one.decision for one in outcomes if one.decision is not None]
        if not made or self.journal is None:
            return
        with unhurried():
            if not self.journal.write(made):
                self.unlogged += len(made)

    def again(self, loaded: Loaded, due: Sequence[Due]) -> list[Outcome]:
        """Score known tickets again, by the words that the ledger keeps; nothing comes of one of which it keeps none.

        The ledger isn't told yet: see `keep`.

        Raises
        ------
        StoreError
        """
        if not due or self.journal is None or loaded.past is None:
            self.unscored += len(due)
            return [Outcome()] * len(due)
        with unhurried():
            words = self.journal.ledger.words({one.ticket_id for one in due})
        found = [Outcome()] * len(due)
        for places in _rounds([one.ticket_id for one in due]):
            kept = [
                (place, due[place], words[due[place].ticket_id]) for place in places if due[place].ticket_id in words
            ]
            self.unscored += len(places) - len(kept)
            if not kept:
                continue
            rows = [{"subject": None, **w.ticket, "ticket_id": one.ticket_id, "as_of": one.as_of} for _, one, w in kept]
            faults.poison([one.ticket_id for _, one, _ in kept], again=True)
            tickets = pd.DataFrame(rows).assign(as_of=lambda t: t["as_of"].astype("datetime64[us, UTC]"))
            asked = [_Asked(w.content, one.step, one.partition) for _, one, w in kept]
            results = self._scored(loaded, tickets, asked, people=[True] * len(kept))
            for (place, _, _), outcome in zip(kept, results, strict=True):
                found[place] = outcome
        return found

    def _tickets(
        self,
        loaded: Loaded,
        messages: Sequence[Message],
        told: Sequence[Told],
        places: Sequence[int],
        now: pd.Timestamp,
    ) -> pd.DataFrame:
        """The tickets of some messages, row for row; one that can't be read has the id that came beside it."""
        records = [record for place in places if (record := told[place].ticket) is not None]
        limit = loaded.scorer.settings.tickets.max_characters
        tickets = read_records(records, loaded.mapping, now, limit).reset_index(drop=True)
        if len(tickets) != len(places):
            raise ScorerError("the reader lost rows", got=f"{len(tickets)} of {len(places)}", do="report this")
        beside = [messages[place].key for place in places]
        nameless = (tickets["ticket_id"].isna() & tickets["error"].notna()).to_numpy(bool)
        if nameless.any() and any(beside):
            ids = tickets["ticket_id"].tolist()
            ids = [k if empty else i for i, k, empty in zip(ids, beside, nameless, strict=True)]
            tickets = tickets.assign(ticket_id=pd.Series(ids, index=tickets.index, dtype=tickets["ticket_id"].dtype))
        return tickets

    def _new(
        self,
        loaded: Loaded,
        messages: Sequence[Message],
        told: Sequence[Told],
        places: Sequence[int],
        tickets: pd.DataFrame,
        events: pd.DataFrame,
    ) -> list[Outcome]:
        """Outcomes of tickets that the messages themselves hold."""
        after = {
            n: events["received_at"].loc[place] + _INSTANT for n, place in enumerate(places) if place in events.index
        }
        if after:
            own = tickets["as_of"] if "as_of" in tickets else tickets["created_at"]
            tickets = tickets.assign(as_of=own.astype("datetime64[us, UTC]"))
            for n, moment in after.items():
                tickets.loc[n, "as_of"] = moment
        ids = tickets["ticket_id"].tolist()
        asked = []
        for n, place in enumerate(places):
            message, one = messages[place], told[place]
            step = one.step if isinstance(ids[n], str) and one.content else message.position  # all that tells it apart
            asked.append(_Asked(one.content, step, message.partition))
        return self._scored(loaded, tickets, asked, people=[n in after for n in range(len(places))])

    def _scored(
        self, loaded: Loaded, tickets: pd.DataFrame, asked: Sequence[_Asked], *, people: Sequence[bool]
    ) -> list[Outcome]:
        """Outcomes row by row; in those of `people` what a person has set stays: something has happened to them."""
        scorer, history = loaded.scorer, None
        if loaded.past is not None:
            with unhurried():
                history = loaded.past.read(as_asked(tickets, scorer.queue_column, scorer.reason_column))
        scored = scorer.score(tickets, history=history)
        if len(scored) != len(tickets):
            raise ScorerError("the scorer lost rows", got=f"{len(scored)} of {len(tickets)}", do="report this")
        if any(people) and history is not None:
            said = set_by_people(history, tickets, machines=scorer.settings.rescore.machines)
            said.loc[~np.array(people) | scored["error"].notna().to_numpy(bool)] = None
            scored, _ = with_people(scored, said)
        ids, codes = (
            [v if isinstance(v, str) else None for v in scored[name].tolist()] for name in ("ticket_id", "error")
        )
        keys = [
            digest([i, one.content, one.step, scorer.version, code])
            for i, one, code in zip(ids, asked, codes, strict=True)
        ]
        lines = sink.whole(scored, sink.Format("jsonl"), scorer.levels).splitlines()
        made = self._decisions(loaded, tickets, scored, keys)
        return [
            Outcome(Result(one.partition, key, i, line[:-1] + b',"key":"%s"}' % key.encode()), code, decision)
            for one, key, i, line, code, decision in zip(asked, keys, ids, lines, codes, made, strict=True)
        ]

    def _decisions(
        self, loaded: Loaded, tickets: pd.DataFrame, scored: pd.DataFrame, keys: Sequence[str]
    ) -> Sequence[Decision | None]:
        if self.journal is None:
            return [None] * len(tickets)
        settings, now = loaded.scorer.settings, self.clock().to_pydatetime()
        assert isinstance(now, datetime)
        return decisions_of(
            tickets,
            scored,
            door=DOOR,
            decided_at=now,
            settings=settings.ledger,
            people=settings.history,
            history=loaded.past is not None,
            keys=keys,
        )


@dataclass(frozen=True)
class _Asked:
    """What of a row goes into its key, and where its result goes."""

    content: str
    step: str
    partition: int


def _read(records: Sequence[Record | None], now: pd.Timestamp) -> tuple[pd.DataFrame, dict[int, str | None]]:
    """Good events, each under its message's place, and the code of every event."""
    places = [place for place, record in enumerate(records) if record is not None]
    if not places:
        return schema.empty("events"), {}
    events, codes = read_events([record for record in records if record is not None], now)
    return events.set_axis([places[n] for n in events.index], axis=0), dict(zip(places, codes, strict=True))


def _apart(loaded: Loaded, told: Sequence[Told]) -> Iterator[list[int]]:
    """Places of the messages that hold tickets, in groups that name no ticket twice: each is scored."""
    places = [place for place, one in enumerate(told) if one.ticket is not None]
    if not places:
        return
    asks = [Ask((record,)) for one in told if (record := one.ticket) is not None]
    for group in loaded.apart(asks):
        yield [places[n] for n in group]


def _of_one_ticket(
    groups: Sequence[tuple[list[int], pd.DataFrame]], events: pd.DataFrame
) -> tuple[list[tuple[list[int], pd.DataFrame]], pd.DataFrame]:
    """The same, but tickets beside an event of another one are refused, and these events are left out."""
    found, wrong = list[tuple[list[int], pd.DataFrame]](), list[int]()
    for places, tickets in groups:
        pairs = zip(places, tickets["ticket_id"].tolist(), strict=True)  # one that can't be read has no id to differ
        other = np.array(
            [isinstance(i, str) and p in events.index and events.at[p, "ticket_id"] != i for p, i in pairs]
        )
        if other.any():
            wrong += [place for place, bad in zip(places, other, strict=True) if bad]
            tickets = tickets.assign(error=tickets["error"].mask(other, OTHER_TICKET))
        found.append((places, tickets))
    return found, events.drop(index=wrong)


def _rounds(ids: Sequence[str]) -> list[list[int]]:
    """Places in groups that name no id twice, in order."""
    times: dict[str, int] = {}
    found: list[list[int]] = []
    for place, name in enumerate(ids):
        nth = times[name] = times.get(name, -1) + 1
        if nth == len(found):
            found.append([])
        found[nth].append(place)
    return found


def _put(past: StorePast, groups: Sequence[pd.DataFrame], events: pd.DataFrame) -> None:
    """Take in all that was told: tickets in their order, and events."""
    roles = past.store.roles() or Roles()
    good = [frame[frame["error"].isna().to_numpy(bool)] for frame in groups] or [schema.empty("tickets")]
    for n, tickets in enumerate(good):
        own = roles.canonical(events.reset_index(drop=True)) if n == 0 else schema.empty("events")
        if len(tickets) or len(own):
            past.store.put(known_tickets(tickets, roles, past.store.settings), own)


def _due(event: Any, told: Told, partition: int) -> Due | None:
    """The ticket of an event, if it is to be scored again."""
    if event["kind"] in QUIET or (event["kind"] == "status" and event["value"] in _ENDED):
        return None
    return Due(str(event["ticket_id"]), event["received_at"] + _INSTANT, told.step, partition)
