"""Where a batch's tickets come from: a file that can be read again, or a stream that can't."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config import Tickets
from pipeline.errors import InputError
from pipeline.sources.mapping import Mapping, load_mapping
from pipeline.sources.reader import read_tickets

STREAM = "-"

Reader = Callable[[datetime], Iterator[pd.DataFrame]]
"""Given the moment of the run, the tickets in chunks: the same chunks each time, for a file."""


@dataclass(frozen=True)
class Intake:
    """One input.

    Attributes
    ----------
    name : str
        How messages call it: the file's name, or `-`.
    read : callable
        Reads it from the start, chunk by chunk.
    identity : dict
        What tells the input from any other: name, size and SHA-256 of the whole file. A stream's can't be known, so it
        never equals another, and a run on it always starts anew.
    settings : dict
        How it is read, as far as the chunks depend on it: SHA-256 of the mapping, rows in a chunk.
    path : Path, optional
        The file, where it is one.
    total : int, optional
        Rows, where that is known before reading.
    """

    name: str
    read: Reader
    identity: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None
    total: int | None = None
    stamp: tuple[int, int, int] | None = field(default=None, repr=False)

    def check_unchanged(self) -> None:
        """Make sure that the file still is the one that was begun with.

        Raises
        ------
        InputError
            Somebody wrote to it in the meantime.
        """
        if self.path is not None and _stamp(self.path) != self.stamp:
            raise InputError(
                "the input changed while it was read",
                where=self.name,
                do="let the export finish under another name and rename it, then start again",
            )


def open_intake(
    source: Path | str,
    *,
    mapping: Path | None = None,
    batch_rows: int = 512,
    max_characters: int = Tickets.max_characters,
) -> Intake:
    """An input by its path, or standard input by `-` (JSON lines, unless the first bytes say Parquet).

    Parameters
    ----------
    source : Path or '-'
        A file of raw rows (with a mapping) or of tickets in our schema.
    mapping : Path, optional
        MAPPING.yaml, read and checked here.
    batch_rows : int
        Most rows in a chunk.
    max_characters : int
        Longer texts are refused: the scorer's own limit.

    Raises
    ------
    InputError
        No such file, a folder, or one that may not be read.
    MappingError
        A mapping that can't be read, or holds what a mapping can't.
    """
    columns = load_mapping(mapping) if mapping is not None else None
    settings = {
        "mapping": None if mapping is None else hashlib.sha256(mapping.read_bytes()).hexdigest(),
        "batch_rows": batch_rows,
    }
    path = Path(source)
    reader = partial(_read, source if str(source) == STREAM else path, columns, batch_rows, max_characters)
    if str(source) == STREAM or (path.exists() and not path.is_file() and not path.is_dir()):
        return Intake(str(source), reader, {"name": str(source), "stream": secrets.token_hex(8)}, settings)
    rows = None if columns is not None and columns.is_event_log else _rows(path)
    return of_file(path, reader, settings, total=rows)


def of_file(path: Path, reader: Reader, settings: dict[str, Any], *, total: int | None = None) -> Intake:
    """An input that is a file, with any reader.

    Parameters
    ----------
    path : Path
        The file.
    reader : callable
        Reads it from the start; the same chunks each time.
    settings : dict
        How it is read: `Intake.settings`.
    total : int, optional
        Its rows, where known.
    """
    stamp = _stamp(path)
    identity = {"name": path.name, "size": stamp[1], "sha256": _digest(path)}
    return Intake(path.name, reader, identity, settings, path=path, total=total, stamp=stamp)


def _read(
    source: Path | str, mapping: Mapping | None, batch_rows: int, max_characters: int, now: datetime
) -> Iterator[pd.DataFrame]:
    moment = pd.Timestamp(now)
    return read_tickets(source, mapping, chunk_rows=batch_rows, now=moment, max_characters=max_characters)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise InputError("no such file", where=str(path), do="check the path") from error
    return found.st_ino, found.st_size, found.st_mtime_ns


def _digest(path: Path) -> str:
    # The whole file: half a second for a gigabyte, nothing beside scoring it, and no change can hide.
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except IsADirectoryError as error:
        raise InputError(
            "a folder, not a file", where=str(path), do="name a CSV, JSONL or Parquet file in it"
        ) from error
    except OSError as error:
        raise InputError("the file may not be read", where=str(path), do="check its permissions") from error


def _rows(path: Path) -> int | None:
    if path.suffix != ".parquet":
        return None
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowInvalid, OSError):  # the reader says it better
        return None
