"""CSV and JSON Lines: every record is a row, a bad one a coded row; a bad file is a clear error."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tracemalloc
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.tickets import csv_records
from pipeline.tickets.files import read_records


def records(path: Path | str, **options: object) -> pd.DataFrame:
    frames = list(read_records(path, **options))  # type: ignore[arg-type]
    return pd.concat(frames) if frames else pd.DataFrame()


def written(folder: Path, content: bytes | str, name: str = "in.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def values(frame: pd.DataFrame, column: str) -> list[str | None]:
    return [None if pd.isna(v) else str(v) for v in frame[column]]


def test_a_csv_becomes_text_columns_numbered_from_one(tmp_path: Path) -> None:
    frame = records(written(tmp_path, "id,n\na,1\n\nb,\n"))
    assert list(frame.index) == [1, 2]
    assert frame.index.name == "row"
    assert values(frame, "n") == ["1", None]
    assert values(frame, "error") == [None, None]
    assert all(str(kind) == "str" for kind in frame.dtypes)


def test_line_ends_in_quotes_belong_to_the_value(tmp_path: Path) -> None:
    frame = records(written(tmp_path, 'id,text\r\n1,"two\r\nlines, ""quoted"""\r\n2,x\r\n'))
    assert values(frame, "text") == ['two\r\nlines, "quoted"', "x"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_the_one_of_the_header(tmp_path: Path, separator: str) -> None:
    frame = records(written(tmp_path, f'id{separator}"a,b;c"\n1{separator}x,y;z\n'.replace("x,y;z", '"x,y;z"')))
    assert list(frame.columns) == ["id", "a,b;c", "error"]
    assert values(frame, "a,b;c") == ["x,y;z"]


@pytest.mark.parametrize("header", ["a,a,a", "a,a.1,a", "a,a,a.1", "x,,y,", "a,b,a.1,a,b"])
def test_repeated_headers_are_named_as_pandas_does(tmp_path: Path, header: str) -> None:
    path = written(tmp_path, f"{header}\n{','.join('1' * len(header.split(',')))}\n")
    assert list(records(path).columns)[:-1] == list(pd.read_csv(path).columns)


def test_a_source_column_named_error_is_kept_beside_ours(tmp_path: Path) -> None:
    frame = records(written(tmp_path, "id,error\n1,oops\n"))
    assert values(frame, "error") == [None]
    assert values(frame, "error.1") == ["oops"]


def test_rows_of_another_width_are_coded_and_reading_goes_on(tmp_path: Path) -> None:
    frame = records(written(tmp_path, "a,b\n1\n1,2,3\n4,5\n"))
    assert values(frame, "error") == ["ragged_row", "ragged_row", None]
    assert values(frame, "a") == [None, None, "4"]


def test_a_row_with_undecodable_bytes_is_coded(tmp_path: Path) -> None:
    frame = records(written(tmp_path, b"id,t\n1,caf\xe9\n2,caf\xc3\xa9\n"))
    assert values(frame, "error") == ["bad_encoding", None]
    assert values(frame, "t") == [None, "café"]


def test_a_given_encoding_is_used(tmp_path: Path) -> None:
    frame = records(written(tmp_path, "id,t\n1,café\n".encode("cp1252")), encoding="cp1252")
    assert values(frame, "t") == ["café"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("name", ["in.csv", "in.jsonl"])
def test_byte_order_marks_are_honoured(tmp_path: Path, encoding: str, name: str) -> None:
    text = "id,t\n1,café\n" if name == "in.csv" else '{"id": 1, "t": "café"}\n'
    frame = records(written(tmp_path, text.encode(encoding), name))
    assert list(frame.columns) == ["id", "t", "error"]
    assert values(frame, "t") == ["café"]


@pytest.mark.parametrize("name", ["nonsense", "hex", "rot13", "utf-8\0", ""])
def test_an_unknown_encoding_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="encoding"):
        records(written(tmp_path, "id\n1\n"), encoding=name)


def test_nul_bytes_are_dropped(tmp_path: Path) -> None:
    assert values(records(written(tmp_path, b"id,t\n1,a\0b\n")), "t") == ["ab"]
    frame = records(written(tmp_path, b'{"id\\u0000": 1, "t": "a\\u0000b", "n": {"x": "a\\u0000"}}\n', "in.jsonl"))
    assert values(frame, "t") == ["ab"]
    assert frame.columns[0] == "id"


@pytest.mark.parametrize("name", ["in.csv", "in.csv.gz", "packed-without-a-telling-name.csv"])
def test_gzip_is_known_by_its_bytes(tmp_path: Path, name: str) -> None:
    frame = records(written(tmp_path, gzip.compress(b"id\n1\n"), name))
    assert values(frame, "id") == ["1"]


@pytest.mark.parametrize("name", ["in.csv.gz", "in.jsonl.gz"])
def test_a_truncated_gzip_is_refused_with_the_file_name_and_the_last_whole_row(tmp_path: Path, name: str) -> None:
    line = "{},some text that differs {}\n" if "csv" in name else '{{"id": "{}", "t": "{}"}}\n'
    text = ("id,t\n" if "csv" in name else "") + "".join(line.format(i, i * 7919 % 1009) for i in range(20_000))
    packed = gzip.compress(text.encode())
    read: list[pd.DataFrame] = []
    with pytest.raises(InputError) as caught:
        for frame in read_records(written(tmp_path, packed[: len(packed) // 2], name), chunk_rows=500):
            read.append(frame)
    assert name in caught.value.where
    last = int(caught.value.where.split("after row ")[1])
    assert 0 < last < 20_000
    assert last - 500 <= sum(map(len, read)) <= last


def test_a_damaged_gzip_is_refused(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"id\n" + b"".join(b"%d\n" % i for i in range(9999))))
    packed[len(packed) // 2] ^= 0xFF
    with pytest.raises(InputError, match="damaged"):
        records(written(tmp_path, bytes(packed)))


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0)])
def test_an_empty_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError):
        records(written(tmp_path, content))


