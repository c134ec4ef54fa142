"""The customers of the made-up company: what they own, how they write and are reached, how short their fuse is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeline.sources.sample.grammar import Random, bell, pick, read, weighted

_MAX_CUSTOMERS = 40_000
_MOVED = 0.08
_KNOWN_BY = {"email": (0.75, 1.0, 0.0), "web": (0.92, 0.8, 0.2), "chat": (0.8, 0.25, 0.0), "phone": (0.5, 0.0, 1.0)}
"""By channel: how often a ticket has its customer's number, mail address and phone number."""

_PLAIN_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


@dataclass(slots=True)
class Customer:
    """Somebody who writes, with a temper and a past.

    Attributes
    ----------
    moves : float
        Share of the time after which the helpdesk knows them by another number, as after a change of plan; 2: never.
    escalations : list of datetime
        When their tickets boiled over.
    """

    number: int
    language: str
    first: str
    surname: str
    country: str
    tier: str
    products: tuple[str, ...]
    fuse: float
    sloppy: bool
    moves: float = 2.0
    escalations: list[datetime] = field(default_factory=list)

    def customer_id(self, share: float) -> str:
        """The helpdesk's number for them at a share of the time."""
        return f"C{(10_001 if share < self.moves else 60_001) + self.number}"

    @property
    def email(self) -> str:
        """An address in a domain that can't exist."""
        name = f"{self.first}.{self.surname}".lower().translate(_PLAIN_LETTERS)
        return f"{name}{self.number}@{('mail', 'post', 'letterbox')[self.number % 3]}.example"

    @property
    def phone(self) -> str:
        """A number of the ranges that are kept free for films."""
        known: list[str] = read("words")[self.language]["phone"]
        return f"{known[self.number // 1000 % len(known)]}{self.number % 1000:03d}"

    def known_as(self, channel: str, share: float, random: Random) -> dict[str, str | None]:
        """Their number, mail address and phone number, as far as the helpdesk knows them on a ticket."""
        values = {"customer_id": self.customer_id(share), "email": self.email, "phone": self.phone}
        chances = zip(values.items(), _KNOWN_BY[channel], strict=True)
        return {name: value if random() < chance else None for (name, value), chance in chances}


def customers(tickets: int, random: Random) -> list[Customer]:
    """Enough people to write so many tickets."""
    count = max(8, min(int(tickets * 0.42), _MAX_CUSTOMERS))
    words = read("words")
    return [_customer(i, words, random) for i in range(count)]


def _customer(number: int, words: dict[str, Any], random: Random) -> Customer:
    language = "de" if random() < 0.25 else "en"
    tier = weighted(words["tiers"], random)
    first = weighted(words["shares"], random)
    second = weighted(words["shares"], random)
    owned = (first, second) if random() < 0.4 else (first,)
    if tier == "business" and random() < 0.7:
        owned = ("Heron Pro", first)
    return Customer(
        number=number,
        language=language,
        first=pick(words[language]["first"], random),
        surname=pick(words[language]["surname"], random),
        country=weighted(words["countries"][language], random),
        tier=tier,
        products=tuple(dict.fromkeys(owned)),
        fuse=bell(random),
        sloppy=random() < 0.2,
        moves=0.15 + 0.7 * random() if random() < _MOVED else 2.0,
    )
