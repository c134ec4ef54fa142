"""The customers of the made-up company: what they own, how they write, how short their fuse is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.sources.sample.grammar import Random, bell, pick, read, weighted

_MAX_CUSTOMERS = 40_000


@dataclass(slots=True)
class Customer:
    """Somebody who writes, with a temper and a past."""

    customer_id: str
    language: str
    first: str
    surname: str
    country: str
    tier: str
    products: tuple[str, ...]
    fuse: float
    sloppy: bool
    escalations: int = 0


def customers(tickets: int, random: Random) -> list[Customer]:
    """Enough people to write so many tickets."""
    count = max(8, min(int(tickets * 0.42), _MAX_CUSTOMERS))
    words = read("words")
    return [_customer(f"C{10_001 + i}", words, random) for i in range(count)]


def _customer(customer_id: str, words: dict[str, Any], random: Random) -> Customer:
    language = "de" if random() < 0.25 else "en"
    tier = weighted(words["tiers"], random)
    first = weighted(words["shares"], random)
    second = weighted(words["shares"], random)
    owned = (first, second) if random() < 0.4 else (first,)
    if tier == "business" and random() < 0.7:
        owned = ("Heron Pro", first)
    return Customer(
        customer_id=customer_id,
        language=language,
        first=pick(words[language]["first"], random),
        surname=pick(words[language]["surname"], random),
        country=weighted(words["countries"][language], random),
        tier=tier,
        products=tuple(dict.fromkeys(owned)),
        fuse=bell(random),
        sloppy=random() < 0.2,
    )
