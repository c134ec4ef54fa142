"""JSON Lines records: one object a line, each parsed alone, so that a bad line is one bad record."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import InputError
from pipeline.tickets.opening import Lines
from pipeline.tickets.records import Record, encodable


def read(lines: Lines, path: Path | str) -> Iterator[Record]:
    """Records of a JSON Lines text; empty lines are none.

    Raises
    ------
    InputError
        If the first line opens a JSON array: such a file would have to be held as a whole.
    """
    first = True
    for line in lines:
        flag = lines.flag
        if flag is None and not line.strip(" \t\r\n\ufeff"):
            continue
        if first and _opens_array(line):
            raise InputError(
                "a JSON array, not JSON Lines", where=f"{path}, line 1", do="write one object a line (jq -c '.[]')"
            )
        first = False
        yield Record(None, flag, len(line)) if flag is not None else _record(line)


def _opens_array(line: str) -> bool:
    start = line.lstrip("\ufeff \t")[:200].replace(" ", "").rstrip("\r\n")
    return start == "[" or start.startswith("[{")


def _record(line: str) -> Record:
    try:
        value = json.loads(line.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return Record(None, "unreadable_record", len(line))
    return record_of(value, len(line))


def record_of(value: object, size: int) -> Record:
    """The record of a JSON value that was read already: of a line, or of an item of a list.

    Parameters
    ----------
    value : object
        A record only if it is an object.
    size : int
        Characters that it was written in.
    """
    if not isinstance(value, dict):
        return Record(None, "not_an_object", size)
    try:
        return Record({_name(name): text_of_json(item) for name, item in value.items()}, None, size)
    except (ValueError, RecursionError):
        return Record(None, "unreadable_record", size)


def _name(name: str) -> str:
    return encodable(name.replace("\0", "")) or ""


def text_of_json(value: object) -> str | None:
    """A JSON value as text; null for what is empty."""
    if isinstance(value, str):
        return value.replace("\0", "") if "\0" in value else value
    if value is None or value == [] or value == {} or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return json.dumps(value, ensure_ascii=False)
