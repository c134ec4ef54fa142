"""A few records read without a frame in between are what a file of the same records gives (made up)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Tickets
from pipeline.sources.reader import TableReader, read_tickets
from pipeline.tickets import parse, schema
from pipeline.tickets.json_records import record_of

NOW = pd.Timestamp("2026-11-23", tz="UTC")
NAMES = (
    "ticket_id", "created_at", "subject", "body", "customer_id", "customer_keys", "channel", "language", "as_of",
    "fields.kind", "fields.é", "fields.\ud800", "error", "other", "",
)  # fmt: skip
ODD: list[Any] = [
    "", " ", "x", "ann@example.org", "+49 30 1234567", "a\x07", "\u2003", "2026-03-02T12:00:00Z", "2026-03-02 12:00",
    "1/2/2026", "2199-01-01", "1950-01-01", "1770000000", "en-US", "English", "und", "é" * 300, "\ud800z",
    "info@x.example", "4111 1111 1111 1111", None, 5, 1.5, True, [], {"a": 1}, "x" * 500, "nul \x00",
]  # fmt: skip
OBJECTS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(ODD), max_size=8)


@given(objects=st.lists(OBJECTS | st.just("no object"), min_size=1, max_size=8))
def test_records_give_what_a_file_of_them_gives(objects: list[Any], tmp_path_factory: Any) -> None:
    first = {"ticket_id": "first", "body": "the first line says what the columns are"}
    rows = [first, *objects]
    path: Path = tmp_path_factory.mktemp("records") / "request"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (by_file,) = read_tickets(path, format="jsonl", now=NOW, max_characters=400)
    records = [record_of(row, 10) for row in rows]
    found = TableReader(None, now=NOW, max_characters=400).tickets_of(records, "request")
    assert list(found.columns) == list(by_file.columns)
    pd.testing.assert_frame_equal(schema.conform(found, "tickets"), schema.conform(by_file, "tickets"))
    assert [e if isinstance(e, str) else None for e in by_file["error"]] == found["error"].tolist()
    pd.testing.assert_frame_equal(parse(found, Tickets()), parse(by_file, Tickets()), check_exact=True)
