"""Values inside JSON objects, named by a dotted path: `requester.id` of the column `requester`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd

from pipeline.tickets.json_records import text_of_json


def with_inner(records: pd.DataFrame, wanted: Iterable[str]) -> pd.DataFrame:
    """Records with a column for every dotted name that is wanted and occurs inside another column.

    Parameters
    ----------
    records : DataFrame
        As `tickets.files.read_records` gives them: an object is a cell of JSON text.
    wanted : iterable of str
        Names of a mapping. What stands in a column of that name counts first, row by row: which columns there are is
        a matter of all records, and none may change what another one says.

    Returns
    -------
    DataFrame
        The same rows; the new columns stand before `error`.
    """
    objects: dict[str, list[dict[str, Any] | None]] = {}
    found: dict[str, pd.Series] = {}
    for name in dict.fromkeys(wanted):
        own = [v if isinstance(v, str) else None for v in records[name]] if name in records else [None] * len(records)
        texts, occurs = list(own), False
        for outer in _outers(name, records.columns) if None in own else ():
            if outer not in objects:
                objects[outer] = [_object(cell) for cell in records[outer]]
            steps = name[len(outer) + 1 :].split(".")
            for row, value in enumerate(objects[outer]):
                there, inner = _at(value, steps)
                occurs |= there
                if there and texts[row] is None:
                    texts[row] = text_of_json(inner) or None
        if texts != own or (occurs and name not in records):
            found[name] = pd.Series(texts, index=records.index, dtype="str")
    if not found:
        return records
    columns = [c for c in records.columns if c != "error"]
    return records.assign(**found)[[*columns, *(n for n in found if n not in records), "error"]]


def _outers(name: str, columns: pd.Index) -> list[str]:
    """The columns that `name` may lie in: those that are its beginning up to a dot, the longest first."""
    steps = name.split(".")
    outers = (".".join(steps[:n]) for n in range(len(steps) - 1, 0, -1))
    return [outer for outer in outers if outer in columns]


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
