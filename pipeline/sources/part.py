"""What one import brings to a RAW_DIR, and what it did: plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from pipeline.tickets import schema


def no_rejects() -> pd.DataFrame:
    """A frame of refused records without any."""
    return pd.DataFrame(columns=["source", "code", "ticket_id"], dtype="str")


@dataclass(frozen=True)
class Part:
    """What one import brings.

    Attributes
    ----------
    tickets, events, articles : DataFrame
        By their schemas; personal data redacted.
    macros : DataFrame
        By the schema MACROS.
    rejects : DataFrame
        `source`, `code`, `ticket_id` of refused records.
    outcomes : dict
        Outcome definitions as written.
    record : dict
        What import.json says of this import.
    rows : {'tickets', 'events', 'articles', 'macros'}
        What its records are: `rejects` holds refused ones of these.
    all_articles, all_macros : bool
        Whether these are all the articles, or macros, there are: others leave RAW_DIR.
    repeats : {'reject', 'skip'}
        Whether a ticket that is already there is refused as a copy, or the same ticket once more (an event log that has
        grown, pages of an API that overlap).
    """

    tickets: pd.DataFrame
    events: pd.DataFrame
    articles: pd.DataFrame = field(default_factory=lambda: schema.empty("articles"))
    rejects: pd.DataFrame = field(default_factory=no_rejects)
    outcomes: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    rows: Literal["tickets", "events", "articles", "macros"] = "tickets"
    repeats: str = "reject"
    all_articles: bool = False
    macros: pd.DataFrame = field(default_factory=lambda: schema.empty("macros"))
    all_macros: bool = False

    @property
    def came(self) -> int:
        """How many of these it brought, refused ones included."""
        brought = {n: getattr(self, n) for n in ("tickets", "events", "articles", "macros")}
        return len(brought[self.rows]) + len(self.rejects)


@dataclass(frozen=True)
class Summary:
    """What one import did.

    Attributes
    ----------
    rows_in : int
        Records read (of tickets; in an event log: rows).
    tickets_in, tickets, events, articles : int
        Tickets that this import brought, refused ones included, and what lies in RAW_DIR after it.
    events_in : int
        Events that an import of events brought, refused ones included; 0 for any other.
    articles_in, macros_in : int
        The same of an import of articles, or of macros.
    macros : int
        Macros that lie in RAW_DIR after it.
    refused : dict of str to int
        Refused tickets (or events) by code.
    notes : dict of str to int
        What had to be assumed: naive times, rows out of order, and so on.
    outside_levels : dict of str to dict
        By outcome: values that its levels don't name, and how many tickets have them.
    outcomes : dict of str to int
        Known outcomes by name.
    redefined : tuple of str
        Outcomes that this import defines otherwise than an earlier one did.
    """

    rows_in: int
    tickets_in: int
    tickets: int
    events: int
    articles: int
    refused: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)
    outside_levels: dict[str, dict[str, int]] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    redefined: tuple[str, ...] = ()
    events_in: int = 0
    articles_in: int = 0
    macros_in: int = 0
    macros: int = 0

    @property
    def came(self) -> str:
        """What came in, and how many, in words."""
        if self.macros_in:
            return f"{self.macros_in:,} macros"
        if self.articles_in:
            return f"{self.articles_in:,} articles"
        return f"{self.events_in:,} events" if self.events_in else f"{self.tickets_in:,} tickets"

    @property
    def refused_share(self) -> float:
        """Refused among what came in, in [0, 1]."""
        return sum(self.refused.values()) / max(self.tickets_in, self.events_in, self.articles_in, self.macros_in, 1)