@pytest.mark.parametrize("content", [b"PK\x03\x04xx", b"BZh91AY", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfdxx"])
def test_another_packing_is_named(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match=r"archive|bzip2|xz|zstandard"):
        records(written(tmp_path, content))


def test_a_missing_file_and_a_folder_are_errors_that_name_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv"):
        records(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="folder"):
        records(tmp_path)


def test_a_header_alone_gives_its_columns_and_no_rows(tmp_path: Path) -> None:
    frame = records(written(tmp_path, "id,text\n"))
    assert list(frame.columns) == ["id", "text", "error"]
    assert frame.empty


@pytest.mark.parametrize("content", [b"\n\n", b'id,"never closes\n1,2\n', b"caf\xe9,x\n1,2\n"])
def test_a_header_that_cannot_be_read_is_an_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match="header"):
        records(written(tmp_path, content))


def test_a_quote_that_never_closes_costs_one_row(tmp_path: Path) -> None:
    rows = "".join(f"{i},fine\n" for i in range(100))
    frame = records(written(tmp_path, f'id,t\n0,"open\n{rows}'))
    assert values(frame, "error") == ["unreadable_record"] + [None] * 100
    assert values(frame, "id")[1:] == [str(i) for i in range(100)]


def test_a_quote_that_does_not_close_for_long_is_given_up_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_records, "_LONGEST_RECORD", 1_000)
    rows = "".join(f"{i},fine\n" for i in range(1_000))
    frame = records(written(tmp_path, f'id,t\n0,"open\n{rows}7,"closed"\n'))
    assert values(frame, "error") == ["unreadable_record"] + [None] * 1_001


def test_many_quotes_that_never_close_are_read_line_by_line(tmp_path: Path) -> None:
    frame = records(written(tmp_path, "a,b,c\n" + 'x"y,"z\n' * 30_000 + "1,2,3\n"))
    assert values(frame, "error")[:-1] == ["unreadable_record"] * 30_000
    assert values(frame, "a")[-1] == "1"


def test_ten_thousand_columns_are_read_in_small_frames(tmp_path: Path) -> None:
    header = ",".join(f"c{i}" for i in range(10_000))
    frames = list(read_records(written(tmp_path, header + "\n" + (",".join("x" * 10_000) + "\n") * 300)))
    assert [len(f) for f in frames] == [200, 100]
    assert frames[0].shape[1] == 10_001


