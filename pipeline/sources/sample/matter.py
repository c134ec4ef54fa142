"""The truth behind one ticket: who writes about what, how urgent and angry it is, and how easily it boils over."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from datetime import datetime

from pipeline.sources.sample.people import Customer
from pipeline.sources.sample.subjects import Intent, Topic

LEVELS = ("low", "medium", "high", "urgent")
_CUTS = (-0.62, 0.48, 1.25)


@dataclass(frozen=True, slots=True)
class Matter:
    """The truth behind one ticket.

    Attributes
    ----------
    drive : float
        How easily it boils over, as the logarithm of a rate.
    chases, contact : int or None, int
        Number of the ticket that it says again, and for the how-manieth time the customer writes about it.
    comes_back : bool
        Whether the customer will write the same once more.
    """

    number: int
    at: datetime
    share: float
    customer: Customer
    language: str
    topic: Topic
    intent: Intent
    product: str
    channel: str
    version: str
    mood: int
    temper: float
    hurry: int
    urgency: float
    drive: float
    other: tuple[str, str] | None = None
    chases: int | None = None
    contact: int = 1
    comes_back: bool = False

    @property
    def ticket_id(self) -> str:
        """Its number as the helpdesk writes it."""
        return f"Q-{100_000 + self.number}"

    @property
    def priority(self) -> str:
        """The level that a careful agent gives."""
        return level(self.urgency)

    @property
    def queue(self) -> str:
        """Where it belongs: the topic decides, and in some cases the intent, product or language."""
        topic, intent = self.topic.name, self.intent.name
        if topic in ("warranty", "grinder", "fleet-alerts") or (self.product == "Heron Pro" and self.topic.symptom):
            return "workshop"
        if topic in ("billing", "gift-cards") or intent == "money_missing":
            return "finance"
        if topic in ("delivery", "returns-and-refunds") or intent in ("lost_part", "new_lid"):
            return "logistics"
        if topic in ("app-connection", "account-access"):
            return "digital"
        return "kundendienst" if self.language == "de" else "care"


def level(urgency: float) -> str:
    """The priority level of a latent urgency."""
    return LEVELS[bisect(_CUTS, urgency)]
