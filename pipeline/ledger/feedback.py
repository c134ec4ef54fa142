"""What people said of a decision: another topic, priority or queue, an article attached or dismissed, none fits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from pipeline.history.store.people import people
from pipeline.ledger.decisions import digest, micros
from pipeline.tickets.cells import text_of
from pipeline.tickets.redact import redact

Kind = Literal["topic", "priority", "queue", "article_attached", "article_dismissed", "none_fits"]

KINDS: tuple[Kind, ...] = get_args(Kind)

VALUELESS: tuple[Kind, ...] = ("none_fits",)
"""Kinds that say all by themselves; every other needs a value."""


@dataclass(frozen=True)
class Feedback:
    """One thing that a person said.

    What would give a person away never gets in: `by` becomes a pseudonym, and a value is redacted.

    Attributes
    ----------
    ticket_id : str or None
        None once it is forgotten.
    given_at : datetime
        When it was said (aware): what training takes as `known_at`.
    kind : str
        One of `KINDS`.
    value : str or None
        The right topic, priority or queue, or the article's id; None for `none_fits`.
    by : str or None
        Who said so.
    source : str
        `http`, or the name of the file that it came in.
    decision : str or None
        Key of the decision that it is about. Where nobody says which, the ledger gives the latest one before it.
    key : str
        Hash of all that was said, so that saying it twice is one row.
    """

    ticket_id: str | None
    given_at: datetime
    kind: Kind
    value: str | None = None
    by: str | None = None
    source: str = "http"
    decision: str | None = None
    key: str = ""

    def __post_init__(self) -> None:
        value, by = text_of(self.value), text_of(self.by)
        object.__setattr__(self, "ticket_id", text_of(self.ticket_id))
        object.__setattr__(self, "value", None if value is None else redact(value))
        object.__setattr__(self, "by", people([by])[0])
        if not self.key:
            said = [self.ticket_id, micros(self.given_at), self.kind, self.value, self.by]
            object.__setattr__(self, "key", digest(said))
