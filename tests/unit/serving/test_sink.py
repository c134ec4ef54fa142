"""Scored rows as bytes: three formats that say the same, with fixed types, and chunks that add up to the whole."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from factories import tickets
from unit.serving.standin import LEVELS, StandIn

from pipeline.errors import OutputError, ScorerError
from pipeline.serving import sink
from pipeline.tickets import schema

FORMATS = ["out.csv", "out.jsonl", "out.parquet", "out.csv.gz", "out.jsonl.gz"]
NESTED = [c.name for c in schema.SCORED if c.kind == "json"]


def answers(count: int = 6, *, explain: bool = False, **columns: object) -> pd.DataFrame:
    frame = tickets(count, **columns)
    return StandIn().score(frame.assign(error=[None] * (count - 1) + ["bad_time"]), explain=explain)


def written(folder: Path, name: str, *parts: pd.DataFrame) -> Path:
    form, chunks = sink.format_of(Path(name)), []
    for number, part in enumerate(parts):
        chunks.append(folder / f"{number}.chunk")
        chunks[-1].write_bytes(sink.encode(part, form, LEVELS))
    with (folder / name).open("wb") as target:
        sink.assemble(chunks, target, form, LEVELS, lambda: None)
    return folder / name


def records(path: Path) -> list[dict[str, object]]:
    """What any reader gets, as plain values."""
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    text = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode()
    if ".jsonl" in path.name:
        return [json.loads(line) for line in text.split("\n")[:-1]]
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    return [{k: json.loads(v) if v and k in NESTED else v or None for k, v in row.items()} for row in rows]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_back_every_row_in_order_with_all_columns(tmp_path, name):
    scored = answers()
    found = records(written(tmp_path, name, scored.iloc[:4], scored.iloc[4:]))
    assert [r["ticket_id"] for r in found] == [f"t{i}" for i in range(6)]
    assert list(found[0]) == schema.names("scored")
    assert found[0]["topic_candidates"][0]["label"] == scored["topic"][0]
    assert found[5]["error"] == "bad_time"
    assert found[5]["topic"] is None
    assert float(found[0]["topic_confidence"]) == scored["topic_confidence"][0]


def test_nested_values_are_the_same_in_every_format(tmp_path):
    scored = answers(explain=True)
    by_format = [records(written(tmp_path, name, scored)) for name in FORMATS]
    for column in ("topic_candidates", "priority_probabilities", "articles", "similar"):
        first, *others = ([row[column] for row in rows] for rows in by_format)
        assert all(other == first for other in others), column
    assert [len(r) for r in by_format] == [6] * len(FORMATS)


def test_pandas_reads_structs_and_lists_from_parquet_as_dicts_and_arrays(tmp_path):
    row = pd.read_parquet(written(tmp_path, "out.parquet", answers())).to_dict("records")[0]
    assert isinstance(row["priority_probabilities"], dict)
    assert list(row["priority_probabilities"]) == list(LEVELS)
    assert sum(row["priority_probabilities"].values()) == pytest.approx(1)
    assert isinstance(row["topic_candidates"], np.ndarray)
    assert row["topic_candidates"][0].keys() == {"label", "probability"}
    assert row["articles"].tolist() == []


def test_parquet_has_the_same_types_when_every_value_is_null(tmp_path):
    scored = answers()
    full = pq.read_schema(written(tmp_path, "a.parquet", scored))
    empty = scored.assign(**dict.fromkeys(schema.names("scored")))
    assert pq.read_schema(written(tmp_path, "b.parquet", schema.conform(empty, "scored"))).equals(full)
    assert pq.read_schema(written(tmp_path, "c.parquet")).equals(full)
    assert not any(pa.types.is_null(field.type) for field in full)


def test_without_a_priority_model_the_struct_still_has_its_common_members():
    kind = sink.arrow_schema(()).field("priority_probabilities").type
    assert [kind.field(i).name for i in range(kind.num_fields)] == ["low", "medium", "high", "urgent"]


def test_a_level_that_the_scorer_did_not_announce_is_never_dropped_in_silence():
    scored = answers()
    with pytest.raises(ScorerError, match="didn't announce"):
        sink.encode(scored, sink.Format("parquet"), ("low", "high"))


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_rows_give_the_same_bytes(tmp_path, name):
    scored, other = answers(), tmp_path / "again"
    other.mkdir()
    assert written(tmp_path, name, scored).read_bytes() == written(other, name, answers()).read_bytes()


@pytest.mark.parametrize("name", FORMATS)
def test_no_rows_give_a_valid_file(tmp_path, name):
    path = written(tmp_path, name)
    assert records(path) == []
    if ".csv" in name:
        assert list(pd.read_csv(path).columns) == schema.names("scored")


def test_a_row_group_holds_several_chunks(tmp_path):
    parts = [answers()] * (sink.ROW_GROUP_CHUNKS + 1)
    found = pq.ParquetFile(written(tmp_path, "out.parquet", *parts)).metadata
    assert [found.row_group(i).num_rows for i in range(found.num_row_groups)] == [6 * sink.ROW_GROUP_CHUNKS, 6]


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"),
        ("2026-03-01T10:00:00.250Z", "2026-03-01T10:00:00.250000Z"),
        ("2026-03-01T12:00:00+02:00", "2026-03-01T10:00:00Z"),
        (None, None),
    ],
)
def test_times_are_iso_8601_in_utc(tmp_path, moment, text):
    scored = answers(2, created_at=[moment, moment])
    assert records(written(tmp_path, "out.jsonl", scored))[0]["as_of"] == text
    assert records(written(tmp_path, "out.csv", scored))[0]["as_of"] == text


@pytest.mark.parametrize("hostile", ['a"b', "a,b", "a\nb", "a\rb", "ünï", "\u2028", "=1+1", "🔥"])
def test_awkward_ids_survive_csv_and_json_lines(tmp_path, hostile):
    scored = answers(2, ticket_id=[hostile, "t"])
    for name in FORMATS:
        assert records(written(tmp_path, name, scored))[0]["ticket_id"] == hostile


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv", sink.Format("csv")),
        ("a.JSONL", sink.Format("jsonl")),
        ("a.b.parquet", sink.Format("parquet")),
        ("a.jsonl.gz", sink.Format("jsonl", True)),
        ("2026-11-23.csv.gz", sink.Format("csv", True)),
    ],
)
def test_the_suffix_picks_the_format(name, expected):
    assert sink.format_of(Path(name)) == expected


@pytest.mark.parametrize("name", ["a", "a.json", "a.gz", "a.parquet.gz", "csv", "a.xlsx", ".csv"])
def test_another_suffix_is_refused_and_the_known_ones_are_named(name):
    with pytest.raises(OutputError, match=r"\.csv, \.jsonl or \.parquet"):
        sink.format_of(Path(name))