@pytest.mark.parametrize("name", ["in.csv", "in.jsonl"])
def test_fifty_megabytes_in_one_cell_are_read_with_flat_memory(tmp_path: Path, name: str) -> None:
    body = ("lorem ipsum " * 10 + "\\n") * 420_000 if name == "in.jsonl" else ("lorem ipsum " * 10 + "\n") * 420_000
    text = (
        f'id,body,x\n1,"{body}",y\n2,b,z\n' if name == "in.csv" else f'{{"id":1,"body":"{body}","x":"y"}}\n{{"id":2}}\n'
    )
    path = written(tmp_path, text, name)
    del text
    tracemalloc.start()
    frame = records(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert values(frame, "id") == ["1", "2"]
    assert len(frame["body"].iloc[0]) > 49_000_000
    assert peak < 12 * len(body)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        path = written(tmp_path, "id,t\n" + "".join(f"{i},{'x' * 200}\n" for i in range(rows)))
        tracemalloc.start()
        assert sum(len(frame) for frame in read_records(path, chunk_rows=500)) == rows
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(1_000)
    assert peak(30_000) < 1.2 * peak(3_000)


def test_json_values_become_their_json_text(tmp_path: Path) -> None:
    line = '{"s": "x", "i": 12, "f": 1.5, "t": true, "n": null, "l": [1, {"a": "é"}], "e": "", "el": [], "nan": NaN}'
    frame = records(written(tmp_path, line + "\n", "in.jsonl"))
    row = {name: values(frame, name)[0] for name in frame}
    assert row == {
        "s": "x", "i": "12", "f": "1.5", "t": "true", "n": None, "l": '[1, {"a": "é"}]', "e": None, "el": None,
        "nan": None, "error": None,
    }  # fmt: skip


def test_bad_json_lines_are_coded_and_reading_goes_on(tmp_path: Path) -> None:
    lines = ['{"id": 1}', "[1]", "3", "{broken", "", '{"id": ' + "[" * 200_000, b'{"id": "\xff"}', '{"id": 2, "id": 3}']
    content = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
    frame = records(written(tmp_path, content, "in.jsonl"))
    codes = [None, "not_an_object", "not_an_object", "unreadable_record", "unreadable_record", "bad_encoding", None]
    assert values(frame, "error") == codes
    assert values(frame, "id")[-1] == "3"


def test_a_json_array_is_an_error_that_says_how_to_split_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one object a line"):
        records(written(tmp_path, '[\n {"id": 1}\n]', "in.json"))


def test_half_characters_are_replaced(tmp_path: Path) -> None:
    frame = records(written(tmp_path, '{"id": "a\\ud800b", "\\udc00": 1}\n', "in.jsonl"))
    assert values(frame, "id") == ["a\ufffdb"]


@pytest.mark.parametrize(("form", "text"), [(None, '{"id": 7}\n'), ("csv", "id\n7\n"), ("jsonl", '{"id": 7}\n')])
def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch, form: str | None, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(text.encode()))))
    assert values(records("-", format=form), "id") == ["7"]


def test_an_unknown_format_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="csv, jsonl or parquet"):
        records(written(tmp_path, "id\n1\n"), format="xml")


CELLS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r"), max_size=12)


@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8), chunk=st.integers(1, 4))
def test_what_was_written_as_csv_is_read_again(tmp_path: Path, rows: list[tuple[str, str, str]], chunk: int) -> None:
    path = tmp_path / "in.csv"
    pd.DataFrame(rows, columns=["a", "b", "c"]).to_csv(path, index=False, quoting=1)
    frame = records(path, chunk_rows=chunk)
    assert [tuple(v or "" for v in row) for row in zip(*(values(frame, n) for n in "abc"), strict=True)] == rows
    assert frame["error"].isna().all()


@given(rows=st.lists(st.dictionaries(CELLS, CELLS | st.integers() | st.booleans() | st.none(), max_size=4), max_size=6))
def test_what_was_written_as_json_lines_is_read_row_for_row(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    path = written(tmp_path, "".join(json.dumps(row) + "\n" for row in rows) or "\n", "in.jsonl")
    frame = records(path)
    assert len(frame) == len(rows)
    assert frame.empty or frame["error"].isna().all()


@given(content=st.binary(min_size=1, max_size=400))
@pytest.mark.parametrize("name", ["in.csv", "in.jsonl", "in.parquet", "in"])
def test_any_bytes_give_rows_or_a_clear_error(tmp_path: Path, name: str, content: bytes) -> None:
    try:
        frame = records(written(tmp_path, content, name))
    except InputError:
        return
    assert frame.empty or list(frame.index) == list(range(1, len(frame) + 1))
