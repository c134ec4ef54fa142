"""Values inside JSON objects, named by a dotted path: `requester.id` of the column `requester`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd

from pipeline.tickets.json_records import text_of_json


def with_inner(records: pd.DataFrame, wanted: Iterable[str]) -> pd.DataFrame:
    """Records with a column for every dotted name that is wanted, isn't a column, and occurs inside one.

    Parameters
    ----------
    records : DataFrame
        As `tickets.files.read_records` gives them: an object is a cell of JSON text.
    wanted : iterable of str
        Names of a mapping. One that is a column already stays as it is.

    Returns
    -------
    DataFrame
        The same rows; the new columns stand before `error`.
    """
    paths: dict[str, list[str]] = {}
    for name in dict.fromkeys(wanted):
        outer = _outer(name, records.columns)
        if outer is not None:
            paths.setdefault(outer, []).append(name)
    found: dict[str, pd.Series] = {}
    for outer, names in paths.items():
        objects = [_object(cell) for cell in records[outer]]
        for name in names:
            steps = name[len(outer) + 1 :].split(".")
            values = [_at(value, steps) for value in objects]
            if any(there for there, _ in values):
                texts = [text_of_json(value) or None for _, value in values]
                found[name] = pd.Series(texts, index=records.index, dtype="str")
    if not found:
        return records
    columns = [c for c in records.columns if c != "error"]
    return records.assign(**found)[[*columns, *found, "error"]]


def _outer(name: str, columns: pd.Index) -> str | None:
    """The column that `name` may lie in: the longest one that is its beginning up to a dot."""
    if name in columns:
        return None
    steps = name.split(".")
    outers = (".".join(steps[:n]) for n in range(len(steps) - 1, 0, -1))
    return next((outer for outer in outers if outer in columns), None)


def _object(cell: object) -> dict[str, Any] | None:
    if not isinstance(cell, str) or not cell.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _at(value: object, steps: list[str]) -> tuple[bool, object]:
    """Whether the path is there, and what stands at its end."""
    for step in steps:
        if not isinstance(value, dict) or step not in value:
            return False, None
        value = value[step]
    return True, value
