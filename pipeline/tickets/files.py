"""Records of any CSV, JSONL or Parquet file in frames of raw text; our own frames to and from Parquet and JSONL."""

from __future__ import annotations

import gzip
import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import InputError, OutputError
from pipeline.tickets import csv_records, json_records, parquet_records
from pipeline.tickets.opening import BROKEN, Lines, kind, opened, text_encoding
from pipeline.tickets.records import DamagedError, frames_of
from pipeline.tickets.schema import FRAMES, Column, arrow_type

_ROW_GROUP = 50_000


def read_records(
    path: Path | str, *, chunk_rows: int = 2_000, encoding: str | None = None, format: str | None = None
) -> Iterator[pd.DataFrame]:
    """Every record of a file as raw text, a frame at a time; memory doesn't grow with the file.

    Parameters
    ----------
    path : Path or '-'
        CSV (comma, semicolon, tab or bar), JSONL or Parquet, gzipped or not; `-` is standard input.
    chunk_rows : int
        Most rows in a frame; wide or long records make smaller ones.
    encoding : str, optional
        Of text files. Without it: as a byte order mark says, else UTF-8, where a row with other bytes gets
        `bad_encoding`; with it, such bytes become U+FFFD.
    format : {'csv', 'jsonl', 'parquet'}, optional
        Without it: by the first bytes and the name; JSONL from a pipe.

    Yields
    ------
    DataFrame
        A `str` column for each of the source's (null: absent or empty; nested values as JSON text), and `error`: null,
        or `unreadable_record`, `not_an_object`, `ragged_row`, `bad_encoding` with all else null. The index `row` counts
        records from 1, without the header and empty lines. A repeated column name becomes `name.1`, `name.2`; the
        source's own `error` becomes `error.1`. Frames of a JSONL file hold the columns that occur in them.

    Raises
    ------
    InputError
        For a file that can't be read at all: missing, a folder, empty, damaged or cut gzip, an unknown encoding.
    """
    try:
        with opened(path) as stream:
            head = stream.peek(4096)[:4096]
            form = kind(head, path, format)
            if form == "parquet":
                yield from parquet_records.read(stream, path, chunk_rows)
                return
            lines = Lines(
                stream,
                encoding=text_encoding(head, encoding, path),
                given=encoding is not None,
                newline="" if form == "csv" else "\n",
            )
            if form == "csv":
                columns, records = csv_records.read(lines, path)
                yield from frames_of(records, chunk_rows, columns=columns)
            else:
                yield from frames_of(json_records.read(lines, path), chunk_rows)
    except DamagedError as error:
        raise _damaged(path, error.row) from error
    except BROKEN as error:
        raise _damaged(path, 0) from error


