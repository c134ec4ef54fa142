"""The topics that people write about, each with its intents: topics.yaml as frozen values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

from pipeline.sources.sample.grammar import Phrase, lines, read

RENAMED = ("billing", "invoices-and-payments", 0.6)
"""A topic's name, its later name, and the share of the time after which it is used."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One kind of matter within a topic; `urgency` and `escalation` are shifts in deviations."""

    name: str
    weight: float
    urgency: float
    escalation: float
    symptoms: float
    products: tuple[str, ...]
    articles: tuple[str, ...]
    said: dict[str, tuple[Phrase, ...]]


@dataclass(frozen=True, slots=True)
class Topic:
    """What a ticket is about; `since` and `until` are shares of the time."""

    name: str
    weight: float
    since: float
    until: float
    symptom: bool
    machine: bool
    sisters: tuple[str, ...]
    subjects: dict[str, tuple[Phrase, ...]]
    intents: dict[str, Intent]


@cache
def topics() -> dict[str, Topic]:
    """The topics of topics.yaml."""
    return {name: _topic(name, raw) for name, raw in read("topics").items()}


def living_name(topic: str, share: float) -> str:
    """What the helpdesk calls a topic at a share of the time."""
    old, new, since = RENAMED
    return new if topic == old and share >= since else topic


def _topic(name: str, raw: dict[str, Any]) -> Topic:
    intents = {
        key: Intent(
            name=key,
            weight=value["weight"],
            urgency=raw["urgency"] + value["urgency"],
            escalation=raw["escalation"] + value["escalation"],
            symptoms=value.get("symptoms", 0.0),
            products=tuple(value.get("products", raw.get("products", ()))),
            articles=tuple(value["articles"]),
            said={language: lines(value[language]) for language in ("en", "de")},
        )
        for key, value in raw["intents"].items()
    }
    return Topic(
        name=name,
        weight=raw["weight"],
        since=raw.get("from", 0.0),
        until=raw.get("until", math.inf),
        symptom=raw.get("symptom", False),
        machine=raw.get("machine", False),
        sisters=tuple(raw["sisters"]),
        subjects={language: lines(block) for language, block in raw["subjects"].items()},
        intents=intents,
    )
