"""A made-up desk with a knowledge base: tickets that articles answered, and some that no article fits."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from factories import NOON, tickets
from made_articles import articles

from pipeline.config import Encoder, Params
from pipeline.scorer import Scorer
from pipeline.sources.raw import Raw
from pipeline.tickets import schema
from pipeline.training.assemble import assemble
from pipeline.training.featurize import featurize
from pipeline.training.prepare import prepare_raw
from pipeline.training.train import train

PARAMS = replace(Params(), encoder=Encoder(name="none", cache=""))
WORDS = {
    "mail": ["inbox", "smtp", "folder", "send", "receive", "attachment", "message", "address"],
    "print": ["paper", "toner", "jam", "tray", "ink", "scanner", "cartridge", "copies"],
    "pass": ["account", "locked", "login", "reset", "token", "code", "username", "denied"],
    "moon": ["crater", "orbit", "lunar", "eclipse", "telescope", "tide", "rocket", "gravity"],
    "sea": ["harbour", "sail", "anchor", "wave", "salt", "island", "ferry", "current"],
}
UNFIT = ("moon", "sea")
"""What no article is about, and nobody ever cited one for."""


def event(ticket_id: str, kind: str, at: pd.Timestamp, **columns: Any) -> dict[str, Any]:
    """One event, received when it occurred."""
    return {"ticket_id": ticket_id, "kind": kind, "occurred_at": at, "received_at": at, **columns}


def events(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """By the schema."""
    return schema.conform(pd.DataFrame(rows, columns=schema.names("events")), "events")


def desk(count: int = 400) -> Raw:
    """Tickets an hour apart, answered after two hours, those about the moon after ten; the sea's are never answered."""
    draw = np.random.default_rng(0)
    kinds = [list(WORDS)[i] for i in draw.permutation(np.arange(count) % len(WORDS))]
    body = [" ".join([*draw.choice(WORDS[k], 5), f"case{draw.integers(1e9)}"]) for k in kinds]
    cited = [None if k in UNFIT else k for k in kinds]
    topic = ["sky" if k in UNFIT else "office" for k in kinds]
    made = tickets(count, subject=None, body=body, language="en", fields_cited=cited, fields_topic=topic)
    answers = [
        event(f"t{i}", "reply", NOON + pd.Timedelta(hours=i + (10 if kind == "moon" else 2)), side="agent")
        for i, kind in enumerate(kinds)
        if kind != "sea"
    ]
    outcomes = {"article": "cited", "topic": "topic"}
    return Raw(made, events(answers), schema.empty("outcomes"), articles(), outcomes, [])


@cache
def scorer() -> Scorer:
    """Learned from all of the desk: topics and articles, words alone."""
    prepared = prepare_raw(desk(), PARAMS)
    blocks = featurize(prepared, PARAMS, say=str)
    models = {name: train(name, prepared, blocks, PARAMS, say=str) for name in ("topic", "article")}
    return assemble(prepared, blocks, models, PARAMS)
