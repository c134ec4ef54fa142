"""`parse` answers every row of any table with a clean row or a code, and refuses only what is no table of tickets."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from factories import tickets
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Tickets
from pipeline.errors import ROW_CODES, InputError
from pipeline.tickets import parse
from pipeline.tickets.files import read_parquet, read_records, write_parquet
from pipeline.tickets.redact import redact

SETTINGS = Tickets()


def codes(frame: pd.DataFrame) -> list[str | None]:
    return [None if pd.isna(code) else str(code) for code in frame["error"]]


def test_a_good_ticket_becomes_clean_text() -> None:
    table = tickets(
        1,
        subject="Fwd: <b>Hello</b>",
        body="<p>Mail ada@example.org about the invoice that I was charged for twice</p>",
        language=None,
    )
    row = parse(table, SETTINGS).iloc[0]
    assert row["subject"] == "Fwd: Hello"
    assert row["body"] == "Mail [EMAIL] about the invoice that I was charged for twice"
    assert row["text"] == f"{row['subject']}\n{row['body']}"
    assert row["language"] == "en"
    assert pd.isna(row["error"])


def test_ids_are_checked_and_the_first_of_equal_ones_stays() -> None:
    table = tickets(ticket_id=["a", None, "", " ", "a\x07b", "x" * 201, "a", "b"])
    assert codes(parse(table, SETTINGS)) == [
        None, "missing_id", "missing_id", "missing_id", "bad_id", "bad_id", "duplicate_id", None,
    ]  # fmt: skip


def test_a_refused_row_does_not_take_the_id_of_a_good_one() -> None:
    table = tickets(ticket_id=["a", "a", "a"]).assign(error=pd.Series(["ragged_row", None, None], dtype="str"))
    assert codes(parse(table, SETTINGS)) == ["ragged_row", None, "duplicate_id"]


def test_a_text_over_the_limit_is_coded_and_not_kept() -> None:
    table = tickets(body=["x" * 99, "word " * 2_000_000, "x"], subject=["y", "y", "y" * 101])
    out = parse(table, Tickets(max_characters=100))
    assert codes(out) == [None, "text_too_long", "text_too_long"]
    assert out["text"].isna().tolist() == [False, True, True]
    assert out["ticket_id"].tolist() == table["ticket_id"].tolist()


def test_of_a_long_ticket_models_read_the_beginning_and_all_of_it_is_kept() -> None:
    log = "line of a log\n" * 3_000
    out = parse(tickets(subject=["It stopped", None], body=[log, "x" * 42_000]), Tickets(read_characters=1_000))
    assert codes(out) == [None, None]
    assert out["body"].str.len().tolist() == [len(log) - 1, 42_000]
    text, run = out["text"]
    assert text.startswith("It stopped\nline of a log") and text.endswith((" of", " a", " log", "line"))
    assert 980 < len(text) <= 1_000 and len(run) == 1_000


def test_a_body_of_fifty_megabytes_is_coded_within_seconds(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("ticket_id,body\n1," + "a" * 50_000_000 + "\n2,fine\n")
    out = pd.concat([parse(frame, SETTINGS) for frame in read_records(path)])
    assert codes(out) == ["text_too_long", None]


def test_codes_that_arrive_are_kept_and_unknown_ones_are_not_believed() -> None:
    table = tickets(4).assign(error=["bad_encoding", None, "made up", float("nan")])
    assert codes(parse(table, SETTINGS)) == ["bad_encoding", None, "unreadable_record", None]


def test_times_as_text_are_read_and_bad_ones_coded() -> None:
    table = pd.DataFrame(
        {
            "ticket_id": list("abcd"),
            "body": "x",
            "created_at": ["2025-01-01T00:00:00Z", "soon", None, 1735689600],
            "as_of": ["2025-01-01 00:00", None, None, "never"],
        }
    )
    out = parse(table, SETTINGS)
    assert codes(out) == [None, "bad_time", None, "bad_time"]
    assert str(out["created_at"].dtype) == str(out["as_of"].dtype) == "datetime64[us, UTC]"
    assert out["created_at"].notna().tolist() == [True, False, False, True]


@pytest.mark.parametrize("given_code", ["en-US", "EN", "eng"])
def test_a_given_language_is_only_normalised(given_code: str) -> None:
    out = parse(tickets(1, body="Mein Drucker druckt seit heute Morgen nicht mehr.", language=given_code), SETTINGS)
    assert out["language"].tolist() == ["en"]


def test_a_ticket_without_words_is_no_error() -> None:
    out = parse(tickets(2, subject=[None, "<p></p>"], body=[None, "  "], language=[None, None]), SETTINGS)
    assert codes(out) == [None, None]
    assert out["text"].isna().all()
    assert out["language"].tolist() == ["und", "und"]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (["id", "body"], ["ticket_id", "id"]),
        (["ticket_id", "boddy", "titel"], ["body", "boddy"]),
        (["ticket_id"], ["subject", "body", r"fields\.\*"]),
        (["ticket_id", "body", "body"], ["repeated", "body"]),
        ([], ["ticket_id"]),
    ],
)
def test_a_table_without_tickets_is_an_error_that_names_the_nearest_columns(
    columns: list[str], words: list[str]
) -> None:
    for word in words:
        with pytest.raises(InputError, match=word):
            parse(pd.DataFrame([["1"] * len(columns)], columns=columns), SETTINGS)


def test_fields_alone_are_enough() -> None:
    out = parse(pd.DataFrame({"ticket_id": ["1"], "fields.category": ["x"]}), SETTINGS)
    assert codes(out) == [None]
    assert out["fields.category"].tolist() == ["x"]


def test_an_empty_table_gives_an_empty_table() -> None:
    out = parse(tickets(3).iloc[:0], SETTINGS)
    assert out.empty
    assert {"error", "text"} <= set(out.columns)


def test_ten_thousand_field_columns_are_parsed() -> None:
    wide = pd.DataFrame([["1"] * 10_001], columns=["ticket_id", *(f"fields.c{i}" for i in range(10_000))])
    assert parse(wide, SETTINGS).shape[0] == 1


def test_what_was_parsed_can_be_stored(tmp_path: Path) -> None:
    out = parse(tickets(3, fields_x=["a", None, "b"]), SETTINGS)
    write_parquet(out, tmp_path / "out.parquet", "tickets")
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "out.parquet")[list(out.columns)], out)


# The laws: total, row-wise, pure, by name, missing-tolerant; redacted or not before is the same.

WORDS = st.sampled_from(
    ["Hello", "<p>it fails</p>", "ada@example.org", "\n", "> old", "&lt;b&gt;", "+49 30 1234567", "Drucker geht nicht"]
)
TEXT = st.lists(WORDS | st.text(max_size=6), max_size=6).map(" ".join)
ODD = (
    st.none() | st.integers() | st.floats() | st.booleans() | st.binary(max_size=6) | st.lists(st.integers(),
    max_size=2)
    | st.dictionaries(st.text(max_size=2), st.none(), max_size=2) | st.just(pd.NA) | st.just(pd.NaT)
    | st.just(dt.date(2025, 1, 1))
    | st.builds(np.array, st.lists(st.integers(0, 3), max_size=2)) | st.builds(np.int64, st.integers(0, 9))
    | st.text() | st.just("\ud800")
    | st.builds(object)
)  # fmt: skip
COLUMNS = [
    "subject",
    "body",
    "customer_id",
    "channel",
    "language",
    "source",
    "created_at",
    "as_of",
    "fields.a",
    "error",
]


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    count = draw(st.integers(0, 4))
    names = [
        "ticket_id",
        "body",
        *draw(st.lists(st.sampled_from([n for n in COLUMNS if n != "body"]), unique=True, max_size=5)),
    ]
    cells = {
        name: pd.Series(draw(st.lists(TEXT | ODD, min_size=count, max_size=count)), dtype=object) for name in names
    }
    return pd.DataFrame(cells)


def same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(left, right, check_exact=True)


@settings(max_examples=40)
@given(tables())
def test_parse_is_total(table: pd.DataFrame) -> None:
    out = parse(table, SETTINGS)
    assert list(out.index) == list(table.index)
    assert set(codes(out)) <= {None, *ROW_CODES}
    ids = out["ticket_id"][out["error"].isna()]
    assert ids.notna().all()
    assert ids.is_unique


@settings(max_examples=40)
@given(tables())
def test_parse_is_row_wise_but_for_repeated_ids(table: pd.DataFrame) -> None:
    out = parse(table, SETTINGS)
    for i in range(len(table)):
        if out["error"].iloc[i] != "duplicate_id":
            same(parse(table.iloc[[i]], SETTINGS), out.iloc[[i]])


@settings(max_examples=40)
@given(tables())
def test_parse_is_pure(table: pd.DataFrame) -> None:
    before = [[repr(cell) for cell in table[name]] for name in table]
    same(parse(table, SETTINGS), parse(table, SETTINGS))
    assert [[repr(cell) for cell in table[name]] for name in table] == before


@settings(max_examples=40)
@given(tables(), st.randoms(use_true_random=False))
def test_parse_reads_by_name(table: pd.DataFrame, random: object) -> None:
    columns = list(table.columns)
    random.shuffle(columns)  # type: ignore[attr-defined]
    same(parse(table[columns].assign(unknown=1, topic="x"), SETTINGS), parse(table, SETTINGS))


@settings(max_examples=40)
@given(tables())
def test_an_absent_column_is_a_null_column(table: pd.DataFrame) -> None:
    nulls = {name: None for name in COLUMNS if name not in table and not name.startswith(("fields", "as_of"))}
    same(parse(table.assign(**nulls), SETTINGS), parse(table, SETTINGS))


@given(TEXT, TEXT)
def test_it_does_not_matter_whether_the_source_redacted_before(subject: str, body: str) -> None:
    raw = pd.DataFrame({"ticket_id": ["1"], "subject": [subject], "body": [body]})
    stored = raw.assign(subject=raw["subject"].map(redact), body=raw["body"].map(redact))
    same(parse(stored, SETTINGS), parse(raw, SETTINGS))
