"""Dotted names of a mapping reach into objects of JSON Lines, Parquet structs, and cells that hold JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from pipeline.errors import MappingError
from pipeline.sources.mapping import parse_mapping
from pipeline.sources.nested import with_inner
from pipeline.sources.reader import read_tickets
from pipeline.sources.table import import_table

ROWS = [
    {"id": 1, "meta": {"opened": "2025-01-01T10:00:00Z", "src": {"channel": "mail"}}, "text": {"title": "It leaks"}},
    {"id": 2, "meta": {"opened": "2025-01-02T10:00:00Z", "src": None}, "text": {"title": "It hums"}},
    {"id": 3, "meta": "gone", "text": {"title": None, "body": 7}},
]
MAPPING = {
    "ticket_id": "id",
    "created_at": "meta.opened",
    "subject": "text.title",
    "body": "text.body",
    "channel": "meta.src.channel",
    "outcomes": {"queue": "meta.src.channel"},
}


def _jsonl(folder: Path) -> Path:
    path = folder / "t.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)), "utf-8")
    return path


def test_a_dotted_name_reads_what_stands_inside_an_object(tmp_path: Path) -> None:
    import_table([_jsonl(tmp_path)], parse_mapping(MAPPING), tmp_path / "raw")
    tickets = pd.read_parquet(tmp_path / "raw" / "tickets.parquet")
    outcomes = pd.read_parquet(tmp_path / "raw" / "outcomes.parquet")
    assert tickets["subject"].fillna("").tolist() == ["It leaks", "It hums", ""]
    assert tickets["body"].fillna("").tolist() == ["", "", "7"]
    assert tickets["channel"].fillna("").tolist() == ["mail", "", ""]
    assert tickets["created_at"].notna().tolist() == [True, True, False]
    assert outcomes["value"].tolist() == ["mail"]


def test_scoring_reads_dotted_names_of_json_lines_and_parquet_alike(tmp_path: Path) -> None:
    mapping = parse_mapping(MAPPING)
    pd.DataFrame(ROWS[:2]).to_parquet(tmp_path / "t.parquet")
    parquet = pd.concat(read_tickets(tmp_path / "t.parquet", parse_mapping(MAPPING | {"body": []})))
    lines = pd.concat(read_tickets(_jsonl(tmp_path), mapping))
    for name in ("subject", "channel", "created_at"):
        pd.testing.assert_series_equal(parquet[name], lines[name][:2])


def test_a_column_that_is_there_wins_over_a_path_of_its_name() -> None:
    records = pd.DataFrame({"a": ['{"b": "inside"}'], "a.b": ["column"], "error": [None]}, dtype="str")
    assert with_inner(records, ["a.b"])["a.b"].tolist() == ["column"]


def test_what_one_row_says_is_a_matter_of_that_row_alone() -> None:
    cells = [
        {"a": '{"b": {"c": "1"}}'},
        {"a.b": '{"c": "2"}'},
        {"a.b.c": "3", "a": '{"b": {"c": "no"}}'},
        {"a.b.c": None, "a": "no"},
    ]
    records = pd.DataFrame([{"a": None, "a.b": None, "a.b.c": None, "error": None} | row for row in cells], dtype="str")
    assert with_inner(records, ["a.b.c"])["a.b.c"].fillna("-").tolist() == ["1", "2", "3", "-"]


@pytest.mark.parametrize("cell", ["{", "plain", "[1]", '{"c": 1}', "{" * 5000, ""])
def test_what_is_no_object_or_lacks_the_path_gives_no_column(cell: str) -> None:
    records = pd.DataFrame({"a": [cell], "error": [None]}, dtype="str")
    assert list(with_inner(records, ["a.b", "a.b.c"])) == ["a", "error"]


def test_a_path_that_no_row_has_is_a_missing_column(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"text\.titel"):
        import_table([_jsonl(tmp_path)], parse_mapping({"subject": "text.titel"}), tmp_path / "raw")
