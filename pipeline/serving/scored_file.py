"""A scored file, read back: the frame that was written, and the newest line of each ticket."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from pipeline.errors import InputError, OutputError
from pipeline.serving import sink
from pipeline.tickets import schema

_NEEDED = ("ticket_id", "as_of", "queue_reason")
_GIVE = "give what `triage score` or `triage rescore` wrote"


def read_scored(path: Path) -> pd.DataFrame:
    """The rows of a scored file (CSV, JSON Lines or Parquet), nested fields as lists and dicts.

    Raises
    ------
    InputError
        No such file, one that can't be read, one that isn't a scored file, or one with values that no scorer wrote.
    """
    try:
        form = sink.format_of(path)
        table = _READERS[form.kind](path)
        _check(table, path)
        scored = schema.conform(table, "scored")
        _check_values(table, scored, path)
        return scored
    except FileNotFoundError:
        raise InputError("no such file", where=str(path), do="check the path") from None
    except OutputError as error:
        raise InputError("the file's format isn't known", where=path.name, got=error.got, do=_GIVE) from None
    except (OSError, EOFError, ValueError, TypeError, zlib.error) as error:
        raise InputError("the file can't be read", where=path.name, got=type(error).__name__, do=_GIVE) from None


def newest(scored: pd.DataFrame) -> pd.DataFrame:
    """The newest line of each ticket, by `as_of` and then by place; a refused line says nothing of its ticket."""
    said = scored[(scored["ticket_id"].notna() & scored["error"].isna()).to_numpy(bool)].reset_index(drop=True)
    in_time = said.sort_values("as_of", kind="stable", na_position="first")
    return in_time.drop_duplicates("ticket_id", keep="last").sort_index().reset_index(drop=True)


def _check(table: pd.DataFrame, path: Path) -> None:
    lacking = [name for name in _NEEDED if name not in table]
    if lacking:
        raise InputError("no scored tickets", where=path.name, got=f"no column {lacking[0]}", do=_GIVE)


def _check_values(table: pd.DataFrame, scored: pd.DataFrame, path: Path) -> None:
    """What no scorer wrote is refused: a line that is misread would be told anew, or stand first in the order."""
    wrong = {
        "an as_of that is no time": table["as_of"].notna().to_numpy() & scored["as_of"].isna().to_numpy(),
        "no ticket_id and no error": (scored["ticket_id"].isna() & scored["error"].isna()).to_numpy(),
    }
    if "escalation_risk" in table:
        risk = pd.to_numeric(table["escalation_risk"], errors="coerce")
        wrong["an escalation_risk outside 0 to 1"] = (risk.notna() & ~risk.between(0.0, 1.0)).to_numpy()
    for got, rows in wrong.items():
        if rows.any():
            raise InputError(f"{int(rows.sum())} lines that no scorer wrote", where=path.name, got=got, do=_GIVE)


def _csv(path: Path) -> pd.DataFrame:
    texts = pd.read_csv(path, dtype="str", keep_default_na=False, na_filter=False)
    columns: dict[str, Any] = {}
    for column in schema.SCORED:
        if column.name in texts:
            values = [v or None for v in texts[column.name].tolist()]
            if column.kind == "json":
                values = [None if v is None else json.loads(v) for v in values]
            columns[column.name] = pd.Series(values, dtype="object")
    return pd.DataFrame(columns)


def _json_lines(path: Path) -> pd.DataFrame:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise TypeError("a line that isn't an object")
    names = list(dict.fromkeys(name for row in rows for name in row)) if rows else schema.names("scored")
    return pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype="object") for name in names})


def _parquet(path: Path) -> pd.DataFrame:
    table = pq.read_table(path)
    there = [c for c in schema.SCORED if c.name in table.column_names]
    flat = table.select([c.name for c in there if c.kind != "json"]).to_pandas()
    for column in there:
        if column.kind == "json":  # by hand: pandas would make arrays of the lists inside
            flat[column.name] = pd.Series(table.column(column.name).to_pylist(), dtype="object")
    return pd.DataFrame(flat)


_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {"csv": _csv, "jsonl": _json_lines, "parquet": _parquet}
