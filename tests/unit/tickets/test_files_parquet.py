"""Parquet in as text, and our own frames out and in again: whole, typed, the same bytes each time."""

from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import InputError, OutputError
from pipeline.tickets import schema
from pipeline.tickets.files import (
    parquet_batches,
    read_jsonl,
    read_parquet,
    read_records,
    write_jsonl,
    write_parquet,
    written_whole,
)

US = pa.timestamp("us", "UTC")


@pytest.fixture
def table() -> pa.Table:
    return pa.table(
        {
            "s": ["x", "", None],
            "i": [1, None, 3],
            "f": [1.5, 2.0, float("nan")],
            "b": [True, None, False],
            "t": pa.array([pd.Timestamp("2025-03-04T05:06:07.5Z"), None, pd.Timestamp("2025-01-01", tz="UTC")], US),
            "naive": pa.array(pd.to_datetime(["2025-03-04", None, None]), pa.timestamp("ns")),
            "l": [[1, 2], None, []],
            "d": pa.array(["u", "v", "u"]).dictionary_encode(),
            "raw": [b"\xff", b"ok", None],
        }
    )


def test_parquet_values_become_plain_text(tmp_path: Path, table: pa.Table) -> None:
    pq.write_table(table, tmp_path / "in.parquet")
    (frame,) = read_records(tmp_path / "in.parquet")
    rows = frame.astype(object).where(frame.notna(), None).to_dict("list")
    assert rows["s"] == ["x", None, None]
    assert rows["i"] == ["1", None, "3"]
    assert rows["f"] == ["1.5", "2", None]
    assert rows["b"] == ["true", None, "false"]
    assert rows["t"] == ["2025-03-04T05:06:07.500000Z", None, "2025-01-01T00:00:00.000000Z"]
    assert rows["naive"] == ["2025-03-04T00:00:00.000000000", None, None]
    assert rows["l"] == ["[1, 2]", None, None]
    assert rows["d"] == ["u", "v", "u"]
    assert rows["raw"] == ["\ufffd", "ok", None]
    assert list(frame.index) == [1, 2, 3]


@pytest.mark.parametrize("name", ["in.parquet", "in.csv", "in.parquet.gz"])
def test_parquet_is_known_by_its_bytes_and_read_in_chunks(tmp_path: Path, table: pa.Table, name: str) -> None:
    pq.write_table(table, tmp_path / "plain")
    content = (tmp_path / "plain").read_bytes()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    frames = list(read_records(tmp_path / name, chunk_rows=2))
    assert [list(f.index) for f in frames] == [[1, 2], [3]]


def test_repeated_columns_of_a_parquet_file_are_numbered(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array(["1"]), pa.array(["2"])], names=["a", "a"]), tmp_path / "in.parquet")
    (frame,) = read_records(tmp_path / "in.parquet")
    assert list(frame.columns) == ["a", "a.1", "error"]


def test_a_truncated_parquet_file_is_refused_with_its_name(tmp_path: Path, table: pa.Table) -> None:
    pq.write_table(table, tmp_path / "in.parquet")
    content = (tmp_path / "in.parquet").read_bytes()
    (tmp_path / "in.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"in\.parquet"):
        list(read_records(tmp_path / "in.parquet"))
    with pytest.raises(InputError, match=r"in\.parquet"):
        read_parquet(tmp_path / "in.parquet")


def tickets() -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "ticket_id": ["1", "2"],
            "created_at": ["2025-01-01T00:00:00Z", None],
            "subject": ["é", None],
            "fields.b": ["x", None],
            "fields.a": [None, "y"],
        }
    )
    return schema.conform(frame, "tickets").assign(text=pd.Series(["t", None], dtype="str"))


def test_a_frame_comes_back_as_it_was(tmp_path: Path) -> None:
    frame = tickets()
    write_parquet(frame, tmp_path / "out.parquet", "tickets")
    again = read_parquet(tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(again[list(frame.columns)], frame, check_exact=True)
    assert list(again.columns)[: len(schema.TICKETS)] == schema.names("tickets")


@pytest.mark.parametrize("name", ["tickets", "events", "outcomes", "articles"])
def test_an_empty_frame_keeps_its_types(tmp_path: Path, name: str) -> None:
    write_parquet(schema.empty(name), tmp_path / "out.parquet", name)
    again = read_parquet(tmp_path / "out.parquet")
    assert list(again.dtypes) == list(schema.empty(name).dtypes)


def test_the_same_frame_gives_the_same_bytes(tmp_path: Path) -> None:
    sums = set()
    for columns in (list(tickets().columns), sorted(tickets().columns)):
        write_parquet(tickets()[columns], tmp_path / "out.parquet", "tickets")
        sums.add(hashlib.sha256((tmp_path / "out.parquet").read_bytes()).hexdigest())
    assert len(sums) == 1


def test_a_missing_file_or_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        read_parquet(tmp_path / "nowhere.parquet")
    write_parquet(tickets(), tmp_path / "out.parquet", "tickets")
    with pytest.raises(InputError, match="nosuch"):
        read_parquet(tmp_path / "out.parquet", columns=["ticket_id", "nosuch"])


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_json_lines_come_back_and_have_the_same_bytes(tmp_path: Path, name: str) -> None:
    rows = [{"a": "é\u2028", "n": 1.5, "t": pd.Timestamp("2025-01-01", tz="UTC"), "x": float("nan"), "l": [1]}, {}]
    write_jsonl(rows, tmp_path / name)
    first = (tmp_path / name).read_bytes()
    write_jsonl(rows, tmp_path / name)
    assert (tmp_path / name).read_bytes() == first
    again = list(read_jsonl(tmp_path / name))
    assert again == [{"a": "é\u2028", "n": 1.5, "t": "2025-01-01T00:00:00+00:00", "x": None, "l": [1]}, {}]


def test_no_records_are_an_empty_json_lines_file_that_can_be_read(tmp_path: Path) -> None:
    write_jsonl([], tmp_path / "out.jsonl")
    assert list(read_jsonl(tmp_path / "out.jsonl")) == []


def test_a_line_that_is_no_object_is_named(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"a": 1}\n[2]\n')
    with pytest.raises(InputError, match="line 2"):
        list(read_jsonl(tmp_path / "in.jsonl"))


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("old")

    class StopError(Exception):
        pass

    with pytest.raises(StopError), written_whole(tmp_path / "out") as stream:
        stream.write(b"half")
        raise StopError
    assert (tmp_path / "out").read_text() == "old"
    assert os.listdir(tmp_path) == ["out"]


def test_a_target_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        write_jsonl([], tmp_path / "file" / "out.jsonl")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="folder"):
        write_jsonl([], tmp_path / "folder")


def test_a_file_is_read_in_batches_as_it_is_read_at_once(tmp_path: Path) -> None:
    frame = schema.empty("events").reindex(range(7)).assign(ticket_id=[str(n) for n in range(7)], kind="note")
    write_parquet(schema.conform(frame, "events"), tmp_path / "events.parquet", "events")
    whole = read_parquet(tmp_path / "events.parquet", ["ticket_id", "seq", "received_at"])
    asked = ["ticket_id", "seq", "received_at", "nothing"]
    parts = list(parquet_batches(tmp_path / "events.parquet", asked, rows=3))
    assert [len(part) for part in parts] == [3, 3, 1]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole)


def test_a_damaged_file_is_an_error_in_batches_too(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nothing PAR1")
    for name in ("broken", "absent"):
        with pytest.raises(InputError):
            next(parquet_batches(tmp_path / f"{name}.parquet", ["ticket_id"], rows=3))
