"""Parquet records as text: numbers plainly, times in ISO 8601, nested values as JSON."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import math
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import InputError
from pipeline.tickets.records import frame_of, text_array, unique_names

_MOST_CELLS = 2_000_000
_PLAIN_KINDS = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_integer,
    pa.types.is_boolean,
)


def read(stream: io.BufferedReader, path: Path | str, chunk_rows: int) -> Iterator[pd.DataFrame]:
    """Frames of text, as `files.read_records` gives them; one without rows for a file without rows.

    Raises
    ------
    InputError
        If the file is no Parquet, or breaks in the middle.
    """
    first = 1
    try:
        with _seekable(stream) as file:
            source = pq.ParquetFile(file)
            names = unique_names(source.schema_arrow.names)
            rows = max(1, min(chunk_rows, _MOST_CELLS // max(1, len(names))))
            for batch in source.iter_batches(batch_size=rows):
                columns = {name: _text_column(batch.column(i)) for i, name in enumerate(names)}
                yield frame_of(columns, [None] * batch.num_rows, first)
                first += batch.num_rows
            if first == 1:
                yield frame_of({name: pa.array([], type=pa.string()) for name in names}, [], first)
    except (pa.ArrowException, OSError) as error:
        where = f"{path}, after row {first - 1}"
        raise InputError(
            "the Parquet file can't be read", where=where, got=type(error).__name__, do="export it again"
        ) from error


def _seekable(stream: io.BufferedReader) -> BinaryIO:
    """Parquet is read from its end: pipes and packed files are first laid into a temporary file."""
    if stream.seekable() and not isinstance(cast(object, stream), gzip.GzipFile):
        return stream
    copy = tempfile.TemporaryFile()  # noqa: SIM115  (the caller closes it)
    shutil.copyfileobj(stream, copy)
    copy.seek(0)
    return cast(BinaryIO, copy)


def _text_column(array: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if any(is_kind(kind) for is_kind in _PLAIN_KINDS):
        text = array.cast(pa.string())
    elif pa.types.is_timestamp(kind):
        text = pc.replace_substring(array.cast(pa.string()), pattern=" ", replacement="T")
    else:
        text = text_array([_text(value) for value in array.to_pylist()])
    text = (
        text
        if pc.sum(pc.match_substring(text, "\0")).as_py() in (0, None)
        else pc.replace_substring(text, pattern="\0", replacement="")
    )
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _text(value: object) -> str | None:
    if value is None or value == [] or value == {}:
        return None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value)
