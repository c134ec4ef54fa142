"""A scorer before it goes into service: found, checked, warmed with tickets of every length, and then trusted."""

from __future__ import annotations

import gc
import hashlib
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import pandas as pd

from pipeline.artifact import MANIFEST
from pipeline.errors import ScorerError
from pipeline.history.store import TIMEOUT_SECONDS
from pipeline.scorer import Scorer
from pipeline.serving.answers import Ask, Loaded
from pipeline.serving.past import open_past
from pipeline.sources.mapping import Mapping
from pipeline.tickets.json_records import record_of
from pipeline.tracking import registry

WARM_SIZES = (1, 2, 16)
"""Tickets of the batches that a scorer is warmed with."""

SWAP_SECONDS = (0.05, 0.1, 0.2, 0.4)
"""How long a scorer that changes while it is read is waited for, before it is read once more."""

_SENTENCE = "The machine stopped this morning, and nobody has told me yet what I can do about it. "


class Source(Protocol):
    """Where the scorer comes from."""

    def mark(self) -> str:
        """What changes when another scorer is there; empty while nothing can be said."""
        ...

    def open(self) -> Scorer:
        """The scorer that is there now, after all its checks."""
        ...


@dataclass(frozen=True)
class FolderSource:
    """A folder that `triage run` made, and may replace at any time.

    Attributes
    ----------
    folder : Path
    key : bytes or None
        That it must be signed with.
    """

    folder: Path
    key: bytes | None = None

    def mark(self) -> str:
        """Hash of the manifest; while a folder is swapped there is none for a moment."""
        try:
            return hashlib.sha256((self.folder / MANIFEST).read_bytes()).hexdigest()
        except OSError:
            return ""

    def open(self) -> Scorer:
        """See `Scorer.load`."""
        return Scorer.load(self.folder, key=self.key)


@dataclass(frozen=True)
class ModelSource:
    """A registered model in MLflow, by an alias that may come to name another version at any time.

    Attributes
    ----------
    name, alias : str
    uri : str
        Of the tracking store.
    key : bytes or None
        That the scorer must be signed with.
    """

    name: str
    alias: str
    uri: str
    key: bytes | None = None

    def mark(self) -> str:
        """The version that the alias names."""
        return registry.version_of(self.uri, self.name, self.alias)

    def open(self) -> Scorer:
        """See `Scorer.load`; the copy is gone once it is read."""
        with TemporaryDirectory(prefix="triage-") as folder:
            return Scorer.load(registry.fetch(self.uri, self.name, self.mark(), Path(folder)), key=self.key)


@dataclass(frozen=True)
class Held:
    """A loaded scorer with what was opened for it."""

    loaded: Loaded
    stack: ExitStack = field(repr=False)

    def close(self) -> None:
        """Let go of its history."""
        self.stack.close()


def settle_down() -> None:
    """Leave what is loaded out of every later search for garbage: it is large, and stays."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


@dataclass(frozen=True)
class Loader:
    """Everything that is needed to load a scorer, now and again.

    Attributes
    ----------
    source : Source
    history : str or None
        A RAW_DIR, or the URL of a store.
    mapping : Mapping or None
    clock : callable
        The present.
    timeout_seconds : float
        So long a store that others write to is waited for.
    """

    source: Source
    history: str | None
    mapping: Mapping | None
    clock: Callable[[], pd.Timestamp]
    timeout_seconds: float = TIMEOUT_SECONDS

    def load(self) -> Held:
        """Load, open the history, and warm up.

        Raises
        ------
        TriageError
            Whatever is wrong with the scorer or its history; nothing stays open.
        """
        scorer = self._opened()
        with ExitStack() as stack:
            opened = open_past(self.history, scorer.settings, timeout_seconds=self.timeout_seconds)
            past = stack.enter_context(opened)
            loaded = Loaded(scorer, past, self.mapping)
            _warm(loaded, self.clock())
            return Held(loaded, stack.pop_all())

    def _opened(self) -> Scorer:
        """The scorer; one that isn't there for a moment, or was replaced while it was read, is read again."""
        for seconds in SWAP_SECONDS:
            before = self.source.mark()
            try:
                return self.source.open()
            except ScorerError:
                if before and self.source.mark() == before:
                    raise
            time.sleep(seconds)
        return self.source.open()


def _warm(loaded: Loaded, now: pd.Timestamp) -> None:
    """Score tickets of every length, so that the first customer waits no longer than the next.

    Raises
    ------
    ScorerError
        One of them can't be scored.
    """
    for explain in (False, True):
        for size in WARM_SIZES:
            for said in loaded.answer([_made(loaded.mapping, size, now, explain)], now=now):
                if codes := [record["error"] for record in said.records if record["error"]]:
                    do = "look at it with `triage evaluate`, or put the one before in its place"
                    raise ScorerError("the scorer can't score a plain ticket", got=codes[0], do=do)


def _made(mapping: Mapping | None, size: int, now: pd.Timestamp, explain: bool) -> Ask:
    named: dict[str, Any] = {"ticket_id": "ticket_id", "subject": "subject", "body": "body"}
    if mapping is not None:
        named = {"ticket_id": mapping.ticket_id, "subject": mapping.subject, "body": (mapping.body or (None,))[0]}
    rows = []
    for place in range(size):
        cells = {"ticket_id": f"warm-{place}", "subject": "It stopped", "body": _SENTENCE * (1 + 3 * place)}
        rows.append({named[name]: value for name, value in cells.items() if named[name]})
    return Ask(tuple(record_of(row, 1000) for row in rows), explain)
