"""Tickets by a mapping, or in our own schema: a row for every record, whatever the chunks."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError, MappingError
from pipeline.sources.mapping import Mapping, parse_mapping
from pipeline.sources.table import read_tickets
from pipeline.tickets import files, parse
from pipeline.tickets.schema import conform

SIMPLE = {
    "ticket_id": "id",
    "created_at": "opened",
    "subject": "title",
    "body": ["text", "more"],
    "customer_id": "who",
    "language": "lang",
    "fields": ["kind"],
    "missing": ["?"],
}
HEADER = ["id", "opened", "title", "text", "more", "who", "lang", "kind"]


def write(path: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = HEADER) -> Path:
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([header, *rows])
    return path


def read(path: Path, mapping: Mapping | None = None, chunk_rows: int = 2_000, **more: object) -> pd.DataFrame:
    return pd.concat(list(read_tickets(path, mapping, chunk_rows=chunk_rows, **more)))  # type: ignore[arg-type]


def test_columns_land_where_the_mapping_says(tmp_path: Path) -> None:
    rows = [["7", "2026-03-02 09:00", "Login", "It fails", "since today", "ann@example.org", "en-US", "web?"]]
    row = read(write(tmp_path / "a.csv", rows), parse_mapping(SIMPLE)).iloc[0]
    assert row["ticket_id"] == "7"
    assert row["created_at"] == pd.Timestamp("2026-03-02 09:00", tz="UTC")
    assert row["body"] == "It fails\nsince today"
    assert row["language"] == "en"
    assert row["fields.kind"] == "web?"
    assert row["source"] == "a.csv:row-1"
    assert row["customer_id"].startswith("person-")
    assert pd.isna(row["error"])


def test_missing_words_blanks_and_empty_cells_are_null(tmp_path: Path) -> None:
    row = read(write(tmp_path / "a.csv", [["7", "?", " ", "?", "", "?", "English", "?"]]), parse_mapping(SIMPLE)).iloc[
        0
    ]
    assert row[["created_at", "subject", "body", "customer_id", "language", "fields.kind", "error"]].isna().all()


def test_without_ids_rows_are_numbered(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [["one"], ["two"]], header=["title"])
    assert read(path, parse_mapping({"subject": "title"}))["ticket_id"].tolist() == ["row-1", "row-2"]


def test_each_bad_row_has_its_code_and_none_is_lost(tmp_path: Path) -> None:
    good = ["2026-03-02", "t", "b", "", "", "", ""]
    rows = [
        ["1", *good],
        ["1", *good],
        ["", *good],
        ["x" * 201, *good],
        ["2", "the day before yesterday", "t", "b", "", "", "", ""],
        ["3", "2099-01-01", "t", "b", "", "", "", ""],
        ["4", "2026-03-02", "t", "b" * 2_000, "", "", "", ""],
        ["5", "ragged"],
    ]
    now = pd.Timestamp("2026-03-03", tz="UTC")
    frame = read(write(tmp_path / "a.csv", rows), parse_mapping(SIMPLE), now=now, max_characters=1_000)
    codes = [None if pd.isna(code) else code for code in frame["error"]]
    assert codes == [
        None,
        "duplicate_id",
        "missing_id",
        "bad_id",
        "bad_time",
        "future_time",
        "text_too_long",
        "ragged_row",
    ]
    assert frame["body"].str.len().max() < 1_000
    assert frame.index.tolist() == list(range(1, 9))


def test_a_repeated_id_is_found_across_chunks(tmp_path: Path) -> None:
    rows = [[str(i % 5), "", "t", "", "", "", "", ""] for i in range(12)]
    frame = read(write(tmp_path / "a.csv", rows), parse_mapping(SIMPLE), chunk_rows=2)
    assert frame["error"].isna().sum() == 5
    assert (frame["error"] == "duplicate_id").sum() == 7


def test_an_event_log_gives_each_tickets_first_row_only(tmp_path: Path) -> None:
    header = ["n", "title", "updated"]
    rows = [["a", "first", "1"], ["b", "first", "1"], ["a", "later", "2"], ["", "no id", "3"], ["b", "later", "3"]]
    mapping = parse_mapping({"ticket_id": "n", "subject": "title", "events": {"time": "updated"}})
    for chunk_rows in (1, 2, 100):
        frame = read(write(tmp_path / "log.csv", rows, header), mapping, chunk_rows=chunk_rows)
        assert frame["subject"].tolist() == ["first", "first", "no id"]
        assert frame["error"].fillna("").tolist() == ["", "", "missing_id"]


def test_scoring_needs_neither_event_nor_outcome_columns(tmp_path: Path) -> None:
    raw = SIMPLE | {
        "events": {"time": "updated", "track": ["group"]},
        "outcomes": {"topic": "label", "queue": {"column": "group", "known_at": "closed"}},
    }
    frame = read(write(tmp_path / "a.csv", [["7", "", "t", "", "", "", "", ""]]), parse_mapping(raw))
    assert frame["ticket_id"].tolist() == ["7"]


def test_a_missing_column_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [["1", "t"]], header=["id", "titel"])
    with pytest.raises(MappingError, match="'title': did you mean 'titel'"):
        read(path, parse_mapping({"ticket_id": "id", "subject": "title"}))


def test_json_lines_may_leave_out_what_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    records = [{"id": 1, "title": "x"}, {"id": 2, "title": "y", "kind": "web", "who": "ann"}]
    path.write_text("".join(json.dumps(r) + "\n" for r in records), "utf-8")
    for chunk_rows in (1, 10):
        frame = read(path, parse_mapping(SIMPLE), chunk_rows=chunk_rows)
        assert frame["fields.kind"].fillna("").tolist() == ["", "web"]
    with pytest.raises(MappingError, match="'number'"):
        read(path, parse_mapping(SIMPLE | {"ticket_id": "number"}))


def test_an_empty_table_gives_one_frame_without_rows(tmp_path: Path) -> None:
    frames = list(read_tickets(write(tmp_path / "a.csv", []), parse_mapping(SIMPLE)))
    assert [len(f) for f in frames] == [0]
    assert "fields.kind" in frames[0]


def test_our_own_tables_are_read_without_a_mapping(tmp_path: Path) -> None:
    table = conform(
        pd.DataFrame(
            {
                "ticket_id": ["a", "b"],
                "created_at": pd.to_datetime(["2026-03-02", None], utc=True),
                "as_of": pd.to_datetime(["2026-03-05", None], utc=True),
                "body": ["<p>Hello</p>", None],
                "language": ["de", None],
                "fields.kind": ["web", None],
            }
        ),
        "tickets",
    )
    files.write_parquet(table, tmp_path / "t.parquet", "tickets")
    table.to_csv(tmp_path / "t.csv", index=False)
    for name in ("t.parquet", "t.csv"):
        frame = read(tmp_path / name)
        expected = table.assign(source=[f"{name}:row-1", f"{name}:row-2"]).set_index(pd.Index([1, 2], name="row"))
        pd.testing.assert_frame_equal(frame.drop(columns="error"), conform(expected, "tickets"), check_names=False)


def test_a_table_that_is_not_in_our_schema_says_how_to_map_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--mapping") as caught:
        read(write(tmp_path / "a.csv", [["1", "x"]], header=["Ticket ID", "subject"]))
    assert "Ticket ID" in str(caught.value)
    with pytest.raises(InputError, match="--mapping"):
        read(write(tmp_path / "b.csv", [["1", "x"]], header=["ticket_id", "title"]))


def test_a_field_that_holds_an_address_is_redacted(tmp_path: Path) -> None:
    row = ["1", "", "t", "", "", "", "", "write to eve@example.org"]
    assert read(write(tmp_path / "a.csv", [row]), parse_mapping(SIMPLE))["fields.kind"].tolist() == ["write to [EMAIL]"]


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=6)
DAY = st.sampled_from(["", "?", "2026-03-02", "2.3.2026", "x"])


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.sampled_from("ab?c"), DAY, CELL, CELL, CELL, CELL, CELL, CELL), max_size=9),
    st.integers(1, 4),
)
def test_what_comes_out_does_not_depend_on_the_chunks(
    tmp_path: Path, rows: list[tuple[str, ...]], chunk_rows: int
) -> None:
    path = write(tmp_path / "a.csv", rows)
    whole = read(path, parse_mapping(SIMPLE))
    pd.testing.assert_frame_equal(read(path, parse_mapping(SIMPLE), chunk_rows=chunk_rows), whole)
    assert len(whole) == len(rows)


def test_what_is_read_can_be_parsed(tmp_path: Path) -> None:
    from pipeline.config import Tickets

    rows = [["1", "2026-03-02", "Login", "mail ann@example.org", "", "", "", ""], ["1", "", "", "", "", "", "", ""]]
    parsed = parse(read(write(tmp_path / "a.csv", rows), parse_mapping(SIMPLE)), Tickets())
    assert parsed["error"].fillna("").tolist() == ["", "duplicate_id"]
    assert parsed["text"].iloc[0] == "Login\nmail [EMAIL]"
