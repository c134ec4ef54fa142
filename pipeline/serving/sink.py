"""Scored rows as bytes: CSV, JSON Lines or Parquet, chunk by chunk, and the chunks as one file.

The same rows give the same bytes, whichever process wrote which chunk. Nested fields are JSON text in CSV, themselves
in JSON Lines, and lists and structs of fixed types in Parquet, also where every value is null.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.answer import Answer
from pipeline.errors import OutputError, ScorerError
from pipeline.serving.nested import nested_type
from pipeline.tickets import schema

ROW_GROUP_CHUNKS = 8
"""Chunks in one row group of a Parquet file: large groups read faster, small ones take less memory to write."""

Columns = Sequence[schema.Column]

_SUFFIXES = ".csv, .jsonl or .parquet (.csv.gz and .jsonl.gz are written gzipped)"


@dataclass(frozen=True)
class Format:
    """How rows become bytes."""

    kind: Literal["csv", "jsonl", "parquet"]
    gzipped: bool = False


def format_of(out: Path) -> Format:
    """The format that a file's name asks for.

    Raises
    ------
    OutputError
        For any other suffix.
    """
    names = [s.lower() for s in out.suffixes]
    gzipped = names[-1:] == [".gz"]
    kind = (names[:-1] if gzipped else names)[-1:]
    if kind == [".csv"]:
        return Format("csv", gzipped)
    if kind == [".jsonl"]:
        return Format("jsonl", gzipped)
    if kind == [".parquet"] and not gzipped:
        return Format("parquet")
    raise OutputError(
        "the output's format isn't known", where=out.name, got=out.suffix or "no suffix", do=f"end it in {_SUFFIXES}"
    )


def arrow_schema(levels: Sequence[str], columns: Columns = schema.SCORED) -> pa.Schema:
    """Types of the scored columns in Parquet, whatever the rows hold."""
    kinds = [nested_type(c.name, levels) if c.kind == "json" else schema.arrow_type(c) for c in columns]
    return pa.schema([pa.field(c.name, kind) for c, kind in zip(columns, kinds, strict=True)])


def encode(scored: pd.DataFrame, form: Format, levels: Sequence[str]) -> bytes:
    """The bytes of one chunk, without a header (a chunk of Parquet is an Arrow file until it is assembled)."""
    if form.kind == "parquet":
        return _arrow_file(scored, levels)
    return _text(scored, form, schema.SCORED)


def whole(scored: pd.DataFrame, form: Format, levels: Sequence[str], columns: Columns = schema.SCORED) -> bytes:
    """The bytes of a file that is small enough to be made at once; without rows it has a header all the same."""
    if form.kind == "parquet":
        buffer = pa.BufferOutputStream()
        pq.write_table(_arrow_table(scored, levels, columns), buffer, compression="zstd")
        return bytes(buffer.getvalue())
    header = _csv_header(columns) if form.kind == "csv" else b""
    return (_gzip(header) if form.gzipped else header) + _text(scored, form, columns)


def records(answer: Answer, as_of: pd.Series) -> list[dict[str, Any]]:
    """Each row of `Scorer.answer` as the object that stands in JSON Lines."""
    return list(_records([_answered(answer, as_of, c) for c in schema.SCORED], schema.SCORED))


def json_line(record: Mapping[str, Any]) -> str:
    """A record of `records` as JSON Lines have it."""
    return _as_json(record)


def assemble(
    chunks: Iterable[Path], target: BinaryIO, form: Format, levels: Sequence[str], step: Callable[[], None]
) -> None:
    """Write the chunks, in their order, as one file; `step` is called after each of them (each row group)."""
    if form.kind == "parquet":
        _assemble_parquet(chunks, target, levels, step)
        return
    header = _csv_header(schema.SCORED) if form.kind == "csv" else b""
    target.write(_gzip(header) if form.gzipped else header)  # an empty gzip member makes an empty file a valid one
    for chunk in chunks:
        with chunk.open("rb") as source:
            shutil.copyfileobj(source, target, 1 << 20)
        step()


def _assemble_parquet(
    chunks: Iterable[Path], target: BinaryIO, levels: Sequence[str], step: Callable[[], None]
) -> None:
    with pq.ParquetWriter(target, arrow_schema(levels), compression="zstd") as writer:
        waiting: list[pa.Table] = []
        for chunk in chunks:
            with pa.ipc.open_file(chunk.read_bytes()) as reader:
                waiting.append(reader.read_all())
            if len(waiting) == ROW_GROUP_CHUNKS:
                writer.write_table(pa.concat_tables(waiting).combine_chunks())
                waiting = []
                step()
        if waiting:
            writer.write_table(pa.concat_tables(waiting).combine_chunks())
            step()


def _arrow_file(scored: pd.DataFrame, levels: Sequence[str]) -> bytes:
    table, buffer = _arrow_table(scored, levels, schema.SCORED), pa.BufferOutputStream()
    with pa.ipc.new_file(buffer, table.schema) as writer:
        writer.write_table(table)
    return bytes(buffer.getvalue())


def _arrow_table(scored: pd.DataFrame, levels: Sequence[str], columns: Columns) -> pa.Table:
    kinds = arrow_schema(levels, columns)
    arrays = [_arrow_column(scored[c.name], c, kinds.field(c.name).type) for c in columns]
    return pa.Table.from_arrays(arrays, schema=kinds)


def _arrow_column(values: pd.Series, column: schema.Column, kind: pa.DataType) -> pa.Array:
    if column.kind == "time":
        return pa.array(_moments(values)).cast(kind)  # naive times are taken as UTC, which they are
    if column.kind != "json":
        return pa.array(values, type=kind, from_pandas=True)
    rows = _nested(values)
    if column.name == "priority_probabilities":
        known = {kind.field(i).name for i in range(kind.num_fields)}
        if odd := {level for row in rows if row is not None for level in row} - known:
            raise ScorerError("the scorer names a priority level that it didn't announce", got=", ".join(sorted(odd)))
    return pa.array(rows, type=kind)


def _text(scored: pd.DataFrame, form: Format, columns: Columns) -> bytes:
    values = [_plain(scored[c.name], c.kind) for c in columns]
    data = (_csv_lines if form.kind == "csv" else _json_lines)(values, columns)
    return _gzip(data) if form.gzipped else data


def _answered(answer: Answer, as_of: pd.Series, column: schema.Column) -> list[Any]:
    if column.kind == "time":
        return _iso(as_of)
    values = answer[column.name]
    if column.kind == "json":
        return _nested(values)
    if column.kind == "number":
        return [None if v != v else v for v in values.tolist()]
    return [v if isinstance(v, str) else None for v in values.tolist()]


def _plain(values: pd.Series, kind: schema.Kind) -> list[Any]:
    if kind == "json":
        return _nested(values)
    if kind == "time":
        return _iso(values)
    if kind == "number":
        return [None if v != v else v for v in values.to_numpy(dtype=float, na_value=np.nan).tolist()]
    return [v if isinstance(v, str) else None for v in values.tolist()]


def _iso(values: pd.Series) -> list[str | None]:
    # Whole seconds without a fraction, others with six digits; always UTC.
    texts = np.datetime_as_string(_moments(values), unit="us")
    return [None if t == "NaT" else t.removesuffix(".000000") + "Z" for t in texts.tolist()]


def _moments(values: pd.Series) -> np.ndarray:
    moments: np.ndarray = values.to_numpy(dtype="datetime64[us]")  # of times with a zone: those of UTC
    return moments


def _nested(values: Iterable[Any]) -> list[Any]:
    return [v if isinstance(v, list | dict) else v.tolist() if isinstance(v, np.ndarray) else None for v in values]


def _json_value(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"no JSON for {type(value).__name__}")


_as_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_json_value).encode


def _records(values: list[list[Any]], columns: Columns) -> Iterator[dict[str, Any]]:
    names = [c.name for c in columns]
    return (dict(zip(names, row, strict=True)) for row in zip(*values, strict=True))


def _json_lines(values: list[list[Any]], columns: Columns) -> bytes:
    return "".join(f"{_as_json(record)}\n" for record in _records(values, columns)).encode("utf-8", "replace")


def _csv_lines(values: list[list[Any]], columns: Columns) -> bytes:
    for position, column in enumerate(columns):
        if column.kind == "json":
            values[position] = [None if v is None else _as_json(v) for v in values[position]]
    return _csv_bytes(list(zip(*values, strict=True)))


def _csv_header(columns: Columns) -> bytes:
    return _csv_bytes([[c.name for c in columns]])


def _csv_bytes(rows: list[Sequence[Any]]) -> bytes:
    text = _csv_text(rows, csv.QUOTE_MINIMAL)
    if "\r" in text:  # a bare carriage return ends a line for many readers, and isn't quoted by itself
        text = _csv_text(rows, csv.QUOTE_ALL)
    return text.encode("utf-8", "replace")


def _csv_text(rows: list[Sequence[Any]], quoting: Literal[0, 1]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n", quoting=quoting).writerows(rows)
    return buffer.getvalue()


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=6, mtime=0)  # no time in the header: the same rows, the same bytes
