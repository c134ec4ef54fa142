"""Imports of macros: what lies in RAW_DIR afterwards, what is left out, and what was refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.errors import InputError, MappingError, OutputError
from pipeline.sources.macro_table import MacroMapping, import_macros, load_macro_mapping
from pipeline.sources.raw import contents_hash, load_raw

ROWS = [
    {"id": 1, "name": "Reset", "body": "<p>Reset it, or ask ann@example.org</p>", "on": "yes", "lang": "en-US"},
    {"id": 2, "name": "Old", "body": "Throw it away", "on": "no", "lang": "en"},
    {"id": 3, "name": "Odd", "body": "Who knows", "on": "perhaps", "lang": "en"},
    {"id": None, "name": "No id", "body": "x", "on": "yes", "lang": "en"},
    {"id": 1, "name": "Again", "body": "x", "on": "yes", "lang": "en"},
    {"id": 6, "name": "Empty", "body": None, "on": "yes", "lang": "en"},
    {"id": "a\u0007b", "name": "Rings", "body": "x", "on": "yes", "lang": "en"},
]
MAPPING = """
macro_id: id
title: name
text: body
language: lang
state: {column: "on", levels: {"yes": active, "no": inactive}}
"""


def put(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def mapping(folder: Path) -> MacroMapping:
    return load_macro_mapping(put(folder / "m.yaml", MAPPING))


def table(folder: Path) -> Path:
    return put(folder / "macros.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS) + "no json\n")


def test_only_what_is_active_is_imported_and_bad_rows_are_listed(tmp_path: Path) -> None:
    summary = import_macros([table(tmp_path)], tmp_path / "raw", mapping=mapping(tmp_path))
    found = load_raw(tmp_path / "raw").macros
    assert found["macro_id"].tolist() == ["1"] and found["language"].tolist() == ["en"]
    assert "ann@example.org" not in found["text"].iloc[0] and "[EMAIL]" in found["text"].iloc[0]
    assert summary.refused == {"bad_id": 1, "duplicate_id": 1, "missing_id": 1, "no_text": 1, "unreadable_record": 1}
    assert summary.notes == {"macros_left_out_not_active": 2}
    assert (summary.rows_in, summary.macros_in, summary.macros, summary.came) == (8, 6, 1, "6 macros")
    assert summary.refused_share == pytest.approx(5 / 6)
    text = (tmp_path / "raw" / "rejects.jsonl").read_text("utf-8")
    assert [json.loads(line)["source"].rpartition("-")[2] for line in text.splitlines()] == ["4", "5", "6", "7", "8"]
    assert "ann" not in text and "Again" not in text


def test_by_our_own_names_a_table_needs_no_mapping_and_what_it_says_now_counts(tmp_path: Path) -> None:
    raw, path = tmp_path / "raw", tmp_path / "macros.csv"
    import_macros([put(path, "macro_id,text\na,old\nb,there\n")], raw)
    before = contents_hash(raw)
    assert import_macros([put(path, "macro_id,text\na,new\n")], raw).macros == 2
    assert dict(load_raw(raw).macros[["macro_id", "text"]].to_numpy().tolist()) == {"a": "new", "b": "there"}
    assert contents_hash(raw) != before
    assert import_macros([put(path, "macro_id,text\nc,all\n")], raw, replace=True).macros == 1
    assert load_raw(raw).macros["macro_id"].tolist() == ["c"]
    assert import_macros([put(path, "macro_id,text\nd,\n")], raw, replace=True).macros == 0
    assert load_raw(raw).macros.empty


def test_a_folder_without_macros_has_no_file_of_them(tmp_path: Path) -> None:
    from pipeline.sources.article_files import import_articles

    import_articles([put(tmp_path / "kb.csv", "article_id,text\na,Send it\n")], tmp_path / "raw")
    assert load_raw(tmp_path / "raw").macros.empty and not (tmp_path / "raw" / "macros.parquet").exists()
    import_macros([put(tmp_path / "macros.csv", "macro_id,text\na,x\n")], tmp_path / "raw")
    found = load_raw(tmp_path / "raw")
    assert found.articles["article_id"].tolist() == found.macros["macro_id"].tolist() == ["a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("text: body", "macro_id"),
        ("macro_id: id", "need `text`"),
        ("{macro_id: id, text: body, stat: x}", "state"),
        ("{macro_id: id, text: body, state: {column: s, levels: {x: live}}}", "active"),
        ("{macro_id: id, text: body, state: {column: s, levels: {x: actve}}}", "active"),
    ],
)
def test_a_wrong_mapping_names_what_is_right(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(MappingError, match=message):
        load_macro_mapping(put(tmp_path / "m.yaml", text))


def test_files_that_cannot_be_macros_are_said_and_nothing_is_written(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    with pytest.raises(MappingError, match="body"):
        import_macros([put(tmp_path / "a.csv", "id,name,bodi,on,lang\n1,a,x,yes,en\n")], raw, mapping=mapping(tmp_path))
    with pytest.raises(MappingError, match="text"):
        import_macros([put(tmp_path / "a.csv", "macro_id,body\n1,a\n")], raw)
    with pytest.raises(InputError, match="no such file"):
        import_macros([tmp_path / "away.csv"], raw)
    with pytest.raises(InputError, match="no macro"):
        import_macros([put(tmp_path / "b.csv", "macro_id,text\n")], raw)
    assert not raw.exists()
    strange = tmp_path / "strange"
    strange.mkdir()
    put(strange / "mine.txt", "x")
    with pytest.raises(OutputError):
        import_macros([table(tmp_path)], strange, mapping=mapping(tmp_path))
