"""What an import left in RAW_DIR goes into a store: batch by batch, once each, and on from anywhere after a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from pipeline.config import History, Params
from pipeline.history.definitions import parse_definitions
from pipeline.history.reasons import reason_column
from pipeline.history.record import TICKETS, Roles, known_tickets
from pipeline.history.store import Put, open_store
from pipeline.sources.raw import kept_still, load_raw, merged, raw_batches, relabel
from pipeline.tickets import files, schema
from pipeline.tickets.schema import FIELD_PREFIX

ROWS = 5_000
"""Tickets, or events, that are one transaction."""

Progress = Callable[[str, int], None]
"""Is told what is put in, and how many rows of it are safe."""


@dataclass(frozen=True)
class Remembered:
    """What came of it; plain JSON values.

    Attributes
    ----------
    tickets, events : int
        Rows of RAW_DIR: new + changed or known + refused ones.
    tickets_new, tickets_changed : int
    events_new, events_known : int
        A repeated event is known.
    escalated : int
        Tickets of RAW_DIR that escalated by the definition of that outcome.
    made_anew : bool
        Whether what the store knew was counted anew first, as `history.shared` has changed.
    refused : dict of str to int
        Rows that no look could ever use, by code (`history.store.rows.CODES`).
    """

    tickets: int
    tickets_new: int
    tickets_changed: int
    events: int
    events_new: int
    events_known: int
    escalated: int
    made_anew: bool = False
    refused: dict[str, int] = field(default_factory=dict)


def remember(folder: Path, url: str, settings: Params, *, progress: Progress, rows: int = ROWS) -> Remembered:
    """Put all of a RAW_DIR into a store, which is made where there is none.

    Given again, it adds what is new; killed at any moment and given again, it ends with the same store.

    Parameters
    ----------
    folder : Path
        RAW_DIR.
    url : str
        See `open_store`.
    settings : Params
        `history`: who is one customer, and what says what a ticket is about. `outcomes`: what is the queue and the
        priority, and who escalated.
    progress : callable
        Called after each transaction: what it tells of survives a crash.
    rows : int
        Rows in one transaction: memory grows with it, not with RAW_DIR. (Only if outcomes are defined otherwise than
        at the import, RAW_DIR is read as a whole to make them anew.)

    Raises
    ------
    InputError, ConfigError
        No import made the folder, a file of it is damaged, an outcome is defined by what isn't there.
    StoreError
        The store can't be written, or was filled by other definitions; what was told of before is safe.
    """
    with kept_still(folder) as written:
        definitions = parse_definitions(merged(written, settings.outcomes), "params.yaml: outcomes")
        escalated = _escalated(folder, settings, as_written=merged(written, settings.outcomes) == written)
        roles = Roles.of(definitions, pd.DataFrame({"field": _columns(folder, rows)}))
        with open_store(url, settings.history) as store:
            store.agree(roles)
            anew = store.made_anew
            of_tickets = _Told("tickets", progress)
            for tickets in _tickets(folder, roles, settings.history, rows):
                own = escalated[escalated["ticket_id"].isin(tickets["ticket_id"]).to_numpy(bool)]
                of_tickets.add(store.put(tickets, schema.empty("events"), own, settled=True), len(tickets))
            of_events = _Told("events", progress)
            for events in raw_batches(folder, "events", schema.names("events"), rows=rows):
                of_events.add(store.put(schema.empty("tickets"), roles.canonical(events)), len(events))
    both = of_tickets.put + of_events.put
    return Remembered(
        tickets=of_tickets.rows,
        tickets_new=both.tickets_new,
        tickets_changed=both.tickets_changed,
        events=of_events.rows,
        events_new=both.events_new,
        events_known=both.events_repeated,
        escalated=len(escalated),
        made_anew=anew,
        refused=dict(sorted(both.refused.items())),
    )


@dataclass
class _Told:
    """What is counted on the way of tickets, or of events."""

    name: str
    progress: Progress
    rows: int = 0
    put: Put = field(default_factory=Put)

    def add(self, put: Put, rows: int) -> None:
        """One more transaction is safe."""
        self.put, self.rows = self.put + put, self.rows + rows
        self.progress(self.name, self.rows)


def _tickets(folder: Path, roles: Roles, settings: History, rows: int) -> Iterator[pd.DataFrame]:
    queue = f"{FIELD_PREFIX}{roles.queue}" if roles.queue else None
    columns = dict.fromkeys(n for n in (*TICKETS, queue, reason_column(settings)) if n is not None)
    for tickets in raw_batches(folder, "tickets", [*columns], rows=rows):
        yield known_tickets(tickets, roles, settings)


def _columns(folder: Path, rows: int) -> list[str]:
    """Source columns that some event names."""
    batches = raw_batches(folder, "events", ["field"], rows=rows)
    return sorted(set[str]().union(*(batch["field"].dropna() for batch in batches)))


def _escalated(folder: Path, settings: Params, *, as_written: bool) -> pd.DataFrame:
    """The outcomes of tickets that escalated, as a door that reads RAW_DIR knows them."""
    if as_written and replace(settings.history, contact_reason=None) == History():
        outcomes = files.read_parquet(folder / "outcomes.parquet")
    else:
        outcomes = relabel(load_raw(folder), settings.outcomes, customers=settings.history)[1]
    yes = (outcomes["outcome"] == "escalated") & (outcomes["value"] == "1") & outcomes["known_at"].notna()
    found: pd.DataFrame = outcomes[yes.to_numpy(bool)]
    return found
