"""A small made-up knowledge base and tickets that cite it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from factories import tickets

from pipeline.articles.index import ArticleIndex
from pipeline.tickets import schema

PAGES = {
    "mail": ("Send mail", "Open the outbox, and press send for your mail.", "en"),
    "print": ("Print a page", "Choose the printer, then print the page.", "en"),
    "pass": ("Forgotten password", "Reset the password by the link.", "en"),
    "de": ("Drucken", "Wählen Sie den Drucker.", "de"),
}


def articles(**columns: Any) -> pd.DataFrame:
    """The pages by the schema."""
    rows = [(i, t, f"https://help.example/{i}", lang, text) for i, (t, text, lang) in PAGES.items()]
    frame = pd.DataFrame(rows, columns=["article_id", "title", "url", "language", "text"]).assign(**columns)
    return schema.conform(frame, "articles")


def directions(texts: list[str]) -> np.ndarray:
    """A made encoder: one axis for each subject."""
    names = ("mail", "print", "password", "druck")
    found = np.array([[float(name in text.lower()) for name in names] for text in texts], dtype=np.float32)
    found = found.reshape(-1, len(names))
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)


def index() -> ArticleIndex:
    """Built with the made encoder."""
    return ArticleIndex.build(articles(), directions, words=90)


WORDS = {
    "mail": ["inbox", "smtp", "folder", "send", "receive", "attachment", "message", "address"],
    "print": ["paper", "toner", "jam", "tray", "ink", "scanner", "cartridge", "copies"],
    "pass": ["account", "locked", "login", "reset", "token", "code", "username", "denied"],
}


def cited_tickets(n: int) -> pd.DataFrame:
    """Tickets whose words say which article was cited: hardly any of them stands in the article itself."""
    draw = np.random.default_rng(0)
    kinds = [list(WORDS)[i] for i in draw.permutation(np.arange(n) % 3)]
    body = [" ".join([*draw.choice(WORDS[k], 5), f"case{draw.integers(1e9)}"]) for k in kinds]
    return tickets(n, subject=None, body=body, language="en", fields_cited=kinds)