def _damaged(path: Path | str, row: int) -> InputError:
    after = f"after row {row}" if row else "before the first row"
    return InputError(
        "the gzip file is damaged or ends too early", where=f"{path}, {after}", do="copy or export it again"
    )


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file that appears complete or not at all: written beside its place, synced, then moved there.

    Raises
    ------
    OutputError
        If the folder can't be written to or the disk is full; what was at `path` stays.
    """
    part: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(part, 0o666 & ~_umask())
        os.replace(part, path)
        part = None
        with suppress(OSError):  # some file systems know no such thing
            sync_folder(path.parent)
    except OSError as error:
        raise OutputError(
            "the file can't be written",
            where=str(path),
            got=error.strerror or type(error).__name__,
            do="check the folder and the free space",
        ) from error
    finally:
        if part is not None:
            with suppress(OSError):
                os.unlink(part)


def write_parquet(frame: pd.DataFrame, path: Path, frame_name: str) -> None:
    """Write a flat frame of our schema; the same frame gives the same bytes.

    Columns of `schema.FRAMES[frame_name]` come first and typed as there (absent ones as null), then all others by name.
    """
    known = [c for c in FRAMES[frame_name] if c.kind != "json"]
    arrays: dict[str, pa.Array] = {c.name: _known_array(frame, c) for c in known}
    arrays |= {name: _array(frame[name]) for name in sorted(str(n) for n in frame.columns) if name not in arrays}
    with written_whole(path) as stream:
        pq.write_table(pa.table(arrays), stream, compression="zstd", row_group_size=_ROW_GROUP, store_schema=False)


def read_parquet(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """A frame that `write_parquet` wrote: `str`, `datetime64[us, UTC]`, `Int64` and `float64` columns.

    Raises
    ------
    InputError
        For a missing or damaged file, or a column that isn't there.
    """
    with _parquet(path) as source:
        missing = sorted(set(columns or []) - set(source.schema_arrow.names))
        table = source.read(columns=None if missing else columns)
    if missing:
        raise InputError("a column is missing", where=str(path), got=", ".join(missing), do="write the file again")
    return _frame(table)


def parquet_batches(path: Path, columns: Sequence[str], *, rows: int) -> Iterator[pd.DataFrame]:
    """The same some rows at a time, so that memory doesn't grow with the file; columns that aren't there are left out.

    Raises
    ------
    InputError
        For a missing or damaged file.
    """
    with _parquet(path) as source:
        there = [name for name in columns if name in source.schema_arrow.names]
        for group in range(source.num_row_groups):  # one reader over all of them would keep what it has read
            for batch in source.iter_batches(rows, row_groups=[group], columns=there):
                yield _frame(pa.Table.from_batches([batch]))


def parquet_columns(path: Path) -> list[str]:
    """Names of the columns.

    Raises
    ------
    InputError
        For a missing or damaged file.
    """
    with _parquet(path) as source:
        return list(source.schema_arrow.names)


@contextmanager
def _parquet(path: Path) -> Iterator[pq.ParquetFile]:
    """An open file; what is wrong with it becomes an `InputError`."""
    if not path.is_file():
        raise InputError("no such file", where=str(path), do="run the stage or the import that writes it")
    try:
        with path.open("rb") as stream:
            yield pq.ParquetFile(stream)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            "the Parquet file can't be read", where=str(path), got=type(error).__name__, do="write it again"
        ) from error


def _frame(table: pa.Table) -> pd.DataFrame:
    return cast(pd.DataFrame, table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get))


def write_jsonl(records: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write one JSON object a line, keys in their order; gzipped where the name ends in .gz.

    The same records give the same bytes.
    """
    with written_whole(path) as stream:
        packed = gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) if path.suffix == ".gz" else None
        target: Any = packed or stream
        for record in records:
            target.write(
                json.dumps(_jsonable(dict(record)), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(
                    "utf-8", "replace"
                )
                + b"\n"
            )
        if packed is not None:
            packed.close()


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """The objects that `write_jsonl` wrote.

    Raises
    ------
    InputError
        For a missing file, or a line that holds no JSON object.
    """
    with opened(path, may_be_empty=True) as stream:
        for number, line in enumerate(stream, start=1):
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(
                    "the line is no JSON", where=f"{path}, line {number}", do="write the file again"
                ) from error
            if not isinstance(value, dict):
                raise InputError(
                    "the line is no JSON object",
                    where=f"{path}, line {number}",
                    got=type(value).__name__,
                    do="write the file again",
                )
            yield value


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(v) for v in value]
    if value is pd.NA or value is pd.NaT or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return _jsonable(value.item()) if hasattr(value, "item") else value


def _known_array(frame: pd.DataFrame, column: Column) -> pa.Array:
    kind_ = arrow_type(column)
    if column.name not in frame:
        return pa.nulls(len(frame), type=kind_)
    return _times(frame[column.name]) if column.kind == "time" else pa.Array.from_pandas(frame[column.name], type=kind_)


def _times(values: pd.Series) -> pa.Array:
    """Times with a zone, without Arrow's detour over `Series.values`, which pandas has deprecated for them."""
    utc = pd.to_datetime(values, utc=True).dt.tz_convert(None).astype("datetime64[us]").to_numpy()
    return pa.array(utc, type=pa.timestamp("us"), from_pandas=True).cast(pa.timestamp("us", tz="UTC"))


def _array(values: pd.Series) -> pa.Array:
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return _times(values)
    if values.dtype == object:
        values = values.astype("str")
    array = pa.Array.from_pandas(values)
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return array.cast(pa.string()) if pa.types.is_large_string(array.type) or pa.types.is_null(array.type) else array


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sync_folder(folder: Path) -> None:
    """Put a folder's names on the disk, so that a rename outlives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_named(handle: int, path: Path) -> bool:
    """Whether an open file still is the one of that name."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def append(handle: int, data: bytes, *, sync: bool = True) -> None:
    """Write whole lines at the end; where that fails nothing of them stays.

    Raises
    ------
    OSError
    """
    size = os.fstat(handle).st_size
    try:
        write_all(handle, data)
        if sync:
            os.fsync(handle)
    except OSError:
        with suppress(OSError):
            os.ftruncate(handle, size)
        raise


def write_all(handle: int, data: bytes) -> None:
    """Write all of it, however many calls it takes.

    Raises
    ------
    OSError
    """
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def ended(handle: int) -> bool:
    """Whether the file's last line has its end."""
    size = os.fstat(handle).st_size
    return not size or os.pread(handle, 1, size - 1) == b"\n"
